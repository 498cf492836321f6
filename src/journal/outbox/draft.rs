//! A [`Draft`]: pending rows that could go together, as they were found.
//!
//! The journal hands out the oldest rows of one log tab and the handovers; the caller, who knows the sheet,
//! takes as many of the first as fit. Nothing is fixed before the draft is sealed.

use crate::chat::entry::Entry;
use crate::chat::time::UnixMs;
use crate::journal::awaited;
use crate::journal::counters::BookId;
use crate::journal::store::{Extent, QueueId, Read, Row, Span, StoredAside};
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal, history};

/// Most handovers of one batch.
const HANDOVERS_MAX: usize = 500;
/// Why a row was set aside that cannot be read.
const UNREADABLE: &str = "this version cannot read its record; a later one may";

/// Pending rows that could go together.
#[derive(Debug)]
pub struct Draft {
    pub(in crate::journal) book: BookId,
    /// The title of the log tab as configured.
    title: Option<String>,
    pub(in crate::journal) log: Rows,
    pub(in crate::journal) handovers: Rows,
    /// Rows with lower numbers may be in the sheet already.
    doubtful_before: u64,
}

/// Rows of one queue, as they were found.
#[derive(Debug, Default)]
pub(in crate::journal) struct Rows {
    queue: QueueId,
    pub(super) entries: Vec<Entry>,
    /// In how many bytes each is stored.
    bytes: Vec<usize>,
    /// A row that cannot be read, before which the others end.
    unreadable: Option<u64>,
}

impl Rows {
    /// The numbers of the rows, both ends included.
    pub(in crate::journal) fn span(&self) -> Span {
        let number = |entry: &Entry| entry.event_id.number;
        match (self.entries.first(), self.entries.last()) {
            (Some(first), Some(last)) => {
                Span { queue: self.queue, first: number(first), last: number(last) }
            }
            _ => Span::NONE,
        }
    }

    /// What must stand in the span for the draft still to hold.
    pub(super) fn extent(&self) -> Extent {
        let bytes: usize = self.bytes.iter().sum();
        Extent { rows: self.bytes.len() as u64, bytes: bytes as u64 }
    }

    fn keep(&mut self, rows: usize) {
        self.entries.truncate(rows);
        self.bytes.truncate(rows);
    }
}

impl Draft {
    /// The title of the log tab that its rows are for, as configured; `None` without rows of the log.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref().filter(|_| !self.log.entries.is_empty())
    }

    /// The rows of the log, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.log.entries
    }

    /// The handovers, the oldest first.
    pub fn handovers(&self) -> &[Entry] {
        &self.handovers.entries
    }

    /// Whether some of its rows may be in the sheet already, for the database went back in time.
    pub fn is_doubtful(&self) -> bool {
        let rows = [&self.log, &self.handovers];
        rows.into_iter()
            .any(|rows| !rows.entries.is_empty() && rows.span().first < self.doubtful_before)
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.log.entries.len() + self.handovers.entries.len()
    }

    /// Takes only the first rows of each kind.
    #[must_use]
    pub fn first(mut self, log: usize, handovers: usize) -> Self {
        self.log.keep(log);
        self.handovers.keep(handovers);
        self
    }
}

impl Journal {
    /// The oldest pending rows of a spreadsheet that belong to one log tab as configured, and some
    /// handovers, at most `rows_max` of each. Empty when nothing is pending, or when the oldest row still waits for a name
    /// ([`Journal::awaits_name`]) at `now`, by the journal's clock.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn draft(&self, book: BookId, rows_max: usize, now: UnixMs) -> Result<Draft, Error> {
        // A row whose name is being looked up waits, and so do those behind it: order is kept. Rows
        // that are committed from here on may await a name that is not looked at here any more.
        let committed = self.tally().next_number;
        loop {
            let journal = self.clone();
            let found = move |store: &dyn Read| {
                let mut awaited = store.awaited(book)?.into_iter();
                let first = awaited.find(|(_, until)| awaited::left(*until, now).is_some());
                let before = first.map_or(committed, |(number, _)| committed.min(number));
                journal.found(store, book, rows_max, before.saturating_sub(1))
            };
            let draft = self.read(found).await?;
            let unreadable = [&draft.log, &draft.handovers];
            let unreadable =
                unreadable.map(|rows| rows.unreadable.map(|number| (rows.queue, number)));
            match unreadable.into_iter().flatten().next() {
                Some((queue, number)) if draft.rows() == 0 => {
                    let work = move |transaction: &mut Transaction<'_>| {
                        let now = transaction.now(now);
                        set_aside_unreadable(transaction, book, queue, number, now)
                    };
                    self.commit_as_owner(work).await?;
                }
                _ => return Ok(draft),
            }
        }
    }

    fn found(
        &self,
        store: &dyn Read,
        book: BookId,
        rows_max: usize,
        last: u64,
    ) -> Result<Draft, Error> {
        let routing = self.routing();
        // The log queue whose first row is the oldest goes first.
        let mut oldest: Option<(u64, QueueId, &str)> = None;
        for (queue, title) in routing.logs_of(book) {
            let head = store.head(queue)?.map(|(number, _)| (number, queue, title));
            oldest = oldest.into_iter().chain(head).min();
        }
        let (mut title, mut log) = (None, Rows::default());
        if let Some((_, queue, configured)) = oldest {
            title = Some(configured.to_owned());
            log = self.rows(store, Span { queue, first: 0, last }, rows_max)?;
        }
        let queue = routing.handovers_of(book);
        let handovers_max = rows_max.min(HANDOVERS_MAX);
        let handovers = self.rows(store, Span { queue, first: 0, last }, handovers_max)?;
        let doubtful_before = history::doubtful_before(store)?;
        Ok(Draft { book, title, log, handovers, doubtful_before })
    }

    /// Rows of a span, up to the first that cannot be read.
    pub(super) fn rows(
        &self,
        store: &dyn Read,
        span: Span,
        rows_max: usize,
    ) -> Result<Rows, Error> {
        let mut rows = Rows { queue: span.queue, ..Rows::default() };
        for Row { number, payload, .. } in store.rows(span, rows_max)? {
            let Ok(mut entry) = serde_json::from_slice::<Entry>(&payload) else {
                rows.unreadable = Some(number);
                break;
            };
            entry.event_id = self.event_id(number);
            rows.entries.push(entry);
            rows.bytes.push(payload.len());
        }
        Ok(rows)
    }
}

impl Rows {
    /// Whether all of them could be read.
    pub(super) fn are_whole(&self) -> bool {
        self.unreadable.is_none()
    }
}

/// A row that this version cannot read: kept apart as it is, so that the others go on.
fn set_aside_unreadable(
    transaction: &mut Transaction<'_>,
    book: BookId,
    queue: QueueId,
    number: u64,
    at: UnixMs,
) -> Result<(), Error> {
    let span = Span { queue, first: number, last: number };
    let Some(row) = transaction.read()?.rows(span, 1)?.pop() else { return Ok(()) };
    let aside = StoredAside { row, reason: UNREADABLE.to_owned(), at };
    let changes = transaction.change();
    changes.rows_gone.push((queue, number));
    changes.aside.insert(number, Some(aside));
    match queue == transaction.shared.routing.handovers_of(book) {
        true => transaction.tally().handovers_set_aside += 1,
        false => transaction.tally().set_aside += 1,
    }
    let work = transaction.counters.work_mut(book);
    work.pending = work.pending.saturating_sub(1);
    transaction.shared.conditions.unreadable("a row");
    Ok(())
}
