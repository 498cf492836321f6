//! The journal: the only owner of the database, and the only one who can say that an event is kept.
//!
//! ```text
//!            accept                    seal                    written
//!  event ───────────────▶ pending ──────────────▶ in a batch ───────────▶ gone (counted)
//!    │                       ▲                      │   │
//!    └─▶ duplicate           ├────── released ──────┘   └─ set_aside ─▶ kept apart, with reason
//!                            └─────────────────── retried ────────────────────┘
//! ```
//!
//! Each arrow is one transaction, fsync'ed before anyone hears of it. A crash before the commit
//! leaves the state before the arrow, a crash after it the state behind. In particular: killed after
//! `seal`, the same batch is taken up again; killed after the sheet was written but before `written`,
//! the batch is sent again and its marker tells that it is there already.
//!
//! Guarantees: a [`Receipt`] exists only for a committed event; a [`Batch`] never changes; rows leave
//! in the order they came; what is delivered is deleted. Leaves to others: what an event means
//! ([`crate::chat`]) and how rows reach the sheet.

mod accept;
mod backup;
mod batch;
mod condition;
mod database;
mod delivery;
mod digest;
pub mod export;
mod forget;
mod guard;
mod kept;
mod log;
mod memory;
mod memtable;
mod names;
mod outbox;
mod page;
mod reader;
mod receipt;
mod register;
mod reserve;
mod restore;
mod set_aside;
mod statements;
mod tally;
mod upkeep;
mod waiting;
mod writer;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::hmac;
use tokio::sync::watch;

pub use crate::journal::backup::BackupFault;
pub use crate::journal::batch::{Batch, Draft, Unsettled};
pub use crate::journal::condition::Condition;
pub use crate::journal::database::OpenError;
pub use crate::journal::delivery::{Measure, TitleAt};
pub use crate::journal::forget::Forgotten;
pub use crate::journal::kept::Kept;
pub use crate::journal::names::Unnamed;
pub use crate::journal::receipt::{Receipt, Refusal, Standing};
pub use crate::journal::restore::{RestoreFault, Restored};
pub use crate::journal::set_aside::{Retried, SetAside, SetAsidePages, Whereabouts};
pub use crate::journal::tally::{BookId, Counters, Tally, Work};
pub use crate::journal::waiting::Look;

use crate::chat::digest::Digest;
use crate::chat::entry::EventId;
use crate::chat::memory::Rules;
use crate::chat::route::Routes;
use crate::chat::time::UnixMs;
use crate::journal::condition::Conditions;
use crate::journal::database::Hold;
use crate::journal::log::{LINGERING_MAX, Log};
use crate::journal::names::Names;
use crate::journal::reader::Reader;
use crate::journal::register::Register;
use crate::journal::reserve::Reserve;
use crate::journal::writer::Writer;

/// Why the journal did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More waits than may wait.
    #[error("too many requests wait for the journal")]
    Busy,
    /// The service is stopping.
    #[error("the journal is closed")]
    Closed,
    /// There is no room on the disk.
    #[error(
        "the disk is full: make the volume larger or free some of it; events are refused until there \
         is room, and rows still go out"
    )]
    DiskFull,
    /// The last batch of that spreadsheet is not finished.
    #[error("a batch of this spreadsheet is under way already")]
    BatchOpen,
    /// Another program holds the database for writing and does not let go.
    #[error(
        "another program is writing to the journal's database and does not let go: end that program"
    )]
    Locked,
    /// A page of the database is not what was written.
    #[error(
        "the journal's database is damaged: what can be read goes on; put a backup in its place with \
         `doubletick-sheets restore FILE`, and see `doubletick-sheets check`"
    )]
    Damaged(#[source] rusqlite::Error),
    /// The disk or the database refused.
    #[error("cannot use the journal's database")]
    Storage(#[source] rusqlite::Error),
    /// A record cannot be written as JSON or read back. Without the library's words: they quote what
    /// stands in the record.
    #[error("cannot read a record of the journal (JSON, {0:?} error)")]
    Record(serde_json::error::Category),
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Record(error.classify())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Self::Locked
            }
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Damaged(error)
            }
            _ => Self::Storage(error),
        }
    }
}

/// What the journal may hold and for how long things count.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most rows that may be pending.
    pub pending_rows_max: u64,
    /// What counts as a resend, and how long anything is remembered.
    pub rules: Rules,
}

/// The journal of one data directory. Cheap to share; closed when the last handle is gone.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    // Fields drop in this order. The writer closes last of the two, which empties and removes the log
    // behind the database, and only then the directory is let go.
    reader: Reader,
    writer: Writer,
    counters: watch::Receiver<Counters>,
    register: Arc<Register>,
    tag: Arc<str>,
    hash_key: hmac::Key,
    limits: Limits,
    names: Arc<Names>,
    conditions: Arc<Conditions>,
    dir: PathBuf,
    hold: Option<Hold>,
}

impl Journal {
    /// Opens the journal in `dir`, making it if there is none.
    ///
    /// # Errors
    /// An [`OpenError`] whose sentence says what to do.
    pub fn open(dir: &Path, limits: Limits, routes: Routes) -> Result<Self, OpenError> {
        let hold = database::hold(dir)?;
        Self::opened(dir, limits, routes, Some(hold))
    }

    /// Opens the journal in `dir`, beside the service if it is running there. For what takes a
    /// moment and ends; nothing is forwarded from here.
    ///
    /// # Errors
    /// An [`OpenError`] whose sentence says what to do.
    pub fn open_beside(dir: &Path, limits: Limits, routes: Routes) -> Result<Self, OpenError> {
        match database::hold(dir) {
            Ok(hold) => Self::opened(dir, limits, routes, Some(hold)),
            Err(OpenError::InUse { .. }) => Self::opened(dir, limits, routes, None),
            Err(error) => Err(error),
        }
    }

    fn opened(
        dir: &Path,
        limits: Limits,
        routes: Routes,
        hold: Option<Hold>,
    ) -> Result<Self, OpenError> {
        let damaged = |source| OpenError::Damaged { dir: dir.to_owned(), source };
        let unregistered = |error| match error {
            Error::Storage(source) | Error::Damaged(source) => damaged(source),
            error => damaged(rusqlite::Error::ToSqlConversionFailure(Box::new(error))),
        };
        let mut connection = database::open(dir, hold.is_some())?;
        let (hash_key, tag) = reader::origin(&connection).map_err(damaged)?;
        let register = Register::open(&mut connection, routes, hold.is_some());
        let register = Arc::new(register.map_err(unregistered)?);
        let counters = Counters::load(&connection).map_err(damaged)?;
        let reader = Reader::new(database::open_reader(dir)?);
        let (published, watched) = watch::channel(counters);
        let conditions = Arc::new(Conditions::new(dir));
        let log = Log::new(database::log_of(dir), LINGERING_MAX);
        let reserve = hold.is_some().then(|| Reserve::new(dir));
        let names = Arc::new(Names::default());
        let page = (Arc::clone(&register), Arc::clone(&names), Arc::clone(&conditions));
        let upkeep = (log, reserve);
        let writer = Writer::start(connection, page, published, upkeep)
            .map_err(|source| OpenError::Unwritable { dir: dir.to_owned(), source })?;
        Ok(Self(Arc::new(Inner {
            writer,
            reader,
            counters: watched,
            register,
            tag,
            hash_key: hmac::Key::new(hmac::HMAC_SHA256, &hash_key),
            limits,
            names,
            conditions,
            dir: dir.to_owned(),
            hold,
        })))
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Whether the service is running on the same directory, in another process.
    pub fn is_beside(&self) -> bool {
        self.0.hold.is_none()
    }

    /// The counters after the last commit.
    pub fn tally(&self) -> Tally {
        self.0.counters.borrow().tally
    }

    /// What there is to do for a spreadsheet, after the last commit.
    pub fn work(&self, book: BookId) -> Work {
        self.0.counters.borrow().work(book)
    }

    /// How many chats wait for an agent, on all boards.
    pub fn waiting(&self) -> u64 {
        self.0.counters.borrow().waiting()
    }

    /// How many spreadsheets have something to write, this one included.
    pub fn busy_books(&self, own: BookId) -> usize {
        self.0.counters.borrow().busy(own)
    }

    /// The spreadsheets that rows go to, by Google's id, the default one first.
    pub fn books(&self) -> Vec<(String, BookId)> {
        self.0.register.books()
    }

    /// Tells of every commit that changed the counters.
    pub fn watch(&self) -> watch::Receiver<Counters> {
        self.0.counters.clone()
    }

    /// Why no event can be taken; `None` when they can.
    pub fn condition(&self) -> Option<Condition> {
        let (pending, rows) = (self.tally().pending(), self.0.limits.pending_rows_max);
        let crowded = (pending >= rows).then_some(Condition::Crowded { rows });
        self.0.conditions.get().or(crowded)
    }

    /// What is amiss though events are taken, each a sentence that says what to do.
    pub fn warnings(&self) -> Vec<String> {
        self.0.conditions.warnings()
    }

    /// When the oldest pending row was received; `None` when nothing is pending.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn oldest_pending(&self) -> Result<Option<UnixMs>, Arc<Error>> {
        let queues: Vec<i64> = self.0.register.queues().collect();
        self.read(move |reader| reader.oldest_pending(&queues)).await
    }

    async fn meta(&self, name: &str) -> Result<Option<i64>, Arc<Error>> {
        let name = name.to_owned();
        self.read(move |reader| reader.meta(&name)).await
    }

    /// Reads on a thread that may block.
    async fn read<T, F>(&self, read: F) -> Result<T, Arc<Error>>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || read(&inner.reader)).await;
        done.unwrap_or(Err(Error::Closed)).map_err(Arc::new)
    }

    fn event_id(&self, number: u64) -> EventId {
        EventId { tag: Arc::clone(&self.0.tag), number }
    }

    /// A key for a purpose of its own, the same for as long as this journal exists.
    pub fn key_for(&self, purpose: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0.hash_key);
        context.update(b"key for");
        purpose.iter().for_each(|part| context.update(part));
        let mut key = [0; 32];
        key.copy_from_slice(context.sign().as_ref());
        key
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        digest::digest(&self.0.hash_key, parts)
    }

    fn digest_of(&self, name: &str) -> Digest {
        self.digest(&[b"name", name.as_bytes()])
    }
}
