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
    others: Vec<Told>,
}

/// What a process tells the others of its last hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The minutes in which something happened, each with its number since 1970.
    pub(crate) minutes: Vec<(i64, Minute)>,
    /// When it last saw rows to be written.
    pub(crate) last_write_at: Option<UnixMs>,
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

    /// What to tell the others.
    pub(crate) fn told(&self) -> Told {
        let minutes = self.minutes.iter().copied().collect();
        Told { minutes, last_write_at: self.last_write_at }
    }

    /// Takes what each of the other processes told last, in place of what they told before.
    pub(crate) fn note_others(&mut self, others: Vec<Told>) {
        self.others = others;
    }

    /// The hour up to `now`, the present minute last: the calls of all processes that are known.
    pub(crate) fn hour(&self, now: UnixMs) -> [Minute; MINUTES] {
        let last = now.0.div_euclid(MINUTE_MS);
        let mut hour = [Minute::default(); MINUTES];
        let of_others = self.others.iter().flat_map(|told| &told.minutes);
        for (minute, happened) in self.minutes.iter().chain(of_others) {
            let age = last.checked_sub(*minute).and_then(|age| usize::try_from(age).ok());
            if let Some(place) = age.and_then(|age| (MINUTES - 1).checked_sub(age)) {
                let sum = &mut hour[place];
                sum.calls = sum.calls.saturating_add(happened.calls);
                sum.errors = sum.errors.saturating_add(happened.errors);
            }
        }
        hour
    }

    /// When rows were last written; `None` when none were since the start of any process that is known.
    pub(crate) fn last_write_at(&self) -> Option<UnixMs> {
        let of_others = self.others.iter().filter_map(|told| told.last_write_at);
        self.last_write_at.into_iter().chain(of_others).max()
    }
}
