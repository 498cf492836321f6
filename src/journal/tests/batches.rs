//! Batches: sealed once, never changed, finished once.

use each_engine::each_engine;
use serde_json::json;

use crate::chat::event::Happening;
use crate::journal::Batch;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    NOW, PLAN, accept_all, assigned, book, chats, check_identity, event, next_batch, open_batch,
    sealed,
};

#[each_engine]
async fn nothing_pending_is_no_batch(place: Place) {
    let journal = place.open();
    assert!(next_batch(&journal, 10, PLAN).await.is_none());
    assert!(open_batch(&journal).await.is_none());
    assert_eq!(journal.oldest_pending(NOW).await.unwrap(), None);
}

#[each_engine]
async fn rows_leave_in_the_order_in_which_they_came(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["c", "a", "b", "d", "e"]).await;
    let mut left = Vec::new();
    while let Some(batch) = next_batch(&journal, 2, PLAN).await {
        left.extend(chats(batch.entries()).into_iter().map(str::to_owned));
        journal.written(batch).await.unwrap();
        check_identity(&place, &journal);
    }
    assert_eq!(left, ["c", "a", "b", "d", "e"]);
    assert_eq!((journal.tally().written, journal.tally().pending()), (5, 0));
}

#[each_engine]
async fn of_a_draft_only_the_first_rows_are_sealed(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c", "d"]).await;
    for rows in [1, 3, 4, 9] {
        let draft = journal.draft(book(&journal), 9, NOW).await.unwrap().first(rows, 0);
        let batch = journal.seal(draft, PLAN.into(), None, NOW).await.unwrap().unwrap();
        assert_eq!(batch.entries().len(), rows.min(4));
        journal.release(batch).await.unwrap();
    }
}

#[track_caller]
fn check_same(batch: &Batch, expected: &Batch) {
    assert_eq!(batch.number(), expected.number());
    assert_eq!(batch.marker_id(), expected.marker_id());
    assert_eq!(batch.digest(), expected.digest());
    assert_eq!(batch.plan(), expected.plan());
    assert_eq!(batch.sealed_at(), expected.sealed_at());
    assert_eq!(batch.entries(), expected.entries());
}

#[each_engine]
async fn a_sealed_batch_is_taken_up_again_as_it_was(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    let batch = sealed(&journal, 2).await;
    assert_eq!(batch.digest().len(), 16);
    assert!(journal.marker_ids().await.unwrap().contains(&batch.marker_id()));
    // What comes later is not in it.
    accept_all(&journal, &["d"]).await;
    let cut = place.cut();
    check_same(&open_batch(&cut.open()).await.unwrap(), &batch);
    drop(journal);
    let journal = place.open();
    let found = open_batch(&journal).await.unwrap();
    check_same(&found, &batch);
    assert_eq!(chats(found.entries()), ["a", "b"]);
    journal.written(found).await.unwrap();
    assert_eq!(chats(sealed(&journal, 9).await.entries()), ["c", "d"]);
}

#[each_engine]
async fn a_released_batch_is_pending_again_and_travels_under_another_marker(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    let first = sealed(&journal, 9).await;
    let (number, marker_id) = (first.number(), first.marker_id());
    journal.release(first).await.unwrap();
    assert!(open_batch(&journal).await.is_none());
    assert_eq!(journal.tally().pending(), 2);
    let second = sealed(&journal, 9).await;
    assert_eq!(chats(second.entries()), ["a", "b"]);
    assert_ne!((second.number(), second.marker_id()), (number, marker_id));
    check_identity(&place, &journal);
}

#[each_engine]
async fn the_digest_tells_one_batch_from_another(place: Place) {
    let elsewhere = place.another();
    let (one, other) = (place.open(), elsewhere.open());
    accept_all(&one, &["a", "b"]).await;
    accept_all(&other, &["a", "b"]).await;
    let mut digests = vec![sealed(&other, 2).await.digest().to_owned()];
    for (rows_max, plan) in [(1, PLAN), (2, PLAN), (2, "another plan")] {
        let batch = next_batch(&one, rows_max, plan).await.unwrap();
        digests.push(batch.digest().to_owned());
        one.release(batch).await.unwrap();
    }
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

#[each_engine]
async fn what_is_set_aside_is_kept_with_its_reason_and_the_rest_goes_on(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["bad", "good"]).await;
    let batch = sealed(&journal, 1).await;
    journal.set_aside(batch, "a cell is too long".into(), NOW).await.unwrap();
    check_identity(&place, &journal);
    let tally = journal.tally();
    assert_eq!((tally.set_aside, tally.pending(), tally.written), (1, 1, 0));
    assert!(place.holds("a cell is too long"));
    assert_eq!(chats(sealed(&journal, 9).await.entries()), ["good"]);
}

#[each_engine]
async fn a_batch_that_is_finished_again_changes_nothing_and_fails_nobody(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a"]).await;
    let batch = sealed(&journal, 1).await;
    let same = open_batch(&journal).await.unwrap();
    journal.written(batch).await.unwrap();
    let tally = journal.tally();
    accept_all(&journal, &["b"]).await;
    journal.written(same).await.unwrap();
    assert_eq!(journal.tally().written, tally.written);
    assert_eq!(journal.tally().pending(), 1);
    check_identity(&place, &journal);
}

#[each_engine]
async fn nothing_of_a_delivered_row_stays_on_the_disk(place: Place) {
    const MARKED: &str = "Zzyzx Marked-Name";
    let journal = place.open();
    for number in 0..20 {
        let body = json!({ "chatId": number.to_string(), "customerName": MARKED });
        journal.accept(event(Happening::Unassigned, body), NOW).await.map(drop).unwrap();
    }
    assert!(place.holds(MARKED), "the search finds what is there");
    // As long as they wait, they are on the board.
    for number in 0..20 {
        let event = assigned(&number.to_string(), "Dr. Meera");
        journal.accept(event, NOW).await.map(drop).unwrap();
    }
    let batch = sealed(&journal, 40).await;
    assert_eq!(batch.rows(), 40);
    journal.written(batch).await.unwrap();
    drop(journal);
    assert!(!place.holds(MARKED));
    assert_eq!(place.rows()["entry"], 0);
}

#[each_engine]
async fn a_purge_removes_the_last_of_a_delivered_row_while_the_service_runs(place: Place) {
    const MARKED: &str = "Zzyzx Marked-Name";
    let journal = place.open();
    let body = json!({ "chatId": "a", "customerName": MARKED });
    journal.accept(event(Happening::Unassigned, body), NOW).await.map(drop).unwrap();
    journal.accept(assigned("a", "Dr. Meera"), NOW).await.map(drop).unwrap();
    let batch = sealed(&journal, 2).await;
    journal.written(batch).await.unwrap();
    journal.purge().await.unwrap();
    assert!(!place.holds(MARKED));
    accept_all(&journal, &["b"]).await;
    check_identity(&place, &journal);
}
