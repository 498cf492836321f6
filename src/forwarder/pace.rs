//! When the next write of this process is due: pure, over the times of those that left.
//!
//! Whether it may leave then the journal decides, for all processes ([`crate::journal::Journal::take_turn`]).
//! Two rules. The ceiling: at most so many writes in any 60 s. Below it, the first half of the
//! minute's writes leave as soon as each has gathered for a moment, which is nothing in a quiet inbox,
//! written event by event, and grows in a burst, which would else use up the minute with a few rows each.
//! The other half is spread over the minute, so that a busy inbox never stands still until it is over. A
//! full batch has nothing to gather and waits for the ceiling only. Several spreadsheets share the ceiling:
//! each keeps to its share of it as long as others have something to write.

use crate::chat::time::UnixMs;

/// The length of Google's quota window and a second for what the network adds or takes away.
pub const WINDOW_MS: i64 = 61_000;
/// How much longer a write gathers rows for each that left in the last minute, where [`USUAL`] may.
const GATHER_MS: i64 = 5;
const USUAL: usize = 50;
/// How long a turn to write is good for, where nothing is slow; part of the window.
pub const TURN_MS: i64 = 500;

/// The writes of the last minute.
#[derive(Clone, Debug)]
pub struct Pace {
    writes_max: usize,
    sent: Vec<UnixMs>,
}

impl Pace {
    /// At most `writes_max` (at least 1) in any minute; `sent` are those of before a restart.
    pub fn new(writes_max: u32, sent: Vec<UnixMs>) -> Self {
        Self { writes_max: writes_max.max(1) as usize, sent }
    }

    /// The same, kept to a share of what all may write: so many spreadsheets have something to write.
    pub fn share(&mut self, writes_max: u32, among: usize) {
        let among = u32::try_from(among).unwrap_or(u32::MAX).max(1);
        self.writes_max = writes_max.div_ceil(among).max(1) as usize;
    }

    /// Whether less than half of what may leave in a minute has left: there is room for what can wait.
    pub fn has_room(&self, now: UnixMs) -> bool {
        let recent = self.sent.iter().filter(|at| counts(**at, now)).count();
        2 * recent < self.writes_max
    }

    /// Notes a write that leaves now.
    pub fn note(&mut self, now: UnixMs) {
        self.sent.retain(|at| counts(*at, now));
        self.sent.push(now);
    }

    /// Milliseconds until the next write may leave; 0 for at once.
    pub fn wait_ms(&self, now: UnixMs, is_full: bool) -> i64 {
        let recent: Vec<UnixMs> = self.sent.iter().copied().filter(|at| counts(*at, now)).collect();
        let Some(last) = recent.iter().max() else { return 0 };
        let ceiling_ms = match recent.len().checked_sub(self.writes_max) {
            // The oldest that must have left the window before there is room for one more.
            Some(surplus) => {
                let mut sorted = recent.clone();
                sorted.sort_unstable();
                WINDOW_MS - age_ms(sorted[surplus], now)
            }
            None => 0,
        };
        let at_once = self.writes_max.div_ceil(2);
        let apart_ms = if is_full {
            0
        } else if recent.len() < at_once {
            // Where the quota was raised, each counts for less.
            GATHER_MS.saturating_mul(count(recent.len() * USUAL / self.writes_max.max(USUAL)))
        } else {
            WINDOW_MS / count(self.writes_max - at_once + 1)
        };
        // One from the future left before the clock was set back: nobody waits for the clock to get there.
        let from_last_ms = now.since_ms(*last).abs();
        ceiling_ms.max(apart_ms - from_last_ms).max(0)
    }
}

/// Whether a write still counts. One from the future was noted before the clock was set back.
fn counts(at: UnixMs, now: UnixMs) -> bool {
    now.since_ms(at).abs() < WINDOW_MS
}

fn count(writes: usize) -> i64 {
    i64::try_from(writes).unwrap_or(i64::MAX)
}

/// How long ago it left; one from the future counts as if it had left now.
fn age_ms(at: UnixMs, now: UnixMs) -> i64 {
    now.since_ms(at).max(0)
}
