//! Deleting markers that cannot matter any more, now and then.

use std::time::{Duration, Instant};

use crate::forwarder::{Forwarder, Next};

/// Batches between two prunings of markers, and the longest time between them.
const EVERY_BATCHES: u32 = 200;
const EVERY: Duration = Duration::from_secs(3_600);

/// When the next is due.
#[derive(Debug)]
pub(super) struct Pruning {
    batches: u32,
    last: Instant,
}

impl Pruning {
    pub(super) fn new(now: Instant) -> Self {
        Self { batches: 0, last: now }
    }

    /// Another batch left a marker.
    pub(super) fn count_batch(&mut self) {
        self.batches += 1;
    }

    pub(super) fn is_due(&self) -> bool {
        self.batches >= EVERY_BATCHES || (self.batches > 0 && self.last.elapsed() > EVERY)
    }
}

impl Forwarder {
    /// Deletes markers that cannot matter any more. Only between batches.
    pub(super) async fn prune(&mut self) -> Next {
        let (Ok(ours), Ok(kept)) = (self.journal.marker_ids().await, self.journal.fenced().await)
        else {
            return Next::Idle;
        };
        let now_s = self.now().0 / 1_000;
        let pruned = match self.sheets.prunable(&ours, &kept, now_s).await {
            Ok(ids) if ids.is_empty() => Ok(0),
            Ok(ids) => match self.take_write_slot().await {
                Err(wait) => return Next::Wait(wait),
                Ok(()) => self.sheets.prune(&ids).await.map(|()| ids.len()),
            },
            Err(trouble) => Err(trouble),
        };
        self.pruning = Pruning::new(Instant::now());
        match pruned {
            Ok(0) => {}
            Ok(markers) => {
                self.markers_full = false;
                log::info!(markers; "pruned markers of batches long settled");
            }
            Err(_) => log::warn!("could not prune old markers; trying again later"),
        }
        Next::Step
    }
}
