//! The way out, inside a transaction: batches are sealed, and their rows leave for good, are set aside
//! or wait again.

use rusqlite::{OptionalExtension, Row, params};

use crate::chat::time::UnixMs;
use crate::journal::Error;
use crate::journal::batch::Extent;
use crate::journal::page::Page;
use crate::journal::register::QueueId;
use crate::journal::tally::{BookId, Counters, count};

/// The numbers of a batch's members in one queue, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) queue: QueueId,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Range {
    /// No member.
    pub(super) const NONE: Self = Self { queue: 0, first: 1, last: 0 };
}

/// What is stored of a sealed batch.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) number: u64,
    pub(super) book: BookId,
    pub(super) log: Range,
    pub(super) handovers: Range,
    pub(super) marker_id: i32,
    pub(super) digest: String,
    pub(super) plan: String,
    /// The board, in JSON.
    pub(super) picture: Option<String>,
    pub(super) sealed_at: UnixMs,
}

/// Why a row was set aside that cannot be read.
const UNREADABLE: &str = "this version cannot read its record; a later one may";

/// A batch that has just ended: where its rows are.
struct Ended {
    book: BookId,
    log: Range,
    handovers: Range,
}

impl Page<'_> {
    /// What the number of a batch is added to for the id of its marker.
    pub(super) fn marker_base(&self) -> Result<i64, Error> {
        let sql = "SELECT value FROM meta WHERE name = 'marker_base'";
        let mut statement = self.connection.prepare_cached(sql)?;
        let base = statement.query_row((), |row| row.get(0)).optional()?;
        Ok(base.unwrap_or_default())
    }

    /// Seals a batch, unless other rows than its members stand between its firsts and its lasts by now,
    /// or one of them was given its name: the extents are those of the draft.
    pub(super) fn add_batch(
        &mut self,
        batch: &Sealed,
        log: Extent,
        handovers: Extent,
    ) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM batch WHERE book = ?1)";
        if self.connection.prepare_cached(sql)?.query_row([batch.book.0], |row| row.get(0))? {
            return Err(Error::BatchOpen);
        }
        if self.extent(batch.log)? != log || self.extent(batch.handovers)? != handovers {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "INSERT INTO batch (number, book, queue, first, last, handover_queue,
                    handover_first, handover_last, marker_id, digest, plan, board, sealed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                batch.number.cast_signed(),
                batch.book.0,
                batch.log.queue,
                batch.log.first.cast_signed(),
                batch.log.last.cast_signed(),
                batch.handovers.queue,
                batch.handovers.first.cast_signed(),
                batch.handovers.last.cast_signed(),
                batch.marker_id,
                batch.digest,
                batch.plan,
                batch.picture,
                batch.sealed_at.0
            ])?;
        self.counters.tally.next_batch = batch.number + 1;
        Ok(true)
    }

    fn extent(&self, range: Range) -> Result<Extent, Error> {
        let sql = "SELECT count(*), coalesce(sum(length(payload)), 0) FROM entry
                   WHERE queue = ?1 AND number BETWEEN ?2 AND ?3";
        let ends = [range.queue, range.first.cast_signed(), range.last.cast_signed()];
        let extent = |row: &Row<'_>| Ok(Extent { rows: count(row, 0)?, bytes: count(row, 1)? });
        Ok(self.connection.prepare_cached(sql)?.query_row(ends, extent)?)
    }

    /// The batch's rows are in the sheet: nothing of them stays here.
    pub(super) fn finish_written(&mut self, number: u64) -> Result<(), Error> {
        let Some(ended) = self.take_batch(number)? else { return Ok(()) };
        let (log, handovers) = self.delete_members(&ended)?;
        self.counters.tally.written += log;
        self.counters.tally.handovers_written += handovers;
        self.collect_strays(&ended)
    }

    /// The batch's rows are refused for what they contain: kept apart, with the reason.
    pub(super) fn finish_set_aside(
        &mut self,
        number: u64,
        reason: &str,
        now: UnixMs,
    ) -> Result<(), Error> {
        let Some(ended) = self.take_batch(number)? else { return Ok(()) };
        for range in [ended.log, ended.handovers] {
            self.connection.execute(
                "INSERT INTO set_aside (number, received_at, payload, reason, at)
                 SELECT number, received_at, payload, ?4, ?5 FROM entry
                 WHERE queue = ?1 AND number BETWEEN ?2 AND ?3",
                params![
                    range.queue,
                    range.first.cast_signed(),
                    range.last.cast_signed(),
                    reason,
                    now.0
                ],
            )?;
        }
        let (log, handovers) = self.delete_members(&ended)?;
        self.counters.tally.set_aside += log;
        self.counters.tally.handovers_set_aside += handovers;
        self.collect_strays(&ended)
    }

    /// A row that this version cannot read: kept apart as it is, so that the others go on.
    pub(super) fn set_aside_unreadable(
        &mut self,
        book: BookId,
        queue: QueueId,
        number: u64,
        now: UnixMs,
    ) -> Result<(), Error> {
        let moved = self.connection.execute(
            "INSERT INTO set_aside (number, received_at, payload, reason, at)
             SELECT number, received_at, payload, ?3, ?4 FROM entry
             WHERE queue = ?1 AND number = ?2",
            params![queue, number.cast_signed(), UNREADABLE, now.0],
        )?;
        if moved == 0 {
            return Ok(());
        }
        self.connection.execute(
            "DELETE FROM entry WHERE queue = ?1 AND number = ?2",
            params![queue, number.cast_signed()],
        )?;
        match queue == self.register.handovers_of(book) {
            true => self.counters.tally.handovers_set_aside += 1,
            false => self.counters.tally.set_aside += 1,
        }
        let work = self.counters.work_mut(book);
        work.pending = work.pending.saturating_sub(1);
        self.conditions.unreadable("a row");
        Ok(())
    }

    /// The batch is undone; its rows are pending as before.
    pub(super) fn finish_released(&mut self, number: u64) -> Result<(), Error> {
        let Some(ended) = self.take_batch(number)? else { return Ok(()) };
        self.collect_strays(&ended)
    }

    /// A batch has ended: what waited for that to be routed anew is.
    fn collect_strays(&mut self, ended: &Ended) -> Result<(), Error> {
        let queues = [ended.log.queue, ended.handovers.queue];
        if self.register.collect_strays(self.connection, queues)? {
            let tally = self.counters.tally;
            self.is_recounted = true;
            self.counters = Counters { tally, ..self.counters.reloaded(self.connection)? };
        }
        Ok(())
    }

    /// Deletes a batch's members; how many there were in the log and among the handovers.
    fn delete_members(&mut self, ended: &Ended) -> Result<(u64, u64), Error> {
        let mut delete = self
            .connection
            .prepare_cached("DELETE FROM entry WHERE queue = ?1 AND number BETWEEN ?2 AND ?3")?;
        let mut rows = |range: Range| {
            delete.execute([range.queue, range.first.cast_signed(), range.last.cast_signed()])
        };
        let (log, handovers) = (rows(ended.log)? as u64, rows(ended.handovers)? as u64);
        let work = self.counters.work_mut(ended.book);
        work.pending = work.pending.saturating_sub(log + handovers);
        Ok((log, handovers))
    }

    /// The members of a batch that ends now; `None` where it had ended already.
    fn take_batch(&self, number: u64) -> Result<Option<Ended>, Error> {
        let range = |queue, first: i64, last: i64| Range {
            queue,
            first: first.cast_unsigned(),
            last: last.cast_unsigned(),
        };
        let taken = self
            .connection
            .prepare_cached(
                "DELETE FROM batch WHERE number = ?1 RETURNING book, queue, first, last,
                    handover_queue, handover_first, handover_last",
            )?
            .query_row([number.cast_signed()], |row| {
                Ok(Ended {
                    book: BookId(row.get(0)?),
                    log: range(row.get(1)?, row.get(2)?, row.get(3)?),
                    handovers: range(row.get(4)?, row.get(5)?, row.get(6)?),
                })
            })
            .optional()?;
        Ok(taken)
    }

    /// Notes that a write leaves now and forgets those older than `since`, and those that the clock,
    /// set back since, says are yet to come.
    pub(super) fn note_sent(&self, now: UnixMs, since: UnixMs) -> Result<(), Error> {
        let soon = now.plus_ms(now.since_ms(since));
        self.connection
            .prepare_cached("DELETE FROM sent WHERE at < ?1 OR at > ?2")?
            .execute([since.0, soon.0])?;
        self.connection.prepare_cached("INSERT INTO sent (at) VALUES (?1)")?.execute([now.0])?;
        Ok(())
    }
}
