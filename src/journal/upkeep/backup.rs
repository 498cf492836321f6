//! A copy of the journal, of one moment, while it goes on.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::journal::store::sqlite;
use crate::journal::{Error, Journal, RestoreFault, Restored};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupFault {
    /// The file is there already, or cannot be made.
    #[error("cannot make {}; give the path of a new file in a directory that is there", file.display())]
    File {
        /// The path.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It could not be filled.
    #[error("cannot copy the journal")]
    Copy(#[source] Error),
    /// It could not be made to last.
    #[error("cannot sync the copy to its disk")]
    Sync(#[source] std::io::Error),
}

impl Journal {
    /// Whether there is a journal in this directory.
    pub fn is_in(dir: &Path) -> bool {
        sqlite::is_in(dir)
    }

    /// About how many bytes a copy of it takes; `None` where there is none.
    pub fn bytes_in(dir: &Path) -> Option<u64> {
        sqlite::bytes_in(dir)
    }

    /// Copies the journal as it is at this moment into a new file that only its owner may read.
    ///
    /// The copy is one read transaction: events are taken and rows are written meanwhile.
    ///
    /// # Errors
    /// [`BackupFault`]; what was made of the file is removed again.
    pub async fn back_up(&self, file: &Path) -> Result<(), BackupFault> {
        let unmade = |source| BackupFault::File { file: file.to_owned(), source };
        // A database takes names as text, and would write to another one.
        if file.to_str().is_none() {
            return Err(unmade(std::io::Error::other("the name is not UTF-8")));
        }
        let to = file.to_owned();
        // Made by us, so that it is never anyone else's and never readable by others, not even briefly.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
        let made = made.map_err(unmade)?;
        let copied = self.read(move |store| Ok(store.copy_into(&to)?)).await;
        let done = match copied {
            Ok(()) => synced(&made, file).map_err(BackupFault::Sync),
            Err(error) => Err(BackupFault::Copy(error)),
        };
        if done.is_err() {
            drop(std::fs::remove_file(file));
        }
        done
    }

    /// Puts a copy in the place of the journal in `dir`, while no service runs there.
    ///
    /// # Errors
    /// A [`RestoreFault`] whose sentence says what to do; the journal is as it was then.
    pub fn restore(
        dir: &Path,
        file: &Path,
        discard_pending: bool,
    ) -> Result<Restored, RestoreFault> {
        sqlite::restore(dir, file, discard_pending)
    }

    /// Removes what a restore that was killed left behind: a patient's data that nobody looks after.
    pub fn drop_unfinished_restore(dir: &Path) {
        sqlite::drop_unfinished_restore(dir);
    }
}

/// The file and its name.
fn synced(made: &File, file: &Path) -> std::io::Result<()> {
    made.sync_all()?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
