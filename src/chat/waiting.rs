//! Who waits: from the moment a chat loses its agent until somebody takes or closes it.
//!
//! Pure rules over a [`Wait`]: when it begins, what a second drop adds to it, and the row of the
//! handover that ends it. A wait that has ended is kept for a day, so that it can be told how often a
//! chat is dropped. Whether it is stored, and under what it is found, is the journal's business.

use serde::{Deserialize, Serialize};

use crate::chat::entry::{Entry, EventId, Handover};
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::time::{CLOCK_SLACK_MS, UnixMs};

/// Drops are counted over so long.
pub const DROPS_WINDOW_MS: i64 = 24 * 3_600_000;
/// How late the event of a drop that was found by asking may come.
const TOLD_LATE_MS: i64 = 24 * 3_600_000;
/// Most drops remembered of one chat; the board says no more than this.
pub const DROPS_MAX: usize = 99;

/// One chat's wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The unassignment that began it, completed by what later ones told.
    #[serde(rename = "e")]
    pub entry: Entry,
    /// When the chat lost its agent, this time and in the day before; the oldest first.
    #[serde(rename = "d")]
    pub drops: Vec<UnixMs>,
    /// When the last drop was received, by our own clock.
    #[serde(rename = "r", default)]
    pub heard_at: UnixMs,
    /// The number of the last drop.
    #[serde(rename = "n", default)]
    pub last: u64,
    /// The drop that began it was found by asking, and its event may still come.
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unconfirmed: bool,
    /// Whether somebody took the chat or closed it since.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_over: bool,
}

impl Wait {
    /// The wait of a chat that was dropped now. One that is waited for already waits since its first
    /// drop: nobody has looked after it in between.
    #[must_use]
    pub fn dropped(before: Option<&Self>, entry: &Entry, now: UnixMs) -> Self {
        let mut drops: Vec<UnixMs> = before.map(|wait| wait.drops.clone()).unwrap_or_default();
        drops.retain(|drop| now.since_ms(*drop) < DROPS_WINDOW_MS);
        drops.push(entry.unassigned_at);
        drops.drain(..drops.len().saturating_sub(DROPS_MAX));
        let last = entry.event_id.number;
        let before = before.filter(|wait| !wait.is_over);
        let is_unconfirmed = before.map_or(entry.found.is_some(), |wait| wait.is_unconfirmed);
        let entry = match before {
            Some(wait) => wait.entry.completed_by(entry),
            None => entry.clone(),
        };
        Self { entry, drops, heard_at: now, last, is_unconfirmed, is_over: false }
    }

    /// Whether this event tells at last of the drop that was found by asking: it comes once, and nothing of the
    /// chat came in between, for an assignment or a closing would have ended the wait.
    pub fn is_told_late_by(&self, event: &ChatEvent, now: UnixMs) -> bool {
        let found = self.entry.found.filter(|_| self.is_unconfirmed && !self.is_over);
        found.is_some_and(|found| {
            event.found.is_none()
                && event.at.is_none_or(|at| at <= found.before.plus_ms(CLOCK_SLACK_MS))
                && now.since_ms(found.before) < TOLD_LATE_MS
        })
    }

    /// The same after that event, completed by what it tells.
    #[must_use]
    pub fn confirmed_by(&self, entry: &Entry) -> Self {
        let entry = self.entry.completed_by(entry);
        Self { entry, is_unconfirmed: false, ..self.clone() }
    }

    /// The same, ended: of the person nothing stays, of the chat how often it was dropped.
    #[must_use]
    pub fn ended(&self) -> Self {
        let entry = Entry { unassigned_at: self.entry.unassigned_at, ..Entry::default() };
        Self { entry, is_unconfirmed: false, is_over: true, ..self.clone() }
    }

    /// How often the chat was dropped in the last day; the drop that began the wait always counts.
    pub fn drops_in_a_day(&self, now: UnixMs) -> usize {
        let lately = |drop: &&UnixMs| now.since_ms(**drop) < DROPS_WINDOW_MS;
        self.drops.iter().filter(lately).count().max(1)
    }

    /// The row of the handover that this event makes of the wait.
    pub fn handed_over(&self, event: &ChatEvent, id: &EventId, now: UnixMs) -> Entry {
        let is_closed = event.happening == Happening::Closed;
        Entry {
            event_id: id.clone(),
            handover: Some(Handover {
                taken_at: event.at.unwrap_or(now),
                agent: if is_closed { Default::default() } else { event.agent_name.clone() },
                is_closed,
                found: event.found,
            }),
            ..self.entry.clone()
        }
    }

    /// Whether an event on this number of the clinic's may be about this wait: where either number is
    /// unknown it may.
    pub fn is_on_line(&self, waba_line: &str) -> bool {
        let own = self.entry.waba_number.line();
        own.is_empty() || waba_line.is_empty() || own == waba_line
    }
}
