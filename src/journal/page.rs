//! The writer's transactions, in domain words: what changes on the way in.
//!
//! The way out is in `outbox`, what is remembered in `memory`, who waits in `waiting`, what concerns the
//! rows set aside in `set_aside`.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::chat::digest::Digest;
use crate::chat::entry::Entry;
use crate::chat::memory::Told;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::condition::Conditions;
use crate::journal::guard::Guard;
use crate::journal::memory::Aliases;
use crate::journal::memtable::Memtable;
use crate::journal::names::{Names, Unnamed};
use crate::journal::register::{QueueId, Register};
use crate::journal::statements::Statements;
use crate::journal::tally::{BookId, Counters, Tally};
use crate::journal::waiting::Waiting;
use crate::journal::{Error, database};

/// Unrecognised bodies kept at most; the oldest go first.
pub(super) const UNRECOGNISED_MAX: i64 = 1_000;

/// What is left of a row set aside when its patient is forgotten.
pub(super) const BLANK: &[u8] = br#"{"t":0}"#;

/// What the writer has in memory instead of indexes over random keys, which would cost it most of its
/// speed.
#[derive(Default)]
pub(super) struct Indexes {
    pub(super) guard: Guard,
    pub(super) waiting: Waiting,
    pub(super) aliases: Aliases,
    pub(super) memtable: Memtable,
}

impl Indexes {
    /// Reads what another process may have changed, or what a failed transaction left here that is not on
    /// the disk.
    pub(super) fn catch_up(&mut self, connection: &Connection) -> Result<(), Error> {
        self.guard.catch_up(connection)?;
        self.waiting = Waiting::load(connection)?;
        self.aliases = Aliases::default();
        self.memtable = Memtable::load(connection)?;
        Ok(())
    }
}

/// What is written on, one transaction after the other, and the counters as they will be after this one.
pub(super) struct Page<'c> {
    pub(super) conditions: Arc<Conditions>,
    pub(super) connection: &'c Connection,
    pub(super) statements: Statements<'c>,
    pub(super) counters: Counters,
    pub(super) register: Arc<Register>,
    pub(super) names: Arc<Names>,
    /// The rows whose names are to be asked for after the commit.
    pub(super) unnamed: Vec<Unnamed>,
    pub(super) indexes: Indexes,
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

impl<'c> Page<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        register: Arc<Register>,
        names: Arc<Names>,
        conditions: Arc<Conditions>,
    ) -> Self {
        Self {
            conditions,
            connection,
            statements: Statements::new(connection),
            counters: Counters::default(),
            register,
            names,
            unnamed: Vec::new(),
            indexes: Indexes::default(),
            has_room: false,
            is_to_be_purged: false,
            is_recounted: false,
        }
    }

    /// A new transaction, with the counters as they are before it.
    pub(super) fn turn(&mut self, counters: Counters, has_room: bool) {
        self.counters = counters;
        self.has_room = has_room;
        (self.is_to_be_purged, self.is_recounted) = (false, false);
    }

    /// The counters of the whole journal.
    pub(super) fn tally(&mut self) -> &mut Tally {
        &mut self.counters.tally
    }

    /// The last event of this chat, if it was heard of within the window.
    pub(super) fn last_of(&mut self, chat: &Digest) -> Result<Option<Told>, Error> {
        self.indexes.guard.last(&mut self.statements.last_of, chat)
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
        self.indexes.guard.note(&mut self.statements.note_last, number, (chat, body), now)?;
        self.indexes.guard.forget(self.connection, now.plus_ms(-window_ms))
    }

    /// Adds a row of the log to the queue of its clinic's number.
    pub(super) fn add_entry(&mut self, entry: &Entry, now: UnixMs) -> Result<BookId, Error> {
        let (queue, book) = self.register.of(&entry.waba_number);
        self.counters.tally.accepted += 1;
        self.enqueue(queue, book, entry, now).map(|()| book)
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
        let number = entry.event_id.number.cast_signed();
        self.statements.enqueue.get()?.execute(params![queue, number, now.0, json(entry)?])?;
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
            let Ok(mut entry) = serde_json::from_slice::<Entry>(&payload) else { continue };
            entry.customer_name = entry.customer_name.or(name);
            self.connection
                .prepare_cached("UPDATE entry SET payload = ?3 WHERE queue = ?1 AND number = ?2")?
                .execute(params![queue, number.cast_signed(), json(&entry)?])?;
        }
        Ok(())
    }

    /// An id under this name, drawn now.
    pub(super) fn give_tab_id(&self, name: &str) -> Result<i64, Error> {
        let id = database::random_tab_id();
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
            if matches(row.get_ref(1)?.as_bytes().map_err(rusqlite::Error::from)?) {
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
}

/// A record as it is stored. Nearly all are shorter than what is set aside for one here.
pub(super) fn json<T: Serialize>(record: &T) -> Result<Vec<u8>, Error> {
    let mut json = Vec::with_capacity(384);
    serde_json::to_writer(&mut json, record)?;
    Ok(json)
}
