//! One transaction of the writer, in domain words: what changes on the way in.
//!
//! The way out is in `outbox`, who waits in `waiting`, what concerns the rows set aside in `set_aside`.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::chat::entry::Entry;
use crate::chat::memory::Told;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::digest::Digest;
use crate::journal::guard::Guard;
use crate::journal::register::{QueueId, Register};
use crate::journal::tally::{BookId, Counters, Tally};
use crate::journal::waiting::Waiting;
use crate::journal::{Error, database};

/// Unrecognised bodies kept at most; the oldest go first.
pub(super) const UNRECOGNISED_MAX: i64 = 1_000;

/// What is left of a row set aside when its patient is forgotten.
pub(super) const BLANK: &[u8] = br#"{"t":0}"#;

/// How long a pointer in the memory is left as it is before it is dated anew; the retention is at least
/// a day.
const POINTER_FRESH_MS: i64 = 12 * 3_600_000;

/// What stands under a key of the memory.
#[derive(PartialEq, Eq)]
enum Record {
    Json(Vec<u8>),
    /// What stands under that key: a customer is known by id and by phone number.
    SameAs(Digest),
}

impl Record {
    /// JSON never begins with a zero byte; a pointer does.
    fn of(bytes: Vec<u8>) -> Self {
        match <[u8; 16]>::try_from(bytes.strip_prefix(&[0]).unwrap_or_default()) {
            Ok(digest) => Self::SameAs(Digest::from_bytes(digest)),
            Err(_) => Self::Json(bytes),
        }
    }

    fn same_as(key: &Digest) -> Vec<u8> {
        [&[0], key.as_bytes()].concat()
    }
}

/// The transaction under way and the counters as they will be after it.
pub(super) struct Page<'a> {
    pub(super) connection: &'a Connection,
    pub(super) counters: Counters,
    pub(super) register: &'a Register,
    guard: &'a mut Guard,
    pub(super) waiting: &'a mut Waiting,
    /// Whether the disk has room for more events.
    pub(super) has_room: bool,
    /// Whether the log behind the database is to be emptied after the commit.
    pub(super) is_to_be_purged: bool,
    /// Whether the books' counts in the database were made anew.
    pub(super) is_recounted: bool,
}

/// The tables that hold what people sent.
#[derive(Clone, Copy)]
pub(super) enum Table {
    Entry,
    SetAside,
    Unrecognised,
    Waiting,
}

impl<'a> Page<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        counters: Counters,
        register: &'a Register,
        (guard, waiting): (&'a mut Guard, &'a mut Waiting),
        has_room: bool,
    ) -> Self {
        let (is_to_be_purged, is_recounted) = (false, false);
        Self {
            connection,
            counters,
            register,
            guard,
            waiting,
            has_room,
            is_to_be_purged,
            is_recounted,
        }
    }

    /// The counters of the whole journal.
    pub(super) fn tally(&mut self) -> &mut Tally {
        &mut self.counters.tally
    }

    /// The last event of this chat, if it was heard of within the window.
    pub(super) fn last_of(&self, chat: &Digest) -> Result<Option<Told>, Error> {
        self.guard.last(self.connection, chat)
    }

    /// Notes an event as its chat's last, and forgets some that are out of the window.
    pub(super) fn note_last(
        &mut self,
        number: u64,
        chat: &Digest,
        body: &Digest,
        now: UnixMs,
        window_ms: i64,
    ) -> Result<(), Error> {
        self.guard.note(self.connection, number, chat, body, now)?;
        self.guard.forget(self.connection, now.plus_ms(-window_ms))
    }

    /// What is remembered under the first of these keys that knows anything, else nothing known.
    /// A record that this version cannot read counts as nothing known.
    pub(super) fn recall<T: DeserializeOwned + Default>(
        &self,
        keys: &[Digest],
    ) -> Result<T, Error> {
        for key in keys {
            let record = match self.record(key)? {
                Some((Record::SameAs(other), _)) => self.record(&other)?,
                found => found,
            };
            if let Some((Record::Json(record), _)) = record {
                return Ok(serde_json::from_slice(&record).unwrap_or_default());
            }
        }
        Ok(T::default())
    }

    /// Remembers something under the first of these keys; the others only point there, so that what
    /// changes often is written once.
    pub(super) fn remember<T: Serialize>(
        &self,
        keys: &[Digest],
        record: &T,
        now: UnixMs,
    ) -> Result<(), Error> {
        let Some((first, others)) = keys.split_first() else { return Ok(()) };
        // Whoever is known by one key only may be known by a better one already.
        let first = match self.record(first)? {
            Some((Record::SameAs(other), _)) if others.is_empty() => other,
            _ => *first,
        };
        self.put_record(&first, &serde_json::to_vec(record)?, now)?;
        for key in others {
            let points_there = self.record(key)?.is_some_and(|(record, seen_at)| {
                record == Record::SameAs(first) && now.since_ms(seen_at) < POINTER_FRESH_MS
            });
            if !points_there {
                self.put_record(key, &Record::same_as(&first), now)?;
            }
        }
        Ok(())
    }

    fn record(&self, key: &Digest) -> Result<Option<(Record, UnixMs)>, Error> {
        let found = self
            .connection
            .prepare_cached("SELECT record, seen_at FROM memory WHERE key = ?1")?
            .query_row([key.as_bytes()], |row| Ok((Record::of(row.get(0)?), UnixMs(row.get(1)?))))
            .optional()?;
        Ok(found)
    }

    fn put_record(&self, key: &Digest, record: &[u8], now: UnixMs) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO memory (key, seen_at, record) VALUES (?1, ?2, ?3)
                 ON CONFLICT (key) DO UPDATE SET seen_at = ?2, record = ?3",
            )?
            .execute(params![key.as_bytes(), now.0, record])?;
        Ok(())
    }

    /// Adds a row of the log to the queue of its clinic's number.
    pub(super) fn add_entry(&mut self, entry: &Entry, now: UnixMs) -> Result<(), Error> {
        let (queue, book) = self.register.of(&entry.waba_number);
        self.counters.tally.accepted += 1;
        self.enqueue(queue, book, entry, now)
    }

    /// Adds a row of the handovers, to where those of this book wait; where the book is not served any
    /// more, to where its clinic's number goes now.
    pub(super) fn add_handover(
        &mut self,
        book: BookId,
        entry: &Entry,
        now: UnixMs,
    ) -> Result<(), Error> {
        self.counters.tally.handovers += 1;
        let (queue, book) = match self.register.handovers_of(book) {
            0 => self.register.queue_of(entry),
            queue => (queue, book),
        };
        self.enqueue(queue, book, entry, now)
    }

    fn enqueue(
        &mut self,
        queue: QueueId,
        book: BookId,
        entry: &Entry,
        now: UnixMs,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO entry (queue, number, received_at, payload) VALUES (?1, ?2, ?3, ?4)";
        let number = entry.event_id.number.cast_signed();
        self.connection.prepare_cached(sql)?.execute(params![
            queue,
            number,
            now.0,
            serde_json::to_vec(entry)?
        ])?;
        self.counters.work_mut(book).pending += 1;
        Ok(())
    }

    pub(super) fn keep_unrecognised(
        &mut self,
        body: &[u8],
        announced: Option<&str>,
        now: UnixMs,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO unrecognised (received_at, announced, body) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![now.0, announced, body])?;
        self.connection
            .prepare_cached(
                "DELETE FROM unrecognised WHERE id <= (SELECT max(id) FROM unrecognised) - ?1",
            )?
            .execute([UNRECOGNISED_MAX])?;
        self.counters.tally.unrecognised += 1;
        Ok(())
    }

    pub(super) fn drop_unrecognised(&self, id: i64) -> Result<(), Error> {
        self.connection.execute("DELETE FROM unrecognised WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Names the customer of a row that is in no batch yet.
    pub(super) fn name_entry(&self, number: u64, name: &Personal) -> Result<(), Error> {
        let sql = "SELECT payload FROM entry WHERE queue = ?1 AND number = ?2 AND NOT EXISTS (
                       SELECT 1 FROM batch
                       WHERE batch.queue = ?1 AND ?2 BETWEEN batch.first AND batch.last)";
        for queue in self.register.queues() {
            let key = [queue, number.cast_signed()];
            let payload: Option<Vec<u8>> =
                self.connection.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
            let Some(payload) = payload else { continue };
            let mut entry: Entry = serde_json::from_slice(&payload)?;
            entry.customer_name = entry.customer_name.or(name);
            self.connection
                .prepare_cached("UPDATE entry SET payload = ?3 WHERE queue = ?1 AND number = ?2")?
                .execute(params![queue, number.cast_signed(), serde_json::to_vec(&entry)?])?;
        }
        Ok(())
    }

    /// The id under this name, drawn now if there is none. The one that was drawn when there was but one
    /// tab goes to the first log that asks.
    pub(super) fn give_tab_id(&self, name: &str) -> Result<i64, Error> {
        let sql =
            "UPDATE meta SET name = ?1 WHERE name = 'tab_id' AND ?1 LIKE '%.log %' RETURNING value";
        let first = self.connection.query_row(sql, [name], |row| row.get(0)).optional()?;
        let id = first.unwrap_or_else(database::random_tab_id);
        self.set_meta(name, id)?;
        Ok(id)
    }

    pub(super) fn set_meta(&self, name: &str, value: i64) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO meta (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = ?2",
            params![name, value],
        )?;
        Ok(())
    }

    /// Deletes what has been quiet since `before`, at most `limit` keys after `cursor`; gives the
    /// key to go on from, `None` at the end.
    pub(super) fn forget_quiet(
        &self,
        before: UnixMs,
        cursor: &[u8],
        limit: i64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let end: Option<Vec<u8>> = self
            .connection
            .prepare_cached(
                "SELECT max(key) FROM (SELECT key FROM memory WHERE key > ?1 ORDER BY key LIMIT ?2)",
            )?
            .query_row(params![cursor, limit], |row| row.get(0))?;
        let Some(end) = end else { return Ok(None) };
        self.connection
            .prepare_cached("DELETE FROM memory WHERE key > ?1 AND key <= ?2 AND seen_at < ?3")?
            .execute(params![cursor, end, before.0])?;
        Ok(Some(end))
    }

    pub(super) fn forget_unrecognised(&self, before: UnixMs) -> Result<(), Error> {
        self.connection.execute("DELETE FROM unrecognised WHERE received_at < ?1", [before.0])?;
        Ok(())
    }

    /// The ids of a table's rows whose JSON matches.
    pub(super) fn matching(
        &self,
        table: Table,
        matches: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<i64>, Error> {
        let sql = match table {
            Table::Entry => "SELECT number, payload FROM entry",
            Table::SetAside => "SELECT number, payload FROM set_aside",
            Table::Unrecognised => "SELECT id, body FROM unrecognised",
            Table::Waiting => "SELECT number, record FROM waiting",
        };
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query(())?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            if matches(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?) {
                ids.push(row.get(0)?);
            }
        }
        Ok(ids)
    }

    /// Leaves of a row set aside only that it was, when, and why.
    pub(super) fn blank_set_aside(&self, number: i64) -> Result<(), Error> {
        self.connection.execute(
            "UPDATE set_aside SET payload = ?2 WHERE number = ?1",
            params![number, BLANK],
        )?;
        Ok(())
    }

    /// Deletes the records that match, among at most `limit` after `cursor`; gives the key to go on
    /// from and how many went.
    pub(super) fn forget_records(
        &self,
        cursor: &[u8],
        limit: i64,
        matches: impl Fn(&[u8]) -> bool,
    ) -> Result<(Option<Vec<u8>>, u64), Error> {
        let sql = "SELECT key, record FROM memory WHERE key > ?1 ORDER BY key LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![cursor, limit])?;
        let (mut end, mut found) = (None, Vec::new());
        while let Some(row) = rows.next()? {
            let key: Vec<u8> = row.get(0)?;
            if matches(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?) {
                found.push(key.clone());
            }
            end = Some(key);
        }
        for key in &found {
            self.connection.execute("DELETE FROM memory WHERE key = ?1", [key])?;
        }
        Ok((end, found.len() as u64))
    }
}
