//! The database file, opened safely or not at all.
//!
//! Refuses a directory that cannot be written, a full disk, a file that is not this program's or of a newer
//! version, an empty file where a journal was, and a second process, each with a plain sentence. Only its
//! owner may read what is made here.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, params};

use crate::journal::origin::{MARKER_BASE, Origin, marker_base};
use crate::journal::store::sqlite::reserve;

/// The name of the database in the data directory.
pub(in crate::journal) const FILE: &str = "journal.sqlite3";
const LOCK: &str = "journal.lock";
/// Only their owner may read the files: they hold patients' names and numbers.
const MODE: u32 = 0o600;

/// What marks a database as a journal of this program: `DTSJ`.
const APPLICATION: i32 = 0x4454_534A;
/// The schema that this program writes.
pub(in crate::journal) const SCHEMA: u32 = 1;

/// Why the journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is missing and cannot be made, or cannot be written.
    #[error("cannot write to the data directory {}; make it writable or set DATA_DIR", dir.display())]
    Unwritable {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no room at all.
    #[error(
        "the disk of the data directory {} is full: make the volume larger or free some of it, and start \
         again; nothing is lost, and the journal's files must stay",
        dir.display()
    )]
    DiskFull {
        /// The directory.
        dir: PathBuf,
    },
    /// Another process holds it.
    #[error(
        "the data directory {} is in use by another doubletick-sheets; stop that one first",
        dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A later version of this program made it.
    #[error(
        "the journal in {} was made by a newer doubletick-sheets (schema {found}, this one knows \
         {known}); install that version or a later one",
        dir.display()
    )]
    Newer {
        /// The directory.
        dir: PathBuf,
        /// The file's schema.
        found: u32,
        /// The last schema that this program knows.
        known: u32,
    },
    /// It was moved into a database, or was about to be.
    #[error(
        "the journal in {} was moved into a database: set DATABASE_URL to that one again; with another \
         DATA_DIR a new journal begins, which knows nothing of the rows in the other",
        dir.display()
    )]
    Moved {
        /// The directory.
        dir: PathBuf,
    },
    /// The file is somebody else's, or of a version that was never released.
    #[error(
        "{} is not a journal of this program; put the right file in its place, or set DATA_DIR",
        file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// The file is there and empty, though a journal was.
    #[error(
        "{} is empty, though the directory held a journal before: put a backup in its place with \
         `doubletick-sheets restore FILE`; or delete it to begin anew, without the rows that were waiting \
         in it",
        file.display()
    )]
    Emptied {
        /// The file.
        file: PathBuf,
    },
    /// The file is damaged or the disk does not answer.
    #[error(
        "cannot open the journal in {}; if its file is damaged, put a backup in its place with \
         `doubletick-sheets restore FILE`, or move it away to begin anew without the rows that were \
         waiting in it",
        dir.display()
    )]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// What SQLite said, or the journal of its records.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// The database is there and cannot be used.
    pub(in crate::journal) fn unusable(
        dir: &Path,
        source: Arc<dyn std::error::Error + Send + Sync>,
    ) -> Self {
        match dir.to_owned() {
            dir if is_full(&dir) => Self::DiskFull { dir },
            dir => Self::Damaged { dir, source },
        }
    }
}

/// Holds the data directory for this process until dropped; the system lets go at `kill -9`.
#[derive(Debug)]
pub(in crate::journal) struct Hold {
    file: File,
}

impl Drop for Hold {
    /// Closing the file would do, but for a process that is being started by this one at that moment: it has the file
    /// too until it becomes another program.
    fn drop(&mut self) {
        // Where the system does not let go now, it does when the file is closed.
        drop(self.file.unlock());
    }
}

/// Takes the data directory for this process.
pub(in crate::journal) fn hold(dir: &Path) -> Result<Hold, OpenError> {
    let unwritable = |source: std::io::Error| match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            OpenError::DiskFull { dir: dir.to_owned() }
        }
        _ => OpenError::Unwritable { dir: dir.to_owned(), source },
    };
    std::fs::create_dir_all(dir).map_err(unwritable)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(MODE)
        .open(dir.join(LOCK))
        .map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(Hold { file }),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unwritable(source)),
    }
}

/// Opens the database for writing; makes it if there is none and `may_make` it.
pub(in crate::journal) fn open(dir: &Path, may_make: bool) -> Result<Connection, OpenError> {
    match try_open(dir, may_make) {
        // On a full disk what is kept back is what it takes to open it, and to write what is pending.
        Err(OpenError::Damaged { .. }) if is_full(dir) => {
            if may_make {
                reserve::give_back(dir);
                if !is_full(dir) {
                    return try_open(dir, may_make);
                }
            }
            Err(OpenError::DiskFull { dir: dir.to_owned() })
        }
        tried => tried,
    }
}

fn try_open(dir: &Path, may_make: bool) -> Result<Connection, OpenError> {
    let damaged = |source: rusqlite::Error| damaged(dir, source);
    let file = dir.join(FILE);
    let is_new = is_new(dir, &file)?;
    if may_make {
        own(&file).map_err(|source| OpenError::Unwritable { dir: dir.to_owned(), source })?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&file, flags).map_err(damaged)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(damaged)?;
    if is_new && may_make {
        make(&mut connection).map_err(damaged)?;
        log::info!("made a new journal in {}", dir.display());
    }
    match schema_of(&connection).map_err(damaged)? {
        None => return Err(OpenError::Foreign { file }),
        Some(found) if found > SCHEMA => {
            return Err(OpenError::Newer { dir: dir.to_owned(), found, known: SCHEMA });
        }
        Some(_) => {}
    }
    configure(&connection).map_err(damaged)?;
    Ok(connection)
}

fn damaged(dir: &Path, source: rusqlite::Error) -> OpenError {
    OpenError::Damaged { dir: dir.to_owned(), source: Arc::new(source) }
}

/// Whether there is no journal yet. A process that ended in the moment of making one leaves an empty
/// file; so does somebody who empties it, and then the reserve or the log beside it tells.
fn is_new(dir: &Path, file: &Path) -> Result<bool, OpenError> {
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    if bytes(file) > 0 {
        return Ok(false);
    }
    let was_used = bytes(&log_of(dir)) > 0 || reserve::is_there(dir);
    if file.exists() && was_used {
        return Err(OpenError::Emptied { file: file.to_owned() });
    }
    if was_used {
        log::warn!("there is no journal in {} any more: a new one begins", dir.display());
    }
    Ok(true)
}

/// Makes the file if it is not there; only its owner may read it. SQLite gives the files beside it the
/// same permissions.
fn own(file: &Path) -> std::io::Result<()> {
    let made = OpenOptions::new().create(true).append(true).mode(MODE).open(file)?;
    if made.metadata()?.permissions().mode() & 0o077 != 0 {
        made.set_permissions(Permissions::from_mode(MODE))?;
    }
    Ok(())
}

/// Whether not even a little can be written there.
fn is_full(dir: &Path) -> bool {
    const BYTES: usize = 256 << 10;
    let path = dir.join("journal.probe");
    let written = File::create(&path).and_then(|mut file| file.write_all(&[0x20; BYTES]));
    drop(std::fs::remove_file(path));
    written.is_err_and(|error| {
        matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
    })
}

/// The log behind the database.
pub(super) fn log_of(dir: &Path) -> PathBuf {
    dir.join(format!("{FILE}-wal"))
}

/// Opens the database for reading only, beside the writer.
pub(super) fn open_reader(dir: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(dir.join(FILE), flags)
        .and_then(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            Ok(connection)
        })
        .map_err(|source| damaged(dir, source))
}

/// For how long somebody else's write transaction is waited for.
pub(super) const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// FULL, because an answered 200 must survive a power cut: with NORMAL a commit in the WAL may
/// roll back. `secure_delete`, because a delivered patient's data must not linger in free pages.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// The schema of a journal; `None` where it is no journal of this program's.
pub(in crate::journal) fn schema_of(connection: &Connection) -> rusqlite::Result<Option<u32>> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let is_ours = number("application_id")? == i64::from(APPLICATION);
    let schema = u32::try_from(number("user_version")?).unwrap_or_default();
    Ok(is_ours.then_some(schema))
}

/// Makes the tables of a new journal, whole or not at all.
fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    // Free pages can be given back to a full disk a few at a time; only before there are tables.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    add_origin(&transaction)?;
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.commit()
}

/// Gives a new journal what makes it itself.
fn add_origin(connection: &Connection) -> rusqlite::Result<()> {
    // Without randomness the system is not fit to serve; SQLite's error is the way out of here.
    let origin = Origin::draw().ok_or(rusqlite::Error::InvalidQuery)?;
    let set = "INSERT INTO meta (name, value) VALUES (?1, ?2)";
    connection.execute(set, params!["hash_key", origin.hash_key])?;
    connection.execute(set, params!["tag", &*origin.tag])?;
    connection.execute(set, params![MARKER_BASE, marker_base()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a process has it that was started just then, until it becomes another program.
    #[test]
    fn a_directory_is_free_at_once_though_a_copy_of_the_lock_is_still_open() {
        let dir = tempfile::tempdir().unwrap();
        let held = hold(dir.path()).unwrap();
        let copy = held.file.try_clone().unwrap();
        assert!(matches!(hold(dir.path()), Err(OpenError::InUse { .. })));
        drop(held);
        drop(hold(dir.path()).unwrap());
        drop(copy);
    }
}
