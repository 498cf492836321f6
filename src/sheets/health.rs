//! Whether Google answers about one spreadsheet with nothing but errors of its own. Pure.
//!
//! A workbook can become too much for Google: then it answers 5xx about it for ever, and well about all others.
//! Reads and writes count for themselves, since the one may go on while the other does not.

use std::time::{Duration, Instant};

use crate::sheets::quota::Kind;

/// Since when there was nothing but errors.
#[derive(Debug, Default)]
pub(super) struct Health {
    reads: Option<Instant>,
    writes: Option<Instant>,
}

impl Health {
    /// Notes the status of an answer. No answer at all tells of the way, and not of the spreadsheet.
    pub(super) fn answered(&mut self, kind: Kind, status: u16, now: Instant) {
        let since = match kind {
            Kind::Read => &mut self.reads,
            Kind::Write => &mut self.writes,
        };
        match status {
            500.. => drop(since.get_or_insert(now)),
            _ => *since = None,
        }
    }

    /// For how long there was nothing but errors.
    pub(super) fn only_errors_for(&self, now: Instant) -> Duration {
        let since = [self.reads, self.writes].into_iter().flatten().min();
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    #[cfg(test)]
    pub(super) fn ages(&mut self, by: Duration) {
        for since in [&mut self.reads, &mut self.writes] {
            *since = since.and_then(|since| since.checked_sub(by));
        }
    }
}
