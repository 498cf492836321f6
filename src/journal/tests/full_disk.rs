//! A disk that is full refuses events, harms nothing, lets rows out, and is noticed to have room again.
//!
//! Of SQLite alone: its disk is ours, and what is kept free on it, too.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::chat::event::Happening;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{NOW, accept_all, check_identity, event, sealed, unassigned};
use crate::journal::{Condition, Error, Fault, Refusal};

#[tokio::test]
async fn a_full_disk_refuses_events_lets_rows_out_and_takes_events_again() {
    let place = Place::sqlite();
    let journal = place.open();
    let taken = 3;
    accept_all(&journal, &["a", "b", "c"]).await;
    place.refuse_commits_for(Fault::DiskFull);
    let refused = journal.accept(unassigned("d"), NOW).await.unwrap_err();
    assert!(matches!(&refused, Refusal::Failed(Error::Store(Fault::DiskFull))));
    place.allow_commits();
    assert!(matches!(journal.accept(unassigned("another"), NOW).await, Err(Refusal::Full)));
    assert_eq!(journal.condition(), Some(Condition::DiskFull));
    assert_eq!(journal.tally().pending(), taken);
    check_identity(&place, &journal);
    // What is left is for rows to go out, and for nothing else that comes in.
    let body = json!({ "unknown": "+919876543210" }).to_string().into_bytes();
    let refused = journal.keep_unrecognised(body, None, NOW).await;
    assert!(matches!(refused, Err(Refusal::Full)));
    assert_eq!(journal.tally().unrecognised, 0);

    let batch = sealed(&journal, 1_000).await;
    assert_eq!(batch.entries().len() as u64, taken);
    journal.written(batch).await.unwrap();
    check_identity(&place, &journal);
    assert_eq!(journal.tally().pending(), 0);

    let give_up = Instant::now() + Duration::from_secs(30);
    while journal.condition().is_some() {
        assert!(Instant::now() < give_up, "nobody notices that there is room");
        journal.refresh().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    accept_all(&journal, &["after"]).await;
    check_identity(&place, &journal);
    drop(journal);
    let journal = place.open();
    assert_eq!(journal.tally().accepted, taken + 1);
    check_identity(&place, &journal);
}

/// In memory, or at once, giving it back would take as much again as there is.
#[tokio::test]
async fn a_full_disk_gets_back_what_delivered_rows_took_a_little_at_a_time() {
    let place = Place::sqlite();
    let journal = place.open();
    let name = "x".repeat(900);
    for chat in 0..2_000 {
        let body = json!({ "chatId": format!("chat {chat}"), "previousAgentName": name });
        drop(journal.accept(event(Happening::Unassigned, body), NOW).await.unwrap());
        if chat % 500 == 499 {
            let batch = sealed(&journal, 1_000).await;
            journal.written(batch).await.unwrap();
        }
    }
    place.refuse_commits_for(Fault::DiskFull);
    journal.refresh().await.unwrap_err();
    place.allow_commits();
    let bytes = || std::fs::metadata(place.file()).unwrap().len();
    let give_up = Instant::now() + Duration::from_secs(30);
    let before = bytes();
    while journal.condition().is_some() {
        assert!(Instant::now() < give_up, "nobody notices that there is room");
        journal.refresh().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(bytes() < before, "{before} bytes before, {} after", bytes());
}
