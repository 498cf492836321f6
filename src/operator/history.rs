//! The last hour, minute by minute, and when rows were last written. Pure; `now` is a parameter.

use std::collections::VecDeque;

use crate::chat::time::UnixMs;

pub(crate) const MINUTES: usize = 60;
const MINUTE_MS: i64 = 60_000;

/// Calls to Google within one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Minute {
    pub(crate) calls: u64,
    /// Those of the calls that failed.
    pub(crate) errors: u64,
}

/// What happened in the last hour, as far as the service has run for so long.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The minutes in which something happened, each with its number since 1970.
    minutes: VecDeque<(i64, Minute)>,
    total: Minute,
    written: Option<u64>,
    last_write_at: Option<UnixMs>,
}

impl History {
    /// Takes the totals since the start. What was added since the last sample is counted in the minute
    /// of `now`.
    pub(crate) fn sample(&mut self, now: UnixMs, total: Minute, written: u64) {
        let minute = now.0.div_euclid(MINUTE_MS);
        let more = Minute {
            calls: total.calls.saturating_sub(self.total.calls),
            errors: total.errors.saturating_sub(self.total.errors),
        };
        self.total = total;
        // After the clock was set back the minutes begin anew, rather than standing in the future.
        self.minutes.retain(|(then, _)| *then <= minute);
        self.minutes.retain(|(then, _)| minute - then < MINUTES as i64);
        if more != Minute::default() {
            match self.minutes.back_mut().filter(|(then, _)| *then == minute) {
                Some((_, known)) => {
                    known.calls += more.calls;
                    known.errors += more.errors;
                }
                None => self.minutes.push_back((minute, more)),
            }
        }
        if self.written.replace(written).is_some_and(|before| written > before) {
            self.last_write_at = Some(now);
        }
    }

    /// The hour up to `now`, the present minute last.
    pub(crate) fn hour(&self, now: UnixMs) -> [Minute; MINUTES] {
        let last = now.0.div_euclid(MINUTE_MS);
        let mut hour = [Minute::default(); MINUTES];
        for (minute, happened) in &self.minutes {
            let age = usize::try_from(last - minute).unwrap_or(MINUTES);
            if let Some(place) = (MINUTES - 1).checked_sub(age) {
                hour[place] = *happened;
            }
        }
        hour
    }

    /// When rows were last written; `None` when none were since the start.
    pub(crate) fn last_write_at(&self) -> Option<UnixMs> {
        self.last_write_at
    }
}
