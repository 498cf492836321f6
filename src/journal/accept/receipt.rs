//! A [`Receipt`]: the proof that an event is on disk, without which nobody answers 2xx.

use crate::chat::entry::EventId;
use crate::journal::Error;

/// Proof that an event is on disk. Only [`crate::journal::Journal::accept`] makes one, after the commit.
#[derive(Debug)]
#[must_use]
pub struct Receipt {
    pub(in crate::journal) event_id: EventId,
    pub(in crate::journal) standing: Standing,
}

/// Whether the event was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// New, and kept now.
    Accepted,
    /// The event of this id, sent again.
    Duplicate,
}

impl Receipt {
    /// The event's id; of a duplicate, the first one's.
    pub fn event_id(&self) -> &EventId {
        &self.event_id
    }

    /// Whether the event was new.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

/// Why an event was not taken. The sender should come again.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// As many rows are pending as may be.
    #[error("the journal is full")]
    Full,
    /// It could not be kept.
    #[error("the event could not be kept")]
    Failed(#[source] Error),
}
