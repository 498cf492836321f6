//! A [`Batch`]: rows that go to the sheet together, sealed before the first send.

use crate::chat::board::Board;
use crate::chat::entry::Entry;
use crate::chat::time::UnixMs;
use crate::journal::Error;
use crate::journal::store::StoredBatch;

/// Some pending rows and perhaps a board, fixed for ever: its members, its marker and its plan never
/// change.
///
/// It is finished once, by value: written, set aside or released. Dropping it unfinished leaves it
/// sealed in the journal, to be taken up again.
#[derive(Debug)]
#[must_use = "a batch is finished by the journal, or stays sealed"]
pub struct Batch {
    number: u64,
    marker_id: i32,
    digest: String,
    plan: String,
    sealed_at: UnixMs,
    entries: Vec<Entry>,
    handovers: Vec<Entry>,
    board: Option<Board>,
    board_changes: u64,
}

impl Batch {
    pub(super) fn new(
        stored: StoredBatch,
        entries: Vec<Entry>,
        handovers: Vec<Entry>,
        board: Option<Board>,
    ) -> Self {
        let StoredBatch { number, marker_id, digest, plan, board_changes, sealed_at, .. } = stored;
        Self {
            number,
            marker_id,
            digest,
            plan,
            sealed_at,
            entries,
            handovers,
            board,
            board_changes,
        }
    }

    /// Counts up by one a batch, for logs.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The id of the marker that travels with it.
    pub fn marker_id(&self) -> i32 {
        self.marker_id
    }

    /// Hash of the plan, the members and the board.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where the rows go, as the sender wrote it down when the batch was sealed.
    pub fn plan(&self) -> &str {
        &self.plan
    }

    /// When it was sealed.
    pub fn sealed_at(&self) -> UnixMs {
        self.sealed_at
    }

    /// The rows of the log, in the order of acceptance.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The rows of the handovers, in the order in which they came about.
    pub fn handovers(&self) -> &[Entry] {
        &self.handovers
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.entries.len() + self.handovers.len()
    }

    /// The highest number among its rows; 0 without rows.
    pub fn last(&self) -> u64 {
        let rows = self.entries.last().into_iter().chain(self.handovers.last());
        rows.map(|entry| entry.event_id.number).max().unwrap_or(0)
    }

    /// The picture of the board that goes along.
    pub fn board(&self) -> Option<&Board> {
        self.board.as_ref()
    }

    /// The changes of the board that its picture shows ([`crate::journal::Work::board_changes`]).
    pub fn board_changes(&self) -> u64 {
        self.board_changes
    }
}

/// A batch whose end could not be written down; it is still in hand.
#[derive(Debug, thiserror::Error)]
#[error("cannot note the end of batch {}", batch.number)]
pub struct Unsettled {
    /// The batch, to be settled again.
    pub batch: Batch,
    /// Why not now.
    pub source: Error,
}
