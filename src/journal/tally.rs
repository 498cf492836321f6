//! The [`Tally`]: counters that must add up, committed with the rows they count.

use rusqlite::{Connection, Row};

use crate::chat::time::UnixMs;

/// Counts since the journal was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub(super) next_number: u64,
    pub(super) next_batch: u64,
    /// Unassignments acknowledged as new.
    pub accepted: u64,
    /// Other events that were new and are remembered.
    pub remembered: u64,
    /// Resends acknowledged.
    pub duplicate: u64,
    /// Readable bodies that nothing recognised.
    pub unrecognised: u64,
    /// Rows known to be in the sheet.
    pub written: u64,
    /// Rows refused by Google for their content, kept with the reason.
    pub set_aside: u64,
    /// Waits that ended, each a row of the handovers.
    pub handovers: u64,
    /// Of those, rows known to be in the sheet.
    pub handovers_written: u64,
    /// Of those, rows refused by Google for their content.
    pub handovers_set_aside: u64,
    /// When an assignment was last heard of; 0 for never.
    pub(super) assigned_at: i64,
}

impl Tally {
    /// Rows of the log that are still to be written. accepted = written + pending + set aside.
    pub fn pending(&self) -> u64 {
        self.accepted.saturating_sub(self.written).saturating_sub(self.set_aside)
    }

    /// Rows of the handovers that are still to be written; they add up likewise.
    pub fn handovers_pending(&self) -> u64 {
        let done = self.handovers_written + self.handovers_set_aside;
        self.handovers.saturating_sub(done)
    }

    /// When DoubleTick last told of an assignment; `None` if it never did.
    pub fn assigned_at(&self) -> Option<UnixMs> {
        (self.assigned_at > 0).then_some(UnixMs(self.assigned_at))
    }

    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        connection.query_row(
            "SELECT next_number, next_batch, accepted, remembered, duplicate, unrecognised, written,
                    set_aside, handovers, handovers_written, handovers_set_aside, assigned_at
             FROM tally",
            (),
            |row| {
                let get = |column| count(row, column);
                Ok(Self {
                    next_number: get(0)?,
                    next_batch: get(1)?,
                    accepted: get(2)?,
                    remembered: get(3)?,
                    duplicate: get(4)?,
                    unrecognised: get(5)?,
                    written: get(6)?,
                    set_aside: get(7)?,
                    handovers: get(8)?,
                    handovers_written: get(9)?,
                    handovers_set_aside: get(10)?,
                    assigned_at: row.get(11)?,
                })
            },
        )
    }

    pub(super) fn store(&self, connection: &Connection) -> rusqlite::Result<()> {
        let values = [
            self.next_number,
            self.next_batch,
            self.accepted,
            self.remembered,
            self.duplicate,
            self.unrecognised,
            self.written,
            self.set_aside,
            self.handovers,
            self.handovers_written,
            self.handovers_set_aside,
            self.assigned_at.cast_unsigned(),
        ];
        connection
            .prepare_cached(
                "UPDATE tally SET next_number = ?1, next_batch = ?2, accepted = ?3,
                    remembered = ?4, duplicate = ?5, unrecognised = ?6, written = ?7,
                    set_aside = ?8, handovers = ?9, handovers_written = ?10,
                    handovers_set_aside = ?11, assigned_at = ?12",
            )?
            .execute(values.map(u64::cast_signed))
            .map(drop)
    }
}

/// A spreadsheet, by the journal's own number for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BookId(pub(super) i64);

/// What there is to do for one spreadsheet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Rows in its queues.
    pub pending: u64,
    /// Chats on its board.
    pub waiting: u64,
    /// Counts up whenever its board is to look different. Starts anew with the process.
    pub board_changes: u64,
}

/// Everything that is counted, as of one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Of the whole journal.
    pub tally: Tally,
    pub(super) books: Vec<(BookId, Work)>,
}

impl Counters {
    /// What there is to do for this spreadsheet.
    pub fn work(&self, book: BookId) -> Work {
        self.books.iter().find(|(id, _)| *id == book).map(|(_, work)| *work).unwrap_or_default()
    }

    /// Chats on all boards.
    pub(super) fn waiting(&self) -> u64 {
        self.books.iter().map(|(_, work)| work.waiting).sum()
    }

    /// How many spreadsheets have rows pending; `own` counts in any case.
    pub(super) fn busy(&self, own: BookId) -> usize {
        self.books.iter().filter(|(book, work)| *book == own || work.pending > 0).count()
    }

    /// The same, to be changed.
    pub(super) fn work_mut(&mut self, book: BookId) -> &mut Work {
        let at = self.books.iter().position(|(id, _)| *id == book).unwrap_or_else(|| {
            self.books.push((book, Work::default()));
            self.books.len() - 1
        });
        &mut self.books[at].1
    }

    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached("SELECT id, pending, waiting FROM book")?;
        let books = statement.query_map((), |row| {
            let work = Work { pending: count(row, 1)?, waiting: count(row, 2)?, board_changes: 0 };
            Ok((BookId(row.get(0)?), work))
        })?;
        Ok(Self { tally: Tally::load(connection)?, books: books.collect::<Result<_, _>>()? })
    }

    /// Stores what differs from `before`.
    pub(super) fn store(&self, before: &Self, connection: &Connection) -> rusqlite::Result<()> {
        if self.tally != before.tally {
            self.tally.store(connection)?;
        }
        for (book, work) in &self.books {
            let stored = before.books.iter().find(|(known, _)| known == book);
            let stored = stored.map(|(_, stored)| (stored.pending, stored.waiting));
            if stored != Some((work.pending, work.waiting)) {
                connection
                    .prepare_cached("UPDATE book SET pending = ?2, waiting = ?3 WHERE id = ?1")?
                    .execute([book.0, work.pending.cast_signed(), work.waiting.cast_signed()])?;
            }
        }
        Ok(())
    }

    /// Nothing that is stored: whatever there is differs from it.
    pub(super) fn unknown() -> Self {
        let tally = Tally { next_number: u64::MAX, ..Tally::default() };
        Self { tally, ..Self::default() }
    }

    /// As loaded anew, without looking as if the boards had not changed.
    pub(super) fn reloaded(&self, connection: &Connection) -> rusqlite::Result<Self> {
        let mut loaded = Self::load(connection)?;
        for (book, work) in &mut loaded.books {
            work.board_changes = self.work(*book).board_changes + 1;
        }
        Ok(loaded)
    }
}

/// SQLite's integers are signed; ours start at zero and only count up.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}
