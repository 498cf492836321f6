//! What is kept is kept, what is delivered is gone, and the counters add up.

mod accepting;
mod backing_up;
mod batches;
mod failing;
mod full_disk;
mod model;
mod neighbours;
mod opening;
mod queues;
mod remembering;
mod setting_aside;
mod waiting;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chat::entry::Entry;
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::fields::Fields;
use crate::chat::memory::Rules;
use crate::chat::route::{Destination, Routes};
use crate::chat::time::UnixMs;
use crate::journal::page::Page;
use crate::journal::{Batch, BookId, Draft, Journal, Limits, Look, Measure, TitleAt};

const NOW: UnixMs = UnixMs(1_795_329_000_000);
const HOUR_MS: i64 = 3_600_000;
const LIMITS: Limits = Limits {
    pending_rows_max: 1_000,
    rules: Rules { resend_window_ms: 120_000, retention_ms: 30 * 24 * HOUR_MS },
};
const PLAN: &str = "a plan";
const SHEET: &str = "1spreadsheet";
const LOG: &str = "Unassigned chats";

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn to(spreadsheet: &str, title: &str) -> Destination {
    Destination { spreadsheet: spreadsheet.into(), title: title.into() }
}

/// Everything goes to one tab.
fn one_tab() -> Routes {
    Routes::new(to(SHEET, LOG), Vec::new())
}

#[track_caller]
fn open(dir: &Path) -> Journal {
    Journal::open(dir, LIMITS, one_tab()).unwrap()
}

/// The first spreadsheet.
fn book(journal: &Journal) -> BookId {
    journal.books()[0].1
}

/// Titles stand for themselves.
fn as_configured() -> TitleAt {
    Box::new(|title, _| title.to_owned())
}

async fn drafted(journal: &Journal, book: BookId, measure: Measure) -> Draft {
    journal.draft(book, measure, as_configured(), NOW).await.unwrap()
}

/// The next batch of the first spreadsheet, if anything is pending.
async fn next_batch(journal: &Journal, measure: Measure, plan: &str) -> Option<Batch> {
    let draft = drafted(journal, book(journal), measure).await;
    match draft.rows() {
        0 => None,
        _ => journal.seal(draft, plan.into(), None, NOW).await.unwrap(),
    }
}

async fn sealed(journal: &Journal, rows_max: usize) -> Batch {
    next_batch(journal, at_most(rows_max), PLAN).await.expect("rows are pending")
}

async fn open_batch(journal: &Journal) -> Option<Batch> {
    journal.open_batch(book(journal)).await.unwrap()
}

/// A look at the board of a spreadsheet, whose lines leave it after a day.
fn look(book: BookId) -> Look {
    Look { book, age_max_ms: 24 * HOUR_MS, remarks: Vec::new() }
}

#[track_caller]
fn event(happening: Happening, body: Value) -> ChatEvent {
    let fields = Fields::of(&body).unwrap();
    ChatEvent::read(happening, &fields, NOW).unwrap()
}

fn unassigned(chat: &str) -> ChatEvent {
    event(Happening::Unassigned, json!({ "chatId": chat, "customerPhone": "+919876543210" }))
}

fn assigned(chat: &str, agent: &str) -> ChatEvent {
    event(Happening::Assigned, json!({ "chatId": chat, "assignedUserName": agent }))
}

/// Accepts an unassignment of each of these chats, which must be new.
async fn accept_all(journal: &Journal, chats: &[&str]) {
    for chat in chats {
        let receipt = journal.accept(unassigned(chat), NOW).await.unwrap();
        assert_eq!(receipt.standing(), crate::journal::Standing::Accepted);
    }
}

/// Runs a case of a property test.
fn block_on(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(case);
}

/// From now on no transaction that counts anything is committed: each fails at its very end.
async fn refuse_commits(journal: &Journal) {
    run(
        journal,
        "CREATE TEMP TRIGGER refusal BEFORE UPDATE ON main.tally
         BEGIN SELECT RAISE(ABORT, 'for a test'); END",
    )
    .await;
}

async fn allow_commits(journal: &Journal) {
    run(journal, "DROP TRIGGER refusal").await;
}

async fn run(journal: &Journal, sql: &'static str) {
    let work = move |page: &mut Page<'_>| Ok(page.connection.execute_batch(sql)?);
    journal.0.writer.commit(work).await.unwrap();
}

fn at_most(rows_max: usize) -> Measure {
    Measure {
        rows_max,
        bytes_max: usize::MAX,
        bytes_of: |_| 1,
        bytes_more: 0,
        with_handovers: true,
    }
}

fn chats(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.chat_id.reveal()).collect()
}

/// How many rows each table has, as whoever opens the file finds it; of `memory` how many keys are known.
fn rows(dir: &Path) -> BTreeMap<&'static str, u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(dir.join("journal.sqlite3"), flags).unwrap();
    let count = |table| {
        let rows = match table {
            "memory" => "(SELECT key FROM memory UNION SELECT key FROM memory_log)",
            table => table,
        };
        let sql = format!("SELECT count(*) FROM {rows}");
        let count: i64 = connection.query_row(&sql, (), |row| row.get(0)).unwrap();
        (table, count.cast_unsigned())
    };
    ["entry", "batch", "set_aside", "unrecognised", "memory", "sent", "waiting"].map(count).into()
}

/// accepted = written + pending + set aside, of the log and of the handovers; and the tables hold what
/// the counters say, of the whole and of each spreadsheet.
#[track_caller]
fn check_identity(journal: &Journal) {
    let (tally, rows) = (journal.tally(), rows(journal.dir()));
    assert_eq!(tally.accepted, tally.written + tally.pending() + tally.set_aside);
    let done = tally.handovers_written + tally.handovers_set_aside;
    assert_eq!(tally.handovers, done + tally.handovers_pending());
    assert_eq!(rows["entry"], tally.pending() + tally.handovers_pending());
    assert_eq!(rows["set_aside"], tally.set_aside + tally.handovers_set_aside);
    let mut pending = 0;
    for (_, book) in journal.books() {
        let work = journal.work(book);
        let counted = counted(journal.dir(), book);
        assert_eq!((work.pending, work.waiting), counted, "pending and waiting of {book:?}");
        pending += work.pending;
    }
    assert_eq!(pending, rows["entry"], "every row belongs to a spreadsheet that is served");
}

/// Rows and waits of a spreadsheet, counted in the tables.
fn counted(dir: &Path, book: BookId) -> (u64, u64) {
    let connection = Connection::open(dir.join("journal.sqlite3")).unwrap();
    let count =
        |sql: &str| -> i64 { connection.query_row(sql, [book.0], |row| row.get(0)).unwrap() };
    let pending =
        "SELECT count(*) FROM entry WHERE queue IN (SELECT id FROM queue WHERE book = ?1)";
    let waiting = "SELECT count(*) FROM waiting WHERE book = ?1 AND is_over = 0";
    (count(pending).cast_unsigned(), count(waiting).cast_unsigned())
}

/// The files of a directory that contain this text.
fn files_with(dir: &Path, text: &str) -> Vec<String> {
    let holds = |path: &Path| {
        fs::read(path).unwrap().windows(text.len()).any(|bytes| bytes == text.as_bytes())
    };
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| holds(path)).map(|path| path.display().to_string()).collect()
}

/// The directory as a power cut at this moment would leave it.
fn copied(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(dir).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}
