//! A transaction that fails has not happened: not on the disk, not in memory, not to those who wait. And a
//! batch is what is stored of it, whatever happens while it is sealed.

use serde_json::json;

use crate::chat::event::{ChatEvent, Happening};
use crate::chat::text::Personal;
use crate::journal::tests::{
    LIMITS, NOW, allow_commits, book, dir, event, one_tab, open, open_batch, refuse_commits,
    sealed, unassigned,
};
use crate::journal::{Journal, Standing};

/// An unassignment that lacks its customer's name.
fn of_customer(chat: &str, customer: &str) -> ChatEvent {
    event(Happening::Unassigned, json!({ "chatId": chat, "dtCustomerId": customer }))
}

#[tokio::test]
async fn a_name_is_not_asked_for_where_the_row_was_not_kept() {
    let dir = dir();
    let journal = open(dir.path());
    let mut asked = journal.unnamed();
    refuse_commits(&journal);
    journal.accept(of_customer("a", "1"), NOW).await.unwrap_err();
    allow_commits(&journal);
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

#[tokio::test]
async fn what_another_process_adds_after_a_failure_is_recognised() {
    let dir = dir();
    let journal = open(dir.path());
    refuse_commits(&journal);
    journal.accept(unassigned("a"), NOW).await.unwrap_err();
    allow_commits(&journal);
    let beside = Journal::open_beside(dir.path(), LIMITS, one_tab()).unwrap();
    let first = beside.accept(unassigned("b"), NOW).await.unwrap();
    let again = journal.accept(unassigned("b"), NOW).await.unwrap();
    assert_eq!((again.standing(), again.event_id()), (Standing::Duplicate, first.event_id()));
}

#[tokio::test]
async fn a_name_that_comes_while_a_batch_is_sealed_makes_it_be_drafted_anew() {
    let dir = dir();
    let journal = open(dir.path());
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
