//! Sealing: pending rows become a batch that never changes.

use crate::chat::entry::Entry;
use crate::chat::time::UnixMs;
use crate::journal::accept::waits::Look;
use crate::journal::counters::BookId;
use crate::journal::digest::digest;
use crate::journal::origin::MARKER_BASE;
use crate::journal::outbox::batch::Batch;
use crate::journal::outbox::draft::{Draft, Rows};
use crate::journal::outbox::marker_id;
use crate::journal::store::{Read, StoredBatch};
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

impl Journal {
    /// Seals a draft into a batch, together with the board as it is now where `look` asks for it.
    ///
    /// `None` when the draft is not what is stored any more: a row came in between, one that was set aside
    /// or is routed anew, or one was given its name.
    ///
    /// # Errors
    /// [`Error::BatchOpen`] where the spreadsheet's last batch is not finished; and when the database does
    /// not answer. Nothing was sealed then.
    pub async fn seal(
        &self,
        draft: Draft,
        plan: String,
        look: Option<Look>,
        now: UnixMs,
    ) -> Result<Option<Batch>, Error> {
        let Draft { book, log, handovers, .. } = draft;
        let key = self.hash_key().clone();
        let members = members_of(&log, &handovers)?;
        let (log_span, handovers_span) = (log.span(), handovers.span());
        let (log_extent, handovers_extent) = (log.extent(), handovers.extent());
        let work = move |transaction: &mut Transaction<'_>| {
            let now = transaction.now(now);
            if transaction.read()?.batches()?.iter().any(|batch| batch.book == book) {
                return Err(Error::BatchOpen);
            }
            let store = transaction.read()?;
            if store.extent(log_span)? != log_extent
                || store.extent(handovers_span)? != handovers_extent
            {
                return Ok(None);
            }
            let base = store.meta(MARKER_BASE)?.unwrap_or_default();
            let number = transaction.tally().next_batch;
            transaction.tally().next_batch += 1;
            let board = look.as_ref().map(|look| transaction.board(look, now)).transpose()?;
            let picture = serde_json::to_string(&board)?;
            let parts = [b"batch", plan.as_bytes(), &members, picture.as_bytes()];
            let mut digest = digest(&key, &parts).to_string();
            digest.truncate(16);
            let stored = StoredBatch {
                number,
                book,
                log: log_span,
                handovers: handovers_span,
                marker_id: marker_id(base, number),
                digest,
                plan: plan.clone(),
                board: board.is_some().then_some(picture),
                board_changes: transaction.counters.work(book).board_changes,
                sealed_at: now,
            };
            transaction.store()?.add_batch(&stored)?;
            Ok(Some((stored, board)))
        };
        let Some((stored, board)) = self.commit_as_owner(work).await? else { return Ok(None) };
        Ok(Some(Batch::new(stored, log.entries, handovers.entries, board)))
    }

    /// The batch of this spreadsheet that was sealed and not finished, if any: after a crash, the one
    /// under way. One that cannot be read has no plan: it is not sent again, and its marker tells what
    /// became of it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_batch(&self, book: BookId) -> Result<Option<Batch>, Error> {
        let journal = self.clone();
        self.read(move |store| journal.stored_batch(store, book)).await
    }

    fn stored_batch(&self, store: &dyn Read, book: BookId) -> Result<Option<Batch>, Error> {
        let open = store.batches()?.into_iter().find(|batch| batch.book == book);
        let Some(mut stored) = open else { return Ok(None) };
        let board = stored.board.take().map(|board| serde_json::from_str(&board)).transpose();
        let log = self.rows(store, stored.log, usize::MAX)?;
        let handovers = self.rows(store, stored.handovers, usize::MAX)?;
        if board.is_err() || !log.are_whole() || !handovers.are_whole() {
            self.conditions().unreadable("a record of the batch under way");
            stored.plan.clear();
        }
        Ok(Some(Batch::new(stored, log.entries, handovers.entries, board.unwrap_or_default())))
    }
}

/// What a batch's hash is over: every member, in order.
fn members_of(log: &Rows, handovers: &Rows) -> Result<Vec<u8>, Error> {
    let all = log.entries.iter().chain(&handovers.entries);
    let members: Vec<(u64, &Entry)> = all.map(|entry| (entry.event_id.number, entry)).collect();
    Ok(serde_json::to_vec(&members)?)
}
