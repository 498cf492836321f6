//! The way out: sealing pending rows into batches and settling what became of them.

use std::ops::Range;
use std::sync::Arc;

use crate::chat::entry::Entry;
use crate::chat::time::UnixMs;
use crate::journal::batch::{Batch, Draft, Members, Unsettled};
use crate::journal::digest::digest;
use crate::journal::outbox::Sealed;
use crate::journal::page::Page;
use crate::journal::reader::Reader;
use crate::journal::tally::BookId;
use crate::journal::{Error, Journal, Look, database};

/// How much goes into a batch at most.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Most rows.
    pub rows_max: usize,
    /// Most bytes on the wire.
    pub bytes_max: usize,
    /// An upper bound of what one row takes on the wire.
    pub bytes_of: fn(&Entry) -> usize,
    /// Bytes that every row takes besides.
    pub bytes_more: usize,
    /// Whether handovers go along.
    pub with_handovers: bool,
}

/// What a log tab is called at a moment: its title as configured may stand for one tab a month.
pub type TitleAt = Box<dyn Fn(&str, UnixMs) -> String + Send + Sync>;

impl Journal {
    /// The batch of this spreadsheet that was sealed and not finished, if any: after a crash, the one
    /// under way.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_batch(&self, book: BookId) -> Result<Option<Batch>, Arc<Error>> {
        let (tag, conditions) = (Arc::clone(&self.0.tag), Arc::clone(&self.0.conditions));
        self.read(move |reader| reader.open_batch(&tag, book, &conditions)).await
    }

    /// The oldest pending rows of a spreadsheet that fit the measure and belong to one log tab, and
    /// the handovers. Empty when nothing is pending, or when the oldest row still waits for a name
    /// ([`Journal::awaits_name`]).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn draft(
        &self,
        book: BookId,
        measure: Measure,
        title_at: TitleAt,
        now: UnixMs,
    ) -> Result<Draft, Arc<Error>> {
        let title_at = Arc::new(title_at);
        loop {
            let draft = self.draft_once(book, measure, Arc::clone(&title_at), now).await?;
            match draft.unreadable {
                Some((queue, number)) if draft.rows() == 0 => {
                    let work = move |page: &mut Page<'_>| {
                        page.set_aside_unreadable(book, queue, number, now)
                    };
                    self.0.writer.commit(work).await?;
                }
                _ => return Ok(draft),
            }
        }
    }

    async fn draft_once(
        &self,
        book: BookId,
        measure: Measure,
        title_at: Arc<TitleAt>,
        now: UnixMs,
    ) -> Result<Draft, Arc<Error>> {
        let tag = Arc::clone(&self.0.tag);
        let register = Arc::clone(&self.0.register);
        // A row whose name is being looked up waits, and so do those behind it: order is kept. Rows
        // that are committed from here on may await a name that is not looked at here any more.
        let committed = self.tally().next_number;
        let awaited = self.0.names.first_awaited(book, now).map_or(committed, |(number, _)| number);
        let before = awaited.min(committed);
        self.read(move |reader| reader.draft(&tag, &register, book, measure, &title_at, before))
            .await
    }

    /// Seals a draft into a batch, together with the board as it is now where `look` asks for it.
    ///
    /// Only one batch of a spreadsheet may be open, so call it only after [`Journal::open_batch`] gave
    /// none or the last batch was finished. `None` when the draft is not what is stored any more: a row
    /// came in between, one that was set aside or is routed anew, or one was given its name.
    ///
    /// # Errors
    /// When the database does not answer; nothing was sealed then.
    pub async fn seal(
        &self,
        draft: Draft,
        plan: String,
        look: Option<Look>,
        now: UnixMs,
    ) -> Result<Option<Batch>, Arc<Error>> {
        let Draft { book, log, handovers, .. } = draft;
        let Members { range: log, entries, extent: log_extent, .. } = log;
        let Members { range: handed, entries: handovers, extent: handed_extent, .. } = handovers;
        let key = self.0.hash_key.clone();
        let members = members_of(&entries, &handovers)?;
        let work = move |page: &mut Page<'_>| {
            let number = page.tally().next_batch;
            let board = look.map(|look| page.board(&look, now)).transpose()?;
            let picture = serde_json::to_string(&board)?;
            let parts = [b"batch", plan.as_bytes(), &members, picture.as_bytes()];
            let mut digest = digest(&key, &parts).to_string();
            digest.truncate(16);
            // 31 bits, and positive, for 147 million batches of one base.
            let marker_id = page.marker_base()? + number.cast_signed();
            let marker_id = i32::try_from(marker_id).unwrap_or(i32::MAX);
            let (handovers, sealed_at) = (handed, now);
            let picture = board.is_some().then_some(picture);
            let sealed = Sealed {
                number,
                book,
                log,
                handovers,
                marker_id,
                digest,
                plan,
                picture,
                sealed_at,
            };
            let is_as_drafted = page.add_batch(&sealed, log_extent, handed_extent)?;
            Ok(is_as_drafted.then_some((sealed, board)))
        };
        let Some((sealed, board)) = self.0.writer.commit(work).await? else { return Ok(None) };
        let Sealed { number, marker_id, digest, plan, sealed_at, .. } = sealed;
        Ok(Some(Batch { number, marker_id, digest, plan, sealed_at, entries, handovers, board }))
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

    /// The id under which a tab of this spreadsheet is to be made, drawn when first asked for. `name`
    /// is what the tab is for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tab_id(&self, book: BookId, name: &str) -> Result<i32, Arc<Error>> {
        let name = format!("tab.{}.{name}", book.0);
        let id = match self.meta(&name).await? {
            Some(id) => id,
            None => self.0.writer.commit(move |page| page.give_tab_id(&name)).await?,
        };
        Ok(i32::try_from(id).unwrap_or_default())
    }

    /// Draws another tab id, when Google refuses the one we have.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redraw_tab_id(&self, book: BookId, name: &str) -> Result<(), Arc<Error>> {
        let (name, id) = (format!("tab.{}.{name}", book.0), database::random_tab_id());
        self.0.writer.commit(move |page| page.set_meta(&name, id)).await
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
}

/// What a batch's hash is over: every member, in order.
fn members_of(entries: &[Entry], handovers: &[Entry]) -> Result<Vec<u8>, Arc<Error>> {
    let all = entries.iter().chain(handovers);
    let members: Vec<(u64, &Entry)> = all.map(|entry| (entry.event_id.number, entry)).collect();
    Ok(serde_json::to_vec(&members).map_err(Error::from)?)
}
