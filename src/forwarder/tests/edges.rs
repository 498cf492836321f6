//! What happens rarely, and several things at once: nothing is lost, doubled or waited for in vain.

use std::time::{Duration, Instant};

use fake_google::{FakeGoogle, Fault, Refusal};
use serde_json::json;

use crate::chat::event::{ChatEvent, Happening};
use crate::chat::fields::Fields;
use crate::chat::memory::Rules;
use crate::chat::route::{Destination, Routes};
use crate::forwarder::Next;
use crate::forwarder::tests::{BOARD, Bench, MINUTE_MS, TAB, now, pass};
use crate::journal::{Journal, Limits};

/// Rests for as long as it takes, a few times.
async fn steps_on(bench: &mut Bench) {
    for _ in 0..8 {
        if bench.steps().await == Next::Idle {
            break;
        }
        pass(MINUTE_MS);
    }
}

/// Another process on the same directory, with other settings.
fn beside(bench: &Bench, spreadsheet: &str, title: &str) -> Journal {
    let rules = Rules { resend_window_ms: 1_000, retention_ms: 1_000_000 };
    let place = Destination { spreadsheet: spreadsheet.into(), title: title.into() };
    let limits = Limits { pending_rows_max: 100, rules };
    Journal::open_beside(bench.dir.path(), limits, Routes::new(place, Vec::new())).unwrap()
}

async fn take(journal: &Journal, chat: &str) {
    let body = json!({ "chatId": chat, "customerPhone": "+9198" });
    let event = ChatEvent::read(Happening::Unassigned, &Fields::of(&body).unwrap(), now());
    drop(journal.accept(event.unwrap(), now()).await.unwrap());
}

#[tokio::test]
async fn a_row_of_last_month_that_is_there_is_not_written_again_for_want_of_a_marker() {
    let mut bench = Bench::on(FakeGoogle::start(), "Log {month}").await;
    bench.forwarder.options.time_zone = Some("Asia/Kolkata".into());
    bench.steps().await;
    bench.journal.note_fact("marker_fences", false).await.unwrap();
    bench.accept("chat_0").await;
    bench.steps().await;
    bench.accept("chat_1").await;
    bench.google.fail_next_write(Fault::LoseAnswer);
    let Next::Wait(_) = bench.steps().await else { panic!("no wait") };
    let from = jiff::Timestamp::from_millisecond(now().0).unwrap();
    let june = "2026-05-31T18:30:00Z".parse::<jiff::Timestamp>().unwrap().duration_since(from);
    pass(i64::try_from(june.as_millis()).unwrap());
    bench.forwarder.held.as_mut().unwrap().doubt_is_over();
    steps_on(&mut bench).await;
    assert_eq!(bench.google.column("Log 2026-05", "Chat ID"), ["chat_0", "chat_1"]);
    assert_eq!(bench.google.column("Log 2026-06", "Chat ID"), Vec::<String>::new());
}

#[tokio::test]
async fn the_tab_of_the_month_is_made_before_its_first_row_comes() {
    let mut bench = Bench::on(FakeGoogle::start(), "Log {month}").await;
    bench.steps().await;
    bench.forwarder.seen.as_mut().unwrap().ages(Duration::from_secs(60));
    bench.forwarder.written_at = None;
    bench.forwarder.idle().await;
    bench.steps().await;
    assert!(
        bench.google.tabs().iter().any(|tab| tab == "Log 2026-05"),
        "{:?}",
        bench.google.tabs()
    );
    assert!(bench.forwarder.seen.is_some());
}

#[tokio::test]
async fn the_first_row_does_not_wait_for_a_board_that_google_refuses() {
    let google = FakeGoogle::start();
    google.refuse_writes_with("addProtectedRange");
    let mut bench = Bench::on(google, TAB).await;
    bench.accept("chat_1").await;
    steps_on(&mut bench).await;
    assert_eq!(bench.google.column(TAB, "Chat ID"), ["chat_1"]);
    assert!(bench.forwarder.status.warning("default").is_some(), "nobody is told");
}

#[tokio::test]
async fn a_board_that_is_refused_again_and_again_parks_nothing() {
    let mut bench = Bench::new().await;
    bench.steps().await;
    bench.google.staff().delete_tab(BOARD);
    bench.google.refuse_writes_with("addProtectedRange");
    bench.look_again();
    steps_on(&mut bench).await;
    for _ in 0..3 {
        // A minute later it is tried again.
        bench.forwarder.barred.do_without(Instant::now());
        bench.look_again();
        bench.accept("chat").await;
        let next = bench.steps().await;
        assert_eq!(bench.forwarder.status.sheet().word(), "delivering", "{next:?}");
    }
}

#[tokio::test]
async fn a_row_that_another_process_put_elsewhere_is_taken_in_and_written() {
    let mut bench = Bench::new().await;
    let spreadsheet = bench.google.spreadsheet_id();
    take(&beside(&bench, &spreadsheet, "Another title"), "chat_x").await;
    bench.journal.refresh().await.unwrap();
    steps_on(&mut bench).await;
    assert_eq!(bench.google.column(TAB, "Chat ID"), ["chat_x"]);
    assert_eq!(bench.journal.tally().pending(), 0);
}

#[tokio::test]
async fn a_handover_of_someone_another_process_took_in_is_written_too() {
    let mut bench = Bench::new().await;
    take(&beside(&bench, "elsewhere", TAB), "chat_x").await;
    bench.journal.refresh().await.unwrap();
    bench.assign("chat_x").await;
    steps_on(&mut bench).await;
    assert_eq!(bench.journal.tally().handovers_pending(), 0);
    assert_eq!(bench.google.row_count("Handovers"), 2);
}

/// Nothing in here lets go of a batch under way. Should it, the journal refuses a second one, and the first
/// is taken up again.
#[tokio::test]
async fn a_batch_that_was_let_go_of_is_taken_up_again_and_written_once() {
    let mut bench = Bench::new().await;
    bench.accept("chat_0").await;
    bench.accept("chat_1").await;
    let draft = bench.journal.draft(bench.forwarder.options.book, 1, now()).await.unwrap();
    drop(bench.journal.seal(draft, "lost words".into(), None, now()).await.unwrap().unwrap());
    assert_eq!(bench.steps().await, Next::Wait(Duration::from_secs(1)));
    bench.forwarder.held.as_mut().expect("it is taken up").doubt_is_over();
    steps_on(&mut bench).await;
    assert_eq!(bench.chats(), ["chat_0", "chat_1"]);
    assert_eq!(bench.journal.tally().pending(), 0);
}

/// Who is forgotten while nothing can be written is on no board that is written later.
#[tokio::test]
async fn what_a_human_must_mend_first_is_sealed_anew_when_it_is_mended() {
    let mut bench = Bench::new().await;
    bench.google.fail_all(Refusal::NotShared403);
    bench.accept("chat_0").await;
    let Next::Wait(_) = bench.steps().await else { panic!("it is parked") };
    assert!(bench.forwarder.held.is_none(), "nothing of it can have been applied");
    bench.journal.forget("9198").await.unwrap();
    bench.google.heal();
    pass(MINUTE_MS);
    steps_on(&mut bench).await;
    assert_eq!(bench.chats(), ["chat_0"]);
    assert!(bench.headline().contains("Nobody is waiting"), "{}", bench.headline());
}

/// A batch that may have been applied is refused, and given up: an earlier send of it that arrives only then
/// changes nothing, and nobody waits for three minutes.
#[tokio::test]
async fn a_batch_that_is_given_up_can_never_be_applied_however_late_it_arrives() {
    let mut bench = Bench::new().await;
    bench.accept("chat_0").await;
    bench.google.fail_next_write(Fault::ApplyLate(Duration::from_millis(1_500)));
    bench.google.fail_next_write(Fault::Refuse(Refusal::Protected400));
    let began = Instant::now();
    while bench.journal.tally().pending() > 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "it is not given up");
        match bench.forwarder.step().await {
            Next::Wait(wait) if bench.forwarder.held.is_some() => tokio::time::sleep(wait).await,
            Next::Step => {}
            _ => pass(MINUTE_MS),
        }
    }
    let is_burnt = |(_, value): &(i64, String)| value.starts_with("void@");
    assert!(bench.google.markers("dts.batch").iter().any(is_burnt));
    // The first send arrives now, or has arrived.
    tokio::time::sleep(Duration::from_secs(2).saturating_sub(began.elapsed())).await;
    steps_on(&mut bench).await;
    assert_eq!(bench.chats(), ["chat_0"]);
}

/// Killed between burning and letting go: the next process finds the marker void, and lets go.
#[tokio::test]
async fn a_burnt_batch_that_is_taken_up_again_is_let_go_of_and_written_once() {
    let mut bench = Bench::new().await;
    bench.accept("chat_0").await;
    bench.google.fail_next_write(Fault::Reset);
    bench.steps().await;
    let held = bench.forwarder.held.take().expect("its outcome is not known");
    assert_eq!(bench.forwarder.sheets.burn(&held.marker()).await, crate::sheets::Burnt::Void);
    let marker_ids = bench.journal.marker_ids().await.unwrap();
    let batch = bench.journal.open_batch(bench.forwarder.options.book).await.unwrap().unwrap();
    bench.forwarder.held = Some(crate::forwarder::held::Held::recovered(batch));
    steps_on(&mut bench).await;
    assert_eq!(bench.chats(), ["chat_0"]);
    let now = bench.journal.marker_ids().await.unwrap();
    assert_eq!(now.start, marker_ids.start, "nobody else is blamed");
}

#[tokio::test]
async fn a_batch_that_was_applied_is_not_let_go_of() {
    let mut bench = Bench::new().await;
    bench.accept("chat_0").await;
    bench.google.fail_next_write(Fault::LoseAnswer);
    bench.steps().await;
    let held = bench.forwarder.held.take().expect("its outcome is not known");
    assert_eq!(bench.forwarder.sheets.burn(&held.marker()).await, crate::sheets::Burnt::Written);
    bench.forwarder.held = Some(held);
    steps_on(&mut bench).await;
    assert_eq!(bench.chats(), ["chat_0"]);
}
