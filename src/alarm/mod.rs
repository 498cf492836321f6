//! The alarm: when the operator is to be told, and when it is over. Pure; `now` is a parameter.
//!
//! It goes on when no event can be taken, a sheet is parked, or the oldest pending row is too old. It
//! goes off only when events are taken and rows are written again: a sheet that is parked, tried and
//! parked again is one alarm, and so is an outage with gaps. Its sentences hold numbers and our own
//! advice, and nothing of a patient.

pub(crate) mod waits;
#[cfg(test)]
mod tests;

use crate::chat::time::UnixMs;

/// How often an alarm that is on is told again.
const AGAIN_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// How things are at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) pending_rows: u64,
    /// When the oldest of them was received.
    pub(crate) oldest_pending: Option<UnixMs>,
    /// Why no event can be taken, a sentence; `None` while they can.
    pub(crate) journal: Option<String>,
    /// The worst state of any sheet.
    pub(crate) sheet: Condition,
    /// What to say of that sheet.
    pub(crate) sentence: String,
}

/// What matters here of a sheet's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Delivering,
    /// Not now, but it is tried again by itself.
    Waiting,
    Parked,
}

/// What to tell the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    On(Reason, String),
    Still(String),
    Off(String),
}

/// Why it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A sheet is parked. The forwarder has said so in the log already.
    Parked,
    Overdue,
    Journal,
}

/// The alarm, on or off.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    after_ms: i64,
    /// Whether the oldest row was too old at the last observation already.
    was_overdue: bool,
    on: Option<On>,
}

#[derive(Clone, Copy, Debug)]
struct On {
    since: UnixMs,
    said_at: UnixMs,
}

impl Alarm {
    /// Off. Goes on when a row has waited for so many minutes.
    pub(crate) fn new(after_minutes: u32) -> Self {
        Self { after_ms: i64::from(after_minutes) * MINUTE_MS, was_overdue: false, on: None }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// Takes note of how things are; gives what to tell.
    pub(crate) fn observe(&mut self, observation: &Observation, now: UnixMs) -> Option<Notice> {
        let age_ms = observation.oldest_pending.map_or(0, |oldest| now.since_ms(oldest));
        let is_overdue = observation.oldest_pending.is_some() && age_ms >= self.after_ms;
        // An age counts at the second observation only: when a machine wakes up or starts again, its
        // rows are old at once, and written at once, too.
        let was_overdue = std::mem::replace(&mut self.was_overdue, is_overdue);
        let reason = match observation.sheet {
            // Before everything else: events are being refused.
            _ if observation.journal.is_some() => Some(Reason::Journal),
            Condition::Parked => Some(Reason::Parked),
            _ if is_overdue && was_overdue => Some(Reason::Overdue),
            _ => None,
        };
        match (&mut self.on, reason) {
            (None, None) => None,
            (None, Some(reason)) => {
                self.on = Some(On { since: now, said_at: now });
                Some(Notice::On(reason, observation.summary(age_ms)))
            }
            (Some(on), None) if observation.sheet == Condition::Delivering && !is_overdue => {
                let minutes = now.since_ms(on.since).max(0) / MINUTE_MS;
                self.on = None;
                Some(Notice::Off(format!(
                    "events are taken and rows are written again; it took {minutes} minutes"
                )))
            }
            // The clock may have been set back.
            (Some(on), _) if !(0..AGAIN_MS).contains(&now.since_ms(on.said_at)) => {
                on.said_at = now;
                Some(Notice::Still(observation.summary(age_ms)))
            }
            (Some(_), _) => None,
        }
    }
}

impl Observation {
    /// Everything in one sentence.
    pub(crate) fn summary(&self, age_ms: i64) -> String {
        let minutes = age_ms.max(0) / MINUTE_MS;
        if let Some(journal) = &self.journal {
            return format!("no event can be taken: {journal}");
        }
        match self.pending_rows {
            0 => self.sentence.clone(),
            1 => format!("1 row waits for the sheet, for {minutes} minutes: {}", self.sentence),
            rows => format!(
                "{rows} rows wait for the sheet, the oldest for {minutes} minutes: {}",
                self.sentence
            ),
        }
    }
}
