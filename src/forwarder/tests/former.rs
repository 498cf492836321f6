//! What was under way to a spreadsheet that is not configured any more is found out, but not waited for without end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fake_google::{FakeGoogle, Fault, Refusal};
use tempfile::TempDir;

use crate::chat::memory::Rules;
use crate::chat::route::{Destination, Routes};
use crate::forwarder::Former;
use crate::forwarder::backoff::Failures;
use crate::forwarder::tests::{Bench, TAB, now};
use crate::journal::{Journal, Limits};

/// A batch was perhaps written; then another spreadsheet is configured.
struct Moved {
    google: FakeGoogle,
    former: Former,
    _dir: TempDir,
}

async fn moved(fault: Fault) -> Moved {
    let mut bench = Bench::new().await;
    bench.google.fail_next_write(fault);
    bench.accept("chat_0").await;
    bench.steps().await;
    assert!(bench.forwarder.held.is_some(), "what became of it is not known");
    let Bench { google, journal, forwarder, dir } = bench;
    let sheets = Arc::clone(&forwarder.sheets);
    drop((journal, forwarder));
    let rules = Rules { resend_window_ms: 1_000, retention_ms: 1_000_000 };
    let limits = Limits { pending_rows_max: 100, rules };
    let place = Destination { spreadsheet: "1Another".to_owned(), title: TAB.into() };
    let journal = Journal::open(dir.path(), limits, Routes::new(place, Vec::new())).unwrap();
    let books = journal.former_books().await.unwrap();
    let [(spreadsheet, book)] = &books[..] else { panic!("{books:?}") };
    assert_eq!(*spreadsheet, google.spreadsheet_id());
    let former = Former { journal, sheets, book: *book, writes_per_minute_max: 50, now };
    Moved { google, former, _dir: dir }
}

impl Moved {
    /// One step, so many minutes after the first; whether there is another.
    async fn step(&self, minutes: u64) -> bool {
        let began = Instant::now().checked_sub(Duration::from_secs(60 * minutes)).unwrap();
        self.former.step(began, &mut Failures::default()).await.is_some()
    }

    /// Rows that are known to be written, and those that wait for the other spreadsheet.
    fn rows(&self) -> (u64, u64) {
        let (journal, tally) = (&self.former.journal, self.former.journal.tally());
        (tally.written, journal.work(journal.books()[0].1).pending)
    }
}

#[tokio::test]
async fn a_row_is_written_once_wherever_it_is_found() {
    let applied = moved(Fault::LoseAnswer).await;
    assert_eq!(applied.rows(), (0, 0));
    assert!(!applied.step(0).await);
    assert_eq!(applied.rows(), (1, 0));
    let lost = moved(Fault::Reset).await;
    assert!(!lost.step(0).await);
    assert_eq!(lost.rows(), (0, 1));
}

#[tokio::test]
async fn a_spreadsheet_that_is_gone_holds_up_its_last_rows_for_five_minutes() {
    let moved = moved(Fault::LoseAnswer).await;
    moved.google.fail_all(Refusal::NotFound404);
    assert!(moved.step(0).await && moved.step(4).await);
    assert_eq!(moved.rows(), (0, 0));
    assert!(!moved.step(6).await);
    assert_eq!(moved.rows(), (0, 1), "nobody waits for what will not be told");
}

#[tokio::test]
async fn without_room_for_another_marker_its_own_tells_and_else_time() {
    for (fault, rows) in [(Fault::LoseAnswer, (1, 0)), (Fault::Reset, (0, 1))] {
        let moved = moved(fault).await;
        let full = r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"Invalid requests[0].createDeveloperMetadata: Adding this metadata would exceed the allowed storage limit"}}"#;
        moved.google.fail_next_write(Fault::Refuse(Refusal::Custom(400, full.to_owned())));
        if rows == (0, 1) {
            assert!(moved.step(0).await, "it may still come");
            moved.google.fail_next_write(Fault::Refuse(Refusal::Custom(400, full.to_owned())));
        }
        assert!(!moved.step(4).await);
        assert_eq!(moved.rows(), rows);
    }
}
