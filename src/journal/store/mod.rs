//! The store: all that the journal asks of a database, and no more.
//!
//! Records by key, loaded for a whole group of events and written as a whole; and beside them the rows,
//! the batches and the counters. What an event means, where a row goes and what a batch is are decided
//! above, once, for every engine. An engine guarantees:
//!
//! - between [`Store::begin`] and [`Store::commit`] nobody else's commit comes in between, and what is read
//!   is what was committed last and what this transaction wrote;
//! - after [`Store::commit`] returned, all of it survives a power cut; after [`Store::roll_back`], or a
//!   crash before, nothing of it is there;
//! - it may keep indexes in memory, and never relies on being the only process.
//!
//! To add an engine: implement [`Read`] and [`Store`] in a folder of its own, and let the tests of the
//! journal run over it (`journal::tests::engine`).

mod keys;
#[cfg(feature = "postgres")]
pub(super) mod postgres;
pub(super) mod sqlite;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) use crate::journal::store::keys::{Keys, Loaded};

use crate::chat::counted::Quarter;
use crate::chat::digest::Digest;
use crate::chat::memory::Told;
use crate::chat::time::UnixMs;
use crate::journal::counters::{BookId, Counters, Tally, Work};
use crate::journal::origin::Origin;

/// Why a store did not do as asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// There is no room on the disk.
    #[error(
        "the disk is full: make the volume larger or free some of it; events are refused until there \
         is room, and rows still go out"
    )]
    DiskFull,
    /// Another program holds the database for writing.
    #[error(
        "another program is writing to the journal's database and does not let go: end that program"
    )]
    Locked,
    /// What is read is not what was written.
    #[error(
        "the journal's database is damaged: what can be read goes on; put a backup in its place with \
         `doubletick-sheets restore FILE`, and see `doubletick-sheets check`"
    )]
    Damaged(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// It does not answer, or takes no writes for now. What was asked for may be asked again.
    #[error(
        "the database does not answer: events are held for a while and then refused, and nothing that was \
         acknowledged is lost; look whether it runs and can be reached"
    )]
    Away(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A commit was sent and its answer is lost: `Store::settle` tells what became of it.
    #[error("the database did not say whether it committed; looking")]
    Unknown(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// Anything else that the disk or the database refuses.
    #[error("cannot use the journal's database")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

/// A queue, by the journal's own number for it.
pub(super) type QueueId = i64;

/// The spreadsheets and queues that are known, whether they are configured now or not.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Each with Google's id.
    pub(super) books: Vec<(BookId, String)>,
    pub(super) queues: Vec<Queue>,
}

/// Where rows wait for one tab, in the order of their numbers.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) id: QueueId,
    pub(super) book: BookId,
    /// The log's title as configured; `None` for the handovers.
    pub(super) tab: Option<String>,
}

/// Numbers of one queue, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) queue: QueueId,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    /// No number.
    pub(super) const NONE: Self = Self { queue: 0, first: 1, last: 0 };

    /// Every number of a queue.
    pub(super) fn all(queue: QueueId) -> Self {
        Self { queue, first: 0, last: u64::MAX >> 1 }
    }

    pub(super) fn contains(&self, queue: QueueId, number: u64) -> bool {
        self.queue == queue && (self.first..=self.last).contains(&number)
    }
}

/// A row that is still to be written.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Of its event.
    pub(super) number: u64,
    pub(super) received_at: UnixMs,
    /// JSON of [`crate::chat::entry::Entry`].
    pub(super) payload: Vec<u8>,
}

/// How many rows stand in a span, and how many bytes they are stored in: a row that is given its name
/// becomes longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// A batch under way. At most one a book.
#[derive(Clone, Debug)]
pub(super) struct StoredBatch {
    pub(super) number: u64,
    pub(super) book: BookId,
    pub(super) log: Span,
    pub(super) handovers: Span,
    pub(super) marker_id: i32,
    /// Of the plan, the members and the board.
    pub(super) digest: String,
    /// Where its rows go, in the words of the one who sends them.
    pub(super) plan: String,
    /// JSON of [`crate::chat::board::Board`], where the board goes along.
    pub(super) board: Option<String>,
    /// The changes of its book's board that it shows, where it shows one ([`Work::board_changes`]).
    pub(super) board_changes: u64,
    pub(super) sealed_at: UnixMs,
}

/// A marker under which something may still be sent: by the process that took it as a ticket, or by one that
/// is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fence {
    pub(super) marker_id: i32,
    pub(super) book: BookId,
    /// What the marker says; `None` where none goes along.
    pub(super) digest: Option<String>,
    pub(super) at: UnixMs,
    /// Whether it is a ticket of which it is not known what became of its write.
    pub(super) is_open: bool,
}

/// A row apart from the others, with the reason.
#[derive(Clone, Debug)]
pub(super) struct StoredAside {
    pub(super) row: Row,
    pub(super) reason: String,
    pub(super) at: UnixMs,
}

/// A body that nothing recognised.
pub struct Unrecognised {
    /// Which one.
    pub id: u64,
    /// When it was received.
    pub received_at: UnixMs,
    /// What the address announced it as.
    pub announced: Option<String>,
    /// The body, as JSON.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Unrecognised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unrecognised({}, {} bytes)", self.id, self.body.len())
    }
}

/// What is remembered under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// JSON.
    Record(Vec<u8>),
    /// It stands under that key.
    SameAs(Digest),
}

/// What is remembered, and when it was last told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) what: Stored,
    pub(super) seen_at: UnixMs,
}

/// A chat that waits, or did in the last day.
#[derive(Clone, Debug)]
pub(super) struct StoredWait {
    /// Of the unassignment that began it.
    pub(super) number: u64,
    pub(super) book: BookId,
    pub(super) chat: Digest,
    /// Every key that its customer is known by.
    pub(super) customer: Vec<Digest>,
    pub(super) is_over: bool,
    /// When it last began or ended.
    pub(super) seen_at: UnixMs,
    /// JSON of [`crate::chat::waiting::Wait`].
    pub(super) record: Vec<u8>,
}

/// What happened in a quarter of an hour to chats of a spreadsheet.
#[derive(Clone, Debug)]
pub(super) struct StoredQuarter {
    pub(super) book: BookId,
    pub(super) quarter: Quarter,
    /// JSON of [`crate::chat::counted::Counts`].
    pub(super) counts: Vec<u8>,
    /// JSON of [`crate::chat::counted::Agents`]; `None` where there are none, or they were forgotten.
    pub(super) agents: Option<Vec<u8>>,
}

/// Who does what must be done once, among several processes, and until when by the store's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lease {
    /// A process, by its id.
    pub(super) owner: Option<String>,
    /// Counts up with every owner.
    pub(super) epoch: u64,
    pub(super) until: UnixMs,
}

/// One of the processes that share a journal.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) id: String,
    /// When it last committed, by the store's clock.
    pub(super) seen_at: UnixMs,
    /// JSON of what it says of itself.
    pub(super) report: String,
}

/// What a transaction writes. The last state of a thing counts; the parts do not depend on one another.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) tally: Option<Tally>,
    /// What there is to do for a book.
    pub(super) work: Vec<(BookId, Work)>,
    /// Added to those that are known.
    pub(super) places: Places,
    pub(super) meta: Vec<(String, i64)>,
    pub(super) rows: Vec<(QueueId, Row)>,
    pub(super) rows_gone: Vec<(QueueId, u64)>,
    /// The last event of a chat.
    pub(super) last: Vec<(Digest, Told)>,
    /// Last events from before need not be known any more.
    pub(super) last_until: Option<UnixMs>,
    /// `None` is gone.
    pub(super) records: BTreeMap<Digest, Option<Remembered>>,
    /// By number; `None` is gone.
    pub(super) waits: BTreeMap<u64, Option<StoredWait>>,
    /// Each once.
    pub(super) quarters: Vec<StoredQuarter>,
    /// What is counted in quarters before the first need not be known any more, and that of agents not in those
    /// before the second.
    pub(super) quarters_until: Option<(Quarter, Quarter)>,
    /// By number; `None` is gone.
    pub(super) aside: BTreeMap<u64, Option<StoredAside>>,
    pub(super) unrecognised: Vec<Unrecognised>,
    pub(super) unrecognised_gone: Vec<u64>,
    /// Rows that wait for their customer's name, by number: of which book, and until when; `None` waits no
    /// more.
    pub(super) awaited: BTreeMap<u64, Option<(BookId, UnixMs)>>,
    /// What waited until before then waits no more.
    pub(super) awaited_until: Option<UnixMs>,
    /// By marker; `None` is gone.
    pub(super) fences: Vec<(i32, Option<Fence>)>,
    /// Those that are not open, from before then, need not be known any more.
    pub(super) fences_until: Option<UnixMs>,
    /// Writes noted as leaving then.
    pub(super) sent: Vec<UnixMs>,
    /// Of those noted before, what is not between these two, both included, need not be known any more.
    pub(super) sent_kept: Option<(UnixMs, UnixMs)>,
    pub(super) lease: Option<Lease>,
    /// A process, by its id, and what it says of itself as JSON.
    pub(super) report: Option<(Arc<str>, String)>,
    /// Processes last seen before this need not be known any more.
    pub(super) instances_until: Option<UnixMs>,
}

/// What can be read at any time, also beside the writer.
pub(super) trait Read: Send {
    fn origin(&self) -> Result<Origin, Fault>;
    fn counters(&self) -> Result<Counters, Fault>;
    fn meta(&self, name: &str) -> Result<Option<i64>, Fault>;
    /// All numbers that are kept under a name.
    #[cfg(feature = "postgres")]
    fn numbers(&self) -> Result<Vec<(String, i64)>, Fault>;
    fn places(&self) -> Result<Places, Fault>;
    /// The first row of a queue: its number and when it was received.
    fn head(&self, queue: QueueId) -> Result<Option<(u64, UnixMs)>, Fault>;
    /// Rows of a span in order, at most so many.
    fn rows(&self, span: Span, rows_max: usize) -> Result<Vec<Row>, Fault>;
    fn extent(&self, span: Span) -> Result<Extent, Fault>;
    /// All batches under way.
    fn batches(&self) -> Result<Vec<StoredBatch>, Fault>;
    fn fences(&self) -> Result<Vec<Fence>, Fault>;
    /// Who waits of a book, the first to begin first, at most so many.
    fn board(&self, book: BookId, lines_max: usize) -> Result<Vec<StoredWait>, Fault>;
    /// Rows of a book that wait for a name, or did: their numbers, in order, and until when.
    fn awaited(&self, book: BookId) -> Result<Vec<(u64, UnixMs)>, Fault>;
    /// Rows set aside after that number, in order, at most so many.
    fn aside(&self, after: u64, rows_max: usize) -> Result<Vec<StoredAside>, Fault>;
    /// All bodies that nothing recognised, in order; there are a thousand at most.
    fn unrecognised(&self) -> Result<Vec<Unrecognised>, Fault>;
    /// Waits after that number, ended or not, in order, at most so many.
    fn waits(&self, after: u64, waits_max: usize) -> Result<Vec<StoredWait>, Fault>;
    /// What was counted for a book from that quarter on, in order, at most so many.
    fn quarters(
        &self,
        book: BookId,
        from: Quarter,
        quarters_max: usize,
    ) -> Result<Vec<StoredQuarter>, Fault>;
    /// What is remembered under keys after that one, in their order, at most so many.
    fn records(
        &self,
        after: Option<Digest>,
        records_max: usize,
    ) -> Result<Vec<(Digest, Remembered)>, Fault>;
    /// The events by which chats were last heard of, after that number, in order, at most so many.
    #[cfg(feature = "postgres")]
    fn last_events(&self, after: u64, events_max: usize) -> Result<Vec<(Digest, Told)>, Fault>;
    /// The clock that all processes of this journal share, as of now or of the transaction's beginning;
    /// `None` where only one machine can use it, and its own clock counts.
    fn clock(&self) -> Result<Option<UnixMs>, Fault>;
    /// When writes left, as far as noted, the first one first.
    fn sent(&self) -> Result<Vec<UnixMs>, Fault>;
    /// On how many machines a commit is when it is told of.
    fn copies(&self) -> Result<u32, Fault> {
        Ok(1)
    }
    /// Who owns what must be done once; `None` where only one process can serve.
    fn lease(&self) -> Result<Option<Lease>, Fault> {
        Ok(None)
    }
    /// The processes that share the journal, as far as they have said something of themselves.
    fn instances(&self) -> Result<Vec<Instance>, Fault> {
        Ok(Vec::new())
    }
    /// Looks through all of it for what is not what was written.
    fn verify(&self) -> Result<(), Fault>;
    /// Copies all of it, as of one moment, into a file that is there and empty.
    fn copy_into(&self, file: &Path) -> Result<(), Fault>;
}

/// The one who writes. Every method but `begin`, `roll_back` and those of the upkeep is called inside a
/// transaction.
pub(super) trait Store: Send {
    /// What is read inside the transaction.
    fn read(&self) -> &dyn Read;
    /// Begins a transaction. True where somebody else has committed since our last one, or ours failed:
    /// what is known of the counters and places is old then.
    /// What stands under `ahead` may be read along: [`Store::load`] will be asked for it first.
    fn begin(&mut self, ahead: &Keys) -> Result<bool, Fault>;
    /// All that stands under these keys, in one go.
    fn load(&mut self, keys: &Keys) -> Result<Loaded, Fault>;
    /// Writes all of it.
    fn write(&mut self, changes: Changes) -> Result<(), Fault>;
    /// Seals a batch; the caller has looked that its book has none.
    fn add_batch(&mut self, batch: &StoredBatch) -> Result<(), Fault>;
    /// Ends a batch; its rows stay where they are.
    fn end_batch(&mut self, number: u64) -> Result<(), Fault>;
    /// Deletes the rows of a span; how many.
    fn delete_rows(&mut self, span: Span) -> Result<u64, Fault>;
    /// From now on the journal is that one: its events' names and hashes go on as they were. Only for a
    /// journal that is empty.
    #[cfg(feature = "postgres")]
    fn adopt(&mut self, origin: &Origin) -> Result<(), Fault>;
    /// Makes it last. After [`Fault::Unknown`] nothing else is asked before [`Store::settle`].
    fn commit(&mut self) -> Result<(), Fault>;
    /// Whether the commit whose answer was lost went through after all. Not inside a transaction.
    fn settle(&mut self) -> Result<bool, Fault> {
        Ok(false)
    }
    /// Nothing of it has happened; `why` where the store itself refused.
    fn roll_back(&mut self, why: Option<&Fault>);

    /// Whether there is room for more events.
    fn has_room(&self) -> bool;
    /// What was deleted is to leave no traces, as soon as nobody is kept waiting for that.
    fn purge(&mut self);
    /// The counters as other processes left them, read without waiting for anybody; `None` where no other
    /// process commits by itself, or the database is away. Nothing may be decided by them.
    fn look(&mut self) -> Option<Counters> {
        None
    }
    /// Does what nobody waits for, after all were answered. `is_drained`: no row is pending. Gives when to
    /// come again though nobody asks for anything.
    fn tidy_up(&mut self, is_drained: bool) -> Option<Duration>;
}
