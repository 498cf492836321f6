//! The turn to write: at most so many writes leave in any window, whichever processes send them.
//!
//! A turn is noted, and committed, before its write leaves; it is good for a moment only, and counts as if
//! the write left at the end of that moment. So a write that leaves in time never leaves later than it
//! counts, and however long a commit takes, there are never more.

use std::time::Duration;

use crate::chat::time::UnixMs;
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

/// How many writes may leave.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling {
    /// Most within any window; at least one.
    pub writes_max: u32,
    /// How long a window is, in milliseconds.
    pub window_ms: i64,
    /// How long a turn is good for, in milliseconds.
    pub turn_ms: i64,
}

impl Ceiling {
    /// Longest that a turn is ever good for, in milliseconds.
    pub const TURN_MAX_MS: i64 = 32_000;

    /// When a write leaves at the latest whose turn is taken at `now`.
    fn latest(self, now: UnixMs) -> UnixMs {
        now.plus_ms(self.turn_ms.min(Self::TURN_MAX_MS))
    }
}

impl Journal {
    /// Takes the turn to write, or says how long until there may be one. A turn is good for
    /// [`Ceiling::turn_ms`] from now on; a write that has not left by then needs another.
    ///
    /// # Errors
    /// When it could not be noted; the write must not leave then.
    pub async fn take_turn(
        &self,
        ceiling: Ceiling,
        now: UnixMs,
    ) -> Result<Option<Duration>, Error> {
        let work = move |transaction: &mut Transaction<'_>| {
            let now = transaction.now(now);
            let noted = transaction.read()?.sent()?;
            let wait = wait(&noted, ceiling, now);
            let until = until(now);
            let beyond = noted.iter().filter(|at| **at > until).count();
            if wait.is_none() || beyond > 0 {
                let changes = transaction.change();
                changes.sent_kept = Some((now.plus_ms(-ceiling.window_ms), until));
                changes.sent.extend(std::iter::repeat_n(until, beyond));
                changes.sent.extend(wait.is_none().then(|| ceiling.latest(now)));
            }
            Ok(wait)
        };
        self.commit_as_owner(work).await
    }

    /// When writes left, as far as noted, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sent(&self) -> Result<Vec<UnixMs>, Error> {
        self.read(|store| Ok(store.sent()?)).await
    }
}

/// Whatever left, or has its turn, leaves by then.
fn until(now: UnixMs) -> UnixMs {
    now.plus_ms(Ceiling::TURN_MAX_MS)
}

/// How long until one more write may leave; `None` for now. What is noted for later than any turn lasts was
/// noted before the clock was set back: nobody waits for the clock to get there, but it counts.
fn wait(noted: &[UnixMs], ceiling: Ceiling, now: UnixMs) -> Option<Duration> {
    let noted = noted.iter().map(|at| (*at).min(until(now)));
    let mut counted: Vec<UnixMs> =
        noted.filter(|at| now.since_ms(*at) < ceiling.window_ms).collect();
    counted.sort_unstable();
    let surplus = counted.len().checked_sub(ceiling.writes_max.max(1) as usize)?;
    let wait_ms = ceiling.window_ms - now.since_ms(counted[surplus]);
    Some(Duration::from_millis(wait_ms.max(1).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::tests::NOW;

    const CEILING: Ceiling = Ceiling { writes_max: 3, window_ms: 60_500, turn_ms: 500 };

    proptest! {
        /// Several processes want to write again and again, some of them with slow commits; each write leaves
        /// at any moment of its turn. The clock that counts is set back now and then, as where a database fails
        /// over.
        #[test]
        fn never_more_writes_than_the_ceiling_leave_within_a_minute(
            steps in prop::collection::vec(
                (0..30_000_i64, 0..=1_000_i64, any::<bool>(), 0..20_u8, 0..7_200_000_i64), 1..200,
            ),
        ) {
            let (mut real, mut set_back_ms, mut noted) = (NOW, 0, Vec::new());
            let mut left: Vec<UnixMs> = Vec::new();
            for (passes_ms, late, is_slow, dice, back_ms) in steps {
                real = real.plus_ms(passes_ms);
                if dice == 0 {
                    set_back_ms += back_ms;
                }
                let now = real.plus_ms(-set_back_ms);
                let turn_ms = if is_slow { 16_000 } else { 500 };
                let ceiling = Ceiling { turn_ms, ..CEILING };
                let wait = wait(&noted, ceiling, now);
                noted.iter_mut().for_each(|at: &mut UnixMs| *at = (*at).min(until(now)));
                if wait.is_none() {
                    noted.push(ceiling.latest(now));
                    left.push(real.plus_ms(turn_ms * late / 1_000));
                }
            }
            left.sort_unstable();
            for first_and_last in left.windows(CEILING.writes_max as usize + 1) {
                let apart_ms = first_and_last[3].since_ms(first_and_last[0]);
                prop_assert!(apart_ms >= 60_000, "{apart_ms} ms");
            }
        }
    }

    #[test]
    fn whoever_waits_as_long_as_it_is_told_may_write_then() {
        let mut noted = Vec::new();
        let mut now = NOW;
        for write in 0..20 {
            if let Some(waits) = wait(&noted, CEILING, now) {
                assert!(write >= 3 && waits <= Duration::from_millis(61_000), "{write}: {waits:?}");
                now = now.plus_ms(waits.as_millis().try_into().unwrap());
                assert_eq!(wait(&noted, CEILING, now), None, "{write}");
            }
            noted.push(now.plus_ms(CEILING.turn_ms));
        }
    }
}
