//! The reserve: some disk kept back, so that a full disk cannot keep the journal from emptying itself.
//!
//! Taking rows out of the journal needs a little room too. When the disk is full the reserve is given
//! back, no more events are taken, and what is pending goes out; when there is room for it again, the
//! reserve is made anew and events are taken as before.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Enough for the log of the largest transaction that settles a batch.
const BYTES: usize = 8 << 20;
/// Room that must be there besides before events are taken again, so that it is not full at once.
const MORE_BYTES: usize = 1 << 20;
const FILE: &str = "journal.reserve";

/// Whether the journal in this directory keeps some back.
pub(super) fn is_there(dir: &Path) -> bool {
    dir.join(FILE).exists()
}

/// Gives the room back before a journal is opened.
pub(super) fn give_back(dir: &Path) {
    // Where it cannot be deleted it was not there, or nothing can be done.
    drop(std::fs::remove_file(dir.join(FILE)));
}

/// A file that is only there to be deleted.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    is_held: bool,
}

impl Reserve {
    /// The reserve of this directory, held from now on if there is room.
    pub(super) fn new(dir: &Path) -> Self {
        let mut reserve = Self { path: dir.join(FILE), is_held: false };
        reserve.hold();
        reserve
    }

    /// Whether events may be taken: as long as the reserve is there to fall back on.
    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Takes the room if it is there.
    pub(super) fn hold(&mut self) -> bool {
        let has_size = std::fs::metadata(&self.path).is_ok_and(|file| file.len() == BYTES as u64);
        self.is_held = has_size || self.write().is_ok();
        if !self.is_held {
            self.release();
        }
        self.is_held
    }

    /// Gives the room back.
    pub(super) fn release(&mut self) {
        self.is_held = false;
        // Where it cannot be deleted it was not there, or nothing can be done.
        drop(std::fs::remove_file(&self.path));
    }

    /// Written, not only made long: a hole keeps no room.
    fn write(&self) -> std::io::Result<()> {
        let mut open = OpenOptions::new();
        let mut file = open.create(true).write(true).truncate(true).mode(0o600).open(&self.path)?;
        let block = [0x20; 1 << 16];
        for _ in 0..(BYTES + MORE_BYTES) / block.len() {
            file.write_all(&block)?;
        }
        file.set_len(BYTES as u64)?;
        file.sync_data()
    }
}
