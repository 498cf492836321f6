//! The store on PostgreSQL: one database, any number of instances.
//!
//! The row of the counters is locked first in every transaction. That lock is the order of numbers and of
//! commits, it is what makes a read before a write sound, and it settles what became of a commit whose answer
//! was lost: each notes its number under the instance, so that whoever holds the lock afterwards can look.
//! Every transaction writes, and waits for the standby where there is one: what was read in it is as safe as
//! what it wrote. All SQL of the engine stands in this folder.

mod address;
mod column;
mod counted;
mod fence;
mod link;
mod load;
mod open;
mod owner;
pub(in crate::journal) mod read;
mod tls;
mod write;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

pub use crate::journal::store::postgres::address::{Address, AddressFault};
pub use crate::journal::store::postgres::open::DatabaseFault;

use crate::chat::time::UnixMs;
use crate::journal::counters::{BookId, Counters, Tally, Work};
use crate::journal::origin::Origin;
use crate::journal::store::postgres::column::CLOCK;
use crate::journal::store::postgres::link::{Link, Said};
use crate::journal::store::postgres::read::{BOOKS, Reader, TALLY};
use crate::journal::store::{Changes, Fault, Keys, Lease, Loaded, Read, Span, Store, StoredBatch};

/// Longest that a commit may take before its outcome is looked up. A commit that waits for its standby is
/// never cancelled: the server goes on waiting.
const COMMIT_MAX: Duration = Duration::from_secs(6);
/// How often it is looked what others have committed, while there is nothing to commit here.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often events that are out of the resend window are deleted.
const FORGET_EVERY: Duration = Duration::from_secs(5);

/// What opening a database gives.
pub(in crate::journal) struct Opened {
    pub(in crate::journal) store: Postgres,
    /// Another connection, which only reads.
    pub(in crate::journal) reader: Reader,
}

/// Opens the database, making the tables if there are none. `instance` is this process: letters and digits,
/// drawn by chance.
pub(in crate::journal) fn open(
    address: &Arc<Address>,
    instance: &str,
) -> Result<Opened, DatabaseFault> {
    let link = open::prepare(address)?;
    let of_reader = Link::new(Arc::clone(address))
        .map_err(|source| DatabaseFault::away(address.label(), source))?;
    let store = Postgres {
        reader: Reader::new(link),
        instance: instance.to_owned(),
        commits: 0,
        in_doubt: None,
        forgot_at: None,
    };
    Ok(Opened { store, reader: Reader::new(of_reader) })
}

/// The connection that writes.
pub(in crate::journal) struct Postgres {
    reader: Reader,
    instance: String,
    /// The commits before the transaction under way.
    commits: u64,
    /// The number of a commit whose outcome is not known.
    in_doubt: Option<u64>,
    forgot_at: Option<Instant>,
}

/// What stands at the beginning of every transaction. Every statement finds its rows by an index; of tables that
/// the server has not analysed yet it would think otherwise, and read all of them for each group of events.
const LIMITS: &str = "SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '4s'; \
    SET LOCAL statement_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '4s'; \
    SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
    SET LOCAL jit = off";

impl Postgres {
    fn link(&self) -> &Link {
        &self.reader.link
    }

    /// Begins a transaction, locks the counters and reads what every transaction asks for. Each statement sees
    /// what was committed before it, so those after the lock see all there is.
    fn begin_and_lock(&mut self, ahead: &Keys) -> Result<(), Fault> {
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {LIMITS}; \
             SELECT 1 FROM doubletick_sheets.tally FOR UPDATE; \
             SELECT 'tally', commits, {TALLY} FROM doubletick_sheets.tally; \
             SELECT 'lease', owner, epoch, until FROM doubletick_sheets.lease; \
             SELECT 'book', * FROM ({BOOKS}) AS books; \
             SELECT 'clock', {CLOCK}"
        );
        // What the group's keys name follows on the heels of the lock, and is read when that is held.
        let begun = self.link().run(async |client| {
            let (begun, found) =
                tokio::join!(biased; client.simple_query(&sql), load::ahead(client, ahead));
            // Where there is no transaction, that is what is wrong, and not what came after it.
            Ok((begun?, found?))
        });
        let (messages, found) = begun?;
        self.link().pin(true);
        self.reader.set_ahead(ahead, &found)?;
        let mut begun = Begun::default();
        messages.iter().for_each(|message| begun.note(message));
        let Begun { commits, tally, lease, books, clock } = begun;
        let (Some(commits), Some(tally), Some(clock)) = (commits, tally, clock) else {
            let gone = std::io::Error::other("the row of the counters is gone");
            return Err(Fault::Damaged(Arc::new(gone)));
        };
        self.commits = commits;
        self.reader.counters.replace(Some(Counters { tally, books }));
        self.reader.lease.replace(lease);
        self.reader.clock.set(Some(clock));
        Ok(())
    }

    /// Counts the commit, does this before it, and commits; the last changes go out in front of it without being
    /// waited for. A statement of theirs that the server refuses makes nothing of the commit, and that is known.
    fn commit_now(&mut self, before: &str) -> Result<(), NotCommitted> {
        let sql = format!(
            "UPDATE doubletick_sheets.tally SET commits = {}; {before} COMMIT",
            self.commits + 1
        );
        // Whatever was said before has been heard.
        self.link().take_notice();
        let last = self.reader.unwritten.take().unwrap_or_default();
        let mut refused = None;
        let committed = self.link().run_within(COMMIT_MAX, async |client| {
            let (written, committed) =
                tokio::join!(biased; write::all(client, &last), client.simple_query(&sql));
            match written {
                Err(error) if error.as_db_error().is_some() => {
                    refused = Some(error);
                    Ok(())
                }
                written => written.and(committed.map(drop)),
            }
        });
        self.link().pin(false);
        if let Some(error) = refused {
            return Err(NotCommitted::Refused(error.into()));
        }
        committed.map_err(NotCommitted::Unknown)?;
        // A notice says that the standby was not waited for after all.
        match self.link().take_notice() {
            true => Err(NotCommitted::Unknown(Said::Silence(COMMIT_MAX))),
            false => Ok(()),
        }
    }

    fn forget_begun(&mut self) {
        self.link().pin(false);
        self.reader.forget_transaction();
    }

    /// Looks up, under the lock, whether the commit of this number went through; and commits something more,
    /// so that the answer is as safe as a commit of ours.
    fn look_up(&mut self, number: u64) -> Result<bool, Fault> {
        self.begin_and_lock(&Keys::default())?;
        let sql = format!(
            "SELECT committed FROM doubletick_sheets.instance WHERE id = '{}'",
            self.instance
        );
        let messages = self.link().run(async |client| client.simple_query(&sql).await)?;
        let noted = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse::<u64>().ok(),
            _ => None,
        });
        // It leaves the note as it is: where this commit's answer is lost too, the next look finds the same.
        if let Err(NotCommitted::Refused(said) | NotCommitted::Unknown(said)) = self.commit_now("")
        {
            self.link().disconnect();
            return Err(said.into());
        }
        Ok(noted == Some(number))
    }
}

/// Why a commit is not known to have gone through.
enum NotCommitted {
    /// The server refused something before it.
    Refused(Said),
    Unknown(Said),
}

/// What the first answers of a transaction tell.
#[derive(Default)]
struct Begun {
    commits: Option<u64>,
    tally: Option<Tally>,
    lease: Option<Lease>,
    books: Vec<(BookId, Work)>,
    clock: Option<UnixMs>,
}

impl Begun {
    fn note(&mut self, message: &SimpleQueryMessage) {
        let SimpleQueryMessage::Row(row) = message else { return };
        let number = |at: usize| row.get(at).and_then(|text| text.parse::<i64>().ok());
        let count = |at: usize| number(at).unwrap_or_default().cast_unsigned();
        match row.get(0) {
            Some("tally") => {
                self.commits = number(1).map(i64::cast_unsigned);
                let told = |at: usize| Ok::<_, Infallible>(number(at + 2).unwrap_or_default());
                self.tally = Tally::from_numbers(told).ok();
            }
            Some("lease") => {
                let owner = row.get(1).map(str::to_owned);
                let until = UnixMs(number(3).unwrap_or_default());
                self.lease = Some(Lease { owner, epoch: count(2), until });
            }
            Some("book") => {
                let (pending, waiting) = (count(2), count(3));
                let (board_changes, unheard) = (count(4), count(5));
                let work = Work { pending, waiting, board_changes, unheard };
                self.books.push((BookId(number(1).unwrap_or_default()), work));
            }
            Some("clock") => self.clock = number(1).map(UnixMs),
            _ => {}
        }
    }
}

impl Store for Postgres {
    fn read(&self) -> &dyn Read {
        &self.reader
    }

    fn begin(&mut self, ahead: &Keys) -> Result<bool, Fault> {
        self.begin_and_lock(ahead)?;
        // Others may have committed, and the counters came along in any case.
        Ok(true)
    }

    fn load(&mut self, keys: &Keys) -> Result<Loaded, Fault> {
        self.reader.load(keys)
    }

    fn write(&mut self, changes: Changes) -> Result<(), Fault> {
        self.reader.counters.take();
        if changes.lease.is_some() {
            self.reader.lease.take();
        }
        self.reader.flush()?;
        let is_due = self.forgot_at.is_none_or(|at| at.elapsed() > FORGET_EVERY);
        if let Some(until) = changes.last_until.filter(|_| is_due) {
            self.link().run(async |client| write::forget_last(client, until.0).await)?;
            self.forgot_at = Some(Instant::now());
        }
        let may_wait = write::goes_at_once(&changes);
        self.reader.unwritten.replace(Some(changes));
        if may_wait { Ok(()) } else { self.reader.flush() }
    }

    fn add_batch(&mut self, batch: &StoredBatch) -> Result<(), Fault> {
        self.reader.flush()?;
        Ok(self.link().run(async |client| write::add_batch(client, batch).await)?)
    }

    fn end_batch(&mut self, number: u64) -> Result<(), Fault> {
        self.reader.flush()?;
        Ok(self.link().run(async |client| write::end_batch(client, number).await)?)
    }

    fn delete_rows(&mut self, span: Span) -> Result<u64, Fault> {
        self.reader.flush()?;
        Ok(self.link().run(async |client| write::delete_rows(client, span).await)?)
    }

    fn adopt(&mut self, origin: &Origin) -> Result<(), Fault> {
        self.reader.flush()?;
        Ok(self.link().run(async |client| write::adopt(client, origin).await)?)
    }

    fn commit(&mut self) -> Result<(), Fault> {
        let number = self.commits + 1;
        let note = format!(
            "INSERT INTO doubletick_sheets.instance (id, committed, seen_at) \
             VALUES ('{}', {number}, {CLOCK}) ON CONFLICT (id) DO UPDATE \
             SET committed = excluded.committed, seen_at = excluded.seen_at;",
            self.instance
        );
        let committed = self.commit_now(&note);
        self.forget_begun();
        match committed {
            Ok(()) => Ok(()),
            Err(NotCommitted::Refused(said)) => Err(said.into()),
            Err(NotCommitted::Unknown(said)) => {
                self.in_doubt = Some(number);
                self.link().disconnect();
                Err(Fault::Unknown(Arc::new(said)))
            }
        }
    }

    fn settle(&mut self) -> Result<bool, Fault> {
        let Some(number) = self.in_doubt else { return Ok(false) };
        let found = self.look_up(number);
        self.forget_begun();
        let was_committed = found?;
        self.in_doubt = None;
        Ok(was_committed)
    }

    fn roll_back(&mut self, _why: Option<&Fault>) {
        if self.link().is_connected() {
            let rolled_back =
                self.link().run(async |client| client.batch_execute("ROLLBACK").await);
            if rolled_back.is_err() {
                self.link().disconnect();
            }
        }
        self.forget_begun();
    }

    fn has_room(&self) -> bool {
        true
    }

    fn purge(&mut self) {}

    fn tidy_up(&mut self, _is_drained: bool) -> Option<Duration> {
        Some(LOOK_EVERY)
    }

    fn look(&mut self) -> Option<Counters> {
        let sql = format!(
            "SELECT 'tally', commits, {TALLY} FROM doubletick_sheets.tally; \
                           SELECT 'book', * FROM ({BOOKS}) AS books"
        );
        let messages = self.link().run(async |client| client.simple_query(&sql).await).ok()?;
        let mut seen = Begun::default();
        messages.iter().for_each(|message| seen.note(message));
        Some(Counters { tally: seen.tally?, books: seen.books })
    }
}
