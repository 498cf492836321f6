//! A backup is the journal of one moment, whole, and nobody else's to read.
//!
//! Of SQLite alone: a database has its own.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::journal::Standing;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    NOW, accept_all, chats, check_identity, dir, open, open_batch, sealed, unassigned,
};

#[tokio::test]
async fn a_backup_opens_as_the_journal_that_it_was_while_the_journal_goes_on() {
    let (place, elsewhere) = (Place::sqlite(), Place::sqlite());
    let journal = place.open();
    accept_all(&journal, &["a", "b", "c"]).await;
    let batch = sealed(&journal, 2).await;
    let file = elsewhere.file();
    journal.back_up(&file).await.unwrap();
    let (number, digest) = (batch.number(), batch.digest().to_owned());
    journal.written(batch).await.unwrap();
    accept_all(&journal, &["d"]).await;

    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let copy = elsewhere.open();
    check_identity(&elsewhere, &copy);
    assert_eq!((copy.tally().accepted, copy.tally().pending()), (3, 3));
    let taken_up = open_batch(&copy).await.expect("it was under way");
    assert_eq!((taken_up.number(), taken_up.digest()), (number, digest.as_str()));
    assert_eq!(chats(taken_up.entries()), ["a", "b"]);
    let standing = copy.accept(unassigned("a"), NOW).await.unwrap().standing();
    assert_eq!(standing, Standing::Duplicate, "it remembers as the journal does");
}

#[tokio::test]
async fn a_file_that_is_there_is_not_written_over() {
    let dir = dir();
    let journal = open(dir.path());
    let file = dir.path().join("precious");
    fs::write(&file, "precious").unwrap();
    let refused = journal.back_up(&file).await.unwrap_err().to_string();
    assert!(refused.contains("precious"), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert!(journal.back_up(&dir.path().join("no/such/folder")).await.is_err());
}

/// SQLite would put it under another name.
#[tokio::test]
async fn a_name_that_sqlite_cannot_take_is_refused() {
    let dir = dir();
    let journal = open(dir.path());
    let files = || fs::read_dir(dir.path()).unwrap().count();
    let before = files();
    let file = dir.path().join(OsStr::from_bytes(b"copy-\xff"));
    assert!(journal.back_up(&file).await.is_err());
    assert_eq!(files(), before, "something was left behind");
}
