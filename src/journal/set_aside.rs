//! Rows set aside: listed, handed out, and taken back among the pending.

use std::sync::Arc;

use rusqlite::{Row, params};

use crate::chat::entry::{Entry, EventId};
use crate::chat::time::UnixMs;
use crate::journal::page::{BLANK, Page};
use crate::journal::reader::Reader;
use crate::journal::register::{QueueId, is_member, members};
use crate::journal::tally::count;
use crate::journal::{Error, Journal};

/// A row that Google refused for its own content.
#[derive(Clone, Debug)]
pub struct SetAside {
    /// The row; all blank where its patient was forgotten or this version cannot read it.
    pub entry: Entry,
    /// When its event was received.
    pub received_at: UnixMs,
    /// Why it was refused, in our words.
    pub reason: String,
    /// When it was set aside.
    pub at: UnixMs,
}

/// All rows set aside, a page of a thousand at a time, the oldest first.
#[derive(Debug)]
pub struct SetAsidePages {
    journal: Journal,
    /// The number of the last row so far; `None` after the last of all.
    after: Option<u64>,
}

/// What became of a wish to try rows again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// Rows that are pending again.
    pub rows: u64,
    /// Rows that stay for now: a batch around them is under way, the journal is full, or this version
    /// cannot read them.
    pub later: u64,
    /// Rows that stay for good: their patient was forgotten, and nothing is left to write.
    pub forgotten: u64,
}

/// Where an acknowledged row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Still to be written.
    Pending,
    /// Refused for its content.
    SetAside,
    /// In the sheet.
    Written,
}

/// Rows of a page.
const PAGE_ROWS: u32 = 1_000;

impl SetAsidePages {
    /// From the oldest on.
    pub fn new(journal: Journal) -> Self {
        Self { journal, after: Some(0) }
    }

    /// The next page; `None` after the last, which may be empty.
    ///
    /// # Errors
    /// When the database does not answer; the same page may be asked for again then.
    pub async fn next(&mut self) -> Result<Option<Vec<SetAside>>, Arc<Error>> {
        let Some(after) = self.after else { return Ok(None) };
        let rows = self.journal.set_aside_after(after, PAGE_ROWS).await?;
        let is_full = rows.len() == PAGE_ROWS as usize;
        self.after = rows.last().filter(|_| is_full).map(|row| row.entry.event_id.number);
        Ok(Some(rows))
    }

    /// Whether the last page was given.
    pub fn are_over(&self) -> bool {
        self.after.is_none()
    }
}

impl Journal {
    /// Rows set aside, the oldest first: at most `limit` of those after the event of number `after`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_aside_after(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<SetAside>, Arc<Error>> {
        let tag = Arc::clone(&self.0.tag);
        self.read(move |reader| reader.set_aside_after(&tag, after, limit)).await
    }

    /// Takes rows set aside back among the pending: one, or all.
    ///
    /// They keep their event ids. A batch under way has its members already, so that a row that would
    /// come to stand among them waits until it is finished.
    ///
    /// # Errors
    /// When the database does not answer; nothing was taken back then.
    pub async fn retry_set_aside(&self, number: Option<u64>) -> Result<Retried, Arc<Error>> {
        let pending_rows_max = self.0.limits.pending_rows_max;
        let work = move |page: &mut Page<'_>| {
            let room = match page.has_room {
                true => pending_rows_max.saturating_sub(page.tally().pending()),
                false => 0,
            };
            let rows = page.take_back_set_aside(number, room)?;
            let (left, forgotten) = page.count_set_aside(number)?;
            Ok(Retried { rows, later: left - forgotten, forgotten })
        };
        self.0.writer.commit(work).await
    }

    /// Where the row of an acknowledged event is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn whereabouts(&self, number: u64) -> Result<Whereabouts, Arc<Error>> {
        let queues: Vec<QueueId> = self.0.register.queues().collect();
        self.read(move |reader| reader.whereabouts(&queues, number)).await
    }
}

/// Which rows are meant: all, or the one of that number.
const MEANT: &str = "(?1 IS NULL OR number = ?1)";

impl Page<'_> {
    /// Makes rows pending again, at most so many, in the queues where they belong now; but for those that
    /// are blank or would come to stand among the members of a batch under way.
    fn take_back_set_aside(&mut self, number: Option<u64>, rows_max: u64) -> Result<u64, Error> {
        let members = members(self.connection)?;
        let mut statement = self.connection.prepare(&format!(
            "SELECT number, received_at, payload FROM set_aside
             WHERE {MEANT} AND payload <> ?2 ORDER BY number"
        ))?;
        let mut rows = statement.query(params![number.map(u64::cast_signed), BLANK])?;
        let mut taken = 0;
        while let Some(row) = rows.next()? {
            let (number, payload): (i64, Vec<u8>) = (row.get(0)?, row.get(2)?);
            // One that cannot be read stays, for a later version.
            let Ok(entry) = serde_json::from_slice::<Entry>(&payload) else { continue };
            let (queue, book) = self.register.queue_of(&entry);
            if taken == rows_max || is_member(&members, queue, number) {
                continue;
            }
            let values = params![queue, number, row.get::<_, i64>(1)?, payload];
            let sql = "INSERT INTO entry (queue, number, received_at, payload)
                       VALUES (?1, ?2, ?3, ?4)";
            self.connection.prepare_cached(sql)?.execute(values)?;
            let sql = "DELETE FROM set_aside WHERE number = ?1";
            self.connection.prepare_cached(sql)?.execute([number])?;
            match entry.handover {
                Some(_) => self.counters.tally.handovers_set_aside -= 1,
                None => self.counters.tally.set_aside -= 1,
            }
            self.counters.work_mut(book).pending += 1;
            taken += 1;
        }
        Ok(taken)
    }

    /// How many are set aside, and how many of them are blank.
    fn count_set_aside(&self, number: Option<u64>) -> Result<(u64, u64), Error> {
        let sql = format!(
            "SELECT count(*), count(*) FILTER (WHERE payload = ?2) FROM set_aside WHERE {MEANT}"
        );
        let number = number.map(u64::cast_signed);
        let counts = |row: &Row<'_>| Ok((count(row, 0)?, count(row, 1)?));
        Ok(self.connection.query_row(&sql, params![number, BLANK], counts)?)
    }
}

impl Reader {
    fn set_aside_after(
        &self,
        tag: &Arc<str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<SetAside>, Error> {
        let sql = "SELECT number, payload, received_at, reason, at FROM set_aside
                   WHERE number > ?1 ORDER BY number LIMIT ?2";
        let rows = self.with(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map(params![after.cast_signed(), limit], |row| {
                let payload: Vec<u8> = row.get(1)?;
                Ok((count(row, 0)?, payload, row.get(2)?, row.get(3)?, row.get(4)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        rows.into_iter()
            .map(|(number, payload, received_at, reason, at)| {
                let mut entry: Entry = serde_json::from_slice(&payload).unwrap_or_default();
                entry.event_id = EventId { tag: Arc::clone(tag), number };
                let (received_at, at) = (UnixMs(received_at), UnixMs(at));
                Ok(SetAside { entry, received_at, reason, at })
            })
            .collect()
    }

    fn whereabouts(&self, queues: &[QueueId], number: u64) -> Result<Whereabouts, Error> {
        let number = number.cast_signed();
        let (pending, set_aside) = self.with(|db| {
            let sql = "SELECT EXISTS (SELECT 1 FROM entry WHERE queue = ?1 AND number = ?2)";
            let mut statement = db.prepare_cached(sql)?;
            let mut pending = false;
            for queue in queues {
                pending |= statement.query_row([*queue, number], |row| row.get::<_, bool>(0))?;
            }
            let sql = "SELECT EXISTS (SELECT 1 FROM set_aside WHERE number = ?1)";
            let set_aside: bool = db.query_row(sql, [number], |row| row.get(0))?;
            Ok((pending, set_aside))
        })?;
        Ok(match (pending, set_aside) {
            (true, _) => Whereabouts::Pending,
            (false, true) => Whereabouts::SetAside,
            (false, false) => Whereabouts::Written,
        })
    }
}
