//! Why the journal did not do as asked.

use crate::journal::store::Fault;

/// Why the journal did not do as asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// More waits than may wait.
    #[error("too many requests wait for the journal")]
    Busy,
    /// The service is stopping.
    #[error("the journal is closed")]
    Closed,
    /// The last batch of that spreadsheet is not finished.
    #[error("a batch of this spreadsheet is under way already")]
    BatchOpen,
    /// Of the last write to that spreadsheet that was no batch it is not known what became of it.
    #[error("a write to this spreadsheet is under way already")]
    TicketOpen,
    /// It took longer than a sender waits. It is done all the same when the database answers.
    #[error("the journal did not answer in time")]
    Late,
    /// Another process has taken over what is done by one at a time.
    #[error("another instance has taken over")]
    NotOwner,
    /// A record cannot be written as JSON or read back. Without the library's words: they quote what
    /// stands in the record.
    #[error("cannot read a record of the journal (JSON, {0:?} error)")]
    Record(serde_json::error::Category),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Record(error.classify())
    }
}
