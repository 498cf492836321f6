//! A journal of schema 1 is opened with nothing lost.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::journal::Standing;
use crate::journal::tests::{
    LOG, NOW, accept_all, assigned, at_most, book, chats, check_identity, copied, dir, drafted,
    open, open_batch, rows, unassigned,
};

const MARKER_BASE: i64 = 1_234_000_000;
const TAB_ID: i64 = 4_711;

/// Five were accepted: one is written, one set aside, two are under way, one waits behind them.
fn journal_of_before(dir: &Path) {
    let connection = Connection::open(dir.join("journal.sqlite3")).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.execute_batch(include_str!("../schema.sql")).unwrap();
    let set = "INSERT INTO meta (name, value) VALUES (?1, ?2)";
    connection.execute(set, params!["hash_key", [7_u8; 32].as_slice()]).unwrap();
    connection.execute(set, params!["tag", "abc234"]).unwrap();
    connection.execute(set, params!["marker_base", MARKER_BASE]).unwrap();
    connection.execute(set, params!["tab_id", TAB_ID]).unwrap();
    connection.execute(set, params!["fact.marker_fences", 1]).unwrap();
    connection
        .execute_batch(
            "UPDATE tally SET next_number = 7, next_batch = 4, accepted = 5, remembered = 1,
                 duplicate = 2, unrecognised = 1, written = 1, set_aside = 1",
        )
        .unwrap();
    for (number, chat) in [(3, "a"), (5, "b"), (6, "c")] {
        let payload = format!(r#"{{"t":{},"cn":"Asha","ci":"{chat}"}}"#, NOW.0).into_bytes();
        connection
            .execute("INSERT INTO entry VALUES (?1, ?2, ?3)", params![number, NOW.0, payload])
            .unwrap();
    }
    connection
        .execute(
            "INSERT INTO batch VALUES (3, 3, 5, 2, ?1, '0123456789abcdef', 'old words', ?2)",
            params![MARKER_BASE + 3, NOW.0],
        )
        .unwrap();
    connection
        .execute(
            "INSERT INTO set_aside VALUES (2, ?1, ?2, 'too long', ?1)",
            params![NOW.0, br#"{"t":1,"ci":"refused"}"#.as_slice()],
        )
        .unwrap();
    connection
        .execute("INSERT INTO unrecognised VALUES (1, ?1, NULL, ?2)", params![NOW.0, b"{}"])
        .unwrap();
    connection.execute("INSERT INTO sent VALUES (?1)", [NOW.0]).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    connection.close().unwrap();
}

#[tokio::test]
async fn all_that_was_kept_is_there_and_the_batch_under_way_settles() {
    let dir = dir();
    journal_of_before(dir.path());
    let journal = open(dir.path());
    let tally = journal.tally();
    assert_eq!((tally.accepted, tally.written, tally.set_aside, tally.pending()), (5, 1, 1, 3));
    assert_eq!((tally.remembered, tally.duplicate, tally.unrecognised), (1, 2, 1));
    assert_eq!((tally.handovers, tally.handovers_pending(), tally.assigned_at()), (0, 0, None));
    assert_eq!(journal.work(book(&journal)).pending, 3);
    check_identity(&journal);
    assert_eq!((rows(dir.path())["unrecognised"], rows(dir.path())["sent"]), (1, 1));
    assert_eq!(journal.kept().await.unwrap().len(), 1);
    assert_eq!(journal.facts(["marker_fences"]).await.unwrap(), [Some(true)]);
    let batch = open_batch(&journal).await.unwrap();
    assert_eq!(chats(batch.entries()), ["a", "b"]);
    assert_eq!(batch.entries()[0].event_id.to_string(), "abc234-3");
    assert_eq!((batch.number(), i64::from(batch.marker_id())), (3, MARKER_BASE + 3));
    assert_eq!((batch.digest(), batch.plan()), ("0123456789abcdef", "old words"));
    assert!(batch.handovers().is_empty() && batch.board().is_none());
    journal.written(batch).await.unwrap();
    check_identity(&journal);
    let draft = drafted(&journal, book(&journal), at_most(9)).await;
    assert_eq!((draft.title(), draft.rows()), (Some(LOG), 1));
    let last = journal.seal(draft, "new words".into(), None, NOW).await.unwrap().unwrap();
    assert_eq!((last.number(), chats(last.entries())), (4, vec!["c"]));
    journal.written(last).await.unwrap();
    assert_eq!((journal.tally().written, journal.tally().pending()), (4, 0));
    check_identity(&journal);
}

#[tokio::test]
async fn a_batch_under_way_may_also_be_released_or_set_aside() {
    for is_released in [true, false] {
        let dir = dir();
        journal_of_before(dir.path());
        let journal = open(dir.path());
        let batch = open_batch(&journal).await.unwrap();
        match is_released {
            true => journal.release(batch).await.unwrap(),
            false => journal.set_aside(batch, "a reason".into(), NOW).await.unwrap(),
        }
        check_identity(&journal);
        let expected = if is_released { (3, 1) } else { (1, 3) };
        assert_eq!((journal.tally().pending(), journal.tally().set_aside), expected);
        assert_eq!(rows(dir.path())["batch"], 0);
    }
}

#[tokio::test]
async fn it_goes_on_as_before_and_is_opened_again() {
    let dir = dir();
    journal_of_before(dir.path());
    let journal = open(dir.path());
    accept_all(&journal, &["d"]).await;
    let receipt = journal.accept(unassigned("e"), NOW).await.unwrap();
    assert_eq!(receipt.event_id().to_string(), "abc234-8", "no number is given twice");
    let taken = journal.accept(assigned("e", "Dr. Meera"), NOW).await.unwrap();
    assert_eq!(taken.standing(), Standing::Accepted);
    let cut = copied(dir.path());
    drop(journal);
    for dir in [dir.path(), cut.path()] {
        let journal = open(dir);
        assert_eq!((journal.tally().accepted, journal.tally().handovers), (7, 1));
        assert_eq!(journal.work(book(&journal)).waiting, 1);
        check_identity(&journal);
    }
}

/// The tab of before is bound under its id, whatever asks first.
#[tokio::test]
async fn the_old_tab_id_is_the_first_logs() {
    let dir = dir();
    journal_of_before(dir.path());
    let journal = open(dir.path());
    let id = async |name: &str| i64::from(journal.tab_id(book(&journal), name).await.unwrap());
    assert_ne!(id("board Unattended now").await, TAB_ID);
    assert_ne!(id("handovers Handovers").await, TAB_ID);
    assert_eq!(id(&format!("log {LOG}")).await, TAB_ID);
    assert_ne!(id("log North").await, TAB_ID);
    assert_eq!(id(&format!("log {LOG}")).await, TAB_ID, "and it stays so");
}
