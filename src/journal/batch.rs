//! A [`Batch`]: rows that go to the sheet together, sealed before the first send.

use crate::chat::board::Board;
use crate::chat::entry::Entry;
use crate::chat::time::UnixMs;
use crate::journal::Error;
use crate::journal::outbox::Range;
use crate::journal::register::QueueId;
use crate::journal::tally::BookId;

/// Pending rows that could go together, as they were found: nothing is fixed yet.
#[derive(Debug)]
pub struct Draft {
    pub(super) book: BookId,
    pub(super) title: Option<String>,
    pub(super) log: Members,
    pub(super) handovers: Members,
    /// A row that cannot be read: the draft ends before it.
    pub(super) unreadable: Option<(QueueId, u64)>,
}

/// Rows of one queue, as they were found.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) range: Range,
    pub(super) entries: Vec<Entry>,
    pub(super) extent: Extent,
    /// The row that cannot be read after which there was none.
    pub(super) unreadable: Option<(QueueId, u64)>,
}

impl Members {
    /// None at all.
    pub(super) fn none() -> Self {
        Self {
            range: Range::NONE,
            entries: Vec::new(),
            extent: Extent::default(),
            unreadable: None,
        }
    }
}

/// How many rows stand in a range, and how many bytes they are stored in: a row that is given its name
/// becomes longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Draft {
    /// The title of the log tab that its rows are for; `None` without rows of the log.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.log.entries.len() + self.handovers.entries.len()
    }

    /// Whether there are rows of handovers.
    pub fn has_handovers(&self) -> bool {
        !self.handovers.entries.is_empty()
    }
}

/// Some pending rows and perhaps a board, fixed for ever: its members, its marker and its plan never
/// change.
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
    pub(super) handovers: Vec<Entry>,
    pub(super) board: Option<Board>,
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

    /// Hash of the plan, the members and the board.
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
