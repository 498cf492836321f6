//! The batch in hand: sending it, and what each outcome makes of it.

use std::time::{Duration, Instant};

use crate::causes::Causes;
use crate::chat::entry::Entry;
use crate::forwarder::backoff::Failures;
use crate::forwarder::{Forwarder, Next, Suspect};
use crate::journal::Batch;
use crate::sheets::{
    Content, Delivery, Landing, Later, Layout, Marker, Plan, Purpose, Refused, Survey, TabLayout,
    Trouble, WRITE_TIMEOUT,
};

/// Google answers or gives up within 180 s; a send older than this cannot be applied any more.
const DOUBT: Duration = Duration::from_secs(185);

/// A batch that is not finished.
#[derive(Debug)]
pub(super) struct Held {
    batch: Batch,
    /// When a send left whose outcome is not known, the last one.
    in_doubt_since: Option<Instant>,
    /// Whether it was sent before, so that the sheet may have changed since it was planned.
    was_sent: bool,
    /// Refused in a way that only its marker can explain.
    is_undecided: bool,
    /// How often no answer came in the time for it.
    timeouts: u32,
    /// Whether the last send was refused for its access token.
    was_unauthorised: bool,
    /// It was applied, and is looked at: whether its rows stand where they belong.
    pub(super) has_landed: Option<Landing>,
    /// How often its rows were put right.
    pub(super) repairs: u32,
    /// Known to be over, but not yet written down.
    ending: Option<Ending>,
}

/// How a batch ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Written,
    SetAside(&'static str),
    Released,
}

impl Held {
    /// Fresh from the journal: never sent.
    pub(super) fn sealed(batch: Batch) -> Self {
        Self {
            batch,
            in_doubt_since: None,
            was_sent: false,
            is_undecided: false,
            timeouts: 0,
            was_unauthorised: false,
            has_landed: None,
            repairs: 0,
            ending: None,
        }
    }

    /// Left by a process that is gone: it may have been sent until just now.
    pub(super) fn recovered(batch: Batch) -> Self {
        Self { in_doubt_since: Some(Instant::now()), was_sent: true, ..Self::sealed(batch) }
    }

    #[cfg(test)]
    pub(super) fn forget_plan(&mut self) {
        self.batch.forget_plan();
    }

    #[cfg(test)]
    pub(super) fn doubt_is_over(&mut self) {
        self.in_doubt_since = Instant::now().checked_sub(2 * DOUBT);
    }

    fn marker(&self) -> Marker {
        let batch = &self.batch;
        Marker::new(batch.marker_id(), batch.digest(), batch.sealed_at().0 / 1_000)
    }

    pub(super) fn batch(&self) -> &Batch {
        &self.batch
    }

    fn content(&self) -> Content<'_> {
        let batch = &self.batch;
        Content { log: batch.entries(), handovers: batch.handovers(), board: batch.board() }
    }

    /// Its rows, by the tab that they were planned for. Where that is not there any more, they went
    /// with it.
    pub(super) fn rows_by_tab<'a>(
        &'a self,
        plan: &Plan,
        layout: &'a Layout,
    ) -> impl Iterator<Item = (&'a TabLayout, &'a [Entry])> {
        let rows =
            [(Purpose::Log, self.batch.entries()), (Purpose::Handovers, self.batch.handovers())];
        rows.into_iter().filter_map(move |(purpose, entries)| {
            let tab = layout.by_id(purpose, plan.sheet_id(purpose)?)?;
            (!entries.is_empty()).then_some((tab, entries))
        })
    }

    /// How long to wait for the answer to the next send: longer each time that none came, for the way out
    /// may be slow.
    fn timeout(&self) -> Duration {
        WRITE_TIMEOUT.saturating_mul(1 << self.timeouts.min(4)).min(DOUBT)
    }

    /// How long an earlier send may still be applied; `None` when none may.
    fn doubt_left(&self) -> Option<Duration> {
        self.in_doubt_since.and_then(|since| DOUBT.checked_sub(since.elapsed()))
    }
}

impl Forwarder {
    /// Brings the batch one step further.
    pub(super) async fn advance(&mut self, held: Held) -> Next {
        if let Some(ending) = held.ending.clone() {
            return self.end(held, ending).await;
        }
        let Some(plan) = Plan::parse(held.batch.plan()) else {
            log::warn!(batch = held.batch.number(); "sealed in words this version does not know");
            return self.look_for_marker(held).await;
        };
        if let Some(landing) = held.has_landed {
            return self.landed(held, &plan, landing).await;
        }
        if held.is_undecided {
            return self.look_for_marker(held).await;
        }
        if !held.was_sent || (plan.traces().marker && held.in_doubt_since.is_some()) {
            return self.send(held, plan).await;
        }
        if let Some(left) = held.doubt_left() {
            self.held = Some(held);
            return Next::Wait(left);
        }
        // Certainly not applied, or to be found by its rows: either way where they are now counts.
        let found = match held.in_doubt_since {
            // They are read by the tab's title, which nothing but a survey tells.
            Some(_) => self.look_anew().await,
            None => self.look_unless_seen().await,
        };
        match found {
            Ok(Survey::Ready(layout)) => {
                if held.in_doubt_since.is_some() {
                    self.look_for_rows(held, plan, &layout).await
                } else if plan.holds_in(&layout) {
                    self.send(held, plan).await
                } else {
                    self.end(held, Ending::Released).await
                }
            }
            // Another tab may be gone, and the rows be there: only a whole survey tells.
            Ok(Survey::Mend(_)) if held.in_doubt_since.is_some() => {
                self.held = Some(held);
                self.survey().await
            }
            Ok(Survey::Mend(_)) => self.tab_is_gone(held).await,
            Err(trouble) => {
                self.held = Some(held);
                Next::Wait(self.troubled(trouble))
            }
        }
    }

    async fn send(&mut self, mut held: Held, plan: Plan) -> Next {
        if let Err(wait) = self.turn().await {
            self.held = Some(held);
            return Next::Wait(wait);
        }
        held.was_sent = true;
        let was_unauthorised = std::mem::take(&mut held.was_unauthorised);
        let (batch, marker) = (&held.batch, held.marker());
        let rows = batch.rows();
        let started = Instant::now();
        let delivery =
            self.sheets.deliver_within(held.timeout(), &plan, &marker, held.content()).await;
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match delivery {
            Delivery::Written(landing) => {
                let (number, sheet) = (batch.number(), &self.options.name);
                match rows {
                    0 => log::debug!(batch = number, sheet, elapsed_ms; "wrote the board"),
                    _ => log::info!(batch = number, sheet, rows, elapsed_ms; "wrote a batch"),
                }
                self.landed(held, &plan, landing).await
            }
            Delivery::NotApplied(later) => {
                self.held = Some(held);
                Next::Wait(self.retry(&later))
            }
            Delivery::Unauthorised => {
                // Once it is only a token that ran out; a second time in a row something is wrong.
                held.was_unauthorised = true;
                let is_first = !was_unauthorised;
                self.held = Some(held);
                let why = "Google wants a new access token".to_owned();
                match is_first {
                    true => Next::Step,
                    false => Next::Wait(self.retry(&Later { why, after: None })),
                }
            }
            Delivery::Undecided(later) => {
                // Google answered and knows the marker: it is well enough to be asked soon.
                self.failures = Failures::default();
                held.in_doubt_since = Some(Instant::now());
                held.is_undecided = true;
                self.held = Some(held);
                Next::Wait(self.retry(&later))
            }
            Delivery::PerhapsApplied(later) => {
                held.in_doubt_since = Some(Instant::now());
                self.held = Some(held);
                Next::Wait(self.retry(&later))
            }
            Delivery::TimedOut(later) => {
                held.in_doubt_since = Some(Instant::now());
                held.timeouts += 1;
                self.held = Some(held);
                Next::Wait(self.retry(&later))
            }
            Delivery::Refused(refused) => self.refused(held, &plan, refused).await,
        }
    }

    async fn refused(&mut self, held: Held, plan: &Plan, refused: Refused) -> Next {
        match refused {
            Refused::Part(by, advice) => {
                self.part_is_refused(plan, by, &advice);
                self.release_when_safe(held).await
            }
            Refused::PositionsUntold => {
                log::warn!("Google does not tell where the columns are: looking after each write");
                self.positions_untold = true;
                self.release_when_safe(held).await
            }
            Refused::Operator(advice) => {
                let wait = self.park(advice);
                if held.doubt_left().is_some() {
                    self.held = Some(held);
                    return Next::Wait(wait);
                }
                // It may be days until that is mended: then the board is to be as it is then, and nobody on
                // it who was forgotten meanwhile.
                match self.end(held, Ending::Released).await {
                    Next::Step => Next::Wait(wait),
                    not_settled => not_settled,
                }
            }
            // A board alone has no row to blame.
            Refused::Row(_) if held.batch.rows() == 0 => {
                self.leave_out(plan);
                self.release_when_safe(held).await
            }
            Refused::Row(reason) => self.narrow_down(held, reason).await,
            Refused::TooLarge if plan.has_board() => {
                self.leave_out(plan);
                self.release_when_safe(held).await
            }
            Refused::TooLarge => self.narrow_down(held, "the row is too large for a request").await,
            Refused::TabGone => self.tab_is_gone(held).await,
            Refused::Reshaped => {
                self.layout = None;
                self.release_when_safe(held).await
            }
            Refused::MarkerForeign => {
                log::warn!("another deployment's marker has the id of ours; drawing others");
                if let Err(error) = self.journal.redraw_marker_base().await {
                    log::error!("the journal does not answer, trying again: {}", Causes(&error));
                    self.held = Some(held);
                    return Next::Wait(Duration::from_secs(1));
                }
                self.end(held, Ending::Released).await
            }
            Refused::MarkersFull => {
                if self.markers_full {
                    return self.release_when_safe(held).await;
                }
                log::warn!(
                    "no room for markers in the spreadsheet: old ones are pruned; if that does not \
                     help, rows are told by their Event ID, and a lost answer delays them by 3 minutes"
                );
                // Pruning makes room; where it does not, the Event ID column takes over.
                self.markers_full = true;
                self.held = Some(held);
                self.prune().await
            }
        }
    }

    /// As long as a tab of its plan is gone, nothing of the batch can be applied.
    async fn tab_is_gone(&mut self, held: Held) -> Next {
        log::warn!("a tab of ours was deleted; it is made again");
        self.layout = None;
        self.end(held, Ending::Released).await
    }

    /// One of the rows is to blame: half as many go together next time, until it stands alone.
    async fn narrow_down(&mut self, held: Held, reason: &'static str) -> Next {
        let rows = held.batch.rows();
        if rows <= 1 && held.doubt_left().is_none() {
            log::error!(
                batch = held.batch.number();
                "Google refuses a row for its content ({reason}): it is set aside, the rest goes on"
            );
            return self.end(held, Ending::SetAside(reason)).await;
        }
        let last = held.batch.last();
        self.suspect = Some(Suspect { last, rows_max: rows.div_ceil(2) });
        self.release_when_safe(held).await
    }

    /// Releases a batch once no earlier send of it can be applied any more.
    async fn release_when_safe(&mut self, held: Held) -> Next {
        match held.doubt_left() {
            None => self.end(held, Ending::Released).await,
            Some(left) => {
                self.held = Some(held);
                Next::Wait(left.min(Duration::from_secs(60)))
            }
        }
    }

    /// Without a marker the Event ID column tells, once no send can be under way any more.
    async fn look_for_rows(&mut self, mut held: Held, plan: Plan, layout: &Layout) -> Next {
        match self.holds_rows(&held, &plan, layout).await {
            Ok(true) => self.landed(held, &plan, Landing::Unknown).await,
            Ok(false) => {
                held.in_doubt_since = None;
                if plan.holds_in(layout) {
                    self.send(held, plan).await
                } else {
                    self.end(held, Ending::Released).await
                }
            }
            Err(trouble) => {
                self.held = Some(held);
                Next::Wait(self.troubled(trouble))
            }
        }
    }

    /// Whether any row of the batch is there. A board alone leaves no trace, and is written again.
    async fn holds_rows(&self, held: &Held, plan: &Plan, layout: &Layout) -> Result<bool, Trouble> {
        // A batch is all or nothing, so that one tab tells of all.
        match held.rows_by_tab(plan, layout).next() {
            Some((tab, entries)) => self.sheets.holds_any(tab, entries).await,
            None => Ok(false),
        }
    }

    /// The marker tells whether the batch was applied. If not, it is sent on; where it cannot be, for
    /// its words are unknown, it is released.
    async fn look_for_marker(&mut self, mut held: Held) -> Next {
        match self.sheets.holds_marker(&held.marker()).await {
            Ok(true) => match Plan::parse(held.batch.plan()) {
                Some(plan) => self.landed(held, &plan, Landing::Unknown).await,
                None => self.end(held, Ending::Written).await,
            },
            Ok(false) => match Plan::parse(held.batch.plan()) {
                Some(plan) => {
                    held.is_undecided = false;
                    self.send(held, plan).await
                }
                None => self.release_when_safe(held).await,
            },
            Err(trouble) => {
                self.held = Some(held);
                Next::Wait(self.troubled(trouble))
            }
        }
    }

    /// Writes the end down; where that fails, the batch is kept and only this is tried again.
    pub(super) async fn end(&mut self, held: Held, ending: Ending) -> Next {
        let (last, drawn_at) = (held.batch.last(), held.batch.board().map(|board| board.at));
        let has_log = !held.batch.entries().is_empty();
        let batch = held.batch;
        let settled = match &ending {
            Ending::Written => self.journal.written(batch).await,
            Ending::Released => self.journal.release(batch).await,
            Ending::SetAside(reason) => {
                self.journal.set_aside(batch, (*reason).to_owned(), (self.options.now)()).await
            }
        };
        match settled {
            Ok(()) => {
                if has_log && ending != Ending::Released {
                    self.log_barred_until = None;
                }
                self.ended(&ending, last, drawn_at);
                Next::Step
            }
            Err(unsettled) => {
                log::error!("trying again to settle a batch: {}", Causes(&unsettled));
                self.held = Some(Held { batch: unsettled.batch, ending: Some(ending), ..held });
                Next::Wait(Duration::from_secs(1))
            }
        }
    }
}
