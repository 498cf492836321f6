//! The watch: looks at the service from the outside, once a second, and notes what it sees.

use std::sync::Arc;
use std::time::Duration;

use crate::app::clock;
use crate::journal::Journal;
use crate::operator::{Minute, Operator};
use crate::status::Status;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who watches what.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) operator: Arc<Operator>,
    pub(super) status: Arc<Status>,
    pub(super) journal: Journal,
}

impl Watch {
    /// Watches. Never ends.
    pub(super) async fn run(self) {
        loop {
            let written = self.journal.tally().written;
            self.operator.history().sample(clock::now(), self.calls(), written);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// All calls to Google since the start.
    fn calls(&self) -> Minute {
        let mut total = Minute::default();
        for ((_, outcome), count) in self.status.google_calls() {
            total.calls += count;
            total.errors += if outcome == "ok" { 0 } else { count };
        }
        total
    }
}
