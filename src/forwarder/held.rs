//! The batch in hand: what is known of it, and what is to be done with it next. Pure.

use std::time::{Duration, Instant};

use crate::chat::entry::Entry;
use crate::journal::Batch;
use crate::sheets::{Content, Landing, Layout, Marker, Plan, Purpose, TabLayout, WRITE_TIMEOUT};

/// Google answers or gives up within 180 s; a send older than this cannot be applied any more.
pub(super) const DOUBT: Duration = Duration::from_secs(185);

/// A batch that is not finished.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) batch: Batch,
    /// Where it goes; `None` where it was sealed in words that this version does not know.
    pub(super) plan: Option<Plan>,
    /// When a send left whose outcome is not known, the last one.
    pub(super) in_doubt_since: Option<Instant>,
    /// Whether it was sent before, so that the sheet may have changed since it was planned.
    pub(super) was_sent: bool,
    /// Refused in a way that only its marker can explain.
    pub(super) is_undecided: bool,
    /// To be released as soon as it is certain that no earlier send can be applied.
    pub(super) is_given_up: bool,
    /// There is no room to burn its marker: only time tells then.
    pub(super) cannot_burn: bool,
    /// How often no answer came in the time for it.
    pub(super) timeouts: u32,
    /// Whether the last send was refused for its access token.
    pub(super) was_unauthorised: bool,
    /// It was applied, and is looked at: whether its rows stand where they belong.
    pub(super) has_landed: Option<Landing>,
    /// How often its rows were put right.
    pub(super) repairs: u32,
    /// Known to be over, but not yet written down.
    pub(super) ending: Option<Ending>,
}

/// How a batch ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Written,
    SetAside(&'static str),
    Released,
}

/// What is to be done with a batch next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write down how it ended.
    End(Ending),
    /// Ask whether its marker is there.
    AskForMarker,
    /// See whether its rows stand in the right columns.
    CheckColumns(Landing),
    Send,
    /// Burn its marker, so that it can be let go of.
    Burn,
    /// Let the time pass in which an earlier send may still be applied.
    Wait(Duration),
    /// Look for its rows by their event ids: no marker tells.
    LookForRows,
    /// Look whether its tabs are as planned, and send it.
    LookAndSend,
}

impl Held {
    /// Fresh from the journal: never sent.
    pub(super) fn sealed(batch: Batch, plan: Plan) -> Self {
        Self::new(batch, Some(plan))
    }

    /// Left by a process that is gone: it may have been sent until just now.
    pub(super) fn recovered(batch: Batch) -> Self {
        let plan = Plan::parse(batch.plan());
        if plan.is_none() {
            log::warn!(batch = batch.number(); "sealed in words this version does not know");
        }
        let in_doubt_since = Some(Instant::now());
        Self { in_doubt_since, was_sent: true, ..Self::new(batch, plan) }
    }

    fn new(batch: Batch, plan: Option<Plan>) -> Self {
        Self {
            batch,
            plan,
            in_doubt_since: None,
            was_sent: false,
            is_undecided: false,
            is_given_up: false,
            cannot_burn: false,
            timeouts: 0,
            was_unauthorised: false,
            has_landed: None,
            repairs: 0,
            ending: None,
        }
    }

    pub(super) fn next(&self, now: Instant) -> Step {
        if let Some(ending) = &self.ending {
            return Step::End(ending.clone());
        }
        if self.is_given_up {
            return match self.doubt_left(now) {
                None => Step::End(Ending::Released),
                Some(_) if self.can_burn() => Step::Burn,
                Some(left) => Step::Wait(left),
            };
        }
        let Some(plan) = &self.plan else { return Step::AskForMarker };
        if let Some(landing) = self.has_landed {
            return Step::CheckColumns(landing);
        }
        if self.is_undecided {
            return Step::AskForMarker;
        }
        let is_in_doubt = self.in_doubt_since.is_some();
        if !self.was_sent || (plan.traces().marker && is_in_doubt) {
            return Step::Send;
        }
        match self.doubt_left(now) {
            Some(left) => Step::Wait(left),
            None if is_in_doubt => Step::LookForRows,
            None => Step::LookAndSend,
        }
    }

    /// Whether its marker can be burnt: it travels with one, and there is room.
    pub(super) fn can_burn(&self) -> bool {
        !self.cannot_burn && self.plan.as_ref().is_none_or(|plan| plan.traces().marker)
    }

    pub(super) fn marker(&self) -> Marker {
        let batch = &self.batch;
        Marker::new(batch.marker_id(), batch.digest(), batch.sealed_at().0 / 1_000)
    }

    pub(super) fn content(&self) -> Content<'_> {
        let batch = &self.batch;
        Content { log: batch.entries(), handovers: batch.handovers(), board: batch.board() }
    }

    /// Whether everything is still where it was planned to go.
    pub(super) fn holds_in(&self, layout: &Layout) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.holds_in(layout))
    }

    /// Its rows, by the tab that they were planned for. Where that is not there any more, they went
    /// with it.
    pub(super) fn rows_by_tab<'a>(
        &'a self,
        layout: &'a Layout,
    ) -> impl Iterator<Item = (&'a TabLayout, &'a [Entry])> {
        let rows =
            [(Purpose::Log, self.batch.entries()), (Purpose::Handovers, self.batch.handovers())];
        rows.into_iter().filter_map(move |(purpose, entries)| {
            let tab = layout.by_id(purpose, self.plan.as_ref()?.sheet_id(purpose)?)?;
            (!entries.is_empty()).then_some((tab, entries))
        })
    }

    /// How long to wait for the answer to the next send: longer where none came twice, for the way out may
    /// be slow.
    pub(super) fn timeout(&self) -> Duration {
        WRITE_TIMEOUT.saturating_mul(1 << self.timeouts.saturating_sub(1).min(4)).min(DOUBT)
    }

    /// How long an earlier send may still be applied; `None` when none may.
    pub(super) fn doubt_left(&self, now: Instant) -> Option<Duration> {
        self.in_doubt_since.and_then(|since| DOUBT.checked_sub(now.duration_since(since)))
    }

    #[cfg(test)]
    pub(super) fn forget_plan(&mut self) {
        self.plan = None;
    }

    #[cfg(test)]
    pub(super) fn doubt_is_over(&mut self) {
        self.in_doubt_since = Instant::now().checked_sub(2 * DOUBT);
    }
}
