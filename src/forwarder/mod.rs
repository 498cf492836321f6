//! The forwarder: takes what is pending to the sheet, one batch at a time, for as long as it takes.
//!
//! Seal, send, settle, wait. Under load the next batch is all that came while the last one was under
//! way; an event that arrives while nothing is under way is sent at once. One write is in flight at a
//! time, and none leaves before the pace allows it and the journal has noted it.
//!
//! Never gives up a batch: what may have been applied is sent again as it was, until the sheet tells.
//! Reads no HTTP, writes no SQL, decides waiting in [`backoff`] and [`pace`].

pub mod backoff;
pub mod pace;
mod held;
mod tab;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::causes::Causes;
use crate::chat::time::UnixMs;
use crate::forwarder::held::{Ending, Held};
use crate::forwarder::pace::{Pace, WINDOW_MS};
use crate::journal::{Error, Journal, Measure, Tally};
use crate::sheets::rows::bytes_of;
use crate::sheets::{Client, Later, Layout, Plan, Trouble};
use crate::status::{SheetState, Status};

/// Most rows and bytes of one batch: Google recommends 2 MB a request.
pub const BATCH_ROWS_MAX: usize = 5_000;
/// Leaves room for the marker and the envelope.
pub const BATCH_BYTES_MAX: usize = 2_000_000 - 1_000;
/// How old the layout may be when a batch is planned by it; under load nobody has looked meanwhile.
const LAYOUT_AGE_MAX: Duration = Duration::from_secs(10);
/// How long the write under way may still take when the service stops.
pub const STOP_BUDGET: Duration = Duration::from_secs(10);

/// What the forwarder is told at start.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the spreadsheet is called in logs and on the health pages; not its id, which opens it
    /// where it is shared by link.
    pub name: String,
    /// Title of the log tab.
    pub sheet_name: String,
    /// Zone of the times written; `None` is the spreadsheet's own.
    pub time_zone: Option<String>,
    /// Ceiling over any 60 s.
    pub writes_per_minute_max: u32,
    /// The clock.
    pub now: fn() -> UnixMs,
}

/// The loop and what it holds.
#[derive(Debug)]
pub struct Forwarder {
    journal: Journal,
    sheets: Arc<Client>,
    status: Arc<Status>,
    options: Options,
    pending: watch::Receiver<Tally>,
    pace: Pace,
    layout: Option<(Layout, Instant)>,
    held: Option<Held>,
    failures: u32,
    suspect: Option<Suspect>,
    markers_full: bool,
    batches_unpruned: u32,
    pruned_at: Instant,
    /// Whether delivered rows may still linger on the disk.
    is_unpurged: bool,
}

/// A row that Google refuses is among those up to `last`.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    last: u64,
    /// How many rows go together until it stands alone.
    rows_max: usize,
}

/// What to do after a step.
#[derive(Debug, PartialEq)]
enum Next {
    Step,
    Wait(Duration),
    /// Or until a name is found.
    WaitForName(Duration),
    Idle,
}

impl Forwarder {
    /// Takes up where the journal says that the last process stopped.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn new(
        journal: Journal,
        sheets: Arc<Client>,
        status: Arc<Status>,
        options: Options,
    ) -> Result<Self, Arc<Error>> {
        let pace = Pace::new(options.writes_per_minute_max, journal.sent().await?);
        let held = journal.open_batch().await?.map(Held::recovered);
        Ok(Self {
            pending: journal.watch(),
            journal,
            sheets,
            status,
            options,
            pace,
            layout: None,
            held,
            failures: 0,
            suspect: None,
            markers_full: false,
            batches_unpruned: 0,
            pruned_at: Instant::now(),
            is_unpurged: true,
        })
    }

    /// Runs until `stop` resolves; then gives the step under way [`STOP_BUDGET`] and returns.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let next = {
                let step = self.step();
                tokio::pin!(step);
                tokio::select! {
                    next = &mut step => next,
                    () = &mut stop => {
                        if tokio::time::timeout(STOP_BUDGET, step).await.is_err() {
                            log::warn!(
                                "stopped while a write was under way; it is found out at the next start"
                            );
                        }
                        return;
                    }
                }
            };
            tokio::select! {
                () = self.wait(next) => {}
                () = &mut stop => return,
            }
        }
    }

    async fn wait(&mut self, next: Next) {
        match next {
            Next::Step => {}
            Next::Wait(delay) => tokio::time::sleep(delay).await,
            Next::WaitForName(delay) => tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.journal.name_answered() => {}
            },
            Next::Idle => self.idle().await,
        }
    }

    /// One thing at a time: settle or send what is held, else look, else seal.
    async fn step(&mut self) -> Next {
        let done = match self.held.take() {
            Some(held) => self.advance(held).await,
            None if self.layout.is_none() => Ok(self.survey().await),
            None => self.seal().await,
        };
        done.unwrap_or_else(|error| {
            log::error!("the journal does not answer, trying again: {}", Causes(&*error));
            Next::Wait(Duration::from_secs(1))
        })
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        if self.status.set_sheet(&self.options.name, SheetState::Delivering) {
            log::info!("the spreadsheet is reached");
        }
    }

    /// Notes a trouble and says how long to wait.
    fn troubled(&mut self, trouble: Trouble) -> Duration {
        match trouble {
            Trouble::Passing(later) => self.retry(&later),
            Trouble::Taken => {
                self.retry(&Later { why: "an id chosen for the tab is in use".into(), after: None })
            }
            Trouble::Operator(advice) => self.park(advice),
        }
    }

    fn retry(&mut self, later: &Later) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let wait = backoff::delay(self.failures, later.after, fastrand::f64());
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let sentence = format!("{}; trying again by itself", later.why);
        if self.status.set_sheet(&self.options.name, SheetState::Retrying(sentence)) {
            log::warn!(failures = self.failures, wait_ms; "{}, trying again", later.why);
        }
        wait
    }

    fn park(&mut self, advice: String) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let wait = backoff::probe(self.failures);
        if self.status.set_sheet(&self.options.name, SheetState::Parked(advice.clone())) {
            log::error!(pending_rows = self.journal.tally().pending(); "{advice}");
        }
        wait
    }

    /// Takes a turn to write, or says how long until there is one.
    async fn turn(&mut self) -> Result<(), Duration> {
        let now = (self.options.now)();
        // A full batch waits, or something that is not a batch: only the ceiling counts.
        let wait_ms = self.pace.wait_ms(now, true);
        if wait_ms > 0 {
            return Err(Duration::from_millis(wait_ms.unsigned_abs()));
        }
        // On disk before it leaves: killed and started again, we still keep the ceiling.
        self.journal.note_sent(now, WINDOW_MS).await.map_err(|error| {
            log::error!("cannot note a write before it leaves: {}", Causes(&*error));
            Duration::from_secs(1)
        })?;
        self.pace.note(now);
        Ok(())
    }

    async fn seal(&mut self) -> Result<Next, Arc<Error>> {
        let Some((layout, read_at)) = &self.layout else { return Ok(Next::Step) };
        let pending = self.journal.tally().pending();
        if pending == 0 {
            if std::mem::take(&mut self.is_unpurged) {
                self.journal.purge().await?;
            }
            return Ok(if self.prune_is_due() { self.prune().await } else { Next::Idle });
        }
        if read_at.elapsed() > LAYOUT_AGE_MAX {
            return Ok(self.survey().await);
        }
        let now = (self.options.now)();
        let is_full = pending >= BATCH_ROWS_MAX as u64;
        let wait_ms = self.pace.wait_ms(now, is_full);
        if wait_ms > 0 {
            return Ok(Next::Wait(Duration::from_millis(wait_ms.unsigned_abs())));
        }
        let trusts_markers = self.journal.fact("marker_fences").await? != Some(false)
            && self.journal.fact("marker_readable").await? != Some(false);
        let plan = Plan::new(layout, trusts_markers && !self.markers_full);
        let rows_max = self.suspect.map_or(BATCH_ROWS_MAX, |suspect| suspect.rows_max);
        let measure = Measure { rows_max, bytes_max: BATCH_BYTES_MAX, bytes_of };
        let Some(batch) = self.journal.seal(measure, plan.to_text(), now).await? else {
            return Ok(self.journal.awaits_name(now).map_or(Next::Idle, Next::WaitForName));
        };
        self.advance(Held::sealed(batch)).await
    }

    /// Notes the end of a batch whose last row had this number.
    fn ended(&mut self, ending: &Ending, last: u64) {
        match ending {
            Ending::Written => {
                self.batches_unpruned += 1;
                self.is_unpurged = true;
                self.suspect = self.suspect.filter(|suspect| suspect.last > last);
                self.succeeded();
            }
            Ending::SetAside(_) => self.suspect = None,
            Ending::Released => {}
        }
    }
}
