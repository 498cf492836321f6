//! The spreadsheet as it was seen, and how far that may still be relied on.

use std::time::{Duration, Instant};

use crate::sheets::{Layout, Wanted};

/// How old a look may be when a batch is planned by it.
pub(super) const LOOK_AGE_MAX: Duration = Duration::from_secs(5);

/// The spreadsheet as it was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) layout: Layout,
    /// What was looked for.
    pub(super) wanted: Wanted,
    /// When it was last known to be so; `None` where something since casts doubt on it.
    pub(super) at: Option<Instant>,
    /// When it was surveyed; `None` where that is to be done anew.
    pub(super) surveyed_at: Option<Instant>,
}

impl Seen {
    /// It is looked at before the next write.
    pub(super) fn doubt(&mut self) {
        self.at = None;
    }

    /// The next look is a survey.
    pub(super) fn is_to_be_surveyed(&mut self) {
        self.surveyed_at = None;
    }

    /// Whether a write may be planned by it.
    pub(super) fn is_fresh(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() <= LOOK_AGE_MAX)
    }

    pub(super) fn was_surveyed_within(&self, age_max: Duration) -> bool {
        self.surveyed_at.is_some_and(|at| at.elapsed() < age_max)
    }

    #[cfg(test)]
    pub(super) fn ages(&mut self, by: Duration) {
        self.at = self.at.and_then(|at| at.checked_sub(by));
        self.surveyed_at = self.surveyed_at.and_then(|at| at.checked_sub(by));
    }
}
