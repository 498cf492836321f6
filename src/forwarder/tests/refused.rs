//! Rows that Google refuses for a reason that nobody knows, and workbooks that it only ever fails at.

use std::time::{Duration, Instant};

use fake_google::{Fault, Refusal};

use crate::forwarder::Next;
use crate::forwarder::tests::{Bench, HANDOVERS, pass};
use crate::sheets::Purpose;
use crate::status::SheetState;

/// Steps until nothing is to be done, whatever it takes.
async fn settle(bench: &mut Bench) {
    for _ in 0..60 {
        if bench.steps().await == Next::Idle {
            return;
        }
        pass(61_000);
    }
    panic!("it never comes to rest: {:?}", bench.forwarder.status.sheet());
}

async fn reasons(bench: &Bench) -> Vec<String> {
    let aside = bench.journal.set_aside_after(0, 10).await.unwrap();
    aside.into_iter().map(|row| row.reason).collect()
}

#[tokio::test]
async fn the_row_that_google_does_not_like_is_found_and_the_rest_goes_on() {
    for poisoned in 1..=5 {
        let mut bench = Bench::new().await;
        let chats: Vec<String> = (1..=5).map(|n| format!("chat_{n}")).collect();
        bench.google.refuse_rows_with(&chats[poisoned - 1]);
        for chat in &chats {
            bench.accept(chat).await;
        }
        settle(&mut bench).await;
        let rest: Vec<&String> =
            chats.iter().filter(|chat| **chat != chats[poisoned - 1]).collect();
        assert_eq!(bench.chats().iter().collect::<Vec<_>>(), rest);
        assert_eq!(
            reasons(&bench).await,
            ["Google refuses it (INVALID_ARGUMENT)"],
            "not its words"
        );
        assert_eq!(bench.forwarder.status.sheet(), SheetState::Delivering);
    }
}

#[tokio::test]
async fn several_such_rows_one_after_the_other_are_set_aside() {
    let mut bench = Bench::new().await;
    bench.google.refuse_rows_with("bad");
    for chat in ["chat_1", "bad_2", "bad_3", "bad_4", "chat_5"] {
        bench.accept(chat).await;
    }
    settle(&mut bench).await;
    assert_eq!(bench.chats(), ["chat_1", "chat_5"]);
    assert_eq!(reasons(&bench).await.len(), 3);
}

/// All that is known is that Google takes other cells there; but not every row can be to blame.
#[tokio::test]
async fn where_no_row_at_all_is_taken_it_is_the_tab() {
    let mut bench = Bench::new().await;
    bench.google.refuse_rows_with("Waiting");
    for n in 1..=6 {
        bench.accept(&format!("chat_{n}")).await;
    }
    for _ in 0..20 {
        bench.steps().await;
        pass(61_000);
    }
    assert_eq!(reasons(&bench).await.len(), 3, "the others wait");
    assert!(matches!(bench.forwarder.status.sheet(), SheetState::Parked(_)));
    bench.google.heal();
    bench.forwarder.barred.bar(Purpose::Log, Instant::now());
    settle(&mut bench).await;
    assert_eq!(bench.chats(), ["chat_4", "chat_5", "chat_6"]);
}

#[tokio::test]
async fn where_the_tab_takes_nothing_no_row_is_set_aside() {
    let mut bench = Bench::new().await;
    bench.google.refuse_writes_with("appendCells");
    bench.accept("chat_1").await;
    bench.accept("chat_2").await;
    for _ in 0..5 {
        bench.steps().await;
        pass(61_000);
    }
    assert_eq!(reasons(&bench).await, [""; 0]);
    bench.google.heal();
    bench.forwarder.barred.bar(Purpose::Log, Instant::now());
    settle(&mut bench).await;
    assert_eq!(bench.chats(), ["chat_1", "chat_2"]);
}

#[tokio::test]
async fn a_handover_that_google_does_not_like_is_set_aside_too() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    settle(&mut bench).await;
    bench.google.refuse_rows_with("Asha");
    bench.assign("chat_1").await;
    settle(&mut bench).await;
    assert_eq!(reasons(&bench).await.len(), 1);
    bench.google.heal();
    bench.accept("chat_2").await;
    bench.assign("chat_2").await;
    settle(&mut bench).await;
    assert_eq!(bench.google.column(HANDOVERS, "Taken by"), ["Asha"]);
}

/// An outage of Google's is nothing that a human could mend; a workbook that is too much for it is.
#[tokio::test]
async fn a_workbook_that_only_ever_breaks_gets_a_human_while_all_else_works() {
    let mut bench = Bench::new().await;
    for refusal in [Refusal::Unavailable503, Refusal::Internal500] {
        bench.google.fail_next_write(Fault::Refuse(refusal));
    }
    bench.accept("chat_1").await;
    assert!(matches!(bench.steps().await, Next::Wait(_)));
    assert!(matches!(bench.forwarder.status.sheet(), SheetState::Retrying(_)));
    bench.forwarder.sheets.errors_age(Duration::from_secs(30 * 60));
    assert!(matches!(bench.steps().await, Next::Wait(_)));
    let state = bench.forwarder.status.sheet();
    let SheetState::Parked(advice) = state else { panic!("{state:?}") };
    assert!(advice.contains("make a new spreadsheet"), "{advice}");
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(
        (bench.chats(), bench.forwarder.status.sheet()),
        (vec!["chat_1".into()], SheetState::Delivering)
    );
}
