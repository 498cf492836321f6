//! The last event of each chat, for as long as the resend window lasts.
//!
//! On disk an append-only table, so that a resend is recognised after a restart; a unique index over
//! random keys would cost most of the throughput. In memory a map from half of the chat's hash to the
//! event's number, 17 bytes an entry; a hit is confirmed by the whole hash in the table.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::chat::digest::Digest;
use crate::chat::memory::Told;
use crate::chat::time::UnixMs;
use crate::journal::digest::AsItIs;
use crate::journal::store::Fault;
use crate::journal::store::sqlite::read::{digest, unsigned};

/// Most events looked back on, whatever the window: the map stays below 18 MB.
const RECENT_MAX: u64 = 900_000;
/// Most that are forgotten at a time.
const FORGET_A_STEP: u64 = 2_048;
/// How long after the window an event may stay, so that many are forgotten at a time and not each by
/// itself.
const FORGET_AFTER_MS: i64 = 5_000;

/// Something by half of a keyed hash.
pub(super) type ByHalf<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// Number of the last event of each chat heard of lately.
#[derive(Default)]
pub(super) struct Recent {
    last: ByHalf<u64>,
    /// What the transaction under way put in, and what was there before.
    added: Vec<(u64, Option<u64>)>,
    /// The newest event in the table, that of the last commit, and the oldest with the time of its
    /// receipt.
    newest: u64,
    newest_committed: u64,
    oldest: Option<(u64, UnixMs)>,
}

impl Recent {
    /// Reads what the table holds beyond what is known: all of it at the start, and what another
    /// process added afterwards.
    pub(super) fn catch_up(&mut self, connection: &Connection) -> Result<(), Fault> {
        let sql = "SELECT number, chat, at FROM recent WHERE number > ?1 ORDER BY number";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([self.newest.cast_signed()])?;
        while let Some(row) = rows.next()? {
            let number = unsigned(row, 0)?;
            self.last.insert(digest(row, 1)?.half(), number);
            self.newest = number;
            self.oldest.get_or_insert((number, UnixMs(row.get(2)?)));
        }
        self.newest_committed = self.newest;
        Ok(())
    }

    /// Adds the last event of each of these chats that was heard of lately.
    pub(super) fn load(
        &self,
        connection: &Connection,
        chats: &[Digest],
        found: &mut Vec<(Digest, Told)>,
    ) -> Result<(), Fault> {
        let sql = "SELECT body, at FROM recent WHERE number = ?1 AND chat = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        for chat in chats {
            let Some(number) = self.last.get(&chat.half()) else { continue };
            let told = |row: &Row<'_>| {
                Ok(Told { digest: digest(row, 0)?, number: *number, at: UnixMs(row.get(1)?) })
            };
            let key = params![number.cast_signed(), chat.as_bytes()];
            found.extend(statement.query_row(key, told).optional()?.map(|told| (*chat, told)));
        }
        Ok(())
    }

    /// Notes each event as its chat's last.
    pub(super) fn note(
        &mut self,
        connection: &Connection,
        events: &[(Digest, Told)],
    ) -> Result<(), Fault> {
        if events.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO recent (number, chat, body, at) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = connection.prepare_cached(sql)?;
        for (chat, told) in events {
            let number = told.number.cast_signed();
            insert.execute(params![number, chat.as_bytes(), told.digest.as_bytes(), told.at.0])?;
            self.added.push((chat.half(), self.last.insert(chat.half(), told.number)));
            self.newest = told.number;
            self.oldest.get_or_insert((told.number, told.at));
        }
        Ok(())
    }

    /// Forgets some of what is out of the window or too much, once there is enough of it.
    pub(super) fn forget(&mut self, connection: &Connection, before: UnixMs) -> Result<(), Fault> {
        let Some((oldest, oldest_at)) = self.oldest else { return Ok(()) };
        let is_crowded = self.newest.saturating_sub(oldest) >= RECENT_MAX + FORGET_A_STEP;
        if !is_crowded && before.since_ms(oldest_at) < FORGET_AFTER_MS {
            return Ok(());
        }
        let up_to = if is_crowded { self.newest - RECENT_MAX } else { 0 };
        let last = oldest + FORGET_A_STEP;
        let sql = "DELETE FROM recent WHERE number < ?1 AND (at < ?2 OR number <= ?3)
                   RETURNING number, chat";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows =
            statement.query(params![last.cast_signed(), before.0, up_to.cast_signed()])?;
        while let Some(row) = rows.next()? {
            let (number, key) = (unsigned(row, 0)?, digest(row, 1)?.half());
            if self.last.get(&key) == Some(&number) {
                self.last.remove(&key);
            }
        }
        let oldest = "SELECT number, at FROM recent ORDER BY number LIMIT 1";
        let oldest = connection
            .prepare_cached(oldest)?
            .query_row((), |row| Ok((unsigned(row, 0)?, UnixMs(row.get(1)?))));
        self.oldest = oldest.optional()?;
        Ok(())
    }

    /// The transaction is on disk.
    pub(super) fn committed(&mut self) {
        self.added.clear();
        self.newest_committed = self.newest;
    }

    /// The transaction is not on disk: what it added is taken back. What it forgot stays forgotten
    /// here, which only ends the window of those events early.
    pub(super) fn failed(&mut self) {
        self.newest = self.newest_committed;
        for (key, before) in self.added.drain(..).rev() {
            match before {
                Some(number) => self.last.insert(key, number),
                None => self.last.remove(&key),
            };
        }
    }
}
