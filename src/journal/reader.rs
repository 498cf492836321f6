//! Reading the journal beside the writer, on a connection of its own.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row};

use crate::chat::entry::{Entry, EventId};
use crate::chat::time::UnixMs;
use crate::journal::batch::{Batch, Draft, Extent, Members};
use crate::journal::condition::Conditions;
use crate::journal::delivery::TitleAt;
use crate::journal::outbox::Range;
use crate::journal::register::{QueueId, Register};
use crate::journal::tally::{BookId, count};
use crate::journal::{Error, Kept, Measure};

/// Most handovers of one batch.
const HANDOVERS_MAX: usize = 500;

/// A read-only connection. Never held while anything is awaited.
#[derive(Debug)]
pub(super) struct Reader(Mutex<Connection>);

impl Reader {
    pub(super) fn new(connection: Connection) -> Self {
        Self(Mutex::new(connection))
    }

    /// When the oldest row of these queues was received.
    pub(super) fn oldest_pending(&self, queues: &[QueueId]) -> Result<Option<UnixMs>, Error> {
        let sql = "SELECT received_at FROM entry WHERE queue = ?1 ORDER BY number LIMIT 1";
        Ok(self.with(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let mut oldest: Option<i64> = None;
            for queue in queues {
                let head: Option<i64> =
                    statement.query_row([queue], |row| row.get(0)).optional()?;
                oldest = oldest.into_iter().chain(head).min();
            }
            Ok(oldest.map(UnixMs))
        })?)
    }

    /// The oldest rows of a book that fit the measure and go to one log tab, and its handovers; a
    /// single row always fits. None from `before` on.
    pub(super) fn draft(
        &self,
        tag: &Arc<str>,
        register: &Register,
        book: BookId,
        measure: Measure,
        title_at: &TitleAt,
        before: u64,
    ) -> Result<Draft, Error> {
        let mut bytes = 0;
        let mut fits = |taken: usize, rows_max: usize, entry: &Entry| {
            bytes += (measure.bytes_of)(entry) + measure.bytes_more;
            taken < rows_max && (taken == 0 || bytes <= measure.bytes_max)
        };
        let end = before.saturating_sub(1);
        let (mut title, mut log) = (None, Members::none());
        if let Some((queue, template)) = self.oldest_log(register, book)? {
            log = self.entries(tag, Range { queue, first: 0, last: end }, |taken, entry| {
                let tab = title_at(template, entry.unassigned_at);
                let is_same = title.as_ref().is_none_or(|title| *title == tab);
                title = title.take().or(Some(tab));
                is_same && fits(taken, measure.rows_max, entry)
            })?;
        }
        let room = measure.rows_max - log.entries.len().min(measure.rows_max);
        let queue = register.handovers_of(book);
        let rows_max = if measure.with_handovers { room.min(HANDOVERS_MAX) } else { 0 };
        let range = Range { queue, first: 0, last: end };
        let handovers = self.entries(tag, range, |taken, entry| fits(taken, rows_max, entry))?;
        let title = title.filter(|_| !log.entries.is_empty());
        let unreadable = log.unreadable.or(handovers.unreadable);
        Ok(Draft { book, title, log, handovers, unreadable })
    }

    /// The log queue of a book whose first row is the oldest, and the title of its tab.
    fn oldest_log<'r>(
        &self,
        register: &'r Register,
        book: BookId,
    ) -> Result<Option<(QueueId, &'r str)>, Error> {
        let sql = "SELECT number FROM entry WHERE queue = ?1 ORDER BY number LIMIT 1";
        Ok(self.with(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let mut oldest: Option<(i64, (QueueId, &str))> = None;
            for (queue, title) in register.logs_of(book) {
                let head: Option<i64> =
                    statement.query_row([queue], |row| row.get(0)).optional()?;
                let found = head.map(|number| (number, (queue, title)));
                oldest = oldest.into_iter().chain(found).min();
            }
            Ok(oldest.map(|(_, log)| log))
        })?)
    }

    pub(super) fn kept(&self) -> Result<Vec<Kept>, Error> {
        let sql = "SELECT id, received_at, announced, body FROM unrecognised ORDER BY id";
        Ok(self.with(|db| {
            let mut statement = db.prepare(sql)?;
            let kept = statement.query_map((), |row| {
                Ok(Kept {
                    id: row.get(0)?,
                    received_at: UnixMs(row.get(1)?),
                    announced: row.get(2)?,
                    body: row.get(3)?,
                })
            })?;
            kept.collect()
        })?)
    }

    pub(super) fn open_batch(
        &self,
        tag: &Arc<str>,
        book: BookId,
        conditions: &Conditions,
    ) -> Result<Option<Batch>, Error> {
        let sql = "SELECT number, marker_id, digest, plan, sealed_at, board, queue, first, last,
                       handover_queue, handover_first, handover_last
                   FROM batch WHERE book = ?1 ORDER BY number";
        let found = self.with(|db| {
            db.query_row(sql, [book.0], |row| {
                let batch = Batch {
                    number: count(row, 0)?,
                    marker_id: row.get(1)?,
                    digest: row.get(2)?,
                    plan: row.get(3)?,
                    sealed_at: UnixMs(row.get(4)?),
                    entries: Vec::new(),
                    handovers: Vec::new(),
                    board: None,
                };
                let board: Option<String> = row.get(5)?;
                Ok((batch, board, range(row, 6)?, range(row, 9)?))
            })
            .optional()
        })?;
        let Some((mut batch, board, log, handovers)) = found else { return Ok(None) };
        let board = board.map(|board| serde_json::from_str(&board)).transpose();
        let (log, handovers) =
            (self.entries(tag, log, |_, _| true)?, self.entries(tag, handovers, |_, _| true)?);
        let is_whole = log.unreadable.or(handovers.unreadable).is_none();
        (batch.entries, batch.handovers) = (log.entries, handovers.entries);
        match board {
            Ok(board) if is_whole => batch.board = board,
            // It cannot be sent again as it was. Without a plan it is not: its marker tells what became
            // of it.
            _ => {
                conditions.unreadable("a record of the batch under way");
                batch.plan.clear();
            }
        }
        Ok(Some(batch))
    }

    pub(super) fn sent(&self) -> Result<Vec<UnixMs>, Error> {
        Ok(self.with(|db| {
            let mut statement = db.prepare_cached("SELECT at FROM sent ORDER BY at")?;
            let times = statement.query_map((), |row| row.get(0).map(UnixMs))?;
            times.collect()
        })?)
    }

    pub(super) fn meta(&self, name: &str) -> Result<Option<i64>, Error> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        Ok(self.with(|db| db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional())?)
    }

    /// Entries of a range, as long as `wanted` says so, and the range that they are.
    fn entries(
        &self,
        tag: &Arc<str>,
        range: Range,
        mut wanted: impl FnMut(usize, &Entry) -> bool,
    ) -> Result<Members, Error> {
        let sql = "SELECT number, payload FROM entry
                   WHERE queue = ?1 AND number BETWEEN ?2 AND ?3 ORDER BY number";
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(sql)?;
        let ends = [range.queue, range.first.cast_signed(), range.last.cast_signed()];
        let mut rows = statement.query(ends)?;
        let (mut entries, mut extent) = (Vec::new(), Extent::default());
        let mut unreadable = None;
        while let Some(row) = rows.next()? {
            let entry = match entry(row, tag) {
                Err(Error::Record(_)) => {
                    unreadable = Some((range.queue, count(row, 0)?));
                    break;
                }
                entry => entry?,
            };
            if !wanted(entries.len(), &entry) {
                break;
            }
            let payload = row.get_ref(1)?.as_bytes().map_err(rusqlite::Error::from)?;
            extent = Extent { rows: extent.rows + 1, bytes: extent.bytes + payload.len() as u64 };
            entries.push(entry);
        }
        let number = |entry: &Entry| entry.event_id.number;
        let range = match (entries.first(), entries.last()) {
            (Some(first), Some(last)) => {
                Range { queue: range.queue, first: number(first), last: number(last) }
            }
            _ => Range::NONE,
        };
        Ok(Members { range, entries, extent, unreadable })
    }

    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A range in three columns from `at` on.
fn range(row: &Row<'_>, at: usize) -> rusqlite::Result<Range> {
    Ok(Range { queue: row.get(at)?, first: count(row, at + 1)?, last: count(row, at + 2)? })
}

/// The journal's own key and tag, drawn when it was made.
pub(super) fn origin(connection: &Connection) -> rusqlite::Result<(Vec<u8>, Arc<str>)> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let key = connection.query_row(sql, ["hash_key"], |row| row.get(0))?;
    let tag: String = connection.query_row(sql, ["tag"], |row| row.get(0))?;
    Ok((key, tag.into()))
}

fn entry(row: &Row<'_>, tag: &Arc<str>) -> Result<Entry, Error> {
    let payload = row.get_ref(1)?.as_bytes().map_err(rusqlite::Error::from)?;
    let mut entry: Entry = serde_json::from_slice(payload)?;
    entry.event_id = EventId { tag: Arc::clone(tag), number: count(row, 0)? };
    Ok(entry)
}
