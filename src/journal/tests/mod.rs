//! What is kept is kept, what is delivered is gone, and the counters add up.

mod accepting;
mod asking;
mod backing_up;
mod batches;
mod clocks;
mod counting;
pub(in crate::journal) mod engine;
mod failing;
mod fencing;
mod full_disk;
mod history;
mod lease;
mod model;
mod moving;
mod naming;
mod neighbours;
pub(in crate::journal) mod opening;
mod queues;
mod remembering;
mod setting_aside;
mod settling;
mod waiting;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chat::digest::Digest;
use crate::chat::entry::Entry;
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::fields::Fields;
use crate::chat::memory::Rules;
use crate::chat::route::{Destination, Routes};
use crate::chat::time::UnixMs;
use crate::journal::accept::waits::WAITS_MAX;
use crate::journal::store::StoredWait;
use crate::journal::tests::engine::Place;
use crate::journal::transaction::Transaction;
use crate::journal::{Batch, BookId, Draft, Error, Journal, Limits, Look};

pub(in crate::journal) const NOW: UnixMs = UnixMs(1_795_329_000_000);
pub(in crate::journal) const HOUR_MS: i64 = 3_600_000;
pub(in crate::journal) const LIMITS: Limits = Limits {
    pending_rows_max: 1_000,
    rules: Rules { resend_window_ms: 120_000, retention_ms: 30 * 24 * HOUR_MS },
};
pub(in crate::journal) const PLAN: &str = "a plan";
pub(in crate::journal) const SHEET: &str = "1spreadsheet";
pub(in crate::journal) const LOG: &str = "Unassigned chats";

/// An empty directory, for what is about the files of SQLite.
pub(in crate::journal) fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The service's journal in a directory.
pub(in crate::journal) fn open(dir: &Path) -> Journal {
    Journal::open(dir, LIMITS, one_tab()).unwrap()
}

pub(in crate::journal) fn to(spreadsheet: &str, title: &str) -> Destination {
    Destination { spreadsheet: spreadsheet.into(), title: title.into() }
}

/// Everything goes to one tab.
pub(in crate::journal) fn one_tab() -> Routes {
    Routes::new(to(SHEET, LOG), Vec::new())
}

/// The first spreadsheet.
pub(in crate::journal) fn book(journal: &Journal) -> BookId {
    journal.books()[0].1
}

/// The oldest rows, at most so many together.
pub(in crate::journal) async fn drafted(journal: &Journal, book: BookId, rows_max: usize) -> Draft {
    let draft = journal.draft(book, rows_max, NOW).await.unwrap();
    let log = draft.entries().len();
    draft.first(log, rows_max - log)
}

/// The next batch of the first spreadsheet, if anything is pending.
pub(in crate::journal) async fn next_batch(
    journal: &Journal,
    rows_max: usize,
    plan: &str,
) -> Option<Batch> {
    let draft = drafted(journal, book(journal), rows_max).await;
    match draft.rows() {
        0 => None,
        _ => journal.seal(draft, plan.into(), None, NOW).await.unwrap(),
    }
}

pub(in crate::journal) async fn sealed(journal: &Journal, rows_max: usize) -> Batch {
    next_batch(journal, rows_max, PLAN).await.expect("rows are pending")
}

pub(in crate::journal) async fn open_batch(journal: &Journal) -> Option<Batch> {
    journal.open_batch(book(journal)).await.unwrap()
}

/// A look at the board of a spreadsheet, whose lines leave it after a day.
pub(in crate::journal) fn look(book: BookId) -> Look {
    Look { book, age_max_ms: 24 * HOUR_MS, wait_max_ms: None, remarks: Vec::new() }
}

#[track_caller]
pub(in crate::journal) fn event(happening: Happening, body: Value) -> ChatEvent {
    let fields = Fields::of(&body).unwrap();
    ChatEvent::read(happening, &fields, NOW).unwrap()
}

pub(in crate::journal) fn unassigned(chat: &str) -> ChatEvent {
    event(Happening::Unassigned, json!({ "chatId": chat, "customerPhone": "+919876543210" }))
}

pub(in crate::journal) fn assigned(chat: &str, agent: &str) -> ChatEvent {
    event(Happening::Assigned, json!({ "chatId": chat, "assignedUserName": agent }))
}

/// Accepts an unassignment of each of these chats, which must be new.
pub(in crate::journal) async fn accept_all(journal: &Journal, chats: &[&str]) {
    for chat in chats {
        let receipt = journal.accept(unassigned(chat), NOW).await.unwrap();
        assert_eq!(receipt.standing(), crate::journal::Standing::Accepted);
    }
}

/// Something holds in so many cases, whatever they are.
#[track_caller]
pub(in crate::journal) fn property<S: Strategy>(
    cases: u32,
    strategy: S,
    holds: impl AsyncFn(S::Value),
) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let tried = TestRunner::new(config).run(&strategy, |case| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(holds(case));
        Ok(())
    });
    tried.unwrap();
}

/// Does something in a transaction of its own.
pub(in crate::journal) async fn commit<T, F>(journal: &Journal, work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnMut(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
{
    journal.writer().commit(work).await
}

/// As many wait as may be known, one of them as the first wait there is; only their keys differ.
pub(in crate::journal) async fn fill_waits(journal: &Journal) {
    let fill = |transaction: &mut Transaction<'_>| {
        let one = transaction.wait_numbered(1)?.unwrap();
        for number in 100..WAITS_MAX + 99 {
            let chat =
                Digest::from_bytes(u128::from(number).wrapping_mul(7 << 60 | 1).to_be_bytes());
            let wait = StoredWait { number, chat, is_over: false, ..one.clone() };
            transaction.put_wait(StoredWait { customer: Vec::new(), ..wait });
        }
        transaction.tally().waits += WAITS_MAX - 1;
        transaction.counters.work_mut(one.book).waiting += WAITS_MAX - 1;
        transaction.tally().next_number = 1_000_000;
        Ok(())
    };
    commit(journal, fill).await.unwrap();
}

pub(in crate::journal) fn chats(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.chat_id.reveal()).collect()
}

/// accepted = written + pending + set aside, of the log and of the handovers; and the tables hold what
/// the counters say, of the whole and of each spreadsheet.
#[track_caller]
pub(in crate::journal) fn check_identity(place: &Place, journal: &Journal) {
    let (tally, rows) = (journal.tally(), place.rows());
    assert_eq!(tally.accepted, tally.written + tally.pending() + tally.set_aside);
    let done = tally.handovers_written + tally.handovers_set_aside;
    assert_eq!(tally.handovers, done + tally.handovers_pending());
    assert_eq!(rows["entry"], tally.pending() + tally.handovers_pending());
    assert_eq!(rows["set_aside"], tally.set_aside + tally.handovers_set_aside);
    let mut pending = 0;
    for (_, book) in journal.books() {
        let work = journal.work(book);
        let counted = place.counted(book);
        assert_eq!((work.pending, work.waiting), counted, "pending and waiting of {book:?}");
        pending += work.pending;
    }
    assert_eq!(pending, rows["entry"], "every row belongs to a spreadsheet that is served");
}

/// The files of a directory that contain this text.
pub(in crate::journal) fn files_with(dir: &Path, text: &str) -> Vec<String> {
    let holds = |path: &Path| {
        fs::read(path).unwrap().windows(text.len()).any(|bytes| bytes == text.as_bytes())
    };
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| holds(path)).map(|path| path.display().to_string()).collect()
}

/// The directory as a power cut at this moment would leave it.
pub(in crate::journal) fn copied(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(dir).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}
