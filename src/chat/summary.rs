//! The summary: what the clinic's lead asks on Monday, made of what was counted. Pure.
//!
//! The same numbers at any moment of a day, as long as nothing happens: it need not be written again. It says
//! how long waits had lasted that ended on that day, not how long those did that began on it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::chat::counted::{Counted, Counts, OfAgent, Quarter};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;

/// How many days it shows, today included.
pub const DAYS: usize = 31;
/// Over how many of them agents are counted, where what is known of them is kept for so long.
pub const AGENT_DAYS: usize = 7;
/// Most agents that it shows.
pub const AGENT_LINES_MAX: usize = 200;
/// From longer ago it needs nothing: a day more, for one may have 25 h.
pub const REACH_MS: i64 = 32 * DAY_MS;
/// The same of agents.
pub const AGENT_REACH_MS: i64 = 8 * DAY_MS;
const DAY_MS: i64 = 86_400_000;

/// The last days at a glance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Each of the last days, the first one first.
    pub days: Vec<DayLine>,
    /// The agents of the last week: who dropped most comes first.
    pub agents: Vec<AgentLine>,
    /// Over how many days agents are counted.
    pub agent_days: usize,
    /// How many chats were dropped in each hour of the day, on all of the days together.
    pub hours: [u64; 24],
}

/// What happened on one day.
#[derive(Clone, Debug, PartialEq)]
pub struct DayLine {
    /// Which one.
    pub date: Date,
    /// Chats that lost their agent.
    pub dropped: u64,
    /// Chats that got one while they waited.
    pub taken: u64,
    /// Conversations that were closed while they waited.
    pub closed: u64,
    /// Of the waits that ended on that day, in minutes.
    pub median_wait: Option<f64>,
    /// The same.
    pub longest_wait: Option<u32>,
}

/// What one agent did in the last week.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentLine {
    /// Who; blank for all whose name is not known.
    pub name: Personal,
    /// Chats that they lost.
    pub dropped: u64,
    /// Chats that they took while those waited.
    pub taken: u64,
    /// How long chats had waited that they had lost, in minutes.
    pub median_wait: Option<f64>,
}

impl Summary {
    /// The sentence above it, with the time as the clocks in `zone` show it.
    pub fn headline(&self, at: UnixMs, zone: &TimeZone) -> String {
        let agents = match self.agent_days {
            1 => "today's agents".to_owned(),
            days => format!("the agents of the last {days}"),
        };
        let updated = at.in_zone(zone).strftime("%H:%M, %-d %b");
        format!("The last {} days, and {agents} · updated {updated}", self.days.len())
    }
}

/// A summary in the making.
#[derive(Debug)]
pub struct Summing {
    now: UnixMs,
    zone: TimeZone,
    retention_ms: i64,
    /// The last days, today first.
    days: Vec<(Date, Counts)>,
    agents: BTreeMap<String, OfAgent>,
    agent_days: usize,
    hours: [u64; 24],
}

impl Summing {
    /// The summary as of `now`, as the calendars and clocks in `zone` show it. What is known of agents counts
    /// for `retention_ms`.
    pub fn new(now: UnixMs, zone: TimeZone, retention_ms: i64) -> Self {
        let mut days = Vec::with_capacity(DAYS);
        let mut date = Some(local(now, &zone).0);
        while let Some(day) = date.filter(|_| days.len() < DAYS) {
            days.push((day, Counts::default()));
            date = day.yesterday().ok();
        }
        let retention_days = usize::try_from(retention_ms / DAY_MS).unwrap_or_default();
        let agent_days = retention_days.clamp(1, AGENT_DAYS);
        let agents = BTreeMap::new();
        Self { now, zone, retention_ms, days, agents, agent_days, hours: [0; 24] }
    }

    /// Adds what was counted in a quarter of an hour, if that is within the last days.
    pub fn add(&mut self, quarter: Quarter, counted: &Counted) {
        let (date, hour) = local(quarter.start(), &self.zone);
        let Some(at) = self.days.iter().position(|(day, _)| *day == date) else { return };
        let (day, counts) = (&mut self.days[at].1, &counted.counts);
        day.dropped += counts.dropped;
        day.taken += counts.taken;
        day.closed += counts.closed;
        day.waits.add_all(&counts.waits);
        self.hours[hour] += counts.dropped;
        if at >= self.agent_days || self.now.since_ms(quarter.start()) > self.retention_ms {
            return;
        }
        for (name, did) in counted.agents.iter() {
            let agent = self.agents.entry(name.reveal().to_owned()).or_default();
            agent.dropped += did.dropped;
            agent.taken += did.taken;
            agent.waits.add_all(&did.waits);
        }
    }

    /// What was added so far.
    pub fn summary(self) -> Summary {
        let days = self.days.into_iter().rev().map(day_line).collect();
        let agents = agent_lines(self.agents);
        Summary { days, agents, agent_days: self.agent_days, hours: self.hours }
    }
}

fn day_line((date, counts): (Date, Counts)) -> DayLine {
    let Counts { dropped, taken, closed, waits } = counts;
    let (median_wait, longest_wait) = (waits.median(), waits.longest());
    DayLine { date, dropped, taken, closed, median_wait, longest_wait }
}

fn agent_lines(agents: BTreeMap<String, OfAgent>) -> Vec<AgentLine> {
    let line = |(name, did): (String, OfAgent)| AgentLine {
        name: Personal::new(&name),
        dropped: did.dropped,
        taken: did.taken,
        median_wait: did.waits.median(),
    };
    let mut lines: Vec<AgentLine> = agents.into_iter().map(line).collect();
    // Of equals the names' order stays.
    lines.sort_by_key(|line| (std::cmp::Reverse(line.dropped), std::cmp::Reverse(line.taken)));
    lines.truncate(AGENT_LINES_MAX);
    lines
}

/// The date and the hour that clocks in this zone show.
fn local(at: UnixMs, zone: &TimeZone) -> (Date, usize) {
    let moment = at.in_zone(zone);
    (moment.date(), usize::try_from(moment.hour()).unwrap_or_default())
}
