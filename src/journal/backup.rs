//! A copy of the journal, of one moment, while it goes on.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use crate::journal::database::FILE;
use crate::journal::reader::Reader;
use crate::journal::{Error, Journal};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupFault {
    /// The file is there already, or cannot be made.
    #[error("cannot make {}; choose a path that does not exist yet", file.display())]
    File {
        /// The path.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It could not be filled.
    #[error("cannot copy the journal")]
    Copy(#[source] Arc<Error>),
    /// It could not be made to last.
    #[error("cannot sync the copy to its disk")]
    Sync(#[source] std::io::Error),
}

impl Journal {
    /// Whether there is a journal in this directory.
    pub fn is_in(dir: &Path) -> bool {
        dir.join(FILE).is_file()
    }

    /// Copies the journal as it is at this moment into a new file that only its owner may read.
    ///
    /// The copy is one read transaction: events are taken and rows are written meanwhile.
    ///
    /// # Errors
    /// [`BackupFault`]; what was made of the file is removed again.
    pub async fn back_up(&self, file: &Path) -> Result<(), BackupFault> {
        let unmade = |source| BackupFault::File { file: file.to_owned(), source };
        // SQLite takes names as text, and would write to another one.
        let Some(name) = file.to_str().map(str::to_owned) else {
            return Err(unmade(std::io::Error::other("the name is not UTF-8")));
        };
        // Made by us, so that it is never anyone else's and never readable by others, not even briefly.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
        let made = made.map_err(unmade)?;
        let copied = self.read(move |reader| reader.copy_into(&name)).await;
        let done = match copied {
            Ok(()) => synced(&made, file).map_err(BackupFault::Sync),
            Err(error) => Err(BackupFault::Copy(error)),
        };
        if done.is_err() {
            drop(std::fs::remove_file(file));
        }
        done
    }
}

/// The file and its name.
fn synced(made: &File, file: &Path) -> std::io::Result<()> {
    made.sync_all()?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

impl Journal {
    /// Looks through the whole database for pages that are not what was written.
    ///
    /// # Errors
    /// [`Error::Damaged`] where there is one, and whatever kept it from being read.
    pub async fn verify(&self) -> Result<(), Arc<Error>> {
        self.read(Reader::verify).await
    }
}

impl Reader {
    fn verify(&self) -> Result<(), Error> {
        let sql = "PRAGMA quick_check(1)";
        let word: String = self.with(|db| db.query_row(sql, (), |row| row.get(0)))?;
        match word.as_str() {
            "ok" => Ok(()),
            // Its words name pages and trees, nothing of what is in them.
            _ => Err(Error::Damaged(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
                Some(word),
            ))),
        }
    }

    fn copy_into(&self, file: &str) -> Result<(), Error> {
        let copy = |db: &Connection| db.execute("VACUUM INTO ?1", [file]);
        self.with(copy)?;
        Ok(())
    }
}
