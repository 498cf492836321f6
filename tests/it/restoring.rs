//! Backups, and putting one in the place of the journal: all of it or nothing, and never by mistake.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::harness::{Clinic, Ended, unassigned};

const FILE: &str = "journal.sqlite3";

/// A clinic whose service was killed with `rows` pending rows, some of them only in the log behind the
/// database, and a copy from when it had `copied` of them.
async fn killed_with_a_copy(copied: usize, rows: usize) -> (Clinic, TempDir, PathBuf) {
    let clinic = Clinic::new();
    clinic.google.outage(true);
    let mut service = clinic.open();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy.sqlite3");
    for n in 0..rows {
        if n == copied {
            back_up(&clinic, &copy);
        }
        service.take(&unassigned(&format!("chat_{n}"))).await;
    }
    service.leaves_rows_behind();
    service.kill();
    assert!(clinic.dir.path().join(format!("{FILE}-wal")).exists());
    clinic.google.outage(false);
    (clinic, elsewhere, copy)
}

fn back_up(clinic: &Clinic, file: &Path) {
    let made = clinic.run(&["backup", file.to_str().unwrap()]);
    assert!(made.status.success(), "{}", made.stderr);
}

fn restore(clinic: &Clinic, file: &Path, options: &[&str]) -> Ended {
    clinic.run(&[&["restore", file.to_str().unwrap()], options].concat())
}

/// How many rows were accepted and wait in the journal of this directory; it must be whole.
#[track_caller]
fn rows_in(dir: &Path) -> (i64, i64) {
    let journal = Connection::open(dir.join(FILE)).unwrap();
    let number = |sql: &str| journal.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap();
    let verdict: String =
        journal.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    (number("SELECT accepted FROM tally"), number("SELECT count(*) FROM entry"))
}

fn names_in(dir: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(dir).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn what_was_backed_up_is_restored_and_written() {
    let (clinic, _elsewhere, copy) = killed_with_a_copy(20, 25).await;
    let refused = restore(&clinic, &copy, &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("25 rows that are not in the sheet"), "{}", refused.stderr);
    assert_eq!(rows_in(clinic.dir.path()), (25, 25), "a refusal changes nothing");

    let restored = restore(&clinic, &copy, &["--discard-pending"]);
    assert!(restored.status.success(), "{}", restored.stderr);
    assert!(restored.stdout.contains("20 rows are pending"), "{}", restored.stdout);
    let kept: BTreeSet<String> =
        ["journal.lock", "journal.reserve", FILE].map(str::to_owned).into();
    assert_eq!(names_in(clinic.dir.path()), kept);
    let mode = fs::metadata(clinic.dir.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "patients' data is nobody else's to read");
    let service = clinic.open();
    clinic.expect_rows(20);
    service.drained().await;
    assert_eq!(clinic.rows().len(), 20);
}

/// Also into a new, empty volume.
#[tokio::test]
async fn a_copy_is_restored_where_there_is_no_journal() {
    let (clinic, _elsewhere, copy) = killed_with_a_copy(3, 4).await;
    let volume = tempfile::tempdir().unwrap();
    let clinic = clinic.with("DATA_DIR", volume.path().join("data").to_str().unwrap());
    let restored = restore(&clinic, &copy, &[]);
    assert!(restored.status.success(), "{}", restored.stderr);
    let service = clinic.open();
    clinic.expect_rows(3);
    service.drained().await;
}

/// The numbers of the events after the copy are in the sheet already.
#[tokio::test]
async fn no_event_after_a_restore_gets_the_id_of_one_after_the_copy() {
    let clinic = Clinic::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy.sqlite3");
    let service = clinic.open();
    service.take(&unassigned("before")).await;
    service.drained().await;
    back_up(&clinic, &copy);
    for chat in ["after_1", "after_2"] {
        service.take(&unassigned(chat)).await;
    }
    service.drained().await;
    assert!(service.stop("TERM").success());
    let restored = restore(&clinic, &copy, &[]);
    assert!(restored.status.success(), "{}", restored.stderr);
    let service = clinic.open();
    for n in 0..4 {
        service.take(&unassigned(&format!("restored_{n}"))).await;
    }
    clinic.expect_rows(7);
    service.drained().await;
    let ids = clinic.google.column(crate::harness::LOG_TAB, "Event ID");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
}

#[tokio::test]
async fn a_journal_in_use_is_not_replaced() {
    let (clinic, _elsewhere, copy) = killed_with_a_copy(2, 3).await;
    let mut service = clinic.open();
    service.leaves_rows_behind();
    let refused = restore(&clinic, &copy, &["--discard-pending"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("in use by another"), "{}", refused.stderr);
    assert!(service.stop("TERM").success());

    let reader = Connection::open(clinic.dir.path().join(FILE)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
    let refused = restore(&clinic, &copy, &["--discard-pending"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("another program"), "{}", refused.stderr);
    drop(reader);
    assert!(restore(&clinic, &copy, &["--discard-pending"]).status.success());
}

/// What should not be taken for a copy of a journal, with a word of the sentence that says so.
fn unfit(elsewhere: &Path, copy: &Path, dir: &Path) -> Vec<(PathBuf, &'static str)> {
    let made = |name: &str, bytes: &[u8]| {
        let file = elsewhere.join(name);
        fs::write(&file, bytes).unwrap();
        file
    };
    let whole = fs::read(copy).unwrap();
    let mut damaged = whole.clone();
    for byte in damaged.iter_mut().skip(4_096).step_by(97) {
        *byte ^= 0x55;
    }
    let (newer, other) = (made("newer", &whole), elsewhere.join("other"));
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE meta (a); CREATE TABLE b (c)")
        .unwrap();
    let unreleased = made("unreleased", &whole);
    Connection::open(&unreleased).unwrap().pragma_update(None, "application_id", 0).unwrap();
    let link = elsewhere.join("link");
    std::os::unix::fs::symlink(dir.join(FILE), &link).unwrap();
    vec![
        (elsewhere.join("nowhere"), "cannot read"),
        (elsewhere.to_owned(), "cannot read"),
        (made("empty", b""), "no journal"),
        (made("text", b"not a database at all, but long enough to be looked at"), "no journal"),
        (other, "no journal"),
        (unreleased, "no journal"),
        (made("cut", &whole[..whole.len() / 2]), "not whole"),
        (made("damaged", &damaged), "damaged"),
        (newer, "newer doubletick-sheets (schema 99"),
        (dir.join(FILE), "the journal itself"),
        (link, "the journal itself"),
    ]
}

#[tokio::test]
async fn what_is_no_whole_copy_of_ours_is_refused_and_the_journal_stays() {
    let (clinic, elsewhere, copy) = killed_with_a_copy(20, 25).await;
    for (file, word) in unfit(elsewhere.path(), &copy, clinic.dir.path()) {
        let refused = restore(&clinic, &file, &["--discard-pending"]);
        assert_eq!(refused.status.code(), Some(1), "{}", file.display());
        assert!(refused.stderr.contains(word), "{}: {}", file.display(), refused.stderr);
        assert!(!clinic.dir.path().join("journal.restoring").exists());
    }
    assert_eq!(rows_in(clinic.dir.path()), (25, 25));
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_is_replaced_only_when_told_to() {
    let (clinic, _elsewhere, copy) = killed_with_a_copy(4, 5).await;
    for name in [FILE.to_owned(), format!("{FILE}-wal")] {
        fs::write(clinic.dir.path().join(name), "garbage".repeat(4_000)).unwrap();
    }
    let refused = restore(&clinic, &copy, &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("--discard-pending"), "{}", refused.stderr);
    assert!(fs::read(clinic.dir.path().join(FILE)).unwrap().starts_with(b"garbage"));
    let restored = restore(&clinic, &copy, &["--discard-pending"]);
    assert!(restored.status.success(), "{}", restored.stderr);
    assert!(!clinic.dir.path().join(format!("{FILE}-wal")).exists(), "it belonged to the old one");
    let service = clinic.open();
    clinic.expect_rows(4);
    service.drained().await;
}

/// Killed after ever longer times, until it comes to its end.
#[tokio::test]
async fn a_restore_killed_at_any_moment_leaves_the_old_journal_or_the_new_one() {
    let (clinic, _elsewhere, copy) = killed_with_a_copy(60, 70).await;
    let copied = || {
        let dir = tempfile::tempdir().unwrap();
        for name in names_in(clinic.dir.path()) {
            fs::copy(clinic.dir.path().join(&name), dir.path().join(&name)).unwrap();
        }
        dir
    };
    let begin = |dir: &TempDir| {
        let args = ["restore", copy.to_str().unwrap(), "--discard-pending"];
        clinic.command(&args).env("DATA_DIR", dir.path()).spawn().unwrap()
    };
    let (dir, begun) = (copied(), Instant::now());
    assert!(begin(&dir).wait().unwrap().success());
    let (whole, steps) = (begun.elapsed(), 80);
    let mut outcomes = BTreeSet::from([rows_in(dir.path())]);
    for step in 0..steps {
        let dir = copied();
        let mut child = begin(&dir);
        std::thread::sleep(whole * step / (steps - 10));
        child.kill().unwrap();
        child.wait().unwrap();
        outcomes.insert(rows_in(dir.path()));
    }
    assert_eq!(outcomes, BTreeSet::from([(60, 60), (70, 70)]));
}

#[test]
fn what_a_killed_restore_left_behind_is_gone_after_the_next_start() {
    let clinic = Clinic::new();
    let left = clinic.dir.path().join("journal.restoring");
    fs::create_dir(&left).unwrap();
    fs::write(left.join(FILE), "patients").unwrap();
    assert!(clinic.open().stop("TERM").success());
    assert!(!left.exists());
}

/// Where a copy would be left on a disk, it would be a patient's data that nobody looks after.
#[tokio::test]
async fn a_backup_to_standard_output_is_whole_and_leaves_nothing_behind() {
    let (clinic, elsewhere, copy) = killed_with_a_copy(8, 9).await;
    let scratch = tempfile::tempdir().unwrap();
    let printed = elsewhere.path().join("printed.sqlite3");
    // As often as one likes.
    for _ in 0..2 {
        let mut command = clinic.command(&["backup", "-"]);
        command.env("TMPDIR", scratch.path()).stdout(File::create(&printed).unwrap());
        assert!(command.status().unwrap().success());
        assert_eq!(names_in(scratch.path()), BTreeSet::new());
    }
    let restored = restore(&clinic, &printed, &["--discard-pending"]);
    assert!(restored.stdout.contains("9 rows are pending"), "{}", restored.stderr);
    drop(copy);
    let service = clinic.open();
    clinic.expect_rows(9);
    service.drained().await;
}

/// A wrong `DATA_DIR` would look like a journal with nothing in it.
#[test]
fn a_command_on_the_journal_makes_none() {
    let clinic = Clinic::new();
    for args in [
        &["backup", "copy.sqlite3"][..],
        &["backup", "-"],
        &["forget", "+919111222333"],
        &["replay"],
        &["set-aside", "list"],
        &["set-aside", "retry"],
        &["set-aside", "export"],
    ] {
        let ended = clinic.run_in_its_directory(args);
        assert_eq!(ended.status.code(), Some(1), "{args:?}");
        assert!(ended.stderr.contains("DATA_DIR"), "{args:?}: {}", ended.stderr);
        assert_eq!(names_in(clinic.dir.path()), BTreeSet::new(), "{args:?}");
    }
}

/// The advice of a start on an emptied file is to restore a copy.
#[tokio::test]
async fn an_emptied_journal_makes_way_for_a_copy() {
    let (clinic, _elsewhere, copy) = killed_with_a_copy(2, 3).await;
    fs::write(clinic.dir.path().join(FILE), "").unwrap();
    let refused = clinic.run(&[]);
    assert!(refused.stderr.contains("restore"), "{}", refused.stderr);
    let restored = restore(&clinic, &copy, &[]);
    assert!(restored.status.success(), "{}", restored.stderr);
}
