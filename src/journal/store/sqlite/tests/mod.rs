//! What only this engine can get wrong: its file, its log, its pages.

mod opening;

use std::fs;
use std::time::Duration;

use rusqlite::Connection;

use crate::journal::Error;
use crate::journal::condition::Conditions;
use crate::journal::store::Fault;
use crate::journal::store::sqlite::log::Log;
use crate::journal::store::sqlite::open::{self, log_of};
use crate::journal::tests::engine::reader;
use crate::journal::tests::{NOW, dir, open};

#[test]
fn a_reader_that_stays_for_long_is_said_and_so_is_its_end() {
    let dir = dir();
    drop(open(dir.path()));
    let connection = open::open(dir.path(), true).unwrap();
    connection.execute_batch("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)").unwrap();
    let reader = reader(dir.path());
    connection.execute_batch("INSERT INTO mine VALUES (2)").unwrap();
    let conditions = Conditions::new(&dir.path().display().to_string());
    let mut log = Log::new(log_of(dir.path()), Duration::ZERO);
    log.is_to_be_emptied();
    log.empty(&connection, dir.path(), &conditions);
    let warnings = conditions.warnings().join(" ");
    assert!(warnings.contains("another program keeps reading"), "{warnings}");
    drop(reader);
    log.is_to_be_emptied();
    log.empty(&connection, dir.path(), &conditions);
    assert_eq!(conditions.warnings(), Vec::<String>::new());
    assert_eq!(log.next_try(), None);
}

#[tokio::test]
async fn a_damaged_page_is_found_and_told_with_what_to_do() {
    let dir = dir();
    let journal = open(dir.path());
    for number in 0..30 {
        let body = format!("{{\"body\":\"needle {number}\",\"more\":\"{}\"}}", "x".repeat(500));
        journal.keep_unrecognised(body.into_bytes(), None, NOW).await.unwrap();
    }
    journal.verify().await.unwrap();
    drop(journal);
    let file = dir.path().join("journal.sqlite3");
    let mut bytes = fs::read(&file).unwrap();
    let found = bytes.windows(9).position(|bytes| bytes == b"needle 15").unwrap();
    let page = found / 4_096 * 4_096;
    bytes[page..page + 64].fill(0xA5);
    fs::write(&file, bytes).unwrap();
    let journal = open(dir.path());
    let error = journal.verify().await.unwrap_err();
    assert!(matches!(error, Error::Store(Fault::Damaged(_))), "{error:?}");
    assert!(error.to_string().contains("restore"), "{error}");
}

#[test]
fn a_database_that_may_not_grow_is_a_full_disk() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE mine (a); PRAGMA max_page_count = 3").unwrap();
    let error = loop {
        match connection.execute("INSERT INTO mine VALUES (randomblob(900))", ()) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(Fault::from(error), Fault::DiskFull));
}
