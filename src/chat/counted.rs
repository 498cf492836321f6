//! What happened in a quarter of an hour, counted: what the summary is made of. No patient is in it.
//!
//! Quarters are those of UTC, and the days and hours of every zone begin with one. So the numbers can be read
//! in whatever zone the sheet is in, also after that was changed.
//!
//! Bounded: a wait of more than a day counts in whole hours and one of more than [`WAIT_DAYS_MAX`] days as one of
//! so many; and where a quarter has more agents than [`AGENTS_MAX`], or more of their waits than
//! [`AGENT_WAITS_MAX`], the rest is counted as nobody's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chat::entry::Entry;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;

/// A quarter of an hour.
pub const QUARTER_MS: i64 = 900_000;
/// Minutes of a day.
const DAY_MINUTES: i64 = 24 * 60;
/// The longest wait that is told from a longer one.
pub const WAIT_DAYS_MAX: i64 = 100;
/// Most agents that a quarter knows by name.
pub const AGENTS_MAX: usize = 100;
/// Most lengths of waits that a quarter knows of agents.
pub const AGENT_WAITS_MAX: usize = 4_000;
/// Longest name of an agent, in characters; longer ones are cut.
const NAME_CHARS_MAX: usize = 100;

/// A quarter of an hour, by its number since 1970 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quarter(pub i64);

impl Quarter {
    /// The one that this moment lies in.
    pub fn of(at: UnixMs) -> Self {
        Self(at.0.div_euclid(QUARTER_MS))
    }

    /// When it begins.
    pub fn start(self) -> UnixMs {
        UnixMs(self.0.saturating_mul(QUARTER_MS))
    }
}

/// What happened in one quarter, or in several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Of all together.
    pub counts: Counts,
    /// Of each agent: personal, and so kept for a shorter time.
    pub agents: Agents,
}

/// What happened, of all agents together.
// One is stored again with every group of events: short names keep it short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Chats that lost their agent.
    #[serde(rename = "d")]
    pub dropped: u64,
    /// Chats that got an agent while they waited.
    #[serde(rename = "t")]
    pub taken: u64,
    /// Conversations that were closed while they waited.
    #[serde(rename = "c")]
    pub closed: u64,
    /// How long those that ended had lasted.
    #[serde(rename = "w")]
    pub waits: Waits,
}

/// How many waits lasted how many minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Waits(BTreeMap<u32, u64>);

/// What each agent did; a blank name stands for whoever is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Agents(Vec<(Personal, OfAgent)>);

/// What one agent did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OfAgent {
    /// Chats that they lost.
    #[serde(rename = "d")]
    pub dropped: u64,
    /// Chats that they took while those waited.
    #[serde(rename = "t")]
    pub taken: u64,
    /// How long chats had waited that they had lost.
    #[serde(rename = "w")]
    pub waits: Waits,
}

/// When what a row tells happened.
pub fn happened_at(row: &Entry) -> UnixMs {
    row.handover.as_ref().map_or(row.unassigned_at, |handover| handover.taken_at)
}

impl Counted {
    /// Counts what a row tells, be it of the log or of the handovers.
    pub fn note(&mut self, row: &Entry) {
        let Some(handover) = &row.handover else {
            self.counts.dropped += 1;
            self.agents.of(&row.previous_agent).dropped += 1;
            return;
        };
        match handover.is_closed {
            true => self.counts.closed += 1,
            false => {
                self.counts.taken += 1;
                self.agents.of(&handover.agent).taken += 1;
            }
        }
        let minutes = minutes(handover.taken_at.since_ms(row.unassigned_at));
        self.counts.waits.add(minutes, 1);
        self.agents.note_wait(&row.previous_agent, minutes);
    }
}

/// The length of a wait as it is counted: whole minutes, whole hours from a day on.
fn minutes(milliseconds: i64) -> u32 {
    let minutes = (milliseconds.max(0) / 60_000).min(WAIT_DAYS_MAX * DAY_MINUTES);
    let step = if minutes < DAY_MINUTES { 1 } else { 60 };
    u32::try_from(minutes / step * step).unwrap_or(u32::MAX)
}

impl Waits {
    fn add(&mut self, minutes: u32, count: u64) {
        *self.0.entry(minutes).or_default() += count;
    }

    /// Adds those of another time.
    pub fn add_all(&mut self, other: &Self) {
        other.0.iter().for_each(|(minutes, count)| self.add(*minutes, *count));
    }

    /// The longest, in minutes; `None` without any.
    pub fn longest(&self) -> Option<u32> {
        self.0.keys().next_back().copied()
    }

    /// The one in the middle, in minutes; of two the mean. `None` without any.
    pub fn median(&self) -> Option<f64> {
        let count: u64 = self.0.values().sum();
        let (low, high) = (count.checked_sub(1)? / 2, count / 2);
        Some(f64::midpoint(self.at(low)?, self.at(high)?))
    }

    /// The one at this place, in the order of their lengths.
    fn at(&self, place: u64) -> Option<f64> {
        let mut before = 0;
        let found = self.0.iter().find(|(_, count)| {
            before += *count;
            before > place
        });
        found.map(|(minutes, _)| f64::from(*minutes))
    }
}

impl Agents {
    /// Each agent, by name, and what they did.
    pub fn iter(&self) -> impl Iterator<Item = (&Personal, &OfAgent)> {
        self.0.iter().map(|(name, did)| (name, did))
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the agent of this name did; once there are too many, that is nobody's.
    fn of(&mut self, name: &Personal) -> &mut OfAgent {
        let cut = name.reveal().char_indices().nth(NAME_CHARS_MAX).map(|(end, _)| end);
        let name = match cut.and_then(|end| name.reveal().get(..end)) {
            Some(short) => Personal::new(short),
            None => name.clone(),
        };
        let place = |agents: &[(Personal, OfAgent)], name: &Personal| {
            agents.iter().position(|(known, _)| known == name)
        };
        let nobody = Personal::default();
        let found = place(&self.0, &name);
        let found = found
            .or_else(|| (self.0.len() >= AGENTS_MAX).then(|| place(&self.0, &nobody)).flatten());
        let at = found.unwrap_or_else(|| {
            let name = if self.0.len() < AGENTS_MAX { name } else { nobody };
            self.0.push((name, OfAgent::default()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// How long a chat had waited that this agent had lost.
    fn note_wait(&mut self, name: &Personal, minutes: u32) {
        let lengths: usize = self.0.iter().map(|(_, did)| did.waits.0.len()).sum();
        let nobody = Personal::default();
        let name = if lengths < AGENT_WAITS_MAX { name } else { &nobody };
        self.of(name).waits.add(minutes, 1);
    }
}
