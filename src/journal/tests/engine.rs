//! The engine under the tests: the one place where they know which it is.
//!
//! Another engine gets its own of these functions, and every test of the journal runs over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::chat::route::Routes;
use crate::journal::condition::Conditions;
use crate::journal::opening::Engine;
use crate::journal::store::sqlite::{self, Opened};
use crate::journal::store::{Changes, Fault, Keys, Loaded, Read, Span, Store, StoredBatch};
use crate::journal::tests::LIMITS;
use crate::journal::{BookId, Journal, Limits};

const FILE: &str = "journal.sqlite3";

/// What the next commits of the journal in a directory come to.
static REFUSALS: LazyLock<Mutex<BTreeMap<PathBuf, Fault>>> = LazyLock::new(Mutex::default);

/// A store that refuses to commit when it is told to: at the very end, when all is written.
struct Refusing<S> {
    store: S,
    dir: PathBuf,
}

impl<S: Store> Store for Refusing<S> {
    fn read(&self) -> &dyn Read {
        self.store.read()
    }

    fn begin(&mut self) -> Result<bool, Fault> {
        self.store.begin()
    }

    fn load(&mut self, keys: &Keys) -> Result<Loaded, Fault> {
        self.store.load(keys)
    }

    fn write(&mut self, changes: Changes) -> Result<(), Fault> {
        self.store.write(changes)
    }

    fn add_batch(&mut self, batch: &StoredBatch) -> Result<(), Fault> {
        self.store.add_batch(batch)
    }

    fn end_batch(&mut self, number: u64) -> Result<(), Fault> {
        self.store.end_batch(number)
    }

    fn delete_rows(&mut self, span: Span) -> Result<u64, Fault> {
        self.store.delete_rows(span)
    }

    fn commit(&mut self) -> Result<(), Fault> {
        match REFUSALS.lock().unwrap().get(&self.dir) {
            Some(fault) => Err(fault.clone()),
            None => self.store.commit(),
        }
    }

    fn roll_back(&mut self, why: Option<&Fault>) {
        self.store.roll_back(why);
    }

    fn has_room(&self) -> bool {
        self.store.has_room()
    }

    fn purge(&mut self) {
        self.store.purge();
    }

    fn tidy_up(&mut self, is_drained: bool) -> Option<Duration> {
        self.store.tidy_up(is_drained)
    }
}

/// The journal in a directory, over a store that can be made to refuse.
pub(in crate::journal) fn open_with(dir: &Path, limits: Limits, routes: Routes) -> Journal {
    let conditions = Arc::new(Conditions::new(&dir.display().to_string()));
    let Opened { store, reader, hold } = sqlite::open(dir, false, &conditions).unwrap();
    let store = Box::new(Refusing { store, dir: dir.to_owned() });
    let engine = Engine { store, reader: Box::new(reader), hold, instance: None };
    Journal::over(engine, limits, routes, conditions).unwrap()
}

pub(in crate::journal) fn open(dir: &Path) -> Journal {
    open_with(dir, LIMITS, super::one_tab())
}

/// From now on no transaction is committed.
pub(in crate::journal) fn refuse_commits(journal: &Journal, why: Fault) {
    REFUSALS.lock().unwrap().insert(journal.place().into(), why);
}

pub(in crate::journal) fn allow_commits(journal: &Journal) {
    REFUSALS.lock().unwrap().remove(Path::new(journal.place()));
}

/// How many rows each table has, as whoever opens the file finds it.
pub(in crate::journal) fn rows(dir: &Path) -> BTreeMap<&'static str, u64> {
    let tables = [
        "entry",
        "batch",
        "awaited",
        "set_aside",
        "unrecognised",
        "memory",
        "sent",
        "waiting",
        "recent",
    ];
    tables.map(|table| (table, count(dir, &format!("SELECT count(*) FROM {table}")))).into()
}

/// Rows and waits of a spreadsheet, counted in the tables.
pub(in crate::journal) fn counted(dir: &Path, BookId(book): BookId) -> (u64, u64) {
    let of_book = format!("SELECT id FROM queue WHERE book = {book}");
    let pending = format!("SELECT count(*) FROM entry WHERE queue IN ({of_book})");
    let waiting = format!("SELECT count(*) FROM waiting WHERE book = {book} AND is_over = 0");
    (count(dir, &pending), count(dir, &waiting))
}

fn count(dir: &Path, sql: &str) -> u64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(dir.join(FILE), flags).unwrap();
    let count: i64 = connection.query_row(sql, (), |row| row.get(0)).unwrap();
    count.cast_unsigned()
}

/// Somebody who reads the database and does not let go.
pub(in crate::journal) fn reader(dir: &Path) -> Connection {
    let connection = Connection::open(dir.join(FILE)).unwrap();
    connection.execute_batch("BEGIN; SELECT count(*) FROM entry;").unwrap();
    connection
}

/// Somebody who writes to the database and does not let go.
pub(in crate::journal) fn writer(dir: &Path) -> Connection {
    let connection = Connection::open(dir.join(FILE)).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}
