//! Bodies that nothing recognised: kept, bounded, and fed to a later version.

use crate::chat::event::ChatEvent;
use crate::chat::time::UnixMs;
use crate::journal::accept::receipt::{Receipt, Refusal};
use crate::journal::clock::Moment;
use crate::journal::store::{Keys, Unrecognised};
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

/// Bodies kept at most; the oldest go first.
pub(in crate::journal) const UNRECOGNISED_MAX: u64 = 1_000;

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
        let moment = Moment::now(now);
        let work = move |transaction: &mut Transaction<'_>| {
            let received_at = transaction.time(moment);
            // On a full disk what is left is for rows to go out.
            if !transaction.has_room() {
                return Ok(None);
            }
            let tally = transaction.tally();
            tally.unrecognised += 1;
            let id = tally.unrecognised;
            let (announced, body) = (announced.clone(), body.clone());
            let changes = transaction.change();
            changes.unrecognised.push(Unrecognised { id, received_at, announced, body });
            changes.unrecognised_gone.extend(id.checked_sub(UNRECOGNISED_MAX));
            Ok(Some(()))
        };
        let kept = self.hold(Keys::default(), work).await?;
        kept.ok_or(Refusal::Full)
    }

    /// The bodies kept, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unrecognised(&self) -> Result<Vec<Unrecognised>, Error> {
        self.read(|store| Ok(store.unrecognised()?)).await
    }

    /// Accepts what a kept body turned out to be, as of when it was received. The body is let go in
    /// the same commit, so that it cannot be fed twice.
    ///
    /// # Errors
    /// As [`Journal::accept`]; the body stays.
    pub async fn accept_unrecognised(
        &self,
        event: ChatEvent,
        body: &Unrecognised,
    ) -> Result<Receipt, Refusal> {
        self.accept_instead(event, Some(body.id), Moment::Dated(body.received_at)).await
    }

    /// Lets go of a kept body that turned out to say nothing of who waits.
    ///
    /// # Errors
    /// When the database does not answer; the body stays.
    pub async fn drop_unrecognised(&self, body: &Unrecognised) -> Result<(), Error> {
        let id = body.id;
        let work = move |transaction: &mut Transaction<'_>| {
            transaction.change().unrecognised_gone.push(id);
            Ok(())
        };
        self.writer().commit(work).await
    }
}
