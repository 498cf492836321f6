//! The journal: the only owner of the database, and the only one who can say that an event is kept.
//!
//! ```text
//!            accept                    seal                    written
//!  event ───────────────▶ pending ──────────────▶ in a batch ───────────▶ gone (counted)
//!    │                       ▲                      │   │
//!    └─▶ duplicate           └────── released ──────┘   └─ set_aside ─▶ kept apart, with reason
//! ```
//!
//! Each arrow is one transaction, fsync'ed before anyone hears of it. A crash before the commit
//! leaves the state before the arrow, a crash after it the state behind. In particular: killed after
//! `seal`, the same batch is taken up again; killed after the sheet was written but before `written`,
//! the batch is sent again and its marker tells that it is there already.
//!
//! Guarantees: a [`Receipt`] exists only for a committed event; a [`Batch`] never changes; rows leave
//! in the order they came; what is delivered is deleted. Leaves to others: what an event means
//! ([`crate::chat`]) and how rows reach the sheet.

mod accept;
mod batch;
mod database;
mod digest;
mod page;
mod reader;
mod receipt;
mod tally;
mod writer;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::hmac;
use tokio::sync::watch;

pub use crate::journal::batch::{Batch, Unsettled};
pub use crate::journal::database::{OpenError, record_fact};
pub use crate::journal::receipt::{Receipt, Refusal, Standing};
pub use crate::journal::tally::Tally;

use crate::chat::entry::{Entry, EventId};
use crate::chat::event::ChatEvent;
use crate::chat::memory::Rules;
use crate::chat::time::UnixMs;
use crate::journal::accept::{Lookup, accept};
use crate::journal::database::Hold;
use crate::journal::digest::Digest;
use crate::journal::page::{Page, Sealed};
use crate::journal::reader::Reader;
use crate::journal::writer::Writer;

/// Why the journal did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More waits than may wait.
    #[error("too many requests wait for the journal")]
    Busy,
    /// The service is stopping.
    #[error("the journal is closed")]
    Closed,
    /// The disk or the database refused.
    #[error("cannot use the journal's database")]
    Storage(#[from] rusqlite::Error),
    /// A record cannot be written as JSON or read back.
    #[error("cannot read a record of the journal")]
    Record(#[from] serde_json::Error),
}

/// What the journal may hold and for how long things count.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most rows that may be pending.
    pub pending_rows_max: u64,
    /// What counts as a resend, and how long anything is remembered.
    pub rules: Rules,
}

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

/// The journal of one data directory. Cheap to share; closed when the last handle is gone.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    // Fields drop in this order. The writer closes last of the two, which empties and removes the log
    // behind the database, and only then the directory is let go.
    reader: Reader,
    writer: Writer,
    tally: watch::Receiver<Tally>,
    tag: Arc<str>,
    hash_key: hmac::Key,
    limits: Limits,
    dir: PathBuf,
    _hold: Hold,
}

impl Journal {
    /// Opens the journal in `dir`, making it if there is none.
    ///
    /// # Errors
    /// An [`OpenError`] whose sentence says what to do.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self, OpenError> {
        let damaged = |source| OpenError::Damaged { dir: dir.to_owned(), source };
        let hold = database::hold(dir)?;
        let connection = database::open(dir)?;
        let (hash_key, tag) = reader::origin(&connection).map_err(damaged)?;
        let tally = Tally::load(&connection).map_err(damaged)?;
        let reader = Reader::new(database::open_reader(dir)?);
        let (published, watched) = watch::channel(tally);
        let writer = Writer::start(connection, tally, published)
            .map_err(|source| OpenError::Unwritable { dir: dir.to_owned(), source })?;
        Ok(Self(Arc::new(Inner {
            writer,
            reader,
            tally: watched,
            tag,
            hash_key: hmac::Key::new(hmac::HMAC_SHA256, &hash_key),
            limits,
            dir: dir.to_owned(),
            _hold: hold,
        })))
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Keeps an event, or recognises it as one that is kept already.
    ///
    /// When this returns `Ok` the event is on disk. Dropping the future does not take it back.
    ///
    /// # Errors
    /// A [`Refusal`]: nothing was kept and the sender should come again.
    pub async fn accept(&self, event: ChatEvent, now: UnixMs) -> Result<Receipt, Refusal> {
        let inner = &self.0;
        let (tag, limits) = (Arc::clone(&inner.tag), inner.limits);
        let body = self.digest(&[b"body", &event.identity.canonical]);
        let names = event.keys();
        let chat: Vec<Digest> = names.chat.iter().map(|name| self.digest_of(name)).collect();
        let customer: Vec<Digest> =
            names.customer.iter().map(|name| self.digest_of(name)).collect();
        let work = move |page: &mut Page<'_>| {
            let lookup = Lookup { body, chat, customer };
            accept(page, &event, &lookup, &tag, now, limits)
        };
        let kept = inner.writer.commit(work).await.map_err(Refusal::Failed)?;
        let (number, standing) = kept.ok_or(Refusal::Full)?;
        Ok(Receipt { event_id: self.event_id(number), standing })
    }

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
        let work =
            move |page: &mut Page<'_>| page.keep_unrecognised(&body, announced.as_deref(), now);
        self.0.writer.commit(work).await.map_err(Refusal::Failed)
    }

    /// The counters after the last commit.
    pub fn tally(&self) -> Tally {
        *self.0.tally.borrow()
    }

    /// Tells of every commit that changed the counters.
    pub fn watch(&self) -> watch::Receiver<Tally> {
        self.0.tally.clone()
    }

    /// Whether as many rows are pending as may be.
    pub fn is_full(&self) -> bool {
        self.tally().pending() >= self.0.limits.pending_rows_max
    }

    /// When the oldest pending row was received; `None` when nothing is pending.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn oldest_pending(&self) -> Result<Option<UnixMs>, Arc<Error>> {
        self.read(Reader::oldest_pending).await
    }

    /// The batch that was sealed and not finished, if any: after a crash, the one under way.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_batch(&self) -> Result<Option<Batch>, Arc<Error>> {
        let tag = Arc::clone(&self.0.tag);
        self.read(move |reader| reader.open_batch(&tag)).await
    }

    /// Seals the oldest pending rows into a batch; `None` when nothing is pending.
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
        let entries = self.read(move |reader| reader.pending(&tag, measure)).await?;
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
            page.add_batch(&sealed)?;
            Ok(sealed)
        };
        let Sealed { number, marker_id, digest, plan, sealed_at, .. } =
            self.0.writer.commit(work).await?;
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

    /// Removes the last traces of delivered rows from the disk. For a quiet moment: it takes a sync.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge(&self) -> Result<(), Arc<Error>> {
        let work = |page: &mut Page<'_>| {
            page.is_to_be_purged = true;
            Ok(())
        };
        self.0.writer.commit(work).await
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

    /// What `check --live` found out under this name: holds, does not hold, or never tried.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn fact(&self, name: &str) -> Result<Option<bool>, Arc<Error>> {
        Ok(self.meta(&format!("fact.{name}")).await?.map(|value| value != 0))
    }

    /// Deletes what has been quiet for longer than the retention.
    ///
    /// Goes through the memory a few hundred keys at a time, so that acknowledgements pass between.
    ///
    /// # Errors
    /// When the database does not answer; the next sweep starts over.
    pub async fn sweep(&self, now: UnixMs) -> Result<(), Arc<Error>> {
        const KEYS_A_STEP: i64 = 500;
        let before = now.plus_ms(-self.0.limits.rules.retention_ms);
        self.0.writer.commit(move |page| page.forget_unrecognised(before)).await?;
        let mut cursor = Some(Vec::new());
        while let Some(from) = cursor {
            let work = move |page: &mut Page<'_>| page.forget_quiet(before, &from, KEYS_A_STEP);
            cursor = self.0.writer.commit(work).await?;
        }
        Ok(())
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

    async fn meta(&self, name: &str) -> Result<Option<i64>, Arc<Error>> {
        let name = name.to_owned();
        self.read(move |reader| reader.meta(&name)).await
    }

    /// Reads on a thread that may block.
    async fn read<T, F>(&self, read: F) -> Result<T, Arc<Error>>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || read(&inner.reader)).await;
        done.unwrap_or(Err(Error::Closed)).map_err(Arc::new)
    }

    fn event_id(&self, number: u64) -> EventId {
        EventId { tag: Arc::clone(&self.0.tag), number }
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        Digest::of(&self.0.hash_key, parts)
    }

    fn digest_of(&self, name: &str) -> Digest {
        self.digest(&[b"name", name.as_bytes()])
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
