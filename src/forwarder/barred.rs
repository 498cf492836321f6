//! Tabs that Google does not let us write: each is left alone for a while, and the others go on. Pure.

use std::time::{Duration, Instant};

use crate::sheets::Purpose;

/// How long the board or the handovers are left alone, or are done without where they cannot be made.
pub(super) const PAUSE: Duration = Duration::from_secs(60);

/// Until when which tab is left alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Barred {
    log: Option<Instant>,
    handovers: Option<Instant>,
    board: Option<Instant>,
    summary: Option<Instant>,
    /// The log goes on without the other tabs, which cannot be made.
    unmade: Option<Instant>,
}

impl Barred {
    fn of(&mut self, tab: Purpose) -> &mut Option<Instant> {
        match tab {
            Purpose::Log => &mut self.log,
            Purpose::Handovers => &mut self.handovers,
            Purpose::Board => &mut self.board,
            Purpose::Summary => &mut self.summary,
        }
    }

    pub(super) fn bar(&mut self, tab: Purpose, until: Instant) {
        *self.of(tab) = Some(until);
    }

    pub(super) fn lift(&mut self, tab: Purpose) {
        *self.of(tab) = None;
    }

    pub(super) fn holds(mut self, tab: Purpose, now: Instant) -> bool {
        self.of(tab).is_some_and(|until| now < until)
    }

    /// Whether the log was refused and has not been written since: when its time is over it is tried alone,
    /// so that it is plain what a refusal is about.
    pub(super) fn log_was_refused(self) -> bool {
        self.log.is_some()
    }

    /// Tabs beside the log cannot be made.
    pub(super) fn do_without(&mut self, until: Instant) {
        self.unmade = Some(until);
    }

    pub(super) fn does_without(self, now: Instant) -> bool {
        self.unmade.is_some_and(|until| now < until)
    }

    /// Whether it was ever done without them.
    pub(super) fn did_without(self) -> bool {
        self.unmade.is_some()
    }
}
