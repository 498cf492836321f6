//! The board goes along, never stands still for long, and never stops a row.

use std::time::Instant;

use fake_google::{Fault, Refusal};

use crate::forwarder::Next;
use crate::forwarder::tests::{BOARD, Bench, HANDOVERS, MINUTE_MS, TAB, now, pass};
use crate::sheets::Purpose;

#[tokio::test]
async fn after_a_start_the_board_is_written_though_nothing_happens() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.headline(), "Nobody is waiting · updated 01:56, 29 May");
    let writes = bench.google.writes();
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.google.writes(), writes, "and then it stands");
    assert_eq!(bench.google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn the_board_goes_along_with_the_rows_in_one_write() {
    let mut bench = Bench::new().await;
    let writes = bench.google.writes();
    bench.accept("chat_1").await;
    pass(7 * MINUTE_MS);
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.google.writes(), writes + 1);
    assert_eq!(bench.chats(), ["chat_1"]);
    let headline = bench.headline();
    assert!(headline.starts_with("1 patient waiting · longest 7 min"), "{headline}");
    bench.assign("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.google.writes(), writes + 2);
    assert_eq!(bench.google.column(HANDOVERS, "Taken by"), ["Asha"]);
    assert!(bench.headline().starts_with("Nobody is waiting"), "{}", bench.headline());
    assert_eq!(bench.google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn while_nothing_happens_the_board_is_written_anew_before_five_minutes_are_over() {
    let mut bench = Bench::new().await;
    let mut written = Vec::new();
    for second in 0..1_200 {
        let writes = bench.google.writes();
        bench.steps().await;
        if bench.google.writes() > writes {
            written.push(second);
        }
        pass(1_000);
    }
    assert!(written.len() <= 8, "{written:?}");
    for (one, next) in written.iter().zip(&written[1..]) {
        assert!(next - one < 300, "{written:?}");
    }
    assert!(written.first().is_some_and(|first| *first < 300));
}

#[tokio::test]
async fn the_board_waits_where_rows_need_the_quota() {
    let mut bench = Bench::new().await;
    pass(10 * MINUTE_MS);
    let writes = bench.google.writes();
    for _ in 0..25 {
        bench.forwarder.own_writes.note(now());
    }
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.google.writes(), writes, "half of the minute's writes are for rows");
    pass(MINUTE_MS + 2_000);
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.google.writes(), writes + 1);
}

#[tokio::test]
async fn a_protected_board_does_not_stop_the_log() {
    let mut bench = Bench::new().await;
    bench.google.staff().protect(BOARD);
    let before = bench.google.rows(BOARD);
    for chat in ["chat_1", "chat_2"] {
        bench.accept(chat).await;
        assert_eq!(bench.steps().await, Next::Idle);
    }
    assert_eq!(bench.chats(), ["chat_1", "chat_2"]);
    assert_eq!(bench.google.rows(BOARD), before);
    assert_eq!(bench.journal.tally().set_aside, 0);
}

/// The refusal is found out once a minute, and not with every row.
#[tokio::test]
async fn a_protected_board_is_left_alone_for_a_while() {
    let mut bench = Bench::new().await;
    bench.google.staff().protect(BOARD);
    bench.accept("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    let writes = bench.google.writes();
    for chat in ["chat_2", "chat_3", "chat_4"] {
        bench.accept(chat).await;
        assert_eq!(bench.steps().await, Next::Idle);
    }
    assert_eq!(bench.google.writes(), writes + 3);
}

#[tokio::test]
async fn protected_handovers_do_not_stop_the_log_and_are_waited_for() {
    let mut bench = Bench::new().await;
    bench.google.staff().protect(HANDOVERS);
    bench.accept("chat_1").await;
    bench.assign("chat_1").await;
    let next = bench.steps().await;
    assert_eq!(bench.chats(), ["chat_1"]);
    assert_eq!(bench.journal.tally().handovers_pending(), 1);
    // A row is pending, so `Idle` would come back at once, again and again.
    assert!(matches!(next, Next::Wait(_)), "{next:?}");
    bench.google.staff().unprotect(HANDOVERS);
    bench.forwarder.barred.lift(Purpose::Handovers);
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.google.column(HANDOVERS, "Taken by"), ["Asha"]);
}

/// What is too large may be the board: a row is blamed only where it stands alone.
#[tokio::test]
async fn a_batch_that_is_too_large_with_the_board_goes_without_it() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    bench.google.fail_next_write(Fault::Refuse(Refusal::Custom(413, String::new())));
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
    assert_eq!(bench.journal.tally().set_aside, 0);
}

#[tokio::test]
async fn a_board_whose_answer_was_lost_is_written_once_more_and_the_row_is_not() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    bench.google.fail_next_write(Fault::LoseAnswer);
    assert!(matches!(bench.steps().await, Next::Wait(_)));
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
    assert!(bench.headline().starts_with("1 patient waiting"));
}

#[tokio::test]
async fn the_board_says_which_event_to_tick() {
    let mut bench = Bench::new().await;
    bench.accept("chat_1").await;
    bench.steps().await;
    assert!(bench.headline().contains("tick CHAT_ASSIGNED_TO_AGENT"), "{}", bench.headline());
    bench.assign("chat_2").await;
    bench.accept("chat_1").await;
    pass(5 * MINUTE_MS);
    bench.steps().await;
    assert!(!bench.headline().contains("tick"), "{}", bench.headline());
}

/// Some minutes in which a board alone is written, and what is left of the log's refusal.
async fn check_a_refused_log(says_which: bool) {
    let mut bench = Bench::new().await;
    bench.accept("chat_0").await;
    bench.steps().await;
    bench.google.staff().protect(TAB);
    bench.google.refusals_name_their_request(says_which);
    bench.accept("chat_1").await;
    bench.steps().await;
    pass(6_000);
    bench.steps().await;
    assert!(bench.headline().starts_with("2 patients waiting"), "{}", bench.headline());
    let state = bench.forwarder.status.sheet();
    assert_eq!(state.word(), "parked");
    let named = format!("the log tab `{TAB}` cannot be written");
    assert!(state.sentence().contains(&named), "{}", state.sentence());
    assert_eq!(bench.forwarder.status.warning("default"), None, "nothing else is blamed");
    assert_eq!(bench.chats(), ["chat_0"]);
    // The mend is found out by the next try, and nothing is left of it.
    bench.google.staff().unprotect(TAB);
    bench.forwarder.barred.bar(Purpose::Log, Instant::now());
    while bench.steps().await != Next::Idle {
        pass(1_000);
    }
    assert_eq!(bench.chats(), ["chat_0", "chat_1"]);
    assert_eq!(bench.forwarder.status.sheet().word(), "delivering");
    assert_eq!(bench.forwarder.status.warning("default"), None);
    assert_eq!(bench.google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_log_that_google_refuses_does_not_hold_the_board_back_and_is_named() {
    for says_which in [true, false] {
        check_a_refused_log(says_which).await;
    }
}

#[tokio::test]
async fn a_refused_board_is_named_while_the_log_goes_on() {
    let mut bench = Bench::new().await;
    bench.google.staff().protect(BOARD);
    bench.accept("chat_1").await;
    bench.steps().await;
    let warning = bench.forwarder.status.warning("default").unwrap();
    assert!(warning.contains(&format!("the board `{BOARD}` cannot be written")), "{warning}");
    assert_eq!(bench.forwarder.status.sheet().word(), "delivering");
}
