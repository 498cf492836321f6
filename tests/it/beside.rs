//! Who else may be at the data directory: a reader, a second service, another version.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::harness::{Clinic, LOG_TAB, PATIENCE, unassigned};

const FILE: &str = "journal.sqlite3";
/// Waiting for a reader took 4.3 s; a commit on a loaded machine takes far less.
const STALLED: Duration = Duration::from_secs(2);

/// A backup, a replica, a shell that somebody left open.
#[tokio::test]
async fn a_foreign_reader_delays_no_answer_and_no_row() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    let reader = Connection::open(clinic.dir.path().join(FILE)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
    for n in 0..12 {
        let sent = Instant::now();
        service.take(&unassigned(&format!("chat_{n}"))).await;
        let waited = sent.elapsed();
        assert!(waited < STALLED, "answer {n} took {waited:?}");
        // Each row delivered is one that is to leave no trace, which a reader keeps from being done.
        service.drained().await;
    }
    clinic.expect_rows(12);
    drop(reader);
    // When the reader is gone the log with the traces is emptied, too.
    let log = clinic.dir.path().join(format!("{FILE}-wal"));
    let give_up = Instant::now() + PATIENCE;
    while fs::metadata(&log).unwrap().len() > 0 {
        assert!(Instant::now() < give_up, "delivered rows linger");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Also where it comes by another path, and while the first one is at work.
#[tokio::test]
async fn a_second_service_leaves_the_first_at_work() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("data");
    std::os::unix::fs::symlink(clinic.dir.path(), &link).unwrap();
    for n in 0..4 {
        service.take(&unassigned(&format!("chat_{n}"))).await;
        let second = clinic.command(&[""; 0]).env("DATA_DIR", &link).output().unwrap();
        assert_eq!(second.status.code(), Some(1));
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(said.contains("in use by another doubletick-sheets"), "{said}");
    }
    clinic.expect_rows(4);
    service.drained().await;
    let ids = clinic.google.column(LOG_TAB, "Event ID");
    assert_eq!(ids.len(), 4);
    // What the second one held, if anything, is let go.
    service.kill();
    drop(clinic.open());
}

/// Every file of the directory but those that come and go with a process.
fn content(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let named = files.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    });
    named.filter(|(name, _)| name == FILE).collect()
}

/// Runs every command, each of which must say this, and change nothing.
#[track_caller]
fn every_command_refuses(clinic: &Clinic, words: &str) {
    let before = content(clinic.dir.path());
    for args in [
        &[][..],
        &["check"],
        &["replay"],
        &["forget", "+919111222333"],
        &["set-aside", "list"],
        &["set-aside", "retry"],
        &["set-aside", "export"],
        &["backup", "copy.sqlite3"],
        &["backup", "-"],
    ] {
        let ended = clinic.run_in_its_directory(args);
        assert_eq!(ended.status.code(), Some(1), "{args:?}");
        let said = ended.stdout + &ended.stderr;
        assert!(said.contains(words), "{args:?}: {said}");
        assert_eq!(content(clinic.dir.path()), before, "{args:?}");
        assert!(!clinic.dir.path().join("copy.sqlite3").exists());
    }
}

/// A clinic with one row pending, stopped.
async fn stopped() -> Clinic {
    let clinic = Clinic::new();
    clinic.google.outage(true);
    let mut service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    service.leaves_rows_behind();
    assert!(service.stop("TERM").success());
    clinic
}

/// Changes the journal as another version would have made it.
fn alter(clinic: &Clinic, sql: &str) {
    let journal = Connection::open(clinic.dir.path().join(FILE)).unwrap();
    journal.execute_batch(sql).unwrap();
    journal.close().unwrap();
}

#[tokio::test]
async fn a_journal_of_a_newer_version_is_refused_by_every_command_and_left_as_it_is() {
    let clinic = stopped().await;
    alter(&clinic, "PRAGMA user_version = 99");
    every_command_refuses(&clinic, "newer doubletick-sheets (schema 99");
}

/// The versions before the first release had no mark, and nobody runs them.
#[tokio::test]
async fn a_database_of_an_unreleased_version_or_of_others_is_refused_and_left_as_it_is() {
    let clinic = stopped().await;
    alter(&clinic, "PRAGMA application_id = 0; PRAGMA user_version = 3");
    every_command_refuses(&clinic, "not a journal of this program");
    let clinic = Clinic::new();
    alter(&clinic, "CREATE TABLE shopping (what); INSERT INTO shopping VALUES ('bread')");
    every_command_refuses(&clinic, "not a journal of this program");
}
