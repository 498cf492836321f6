//! One transaction of the writer, in domain words: all SQL that changes anything, but for what only
//! concerns the rows set aside.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::chat::entry::Entry;
use crate::chat::memory::Told;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::Error;
use crate::journal::digest::Digest;
use crate::journal::guard::Guard;
use crate::journal::tally::Tally;

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
    pub(super) tally: Tally,
    guard: &'a mut Guard,
    /// Whether the disk has room for more events.
    pub(super) has_room: bool,
    /// Whether the log behind the database is to be emptied after the commit.
    pub(super) is_to_be_purged: bool,
}

/// The tables that hold what people sent.
#[derive(Clone, Copy)]
pub(super) enum Table {
    Entry,
    SetAside,
    Unrecognised,
}

/// What is stored of a sealed batch.
pub(super) struct Sealed {
    pub(super) number: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) rows: u64,
    pub(super) marker_id: i32,
    pub(super) digest: String,
    pub(super) plan: String,
    pub(super) sealed_at: UnixMs,
}

impl<'a> Page<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        tally: Tally,
        guard: &'a mut Guard,
        has_room: bool,
    ) -> Self {
        Self { connection, tally, guard, has_room, is_to_be_purged: false }
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

    pub(super) fn add_entry(&mut self, entry: &Entry, now: UnixMs) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT INTO entry (number, received_at, payload) VALUES (?1, ?2, ?3)")?
            .execute(params![
                entry.event_id.number.cast_signed(),
                now.0,
                serde_json::to_vec(entry)?
            ])?;
        self.tally.accepted += 1;
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
        self.tally.unrecognised += 1;
        Ok(())
    }

    pub(super) fn drop_unrecognised(&self, id: i64) -> Result<(), Error> {
        self.connection.execute("DELETE FROM unrecognised WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Names the customer of a row that is in no batch yet.
    pub(super) fn name_entry(&self, number: u64, name: &Personal) -> Result<(), Error> {
        let payload: Option<Vec<u8>> = self
            .connection
            .prepare_cached(
                "SELECT payload FROM entry
                 WHERE number = ?1 AND number > coalesce((SELECT max(last) FROM batch), 0)",
            )?
            .query_row([number.cast_signed()], |row| row.get(0))
            .optional()?;
        let Some(payload) = payload else { return Ok(()) };
        let mut entry: Entry = serde_json::from_slice(&payload)?;
        entry.customer_name = entry.customer_name.or(name);
        self.connection
            .prepare_cached("UPDATE entry SET payload = ?2 WHERE number = ?1")?
            .execute(params![number.cast_signed(), serde_json::to_vec(&entry)?])?;
        Ok(())
    }

    /// Seals a batch, unless other rows than its members stand between its first and its last by now:
    /// one that was set aside may have come back.
    pub(super) fn add_batch(&mut self, batch: &Sealed) -> Result<bool, Error> {
        let added = self.connection.execute(
            "INSERT INTO batch (number, first, last, rows, marker_id, digest, plan, sealed_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
             WHERE (SELECT count(*) FROM entry WHERE number BETWEEN ?2 AND ?3) = ?4",
            params![
                batch.number.cast_signed(),
                batch.first.cast_signed(),
                batch.last.cast_signed(),
                batch.rows.cast_signed(),
                batch.marker_id,
                batch.digest,
                batch.plan,
                batch.sealed_at.0
            ],
        )?;
        if added == 1 {
            self.tally.next_batch = batch.number + 1;
        }
        Ok(added == 1)
    }

    /// The batch's rows are in the sheet: nothing of them stays here.
    pub(super) fn finish_written(&mut self, number: u64) -> Result<(), Error> {
        let (first, last) = self.take_batch(number)?;
        let rows = self
            .connection
            .prepare_cached("DELETE FROM entry WHERE number BETWEEN ?1 AND ?2")?
            .execute([first, last])?;
        self.tally.written += rows as u64;
        Ok(())
    }

    /// The batch's rows are refused for what they contain: kept apart, with the reason.
    pub(super) fn finish_set_aside(
        &mut self,
        number: u64,
        reason: &str,
        now: UnixMs,
    ) -> Result<(), Error> {
        let (first, last) = self.take_batch(number)?;
        self.connection.execute(
            "INSERT INTO set_aside (number, received_at, payload, reason, at)
             SELECT number, received_at, payload, ?3, ?4 FROM entry
             WHERE number BETWEEN ?1 AND ?2",
            params![first, last, reason, now.0],
        )?;
        let rows = self
            .connection
            .execute("DELETE FROM entry WHERE number BETWEEN ?1 AND ?2", [first, last])?;
        self.tally.set_aside += rows as u64;
        Ok(())
    }

    /// The batch is undone; its rows are pending as before.
    pub(super) fn finish_released(&mut self, number: u64) -> Result<(), Error> {
        self.take_batch(number).map(drop)
    }

    /// The range of a batch that ends now; an empty one where it had ended already.
    fn take_batch(&self, number: u64) -> Result<(i64, i64), Error> {
        let range = self.connection.query_row(
            "DELETE FROM batch WHERE number = ?1 RETURNING first, last",
            [number.cast_signed()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        );
        Ok(range.optional()?.unwrap_or((1, 0)))
    }

    /// Notes that a write leaves now and forgets those older than `since`.
    pub(super) fn note_sent(&self, now: UnixMs, since: UnixMs) -> Result<(), Error> {
        self.connection
            .prepare_cached("DELETE FROM sent WHERE at < ?1 OR at > ?2")?
            .execute([since.0, now.0])?;
        self.connection.prepare_cached("INSERT INTO sent (at) VALUES (?1)")?.execute([now.0])?;
        Ok(())
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
