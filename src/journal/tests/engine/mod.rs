//! The engine under the tests: the one place where they know which it is.
//!
//! A test takes a [`Place`], says [`each_engine::each_engine`] above itself, and is run over every engine there is.

mod over;

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use postgres_rig::{Cluster, Database, Session};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::chat::route::Routes;
use crate::chat::time::UnixMs;
use crate::journal::condition::Conditions;
use crate::journal::opening::Engine;
use crate::journal::store::{Fault, Read, Store, postgres, sqlite};
use crate::journal::tests::engine::over::{Over, Will};
use crate::journal::tests::{LIMITS, copied, files_with, one_tab};
use crate::journal::{Address, BookId, Journal, Limits};

const FILE: &str = "journal.sqlite3";

/// Where a journal is kept, empty at first. What is done to it is done to all journals that are open there.
pub(in crate::journal) struct Place {
    at: At,
    will: Arc<Will>,
}

/// A place of one engine.
enum At {
    Sqlite(TempDir),
    Postgres(Arc<Database<'static>>, Box<Mutex<Session>>),
}

impl Place {
    pub(in crate::journal) fn sqlite() -> Self {
        Self::of(At::Sqlite(tempfile::tempdir().unwrap()))
    }

    /// `None` where PostgreSQL is not installed, which is said.
    pub(in crate::journal) fn postgres() -> Option<Self> {
        postgres_rig::installed().then(|| Self::at(Arc::new(Cluster::shared().database())))
    }

    fn at(database: Arc<Database<'static>>) -> Self {
        let session = Box::new(Mutex::new(database.session()));
        Self::of(At::Postgres(database, session))
    }

    fn of(at: At) -> Self {
        Self { at, will: Arc::default() }
    }

    /// Another empty place of the same engine.
    pub(in crate::journal) fn another(&self) -> Self {
        match self.at {
            At::Sqlite(_) => Self::sqlite(),
            At::Postgres(..) => Self::postgres().unwrap(),
        }
    }

    /// How many cases of a property are tried here, of so many: a transaction takes longer where it travels.
    pub(in crate::journal) fn cases(&self, all: u32) -> u32 {
        match self.at {
            At::Sqlite(_) => all,
            At::Postgres(..) => all / 4,
        }
    }

    /// The place as a power cut at this moment would leave it: what another machine finds in the database, or
    /// the files as they are.
    pub(in crate::journal) fn cut(&self) -> Self {
        match &self.at {
            At::Sqlite(dir) => Self::of(At::Sqlite(copied(dir.path()))),
            At::Postgres(database, _) => Self::at(Arc::clone(database)),
        }
    }

    /// The service's journal: everything goes to one tab.
    pub(in crate::journal) fn open(&self) -> Journal {
        self.open_with(LIMITS, one_tab())
    }

    pub(in crate::journal) fn open_with(&self, limits: Limits, routes: Routes) -> Journal {
        self.opened(limits, routes, false)
    }

    /// The journal of another process, beside the service.
    pub(in crate::journal) fn beside(&self) -> Journal {
        self.opened(LIMITS, one_tab(), true)
    }

    /// On a thread of its own: it blocks, and the tests' may not.
    fn opened(&self, limits: Limits, routes: Routes, is_beside: bool) -> Journal {
        std::thread::scope(|scope| {
            scope.spawn(|| self.opened_here(limits, routes, is_beside)).join().unwrap()
        })
    }

    fn opened_here(&self, limits: Limits, routes: Routes, is_beside: bool) -> Journal {
        let (store, reader): (Box<dyn Store>, Box<dyn Read>);
        let (hold, instance): (_, Option<Arc<str>>);
        let name;
        let conditions = Arc::new(Conditions::new("the place of a test"));
        match &self.at {
            At::Sqlite(dir) => {
                let opened = sqlite::open(dir.path(), is_beside, &conditions).unwrap();
                (store, reader) = (Box::new(opened.store), Box::new(opened.reader));
                (name, hold, instance) = ("sqlite", opened.hold, None);
            }
            At::Postgres(database, _) => {
                let address = Arc::new(Address::read(&database.url().into(), None).unwrap());
                let id = format!("{:016x}", fastrand::u64(..));
                let opened = postgres::open(&address, &id).unwrap();
                (store, reader) = (Box::new(opened.store), Box::new(opened.reader));
                (name, hold, instance) = ("postgresql", None, (!is_beside).then(|| id.into()));
            }
        }
        let store = Box::new(Over { beneath: store, will: Arc::clone(&self.will) });
        let reader = Box::new(Over { beneath: reader, will: Arc::clone(&self.will) });
        let engine = Engine { name, store, reader, hold, instance };
        Journal::over(engine, limits, routes, conditions).unwrap()
    }

    /// From now on no transaction is committed.
    pub(in crate::journal) fn refuse_commits(&self) {
        self.refuse_commits_for(Fault::Failed(Arc::new(std::fmt::Error)));
    }

    pub(in crate::journal) fn refuse_commits_for(&self, why: Fault) {
        *self.will.refusal.lock().unwrap() = Some(why);
    }

    pub(in crate::journal) fn allow_commits(&self) {
        *self.will.refusal.lock().unwrap() = None;
    }

    /// From now on what is committed seems to have failed; or no more.
    pub(in crate::journal) fn lose_answers(&self, do_so: bool) {
        self.will.loses_answers.store(do_so, Ordering::SeqCst);
    }

    /// From now on all that is kept here is dated by a clock of its own, which says this.
    pub(in crate::journal) fn set_clock(&self, now: UnixMs) {
        *self.will.clock.lock().unwrap() = Some(now);
    }

    /// How many rows each table has, as whoever opens the database finds it.
    pub(in crate::journal) fn rows(&self) -> BTreeMap<&'static str, u64> {
        let tables = [
            "entry",
            "batch",
            "fence",
            "set_aside",
            "unrecognised",
            "memory",
            "sent",
            "waiting",
            "recent",
            "awaited",
            "counted",
        ];
        let counts = tables.map(|table| format!("SELECT count(*) FROM {table}"));
        tables.into_iter().zip(self.counts(&counts.join(" UNION ALL "))).collect()
    }

    /// Rows and waits of a spreadsheet, counted in the tables.
    pub(in crate::journal) fn counted(&self, BookId(book): BookId) -> (u64, u64) {
        let counts = self.counts(&format!(
            "SELECT count(*) FROM entry WHERE queue IN (SELECT id FROM queue WHERE book = {book}) \
             UNION ALL SELECT count(*) FROM waiting WHERE book = {book} AND NOT is_over"
        ));
        (counts[0], counts[1])
    }

    /// The numbers that a statement gives.
    fn counts(&self, sql: &str) -> Vec<u64> {
        match &self.at {
            At::Sqlite(_) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
                let connection = Connection::open_with_flags(self.file(), flags).unwrap();
                let mut statement = connection.prepare(sql).unwrap();
                let counts = statement.query_map((), |row| row.get::<_, i64>(0)).unwrap();
                counts.map(|count| count.unwrap().cast_unsigned()).collect()
            }
            At::Postgres(_, session) => {
                let sql = format!("SET search_path = doubletick_sheets; {sql}");
                let rows = session.lock().unwrap().query(&sql).unwrap();
                rows.into_iter().map(|row| row[0].as_ref().unwrap().parse().unwrap()).collect()
            }
        }
    }

    /// How often PostgreSQL has found something by an index in what is remembered, and how many rows it has
    /// looked through without one. Told a moment late.
    pub(in crate::journal) fn searches(&self) -> (u64, u64) {
        let sums = ["idx_scan", "seq_tup_read"].map(|column| {
            format!(
                "SELECT coalesce(sum({column}), 0)::bigint FROM pg_stat_user_tables \
                 WHERE relname IN ('memory', 'waiting')"
            )
        });
        let sums = self.counts(&sums.join(" UNION ALL "));
        (sums[0], sums[1])
    }

    /// Whether this text stands anywhere in what is kept: in the files, or in what can be read of the tables.
    pub(in crate::journal) fn holds(&self, text: &str) -> bool {
        match &self.at {
            At::Sqlite(dir) => !files_with(dir.path(), text).is_empty(),
            At::Postgres(_, session) => {
                let bytes: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                let mut session = session.lock().unwrap();
                let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                              WHERE schemaname = 'doubletick_sheets'";
                session.query(tables).unwrap().into_iter().any(|table| {
                    let table = table[0].as_ref().unwrap();
                    let found = format!(
                        "SELECT count(*) FROM {table} AS kept WHERE position('{text}' IN kept::text) > 0 \
                         OR position('{bytes}' IN kept::text) > 0"
                    );
                    session.value(&found).unwrap() != "0"
                })
            }
        }
    }

    /// The file of the database.
    pub(in crate::journal) fn file(&self) -> PathBuf {
        match &self.at {
            At::Sqlite(dir) => dir.path().join(FILE),
            At::Postgres(..) => panic!("only SQLite has one"),
        }
    }

    /// Somebody who reads the database and does not let go.
    pub(in crate::journal) fn reader(&self) -> Box<dyn Any> {
        match &self.at {
            At::Sqlite(dir) => Box::new(reader(dir.path())),
            At::Postgres(database, _) => {
                let mut session = database.session();
                let read = "BEGIN ISOLATION LEVEL REPEATABLE READ;
                            SELECT count(*) FROM doubletick_sheets.entry";
                session.query(read).unwrap();
                Box::new(session)
            }
        }
    }

    /// Somebody who writes to the database and does not let go.
    pub(in crate::journal) fn writer(&self) -> Box<dyn Any> {
        match &self.at {
            At::Sqlite(_) => {
                let connection = Connection::open(self.file()).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                Box::new(connection)
            }
            At::Postgres(database, _) => {
                let mut session = database.session();
                let lock = "BEGIN; SELECT 1 FROM doubletick_sheets.tally FOR UPDATE";
                session.query(lock).unwrap();
                Box::new(session)
            }
        }
    }
}

/// Somebody who reads the database of a directory and does not let go.
pub(in crate::journal) fn reader(dir: &Path) -> Connection {
    let connection = Connection::open(dir.join(FILE)).unwrap();
    connection.execute_batch("BEGIN; SELECT count(*) FROM entry;").unwrap();
    connection
}
