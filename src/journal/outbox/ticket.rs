//! Tickets: for a write to a spreadsheet that is no batch. And fences: the markers under which a process that
//! is gone may still send something.
//!
//! A process may be stopped in the middle of a write and go on when another has taken over long since. So each
//! write begins with a marker whose id may exist once, and whoever takes over burns what is open before it
//! writes itself. Such a marker then stays in the spreadsheet for as long as anything is remembered here.

use crate::chat::time::UnixMs;
use crate::journal::counters::BookId;
use crate::journal::origin::MARKER_BASE;
use crate::journal::outbox::marker_id;
use crate::journal::store::Fence;
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

/// Leave for one write that is no batch, noted before it leaves. At most one a spreadsheet.
#[derive(Clone, Debug)]
#[must_use = "a ticket is settled, or stays open in the journal"]
pub struct Ticket(Fence);

impl Ticket {
    /// The id of the marker that its write begins with.
    pub fn marker_id(&self) -> i32 {
        self.0.marker_id
    }

    /// What the marker says; `None` where none goes along, for want of room or trust.
    pub fn digest(&self) -> Option<&str> {
        self.0.digest.as_deref()
    }

    /// When it was taken.
    pub fn taken_at(&self) -> UnixMs {
        self.0.at
    }
}

impl Journal {
    /// Takes the ticket for a write that begins with a marker, or that cannot (`has_marker`).
    ///
    /// # Errors
    /// [`Error::TicketOpen`] where the spreadsheet's last one is not settled; and when the database does not
    /// answer.
    pub async fn take_ticket(
        &self,
        book: BookId,
        has_marker: bool,
        now: UnixMs,
    ) -> Result<Ticket, Error> {
        let digest = has_marker.then(|| format!("{:016x}", fastrand::u64(..)));
        let work = move |transaction: &mut Transaction<'_>| {
            let at = transaction.now(now);
            let is_open = |fence: &Fence| fence.is_open && fence.book == book;
            if transaction.read()?.fences()?.iter().any(is_open) {
                return Err(Error::TicketOpen);
            }
            let base = transaction.read()?.meta(MARKER_BASE)?.unwrap_or_default();
            let number = transaction.tally().next_batch;
            transaction.tally().next_batch += 1;
            let marker_id = marker_id(base, number);
            let fence = Fence { marker_id, book, digest: digest.clone(), at, is_open: true };
            transaction.change().fences.push((marker_id, Some(fence.clone())));
            Ok(Ticket(fence))
        };
        self.commit_as_owner(work).await
    }

    /// The ticket of this spreadsheet that was not settled, if any.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_ticket(&self, book: BookId) -> Result<Option<Ticket>, Error> {
        let fences = self.read(|store| Ok(store.fences()?)).await?;
        Ok(fences.into_iter().find(|fence| fence.is_open && fence.book == book).map(Ticket))
    }

    /// The write of this ticket was applied, or never will be. `is_fence` where a process that is gone had
    /// taken it, and may still send it.
    ///
    /// # Errors
    /// When the database does not answer; settle it again.
    pub async fn settle_ticket(&self, ticket: &Ticket, is_fence: bool) -> Result<(), Error> {
        let fence = ticket.0.clone();
        let work = move |transaction: &mut Transaction<'_>| {
            let settled = is_fence.then(|| Fence { is_open: false, ..fence.clone() });
            transaction.change().fences.push((fence.marker_id, settled));
            Ok(())
        };
        self.commit_as_owner(work).await
    }

    /// Takes note, at a take-over, of the marker under which the one before may still send the open batch of
    /// this spreadsheet.
    ///
    /// # Errors
    /// When the database does not answer; nothing should be written then.
    pub async fn fence(&self, book: BookId, now: UnixMs) -> Result<(), Error> {
        let is_open = self.read(|store| Ok(store.batches()?)).await?;
        if is_open.iter().all(|batch| batch.book != book) {
            return Ok(());
        }
        let work = move |transaction: &mut Transaction<'_>| {
            let at = transaction.now(now);
            let open = transaction.read()?.batches()?.into_iter().find(|batch| batch.book == book);
            let Some(batch) = open else { return Ok(()) };
            let (marker_id, digest) = (batch.marker_id, Some(batch.digest));
            let fence = Fence { marker_id, book, digest, at, is_open: false };
            transaction.change().fences.push((marker_id, Some(fence)));
            Ok(())
        };
        self.commit_as_owner(work).await
    }

    /// The markers that must stay in the spreadsheets whatever their age.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn fenced(&self) -> Result<Vec<i32>, Error> {
        self.read(|store| {
            let open = store.batches()?.into_iter().map(|batch| batch.marker_id);
            let fences = store.fences()?.into_iter().map(|fence| fence.marker_id);
            Ok(open.chain(fences).collect())
        })
        .await
    }
}
