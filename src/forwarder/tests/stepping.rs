//! The loop, step by step beside the stand-in: the sheet may change while a batch waits.

use std::time::{Duration, Instant};

use fake_google::Fault;

use crate::forwarder::tests::{Bench, MINUTE_MS, TAB, now, pass};
use crate::forwarder::{BATCH_BYTES_MAX, Next};
use crate::sheets::Purpose;

#[tokio::test]
async fn a_batch_is_not_planned_by_an_old_layout() {
    let mut bench = Bench::new().await;
    bench.google.staff().insert_column(TAB, 0, "Notes");
    bench.forwarder.seen.as_mut().unwrap().ages(Duration::from_secs(3_600));
    bench.accept("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
}

/// 2 MB are full long before a batch has the rows that it may have.
#[tokio::test]
async fn rows_that_fill_a_batch_by_their_bytes_do_not_wait_for_more() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    let row_bytes = bench.forwarder.row_bytes;
    assert!((600..1_000).contains(&row_bytes), "{row_bytes}");
    for _ in 0..25 {
        bench.forwarder.own_writes.note(now());
    }
    bench.accept("chat_2").await;
    assert!(matches!(bench.steps().await, Next::Wait(_)), "one row waits for others");
    bench.forwarder.row_bytes = BATCH_BYTES_MAX;
    bench.steps().await;
    assert_eq!(bench.chats(), ["chat_1", "chat_2"]);
}

#[tokio::test]
async fn a_row_that_waits_for_a_human_follows_the_columns() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    bench.google.staff().protect(TAB);
    assert!(matches!(bench.steps().await, Next::Wait(_)));
    bench.google.staff().unprotect(TAB);
    bench.forwarder.barred.bar(Purpose::Log, Instant::now());
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

/// Rests for an hour, a minute at a time, and gives how many calls each took.
async fn calls_at_rest(bench: &mut Bench, minutes: usize) -> Vec<usize> {
    let calls = |bench: &Bench| {
        let requests = bench.google.requests();
        requests.iter().filter(|seen| seen.path.starts_with("/v4/")).count()
    };
    let mut of_minutes = Vec::new();
    for _ in 0..minutes {
        let before = calls(bench);
        bench.forwarder.seen.as_mut().unwrap().ages(Duration::from_secs(60));
        bench.forwarder.written_at = None;
        pass(MINUTE_MS);
        bench.forwarder.idle().await;
        assert_eq!(bench.steps().await, Next::Idle);
        of_minutes.push(calls(bench) - before);
    }
    of_minutes
}

#[tokio::test]
async fn at_rest_hardly_anything_is_asked() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    bench.steps().await;
    let boards = bench.google.writes();
    let of_minutes = calls_at_rest(&mut bench, 60).await;
    assert!(of_minutes.iter().all(|calls| (1..=2).contains(calls)), "{of_minutes:?}");
    // The board's time stays fresh all the same.
    assert_eq!(bench.google.writes() - boards, 15, "{of_minutes:?}");
}

#[tokio::test]
async fn what_is_known_is_not_asked_again_after_a_lost_answer() {
    let mut bench = Bench::new().await;
    let before = bench.google.requests().len();
    bench.accept("chat_1").await;
    bench.google.fail_next_write(Fault::LoseAnswer);
    assert!(matches!(bench.steps().await, Next::Wait(_)));
    bench.forwarder.seen.as_mut().unwrap().ages(Duration::from_secs(120));
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
    // Sent, sent again, the marker, and whether the columns are where they were.
    assert_eq!(bench.google.requests().len() - before, 4);
}
