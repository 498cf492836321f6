//! Who waits, as it is stored: found by chat and by customer without an index over random keys, which
//! would cost the way in most of its speed.
//!
//! On disk an append-only table; in memory maps from half of a key's hash to the number of the wait. A
//! hit is confirmed by the whole hash in the table. Bounded by [`WAITING_MAX`]: a clinic of which more
//! chats wait is told that its board is not complete.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::chat::board::{Board, LINES_MAX, Line};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::chat::waiting::{DROPS_WINDOW_MS, Wait};
use crate::journal::Error;
use crate::journal::digest::Digest;
use crate::journal::page::Page;
use crate::journal::tally::{BookId, count};

/// Most waits that are known, those of the last day that ended included.
pub(super) const WAITING_MAX: usize = 50_000;
/// Most that leave a board for their age at a time.
const EXPIRE_A_STEP: i64 = 1_000;
/// Most that are forgotten at a time.
const FORGET_A_STEP: i64 = 500;
/// How often room for more is looked for when there is none.
const LOOK_FOR_ROOM_EVERY_MS: i64 = 60_000;
const KEY_BYTES: usize = 16;

/// The numbers of the waits, by half of the hashes of their names.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_chat: HashMap<u64, u64>,
    by_customer: HashMap<u64, Vec<u64>>,
    looked_for_room_at: Option<UnixMs>,
}

/// A wait with what it is stored under.
struct Stored {
    number: u64,
    book: BookId,
    chat: Digest,
    customer: Vec<u8>,
    wait: Wait,
}

/// What a picture of a board is to show.
#[derive(Clone, Debug)]
pub struct Look {
    /// Of which spreadsheet.
    pub book: BookId,
    /// Lines older than this leave the board, in milliseconds; only where no assignment is ever heard
    /// of, so that nothing else would take them off.
    pub age_max_ms: i64,
    /// What the reader must know before relying on it.
    pub remarks: Vec<String>,
}

impl Waiting {
    /// Reads the table anew.
    pub(super) fn load(connection: &Connection) -> Result<Self, Error> {
        let mut waiting = Self::default();
        let mut statement = connection
            .prepare_cached("SELECT number, chat, customer FROM waiting ORDER BY number")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let customer = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            waiting.insert(count(row, 0)?, &Digest::from_bytes(row.get(1)?), customer);
        }
        Ok(waiting)
    }

    fn insert(&mut self, number: u64, chat: &Digest, customer: &[u8]) {
        self.by_chat.insert(chat.half(), number);
        for half in halves(customer) {
            self.by_customer.entry(half).or_default().push(number);
        }
    }

    fn remove(&mut self, number: u64, chat: &Digest, customer: &[u8]) {
        if self.by_chat.get(&chat.half()) == Some(&number) {
            self.by_chat.remove(&chat.half());
        }
        for half in halves(customer) {
            if let Some(numbers) = self.by_customer.get_mut(&half) {
                numbers.retain(|known| *known != number);
                if numbers.is_empty() {
                    self.by_customer.remove(&half);
                }
            }
        }
    }
}

fn halves(customer: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let keys = customer.chunks_exact(KEY_BYTES);
    keys.filter_map(|key| Some(Digest::from_bytes(key.try_into().ok()?).half()))
}

impl Page<'_> {
    /// The wait of this chat, ended or not.
    pub(super) fn wait_of(&self, chat: &[Digest]) -> Result<Vec<(u64, Wait)>, Error> {
        let Some(chat) = chat.first() else { return Ok(Vec::new()) };
        let Some(number) = self.waiting.by_chat.get(&chat.half()) else { return Ok(Vec::new()) };
        let stored = self.stored(*number)?.filter(|stored| stored.chat == *chat);
        Ok(stored.map(|stored| (stored.number, stored.wait)).into_iter().collect())
    }

    /// All waits of this customer, ended or not.
    pub(super) fn waits_of(&self, customer: &[Digest]) -> Result<Vec<(u64, Wait)>, Error> {
        let known = customer.iter().filter_map(|key| self.waiting.by_customer.get(&key.half()));
        let mut numbers: Vec<u64> = known.flatten().copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut waits = Vec::new();
        for number in numbers {
            let Some(stored) = self.stored(number)? else { continue };
            let is_theirs = |key: &Digest| {
                stored.customer.chunks_exact(KEY_BYTES).any(|own| own == key.as_bytes())
            };
            if customer.iter().any(is_theirs) {
                waits.push((stored.number, stored.wait));
            }
        }
        Ok(waits)
    }

    /// Notes that a chat waits: a new wait under `number`, or the one that is there goes on.
    pub(super) fn put_wait(
        &mut self,
        number: u64,
        before: Option<&(u64, Wait)>,
        (chat, customer): (&Digest, &[Digest]),
        wait: &Wait,
        now: UnixMs,
    ) -> Result<(), Error> {
        if let Some((number, _)) = before.filter(|(_, before)| !before.is_over) {
            return self.change_wait(*number, wait, now);
        }
        if let Some((number, _)) = before {
            self.drop_wait(*number)?;
        }
        if self.waiting.by_chat.len() >= WAITING_MAX && !self.make_room_for_waits(now)? {
            return Ok(());
        }
        let (_, book) = self.register.of(&wait.entry.waba_number);
        let customer: Vec<u8> = customer.iter().flat_map(|key| key.as_bytes().to_vec()).collect();
        self.connection
            .prepare_cached(
                "INSERT INTO waiting (number, book, chat, customer, is_over, seen_at, record)
                 VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)",
            )?
            .execute(params![
                number.cast_signed(),
                book.0,
                chat.as_bytes(),
                customer,
                now.0,
                serde_json::to_vec(wait)?
            ])?;
        self.waiting.insert(number, chat, &customer);
        let work = self.counters.work_mut(book);
        work.waiting += 1;
        work.board_changes += 1;
        Ok(())
    }

    /// Forgets some waits that ended long ago, if there are any: looked for now and then only, since it
    /// takes looking at all of them.
    fn make_room_for_waits(&mut self, now: UnixMs) -> Result<bool, Error> {
        let is_soon = |looked: UnixMs| now.since_ms(looked).abs() < LOOK_FOR_ROOM_EVERY_MS;
        if self.waiting.looked_for_room_at.is_some_and(is_soon) {
            return Ok(false);
        }
        self.waiting.looked_for_room_at = Some(now);
        let forgotten = self.forget_waits(now.plus_ms(-DROPS_WINDOW_MS), UnixMs(0))?;
        Ok(forgotten > 0)
    }

    /// Ends a wait; gives the book whose board it leaves.
    pub(super) fn end_wait(&mut self, number: u64, now: UnixMs) -> Result<BookId, Error> {
        let Some(stored) = self.stored(number)? else { return Ok(BookId(0)) };
        if !stored.wait.is_over {
            self.change_wait(number, &stored.wait.ended(), now)?;
            let work = self.counters.work_mut(stored.book);
            work.waiting = work.waiting.saturating_sub(1);
        }
        Ok(stored.book)
    }

    /// Gives a wait its customer's name.
    pub(super) fn name_wait(&mut self, number: u64, name: &Personal) -> Result<(), Error> {
        let Some(mut stored) = self.stored(number)? else { return Ok(()) };
        if stored.wait.is_over {
            return Ok(());
        }
        stored.wait.entry.customer_name = stored.wait.entry.customer_name.or(name);
        self.write_wait(number, stored.book, &stored.wait)
    }

    fn change_wait(&mut self, number: u64, wait: &Wait, now: UnixMs) -> Result<(), Error> {
        let Some(stored) = self.stored(number)? else { return Ok(()) };
        self.connection
            .prepare_cached("UPDATE waiting SET seen_at = ?2 WHERE number = ?1")?
            .execute([number.cast_signed(), now.0])?;
        self.write_wait(number, stored.book, wait)
    }

    fn write_wait(&mut self, number: u64, book: BookId, wait: &Wait) -> Result<(), Error> {
        self.connection
            .prepare_cached("UPDATE waiting SET is_over = ?2, record = ?3 WHERE number = ?1")?
            .execute(params![number.cast_signed(), wait.is_over, serde_json::to_vec(wait)?])?;
        self.counters.work_mut(book).board_changes += 1;
        Ok(())
    }

    /// Deletes a wait, whoever it was.
    pub(super) fn drop_wait(&mut self, number: u64) -> Result<(), Error> {
        let Some(stored) = self.stored(number)? else { return Ok(()) };
        self.connection
            .prepare_cached("DELETE FROM waiting WHERE number = ?1")?
            .execute([number.cast_signed()])?;
        self.waiting.remove(number, &stored.chat, &stored.customer);
        if !stored.wait.is_over {
            let work = self.counters.work_mut(stored.book);
            work.waiting = work.waiting.saturating_sub(1);
            work.board_changes += 1;
        }
        Ok(())
    }

    /// Deletes some of the waits that ended before `ended` and of those that nothing was heard of since
    /// `quiet`; how many.
    pub(super) fn forget_waits(&mut self, ended: UnixMs, quiet: UnixMs) -> Result<usize, Error> {
        let sql = "SELECT number FROM waiting WHERE is_over = 1 AND seen_at < ?1 OR seen_at < ?2
                   LIMIT ?3";
        self.drop_waits(sql, &[ended.0, quiet.0, FORGET_A_STEP])
    }

    fn drop_waits(&mut self, sql: &str, params: &[i64]) -> Result<usize, Error> {
        let numbers: Vec<u64> = {
            let mut statement = self.connection.prepare_cached(sql)?;
            let numbers =
                statement.query_map(rusqlite::params_from_iter(params), |row| count(row, 0))?;
            numbers.collect::<Result<_, _>>()?
        };
        numbers.iter().try_for_each(|number| self.drop_wait(*number))?;
        Ok(numbers.len())
    }

    /// The board as it is now. Of those who wait beyond its lines the ones that began last are left out.
    pub(super) fn board(&mut self, look: &Look, now: UnixMs) -> Result<Board, Error> {
        if self.counters.tally.assigned_at().is_none() {
            let sql = "SELECT number FROM waiting
                       WHERE book = ?1 AND is_over = 0 AND seen_at < ?2 ORDER BY number LIMIT ?3";
            let before = now.plus_ms(-look.age_max_ms);
            self.drop_waits(sql, &[look.book.0, before.0, EXPIRE_A_STEP])?;
        }
        let sql = "SELECT record FROM waiting WHERE book = ?1 AND is_over = 0
                   ORDER BY number LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let lines_max = i64::try_from(LINES_MAX).unwrap_or(i64::MAX);
        let mut rows = statement.query([look.book.0, lines_max])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            let record = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let wait: Wait = serde_json::from_slice(record)?;
            let drops = wait.drops_in_a_day(now);
            lines.push(Line { entry: wait.entry, drops });
        }
        lines.sort_by_key(|line| line.entry.unassigned_at);
        let mut remarks = look.remarks.clone();
        if self.waiting.by_chat.len() >= WAITING_MAX {
            remarks.push(format!("more than {WAITING_MAX} chats: NOT COMPLETE, see the log"));
        }
        let waiting = self.counters.work(look.book).waiting;
        Ok(Board { at: now, waiting, lines, remarks })
    }

    fn stored(&self, number: u64) -> Result<Option<Stored>, Error> {
        let sql = "SELECT book, chat, customer, record FROM waiting WHERE number = ?1";
        let found = self
            .connection
            .prepare_cached(sql)?
            .query_row([number.cast_signed()], |row| {
                let (book, chat) = (BookId(row.get(0)?), Digest::from_bytes(row.get(1)?));
                Ok((book, chat, row.get(2)?, row.get::<_, Vec<u8>>(3)?))
            })
            .optional()?;
        let Some((book, chat, customer, record)) = found else { return Ok(None) };
        Ok(Some(Stored { number, book, chat, customer, wait: serde_json::from_slice(&record)? }))
    }
}
