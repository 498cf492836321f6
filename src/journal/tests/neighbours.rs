//! One bad record, one bad reader, one bad neighbour stops nobody else.

use std::any::Any;
use std::time::{Duration, Instant};

use each_engine::each_engine;
use serde_json::json;

use crate::causes::Causes;
use crate::chat::event::Happening;
use crate::chat::text::Personal;
use crate::journal::accept::waits::WAITS_MAX;
use crate::journal::store::{Row, Span, StoredWait};
use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    NOW, PLAN, accept_all, assigned, book, chats, check_identity, commit, drafted, event,
    fill_waits, look, open_batch, sealed, unassigned,
};
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Fault, Journal, Refusal, Standing};
use crate::progress::Progress;

/// A record that no version can read.
const UNREADABLE: &[u8] = br#"{"t":"+919876543210"}"#;

/// From now on the row of this number cannot be read.
async fn spoil_row(journal: &Journal, number: u64) {
    let work = move |transaction: &mut Transaction<'_>| {
        for queue in transaction.read()?.places()?.queues {
            let span = Span { queue: queue.id, first: number, last: number };
            if let Some(row) = transaction.read()?.rows(span, 1)?.pop() {
                let changes = transaction.change();
                changes.rows_gone.push((queue.id, number));
                changes.rows.push((queue.id, Row { payload: UNREADABLE.to_vec(), ..row }));
            }
        }
        Ok(())
    };
    commit(journal, work).await.unwrap();
}

/// From now on the wait of this number cannot be read.
async fn spoil_wait(journal: &Journal, number: u64) {
    let work = move |transaction: &mut Transaction<'_>| {
        let wait = transaction.wait_numbered(number)?.unwrap();
        transaction.put_wait(StoredWait { record: UNREADABLE.to_vec(), ..wait });
        Ok(())
    };
    commit(journal, work).await.unwrap();
}

/// From now on the board of the batch under way cannot be read.
async fn spoil_board(journal: &Journal) {
    let work = |transaction: &mut Transaction<'_>| {
        let mut batch = transaction.read()?.batches()?.remove(0);
        batch.board = Some("x".to_owned());
        transaction.store()?.end_batch(batch.number)?;
        Ok(transaction.store()?.add_batch(&batch)?)
    };
    commit(journal, work).await.unwrap();
}

/// Accepts, writes and purges some rows while somebody reads; gives the reader.
async fn beside_a_reader(place: &Place, journal: &Journal) -> Box<dyn Any> {
    accept_all(journal, &["before"]).await;
    let reader = place.reader();
    let started = Instant::now();
    for number in 0..20 {
        accept_all(journal, &[&format!("chat {number}")]).await;
        let batch = sealed(journal, 100).await;
        journal.written(batch).await.unwrap();
        journal.purge().await.unwrap();
    }
    // Each of these waited out SQLite's five seconds before.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    reader
}

#[each_engine]
async fn a_reader_that_stays_delays_no_answer(place: Place) {
    let journal = place.open();
    drop(beside_a_reader(&place, &journal).await);
    check_identity(&place, &journal);
}

/// Of SQLite alone: PostgreSQL keeps its traces to itself, and lets nobody but its owner read them.
#[tokio::test]
async fn what_lingers_for_a_reader_is_overwritten_once_nobody_reads_any_more() {
    let place = Place::sqlite();
    let journal = place.open();
    let reader = beside_a_reader(&place, &journal).await;
    journal.refresh().await.unwrap();
    assert!(journal.conditions().is_lingering());
    drop(reader);
    let give_up = Instant::now() + Duration::from_secs(30);
    while journal.conditions().is_lingering() {
        assert!(Instant::now() < give_up, "the log is not emptied once nobody reads any more");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_told_without_what_is_in_it() {
    let parsed = serde_json::from_str::<u64>("\"+919876543210\"").unwrap_err();
    let error = Error::from(parsed);
    let said = format!("{} {error:?}", Causes(&error));
    assert!(!said.contains("9876543210"), "{said}");
}

#[each_engine]
async fn a_row_that_cannot_be_read_is_set_aside_and_the_others_go_on(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    spoil_row(&journal, 2).await;
    let batch = sealed(&journal, 9).await;
    assert_eq!(chats(batch.entries()), ["a"]);
    journal.written(batch).await.unwrap();
    let batch = sealed(&journal, 9).await;
    assert_eq!(chats(batch.entries()), ["c"]);
    journal.written(batch).await.unwrap();
    assert_eq!((journal.tally().written, journal.tally().set_aside), (2, 1));
    check_identity(&place, &journal);
    let aside = journal.set_aside_after(0, 9).await.unwrap();
    assert!(aside[0].reason.contains("cannot read"), "{}", aside[0].reason);
    assert_eq!(
        journal.retry_set_aside(None, &Progress::default()).await.unwrap().later,
        1,
        "it stays for a later version"
    );
    assert!(journal.warnings().join(" ").contains("could not be read"));
}

#[each_engine]
async fn a_batch_under_way_that_cannot_be_read_is_not_sent_again_as_something_else(place: Place) {
    for is_row in [true, false] {
        let place = place.another();
        let journal = place.open();
        accept_all(&journal, &["a", "b"]).await;
        let batch = sealed(&journal, 9).await;
        let (marker, digest) = (batch.marker_id(), batch.digest().to_owned());
        drop(batch);
        match is_row {
            true => spoil_row(&journal, 2).await,
            false => spoil_board(&journal).await,
        }
        drop(journal);
        let journal = place.open();
        let batch = open_batch(&journal).await.expect("it is still open");
        assert_eq!(batch.plan(), "", "without a plan only its marker is looked for");
        assert_eq!((batch.marker_id(), batch.digest()), (marker, digest.as_str()));
        journal.written(batch).await.unwrap();
        assert_eq!((journal.tally().written, journal.tally().pending()), (2, 0));
        check_identity(&place, &journal);
    }
}

#[each_engine]
async fn a_wait_that_cannot_be_read_leaves_the_board_and_fails_no_event(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    spoil_wait(&journal, 1).await;
    let again = event(Happening::Unassigned, json!({ "chatId": "a", "customerPhone": "+9199" }));
    assert_eq!(journal.accept(again, NOW).await.unwrap().standing(), Standing::Accepted);
    check_identity(&place, &journal);
    assert_eq!(journal.waiting(), 2, "it waits again since now");
    spoil_wait(&journal, 2).await;
    let draft = drafted(&journal, book(&journal), 9).await;
    let look = look(book(&journal));
    let batch = journal.seal(draft, PLAN.into(), Some(look), NOW).await.unwrap().unwrap();
    assert_eq!(batch.board().map(|board| board.lines.len()), Some(1));
    check_identity(&place, &journal);
}

#[each_engine]
async fn a_spreadsheet_has_one_batch_under_way(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    let first = sealed(&journal, 1).await;
    let draft = drafted(&journal, book(&journal), 9).await;
    let second = journal.seal(draft, PLAN.into(), None, NOW).await;
    assert!(matches!(second, Err(Error::BatchOpen)));
    journal.release(first).await.unwrap();
    assert_eq!(place.rows()["batch"], 0);
}

/// A body that an older version did not recognise is read only now; it happened long before.
#[each_engine]
async fn what_is_told_late_does_not_hide_the_resend_of_what_came_since(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a"]).await;
    let old = event(Happening::Unassigned, json!({ "chatId": "a", "customerPhone": "+9191" }));
    drop(journal.accept(old, NOW.plus_ms(-600_000)).await.unwrap());
    let resent = journal.accept(unassigned("a"), NOW.plus_ms(1_000)).await.unwrap();
    assert_eq!(resent.standing(), Standing::Duplicate);
}

#[each_engine]
async fn a_name_that_is_found_for_a_second_drop_stands_on_the_board(place: Place) {
    let journal = place.open();
    let body = |phone: &str| json!({ "chatId": "a", "dtCustomerId": "1", "customerPhone": phone });
    drop(journal.accept(event(Happening::Unassigned, body("+9190")), NOW).await.unwrap());
    let mut asked = journal.unnamed();
    let second = event(Happening::Unassigned, body("+91 90 1"));
    drop(journal.accept(second, NOW.plus_ms(1_000)).await.unwrap());
    let unnamed = asked.recv().await.unwrap();
    journal.name(unnamed, Some(Personal::new("Asha")), NOW).await.unwrap();
    let look = look(book(&journal));
    let draft = drafted(&journal, book(&journal), 9).await;
    let batch = journal.seal(draft, PLAN.into(), Some(look), NOW).await.unwrap().unwrap();
    assert_eq!(batch.board().unwrap().lines[0].entry.customer_name.reveal(), "Asha");
}

/// Whether it awaits a name is known only of what this process has committed.
#[each_engine]
async fn nothing_is_drafted_that_came_after_the_names_were_looked_at(place: Place) {
    let journal = place.open();
    let beside = place.beside();
    accept_all(&beside, &["a"]).await;
    let draft = async || journal.draft(book(&journal), 9, NOW).await.unwrap().rows();
    assert_eq!(draft().await, 0);
    journal.refresh().await.unwrap();
    assert_eq!(draft().await, 1);
}

#[each_engine]
async fn a_name_that_was_looked_up_is_forgotten_with_its_patient(place: Place) {
    let journal = place.open();
    let mut asked = journal.unnamed();
    let body = json!({ "chatId": "a", "dtCustomerId": "1", "customerPhone": "+919876543210" });
    drop(journal.accept(event(Happening::Unassigned, body), NOW).await.unwrap());
    let unnamed = asked.recv().await.unwrap();
    journal.name(unnamed, Some(Personal::new("Asha Rao")), NOW).await.unwrap();
    let batch = sealed(&journal, 9).await;
    journal.written(batch).await.unwrap();
    drop(journal.accept(assigned("a", "Dr. Meera"), NOW).await.unwrap());
    let batch = sealed(&journal, 9).await;
    journal.written(batch).await.unwrap();
    assert!(journal.forget("919876543210").await.unwrap().records > 0);
    drop(journal);
    assert!(!place.holds("Asha Rao"));
}

/// Of SQLite alone, where nobody else may write for long.
#[tokio::test]
async fn somebody_who_holds_the_database_for_writing_is_blamed_and_nothing_else() {
    let place = Place::sqlite();
    let journal = place.open();
    let other = place.writer();
    let refused = journal.accept(unassigned("a"), NOW).await.unwrap_err();
    assert!(matches!(&refused, Refusal::Failed(Error::Store(Fault::Locked))));
    let condition = journal.condition().map(|condition| condition.to_string()).unwrap_or_default();
    assert!(condition.contains("another program is writing"), "{condition}");
    drop(other);
    accept_all(&journal, &["a"]).await;
    assert_eq!(journal.condition(), None);
}

/// Of PostgreSQL alone: another instance may be paused with the lock in its hands.
#[tokio::test]
async fn an_event_waits_for_somebody_who_holds_the_database_for_writing_and_is_kept_then() {
    let Some(place) = Place::postgres() else { return };
    let journal = place.open();
    accept_all(&journal, &["before"]).await;
    let other = place.writer();
    let mut waits = std::pin::pin!(journal.accept(unassigned("a"), NOW));
    // Longer than anybody waits for the lock in one go.
    let early = tokio::time::timeout(Duration::from_secs(6), &mut waits).await;
    assert!(early.is_err(), "it is neither kept nor refused");
    assert!(journal.condition().is_some(), "it is said");
    drop(other);
    assert_eq!(waits.await.unwrap().standing(), Standing::Accepted);
    assert_eq!(journal.condition(), None);
    check_identity(&place, &journal);
}

#[each_engine]
async fn who_waits_comes_before_who_has_been_taken(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["taken"]).await;
    drop(journal.accept(assigned("taken", "Dr. Meera"), NOW).await.unwrap());
    // As many as may be, of which one has ended.
    fill_waits(&journal).await;
    accept_all(&journal, &["new"]).await;
    assert_eq!(journal.waiting(), WAITS_MAX, "the one who waits now is known");
    let taken = commit(&journal, |transaction| transaction.wait_numbered(1)).await.unwrap();
    assert!(taken.is_none(), "who was taken made room");
}
