//! One bad record, one bad reader, one bad neighbour stops nobody else.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde_json::json;

use crate::causes::Causes;
use crate::chat::event::Happening;
use crate::chat::text::Personal;
use crate::journal::condition::Conditions;
use crate::journal::log::Log;
use crate::journal::tests::{
    LIMITS, NOW, PLAN, accept_all, as_configured, assigned, at_most, book, chats, check_identity,
    dir, drafted, event, one_tab, open, open_batch, rows, run, sealed, unassigned,
};
use crate::journal::{Error, Journal, Refusal, Standing, database};

/// Somebody who reads the database and does not let go.
fn reader(dir: &Path) -> Connection {
    let connection = Connection::open(dir.join("journal.sqlite3")).unwrap();
    connection.execute_batch("BEGIN; SELECT count(*) FROM entry;").unwrap();
    connection
}

#[tokio::test]
async fn a_reader_that_stays_delays_no_answer() {
    let dir = dir();
    let journal = open(dir.path());
    accept_all(&journal, &["before"]).await;
    let reader = reader(dir.path());
    let started = Instant::now();
    for number in 0..20 {
        accept_all(&journal, &[&format!("chat {number}")]).await;
        let batch = sealed(&journal, 100).await;
        journal.written(batch).await.unwrap();
        journal.purge().await.unwrap();
    }
    // Each of these waited out SQLite's five seconds before.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    journal.refresh().await.unwrap();
    assert!(journal.0.conditions.do_linger());
    drop(reader);
    let give_up = Instant::now() + Duration::from_secs(30);
    while journal.0.conditions.do_linger() {
        assert!(Instant::now() < give_up, "the log is not emptied once nobody reads any more");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fs::metadata(database::log_of(dir.path())).unwrap().len(), 0);
}

#[test]
fn a_reader_that_stays_for_long_is_said_and_so_is_its_end() {
    let dir = dir();
    drop(open(dir.path()));
    let connection = database::open(dir.path(), true).unwrap();
    connection.execute_batch("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)").unwrap();
    let reader = reader(dir.path());
    connection.execute_batch("INSERT INTO mine VALUES (2)").unwrap();
    let conditions = Conditions::new(dir.path());
    let mut log = Log::new(database::log_of(dir.path()), Duration::ZERO);
    log.is_to_be_emptied();
    log.empty(&connection, &conditions);
    let warnings = conditions.warnings().join(" ");
    assert!(warnings.contains("another program keeps reading"), "{warnings}");
    drop(reader);
    log.is_to_be_emptied();
    log.empty(&connection, &conditions);
    assert_eq!(conditions.warnings(), Vec::<String>::new());
    assert_eq!(log.next_try(), None);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_told_without_what_is_in_it() {
    let parsed = serde_json::from_str::<u64>("\"+919876543210\"").unwrap_err();
    let error = Error::from(parsed);
    let said = format!("{} {error:?}", Causes(&error));
    assert!(!said.contains("9876543210"), "{said}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let dir = dir();
    let journal = open(dir.path());
    accept_all(&journal, &["a", "b", "c"]).await;
    run(
        &journal,
        "UPDATE entry SET payload = CAST('{\"t\":\"+919876543210\"}' AS BLOB) WHERE number = 2",
    )
    .await;
    let batch = sealed(&journal, 9).await;
    assert_eq!(chats(batch.entries()), ["a"]);
    journal.written(batch).await.unwrap();
    let batch = sealed(&journal, 9).await;
    assert_eq!(chats(batch.entries()), ["c"]);
    journal.written(batch).await.unwrap();
    assert_eq!((journal.tally().written, journal.tally().set_aside), (2, 1));
    check_identity(&journal);
    let aside = journal.set_aside_after(0, 9).await.unwrap();
    assert!(aside[0].reason.contains("cannot read"), "{}", aside[0].reason);
    assert_eq!(
        journal.retry_set_aside(None).await.unwrap().later,
        1,
        "it stays for a later version"
    );
    assert!(journal.warnings().join(" ").contains("could not be read"));
}

#[tokio::test]
async fn a_batch_under_way_that_cannot_be_read_is_not_sent_again_as_something_else() {
    for (table, sql) in [
        ("entry", "UPDATE entry SET payload = 'x' WHERE number = 2"),
        ("batch", "UPDATE batch SET board = 'x'"),
    ] {
        let dir = dir();
        let journal = open(dir.path());
        accept_all(&journal, &["a", "b"]).await;
        let batch = sealed(&journal, 9).await;
        let (marker, digest) = (batch.marker_id(), batch.digest().to_owned());
        drop(batch);
        run(&journal, sql).await;
        drop(journal);
        let journal = open(dir.path());
        let batch = open_batch(&journal).await.expect("it is still open");
        assert_eq!(batch.plan(), "", "without a plan only its marker is looked for ({table})");
        assert_eq!((batch.marker_id(), batch.digest()), (marker, digest.as_str()));
        journal.written(batch).await.unwrap();
        assert_eq!((journal.tally().written, journal.tally().pending()), (2, 0));
        check_identity(&journal);
    }
}

#[tokio::test]
async fn a_wait_that_cannot_be_read_leaves_the_board_and_fails_no_event() {
    let dir = dir();
    let journal = open(dir.path());
    accept_all(&journal, &["a", "b"]).await;
    run(&journal, "UPDATE waiting SET record = '{\"x\":\"+919876543210\"' WHERE number = 1").await;
    let again = event(Happening::Unassigned, json!({ "chatId": "a", "customerPhone": "+9199" }));
    assert_eq!(journal.accept(again, NOW).await.unwrap().standing(), Standing::Accepted);
    check_identity(&journal);
    assert_eq!(journal.waiting(), 2, "it waits again since now");
    run(&journal, "UPDATE waiting SET record = 'x' WHERE number = 2").await;
    let draft = drafted(&journal, book(&journal), at_most(9)).await;
    let look = crate::journal::tests::look(book(&journal));
    let batch = journal.seal(draft, PLAN.into(), Some(look), NOW).await.unwrap().unwrap();
    assert_eq!(batch.board().map(|board| board.lines.len()), Some(1));
    check_identity(&journal);
}

#[tokio::test]
async fn a_spreadsheet_has_one_batch_under_way() {
    let dir = dir();
    let journal = open(dir.path());
    accept_all(&journal, &["a", "b"]).await;
    let first = sealed(&journal, 1).await;
    let draft = drafted(&journal, book(&journal), at_most(9)).await;
    let second = journal.seal(draft, PLAN.into(), None, NOW).await;
    assert!(matches!(second, Err(error) if matches!(*error, Error::BatchOpen)));
    journal.release(first).await.unwrap();
    assert_eq!(rows(dir.path())["batch"], 0);
}

/// A body that an older version did not recognise is read only now; it happened long before.
#[tokio::test]
async fn what_is_told_late_does_not_hide_the_resend_of_what_came_since() {
    let dir = dir();
    let journal = open(dir.path());
    accept_all(&journal, &["a"]).await;
    let old = event(Happening::Unassigned, json!({ "chatId": "a", "customerPhone": "+9191" }));
    drop(journal.accept(old, NOW.plus_ms(-600_000)).await.unwrap());
    let resent = journal.accept(unassigned("a"), NOW.plus_ms(1_000)).await.unwrap();
    assert_eq!(resent.standing(), Standing::Duplicate);
}

#[tokio::test]
async fn a_name_that_is_found_for_a_second_drop_stands_on_the_board() {
    let dir = dir();
    let journal = open(dir.path());
    let body = |phone: &str| json!({ "chatId": "a", "dtCustomerId": "1", "customerPhone": phone });
    drop(journal.accept(event(Happening::Unassigned, body("+9190")), NOW).await.unwrap());
    let mut asked = journal.unnamed();
    let second = event(Happening::Unassigned, body("+91 90 1"));
    drop(journal.accept(second, NOW.plus_ms(1_000)).await.unwrap());
    let unnamed = asked.recv().await.unwrap();
    journal.name(unnamed, Some(Personal::new("Asha")), NOW).await.unwrap();
    let look = crate::journal::tests::look(book(&journal));
    let draft = drafted(&journal, book(&journal), at_most(9)).await;
    let batch = journal.seal(draft, PLAN.into(), Some(look), NOW).await.unwrap().unwrap();
    assert_eq!(batch.board().unwrap().lines[0].entry.customer_name.reveal(), "Asha");
}

/// Whether it awaits a name is known only of what this process has committed.
#[tokio::test]
async fn nothing_is_drafted_that_came_after_the_names_were_looked_at() {
    let dir = dir();
    let journal = open(dir.path());
    let beside = Journal::open_beside(dir.path(), LIMITS, one_tab()).unwrap();
    accept_all(&beside, &["a"]).await;
    let draft = async || {
        journal.draft(book(&journal), at_most(9), as_configured(), NOW).await.unwrap().rows()
    };
    assert_eq!(draft().await, 0);
    journal.refresh().await.unwrap();
    assert_eq!(draft().await, 1);
}

#[tokio::test]
async fn a_name_that_was_looked_up_is_forgotten_with_its_patient() {
    let dir = dir();
    let journal = open(dir.path());
    let mut asked = journal.unnamed();
    let body = json!({ "chatId": "a", "dtCustomerId": "1", "customerPhone": "+919876543210" });
    drop(journal.accept(event(Happening::Unassigned, body), NOW).await.unwrap());
    let unnamed = asked.recv().await.unwrap();
    journal.name(unnamed, Some(Personal::new("Asha Rao")), NOW).await.unwrap();
    let batch = sealed(&journal, 9).await;
    journal.written(batch).await.unwrap();
    drop(journal.accept(assigned("a", "Dr. Meera"), NOW).await.unwrap());
    let batch = sealed(&journal, 9).await;
    journal.written(batch).await.unwrap();
    assert!(journal.forget("919876543210").await.unwrap().records > 0);
    drop(journal);
    assert_eq!(crate::journal::tests::files_with(dir.path(), "Asha Rao"), Vec::<String>::new());
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
    assert!(matches!(*error, Error::Damaged(_)), "{error:?}");
    assert!(error.to_string().contains("restore"), "{error}");
}

#[tokio::test]
async fn somebody_who_holds_the_database_for_writing_is_blamed_and_nothing_else() {
    let dir = dir();
    let journal = open(dir.path());
    let other = Connection::open(dir.path().join("journal.sqlite3")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = journal.accept(unassigned("a"), NOW).await.unwrap_err();
    assert!(matches!(&refused, Refusal::Failed(error) if matches!(**error, Error::Locked)));
    let condition = journal.condition().map(|condition| condition.to_string()).unwrap_or_default();
    assert!(condition.contains("another program is writing"), "{condition}");
    other.execute_batch("ROLLBACK").unwrap();
    accept_all(&journal, &["a"]).await;
    assert_eq!(journal.condition(), None);
}

#[tokio::test]
async fn who_waits_comes_before_who_has_been_taken() {
    let dir = dir();
    let journal = open(dir.path());
    accept_all(&journal, &["taken"]).await;
    drop(journal.accept(assigned("taken", "Dr. Meera"), NOW).await.unwrap());
    // As many as may be, of which one has ended.
    let connection = Connection::open(dir.path().join("journal.sqlite3")).unwrap();
    let wait = connection
        .query_row("SELECT record FROM waiting", (), |row| row.get::<_, Vec<u8>>(0))
        .unwrap();
    let fill =
        "WITH RECURSIVE more (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM more WHERE n < ?1)
        INSERT INTO waiting (number, book, chat, customer, is_over, seen_at, record)
        SELECT n, 1, randomblob(16), x'', 0, ?2, ?3 FROM more";
    let last = 98 + i64::try_from(crate::journal::waiting::WAITING_MAX).unwrap();
    connection.execute(fill, params![last, NOW.0, wait]).unwrap();
    connection
        .execute("UPDATE book SET waiting = (SELECT count(*) FROM waiting WHERE is_over = 0)", ())
        .unwrap();
    connection.execute_batch("UPDATE tally SET next_number = 1000000").unwrap();
    drop(connection);
    let before = journal.waiting();
    accept_all(&journal, &["new"]).await;
    journal.refresh().await.unwrap();
    assert_ne!(journal.waiting(), before);
    let is_known = Connection::open(dir.path().join("journal.sqlite3")).unwrap();
    let known: i64 = is_known
        .query_row("SELECT count(*) FROM waiting WHERE number >= 1000000", (), |row| row.get(0))
        .unwrap();
    assert_eq!(known, 1, "the one who waits now is known");
}
