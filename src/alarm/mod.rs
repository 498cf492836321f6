//! The alarm: when the operator is to be told, and when it is over. Pure; `now` is a parameter.
//!
//! It goes on when no event can be taken, a sheet is parked or the oldest pending row is too old, and
//! off only when events are taken and rows are written again: a sheet that is parked, tried and parked again is one alarm, and so is an outage
//! that wavers. Its sentences hold numbers and our own advice, and nothing of a patient.

#[cfg(test)]
mod tests;

use crate::chat::time::UnixMs;

/// How often an alarm that is on is said again.
const AGAIN_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// How things are at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Rows still to be written.
    pub pending_rows: u64,
    /// When the oldest of them was received.
    pub oldest_pending: Option<UnixMs>,
    /// Why no event can be taken, a sentence; `None` while they can.
    pub journal: Option<String>,
    /// How the sheet is that is worst off.
    pub sheet: Condition,
    /// What is to be said of it.
    pub sentence: String,
}

/// What matters here of a sheet's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Rows are written.
    Delivering,
    /// Not now, but it is tried again by itself.
    Waiting,
    /// A human must act.
    Parked,
}

/// What is to be said, if anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The alarm goes on.
    On(Reason, String),
    /// It has been on for another hour.
    Still(String),
    /// It is over.
    Off(String),
}

/// Why it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A sheet is parked. Whoever parked it has said so in the log.
    Parked,
    /// Rows wait for too long.
    Overdue,
    /// No event can be taken.
    Journal,
}

/// The alarm, on or off.
#[derive(Clone, Debug)]
pub struct Alarm {
    after_ms: i64,
    /// Whether the oldest row was too old at the last look already.
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
    pub fn new(after_minutes: u32) -> Self {
        Self { after_ms: i64::from(after_minutes) * MINUTE_MS, was_overdue: false, on: None }
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// Takes a look; gives what is to be said.
    pub fn observe(&mut self, observation: &Observation, now: UnixMs) -> Option<Notice> {
        let age_ms = observation.oldest_pending.map_or(0, |oldest| now.since_ms(oldest));
        let is_overdue = observation.oldest_pending.is_some() && age_ms >= self.after_ms;
        // An age is believed at the second look: when a machine that slept or was off goes on, its rows
        // are old at once, and leave at once, too.
        let was_overdue = std::mem::replace(&mut self.was_overdue, is_overdue);
        let reason = match observation.sheet {
            // Before everything else: patients are turned away at the door.
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
            // A clock that was set back must not keep it silent.
            (Some(on), _) if !(0..AGAIN_MS).contains(&now.since_ms(on.said_at)) => {
                on.said_at = now;
                Some(Notice::Still(observation.summary(age_ms)))
            }
            (Some(_), _) => None,
        }
    }
}

impl Observation {
    /// All of it in one sentence.
    pub fn summary(&self, age_ms: i64) -> String {
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
