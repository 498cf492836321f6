//! Bodies that nothing recognised: kept, bounded, and fed to a later version.

use std::sync::Arc;

use crate::chat::event::ChatEvent;
use crate::chat::time::UnixMs;
use crate::journal::page::Page;
use crate::journal::reader::Reader;
use crate::journal::receipt::{Receipt, Refusal};
use crate::journal::{Error, Journal};

/// A body that was kept because nothing recognised it.
pub struct Kept {
    /// Which one.
    pub id: i64,
    /// When it was received.
    pub received_at: UnixMs,
    /// What the address announced it as.
    pub announced: Option<String>,
    /// The body, as JSON.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({}, {} bytes)", self.id, self.body.len())
    }
}

impl Journal {
    /// Keeps a body that nothing recognised, for a later version. Bounded: the oldest go first.
    ///
    /// # Errors
    /// As [`Journal::accept`].
    pub async fn keep_unrecognised(
        &self,
        body: Vec<u8>,
        announced: Option<String>,
        now: UnixMs,
    ) -> Result<(), Refusal> {
        let work = move |page: &mut Page<'_>| match page.has_room {
            true => page.keep_unrecognised(&body, announced.as_deref(), now).map(Some),
            // What is left of the disk is for rows to go out.
            false => Ok(None),
        };
        let kept = self.0.writer.commit(work).await.map_err(Refusal::Failed)?;
        kept.ok_or(Refusal::Full)
    }

    /// The bodies kept, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn kept(&self) -> Result<Vec<Kept>, Arc<Error>> {
        self.read(Reader::kept).await
    }

    /// Accepts what a kept body turned out to be, as of when it was received. The body is let go in
    /// the same commit, so that it cannot be fed twice.
    ///
    /// # Errors
    /// As [`Journal::accept`]; the body stays.
    pub async fn accept_kept(&self, event: ChatEvent, kept: &Kept) -> Result<Receipt, Refusal> {
        self.accept_instead(event, Some(kept.id), kept.received_at).await
    }

    /// Lets go of a kept body that turned out to say nothing of who waits.
    ///
    /// # Errors
    /// When the database does not answer; the body stays.
    pub async fn drop_kept(&self, kept: &Kept) -> Result<(), Arc<Error>> {
        let id = kept.id;
        self.0.writer.commit(move |page| page.drop_unrecognised(id)).await
    }
}
