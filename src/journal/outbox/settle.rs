//! Settling: what became of a batch, written down once.

use crate::chat::time::UnixMs;
use crate::journal::Error;
use crate::journal::Journal;
use crate::journal::outbox::batch::{Batch, Unsettled};
use crate::journal::outbox::draft::Draft;
use crate::journal::rerouting;
use crate::journal::store::{Span, StoredAside, StoredBatch};
use crate::journal::transaction::Transaction;

impl Journal {
    /// The batch's rows are in the sheet: they are deleted here and counted.
    ///
    /// # Errors
    /// [`Unsettled`] gives the batch back; settle it again, the sheet has it.
    pub async fn written(&self, batch: Batch) -> Result<(), Unsettled> {
        self.settle(batch, |transaction, ended| {
            let (log, handovers) = delete_members(transaction, ended)?;
            transaction.tally().written += log;
            transaction.tally().handovers_written += handovers;
            Ok(())
        })
        .await
    }

    /// The batch's rows were refused for their content: they are kept apart with the reason.
    ///
    /// # Errors
    /// [`Unsettled`] gives the batch back.
    pub async fn set_aside(
        &self,
        batch: Batch,
        reason: String,
        now: UnixMs,
    ) -> Result<(), Unsettled> {
        self.settle(batch, move |transaction, ended| {
            let at = transaction.now(now);
            for span in [ended.log, ended.handovers] {
                for row in transaction.read()?.rows(span, usize::MAX)? {
                    let (number, reason) = (row.number, reason.clone());
                    let aside = StoredAside { row, reason, at };
                    transaction.change().aside.insert(number, Some(aside));
                }
            }
            let (log, handovers) = delete_members(transaction, ended)?;
            transaction.tally().set_aside += log;
            transaction.tally().handovers_set_aside += handovers;
            Ok(())
        })
        .await
    }

    /// The batch is proven not to have been and not to become written: its rows are pending again
    /// and will travel under another marker.
    ///
    /// # Errors
    /// [`Unsettled`] gives the batch back.
    pub async fn release(&self, batch: Batch) -> Result<(), Unsettled> {
        self.settle(batch, |_, _| Ok(())).await
    }

    /// These rows of a draft were found in the sheet: they are counted as written, and are gone from here.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn found_written(&self, draft: Draft, numbers: Vec<u64>) -> Result<(), Error> {
        let (book, spans) = (draft.book, [draft.log.span(), draft.handovers.span()]);
        let work = move |transaction: &mut Transaction<'_>| {
            for (at, span) in spans.into_iter().enumerate() {
                let rows = transaction.read()?.rows(span, usize::MAX)?;
                let found = rows.iter().map(|row| row.number).filter(|row| numbers.contains(row));
                let found: Vec<u64> = found.collect();
                let count = found.len() as u64;
                match at {
                    0 => transaction.tally().written += count,
                    _ => transaction.tally().handovers_written += count,
                }
                let work = transaction.counters.work_mut(book);
                work.pending = work.pending.saturating_sub(count);
                let gone = found.into_iter().map(|number| (span.queue, number));
                transaction.change().rows_gone.extend(gone);
            }
            Ok(())
        };
        self.commit_as_owner(work).await
    }

    /// Ends a batch, unless it has ended already, and does `then` with its members.
    async fn settle<F>(&self, batch: Batch, mut then: F) -> Result<(), Unsettled>
    where
        F: FnMut(&mut Transaction<'_>, &StoredBatch) -> Result<(), Error> + Send + 'static,
    {
        let number = batch.number();
        let work = move |transaction: &mut Transaction<'_>| {
            let open =
                transaction.read()?.batches()?.into_iter().find(|open| open.number == number);
            let Some(ended) = open else { return Ok(()) };
            transaction.store()?.end_batch(number)?;
            then(transaction, &ended)?;
            rerouting::batch_ended(transaction, &ended)
        };
        match self.commit_as_owner(work).await {
            Ok(()) => Ok(()),
            Err(source) => Err(Unsettled { batch, source }),
        }
    }
}

/// Deletes a batch's members; how many there were in the log and among the handovers.
fn delete_members(
    transaction: &mut Transaction<'_>,
    ended: &StoredBatch,
) -> Result<(u64, u64), Error> {
    let mut delete = |span: Span| Ok::<_, Error>(transaction.store()?.delete_rows(span)?);
    let (log, handovers) = (delete(ended.log)?, delete(ended.handovers)?);
    let work = transaction.counters.work_mut(ended.book);
    work.pending = work.pending.saturating_sub(log + handovers);
    Ok((log, handovers))
}
