//! The loop, step by step beside the stand-in: the sheet may change while a batch waits.

use std::time::{Duration, Instant};

use fake_google::Fault;

use crate::forwarder::Next;
use crate::forwarder::tests::{Bench, TAB};

#[tokio::test]
async fn a_batch_is_not_planned_by_an_old_layout() {
    let mut bench = Bench::new().await;
    bench.google.staff().insert_column(TAB, 0, "Notes");
    let old = Instant::now().checked_sub(Duration::from_secs(3_600)).unwrap();
    bench.forwarder.layout.as_mut().unwrap().1 = old;
    bench.accept("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
}

#[tokio::test]
async fn a_parked_batch_follows_the_columns() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    bench.google.staff().protect(TAB);
    assert!(matches!(bench.steps().await, Next::Wait(_)));
    bench.google.staff().unprotect(TAB);
    bench.google.staff().insert_column(TAB, 0, "Notes");
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
}

#[tokio::test]
async fn a_batch_in_unknown_words_is_looked_for_before_it_is_sent_anew() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    bench.google.fail_next_write(Fault::LoseAnswer);
    assert!(matches!(bench.steps().await, Next::Wait(_)));
    bench.forwarder.held.as_mut().unwrap().forget_plan();
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
}

#[tokio::test]
async fn where_markers_are_not_trusted_the_event_ids_tell() {
    let mut bench = Bench::new().await;
    bench.journal.note_fact("marker_fences", false).await.unwrap();
    let markers = bench.google.markers("dts.batch");
    bench.accept("chat_1").await;
    bench.google.fail_next_write(Fault::LoseAnswer);
    bench.accept("chat_2").await;
    // Not sent again before the first send can have no effect any more.
    let Next::Wait(_) = bench.steps().await else { panic!("no wait") };
    let Next::Wait(wait) = bench.steps().await else { panic!("no wait") };
    assert!(wait > Duration::from_secs(180), "{wait:?}");
    bench.google.staff().insert_column(TAB, 0, "Notes");
    bench.google.staff().rename_tab(TAB, "Renamed");
    bench.forwarder.held.as_mut().unwrap().doubt_is_over();
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.google.column("Renamed", "Chat ID"), ["chat_1", "chat_2"]);
    assert_eq!(bench.google.markers("dts.batch"), markers, "none is left any more");
}
