//! Whether formats go along with rows: those of cells below the tab as it was last seen. Pure.
//!
//! They are for reading only, so that no row waits for them. Where Google refuses them, somebody has deleted rows
//! since the tab was seen, or it is something else that another look shows. Where it refuses them again and again,
//! or says that it never takes them, rows go without for a while.

use std::time::{Duration, Instant};

/// How long rows go without.
const PAUSE: Duration = Duration::from_secs(3_600);

/// How often in a row they are refused before it is believed.
const REFUSALS: u32 = 4;

/// What is known of formats.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Formats {
    /// How often they were refused since they were last written.
    refusals: u32,
    left_out_until: Option<Instant>,
}

impl Formats {
    /// Whether they go along now.
    pub(super) fn go_along(self, now: Instant) -> bool {
        self.left_out_until.is_none_or(|until| now >= until)
    }

    /// Google refused them; `is_lasting` where it says that it always will. Gives whether rows go without now.
    pub(super) fn refused(&mut self, is_lasting: bool, now: Instant) -> bool {
        self.refusals += 1;
        let is_believed = is_lasting || self.refusals == REFUSALS;
        if is_believed {
            *self = Self { refusals: 0, left_out_until: Some(now + PAUSE) };
        }
        is_believed
    }

    /// They were written.
    pub(super) fn written(&mut self) {
        self.refusals = 0;
    }
}
