//! Long work says how far it is, where whoever reads the output of a command does not stumble over it.

use std::io::{BufRead, BufReader, Read};

use rusqlite::Connection;

use crate::harness::{Clinic, unassigned};

/// Nobody takes the copy for a while, as over a slow line.
#[tokio::test]
async fn work_that_lasts_says_how_far_it_is_and_the_output_stays_whole() {
    let clinic = Clinic::new();
    let mut service = clinic.open();
    clinic.google.outage(true);
    // More than a pipe holds.
    for chat in 0..200 {
        let mut event = unassigned(&format!("chat_{chat}"));
        event["customerName"] = "a".repeat(900).into();
        service.take(&event).await;
    }
    service.leaves_rows_behind();
    let mut backup = clinic.command(&["backup", "-"]).spawn().unwrap();
    let mut lines = BufReader::new(backup.stderr.take().unwrap()).lines();
    let line = lines.next().expect("it ended without a word").unwrap();
    assert!(line.contains("handing the copy out: ") && line.contains("kB of "), "{line}");
    // A terminal's controls are for a terminal.
    assert!(!line.contains('\u{1b}') && !line.contains('\r'), "{line}");
    assert!(!line.contains("chat_") && !line.contains("aaa"), "{line}");
    let mut copy = Vec::new();
    backup.stdout.take().unwrap().read_to_end(&mut copy).unwrap();
    assert!(backup.wait().unwrap().success());
    let file = clinic.dir.path().join("copy.sqlite3");
    std::fs::write(&file, copy).unwrap();
    let copy = Connection::open(&file).unwrap();
    let verdict: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[tokio::test]
async fn the_output_of_long_work_is_what_came_of_it_and_nothing_else() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.drained().await;
    for args in [&["replay"][..], &["set-aside", "retry"], &["backup", "copy.sqlite3"]] {
        let ended = clinic.run_in_its_directory(args);
        assert!(ended.status.success(), "{args:?}: {}", ended.stderr);
        assert_eq!(ended.stdout.lines().count(), 1, "{args:?}: {}", ended.stdout);
    }
}
