//! The forwarder: takes what is pending to one spreadsheet, one batch at a time, for as long as it takes.
//!
//! Seal, send, settle, wait. Under load the next batch is all that came while the last one was under
//! way; an event that arrives while nothing is under way is sent at once. One write is in flight at a
//! time, and none leaves before the pace allows it and the journal has noted it.
//!
//! Never gives up a batch: what may have been applied is sent again as it was, until the sheet tells.
//! Reads no HTTP and writes no SQL.
//!
//! ```text
//! Forwarder (this file)  the loop, what it says of itself, and who may write now
//!   ├─ looking  seen     where our tabs are, and how far that may be relied on
//!   ├─ seal     pick     what goes into the next batch
//!   ├─ sending  held     the batch in hand: what to do with it next, and what each outcome makes of it
//!   ├─ refused           rows refused for a reason that nobody knows
//!   ├─ landing           whether its rows stand in the right columns
//!   ├─ ticket            a write that is no batch, and nobody knows whether it was applied
//!   ├─ turn              whether a write may leave now
//!   ├─ idle     board    nothing to write: a look now and then, the board's time kept fresh
//!   ├─ summary           the last days at a glance, when nothing else is to be written
//!   └─ pruning  barred   old markers; tabs, and formats, that are left alone for a while
//!      formats
//!
//! Former (former)        a batch to a spreadsheet that is not configured any more
//! ```
//!
//! The names on the right are small types without a clock or a call, and so are [`backoff`] and [`pace`],
//! which decide every wait.

pub mod backoff;
pub mod pace;
pub mod pick;
mod barred;
mod board;
mod formats;
mod former;
mod held;
mod idle;
mod landing;
mod looking;
mod pruning;
mod refused;
mod seal;
mod seen;
mod sending;
mod summary;
mod tabs;
mod ticket;
mod turn;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub use crate::forwarder::former::Former;
pub use crate::forwarder::tabs::{tab_name, tabs_of};

use crate::causes::Causes;
use crate::chat::time::UnixMs;
use crate::forwarder::backoff::{Failures, is_broken};
use crate::forwarder::barred::Barred;
use crate::forwarder::board::WrittenBoard;
use crate::forwarder::formats::Formats;
use crate::forwarder::held::{Ending, Held};
use crate::forwarder::pace::{Pace, TURN_MS};
use crate::forwarder::pruning::Pruning;
use crate::forwarder::seen::Seen;
use crate::forwarder::summary::WrittenSummary;
use crate::journal::{BookId, Counters, Error, Journal};
use crate::sheets::{Client, Later, Shading, Trouble};
use crate::status::{SheetState, Status};

/// Most rows and bytes of one batch: Google recommends 2 MB a request.
pub const BATCH_ROWS_MAX: usize = 5_000;
/// Leaves room for the marker, the formats and the envelope.
pub const BATCH_BYTES_MAX: usize = 2_000_000 - 5_000;
/// How often it is looked for a name that another process asks for.
const NAME_LOOKED_FOR_EVERY: Duration = Duration::from_millis(250);
/// How long the write under way may still take when the service stops.
pub const STOP_BUDGET: Duration = Duration::from_secs(10);

/// What the forwarder is told at start.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the spreadsheet is called in logs and on the health pages; not its id, which opens it
    /// where it is shared by link.
    pub name: String,
    /// Which of the journal's spreadsheets it is.
    pub book: BookId,
    /// Titles of its log tabs as configured.
    pub log_titles: Vec<String>,
    /// Title of its tab of the handovers.
    pub handovers_title: String,
    /// How the board is kept.
    pub board: BoardOptions,
    /// Title of the tab of the summary; `None` where there is to be none.
    pub summary_title: Option<String>,
    /// Zone of the times written; `None` is the spreadsheet's own.
    pub time_zone: Option<String>,
    /// Ceiling over any 60 s, of all spreadsheets together.
    pub writes_per_minute_max: u32,
    /// The clock.
    pub now: fn() -> UnixMs,
}

/// How a board is kept.
#[derive(Clone, Debug)]
pub struct BoardOptions {
    /// Title of its tab.
    pub title: String,
    /// Lines older than this leave it where no assignment is ever heard of, in hours.
    pub hours_max: u32,
    /// From when on it says that somebody waits too long, in minutes, where it is to say so.
    pub wait_max_minutes: Option<u32>,
    /// From when on its lines are coloured.
    pub shading: Shading,
}

/// The writes of all spreadsheets: one service account has one quota.
pub type SharedPace = Arc<Mutex<Pace>>;

/// The loop and what it holds.
#[derive(Debug)]
pub struct Forwarder {
    journal: Journal,
    sheets: Arc<Client>,
    status: Arc<Status>,
    options: Options,
    changes: watch::Receiver<Counters>,
    all_writes: SharedPace,
    own_writes: Pace,
    /// How long a turn to write is good for: longer where the journal is slow.
    turn_ms: i64,
    /// The spreadsheet, as far as it is known.
    seen: Option<Seen>,
    /// A log tab that rows are waiting for, beside those of the moment: last month's.
    late_title: Option<String>,
    held: Option<Held>,
    /// A write that is no batch, and may have been applied or not: settled before anything else is written.
    open_ticket: Option<ticket::Open>,
    failures: Failures,
    suspect: Option<Suspect>,
    /// How many rows in a row were set aside though nobody knows what Google has against them.
    unexplained: u32,
    /// What a row of the last batch took on the wire.
    row_bytes: usize,
    markers_full: bool,
    positions_untold: bool,
    formats: Formats,
    board: WrittenBoard,
    summary: WrittenSummary,
    barred: Barred,
    /// What cannot be written or made, and what to do; until it was written again.
    lack: Option<String>,
    /// The zone of the times written, as far as it is known.
    zone_name: Option<String>,
    /// When something was last written: then the spreadsheet was seen, too.
    written_at: Option<Instant>,
    pruning: Pruning,
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
        all_writes: SharedPace,
        options: Options,
    ) -> Result<Self, Error> {
        // What the process before left open it may still send, however late.
        journal.fence(options.book, (options.now)()).await?;
        let held = journal.open_batch(options.book).await?.map(Held::recovered);
        let open_ticket = journal.open_ticket(options.book).await?.map(ticket::Open::recovered);
        let own_writes = locked(&all_writes).clone();
        Ok(Self {
            changes: journal.watch(),
            journal,
            sheets,
            status,
            own_writes,
            all_writes,
            turn_ms: TURN_MS,
            options,
            seen: None,
            late_title: None,
            held,
            open_ticket,
            failures: Failures::default(),
            suspect: None,
            unexplained: 0,
            row_bytes: seal::ROW_BYTES,
            markers_full: false,
            positions_untold: false,
            formats: Formats::default(),
            board: WrittenBoard::default(),
            summary: WrittenSummary::default(),
            barred: Barred::default(),
            lack: None,
            zone_name: None,
            written_at: None,
            pruning: Pruning::new(Instant::now()),
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
                () = tokio::time::sleep(delay.min(NAME_LOOKED_FOR_EVERY)) => {}
                () = self.journal.name_answered() => {}
            },
            Next::Idle => self.idle().await,
        }
    }

    /// The time by the journal's clock, by which all in it is dated.
    fn now(&self) -> UnixMs {
        self.journal.clock((self.options.now)())
    }

    /// One thing at a time: settle or send what is held, else look, else seal.
    async fn step(&mut self) -> Next {
        if let Some(open) = self.open_ticket.take() {
            return self.settle_ticket(open).await;
        }
        let done = match self.held.take() {
            Some(held) => Ok(self.advance(held).await),
            None if self.seen.is_none() => Ok(self.survey().await),
            None => self.seal().await,
        };
        match done {
            Ok(next) => next,
            Err(error) => self.journal_failed(error).await,
        }
    }

    async fn journal_failed(&mut self, error: Error) -> Next {
        log::error!("the journal does not answer, trying again: {}", Causes(&error));
        if matches!(error, Error::BatchOpen) {
            // Whatever let go of it: it is taken up as after a crash.
            match self.journal.open_batch(self.options.book).await {
                Ok(batch) => self.held = batch.map(Held::recovered),
                Err(error) => log::error!("cannot read the batch under way: {}", Causes(&error)),
            }
        }
        Next::Wait(Duration::from_secs(1))
    }

    fn succeeded(&mut self) {
        // That something else was written or read mends no log.
        if self.barred.log_was_refused() {
            return;
        }
        self.failures = Failures::default();
        if self.status.set_sheet(&self.options.name, SheetState::Delivering) {
            log::info!(sheet = self.options.name; "the spreadsheet is reached");
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
        let silent_for = self.sheets.silent_for();
        if is_broken(self.sheets.only_errors_for(), silent_for) {
            return self.park(format!(
                "for half an hour Google has answered with nothing but errors of its own about this \
                 spreadsheet, and well about all else, so that it may have become too much for Google: make \
                 a new spreadsheet, share it with {} as Editor and set SPREADSHEET_ID to it; rows that wait \
                 go there",
                self.sheets.account()
            ));
        }
        let wait = self.failures.passing(silent_for, later.after, fastrand::f64());
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let sentence = format!("{}; trying again by itself", later.why);
        // What passes by itself does not hide what a human must mend.
        if self.barred.log_was_refused() {
            return wait;
        }
        if self.status.set_sheet(&self.options.name, SheetState::Retrying(sentence)) {
            log::warn!(
                sheet = self.options.name, failures = self.failures.count(), wait_ms;
                "{}, trying again", later.why
            );
        }
        wait
    }

    fn park(&mut self, advice: String) -> Duration {
        let wait = self.failures.operators();
        // Whoever mends it may move columns too.
        self.seen.as_mut().map(Seen::doubt);
        if self.status.set_sheet(&self.options.name, SheetState::Parked(advice.clone())) {
            log::error!(sheet = self.options.name, pending_rows = self.journal.work(self.options.book).pending; "{advice}");
        }
        wait
    }

    /// Notes what the operator is to mend though rows are being written, or that nothing is.
    fn warn_of(&mut self, lack: Option<String>) {
        let full = self.seen.as_ref().and_then(|seen| seal::fullness(seen.layout.cells));
        let left_out = self.seen.iter().flat_map(|seen| seen.layout.left_out.clone());
        let tables = self.seen.as_ref().and_then(|seen| seen.layout.table_advice());
        let no_summary = self.summary.lack.clone();
        let all = left_out.chain(lack.clone()).chain(no_summary).chain(tables).chain(full);
        let all: Vec<String> = all.collect();
        self.lack = lack;
        let warning = (!all.is_empty()).then(|| all.join("; "));
        if self.status.set_warning(&self.options.name, warning.clone())
            && let Some(warning) = warning
        {
            log::warn!(sheet = self.options.name; "{warning}");
        }
    }

    /// Notes the end of a batch whose last row had this number, and with which went the board of that moment
    /// and with those changes.
    fn ended(&mut self, ending: &Ending, last: u64, drawn: Option<(UnixMs, u64)>) {
        match ending {
            Ending::Written => {
                if let Some((at, changes)) = drawn {
                    self.board.is_written(at, changes);
                    if self.lack.is_some() && !self.handovers_are_barred() {
                        self.warn_of(None);
                    }
                }
                self.written_at = Some(Instant::now());
                self.pruning.count_batch();
                self.is_unpurged = true;
                if last > 0 {
                    self.unexplained = 0;
                }
                self.suspect = self.suspect.filter(|suspect| suspect.last > last);
                self.succeeded();
            }
            Ending::SetAside(_) => self.suspect = None,
            Ending::Released => {}
        }
    }
}

/// A panic elsewhere leaves the times as they were; they still count.
fn locked(pace: &SharedPace) -> MutexGuard<'_, Pace> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}
