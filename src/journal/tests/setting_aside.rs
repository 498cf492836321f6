//! Rows set aside are listed, come back when asked for, and never into a batch that has its members.

use each_engine::each_engine;

use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    LIMITS, NOW, PLAN, accept_all, chats, check_identity, next_batch, one_tab, open_batch, sealed,
};
use crate::journal::{Journal, Retried, Whereabouts};
use crate::progress::Progress;

/// Sets the oldest pending row aside; gives its number.
async fn set_one_aside(journal: &Journal) -> u64 {
    let batch = sealed(journal, 1).await;
    let number = batch.entries()[0].event_id.number;
    journal.set_aside(batch, "for a reason".into(), NOW).await.unwrap();
    number
}

fn back(rows: u64) -> Retried {
    Retried { rows, ..Retried::default() }
}

#[each_engine]
async fn what_is_set_aside_is_listed_with_its_reason_in_order(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    let numbers = [set_one_aside(&journal).await, set_one_aside(&journal).await];
    let all = journal.set_aside_after(0, 10).await.unwrap();
    let listed: Vec<u64> = all.iter().map(|row| row.entry.event_id.number).collect();
    assert_eq!(listed, numbers);
    assert_eq!((all[0].reason.as_str(), all[0].at, all[0].received_at), ("for a reason", NOW, NOW));
    assert_eq!(all[0].entry.chat_id.reveal(), "a");
    assert_eq!(journal.set_aside_after(numbers[0], 10).await.unwrap().len(), 1);
    assert_eq!(journal.set_aside_after(0, 1).await.unwrap().len(), 1);
}

#[each_engine]
async fn a_row_that_is_retried_is_pending_under_its_old_id(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    let (first, second) = (set_one_aside(&journal).await, set_one_aside(&journal).await);
    assert_eq!(journal.whereabouts(first).await.unwrap(), Whereabouts::SetAside);
    assert_eq!(journal.retry_set_aside(Some(second), &Progress::default()).await.unwrap(), back(1));
    check_identity(&place, &journal);
    assert_eq!(journal.whereabouts(second).await.unwrap(), Whereabouts::Pending);
    assert_eq!(journal.retry_set_aside(None, &Progress::default()).await.unwrap(), back(1));
    assert_eq!(journal.retry_set_aside(None, &Progress::default()).await.unwrap(), back(0));
    check_identity(&place, &journal);
    let batch = sealed(&journal, 10).await;
    assert_eq!(chats(batch.entries()), ["a", "b", "c"]);
    assert_eq!(batch.entries()[0].event_id.number, first);
    journal.written(batch).await.unwrap();
    check_identity(&place, &journal);
    assert_eq!(journal.whereabouts(first).await.unwrap(), Whereabouts::Written);
    assert_eq!((journal.tally().written, journal.tally().set_aside), (3, 0));
}

/// A batch's members are all rows from its first to its last.
#[each_engine]
async fn a_row_never_comes_back_among_the_members_of_a_sealed_batch(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    let (first, second) = (set_one_aside(&journal).await, set_one_aside(&journal).await);
    journal.retry_set_aside(Some(first), &Progress::default()).await.unwrap();
    let batch = sealed(&journal, 10).await;
    assert_eq!(chats(batch.entries()), ["a", "c"]);
    let later = Retried { later: 1, ..Retried::default() };
    assert_eq!(journal.retry_set_aside(Some(second), &Progress::default()).await.unwrap(), later);
    assert_eq!(journal.retry_set_aside(None, &Progress::default()).await.unwrap(), later);
    check_identity(&place, &journal);
    journal.written(batch).await.unwrap();
    assert_eq!(journal.retry_set_aside(None, &Progress::default()).await.unwrap(), back(1));
    let batch = sealed(&journal, 10).await;
    assert_eq!(chats(batch.entries()), ["b"]);
    journal.written(batch).await.unwrap();
    check_identity(&place, &journal);
}

/// Between reading the members and sealing them, another row may have come to stand among them.
#[each_engine]
async fn a_batch_is_sealed_with_exactly_the_rows_that_it_was_made_of(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    for _ in 0..20 {
        let first = set_one_aside(&journal).await;
        let second = set_one_aside(&journal).await;
        journal.retry_set_aside(Some(first), &Progress::default()).await.unwrap();
        let progress = Progress::default();
        let retrying = journal.retry_set_aside(Some(second), &progress);
        let (batch, retried) = tokio::join!(next_batch(&journal, 10, PLAN), retrying);
        assert!(retried.unwrap().rows <= 1);
        if let Some(batch) = batch {
            let again = open_batch(&journal).await.expect("it was sealed");
            assert_eq!(again.entries(), batch.entries());
            journal.release(batch).await.unwrap();
        }
        journal.retry_set_aside(None, &Progress::default()).await.unwrap();
        check_identity(&place, &journal);
        assert_eq!(journal.tally().pending(), 3);
    }
}

#[each_engine]
async fn a_row_whose_patient_was_forgotten_does_not_come_back_blank(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a"]).await;
    set_one_aside(&journal).await;
    journal.forget("919876543210").await.unwrap();
    let nothing = Retried { forgotten: 1, ..Retried::default() };
    assert_eq!(journal.retry_set_aside(None, &Progress::default()).await.unwrap(), nothing);
    check_identity(&place, &journal);
}

#[each_engine]
async fn a_full_journal_takes_no_rows_back_either(place: Place) {
    let mut limits = LIMITS;
    limits.pending_rows_max = 1;
    let journal = place.open_with(limits, one_tab());
    accept_all(&journal, &["a"]).await;
    set_one_aside(&journal).await;
    accept_all(&journal, &["b"]).await;
    let later = Retried { later: 1, ..Retried::default() };
    assert_eq!(journal.retry_set_aside(None, &Progress::default()).await.unwrap(), later);
    check_identity(&place, &journal);
}
