//! What happened, counted: with each row in its own transaction, and read for the summary.

use jiff::tz::TimeZone;

use crate::chat::counted::{Quarter, happened_at};
use crate::chat::entry::Entry;
use crate::chat::summary::{AGENT_REACH_MS, REACH_MS, Summary, Summing};
use crate::chat::time::UnixMs;
use crate::journal::counted::counted;
use crate::journal::counters::BookId;
use crate::journal::store::Fault;
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

/// Quarters that are read at a time: however much was counted in them, they need little memory.
const STEP: usize = 200;

impl Journal {
    /// What happened to chats of a spreadsheet in the last weeks, by the clocks in `zone`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn summary(
        &self,
        book: BookId,
        zone: TimeZone,
        now: UnixMs,
    ) -> Result<Summary, Error> {
        let (journal, retention_ms) = (self.clone(), self.limits().rules.retention_ms);
        self.read(move |store| {
            let mut summing = Summing::new(now, zone, retention_ms);
            let mut from = Quarter::of(now.plus_ms(-REACH_MS));
            loop {
                let page = store.quarters(book, from, STEP)?;
                let Some(last) = page.last() else { return Ok(summing.summary()) };
                from = Quarter(last.quarter.0 + 1);
                for stored in &page {
                    summing.add(stored.quarter, &counted(stored, journal.conditions()));
                }
            }
        })
        .await
    }
}

impl Transaction<'_> {
    /// Counts what a row tells in the quarter in which that happened, unless it is so long ago that nobody asks.
    pub(in crate::journal) fn count(
        &mut self,
        book: BookId,
        row: &Entry,
        now: UnixMs,
    ) -> Result<(), Fault> {
        let at = happened_at(row);
        if now.since_ms(at) <= REACH_MS {
            self.counted_mut((book, Quarter::of(at)))?.note(row);
        }
        Ok(())
    }

    /// What nobody asks for any more need not be known.
    pub(in crate::journal) fn forget_counted(&mut self, retention_ms: i64, now: UnixMs) {
        let before = |age_ms: i64| Quarter::of(now.plus_ms(-age_ms));
        let until = (before(REACH_MS), before(retention_ms.min(AGENT_REACH_MS)));
        self.change().quarters_until = Some(until);
    }
}
