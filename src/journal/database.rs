//! The database file: opened safely or not at all.
//!
//! Refuses a directory that cannot be written, a file of a newer version and a second process, each
//! with a plain sentence. Migrations run one by one, each in its own transaction.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::{Connection, OpenFlags, params};

/// The name of the database in the data directory.
pub(super) const FILE: &str = "journal.sqlite3";
const LOCK: &str = "journal.lock";

/// Schema changes in order, each with the `user_version` it leads to.
const MIGRATIONS: &[(u32, &str)] = &[
    (1, include_str!("schema.sql")),
    (2, include_str!("schema_2.sql")),
    (3, include_str!("schema_3.sql")),
];

/// The newest schema that this program knows.
pub(super) const KNOWN: u32 = 3;

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
    /// The file is damaged or the disk does not answer.
    #[error(
        "cannot open the journal in {}; if its file is damaged, put a backup in its place, or move it \
         away to begin anew without the rows that were waiting in it",
        dir.display()
    )]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

/// Holds the data directory for this process until dropped; the system lets go at `kill -9`.
#[derive(Debug)]
pub(super) struct Hold {
    _file: File,
}

/// Takes the data directory for this process.
pub(super) fn hold(dir: &Path) -> Result<Hold, OpenError> {
    let unwritable = |source| OpenError::Unwritable { dir: dir.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(unwritable)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join(LOCK))
        .map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(Hold { _file: file }),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unwritable(source)),
    }
}

/// Opens the database for writing and brings its schema up to date.
pub(super) fn open(dir: &Path) -> Result<Connection, OpenError> {
    let damaged = |source| OpenError::Damaged { dir: dir.to_owned(), source };
    let mut connection = Connection::open(dir.join(FILE)).map_err(damaged)?;
    let found = version(&connection).map_err(damaged)?;
    if found > KNOWN {
        return Err(OpenError::Newer { dir: dir.to_owned(), found, known: KNOWN });
    }
    configure(&connection).map_err(damaged)?;
    migrate(&mut connection, found).map_err(damaged)?;
    Ok(connection)
}

/// Opens the database for reading only, beside the writer.
pub(super) fn open_reader(dir: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(dir.join(FILE), flags)
        .and_then(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            Ok(connection)
        })
        .map_err(|source| OpenError::Damaged { dir: dir.to_owned(), source })
}

/// Only `check` and backups ever share the file with the writer, for milliseconds.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// FULL, because an answered 200 must survive a power cut: with NORMAL a commit in the WAL may
/// roll back. `secure_delete`, because a delivered patient's data must not linger in free pages.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

pub(super) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn migrate(connection: &mut Connection, found: u32) -> rusqlite::Result<()> {
    for (version, migration) in MIGRATIONS.iter().filter(|(version, _)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        if *version == 1 {
            beget(&transaction)?;
        }
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Letters and digits that nobody mistakes for one another.
const TAG_LETTERS: [char; 30] = [
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w',
    'x', 'y', 'z', '2', '3', '4', '5', '6', '7', '8', '9',
];

/// Gives a new journal what makes it itself.
fn beget(connection: &Connection) -> rusqlite::Result<()> {
    let mut hash_key = [0_u8; 32];
    // Without randomness the system is not fit to serve; SQLite's error is the way out of here.
    SystemRandom::new().fill(&mut hash_key).map_err(|_| rusqlite::Error::InvalidQuery)?;
    let tag: String = (0..6).filter_map(|_| fastrand::choice(TAG_LETTERS)).collect();
    let set = "INSERT INTO meta (name, value) VALUES (?1, ?2)";
    connection.execute(set, params!["hash_key", hash_key.as_slice()])?;
    connection.execute(set, params!["tag", tag])?;
    connection.execute(set, params!["marker_base", random_marker_base()])?;
    connection.execute(set, params!["tab_id", random_tab_id()])?;
    Ok(())
}

/// A batch's marker id is this plus its number: positive, within 31 bits for 147 million batches,
/// and apart from the ids that Google draws only by chance, which a refusal would tell.
pub(super) fn random_marker_base() -> i64 {
    fastrand::i64(1_000_000_000..2_000_000_000)
}

/// Caller-chosen, so that making the tab twice is refused by Google instead of making two.
pub(super) fn random_tab_id() -> i64 {
    fastrand::i64(100_000_000..1_000_000_000)
}
