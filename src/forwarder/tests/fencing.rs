//! What was sent long ago, by a process that was stopped in the middle of it, does no harm when it comes.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use fake_google::Fault;

use crate::forwarder::tests::{Bench, TAB};
use crate::forwarder::{Forwarder, Next};

/// Another process takes over what the first was doing.
async fn taken_over(bench: &Bench) -> Forwarder {
    let before = &bench.forwarder;
    let (sheets, status) = (Arc::clone(&before.sheets), Arc::clone(&before.status));
    let (journal, writes) = (bench.journal.clone(), Arc::clone(&before.all_writes));
    Forwarder::new(journal, sheets, status, writes, before.options.clone()).await.unwrap()
}

/// Steps on until there is nothing to do.
async fn settled(bench: &mut Bench) {
    for _ in 0..8 {
        if bench.steps().await == Next::Idle {
            return;
        }
    }
    panic!("it never comes to rest");
}

/// A column was moved in the moment of a write, and the write that puts its row right comes so late that the
/// row was put right by another, and has moved since.
async fn check_a_late_repair(is_taken_over: bool) {
    let mut bench = Bench::new().await;
    for chat in ["chat_0", "chat_1"] {
        bench.accept(chat).await;
        bench.steps().await;
    }
    let late = Fault::ApplyLate(Duration::from_secs(3));
    bench.google.staff().insert_column(TAB, 4, "Notes");
    bench.google.after_next_write_with("appendCells", |google| google.fail_next_write(late));
    bench.accept("chat_2").await;
    assert!(matches!(bench.steps().await, Next::Wait(_)), "what became of it is not known");
    if is_taken_over {
        bench.forwarder = taken_over(&bench).await;
    }
    settled(&mut bench).await;
    assert_eq!(bench.chats(), ["chat_0", "chat_1", "chat_2"]);
    let (told, comes) = channel();
    bench.google.before_next_write_with("updateCells", move |google| {
        google.staff().delete_row(TAB, 1);
        told.send(()).unwrap();
    });
    comes.recv_timeout(Duration::from_secs(20)).expect("it comes");
    bench.accept("chat_3").await;
    settled(&mut bench).await;
    assert_eq!(bench.chats(), ["chat_1", "chat_2", "chat_3"]);
    assert_eq!(bench.google.row_count(TAB), 4, "the header, and a row each");
    // Of a process that is gone nobody knows when it wakes.
    let markers = bench.google.markers("dts.batch");
    let fenced = bench.journal.fenced().await.unwrap();
    let is_kept = |id: &i32| markers.iter().any(|(marker, _)| *marker == i64::from(*id));
    assert!(fenced.iter().all(is_kept), "{fenced:?} of {markers:?}");
    // The batch under way, and the write that put it right.
    assert_eq!(fenced.len(), if is_taken_over { 2 } else { 0 });
}

#[tokio::test]
async fn a_row_that_was_put_right_too_late_is_not_put_right_in_another_place() {
    check_a_late_repair(false).await;
}

#[tokio::test]
async fn what_the_process_before_was_putting_right_can_be_applied_no_more_after_a_take_over() {
    check_a_late_repair(true).await;
}

#[tokio::test]
async fn what_is_put_right_at_once_leaves_nothing_open() {
    let mut bench = Bench::new().await;
    bench.google.staff().insert_column(TAB, 4, "Notes");
    bench.accept("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
    assert!(bench.forwarder.open_ticket.is_none());
    assert_eq!(bench.journal.fenced().await.unwrap(), Vec::<i32>::new());
}

/// Where no marker tells, only time does: nothing is written before the write that left cannot be applied any
/// more.
#[tokio::test]
async fn without_markers_a_take_over_waits_until_nothing_can_come_any_more() {
    let mut bench = Bench::new().await;
    bench.journal.note_fact("marker_fences", false).await.unwrap();
    bench.google.staff().insert_column(TAB, 4, "Notes");
    let refused = Fault::LoseAnswer;
    bench.google.after_next_write_with("appendCells", |google| google.fail_next_write(refused));
    bench.accept("chat_1").await;
    assert!(matches!(bench.steps().await, Next::Wait(_)));
    let writes = bench.google.writes();
    bench.forwarder = taken_over(&bench).await;
    let Next::Wait(wait) = bench.steps().await else { panic!("no wait") };
    assert!(wait > Duration::from_secs(180), "{wait:?}");
    assert_eq!(bench.google.writes(), writes);
}
