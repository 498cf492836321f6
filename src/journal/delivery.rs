//! The way out: sealing pending rows into batches and settling what became of them.

use std::ops::Range;
use std::sync::Arc;

use crate::chat::entry::Entry;
use crate::chat::time::UnixMs;
use crate::journal::batch::{Batch, Unsettled};
use crate::journal::page::{Page, Sealed};
use crate::journal::reader::Reader;
use crate::journal::{Error, Journal, database};

/// How many rows go into a batch at most.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Most rows.
    pub rows_max: usize,
    /// Most bytes on the wire.
    pub bytes_max: usize,
    /// An upper bound of what one row takes on the wire.
    pub bytes_of: fn(&Entry) -> usize,
}

impl Journal {
    /// The batch that was sealed and not finished, if any: after a crash, the one under way.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_batch(&self) -> Result<Option<Batch>, Arc<Error>> {
        let tag = Arc::clone(&self.0.tag);
        self.read(move |reader| reader.open_batch(&tag)).await
    }

    /// Seals the oldest pending rows into a batch; `None` when nothing is pending, when the oldest row
    /// still waits for a name ([`Journal::awaits_name`]), or when a row came in between.
    ///
    /// Only one batch may be open, so call it only after [`Journal::open_batch`] gave none or the
    /// last batch was finished.
    ///
    /// # Errors
    /// When the database does not answer; nothing was sealed then.
    pub async fn seal(
        &self,
        measure: Measure,
        plan: String,
        now: UnixMs,
    ) -> Result<Option<Batch>, Arc<Error>> {
        let tag = Arc::clone(&self.0.tag);
        let base = self.meta("marker_base").await?.unwrap_or_default();
        // A row whose name is being looked up waits, and so do those behind it: order is kept.
        let before = self.0.names.first_awaited(now).map_or(u64::MAX >> 1, |(number, _)| number);
        let entries = self.read(move |reader| reader.pending(&tag, measure, before)).await?;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(None) };
        let (first, last) = (first.event_id.number, last.event_id.number);
        let digest = self.digest_of_members(&plan, &entries)?;
        let rows = entries.len() as u64;
        let work = move |page: &mut Page<'_>| {
            let number = page.tally.next_batch;
            // 31 bits, and positive, for 147 million batches of one base.
            let marker_id = i32::try_from(base + number.cast_signed()).unwrap_or(i32::MAX);
            let sealed =
                Sealed { number, first, last, rows, marker_id, digest, plan, sealed_at: now };
            Ok(page.add_batch(&sealed)?.then_some(sealed))
        };
        let Some(sealed) = self.0.writer.commit(work).await? else { return Ok(None) };
        let Sealed { number, marker_id, digest, plan, sealed_at, .. } = sealed;
        Ok(Some(Batch { number, marker_id, digest, plan, sealed_at, entries }))
    }

    /// The batch's rows are in the sheet: they are deleted here and counted.
    ///
    /// # Errors
    /// [`Unsettled`] gives the batch back; settle it again, the sheet has it.
    pub async fn written(&self, batch: Batch) -> Result<(), Unsettled> {
        let number = batch.number;
        self.settle(batch, move |page| page.finish_written(number)).await
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
        let number = batch.number;
        self.settle(batch, move |page| page.finish_set_aside(number, &reason, now)).await
    }

    /// The batch is proven not to have been and not to become written: its rows are pending again
    /// and will travel under another marker.
    ///
    /// # Errors
    /// [`Unsettled`] gives the batch back.
    pub async fn release(&self, batch: Batch) -> Result<(), Unsettled> {
        let number = batch.number;
        self.settle(batch, move |page| page.finish_released(number)).await
    }

    /// Notes that a write leaves now, before it does.
    ///
    /// # Errors
    /// When it could not be noted; the write should not leave then.
    pub async fn note_sent(&self, now: UnixMs, window_ms: i64) -> Result<(), Arc<Error>> {
        let since = now.plus_ms(-window_ms);
        self.0.writer.commit(move |page| page.note_sent(now, since)).await
    }

    /// When writes left, as far as noted, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sent(&self) -> Result<Vec<UnixMs>, Arc<Error>> {
        self.read(Reader::sent).await
    }

    /// The id under which the log tab is to be made.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tab_id(&self) -> Result<i32, Arc<Error>> {
        let id = self.meta("tab_id").await?.unwrap_or_default();
        Ok(i32::try_from(id).unwrap_or_default())
    }

    /// Draws another tab id, when Google refuses the one we have.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redraw_tab_id(&self) -> Result<(), Arc<Error>> {
        let id = database::random_tab_id();
        self.0.writer.commit(move |page| page.set_meta("tab_id", id)).await
    }

    /// Draws another range of marker ids, when someone else's marker is found at one of ours.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redraw_marker_base(&self) -> Result<(), Arc<Error>> {
        let base = database::random_marker_base();
        self.0.writer.commit(move |page| page.set_meta("marker_base", base)).await
    }

    /// The marker ids that this journal has given so far.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn marker_ids(&self) -> Result<Range<i32>, Arc<Error>> {
        let base = self.meta("marker_base").await?.unwrap_or_default();
        let next = base + self.tally().next_batch.cast_signed();
        Ok(i32::try_from(base).unwrap_or(i32::MAX)..i32::try_from(next).unwrap_or(i32::MAX))
    }

    async fn settle<F>(&self, batch: Batch, work: F) -> Result<(), Unsettled>
    where
        F: FnOnce(&mut Page<'_>) -> Result<(), Error> + Send + 'static,
    {
        match self.0.writer.commit(work).await {
            Ok(()) => Ok(()),
            Err(source) => Err(Unsettled { batch, source }),
        }
    }

    /// Sixteen hex digits over the plan and every member, in order.
    fn digest_of_members(&self, plan: &str, entries: &[Entry]) -> Result<String, Arc<Error>> {
        let members: Vec<(u64, &Entry)> =
            entries.iter().map(|entry| (entry.event_id.number, entry)).collect();
        let members = serde_json::to_vec(&members).map_err(Error::from)?;
        let mut digest = self.digest(&[b"batch", plan.as_bytes(), &members]).to_string();
        digest.truncate(16);
        Ok(digest)
    }
}
