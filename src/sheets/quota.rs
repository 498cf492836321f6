//! What all callers of one service account share: whether Google is alive, and whether the quota of
//! the minute is used up. Pure: the moment is a parameter.
//!
//! Google counts reads and writes for themselves, each over a minute, and says nothing of when it goes
//! on. Where this service made most of the calls, there is room again when the oldest of them is a minute
//! old. Where it made few, others use the account too, and nobody knows when they pause: it is asked
//! after a second, two, four, and never later than after a minute.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What Google counts over, and a second for what the network adds or takes away.
const WINDOW: Duration = Duration::from_secs(61);
/// Half of what Google allows an account in a minute. With so many calls we used the minute up ourselves.
const MANY: usize = 30;
/// The first pause where others used it up; doubles with each refusal in a row.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// What is counted for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

/// What the callers know together.
#[derive(Debug)]
pub(super) struct Quota {
    reads: Window,
    writes: Window,
    last_success: Instant,
}

/// The calls of the last minute, and whether there may be another.
#[derive(Debug, Default)]
struct Window {
    calls: VecDeque<Instant>,
    refusals_in_a_row: u32,
    closed_until: Option<Instant>,
}

impl Quota {
    pub(super) fn new(now: Instant) -> Self {
        Self { reads: Window::default(), writes: Window::default(), last_success: now }
    }

    fn window(&mut self, kind: Kind) -> &mut Window {
        match kind {
            Kind::Read => &mut self.reads,
            Kind::Write => &mut self.writes,
        }
    }

    /// How long until there may be another call; `None` for now.
    pub(super) fn wait(&mut self, kind: Kind, now: Instant) -> Option<Duration> {
        let left = self.window(kind).closed_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Notes a call that is made now.
    pub(super) fn called(&mut self, kind: Kind, now: Instant) {
        let window = self.window(kind);
        window.forget_old(now);
        window.calls.push_back(now);
    }

    /// Google did what was asked.
    pub(super) fn succeeded(&mut self, kind: Kind, now: Instant) {
        self.window(kind).refusals_in_a_row = 0;
        self.last_success = now;
    }

    /// Google says that the quota of the minute is used up, and perhaps for how long. Gives how long
    /// nobody is to call.
    pub(super) fn used_up(
        &mut self,
        kind: Kind,
        asked: Option<Duration>,
        now: Instant,
    ) -> Duration {
        let window = self.window(kind);
        window.forget_old(now);
        let pause = PAUSE_FIRST.saturating_mul(1 << window.refusals_in_a_row.min(6)).min(WINDOW);
        window.refusals_in_a_row = window.refusals_in_a_row.saturating_add(1);
        let wait = match window.calls.front() {
            Some(oldest) if window.calls.len() >= MANY => {
                WINDOW.saturating_sub(now.saturating_duration_since(*oldest))
            }
            _ => pause,
        };
        let wait = wait.max(asked.unwrap_or_default());
        window.closed_until = window.closed_until.max(now.checked_add(wait));
        wait
    }

    /// For how long nothing has succeeded.
    pub(super) fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_success)
    }
}

impl Window {
    fn forget_old(&mut self, now: Instant) {
        let is_old = |at: &mut Instant| now.saturating_duration_since(*at) >= WINDOW;
        while self.calls.pop_front_if(is_old).is_some() {}
    }
}
