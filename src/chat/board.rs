//! The board: who waits at one moment, as one picture that is written as a whole.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::chat::entry::Entry;
use crate::chat::time::UnixMs;

/// Most lines of a board; the sentence above them counts all who wait.
pub const LINES_MAX: usize = 1_000;

/// Who waits, as of `at`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// When the picture was taken.
    pub at: UnixMs,
    /// How many chats wait in all.
    pub waiting: u64,
    /// The longest waiting first; at most [`LINES_MAX`].
    pub lines: Vec<Line>,
    /// What the reader must know before relying on it, in whole sentences: that something is wrong,
    /// that we are behind. Never a patient's words.
    pub remarks: Vec<String>,
}

/// One chat that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The unassignment that began the wait.
    pub entry: Entry,
    /// How often the chat was dropped in the last day.
    pub drops: usize,
}

impl Board {
    /// The sentence above the lines, with the time as the clocks in `zone` show it.
    ///
    /// It bears the time of the picture, so that an empty list can be trusted when the time is fresh,
    /// and is not when it is stale.
    pub fn headline(&self, zone: &TimeZone) -> String {
        let who = match self.waiting {
            0 => "Nobody is waiting".to_owned(),
            1 => "1 patient waiting".to_owned(),
            count => format!("{count} patients waiting"),
        };
        let mut parts = vec![who];
        if let Some(first) = self.lines.first() {
            parts.push(format!("longest {}", lasting(self.at.since_ms(first.entry.unassigned_at))));
        }
        let moment = self.at.in_zone(zone);
        parts.push(format!("updated {}", moment.strftime("%H:%M, %-d %b")));
        if (self.lines.len() as u64) < self.waiting {
            parts.push(format!("only the {} who wait longest are shown", self.lines.len()));
        }
        parts.extend(self.remarks.iter().cloned());
        parts.join(" · ")
    }
}

/// How many of those that began then have waited for so long; and whether more of all `waiting` may have, for not all
/// were looked at.
pub fn long(
    began: impl ExactSizeIterator<Item = UnixMs>,
    waiting: u64,
    limit_ms: i64,
    now: UnixMs,
) -> (usize, bool) {
    let looked_at = began.len();
    let long = began.filter(|began| now.since_ms(*began) >= limit_ms).count();
    (long, long == looked_at && (long as u64) < waiting)
}

/// What to say above the lines where somebody has waited for so long, of `waiting` in all; `None` where nobody has.
pub fn too_long(lines: &[Line], waiting: u64, limit_ms: i64, now: UnixMs) -> Option<String> {
    let began = lines.iter().map(|line| line.entry.unassigned_at);
    let (long, may_be_more) = long(began, waiting, limit_ms, now);
    let or_more = if may_be_more { " or more" } else { "" };
    (long > 0).then(|| format!("TOO LONG: {long}{or_more} for {} or longer", lasting(limit_ms)))
}

/// A duration as people say it: `2 h 10 min`.
pub fn lasting(milliseconds: i64) -> String {
    let minutes = milliseconds.max(0) / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
