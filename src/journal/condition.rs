//! How the journal is, for those who look after it: whether events can be taken, and what is amiss.
//!
//! Written by the writer, read by health pages and the alarm. Sentences say what to do and hold nothing
//! of what is stored.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::causes::Causes;
use crate::journal::Error;

/// Why no event can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is no room on the disk.
    DiskFull,
    /// As many rows are pending as may be.
    Crowded {
        /// So many.
        rows: u64,
    },
    /// The database refuses; the sentence says why.
    Failing(String),
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DiskFull => write!(f, "{}", Error::DiskFull),
            Self::Crowded { rows } => write!(
                f,
                "{rows} rows are pending, as many as MAX_PENDING_ROWS allows; events are refused until \
                 some are written: mend what keeps them from the sheet, or raise it"
            ),
            Self::Failing(sentence) => write!(f, "events are refused: {sentence}"),
        }
    }
}

/// What the writer notes.
#[derive(Debug)]
pub(super) struct Conditions {
    dir: PathBuf,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    condition: Option<Condition>,
    lingers: bool,
    lingers_long: bool,
    log_bytes: Option<u64>,
    unreadable: u64,
}

impl Conditions {
    /// Nothing is amiss with the journal in `dir`.
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), noted: Mutex::default() }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why no event can be taken; `None` when they can.
    pub(super) fn get(&self) -> Option<Condition> {
        self.noted().condition.clone()
    }

    pub(super) fn set(&self, condition: Option<Condition>) {
        self.noted().condition = condition;
    }

    /// Whether the disk has room for more events.
    pub(super) fn has_room(&self) -> bool {
        self.noted().condition != Some(Condition::DiskFull)
    }

    /// A transaction failed.
    pub(super) fn fails(&self, error: &Error) {
        let mut noted = self.noted();
        noted.condition = match error {
            Error::DiskFull => Some(Condition::DiskFull),
            _ if noted.condition == Some(Condition::DiskFull) => return,
            _ => Some(Condition::Failing(format!("{} (in {})", Causes(error), self.dir.display()))),
        };
    }

    /// A transaction went through.
    pub(super) fn answers(&self) {
        let mut noted = self.noted();
        if matches!(noted.condition, Some(Condition::Failing(_))) {
            noted.condition = None;
        }
    }

    /// Whether what was deleted is still in the log behind the database.
    pub(super) fn lingers(&self, lingers: bool) {
        self.noted().lingers = lingers;
    }

    /// Whether traces of deleted rows linger because somebody reads.
    pub(super) fn do_linger(&self) -> bool {
        self.noted().lingers
    }

    pub(super) fn warn_of_lingering(&self, lingers_long: bool) {
        let before = std::mem::replace(&mut self.noted().lingers_long, lingers_long);
        if lingers_long && !before {
            log::warn!("{}", self.lingering());
        } else if before && !lingers_long {
            log::info!("delivered rows have left the journal's files for good");
        }
    }

    pub(super) fn warn_of_size(&self, log_bytes: Option<u64>) {
        let before = std::mem::replace(&mut self.noted().log_bytes, log_bytes);
        if let (Some(bytes), None) = (log_bytes, before) {
            log::warn!("{}", self.size(bytes));
        }
    }

    /// A record was found that cannot be read.
    pub(super) fn unreadable(&self, what: &str) {
        self.noted().unreadable += 1;
        log::error!(
            "{what} in the journal in {} cannot be read: left aside, the rest goes on; see \
             `doubletick-sheets check`",
            self.dir.display()
        );
    }

    /// What is amiss though events are taken, each a sentence.
    pub(super) fn warnings(&self) -> Vec<String> {
        let noted = self.noted();
        let lingering = noted.lingers_long.then(|| self.lingering());
        let size = noted.log_bytes.map(|bytes| self.size(bytes));
        let unreadable = (noted.unreadable > 0).then(|| {
            format!(
                "{} records of the journal could not be read and were left aside",
                noted.unreadable
            )
        });
        lingering.into_iter().chain(size).chain(unreadable).collect()
    }

    fn lingering(&self) -> String {
        format!(
            "delivered rows linger in {}/journal.sqlite3-wal because another program keeps reading the \
             journal: end that program (a backup, a replica, an open shell)",
            self.dir.display()
        )
    }

    fn size(&self, bytes: u64) -> String {
        format!(
            "{}/journal.sqlite3-wal has grown to {} MB because another program keeps reading the \
             journal: end that program before the disk is full",
            self.dir.display(),
            bytes >> 20
        )
    }
}
