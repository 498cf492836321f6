//! The log behind the database (SQLite's WAL): emptied when nobody waits, and watched.
//!
//! What is deleted is overwritten in the database, but lingers in the log until that is emptied. Whoever
//! reads the database for long (a backup, a replica, an open shell) keeps it from being emptied and from
//! being begun anew, so that it grows. Neither may delay an answer: it is tried without waiting, again
//! every few seconds, and said once it has gone on for long.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::journal::condition::Conditions;
use crate::journal::store::sqlite::open::BUSY_TIMEOUT;

/// How often it is tried again to empty the log.
const TRY_EVERY: Duration = Duration::from_secs(2);
/// How often its size is looked at while events come.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// SQLite begins the log anew at four megabytes. This much more is somebody else's doing.
const BYTES_USUAL: u64 = 64 << 20;

/// How long traces of delivered rows may linger before it is said.
pub(super) const LINGERING_MAX: Duration = Duration::from_secs(60);

/// What is owed to the log.
#[derive(Debug)]
pub(super) struct Log {
    file: PathBuf,
    lingering_max: Duration,
    /// Since when it is to be emptied.
    owed_since: Option<Instant>,
    tried_at: Option<Instant>,
    looked_at: Instant,
}

impl Log {
    /// The log in this file. It is said when it could not be emptied for so long.
    pub(super) fn new(file: PathBuf, lingering_max: Duration) -> Self {
        Self { file, lingering_max, owed_since: None, tried_at: None, looked_at: Instant::now() }
    }

    /// Something was deleted that must not linger. It is tried at once.
    pub(super) fn is_to_be_emptied(&mut self) {
        self.owed_since.get_or_insert_with(Instant::now);
        self.tried_at = None;
    }

    /// When it is to be tried again; `None` where nothing is owed.
    pub(super) fn next_try(&self) -> Option<Duration> {
        self.owed_since?;
        let waited = self.tried_at.map_or(TRY_EVERY, |at| at.elapsed());
        Some(TRY_EVERY.saturating_sub(waited))
    }

    /// Empties it if that is owed and nobody reads, and notes how it is. `dir` is named in what is said.
    pub(super) fn empty(&mut self, connection: &Connection, dir: &Path, conditions: &Conditions) {
        if let Some(since) = self.owed_since
            && self.next_try().is_some_and(|wait| wait.is_zero())
        {
            self.tried_at = Some(Instant::now());
            match Self::truncate(connection) {
                Ok(true) => self.owed_since = None,
                Ok(false) => {}
                Err(error) => log::debug!("cannot empty the log behind the database: {error}"),
            }
            conditions.set_lingering(self.owed_since.is_some());
            let is_long = self.owed_since.is_some() && since.elapsed() >= self.lingering_max;
            conditions.warn("lingering", is_long.then(|| lingering(dir)));
            self.look(dir, conditions);
        } else if self.looked_at.elapsed() >= LOOK_EVERY {
            self.look(dir, conditions);
        }
    }

    fn look(&mut self, dir: &Path, conditions: &Conditions) {
        self.looked_at = Instant::now();
        let bytes = std::fs::metadata(&self.file).map_or(0, |file| file.len());
        conditions.warn("log", (bytes > BYTES_USUAL).then(|| grown(dir)));
    }

    /// Takes everything over into the database and empties the log, without waiting for anybody; false
    /// where somebody reads or writes.
    pub(super) fn truncate(connection: &Connection) -> rusqlite::Result<bool> {
        connection.busy_timeout(Duration::ZERO)?;
        let is_busy = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get::<_, i64>(0))
            .map(|busy| busy != 0);
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(!is_busy?)
    }
}

fn lingering(dir: &Path) -> String {
    format!(
        "delivered rows linger in {}/journal.sqlite3-wal because another program keeps reading the \
         journal: end that program (a backup, a replica, an open shell)",
        dir.display()
    )
}

fn grown(dir: &Path) -> String {
    format!(
        "{}/journal.sqlite3-wal has grown beyond {} MB because another program keeps reading the \
         journal: end that program before the disk is full",
        dir.display(),
        BYTES_USUAL >> 20
    )
}
