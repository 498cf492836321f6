//! The clock by which everything in the journal is dated.
//!
//! Processes that share a journal have clocks that differ, so the store's counts where it has one, and an
//! event is dated back by how long it waited for its transaction: by a clock that is never set. A store
//! that one machine alone uses has none; then the caller's counts, exactly as it was given.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::chat::time::UnixMs;

/// When something was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// At this time by the caller's clock, and then by one that is never set.
    Asked(UnixMs, Instant),
    /// As the journal itself dated it before.
    Dated(UnixMs),
}

impl Moment {
    /// This very moment, which is `now` by the caller's clock.
    pub(super) fn now(now: UnixMs) -> Self {
        Self::Asked(now, Instant::now())
    }
}

/// What the store's clock said, and when it did by a clock that is never set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) clock: UnixMs,
    pub(super) at: Instant,
}

impl Reading {
    /// The moment by the store's clock. What was asked for since then was asked for now.
    pub(super) fn time_of(&self, moment: Moment) -> UnixMs {
        match moment {
            Moment::Asked(_, asked_at) => {
                let age = self.at.saturating_duration_since(asked_at);
                self.clock.plus_ms(i64::try_from(age.as_millis()).map_or(0, |age_ms| -age_ms))
            }
            Moment::Dated(time) => time,
        }
    }

    /// What the store's clock says at that moment.
    fn now(&self, now: Instant) -> UnixMs {
        let since = now.saturating_duration_since(self.at);
        self.clock.plus_ms(i64::try_from(since.as_millis()).unwrap_or_default())
    }
}

/// The last reading of the store's clock.
#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<Option<Reading>>);

impl Clock {
    pub(super) fn note(&self, reading: Reading) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
    }

    /// What the store's clock says by now; where it has none, `now`.
    pub(super) fn now(&self, now: UnixMs) -> UnixMs {
        let reading = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.map_or(now, |reading| reading.now(Instant::now()))
    }
}
