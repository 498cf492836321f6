//! What is known of the board that stands in the sheet, and when it is to be written anew. Pure.

use std::time::Duration;

use crate::chat::time::UnixMs;

/// How old the board may become while nothing happens: it is looked whether it is time once a minute, and
/// then it is to be written every four, not every five.
const AGE_MAX_MS: i64 = 4 * 60_000 - 15_000;
/// How long a change of the board that no row brings along may wait for others: names looked up.
const PAUSE_MS: i64 = 5_000;
/// How old the board may become while one full batch follows the other.
const AGE_MAX_BUSY_MS: i64 = 20_000;

/// What is known of the board that stands in the sheet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WrittenBoard {
    /// When it was last written; `None` since the start.
    at: Option<UnixMs>,
    /// The changes that it shows.
    changes: u64,
    /// The one under way landed in columns that had moved.
    is_spoilt: bool,
}

impl WrittenBoard {
    /// The batch that it went along with, as it was at this time and with these changes, is written.
    pub(super) fn is_written(&mut self, at: UnixMs, changes: u64) {
        let is_spoilt = std::mem::take(&mut self.is_spoilt);
        (self.at, self.changes) = ((!is_spoilt).then_some(at), changes);
    }

    /// It is to be written anew soon: it may have landed in the wrong columns.
    pub(super) fn spoil(&mut self) {
        self.is_spoilt = true;
    }

    /// Whether it is to be written even without rows.
    pub(super) fn is_due(&self, changes: u64, now: UnixMs) -> bool {
        let age_max_ms = if changes == self.changes { AGE_MAX_MS } else { PAUSE_MS };
        self.at.is_none_or(|at| now.since_ms(at).abs() >= age_max_ms)
    }

    /// When a change that no row brings along is to be written, where there is one.
    pub(super) fn due_in(&self, changes: u64, now: UnixMs) -> Option<Duration> {
        let at = self.at.filter(|_| changes != self.changes)?;
        let left_ms = PAUSE_MS - now.since_ms(at).abs();
        Some(Duration::from_millis(left_ms.max(0).unsigned_abs()))
    }

    /// Whether it was written so lately that it is not to be written within the minute.
    pub(super) fn is_at_rest(&self, now: UnixMs) -> bool {
        self.at.is_some_and(|at| now.since_ms(at).abs() < AGE_MAX_MS - 60_000)
    }

    /// Whether it goes along with rows after which others are still pending.
    pub(super) fn is_old(&self, now: UnixMs) -> bool {
        self.at.is_none_or(|at| now.since_ms(at).abs() >= AGE_MAX_BUSY_MS)
    }
}
