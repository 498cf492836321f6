//! Whether a write may leave now: by what this process has written lately, and by the turn to write, which the
//! journal gives to one process at a time.

use std::time::{Duration, Instant};

use crate::causes::Causes;
use crate::chat::time::UnixMs;
use crate::forwarder::pace::{TURN_MS, WINDOW_MS};
use crate::forwarder::{Forwarder, locked};
use crate::journal::Ceiling;
use crate::sheets::Later;
use crate::sheets::token::TokenTrouble;

impl Forwarder {
    /// Takes one of the minute's writes, or says how long until there is one.
    pub(super) async fn take_write_slot(&mut self) -> Result<(), Duration> {
        let now = self.now();
        // A full batch waits, or something that is not a batch: only the ceiling counts.
        let wait_ms = self.wait_ms(now, true);
        if wait_ms > 0 {
            return Err(Duration::from_millis(wait_ms.unsigned_abs()));
        }
        if let Some(wait) = self.sheets.write_wait() {
            return Err(wait);
        }
        // The token is there before, so that the write leaves within its turn. What a human must mend, the
        // write says.
        if let Err(TokenTrouble::Temporary(why)) = self.sheets.check_token().await {
            return Err(self.retry(&Later { why, after: None }));
        }
        self.take_turn().await?;
        let now = self.now();
        locked(&self.all_writes).note(now);
        self.own_writes.note(now);
        Ok(())
    }

    /// Takes the turn to write, of all processes; committed before the write leaves.
    async fn take_turn(&mut self) -> Result<(), Duration> {
        let (asked_at, asked_now) = (Instant::now(), (self.options.now)());
        let ceiling = Ceiling {
            writes_max: self.options.writes_per_minute_max,
            window_ms: WINDOW_MS - TURN_MS,
            turn_ms: self.turn_ms,
        };
        match self.journal.take_turn(ceiling, asked_now).await {
            Ok(None) => {}
            Ok(Some(wait)) => return Err(wait),
            Err(error) => {
                log::error!("cannot take the turn to write: {}", Causes(&error));
                return Err(Duration::from_secs(1));
            }
        }
        // A machine may have slept meanwhile, which only its clock tells.
        let slept_ms = (self.options.now)().since_ms(asked_now).abs();
        let took_ms =
            i64::try_from(asked_at.elapsed().as_millis()).unwrap_or(i64::MAX).max(slept_ms);
        if took_ms >= self.turn_ms {
            log::debug!(took_ms; "the turn to write came too late: taking another");
            self.turn_ms = (2 * self.turn_ms).min(Ceiling::TURN_MAX_MS);
            return Err(Duration::ZERO);
        }
        if took_ms < TURN_MS {
            self.turn_ms = TURN_MS;
        }
        Ok(())
    }

    /// Milliseconds until the next write of this spreadsheet may leave: by its share, and by what all
    /// have written.
    pub(super) fn wait_ms(&mut self, now: UnixMs, is_full: bool) -> i64 {
        let writes_max = self.options.writes_per_minute_max;
        self.own_writes.share(writes_max, self.journal.busy_books(self.options.book));
        let all_ms = locked(&self.all_writes).wait_ms(now, true);
        self.own_writes.wait_ms(now, is_full).max(all_ms)
    }
}
