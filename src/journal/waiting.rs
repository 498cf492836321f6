//! Who waits, as it is stored: found by chat and by customer without an index over random keys, which
//! would cost the way in most of its speed.
//!
//! On disk an append-only table; in memory maps from half of a key's hash to the number of the wait. A
//! hit is confirmed by the whole hash in the table. Bounded by [`WAITING_MAX`]: a clinic of which more
//! chats wait is told that its board is not complete.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use crate::chat::board::{Board, LINES_MAX, Line};
use crate::chat::digest::Digest;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::chat::waiting::Wait;
use crate::journal::Error;
use crate::journal::digest::ByHalf;
use crate::journal::page::{Page, json};
use crate::journal::tally::{BookId, count};

/// Most waits that are known, those of the last day that ended included.
pub(super) const WAITING_MAX: usize = 50_000;
/// Most that leave a board for their age at a time.
const EXPIRE_A_STEP: i64 = 1_000;
/// Most that are forgotten at a time.
const FORGET_A_STEP: i64 = 500;
/// How often room for more is looked for when there is none.
const LOOK_FOR_ROOM_EVERY_MS: i64 = 60_000;

/// The numbers of the waits, by half of the hashes of their names.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_chat: ByHalf<u64>,
    by_customer: BTreeSet<(u64, u64)>,
    looked_for_room_at: Option<UnixMs>,
}

/// Where a wait is stored: its number, its spreadsheet, and by whose names it is found.
#[derive(Clone)]
pub(super) struct Place {
    number: u64,
    pub(super) book: BookId,
    chat: Digest,
    customer: Vec<u8>,
}

impl Place {
    pub(super) fn number(&self) -> i64 {
        self.number.cast_signed()
    }
}

/// The waits that were found, by number, and where each is stored.
type Found = (Vec<Place>, Vec<(u64, Wait)>);

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
            let customer = row.get_ref(2)?.as_bytes().map_err(rusqlite::Error::from)?;
            waiting.insert(count(row, 0)?, &Digest::from_bytes(row.get(1)?), customer);
        }
        Ok(waiting)
    }

    fn insert(&mut self, number: u64, chat: &Digest, customer: &[u8]) {
        self.by_chat.insert(chat.half(), number);
        self.by_customer.extend(halves(customer).map(|half| (half, number)));
    }

    fn remove(&mut self, place: &Place) {
        let Place { number, chat, customer, .. } = place;
        if self.by_chat.get(&chat.half()) == Some(number) {
            self.by_chat.remove(&chat.half());
        }
        for half in halves(customer) {
            self.by_customer.remove(&(half, *number));
        }
    }
}

fn halves(customer: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let keys = customer.chunks_exact(Digest::BYTES);
    keys.filter_map(|key| Some(Digest::from_bytes(key.try_into().ok()?).half()))
}

impl Page<'_> {
    /// The wait of this chat, ended or not.
    pub(super) fn waits_of_chat(&mut self, chat: &[Digest]) -> Result<Found, Error> {
        let by_chat = |chat: &Digest| self.indexes.waiting.by_chat.get(&chat.half());
        let numbers = chat.first().and_then(by_chat);
        self.stored_all(numbers.copied(), |place| chat.contains(&place.chat))
    }

    /// All waits of this customer, ended or not.
    pub(super) fn waits_of_customer(&mut self, customer: &[Digest]) -> Result<Found, Error> {
        let by_customer = &self.indexes.waiting.by_customer;
        let of = |key: &Digest| by_customer.range((key.half(), 0)..=(key.half(), u64::MAX));
        let numbers: BTreeSet<u64> =
            customer.iter().flat_map(of).map(|(_, number)| *number).collect();
        self.stored_all(numbers, |place| {
            let mut own = place.customer.chunks_exact(Digest::BYTES);
            own.any(|own| customer.iter().any(|key| own == key.as_bytes()))
        })
    }

    /// The waits of these numbers, as far as they are who was meant.
    fn stored_all(
        &mut self,
        numbers: impl IntoIterator<Item = u64>,
        is_meant: impl Fn(&Place) -> bool,
    ) -> Result<Found, Error> {
        let mut found = Found::default();
        for number in numbers {
            if let Some((place, wait)) = self.stored(number)?.filter(|(place, _)| is_meant(place)) {
                found.0.push(place);
                found.1.push((number, wait));
            }
        }
        Ok(found)
    }

    /// Notes that a chat waits: a new wait under `number`, or the one that is there goes on.
    pub(super) fn put_wait(
        &mut self,
        number: u64,
        before: Option<(&Place, &Wait)>,
        (chat, customer): (&Digest, &[Digest]),
        wait: &Wait,
        now: UnixMs,
    ) -> Result<(), Error> {
        match before {
            Some((place, before)) if !before.is_over => {
                return self.write_wait(place, wait, Some(now));
            }
            Some((place, before)) => self.delete_wait(place, before.is_over)?,
            None => {}
        }
        if self.indexes.waiting.by_chat.len() >= WAITING_MAX && !self.make_room_for_waits(now)? {
            return Ok(());
        }
        let (_, book) = self.register.of(&wait.entry.waba_number);
        let customer: Vec<u8> = customer.iter().flat_map(|key| key.as_bytes().to_vec()).collect();
        let (stored, record) = (number.cast_signed(), json(wait)?);
        let values = params![stored, book.0, chat.as_bytes(), customer, now.0, record];
        self.statements.put_wait.get()?.execute(values)?;
        self.indexes.waiting.insert(number, chat, &customer);
        let work = self.counters.work_mut(book);
        work.waiting += 1;
        work.board_changes += 1;
        Ok(())
    }

    /// Forgets some waits that ended, if there are any: looked for now and then only, since it takes
    /// looking at all of them.
    fn make_room_for_waits(&mut self, now: UnixMs) -> Result<bool, Error> {
        let is_soon = |looked: UnixMs| now.since_ms(looked).abs() < LOOK_FOR_ROOM_EVERY_MS;
        if self.indexes.waiting.looked_for_room_at.is_some_and(is_soon) {
            return Ok(false);
        }
        // Whoever waits comes before how often a chat was dropped that somebody has taken since.
        let sql = "SELECT number FROM waiting WHERE is_over = 1 ORDER BY number LIMIT ?1";
        let forgotten = self.drop_waits(sql, &[FORGET_A_STEP])?;
        if forgotten == 0 {
            self.indexes.waiting.looked_for_room_at = Some(now);
        }
        Ok(forgotten > 0)
    }

    /// Ends a wait: it leaves the board of its book.
    pub(super) fn end_wait(
        &mut self,
        place: &Place,
        wait: &Wait,
        now: UnixMs,
    ) -> Result<(), Error> {
        if !wait.is_over {
            self.write_wait(place, &wait.ended(), Some(now))?;
            let work = self.counters.work_mut(place.book);
            work.waiting = work.waiting.saturating_sub(1);
        }
        Ok(())
    }

    /// Gives a wait its customer's name.
    pub(super) fn name_wait(&mut self, number: u64, name: &Personal) -> Result<(), Error> {
        let Some((place, mut wait)) = self.stored(number)? else { return Ok(()) };
        if wait.is_over {
            return Ok(());
        }
        wait.entry.customer_name = wait.entry.customer_name.or(name);
        self.write_wait(&place, &wait, None)
    }

    /// Stores a wait as it is now, dated where it went on or ended.
    fn write_wait(
        &mut self,
        place: &Place,
        wait: &Wait,
        seen_at: Option<UnixMs>,
    ) -> Result<(), Error> {
        let (number, seen_at) = (place.number.cast_signed(), seen_at.map(|at| at.0));
        let values = params![number, wait.is_over, json(wait)?, seen_at];
        self.statements.write_wait.get()?.execute(values)?;
        self.counters.work_mut(place.book).board_changes += 1;
        Ok(())
    }

    /// Deletes a wait, whoever it was.
    pub(super) fn drop_wait(&mut self, number: u64) -> Result<(), Error> {
        match self.stored(number)? {
            Some((place, wait)) => self.delete_wait(&place, wait.is_over),
            None => Ok(()),
        }
    }

    fn delete_wait(&mut self, place: &Place, is_over: bool) -> Result<(), Error> {
        self.statements.delete_wait.get()?.execute([place.number.cast_signed()])?;
        self.indexes.waiting.remove(place);
        if !is_over {
            let work = self.counters.work_mut(place.book);
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
        let sql = "SELECT record, number FROM waiting WHERE book = ?1 AND is_over = 0
                   ORDER BY number LIMIT ?2";
        let mut unreadable = Vec::new();
        let mut statement = self.connection.prepare_cached(sql)?;
        let lines_max = i64::try_from(LINES_MAX).unwrap_or(i64::MAX);
        let mut rows = statement.query([look.book.0, lines_max])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            let record = row.get_ref(0)?.as_bytes().map_err(rusqlite::Error::from)?;
            let Ok(wait) = serde_json::from_slice::<Wait>(record) else {
                unreadable.push(count(row, 1)?);
                continue;
            };
            let drops = wait.drops_in_a_day(now);
            lines.push(Line { entry: wait.entry, drops });
        }
        drop(rows);
        drop(statement);
        for number in unreadable {
            self.drop_wait(number)?;
        }
        lines.sort_by_key(|line| line.entry.unassigned_at);
        let mut remarks = look.remarks.clone();
        if self.indexes.waiting.by_chat.len() >= WAITING_MAX {
            remarks.push(format!("more than {WAITING_MAX} chats: NOT COMPLETE, see the log"));
        }
        let waiting = self.counters.work(look.book).waiting;
        Ok(Board { at: now, waiting, lines, remarks })
    }

    fn stored(&mut self, number: u64) -> Result<Option<(Place, Wait)>, Error> {
        let found = self.statements.wait.get()?.query_row([number.cast_signed()], |row| {
            let (book, chat) = (BookId(row.get(0)?), Digest::from_bytes(row.get(1)?));
            let place = Place { number, book, chat, customer: row.get(2)? };
            let wait = serde_json::from_slice::<Wait>(row.get_ref(3)?.as_bytes()?);
            Ok((place, wait.ok(), row.get(4)?))
        });
        match found.optional()? {
            Some((place, Some(wait), _)) => Ok(Some((place, wait))),
            Some((place, None, is_over)) => {
                self.conditions.unreadable("a record of who waits");
                self.delete_wait(&place, is_over)?;
                Ok(None)
            }
            None => Ok(None),
        }
    }
}
