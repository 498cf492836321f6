//! Patients who wait too long: when the clinic is to be told, and when it is over. Pure.
//!
//! It is told when the longest wait passes the limit, again every hour while that lasts, and once when it is
//! over; each only within the hours in which somebody is there to hear it. A wait counts from its beginning,
//! whatever the hour was then. What was told last is all the state there is, and the caller keeps it.

use crate::chat::board::{lasting, long};
use crate::chat::time::UnixMs;

/// How often it is told again.
const AGAIN_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// It is over when the longest wait is that much below the limit, or half of it: while one patient after
/// the other passes the limit, it is one alarm.
const CLEARANCE_MS: i64 = 5 * MINUTE_MS;

/// When a wait is too long, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) u32);

/// Who waits of one board, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    /// How many chats wait in all.
    waiting: u64,
    /// How many of them for too long.
    long: usize,
    /// More than those may, for not all were looked at.
    may_be_more: bool,
    longest_ms: i64,
}

/// What to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    TooLong,
    Over,
}

impl Limit {
    fn ms(self) -> i64 {
        i64::from(self.0) * MINUTE_MS
    }

    /// How it is where `waiting` chats wait in all, and these began then: all of them, or those that wait longest.
    pub(crate) fn waits(self, began: &[UnixMs], waiting: u64, now: UnixMs) -> Waits {
        let (long, may_be_more) = long(began.iter().copied(), waiting, self.ms(), now);
        let ages = began.iter().map(|began| now.since_ms(*began));
        Waits {
            waiting: waiting.max(began.len() as u64),
            long,
            may_be_more,
            longest_ms: ages.max().unwrap_or_default(),
        }
    }

    /// What to tell now, where it was last told at `told` that somebody waits too long, and not since that it
    /// is over; `None` where there is nothing of the kind.
    pub(crate) fn word(
        self,
        told: Option<UnixMs>,
        waits: &Waits,
        is_within_hours: bool,
        now: UnixMs,
    ) -> Option<Word> {
        let is_over = waits.longest_ms < self.ms() - CLEARANCE_MS.min(self.ms() / 2);
        // The clock may have been set back.
        let is_due = told.is_none_or(|told| !(0..AGAIN_MS).contains(&now.since_ms(told)));
        match is_within_hours {
            true if waits.long > 0 && is_due => Some(Word::TooLong),
            true if told.is_some() && is_over => Some(Word::Over),
            _ => None,
        }
    }

    /// The word in a sentence, without anything of a patient. `board` is its address.
    pub(crate) fn sentence(self, word: Word, waits: &Waits, board: &str) -> String {
        let Waits { waiting, long, may_be_more, longest_ms } = *waits;
        let limit = lasting(self.ms());
        match word {
            Word::TooLong => {
                let (who, have) = match (long, may_be_more) {
                    (1, false) => ("1 patient".to_owned(), "has"),
                    (_, false) => (format!("{long} patients"), "have"),
                    (_, true) => (format!("{long} patients or more"), "have"),
                };
                let longest = lasting(longest_ms);
                format!(
                    "{who} {have} waited for {limit} or longer, the longest for {longest}; {waiting} in all \
                     wait for an agent: {board}"
                )
            }
            Word::Over => {
                let who = match waiting {
                    0 => "nobody waits now".to_owned(),
                    1 => "1 patient waits now".to_owned(),
                    _ => format!("{waiting} patients wait now"),
                };
                format!("nobody waits for {limit} or longer any more; {who}: {board}")
            }
        }
    }
}
