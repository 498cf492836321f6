//! Opening: safely or not at all, and with all that was there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;

use crate::journal::tests::{LIMITS, NOW, accept_all, book, dir, one_tab, open};
use crate::journal::{Journal, OpenError};

#[track_caller]
fn refused(dir: &Path) -> OpenError {
    match Journal::open(dir, LIMITS, one_tab()) {
        Ok(_) => panic!("the journal must not be opened"),
        Err(error) => error,
    }
}

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

#[test]
fn a_directory_in_use_is_refused_and_free_afterwards() {
    let dir = dir();
    let journal = open(dir.path());
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    // The last handle keeps it.
    let clone = journal.clone();
    drop(journal);
    assert!(matches!(refused(dir.path()), OpenError::InUse { .. }));
    drop(clone);
    drop(open(dir.path()));
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

#[tokio::test]
async fn the_counters_are_there_again_after_a_restart() {
    let dir = dir();
    let journal = open(dir.path());
    accept_all(&journal, &["a", "b"]).await;
    journal.keep_unrecognised(b"{}".to_vec(), None, NOW).await.unwrap();
    let tally = journal.tally();
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(journal.tally(), tally);
    assert_eq!(journal.oldest_pending().await.unwrap(), Some(NOW));
}

#[tokio::test]
async fn when_writes_left_survives_a_restart_and_only_the_window_is_kept() {
    let dir = dir();
    let journal = open(dir.path());
    for second in 0..5 {
        journal.note_sent(NOW.plus_ms(second * 1_000), 61_000).await.unwrap();
    }
    drop(journal);
    let journal = open(dir.path());
    let expected: Vec<_> = (0..5).map(|second| NOW.plus_ms(second * 1_000)).collect();
    assert_eq!(journal.sent().await.unwrap(), expected);
    journal.note_sent(NOW.plus_ms(63_000), 61_000).await.unwrap();
    let expected = [2_000, 3_000, 4_000, 63_000].map(|later| NOW.plus_ms(later));
    assert_eq!(journal.sent().await.unwrap(), expected);
    // The clock was set back by an hour: what seems to be to come does not count for ever.
    let before = NOW.plus_ms(-3_600_000);
    journal.note_sent(before, 61_000).await.unwrap();
    assert_eq!(journal.sent().await.unwrap(), [before]);
}

#[tokio::test]
async fn the_ids_it_chose_stay_until_others_are_drawn() {
    let dir = dir();
    let journal = open(dir.path());
    let book = book(&journal);
    let tab_id = async |journal: &Journal, name| journal.tab_id(book, name).await.unwrap();
    let tab = tab_id(&journal, "log A").await;
    let markers = journal.marker_ids().await.unwrap();
    assert!(tab > 0 && markers.start > 0 && markers.contains(&markers.start));
    let board = tab_id(&journal, "board A").await;
    assert_ne!(board, tab, "each tab has its own");
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(tab_id(&journal, "log A").await, tab);
    assert_eq!(journal.marker_ids().await.unwrap(), markers);
    journal.redraw_tab_id(book, "log A").await.unwrap();
    journal.redraw_marker_base().await.unwrap();
    assert_ne!(tab_id(&journal, "log A").await, tab);
    assert_eq!(tab_id(&journal, "board A").await, board, "the others stay");
    assert_ne!(journal.marker_ids().await.unwrap(), markers);
}

#[tokio::test]
async fn what_the_live_check_found_out_is_known_while_the_service_runs() {
    let dir = dir();
    let journal = open(dir.path());
    let facts = async || journal.facts(["marker_fences", "marker_readable"]).await.unwrap();
    assert_eq!(facts().await, [None, None]);
    for holds in [true, false] {
        let beside = Journal::open_beside(dir.path(), LIMITS, one_tab()).unwrap();
        assert!(beside.is_beside());
        beside.note_fact("marker_fences", holds).await.unwrap();
        assert_eq!(facts().await, [Some(holds), None]);
    }
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
