//! How the journal is, for those who look after it: whether events can be taken, and what is amiss.
//!
//! Written by the writer and the store, read by health pages and the alarm. Sentences say what to do and
//! hold nothing of what is stored.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::causes::Causes;
use crate::journal::store::Fault;

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
    /// The database does not answer, and events are held for a while; the sentence says so.
    Away(String),
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DiskFull => write!(f, "{}", Fault::DiskFull),
            Self::Crowded { rows } => write!(
                f,
                "{rows} rows are pending, as many as MAX_PENDING_ROWS allows; events are refused until \
                 some are written: mend what keeps them from the sheet, or raise it"
            ),
            Self::Away(sentence) => f.write_str(sentence),
            Self::Failing(sentence) => write!(f, "events are refused: {sentence}"),
        }
    }
}

/// What was noted so far.
#[derive(Debug)]
pub(super) struct Conditions {
    /// Where the journal is.
    place: String,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    is_full: bool,
    failing: Option<Condition>,
    is_lingering: bool,
    /// By what they are about.
    warnings: BTreeMap<&'static str, String>,
    unreadable: u64,
}

impl Conditions {
    /// Nothing is amiss with the journal that is there.
    pub(super) fn new(place: &str) -> Self {
        Self { place: place.to_owned(), noted: Mutex::default() }
    }

    /// Where the journal is, for sentences.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why no event can be taken; `None` when they can.
    pub(super) fn get(&self) -> Option<Condition> {
        let noted = self.noted();
        match noted.is_full {
            true => Some(Condition::DiskFull),
            false => noted.failing.clone(),
        }
    }

    /// Whether the disk has no room for more events.
    pub(super) fn set_full(&self, is_full: bool) {
        self.noted().is_full = is_full;
    }

    /// A transaction failed; gives the sentence that says why.
    pub(super) fn fails(&self, why: &Fault) -> String {
        let sentence = match why {
            Fault::DiskFull => why.to_string(),
            _ => format!("{} (in {})", Causes(why), self.place),
        };
        self.noted().failing = Some(match why {
            Fault::Away(_) | Fault::Unknown(_) => Condition::Away(sentence.clone()),
            _ => Condition::Failing(sentence.clone()),
        });
        sentence
    }

    /// A transaction went through.
    pub(super) fn answers(&self) {
        self.noted().failing = None;
    }

    /// Whether what was deleted has left traces for now.
    pub(super) fn set_lingering(&self, is_lingering: bool) {
        self.noted().is_lingering = is_lingering;
    }

    /// Whether what was deleted has left traces for now.
    pub(super) fn is_lingering(&self) -> bool {
        self.noted().is_lingering
    }

    /// Notes what is amiss about something, or that nothing is any more. A new warning is logged.
    pub(super) fn warn(&self, about: &'static str, warning: Option<String>) {
        let mut noted = self.noted();
        let before = match &warning {
            Some(sentence) => noted.warnings.insert(about, sentence.clone()),
            None => noted.warnings.remove(about),
        };
        drop(noted);
        match (before, warning) {
            (None, Some(sentence)) => log::warn!("{sentence}"),
            (Some(before), None) => log::info!("over: {before}"),
            _ => {}
        }
    }

    /// A record was found that cannot be read.
    pub(super) fn unreadable(&self, what: &str) {
        self.noted().unreadable += 1;
        log::error!(
            "{what} in the journal in {} cannot be read: left aside, the rest goes on; see \
             `doubletick-sheets check`",
            self.place
        );
    }

    /// What is amiss though events are taken, each a sentence.
    pub(super) fn warnings(&self) -> Vec<String> {
        let noted = self.noted();
        let unreadable = (noted.unreadable > 0).then(|| {
            format!(
                "{} records of the journal could not be read and were left aside",
                noted.unreadable
            )
        });
        noted.warnings.values().cloned().chain(unreadable).collect()
    }
}
