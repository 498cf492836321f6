//! The file: opened safely or not at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;

use crate::journal::OpenError;
use crate::journal::tests::opening::refused;
use crate::journal::tests::{accept_all, dir, open};

#[test]
fn a_directory_that_is_missing_is_made() {
    let dir = dir();
    let deep = dir.path().join("a").join("b");
    drop(open(&deep));
    assert!(deep.join("journal.sqlite3").exists());
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let dir = dir();
    fs::write(dir.path().join("file"), "").unwrap();
    let below = dir.path().join("file").join("data");
    let error = refused(&below);
    assert!(matches!(error, OpenError::Unwritable { .. }), "{error:?}");
    assert!(error.to_string().contains("DATA_DIR"), "{error}");
}

#[tokio::test]
async fn the_journal_of_a_newer_version_is_refused_and_not_touched() {
    let dir = dir();
    drop(open(dir.path()));
    let file = dir.path().join("journal.sqlite3");
    let connection = Connection::open(&file).unwrap();
    let version: u32 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    connection.pragma_update(None, "user_version", 1_000).unwrap();
    connection.close().unwrap();
    let before = fs::read(&file).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Newer { found: 1_000, .. }), "{error:?}");
    assert!(error.to_string().contains("newer"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
    // Refused, it lets the directory go.
    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
    connection.close().unwrap();
    drop(open(dir.path()));
}

#[test]
fn a_file_that_is_no_journal_is_refused_and_not_touched() {
    let dir = dir();
    let file = dir.path().join("journal.sqlite3");
    let nonsense = "this is no database ".repeat(500);
    fs::write(&file, &nonsense).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), nonsense);
}

#[test]
fn an_empty_file_where_a_journal_was_is_refused() {
    let dir = dir();
    drop(open(dir.path()));
    let file = dir.path().join("journal.sqlite3");
    fs::write(&file, "").unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Emptied { .. }), "{error:?}");
    assert!(error.to_string().contains("restore"), "{error}");
    // Deleted on purpose it begins anew.
    fs::remove_file(&file).unwrap();
    drop(open(dir.path()));
}

#[test]
fn a_start_that_was_cut_short_before_there_was_anything_begins_anew() {
    let dir = dir();
    fs::write(dir.path().join("journal.sqlite3"), "").unwrap();
    fs::write(dir.path().join("journal.lock"), "").unwrap();
    drop(open(dir.path()));
}

#[test]
fn the_database_of_another_program_is_refused_and_not_touched() {
    let dir = dir();
    let file = dir.path().join("journal.sqlite3");
    let connection = Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
    connection.close().unwrap();
    let before = fs::read(&file).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn only_its_owner_may_read_what_is_made() {
    let dir = dir();
    let journal = open(dir.path());
    accept_all(&journal, &["a"]).await;
    let modes = |dir: &Path| {
        let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap());
        let mode = |file: fs::DirEntry| file.metadata().unwrap().permissions().mode() & 0o777;
        files.map(|file| (file.file_name().into_string().unwrap(), mode(file))).collect::<Vec<_>>()
    };
    let made = modes(dir.path());
    assert!(made.len() >= 5, "{made:?}");
    assert!(made.iter().all(|(_, mode)| *mode == 0o600), "{made:?}");
    // One of before is closed to others, too.
    drop(journal);
    let file = dir.path().join("journal.sqlite3");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let journal = open(dir.path());
    accept_all(&journal, &["b"]).await;
    assert!(modes(dir.path()).iter().all(|(_, mode)| *mode == 0o600));
}
