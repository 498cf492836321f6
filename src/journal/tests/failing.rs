//! A transaction that fails has not happened: not on the disk, not in memory, not to those who wait. And a
//! batch is what is stored of it, whatever happens while it is sealed.

use each_engine::each_engine;
use serde_json::json;

use crate::chat::event::{ChatEvent, Happening};
use crate::chat::text::Personal;
use crate::journal::Standing;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{NOW, book, event, open_batch, sealed, unassigned};

/// An unassignment that lacks its customer's name.
fn of_customer(chat: &str, customer: &str) -> ChatEvent {
    event(Happening::Unassigned, json!({ "chatId": chat, "dtCustomerId": customer }))
}

#[each_engine]
async fn a_name_is_not_asked_for_where_the_row_was_not_kept(place: Place) {
    let journal = place.open();
    let mut asked = journal.unnamed();
    place.refuse_commits();
    journal.accept(of_customer("a", "1"), NOW).await.unwrap_err();
    place.allow_commits();
    // This one gets the number that the other would have had.
    drop(journal.accept(of_customer("b", "2"), NOW).await.unwrap());
    let first = asked.recv().await.unwrap();
    assert_eq!(first.customer_id.reveal(), "2");
    journal.name(first, Some(Personal::new("Asha")), NOW).await.unwrap();
    assert!(asked.try_recv().is_err(), "nobody else lacks a name");
    let batch = sealed(&journal, 9).await;
    let row = &batch.entries()[0];
    assert_eq!((row.chat_id.reveal(), row.customer_name.reveal()), ("b", "Asha"));
}

#[each_engine]
async fn what_another_process_adds_after_a_failure_is_recognised(place: Place) {
    let journal = place.open();
    place.refuse_commits();
    journal.accept(unassigned("a"), NOW).await.unwrap_err();
    place.allow_commits();
    let beside = place.beside();
    let first = beside.accept(unassigned("b"), NOW).await.unwrap();
    let again = journal.accept(unassigned("b"), NOW).await.unwrap();
    assert_eq!((again.standing(), again.event_id()), (Standing::Duplicate, first.event_id()));
}

#[each_engine]
async fn a_name_that_comes_while_a_batch_is_sealed_makes_it_be_drafted_anew(place: Place) {
    let journal = place.open();
    let mut asked = journal.unnamed();
    drop(journal.accept(of_customer("a", "1"), NOW).await.unwrap());
    let unnamed = asked.recv().await.unwrap();
    let late = NOW.plus_ms(2_500);
    let draft = async || {
        let draft = journal.draft(book(&journal), 9, late).await.unwrap();
        assert_eq!(draft.rows(), 1);
        draft
    };
    let before = draft().await;
    journal.name(unnamed, Some(Personal::new("Asha")), late).await.unwrap();
    assert!(journal.seal(before, "a plan".into(), None, late).await.unwrap().is_none());
    let batch = journal.seal(draft().await, "a plan".into(), None, late).await.unwrap().unwrap();
    assert_eq!(batch.entries()[0].customer_name.reveal(), "Asha");
    assert_eq!(batch.entries(), open_batch(&journal).await.unwrap().entries());
}
