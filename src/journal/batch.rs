//! A [`Batch`]: rows that go to the sheet together, sealed before the first send.

use crate::chat::entry::Entry;
use crate::chat::time::UnixMs;
use crate::journal::Error;

/// Some pending rows, fixed for ever: its members, its marker and its plan never change.
///
/// It is finished once, by value: written, set aside or released. Dropping it unfinished leaves it
/// sealed in the journal, to be taken up again.
#[derive(Debug)]
#[must_use = "a batch is finished by the journal, or stays sealed"]
pub struct Batch {
    pub(super) number: u64,
    pub(super) marker_id: i32,
    pub(super) digest: String,
    pub(super) plan: String,
    pub(super) sealed_at: UnixMs,
    pub(super) entries: Vec<Entry>,
}

impl Batch {
    /// Counts up by one a batch, for logs.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The id of the marker that travels with it.
    pub fn marker_id(&self) -> i32 {
        self.marker_id
    }

    /// Hash of the plan and the members.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where the rows go, as the sender wrote it down when the batch was sealed.
    pub fn plan(&self) -> &str {
        &self.plan
    }

    #[cfg(test)]
    pub(crate) fn forget_plan(&mut self) {
        self.plan.clear();
    }

    /// When it was sealed.
    pub fn sealed_at(&self) -> UnixMs {
        self.sealed_at
    }

    /// The rows, in the order of acceptance.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// A batch whose end could not be written down; it is still in hand.
#[derive(Debug, thiserror::Error)]
#[error("cannot note the end of batch {}", batch.number)]
pub struct Unsettled {
    /// The batch, to be settled again.
    pub batch: Batch,
    /// Why not now.
    pub source: std::sync::Arc<Error>,
}
