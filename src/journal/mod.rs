//! The journal: the only owner of what is kept, and the only one who can say that an event is kept.
//!
//! ```text
//!            accept                    seal                    written
//!  event ───────────────▶ pending ──────────────▶ in a batch ───────────▶ gone (counted)
//!    │                       ▲                      │   │
//!    └─▶ duplicate           ├────── released ──────┘   └─ set_aside ─▶ kept apart, with reason
//!                            └─────────────────── retried ────────────────────┘
//! ```
//!
//! Each arrow is one transaction, durable before anyone hears of it. A crash before the commit
//! leaves the state before the arrow, a crash after it the state behind. In particular: killed after
//! `seal`, the same batch is taken up again; killed after the sheet was written but before `written`,
//! the batch is sent again and its marker tells that it is there already.
//!
//! Guarantees: a [`Receipt`] exists only for a committed event; a [`Batch`] never changes; rows leave
//! in the order they came; what is delivered is deleted. Leaves to others: what an event means
//! ([`crate::chat`]) and how rows reach the sheet.
//!
//! # Where things are
//!
//! - `accept`: the way in, with all that an event brings along.
//! - `outbox`: the way out: drafts, batches, what became of them, rows set aside.
//! - `upkeep`: forgetting, copies.
//! - `transaction`, `group` and `writer`: one thread commits what waits as one transaction, then answers everyone.
//! - `clock`: by which clock all is dated.
//! - `reading`: questions beside the writer.
//! - `routing`: which queue a row waits in. `rerouting`: what waits for a place of before. `awaited`: rows that
//!   wait for a name.
//! - `counting` and `counted`: what happened, for the summary.
//! - `moving`: a journal in a directory becomes one on a database.
//! - `history`: what is done where the database went back in time.
//! - `sessions`: which sessions of the page were ended.
//! - `lease`: which of several processes does what must be done once.
//! - `telling`: what is told of who waits too long.
//! - `store`: what is asked of a database, as a trait. Nothing above it holds SQL; `opening` alone names the
//!   engines, `store::sqlite` and `store::postgres`.

mod accept;
mod awaited;
mod clock;
mod condition;
mod counted;
mod counters;
mod counting;
mod digest;
mod error;
mod group;
mod history;
mod lease;
#[cfg(feature = "postgres")]
mod moving;
mod opening;
mod origin;
mod outbox;
mod reading;
mod rerouting;
mod routing;
mod sessions;
mod store;
mod telling;
mod transaction;
mod upkeep;
mod writer;
#[cfg(test)]
pub(in crate::journal) mod tests;

use std::sync::Arc;

use ring::hmac;
use tokio::sync::{Mutex, watch};

pub use crate::journal::accept::asked::{Compared, Waiting};
pub use crate::journal::accept::receipt::{Receipt, Refusal, Standing};
pub use crate::journal::accept::waits::Look;
pub use crate::journal::awaited::Unnamed;
pub use crate::journal::condition::Condition;
pub use crate::journal::counters::{BookId, Counters, Tally, Work};
pub use crate::journal::error::Error;
pub use crate::journal::lease::{Fellow, Held, Term};
#[cfg(feature = "postgres")]
pub use crate::journal::moving::MoveFault;
pub use crate::journal::outbox::batch::{Batch, Unsettled};
pub use crate::journal::outbox::draft::Draft;
pub use crate::journal::outbox::export;
pub use crate::journal::outbox::set_aside::{Retried, SetAside, SetAsidePages, Whereabouts};
pub use crate::journal::outbox::ticket::Ticket;
pub use crate::journal::outbox::turn::Ceiling;
#[cfg(feature = "postgres")]
pub use crate::journal::store::postgres::{Address, AddressFault, DatabaseFault};
pub use crate::journal::store::sqlite::{OpenError, RestoreFault, Restored};
pub use crate::journal::store::{Fault, Unrecognised};
pub use crate::journal::upkeep::backup::BackupFault;
pub use crate::journal::upkeep::forget::Forgotten;

use crate::chat::digest::Digest;
use crate::chat::entry::EventId;
use crate::chat::memory::Rules;
use crate::chat::time::UnixMs;
use crate::histogram::Histogram;
use crate::journal::awaited::Names;
use crate::journal::condition::Conditions;
use crate::journal::reading::Reader;
use crate::journal::routing::Routing;
use crate::journal::store::sqlite::Hold;
use crate::journal::store::{QueueId, Read};
use crate::journal::transaction::{Shared, Transaction};
use crate::journal::writer::Writer;

/// What the journal may hold and for how long things count.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most rows that may be pending.
    pub pending_rows_max: u64,
    /// What counts as a resend, and how long anything is remembered.
    pub rules: Rules,
}

/// The journal of one data directory or database. Cheap to share; closed when the last handle is gone.
///
/// A handle may belong to a [`Term`]: then what is done once by one of several processes is refused as soon
/// as another has taken over.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Inner>, Option<Term>);

struct Inner {
    // Fields drop in this order. The writer closes last of the two, which empties and removes the log
    // behind the database, and only then the directory is let go.
    reader: Arc<Mutex<Reader>>,
    writer: Writer,
    counters: watch::Receiver<Counters>,
    shared: Arc<Shared>,
    limits: Limits,
    /// What the database is called.
    engine: &'static str,
    /// Where it is, for sentences.
    place: String,
    /// Of the directory; `None` beside the service, and on a database.
    hold: Option<Hold>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal({})", self.place)
    }
}

/// What a 200 is worth, by the number of machines that what was acknowledged is on.
pub fn copies_in_words(copies: u32) -> &'static str {
    match copies {
        0 | 1 => {
            "on the disk of one machine; set synchronous_standby_names on the database, for a 200 that \
             survives the loss of a machine"
        }
        2 => "on the disks of two machines",
        _ => "on the disks of three machines or more",
    }
}

impl Journal {
    /// Where it is, for sentences: a directory, or a database and its hosts.
    pub fn place(&self) -> &str {
        &self.0.place
    }

    /// Which database it is: `sqlite` or `postgresql`.
    pub fn engine(&self) -> &'static str {
        self.0.engine
    }

    /// How long commits took since this process began, each of a whole group.
    pub fn commits(&self) -> &Histogram {
        &self.0.shared.commits
    }

    /// Whether the service is running on the same directory, in another process.
    pub fn is_beside(&self) -> bool {
        self.0.hold.is_none() && !self.is_shared()
    }

    /// Whether several processes may serve on it.
    pub fn is_shared(&self) -> bool {
        self.0.shared.instance.is_some()
    }

    /// The time by which all in here is dated, where the caller's clock says `now`.
    pub fn clock(&self, now: UnixMs) -> UnixMs {
        self.0.shared.clock.now(now)
    }

    /// On how many machines what was acknowledged is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn copies(&self) -> Result<u32, Error> {
        self.read(|store| Ok(store.copies()?)).await
    }

    /// The counters after the last commit.
    pub fn tally(&self) -> Tally {
        self.0.counters.borrow().tally
    }

    /// What there is to do for a spreadsheet, after the last commit.
    pub fn work(&self, book: BookId) -> Work {
        self.0.counters.borrow().work(book)
    }

    /// How many chats wait for an agent, on all boards.
    pub fn waiting(&self) -> u64 {
        self.0.counters.borrow().waiting()
    }

    /// How many chats are without an agent of which nothing was ever heard, as DoubleTick said last.
    pub fn unheard(&self) -> u64 {
        self.0.counters.borrow().unheard()
    }

    /// How many spreadsheets have something to write, this one included.
    pub fn busy_books(&self, own: BookId) -> usize {
        self.0.counters.borrow().busy(own)
    }

    /// The spreadsheets that rows go to, by Google's id, the default one first.
    pub fn books(&self) -> Vec<(String, BookId)> {
        self.routing().books()
    }

    /// Tells of every commit that changed the counters.
    pub fn watch(&self) -> watch::Receiver<Counters> {
        self.0.counters.clone()
    }

    /// Why no event can be taken; `None` when they can.
    pub fn condition(&self) -> Option<Condition> {
        let (pending, rows) = (self.tally().pending(), self.0.limits.pending_rows_max);
        let crowded = (pending >= rows).then_some(Condition::Crowded { rows });
        self.conditions().get().or(crowded)
    }

    /// What is amiss though events are taken, each a sentence that says what to do.
    pub fn warnings(&self) -> Vec<String> {
        self.conditions().warnings()
    }

    /// When the oldest pending row was received, by the clock that says `now`; `None` when nothing is
    /// pending.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn oldest_pending(&self, now: UnixMs) -> Result<Option<UnixMs>, Error> {
        let ahead_ms = self.clock(now).since_ms(now);
        let queues: Vec<QueueId> = self.routing().queues().collect();
        self.read(move |store| {
            let mut oldest: Option<UnixMs> = None;
            for queue in queues {
                let head = store.head(queue)?.map(|(_, received_at)| received_at);
                oldest = oldest.into_iter().chain(head).min();
            }
            Ok(oldest.map(|at| at.plus_ms(-ahead_ms)))
        })
        .await
    }

    /// A key for a purpose of its own, the same for as long as this journal exists.
    pub fn key_for(&self, purpose: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(self.hash_key());
        context.update(b"key for");
        purpose.iter().for_each(|part| context.update(part));
        let mut key = [0; 32];
        key.copy_from_slice(context.sign().as_ref());
        key
    }

    /// Reads on a thread that may block. Whoever drops this reads no more, or without anybody who listens.
    async fn read<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Read) -> Result<T, Error> + Send + 'static,
    {
        reading::ask(&self.0.reader, Arc::clone(&self.0), read).await
    }

    fn writer(&self) -> &Writer {
        &self.0.writer
    }

    /// Commits what only the owner of the lease may do: the transaction looks first, whether this handle's term
    /// still lasts.
    async fn commit_as_owner<T, F>(&self, mut work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    {
        let term = self.1;
        let work = move |transaction: &mut Transaction<'_>| {
            transaction.must_own(term)?;
            work(transaction)
        };
        self.writer().commit(work).await
    }

    fn routing(&self) -> &Routing {
        &self.0.shared.routing
    }

    fn names(&self) -> &Names {
        &self.0.shared.names
    }

    fn conditions(&self) -> &Conditions {
        &self.0.shared.conditions
    }

    fn limits(&self) -> Limits {
        self.0.limits
    }

    fn hash_key(&self) -> &hmac::Key {
        &self.0.shared.hash_key
    }

    fn event_id(&self, number: u64) -> EventId {
        EventId { tag: Arc::clone(&self.0.shared.tag), number }
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        digest::digest(self.hash_key(), parts)
    }

    fn phone_key(&self, digits: &str) -> Digest {
        self.0.shared.phone_key(digits)
    }

    fn digest_of(&self, name: &str) -> Digest {
        self.0.shared.digest_of(name)
    }
}
