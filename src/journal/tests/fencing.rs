//! Tickets and fences: at most one write that is no batch is open, and what a process that is gone may still
//! send is remembered.

use each_engine::each_engine;

use crate::journal::tests::engine::Place;
use crate::journal::tests::{HOUR_MS, LIMITS, NOW, accept_all, book, sealed};
use crate::journal::{Error, Journal};

async fn fenced(journal: &Journal) -> Vec<i32> {
    journal.fenced().await.unwrap()
}

#[each_engine]
async fn a_ticket_is_open_until_it_is_settled_also_after_a_crash(place: Place) {
    let journal = place.open();
    let book = book(&journal);
    assert!(journal.open_ticket(book).await.unwrap().is_none());
    let ticket = journal.take_ticket(book, true, NOW).await.unwrap();
    let another = journal.take_ticket(book, true, NOW).await.unwrap_err();
    assert!(matches!(another, Error::TicketOpen), "{another:?}");
    drop(journal);
    let journal = place.open();
    let found = journal.open_ticket(book).await.unwrap().unwrap();
    assert_eq!(found.marker_id(), ticket.marker_id());
    assert_eq!((found.digest(), found.taken_at()), (ticket.digest(), NOW));
    assert!(journal.marker_ids().await.unwrap().contains(&found.marker_id()));
    journal.settle_ticket(&found, false).await.unwrap();
    journal.settle_ticket(&found, false).await.unwrap();
    assert_eq!(fenced(&journal).await, Vec::<i32>::new());
    let next = journal.take_ticket(book, false, NOW).await.unwrap();
    assert_eq!(next.digest(), None);
    assert_ne!(next.marker_id(), ticket.marker_id(), "no id is given twice");
}

#[each_engine]
async fn a_batch_and_a_ticket_never_have_the_same_marker(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a"]).await;
    let ticket = journal.take_ticket(book(&journal), true, NOW).await.unwrap();
    let batch = sealed(&journal, 9).await;
    assert_ne!(batch.marker_id(), ticket.marker_id());
}

#[each_engine]
async fn what_was_open_at_a_take_over_is_fenced_off_for_as_long_as_anything_is_remembered(
    place: Place,
) {
    let journal = place.open();
    let book = book(&journal);
    journal.fence(book, NOW).await.unwrap();
    assert_eq!(place.rows()["fence"], 0, "nothing is under way");
    accept_all(&journal, &["a"]).await;
    let batch = sealed(&journal, 9).await;
    let marker = batch.marker_id();
    assert_eq!(fenced(&journal).await, [marker], "it is under way");
    journal.fence(book, NOW).await.unwrap();
    journal.written(batch).await.unwrap();
    let ticket = journal.take_ticket(book, true, NOW).await.unwrap();
    journal.settle_ticket(&ticket, true).await.unwrap();
    let both = [marker, ticket.marker_id()];
    let retention = NOW.plus_ms(LIMITS.rules.retention_ms);
    journal.sweep(retention).await.unwrap();
    assert_eq!(fenced(&journal).await, both);
    let open = journal.take_ticket(book, true, NOW).await.unwrap();
    journal.sweep(retention.plus_ms(HOUR_MS)).await.unwrap();
    assert_eq!(fenced(&journal).await, [open.marker_id()], "what is open stays");
}

#[each_engine]
async fn a_ticket_that_could_not_be_noted_was_not_taken(place: Place) {
    let journal = place.open();
    place.refuse_commits();
    journal.take_ticket(book(&journal), true, NOW).await.unwrap_err();
    place.allow_commits();
    assert!(journal.open_ticket(book(&journal)).await.unwrap().is_none());
    drop(journal.take_ticket(book(&journal), true, NOW).await.unwrap());
}
