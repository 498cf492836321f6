//! Who waits, inside a transaction: found by chat and by customer, put on the board and taken off it.
//!
//! Bounded by [`WAITS_MAX`]: a clinic of which more chats wait is told that its board is not complete.

use crate::chat::board::{Board, LINES_MAX, Line, too_long};
use crate::chat::conversation::Conversation;
use crate::chat::digest::Digest;
use crate::chat::memory::ChatMemory;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::chat::waiting::Wait;
use crate::journal::Error;
use crate::journal::counters::{BookId, Work};
use crate::journal::store::{Keys, Remembered, StoredWait};
use crate::journal::transaction::{Transaction, json};

/// Most waits that are known, those of the last day that ended included.
pub(in crate::journal) const WAITS_MAX: u64 = 50_000;
/// Most that make room for others at a time, and how many are looked at for that in one go.
const MAKE_ROOM_FOR: usize = 500;
const STEP: usize = 1_000;

/// A wait as it is stored, and what is stored.
pub(in crate::journal) type FoundWait = (StoredWait, Wait);

/// What a picture of a board is to show.
#[derive(Clone, Debug)]
pub struct Look {
    /// Of which spreadsheet.
    pub book: BookId,
    /// Lines older than this leave the board, in milliseconds; only where no assignment is ever heard
    /// of, and DoubleTick is not asked about them, so that nothing else would take them off.
    pub age_max_ms: i64,
    /// From when on a wait is too long, in milliseconds, where the reader is to be told of that.
    pub wait_max_ms: Option<i64>,
    /// What the reader must know before relying on it.
    pub remarks: Vec<String>,
}

impl Transaction<'_> {
    /// The wait of this chat, ended or not.
    pub(in crate::journal) fn waits_of_chat(
        &mut self,
        chat: Option<&Digest>,
    ) -> Result<Vec<FoundWait>, Error> {
        let stored = match chat {
            Some(chat) => self.wait_of(chat)?,
            None => None,
        };
        Ok(stored.map(|stored| self.read_wait(stored)).transpose()?.flatten().into_iter().collect())
    }

    /// All waits of this customer, ended or not.
    pub(in crate::journal) fn waits_of_customer(
        &mut self,
        customer: &[Digest],
    ) -> Result<Vec<FoundWait>, Error> {
        let stored = self.waits_of(customer)?;
        let read = stored.into_iter().map(|stored| self.read_wait(stored));
        Ok(read.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// What is stored of a wait. One that cannot be read is let go, so that it stops nobody.
    pub(in crate::journal) fn read_wait(
        &mut self,
        stored: StoredWait,
    ) -> Result<Option<FoundWait>, Error> {
        match serde_json::from_slice(&stored.record) {
            Ok(wait) => Ok(Some((stored, wait))),
            Err(_) => {
                self.shared.conditions.unreadable("a record of who waits");
                self.let_go(&[stored])?;
                Ok(None)
            }
        }
    }

    /// Nobody is known to wait there any more, though the chats were dropped: what is remembered of them says so,
    /// or each would be taken for one of whose drop no event told.
    fn let_go(&mut self, waits: &[StoredWait]) -> Result<(), Error> {
        let records = waits.iter().map(|wait| wait.chat).collect();
        self.load(&Keys { records, ..Keys::default() })?;
        for wait in waits {
            self.note_left(&wait.chat)?;
            self.drop_wait(wait);
        }
        Ok(())
    }

    fn note_left(&mut self, chat: &Digest) -> Result<(), Error> {
        let Some(Remembered { seen_at, .. }) = self.remembered(chat)? else { return Ok(()) };
        let seen_at = *seen_at;
        let (known, home) = self.recall::<ChatMemory>(&[*chat])?;
        match known.left() {
            Some(left) => self.remember(&[*chat], home, &left, seen_at),
            None => Ok(()),
        }
    }

    /// Notes that a chat waits: a new wait under `number`, or the one that is there goes on.
    pub(in crate::journal) fn begin_wait(
        &mut self,
        number: u64,
        before: Option<&FoundWait>,
        (chat, customer): (&Digest, &[Digest]),
        wait: &Wait,
        now: UnixMs,
    ) -> Result<(), Error> {
        match before {
            Some((stored, _)) if !stored.is_over => {
                return self.write_wait(stored, wait, Some(now));
            }
            Some((stored, _)) => self.drop_wait(stored),
            None => {}
        }
        if self.tally().waits >= WAITS_MAX && !self.make_room_for_waits()? {
            return self.note_left(chat);
        }
        let (_, book) = self.shared.routing.of(&wait.entry.waba_number);
        self.put_wait(StoredWait {
            number,
            book,
            chat: *chat,
            customer: customer.to_vec(),
            is_over: false,
            seen_at: now,
            record: json(wait)?,
        });
        self.tally().waits += 1;
        let work = self.counters.work_mut(book);
        work.waiting += 1;
        work.board_changes += 1;
        Ok(())
    }

    /// Whoever waits comes before how often a chat was dropped that somebody has taken since: forgets some
    /// waits that ended, if there are any.
    fn make_room_for_waits(&mut self) -> Result<bool, Error> {
        if self.counters.waiting() >= WAITS_MAX {
            return Ok(false);
        }
        let (mut ended, mut after) = (Vec::new(), 0);
        while ended.len() < MAKE_ROOM_FOR {
            let waits = self.read()?.waits(after, STEP)?;
            let Some(last) = waits.last() else { break };
            after = last.number;
            let room = MAKE_ROOM_FOR - ended.len();
            ended.extend(waits.into_iter().filter(|wait| wait.is_over).take(room));
        }
        ended.iter().for_each(|wait| self.drop_wait(wait));
        Ok(!ended.is_empty())
    }

    /// Ends a wait: it leaves the board of its book.
    pub(in crate::journal) fn end_wait(
        &mut self,
        (stored, wait): &FoundWait,
        now: UnixMs,
    ) -> Result<(), Error> {
        if !stored.is_over {
            self.write_wait(stored, &wait.ended(), Some(now))?;
            let work = self.counters.work_mut(stored.book);
            work.waiting = work.waiting.saturating_sub(1);
        }
        Ok(())
    }

    /// Gives a wait its customer's name.
    pub(in crate::journal) fn name_wait(
        &mut self,
        number: u64,
        name: &Personal,
    ) -> Result<(), Error> {
        let Some(stored) = self.wait_numbered(number)? else { return Ok(()) };
        if stored.is_over {
            return Ok(());
        }
        let Some((stored, mut wait)) = self.read_wait(stored)? else { return Ok(()) };
        if !wait.entry.customer_name.is_blank() {
            return Ok(());
        }
        wait.entry.customer_name = name.clone();
        self.write_wait(&stored, &wait, None)
    }

    /// The wait that began under this number.
    pub(in crate::journal) fn wait_numbered(
        &mut self,
        number: u64,
    ) -> Result<Option<StoredWait>, Error> {
        let found = self.read()?.waits(number.saturating_sub(1), 1)?.pop();
        Ok(found.filter(|wait| wait.number == number))
    }

    /// Stores a wait as it is now, dated where it went on or ended.
    fn write_wait(
        &mut self,
        stored: &StoredWait,
        wait: &Wait,
        seen_at: Option<UnixMs>,
    ) -> Result<(), Error> {
        self.put_wait(StoredWait {
            is_over: wait.is_over,
            seen_at: seen_at.unwrap_or(stored.seen_at),
            record: json(wait)?,
            ..stored.clone()
        });
        self.counters.work_mut(stored.book).board_changes += 1;
        Ok(())
    }

    /// Nothing is known of a wait any more, whoever it was.
    pub(in crate::journal) fn drop_wait(&mut self, stored: &StoredWait) {
        self.remove_wait(stored);
        let tally = self.tally();
        tally.waits = tally.waits.saturating_sub(1);
        if !stored.is_over {
            let work = self.counters.work_mut(stored.book);
            work.waiting = work.waiting.saturating_sub(1);
            work.board_changes += 1;
        }
    }

    /// The board as it is now. Of those who wait beyond its lines the ones that began last are left out.
    pub(in crate::journal) fn board(&mut self, look: &Look, now: UnixMs) -> Result<Board, Error> {
        let is_asked = self.tally().is_asked(now);
        if self.tally().assigned_at().is_none() {
            let before = now.plus_ms(-look.age_max_ms);
            let mut lines = self.read()?.board(look.book, LINES_MAX)?;
            lines.retain(|wait| wait.seen_at < before && !(is_asked && can_be_asked_about(wait)));
            self.let_go(&lines)?;
        }
        let stored = self.read()?.board(look.book, LINES_MAX)?;
        let mut lines = Vec::with_capacity(stored.len());
        for stored in stored {
            if let Some((_, wait)) = self.read_wait(stored)? {
                lines.push(Line { drops: wait.drops_in_a_day(now), entry: wait.entry });
            }
        }
        lines.sort_by_key(|line| line.entry.unassigned_at);
        let Work { waiting, unheard, .. } = self.counters.work(look.book);
        let long = look.wait_max_ms.and_then(|max_ms| too_long(&lines, waiting, max_ms, now));
        let mut remarks: Vec<String> = long.into_iter().chain(look.remarks.clone()).collect();
        remarks.extend(unheard_in_words(unheard).filter(|_| is_asked));
        if self.counters.waiting() >= WAITS_MAX {
            remarks.push(format!("more than {WAITS_MAX} chats: NOT COMPLETE, see the log"));
        }
        Ok(Board { at: now, waiting, lines, remarks })
    }
}

/// Whether DoubleTick's list tells when it ends.
fn can_be_asked_about(stored: &StoredWait) -> bool {
    let wait = serde_json::from_slice(&stored.record);
    wait.is_ok_and(|wait| Conversation::of_wait(&wait).is_some())
}

/// What DoubleTick says that we never heard of.
fn unheard_in_words(chats: u64) -> Option<String> {
    match chats {
        0 => None,
        1 => Some("1 more chat without an agent in DoubleTick, never heard of".to_owned()),
        _ => Some(format!("{chats} more chats without an agent in DoubleTick, never heard of")),
    }
}
