//! A journal that is moved into a database is there with everything, and nowhere else.

use std::path::Path;
use std::sync::Arc;

use postgres_rig::{Cluster, Database};
use rusqlite::Connection;
use serde_json::json;

use crate::chat::counted::Quarter;
use crate::chat::event::Happening;
use crate::journal::moving::MoveFault;
use crate::journal::origin::MOVED_MARK;
use crate::journal::store::{Read, Span, postgres, sqlite};
use crate::journal::tests::{
    LIMITS, NOW, accept_all, assigned, book, chats, dir, drafted, event, look, one_tab, open,
    open_batch, sealed,
};
use crate::journal::{Address, Journal, OpenError, Standing};
use crate::progress::Progress;

const FILE: &str = "journal.sqlite3";

/// An empty database; `None` where PostgreSQL is not installed, which is said.
fn database() -> Option<(Database<'static>, Arc<Address>)> {
    postgres_rig::installed().then(|| {
        let database = Cluster::shared().database();
        let address = Address::read(&database.url().into(), None).unwrap();
        (database, Arc::new(address))
    })
}

/// Opening and moving block, and the tests' threads may not.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn moved(dir: &Path, to: &Arc<Address>) -> Result<(), MoveFault> {
    let (dir, to) = (dir.to_owned(), Arc::clone(to));
    blocking(move || Journal::move_into(&dir, &to, &Progress::default())).await
}

async fn open_on(to: &Arc<Address>) -> Journal {
    let to = Arc::clone(to);
    blocking(move || Journal::open_on(&to, LIMITS, one_tab()).unwrap()).await
}

/// A journal with something of everything in it.
async fn fill(dir: &Path) {
    let journal = open(dir);
    accept_all(&journal, &["written", "aside", "batch 1", "batch 2", "pending"]).await;
    journal.written(sealed(&journal, 1).await).await.unwrap();
    journal.set_aside(sealed(&journal, 1).await, "for a reason".into(), NOW).await.unwrap();
    for (chat, agent) in [("pending", "Asha"), ("other", "Ravi")] {
        let receipt = journal.accept(assigned(chat, agent), NOW).await.unwrap();
        assert_eq!(receipt.standing(), Standing::Accepted);
    }
    let opened = event(
        Happening::Opened,
        json!({ "customerPhone": "+919876543210", "customerName": "Meera" }),
    );
    _ = journal.accept(opened, NOW).await.unwrap();
    let draft = drafted(&journal, book(&journal), 2).await;
    let batch = journal.seal(draft, "a plan".into(), Some(look(book(&journal))), NOW).await;
    assert!(batch.unwrap().is_some());
    journal.keep_unrecognised(b"{\"odd\":1}".to_vec(), Some("ODD".into()), NOW).await.unwrap();
    journal.note_fact("marker_fences", true).await.unwrap();
    journal.tab_id(book(&journal), "log").await.unwrap();
    journal.note_waits_told(book(&journal), Some(NOW)).await.unwrap();
    _ = journal.take_ticket(book(&journal), true, NOW).await.unwrap();
    let awaited = |transaction: &mut crate::journal::transaction::Transaction<'_>| {
        let book = transaction.shared.routing.books()[0].1;
        let changes = transaction.change();
        changes.awaited.insert(5, Some((book, NOW.plus_ms(2_000))));
        changes.sent.push(NOW);
        Ok(())
    };
    crate::journal::tests::commit(&journal, awaited).await.unwrap();
}

/// All that can be read, in words.
fn all_of(store: &dyn Read) -> Vec<String> {
    let places = store.places().unwrap();
    let origin = store.origin().unwrap();
    let mut numbers = store.numbers().unwrap();
    numbers.retain(|(name, _)| name != MOVED_MARK);
    let mut all = vec![
        format!("{:?} {}", origin.hash_key, origin.tag),
        format!("{:?}", store.counters().unwrap()),
        format!("{numbers:?}"),
        format!("{places:?}"),
        format!("{:?}", store.batches().unwrap()),
        format!("{:?}", store.aside(0, 1_000).unwrap()),
        format!("{:?}", store.waits(0, 1_000).unwrap()),
        format!("{:?}", store.records(None, 1_000).unwrap()),
        format!("{:?}", store.last_events(0, 1_000).unwrap()),
        format!("{:?}", store.sent().unwrap()),
        format!("{:?}", store.fences().unwrap()),
    ];
    let bodies = store.unrecognised().unwrap().into_iter();
    all.extend(bodies.map(|body| format!("{body:?} {:?} {:?}", body.announced, body.body)));
    for queue in &places.queues {
        all.push(format!("{:?}", store.rows(Span::all(queue.id), 1_000).unwrap()));
    }
    for (book, _) in &places.books {
        all.push(format!("{:?}", store.awaited(*book).unwrap()));
        let quarters = store.quarters(*book, Quarter(0), 1_000).unwrap();
        all.push(format!("{quarters:?}"));
    }
    all
}

fn all_of_directory(dir: &Path) -> Vec<String> {
    let conditions = Arc::new(crate::journal::condition::Conditions::new("a test"));
    all_of(&sqlite::open(dir, false, &conditions).unwrap().reader)
}

async fn all_of_database(address: &Arc<Address>) -> Vec<String> {
    let address = Arc::clone(address);
    blocking(move || all_of(&postgres::open(&address, "test").unwrap().reader)).await
}

/// The tables of the file, each with whether it holds something.
fn tables(dir: &Path) -> Vec<(String, bool)> {
    let connection = Connection::open(dir.join(FILE)).unwrap();
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let names = statement.query_map((), |row| row.get::<_, String>(0)).unwrap();
    let holds_something = |name: &String| {
        let count = format!("SELECT count(*) FROM {name}");
        connection.query_row(&count, (), |row| row.get::<_, i64>(0)).unwrap() > 0
    };
    names.map(Result::unwrap).map(|name| (name.clone(), holds_something(&name))).collect()
}

/// How many rows the database's table of this name has; each of the file has one there.
fn count(database: &Database<'_>, table: &str) -> String {
    let sql = format!("SELECT count(*) FROM doubletick_sheets.{table}");
    database.session().value(&sql).unwrap()
}

#[tokio::test]
async fn everything_that_was_in_the_directory_is_in_the_database() {
    let Some((database, address)) = database() else { return };
    let dir = dir();
    fill(dir.path()).await;
    let tables = tables(dir.path());
    for (table, holds_something) in &tables {
        assert!(
            holds_something,
            "the test fills no {table}, and so cannot tell whether it is moved"
        );
    }
    let before = all_of_directory(dir.path());
    moved(dir.path(), &address).await.unwrap();
    assert_eq!(all_of_database(&address).await, before);
    for (table, _) in tables {
        assert_ne!(count(&database, &table), "0", "{table} was not moved");
    }
}

#[tokio::test]
async fn a_journal_that_was_moved_goes_on_and_serves_from_nowhere_else() {
    let Some((_database, address)) = database() else { return };
    let dir = dir();
    fill(dir.path()).await;
    moved(dir.path(), &address).await.unwrap();
    let error = Journal::open(dir.path(), LIMITS, one_tab()).unwrap_err();
    assert!(matches!(error, OpenError::Moved { .. }), "{error:?}");
    let journal = open_on(&address).await;
    accept_all(&journal, &["other"]).await;
    let term = journal.beat(String::new(), std::time::Duration::from_secs(10)).await.unwrap();
    let journal = journal.in_term(term.unwrap().term);
    let batch = open_batch(&journal).await.expect("the batch under way came along");
    assert_eq!(chats(batch.entries()), ["batch 1", "batch 2"]);
    journal.written(batch).await.unwrap();
    // By then nobody waits for a name any more.
    let draft = journal.draft(book(&journal), 10, NOW.plus_ms(60_000)).await.unwrap();
    let agent = draft.entries().last().map(|entry| entry.previous_agent.reveal());
    assert_eq!(agent, Some("Ravi"), "what was remembered is found under the same keys");
    let tally = journal.tally();
    assert_eq!(tally.accepted, tally.written + tally.pending() + tally.set_aside);
    // Starting again moves nothing again.
    let pending = tally.pending();
    moved(dir.path(), &address).await.unwrap();
    assert_eq!(open_on(&address).await.tally().pending(), pending);
}

/// What a process that was killed between the two commits leaves behind, and one killed before both.
#[tokio::test]
async fn a_move_that_was_killed_is_finished_on_the_side_where_the_journal_is() {
    let Some((_database, address)) = database() else { return };
    let dir = dir();
    fill(dir.path()).await;
    let set_mark = |mark: i64| {
        let connection = Connection::open(dir.path().join(FILE)).unwrap();
        let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = ?2";
        connection.execute(sql, rusqlite::params![MOVED_MARK, mark]).unwrap();
    };
    let before = all_of_directory(dir.path());
    set_mark(1);
    let error = Journal::open(dir.path(), LIMITS, one_tab()).unwrap_err();
    assert!(matches!(error, OpenError::Moved { .. }), "it may be in the database: {error:?}");
    moved(dir.path(), &address).await.unwrap();
    assert_eq!(all_of_database(&address).await, before, "it was not, and is now");
    set_mark(1);
    let journal = open_on(&address).await;
    accept_all(&journal, &["after"]).await;
    moved(dir.path(), &address).await.unwrap();
    assert_eq!(journal.tally().accepted, 6, "it was, and is not moved again");
    let error = Journal::open(dir.path(), LIMITS, one_tab()).unwrap_err();
    assert!(matches!(error, OpenError::Moved { .. }), "{error:?}");
}

#[tokio::test]
async fn two_journals_are_never_mixed() {
    let Some((_database, address)) = database() else { return };
    let dir = dir();
    fill(dir.path()).await;
    let other = open_on(&address).await;
    accept_all(&other, &["theirs"]).await;
    let before = all_of_directory(dir.path());
    let error = moved(dir.path(), &address).await.unwrap_err();
    assert!(matches!(error, MoveFault::Occupied { .. }), "{error:?}");
    assert_eq!(all_of_directory(dir.path()), before);
    assert_eq!(other.tally().accepted, 1);
}

#[tokio::test]
async fn nothing_is_moved_under_instances_that_serve_already() {
    let Some((_database, address)) = database() else { return };
    let dir = dir();
    fill(dir.path()).await;
    let other = open_on(&address).await;
    let length = std::time::Duration::from_secs(10);
    other.beat("{}".into(), length).await.unwrap();
    let error = moved(dir.path(), &address).await.unwrap_err();
    assert!(matches!(error, MoveFault::Serving { .. }), "{error:?}");
    assert_eq!(open(dir.path()).tally().pending(), 3);
}
