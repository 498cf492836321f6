//! Every SELECT. The same for the connection that writes and the one that only reads.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row as SqlRow};

use crate::chat::counted::Quarter;
use crate::chat::digest::Digest;
use crate::chat::memory::Told;
use crate::chat::time::UnixMs;
use crate::journal::counters::{BookId, Counters, Work};
use crate::journal::origin::Origin;
use crate::journal::store::postgres::column::{
    CLOCK, Sql, batch, owned, record, stored_row, tally, time, told, unsigned, wait,
};
use crate::journal::store::postgres::link::{Link, Said};
use crate::journal::store::postgres::load::{Found, ahead};
use crate::journal::store::postgres::write;
use crate::journal::store::postgres::{counted, fence};
use crate::journal::store::{
    Changes, Extent, Fault, Fence, Instance, Keys, Lease, Loaded, Places, Queue, QueueId, Read,
    Remembered, Row, Span, StoredAside, StoredBatch, StoredQuarter, StoredWait, Unrecognised,
};

type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// The columns of the counters, in the order of [`tally`].
pub(super) const TALLY: &str = "next_number, next_batch, accepted, remembered, duplicate,
    unrecognised, written, set_aside, handovers, handovers_written, handovers_set_aside, assigned_at,
    waits, found, found_ends, asked_at";

/// Reads over a link. Inside a transaction some of it is known from its beginning.
pub(in crate::journal) struct Reader {
    pub(super) link: Link,
    /// As they were when the transaction under way had its lock.
    pub(super) counters: RefCell<Option<Counters>>,
    pub(super) lease: RefCell<Option<Lease>>,
    pub(super) clock: Cell<Option<UnixMs>>,
    /// What was read together with the lock.
    ahead: RefCell<Option<(Keys, Loaded)>>,
    /// Changes that go out with the commit, or before something else is read.
    pub(super) unwritten: RefCell<Option<Changes>>,
}

impl Reader {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            counters: RefCell::default(),
            lease: RefCell::default(),
            clock: Cell::default(),
            ahead: RefCell::default(),
            unwritten: RefCell::default(),
        }
    }

    fn query(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<SqlRow>, Fault> {
        self.flush()?;
        let was_connected = self.link.is_connected();
        let ask = async |client: &Client| client.query_typed(sql, parameters).await;
        match self.link.run(ask) {
            // A connection that nobody used for a while may have been closed meanwhile. One of a transaction is
            // never replaced.
            Err(Said::Connection(_)) if was_connected => Ok(self.link.run(ask)?),
            done => Ok(done?),
        }
    }

    fn all<T>(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        read: impl Fn(&SqlRow) -> Sql<T>,
    ) -> Result<Vec<T>, Fault> {
        let rows = self.query(sql, parameters)?;
        Ok(rows.iter().map(read).collect::<Sql<_>>().map_err(Said::from)?)
    }

    fn first<T>(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        read: impl Fn(&SqlRow) -> Sql<T>,
    ) -> Result<Option<T>, Fault> {
        Ok(self.all(sql, parameters, read)?.into_iter().next())
    }

    /// Writes what is still to be written before something is read that it may touch.
    pub(super) fn flush(&self) -> Result<(), Fault> {
        let Some(changes) = self.unwritten.take() else { return Ok(()) };
        Ok(self.link.run(async |client| write::all(client, &changes).await)?)
    }

    /// Nothing of what was read or left unwritten counts any more.
    pub(super) fn forget_transaction(&self) {
        self.counters.take();
        self.lease.take();
        self.clock.set(None);
        self.ahead.take();
        self.unwritten.take();
    }

    /// Notes what was read together with the lock.
    pub(super) fn set_ahead(&self, keys: &Keys, found: &Found) -> Result<(), Fault> {
        self.ahead.replace(Some((keys.clone(), found.loaded().map_err(Said::from)?)));
        Ok(())
    }

    /// All that stands under these keys, in one go.
    pub(super) fn load(&self, keys: &Keys) -> Result<Loaded, Fault> {
        if let Some((_, loaded)) = self.ahead.take().filter(|(ahead, _)| ahead == keys) {
            return Ok(loaded);
        }
        self.flush()?;
        let found = self.link.run(async |client| ahead(client, keys).await)?;
        Ok(found.loaded().map_err(Said::from)?)
    }
}

/// How many standbys a commit waits for, as `synchronous_standby_names` says: `FIRST 2 (a, b, c)`, `ANY 1 (*)`,
/// `2 (a, b)`, or plain names, of which one is waited for.
fn standbys(names: &str) -> u32 {
    let before = names.split('(').next().unwrap_or_default();
    let word =
        |text: &str| text.trim_matches(|letter: char| letter.is_ascii_alphabetic()).trim().parse();
    match (names.trim(), names.contains('(')) {
        ("", _) => 0,
        (_, true) => word(before.trim()).unwrap_or(1),
        (_, false) => 1,
    }
}

/// As many as a query may ask for.
fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

impl Read for Reader {
    fn origin(&self) -> Result<Origin, Fault> {
        let sql = "SELECT hash_key, tag FROM doubletick_sheets.origin";
        let origin = self.first(sql, &[], |row| {
            Ok(Origin { hash_key: row.try_get(0)?, tag: row.try_get::<_, String>(1)?.into() })
        })?;
        origin.ok_or_else(|| {
            let missing = std::io::Error::other("the table `origin` is empty");
            Fault::Damaged(Arc::new(missing))
        })
    }

    fn clock(&self) -> Result<Option<UnixMs>, Fault> {
        if let Some(clock) = self.clock.get() {
            return Ok(Some(clock));
        }
        self.first(&format!("SELECT {CLOCK}"), &[], |row| time(row, 0))
    }

    fn copies(&self) -> Result<u32, Fault> {
        let sql = "SELECT current_setting('synchronous_standby_names')";
        let names: Option<String> = self.first(sql, &[], |row| row.try_get(0))?;
        Ok(1 + standbys(&names.unwrap_or_default()))
    }

    fn lease(&self) -> Result<Option<Lease>, Fault> {
        if let Some(lease) = &*self.lease.borrow() {
            return Ok(Some(lease.clone()));
        }
        let sql = "SELECT owner, epoch, until FROM doubletick_sheets.lease";
        self.first(sql, &[], |row| {
            Ok(Lease { owner: row.try_get(0)?, epoch: unsigned(row, 1)?, until: time(row, 2)? })
        })
    }

    fn instances(&self) -> Result<Vec<Instance>, Fault> {
        let sql = "SELECT id, seen_at, report FROM doubletick_sheets.instance
                   WHERE report IS NOT NULL ORDER BY id";
        self.all(sql, &[], |row| {
            Ok(Instance { id: row.try_get(0)?, seen_at: time(row, 1)?, report: row.try_get(2)? })
        })
    }

    fn counters(&self) -> Result<Counters, Fault> {
        if let Some(counters) = &*self.counters.borrow() {
            return Ok(counters.clone());
        }
        let books = self.all(BOOKS, &[], |row| {
            let (pending, waiting) = (unsigned(row, 1)?, unsigned(row, 2)?);
            let (board_changes, unheard) = (unsigned(row, 3)?, unsigned(row, 4)?);
            let work = Work { pending, waiting, board_changes, unheard };
            Ok((BookId(row.try_get(0)?), work))
        })?;
        let sql = format!("SELECT {TALLY} FROM doubletick_sheets.tally");
        let tally = self.first(&sql, &[], tally)?.unwrap_or_default();
        Ok(Counters { tally, books })
    }

    fn meta(&self, name: &str) -> Result<Option<i64>, Fault> {
        let sql = "SELECT value FROM doubletick_sheets.meta WHERE name = $1";
        self.first(sql, &[(&name, Type::TEXT)], |row| row.try_get(0))
    }

    fn numbers(&self) -> Result<Vec<(String, i64)>, Fault> {
        let sql = "SELECT name, value FROM doubletick_sheets.meta ORDER BY name";
        self.all(sql, &[], |row| Ok((row.try_get(0)?, row.try_get(1)?)))
    }

    fn places(&self) -> Result<Places, Fault> {
        let books = "SELECT id, spreadsheet FROM doubletick_sheets.book ORDER BY id";
        let queues = "SELECT id, book, tab FROM doubletick_sheets.queue ORDER BY id";
        Ok(Places {
            books: self.all(books, &[], |row| Ok((BookId(row.try_get(0)?), row.try_get(1)?)))?,
            queues: self.all(queues, &[], |row| {
                let book = BookId(row.try_get(1)?);
                Ok(Queue { id: row.try_get(0)?, book, tab: row.try_get(2)? })
            })?,
        })
    }

    fn head(&self, queue: QueueId) -> Result<Option<(u64, UnixMs)>, Fault> {
        let sql = "SELECT number, received_at FROM doubletick_sheets.entry
                   WHERE queue = $1 ORDER BY number LIMIT 1";
        self.first(sql, &[(&queue, Type::INT8)], |row| Ok((unsigned(row, 0)?, time(row, 1)?)))
    }

    fn rows(&self, span: Span, rows_max: usize) -> Result<Vec<Row>, Fault> {
        let sql = "SELECT number, received_at, payload FROM doubletick_sheets.entry
                   WHERE queue = $1 AND number BETWEEN $2 AND $3 ORDER BY number LIMIT $4";
        let (first, last) = (span.first.cast_signed(), span.last.cast_signed());
        let parameters: [Parameter<'_>; 4] = [
            (&span.queue, Type::INT8),
            (&first, Type::INT8),
            (&last, Type::INT8),
            (&limit(rows_max), Type::INT8),
        ];
        self.all(sql, &parameters, stored_row)
    }

    fn extent(&self, span: Span) -> Result<Extent, Fault> {
        let sql = "SELECT count(*), coalesce(sum(length(payload)), 0)::bigint
                   FROM doubletick_sheets.entry WHERE queue = $1 AND number BETWEEN $2 AND $3";
        let (first, last) = (span.first.cast_signed(), span.last.cast_signed());
        let parameters: [Parameter<'_>; 3] =
            [(&span.queue, Type::INT8), (&first, Type::INT8), (&last, Type::INT8)];
        let extent = self.first(sql, &parameters, |row| {
            Ok(Extent { rows: unsigned(row, 0)?, bytes: unsigned(row, 1)? })
        })?;
        Ok(extent.unwrap_or_default())
    }

    fn batches(&self) -> Result<Vec<StoredBatch>, Fault> {
        let sql = "SELECT number, book, queue, first, last, handover_queue, handover_first,
                       handover_last, marker_id, digest, plan, board, board_changes, sealed_at
                   FROM doubletick_sheets.batch ORDER BY number";
        self.all(sql, &[], batch)
    }

    fn fences(&self) -> Result<Vec<Fence>, Fault> {
        self.all(fence::FENCES, &[], fence::of)
    }

    fn board(&self, book: BookId, lines_max: usize) -> Result<Vec<StoredWait>, Fault> {
        let sql = "SELECT number, book, chat, customer, is_over, seen_at, record
                   FROM doubletick_sheets.waiting
                   WHERE book = $1 AND NOT is_over ORDER BY number LIMIT $2";
        self.all(sql, &[(&book.0, Type::INT8), (&limit(lines_max), Type::INT8)], wait)
    }

    fn awaited(&self, book: BookId) -> Result<Vec<(u64, UnixMs)>, Fault> {
        let sql = "SELECT number, until FROM doubletick_sheets.awaited WHERE book = $1
                   ORDER BY number";
        self.all(sql, &[(&book.0, Type::INT8)], |row| Ok((unsigned(row, 0)?, time(row, 1)?)))
    }

    fn aside(&self, after: u64, rows_max: usize) -> Result<Vec<StoredAside>, Fault> {
        let sql = "SELECT number, received_at, payload, reason, at FROM doubletick_sheets.set_aside
                   WHERE number > $1 ORDER BY number LIMIT $2";
        let after = after.cast_signed();
        self.all(sql, &[(&after, Type::INT8), (&limit(rows_max), Type::INT8)], |row| {
            Ok(StoredAside { row: stored_row(row)?, reason: row.try_get(3)?, at: time(row, 4)? })
        })
    }

    fn unrecognised(&self) -> Result<Vec<Unrecognised>, Fault> {
        let sql = "SELECT id, received_at, announced, body FROM doubletick_sheets.unrecognised
                   ORDER BY id";
        self.all(sql, &[], |row| {
            Ok(Unrecognised {
                id: unsigned(row, 0)?,
                received_at: time(row, 1)?,
                announced: row.try_get(2)?,
                body: owned(row, 3)?,
            })
        })
    }

    fn waits(&self, after: u64, waits_max: usize) -> Result<Vec<StoredWait>, Fault> {
        let sql = "SELECT number, book, chat, customer, is_over, seen_at, record
                   FROM doubletick_sheets.waiting WHERE number > $1 ORDER BY number LIMIT $2";
        let after = after.cast_signed();
        self.all(sql, &[(&after, Type::INT8), (&limit(waits_max), Type::INT8)], wait)
    }

    fn quarters(
        &self,
        book: BookId,
        from: Quarter,
        quarters_max: usize,
    ) -> Result<Vec<StoredQuarter>, Fault> {
        let parameters: [Parameter<'_>; 3] =
            [(&book.0, Type::INT8), (&from.0, Type::INT8), (&limit(quarters_max), Type::INT8)];
        self.all(counted::FROM, &parameters, counted::stored)
    }

    fn records(
        &self,
        after: Option<Digest>,
        records_max: usize,
    ) -> Result<Vec<(Digest, Remembered)>, Fault> {
        let sql = "SELECT key, seen_at, same_as, record FROM doubletick_sheets.memory
                   WHERE key > $1 ORDER BY key LIMIT $2";
        let after: &[u8] = after.as_ref().map_or(&[], Digest::as_bytes);
        self.all(sql, &[(&after, Type::BYTEA), (&limit(records_max), Type::INT8)], record)
    }

    fn last_events(&self, after: u64, events_max: usize) -> Result<Vec<(Digest, Told)>, Fault> {
        let sql = "SELECT chat, body, number, at FROM doubletick_sheets.recent
                   WHERE number > $1 ORDER BY number LIMIT $2";
        let after = after.cast_signed();
        self.all(sql, &[(&after, Type::INT8), (&limit(events_max), Type::INT8)], told)
    }

    fn sent(&self) -> Result<Vec<UnixMs>, Fault> {
        self.all("SELECT at FROM doubletick_sheets.sent ORDER BY at", &[], |row| time(row, 0))
    }

    fn verify(&self) -> Result<(), Fault> {
        // Its own checks are the database's business; that everything can be read is ours.
        self.counters().and_then(|_| self.batches()).and_then(|_| self.places()).map(drop)
    }

    fn copy_into(&self, _file: &Path) -> Result<(), Fault> {
        let word = "a journal on PostgreSQL is backed up with the database: by pg_dump or its host";
        Err(Fault::Failed(Arc::new(std::io::Error::other(word))))
    }
}

/// What there is to do for each spreadsheet.
pub(super) const BOOKS: &str =
    "SELECT id, pending, waiting, board_changes, unheard FROM doubletick_sheets.book ORDER BY id";

#[cfg(test)]
mod tests {
    use super::standbys;

    #[test]
    fn a_commit_waits_for_as_many_standbys_as_the_setting_says() {
        for (names, count) in [
            ("", 0),
            ("  ", 0),
            ("s1", 1),
            ("*", 1),
            ("s1, s2", 1),
            ("ANY 1 (s1)", 1),
            ("any 2 (s1, s2, s3)", 2),
            ("FIRST 3 (*)", 3),
            ("2 (s1, s2)", 2),
        ] {
            assert_eq!(standbys(names), count, "{names}");
        }
    }
}
