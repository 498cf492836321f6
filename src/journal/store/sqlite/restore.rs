//! Putting a copy in the place of the journal: all of it, or nothing.
//!
//! The copy is read through SQLite, examined, and made ready in a folder of its own beside the journal.
//! It then takes the journal's name in one step. A process that is killed at any moment leaves the
//! journal as it was before, or the restored one. The file that was given is only read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::journal::store::sqlite::open::{self, FILE, OpenError};
use crate::journal::store::{Fault, Read};

/// The folder in which the copy is made ready.
const READY: &str = "journal.restoring";

/// How many numbers a restored journal leaves out. Those that were given after the copy was made are in the
/// sheet, on other rows and markers, and must not be given again. Fewer than the resend guard looks back on.
const NUMBERS_LEFT_OUT: i64 = 500_000;

/// What there is after a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Rows still to be written.
    pub pending: u64,
    /// Rows that Google refused.
    pub set_aside: u64,
}

/// Why the journal is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreFault {
    /// The directory cannot be used, or the service runs there.
    #[error(transparent)]
    Directory(OpenError),
    /// Another program has the journal open.
    #[error("another program has the journal in {} open; end it first", dir.display())]
    Busy {
        /// The directory.
        dir: PathBuf,
    },
    /// There is no such file, or it cannot be read.
    #[error("cannot read {}; give the path of a copy that `backup` made", file.display())]
    Unreadable {
        /// The path.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is what it would replace.
    #[error("{} is the journal itself; give the path of a copy", file.display())]
    Itself {
        /// The path.
        file: PathBuf,
    },
    /// Something else, or less than the beginning of a journal.
    #[error("{} is no journal of doubletick-sheets; give the path of a copy that `backup` made", file.display())]
    Foreign {
        /// The path.
        file: PathBuf,
    },
    /// Part of it is missing or broken.
    #[error("{} is damaged or not whole; copy it here again, or take an older copy", file.display())]
    Damaged {
        /// The path.
        file: PathBuf,
        /// What SQLite said, where it is more than a verdict.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A later version of this program made it.
    #[error(
        "{} was made by a newer doubletick-sheets (schema {found}, this one knows {known}); install that \
         version or a later one",
        file.display()
    )]
    Newer {
        /// The path.
        file: PathBuf,
        /// The file's schema.
        found: u32,
        /// The last schema that this program knows.
        known: u32,
    },
    /// Rows would be lost.
    #[error(
        "the journal in {} holds {rows} rows that are not in the sheet; start the service and let it write \
         them, or give them up with --discard-pending",
        dir.display()
    )]
    Pending {
        /// The directory.
        dir: PathBuf,
        /// How many.
        rows: u64,
    },
    /// Nobody knows whether rows would be lost.
    #[error(
        "the journal in {} cannot be read, so nobody knows whether rows wait in it; copy its files \
         elsewhere if somebody shall try to rescue them, then say --discard-pending",
        dir.display()
    )]
    Unknown {
        /// The directory.
        dir: PathBuf,
        /// Why it cannot be read.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The copy cannot be made ready or put in place.
    #[error("cannot make the copy ready in {}; see that there is room for it", dir.display())]
    Place {
        /// The directory.
        dir: PathBuf,
        /// What the system or SQLite said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The journal that there is now.
enum Present {
    /// None.
    Absent,
    /// One that can be opened and counted.
    Readable(Connection),
    /// One that cannot, and may go.
    Broken,
}

/// Puts a copy in the place of the journal in `dir`, while no service runs there.
pub(in crate::journal) fn restore(
    dir: &Path,
    file: &Path,
    discard_pending: bool,
) -> Result<Restored, RestoreFault> {
    let _hold = open::hold(dir).map_err(|error| match error {
        OpenError::Unwritable { source, .. } => place(dir)(source.into()),
        error => RestoreFault::Directory(error),
    })?;
    let copy = examined(dir, file)?;
    let present = present(dir, discard_pending)?;
    let ready = dir.join(READY);
    remove_folder(&ready).map_err(|error| place(dir)(error.into()))?;
    let made = make_ready(dir, &ready, &copy, file);
    let done = made.and_then(|restored| put_in_place(dir, &ready, present).map(|()| restored));
    drop_unfinished_restore(dir);
    done
}

/// Removes what a restore that was killed left behind: a patient's data that nobody looks after.
pub(in crate::journal) fn drop_unfinished_restore(dir: &Path) {
    if let Err(error) = remove_folder(&dir.join(READY)) {
        ::log::warn!("cannot remove {READY} in the data directory; do it by hand: {error}");
    }
}

fn place(dir: &Path) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> RestoreFault {
    let dir = dir.to_owned();
    move |source| RestoreFault::Place { dir: dir.clone(), source }
}

/// The copy, opened for reading, if it is a whole journal of ours.
fn examined(dir: &Path, file: &Path) -> Result<Connection, RestoreFault> {
    let unreadable = |source| RestoreFault::Unreadable { file: file.to_owned(), source };
    let given = fs::metadata(file).map_err(unreadable)?;
    if !given.is_file() {
        return Err(unreadable(ErrorKind::InvalidInput.into()));
    }
    File::open(file).map_err(unreadable)?;
    let is_given = |name: &str| {
        let there = fs::metadata(dir.join(name));
        there.is_ok_and(|there| (there.dev(), there.ino()) == (given.dev(), given.ino()))
    };
    if ["", "-wal", "-shm"].iter().any(|suffix| is_given(&format!("{FILE}{suffix}"))) {
        return Err(RestoreFault::Itself { file: file.to_owned() });
    }
    let refused = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
            RestoreFault::Damaged { file: file.to_owned(), source: Some(Box::new(error)) }
        }
        _ => RestoreFault::Foreign { file: file.to_owned() },
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = Connection::open_with_flags(file, flags).map_err(refused)?;
    match open::schema_of(&copy).map_err(refused)? {
        None => return Err(RestoreFault::Foreign { file: file.to_owned() }),
        Some(found) if found > open::SCHEMA => {
            let known = open::SCHEMA;
            return Err(RestoreFault::Newer { file: file.to_owned(), found, known });
        }
        Some(_) => {}
    }
    let verdict: String =
        copy.query_row("PRAGMA integrity_check(1)", (), |row| row.get(0)).map_err(|error| {
            RestoreFault::Damaged { file: file.to_owned(), source: Some(Box::new(error)) }
        })?;
    if verdict != "ok" {
        return Err(RestoreFault::Damaged { file: file.to_owned(), source: None });
    }
    Ok(copy)
}

/// The journal that is there, if it may be replaced.
fn present(dir: &Path, discard_pending: bool) -> Result<Present, RestoreFault> {
    if !dir.join(FILE).exists() {
        return Ok(Present::Absent);
    }
    let opened = match open::open(dir, true) {
        // Nothing is in it any more.
        Err(OpenError::Emptied { .. }) => return Ok(Present::Broken),
        opened => opened,
    };
    let opened =
        opened.map_err(|error| -> Box<dyn std::error::Error + Send + Sync> { Box::new(error) });
    let counted = opened.and_then(|present| Ok((undelivered(&present)?, present)));
    match counted {
        Ok((rows, _)) if rows > 0 && !discard_pending => {
            Err(RestoreFault::Pending { dir: dir.to_owned(), rows })
        }
        Ok((_, present)) => Ok(Present::Readable(present)),
        Err(_) if discard_pending => Ok(Present::Broken),
        Err(source) => Err(RestoreFault::Unknown { dir: dir.to_owned(), source }),
    }
}

/// Rows that are nowhere but in this journal.
fn undelivered(journal: &Connection) -> Result<u64, Fault> {
    let tally = journal.counters()?.tally;
    let pending = tally.pending() + tally.handovers_pending();
    Ok(pending + tally.set_aside + tally.handovers_set_aside)
}

/// Makes the journal that is to be, whole and on disk, in a folder of its own.
fn make_ready(
    dir: &Path,
    ready: &Path,
    copy: &Connection,
    file: &Path,
) -> Result<Restored, RestoreFault> {
    let failed = place(dir);
    let folder = DirBuilder::new().mode(0o700).create(ready);
    folder.map_err(|error| failed(error.into()))?;
    let path = ready.join(FILE);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let made = made.map_err(|error| failed(error.into()))?;
    // SQLite takes names as text.
    let name = path.to_str().ok_or_else(|| failed("the directory's name is not UTF-8".into()))?;
    copy.execute("VACUUM INTO ?1", [name]).map_err(|error| failed(error.into()))?;
    let restored = renumbered(ready).map_err(|source| RestoreFault::Damaged {
        file: file.to_owned(),
        source: Some(Box::new(source)),
    })?;
    // Whoever restores may be root; whoever serves is not.
    let owner = fs::metadata(dir).map_err(|error| failed(error.into()))?;
    let is_owned = made.metadata().is_ok_and(|made| made.uid() == owner.uid());
    if !is_owned {
        let given = chown(&path, Some(owner.uid()), Some(owner.gid()));
        given.map_err(|error| failed(error.into()))?;
    }
    made.sync_all().map_err(|error| failed(error.into()))?;
    Ok(restored)
}

/// Brings the copy to this version's schema, as the start of the service would, and skips the numbers that
/// may have been given since it was made.
fn renumbered(ready: &Path) -> Result<Restored, Fault> {
    let journal = match open::open(ready, true) {
        Ok(journal) => journal,
        Err(error) => return Err(Fault::Failed(Arc::new(error))),
    };
    let sql = "UPDATE tally SET next_number = next_number + ?1, next_batch = next_batch + ?1";
    journal.execute(sql, [NUMBERS_LEFT_OUT])?;
    let tally = journal.counters()?.tally;
    settle(&journal)?;
    Ok(Restored {
        pending: tally.pending() + tally.handovers_pending(),
        set_aside: tally.set_aside + tally.handovers_set_aside,
    })
}

/// Brings all that the log behind a database holds into it, and removes the log. Refused while another
/// program has it open.
fn settle(journal: &Connection) -> rusqlite::Result<()> {
    journal.query_row("PRAGMA journal_mode = DELETE", (), |_| Ok(()))
}

/// Gives what is ready the journal's name.
fn put_in_place(dir: &Path, ready: &Path, present: Present) -> Result<(), RestoreFault> {
    let failed = |error: std::io::Error| place(dir)(error.into());
    if let Present::Readable(present) = present {
        settle(&present).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                RestoreFault::Busy { dir: dir.to_owned() }
            }
            _ => place(dir)(error.into()),
        })?;
    }
    // A log that is left would be taken for the restored journal's: it goes first. Of a journal that can be
    // read nothing is in it any more.
    for suffix in ["-wal", "-shm"] {
        match fs::remove_file(dir.join(format!("{FILE}{suffix}"))) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let folder = File::open(dir).map_err(failed)?;
    folder.sync_all().map_err(failed)?;
    fs::rename(ready.join(FILE), dir.join(FILE)).map_err(failed)?;
    folder.sync_all().map_err(failed)
}

fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
