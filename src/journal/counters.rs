//! The [`Counters`]: numbers that must add up, committed with the rows that they count.

use crate::chat::time::UnixMs;

/// How long it counts what DoubleTick said of who waits. It is asked once an hour at least, but for an hour of
/// silence where its answers make no sense.
const ASKED_FOR_MS: i64 = 3 * 3_600_000;

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
    /// Records of who waits, those of the last day that ended included.
    pub(super) waits: u64,
    /// Rows, among those accepted, of which no event told: they were found by asking DoubleTick.
    pub found: u64,
    /// Waits whose end was found so.
    pub found_ends: u64,
    /// When a list of DoubleTick's was last read to its end; 0 for never.
    pub(super) asked_at: i64,
}

impl Tally {
    /// How many numbers it has.
    pub(super) const NUMBERS: usize = 16;

    /// All its numbers, in the order in which stores keep them.
    pub(super) fn numbers(&self) -> [i64; Self::NUMBERS] {
        [
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
            self.waits,
            self.found,
            self.found_ends,
            self.asked_at.cast_unsigned(),
        ]
        .map(u64::cast_signed)
    }

    /// From its numbers in that order; each is asked for by its place.
    pub(super) fn from_numbers<E>(number: impl Fn(usize) -> Result<i64, E>) -> Result<Self, E> {
        let count = |at| number(at).map(i64::cast_unsigned);
        Ok(Self {
            next_number: count(0)?,
            next_batch: count(1)?,
            accepted: count(2)?,
            remembered: count(3)?,
            duplicate: count(4)?,
            unrecognised: count(5)?,
            written: count(6)?,
            set_aside: count(7)?,
            handovers: count(8)?,
            handovers_written: count(9)?,
            handovers_set_aside: count(10)?,
            assigned_at: number(11)?,
            waits: count(12)?,
            found: count(13)?,
            found_ends: count(14)?,
            asked_at: number(15)?,
        })
    }

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

    /// When a list of who waits was last read at DoubleTick; `None` if none ever was.
    pub fn asked_at(&self) -> Option<UnixMs> {
        (self.asked_at > 0).then_some(UnixMs(self.asked_at))
    }

    /// Whether DoubleTick was asked lately, so that it counts what it said.
    pub(super) fn is_asked(&self, now: UnixMs) -> bool {
        self.asked_at().is_some_and(|at| now.since_ms(at).abs() < ASKED_FOR_MS)
    }
}

/// A spreadsheet, by the journal's own number for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookId(pub(super) i64);

/// What there is to do for one spreadsheet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Rows in its queues.
    pub pending: u64,
    /// Chats on its board.
    pub waiting: u64,
    /// Counts up whenever its board is to look different, whichever process did that.
    pub board_changes: u64,
    /// Chats without an agent of which nothing was ever heard, as DoubleTick said last.
    pub unheard: u64,
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

    /// Chats of which nothing was ever heard, of all boards.
    pub(super) fn unheard(&self) -> u64 {
        self.books.iter().map(|(_, work)| work.unheard).sum()
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
}
