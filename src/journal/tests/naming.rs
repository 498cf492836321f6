//! Rows that wait for their customer's name, whichever process asks for it.

use std::time::Duration;

use each_engine::each_engine;
use serde_json::json;

use crate::chat::event::{ChatEvent, Happening};
use crate::chat::text::Personal;
use crate::journal::Limits;
use crate::journal::tests::accepting::joined;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{LIMITS, NOW, book, event, one_tab};

/// An unassignment that lacks its customer's name.
fn of_customer(chat: &str) -> ChatEvent {
    event(Happening::Unassigned, json!({ "chatId": chat, "dtCustomerId": "1" }))
}

#[each_engine]
async fn a_row_waits_for_the_name_that_another_process_asks_for(place: Place) {
    let journal = place.open();
    let beside = place.beside();
    let mut asked = beside.unnamed();
    drop(beside.accept(of_customer("a"), NOW).await.unwrap());
    journal.refresh().await.unwrap();
    let draft = async || journal.draft(book(&journal), 9, NOW).await.unwrap();
    assert_eq!(draft().await.rows(), 0);
    let left = journal.awaits_name(book(&journal), NOW).await.unwrap().unwrap();
    assert_eq!(left, Duration::from_secs(2));
    let unnamed = asked.recv().await.unwrap();
    beside.name(unnamed, Some(Personal::new("Asha")), NOW).await.unwrap();
    assert_eq!(draft().await.entries()[0].customer_name.reveal(), "Asha");
    assert_eq!(journal.awaits_name(book(&journal), NOW).await.unwrap(), None);
}

#[each_engine]
async fn a_row_goes_without_the_name_that_a_process_which_is_gone_had_asked_for(place: Place) {
    let journal = place.open();
    let beside = place.beside();
    drop(beside.unnamed());
    let asked = beside.unnamed();
    drop(beside.accept(of_customer("a"), NOW).await.unwrap());
    drop((beside, asked));
    journal.refresh().await.unwrap();
    let rows = async |now| journal.draft(book(&journal), 9, now).await.unwrap().rows();
    assert_eq!(rows(NOW.plus_ms(1_999)).await, 0);
    assert_eq!(rows(NOW.plus_ms(2_000)).await, 1);
    // Nor does it wait for a clock that was set back by a minute.
    assert_eq!(rows(NOW.plus_ms(-60_000)).await, 1);
}

#[each_engine]
async fn where_nobody_looks_names_up_or_too_many_wait_for_it_no_row_waits(place: Place) {
    let limits = Limits { pending_rows_max: 10_000, ..LIMITS };
    let journal = place.open_with(limits, one_tab());
    drop(journal.accept(of_customer("a"), NOW).await.unwrap());
    assert_eq!(place.rows()["awaited"], 0);
    let mut asked = journal.unnamed();
    let mut all = Vec::new();
    for number in 0..1_100 {
        let event = of_customer(&format!("chat {number}"));
        all.push(Box::pin(journal.accept(event, NOW)));
    }
    for receipt in joined(all).await {
        drop(receipt.unwrap());
    }
    let told = std::iter::from_fn(|| asked.try_recv().ok()).count();
    assert_eq!((told, place.rows()["awaited"]), (1_024, 1_024));
}
