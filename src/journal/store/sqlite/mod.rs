//! The store on SQLite: one file, one machine, the embedded default.
//!
//! WAL and `synchronous=FULL`: a commit that returned survives a power cut. All SQL of the engine stands in
//! this folder, [`mod@read`] and [`mod@write`] first of all. Two things are found by an index in memory, since one
//! over random keys would cost the way in most of its speed: the last event of a chat ([`recent`]) and who
//! waits ([`waits`]).

mod counted;
mod log;
mod open;
mod read;
mod recent;
mod reserve;
mod restore;
mod waits;
mod write;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

pub(in crate::journal) use crate::journal::store::sqlite::open::Hold;
pub use crate::journal::store::sqlite::open::OpenError;
pub use crate::journal::store::sqlite::restore::{RestoreFault, Restored};
pub(in crate::journal) use crate::journal::store::sqlite::restore::{
    drop_unfinished_restore, restore,
};

use crate::journal::condition::Conditions;
#[cfg(feature = "postgres")]
use crate::journal::origin::Origin;
use crate::journal::store::sqlite::log::{LINGERING_MAX, Log};
use crate::journal::store::sqlite::recent::Recent;
use crate::journal::store::sqlite::reserve::Reserve;
use crate::journal::store::sqlite::waits::WaitIndex;
use crate::journal::store::{Changes, Fault, Keys, Loaded, Read, Span, Store, StoredBatch};

/// How often room is looked for on a disk that was full.
const TRY_FOR_ROOM_EVERY: Duration = Duration::from_secs(2);
/// Free pages given back to a full disk in one step, and for how long steps follow one another.
const GIVE_BACK_PAGES: i64 = 128;
const GIVE_BACK_FOR: Duration = Duration::from_millis(100);

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::DiskFull) => Self::DiskFull,
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Locked,
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::Damaged(Arc::new(error)),
            _ => Self::Failed(Arc::new(error)),
        }
    }
}

/// Whether there is a journal in this directory.
pub(in crate::journal) fn is_in(dir: &Path) -> bool {
    dir.join(open::FILE).is_file()
}

/// How long its file is.
pub(in crate::journal) fn bytes_in(dir: &Path) -> Option<u64> {
    dir.join(open::FILE).metadata().ok().map(|file| file.len())
}

/// What opening a directory gives.
pub(in crate::journal) struct Opened {
    pub(in crate::journal) store: Sqlite,
    /// A connection that only reads, beside the writer.
    pub(in crate::journal) reader: Connection,
    /// `None` beside the service that holds the directory.
    pub(in crate::journal) hold: Option<Hold>,
}

/// Opens the journal in `dir`, making it if there is none; `beside` also where another process serves
/// there.
pub(in crate::journal) fn open(
    dir: &Path,
    beside: bool,
    conditions: &Arc<Conditions>,
) -> Result<Opened, OpenError> {
    let hold = match open::hold(dir) {
        Ok(hold) => Some(hold),
        Err(OpenError::InUse { .. }) if beside => None,
        Err(error) => return Err(error),
    };
    let connection = open::open(dir, hold.is_some())?;
    let reader = open::open_reader(dir)?;
    let store = Sqlite {
        connection,
        recent: Recent::default(),
        waits: WaitIndex::default(),
        version: None,
        are_indexes_old: true,
        log: Log::new(open::log_of(dir), LINGERING_MAX),
        reserve: hold.is_some().then(|| Reserve::new(dir)),
        has_room: true,
        tried_at: Instant::now(),
        dir: dir.to_owned(),
        conditions: Arc::clone(conditions),
    };
    Ok(Opened { store: store.after_open(), reader, hold })
}

/// The one connection that writes, and what it knows in memory.
pub(in crate::journal) struct Sqlite {
    connection: Connection,
    recent: Recent,
    waits: WaitIndex,
    /// SQLite's word on who committed last, as far as we have read; `None` after a failure.
    version: Option<i64>,
    /// Whether there are commits that the indexes do not know.
    are_indexes_old: bool,
    log: Log,
    reserve: Option<Reserve>,
    has_room: bool,
    tried_at: Instant,
    dir: PathBuf,
    conditions: Arc<Conditions>,
}

impl Sqlite {
    fn after_open(mut self) -> Self {
        self.has_room = self.reserve.as_ref().is_none_or(Reserve::is_held);
        self.conditions.set_full(!self.has_room);
        self
    }

    fn begin_now(&mut self) -> Result<bool, Fault> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")?
            .query_row((), |row| row.get(0))
            .map(Some)?;
        let is_old = self.version != version;
        self.are_indexes_old |= is_old;
        self.version = version;
        Ok(is_old)
    }

    /// Reads the indexes anew where they are old: when they are first needed, so that the start need not
    /// wait for it.
    fn catch_up(&mut self) -> Result<(), Fault> {
        if std::mem::take(&mut self.are_indexes_old) {
            self.recent.catch_up(&self.connection)?;
            self.waits = WaitIndex::load(&self.connection)?;
        }
        Ok(())
    }

    /// After a full disk: takes events again once there is room for the reserve.
    fn make_room(&mut self, is_drained: bool) {
        let Some(reserve) = &mut self.reserve else { return };
        if self.has_room || self.tried_at.elapsed() < TRY_FOR_ROOM_EVERY {
            return;
        }
        self.tried_at = Instant::now();
        if is_drained {
            // What was delivered left free pages inside the file; the disk gets them back.
            if let Err(error) = give_back(&self.connection) {
                ::log::debug!("cannot make the journal's file smaller: {error}");
            }
        }
        if reserve.hold() {
            self.has_room = true;
            self.conditions.set_full(false);
            ::log::info!("the disk has room again: events are taken");
        }
    }
}

/// Gives free pages of the file back to the disk, a few at a time, since each step takes room in the log
/// until that is emptied: half a megabyte, of the reserve's eight.
fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        let before: i64 =
            connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        connection.pragma(None, "incremental_vacuum", GIVE_BACK_PAGES, |_| Ok(()))?;
        Log::truncate(connection)?;
        let after: i64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if after == 0 || after >= before || began.elapsed() > GIVE_BACK_FOR {
            return Ok(());
        }
    }
}

impl Store for Sqlite {
    fn read(&self) -> &dyn Read {
        &self.connection
    }

    fn begin(&mut self, _ahead: &Keys) -> Result<bool, Fault> {
        self.begin_now()
    }

    fn load(&mut self, keys: &Keys) -> Result<Loaded, Fault> {
        self.catch_up()?;
        let mut loaded = Loaded::default();
        self.recent.load(&self.connection, &keys.last, &mut loaded.last)?;
        read::records_under(&self.connection, &keys.records, &mut loaded.records)?;
        self.waits.load_into(&self.connection, keys, &mut loaded.waits)?;
        counted::load(&self.connection, &keys.quarters, &mut loaded.quarters)?;
        Ok(loaded)
    }

    fn write(&mut self, changes: Changes) -> Result<(), Fault> {
        if !(changes.last.is_empty() && changes.waits.is_empty()) {
            self.catch_up()?;
        }
        self.recent.note(&self.connection, &changes.last)?;
        if let Some(until) = changes.last_until {
            self.recent.forget(&self.connection, until)?;
        }
        self.waits.note(&self.connection, &changes.waits)?;
        write::all(&self.connection, changes)
    }

    fn add_batch(&mut self, batch: &StoredBatch) -> Result<(), Fault> {
        write::add_batch(&self.connection, batch)
    }

    fn end_batch(&mut self, number: u64) -> Result<(), Fault> {
        write::end_batch(&self.connection, number)
    }

    fn delete_rows(&mut self, span: Span) -> Result<u64, Fault> {
        write::delete_rows(&self.connection, span)
    }

    #[cfg(feature = "postgres")]
    fn adopt(&mut self, origin: &Origin) -> Result<(), Fault> {
        write::adopt(&self.connection, origin)
    }

    fn commit(&mut self) -> Result<(), Fault> {
        self.connection.prepare_cached("COMMIT")?.execute(())?;
        self.recent.committed();
        Ok(())
    }

    fn roll_back(&mut self, why: Option<&Fault>) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            ::log::debug!("cannot roll back: {error}");
        }
        self.recent.failed();
        (self.version, self.are_indexes_old) = (None, true);
        if matches!(why, Some(Fault::DiskFull)) {
            // No more events, and what was kept back is there for rows to go out.
            self.has_room = false;
            self.conditions.set_full(true);
            if let Some(reserve) = &mut self.reserve {
                reserve.release();
            }
            self.tried_at = Instant::now();
        }
    }

    fn has_room(&self) -> bool {
        self.has_room
    }

    fn purge(&mut self) {
        self.log.is_to_be_emptied();
    }

    fn tidy_up(&mut self, is_drained: bool) -> Option<Duration> {
        self.log.empty(&self.connection, &self.dir, &self.conditions);
        self.make_room(is_drained);
        let is_full = self.reserve.is_some() && !self.has_room;
        self.log.next_try().into_iter().chain(is_full.then_some(TRY_FOR_ROOM_EVERY)).min()
    }
}
