//! A spreadsheet that is not configured any more, and what became of the batch that was under way to it.
//!
//! Its rows go where they belong now, but not before it is known that they are not in the former spreadsheet and
//! will not come there: its marker is burnt. Where that does not succeed for [`GIVE_UP_AFTER`] they go all the same,
//! since a patient waits: the spreadsheet may have been left because it is gone or broken. Then they may be in both,
//! under the same Event IDs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::causes::Causes;
use crate::chat::time::UnixMs;
use crate::forwarder::backoff::Failures;
use crate::forwarder::held::{DOUBT, Held};
use crate::forwarder::pace::{TURN_MS, WINDOW_MS};
use crate::journal::{BookId, Ceiling, Journal};
use crate::sheets::{Burnt, Client, Trouble};

/// How long it is tried to find out what became of the batch.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5 * 60);
/// Google answers somebody at least every minute where it answers anybody.
const IS_SILENT_FROM: Duration = Duration::from_secs(2 * 60);
/// How long to wait where it is not Google that is asked.
const AGAIN: Duration = Duration::from_secs(1);

/// A former spreadsheet.
#[derive(Debug)]
pub struct Former {
    /// Where it is settled.
    pub journal: Journal,
    /// Speaks to it.
    pub sheets: Arc<Client>,
    /// Which of the journal's spreadsheets it was.
    pub book: BookId,
    /// Ceiling over any 60 s, of all spreadsheets together.
    pub writes_per_minute_max: u32,
    /// The clock.
    pub now: fn() -> UnixMs,
}

/// What is known of its batch.
enum Known {
    Written,
    /// And it never will be.
    NotWritten,
    /// Not yet; how long until it may be asked again.
    Later(Duration),
}

impl Former {
    /// Returns when nothing is under way to it any more.
    pub async fn run(self) {
        log::info!(
            "finding out what became of a batch to a spreadsheet that is not configured any more"
        );
        let (began, mut failures) = (Instant::now(), Failures::default());
        while let Some(wait) = self.step(began, &mut failures).await {
            tokio::time::sleep(wait).await;
        }
    }

    /// Brings it a step further; gives how long to wait before the next, if there is one.
    pub(super) async fn step(&self, began: Instant, failures: &mut Failures) -> Option<Duration> {
        let batch = match self.journal.open_batch(self.book).await {
            Ok(batch) => batch?,
            Err(error) => {
                log::error!("the journal does not answer, trying again: {}", Causes(&error));
                return Some(AGAIN);
            }
        };
        let held = Held::recovered(batch);
        let rows = held.batch.rows();
        let settled = match self.known(&held, began, failures).await {
            Known::Later(wait) if !self.gives_up(began) => return Some(wait),
            Known::Written => self.journal.written(held.batch).await,
            Known::NotWritten => self.journal.release(held.batch).await,
            Known::Later(_) => {
                log::warn!(
                    rows;
                    "a spreadsheet that is not configured any more does not tell whether the last rows were \
                     written to it: they go to where they belong now, and may be in both, under the same Event IDs"
                );
                self.journal.release(held.batch).await
            }
        };
        let failed = settled.err()?;
        log::error!("trying again to settle a batch: {}", Causes(&failed));
        Some(AGAIN)
    }

    /// Whether the rows go though nothing is known. As long as Google answers nobody they could go nowhere.
    fn gives_up(&self, began: Instant) -> bool {
        began.elapsed() >= GIVE_UP_AFTER && self.sheets.silent_for() < IS_SILENT_FROM
    }

    async fn known(&self, held: &Held, began: Instant, failures: &mut Failures) -> Known {
        if !held.can_burn() {
            // It went without a marker, and nothing else tells from here.
            return Known::Later(AGAIN);
        }
        if let Err(wait) = self.take_turn().await {
            return Known::Later(wait);
        }
        let marker = held.marker();
        match self.sheets.burn(&marker).await {
            Burnt::Void | Burnt::Foreign => Known::NotWritten,
            Burnt::Written => Known::Written,
            // Its own may be among those that fill it. Without room for another only time tells that it will not
            // come.
            Burnt::NoRoom => match self.sheets.holds_marker(&marker).await {
                Ok(true) => Known::Written,
                Ok(false) => match DOUBT.checked_sub(began.elapsed()) {
                    Some(left) => Known::Later(left),
                    None => Known::NotWritten,
                },
                Err(Trouble::Operator(_)) => Known::Later(failures.operators()),
                Err(_) => Known::Later(self.passing(failures, None)),
            },
            Burnt::Later(later) => Known::Later(self.passing(failures, later.after)),
            Burnt::Operator(_) => Known::Later(failures.operators()),
        }
    }

    fn passing(&self, failures: &mut Failures, after: Option<Duration>) -> Duration {
        failures.passing(self.sheets.silent_for(), after, fastrand::f64())
    }

    /// Takes the turn to write; committed before the write leaves.
    async fn take_turn(&self) -> Result<(), Duration> {
        if let Some(wait) = self.sheets.write_wait() {
            return Err(wait);
        }
        if self.sheets.check_token().await.is_err() {
            // The forwarders say why.
            return Err(AGAIN);
        }
        let ceiling = Ceiling {
            writes_max: self.writes_per_minute_max,
            window_ms: WINDOW_MS - TURN_MS,
            // One write is in no hurry.
            turn_ms: Ceiling::TURN_MAX_MS,
        };
        match self.journal.take_turn(ceiling, (self.now)()).await {
            Ok(None) => Ok(()),
            Ok(Some(wait)) => Err(wait),
            Err(error) => {
                log::error!("cannot take the turn to write: {}", Causes(&error));
                Err(AGAIN)
            }
        }
    }
}
