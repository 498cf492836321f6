//! What is kept is kept, what is delivered is gone, and the counters add up.

mod accepting;
mod backing_up;
mod batches;
mod full_disk;
mod model;
mod opening;
mod setting_aside;

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
use crate::chat::time::UnixMs;
use crate::journal::{Journal, Limits, Measure};

const NOW: UnixMs = UnixMs(1_795_329_000_000);
const HOUR_MS: i64 = 3_600_000;
const LIMITS: Limits = Limits {
    pending_rows_max: 1_000,
    rules: Rules { resend_window_ms: 120_000, retention_ms: 30 * 24 * HOUR_MS },
};
const PLAN: &str = "a plan";

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[track_caller]
fn open(dir: &Path) -> Journal {
    Journal::open(dir, LIMITS).unwrap()
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

fn at_most(rows_max: usize) -> Measure {
    Measure { rows_max, bytes_max: usize::MAX, bytes_of: |_| 1 }
}

fn chats(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.chat_id.reveal()).collect()
}

/// How many rows each table has, as whoever opens the file finds it.
fn rows(dir: &Path) -> BTreeMap<&'static str, u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(dir.join("journal.sqlite3"), flags).unwrap();
    let count = |table| {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = connection.query_row(&sql, (), |row| row.get(0)).unwrap();
        (table, count.cast_unsigned())
    };
    ["entry", "batch", "set_aside", "unrecognised", "memory", "sent"].map(count).into()
}

/// accepted = written + pending + set aside, and the tables hold what the counters say.
#[track_caller]
fn check_identity(journal: &Journal) {
    let (tally, rows) = (journal.tally(), rows(journal.dir()));
    assert_eq!(tally.accepted, tally.written + tally.pending() + tally.set_aside);
    assert_eq!((tally.pending(), tally.set_aside), (rows["entry"], rows["set_aside"]));
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
