//! The writer: one thread, one connection, one transaction for everything that waits.
//!
//! Group commit without a window: while one transaction is being synced, the next group gathers, so
//! the disk's own latency is the only delay. Whoever waits is answered after the commit and never
//! before; if the commit fails, everyone in the group hears so and nothing of it has happened.
//!
//! Another process may commit in between (`replay`, `forget`, `check` beside the running service), or a
//! transaction fail: then the counters and the indexes in memory are read anew, inside the transaction
//! that goes on from them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{oneshot, watch};

use crate::journal::Error;
use crate::journal::condition::{Condition, Conditions};
use crate::journal::log::Log;
use crate::journal::names::Names;
use crate::journal::page::Page;
use crate::journal::register::Register;
use crate::journal::reserve::Reserve;
use crate::journal::tally::Counters;

/// Most requests in one transaction: keeps the slowest answer of a group near the fastest.
const GROUP_MAX: usize = 1_024;
/// Most requests that may wait for the writer; beyond it they are refused at once.
const WAITING_MAX: usize = 8_192;
/// How often room is looked for on a disk that was full.
const TRY_FOR_ROOM_EVERY: Duration = Duration::from_secs(2);
/// How often the same trouble is said.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// Free pages given back to a full disk in one step, and for how long steps follow one another.
const GIVE_BACK_PAGES: i64 = 128;
const GIVE_BACK_FOR: Duration = Duration::from_millis(100);

/// What one request wants done inside the transaction.
trait Job: Send {
    fn run(&mut self, page: &mut Page<'_>) -> Result<(), Error>;
    fn committed(self: Box<Self>);
    fn failed(self: Box<Self>, error: &Arc<Error>);
}

struct Request<F, T> {
    work: Option<F>,
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T, Arc<Error>>>,
}

impl<F, T> Job for Request<F, T>
where
    F: FnOnce(&mut Page<'_>) -> Result<T, Error> + Send,
    T: Send,
{
    fn run(&mut self, page: &mut Page<'_>) -> Result<(), Error> {
        if let Some(work) = self.work.take() {
            self.outcome = Some(work(page)?);
        }
        Ok(())
    }

    fn committed(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Whoever asked may have gone away; what was committed stays so.
            drop(self.reply.send(Ok(outcome)));
        }
    }

    fn failed(self: Box<Self>, error: &Arc<Error>) {
        drop(self.reply.send(Err(Arc::clone(error))));
    }
}

/// The way to the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    requests: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl Writer {
    /// Starts the thread. After every commit the new counters are published, then the waiting are
    /// told.
    pub(super) fn start(
        connection: Connection,
        (register, names, conditions): (Arc<Register>, Arc<Names>, Arc<Conditions>),
        published: watch::Sender<Counters>,
        (log, reserve): (Log, Option<Reserve>),
    ) -> std::io::Result<Self> {
        let (requests, inbox) = sync_channel(WAITING_MAX);
        if reserve.as_ref().is_some_and(|reserve| !reserve.is_held()) {
            conditions.set(Some(Condition::DiskFull));
        }
        let serve = move || {
            let desk = Desk {
                page: Page::new(&connection, register, names, Arc::clone(&conditions)),
                counters: published.borrow().clone(),
                version: None,
                log,
                reserve,
                conditions,
                tried_at: Instant::now(),
                complaints: Complaints::default(),
            };
            desk.serve(&inbox, &published);
            if let Err((_, error)) = connection.close() {
                log::warn!("cannot close the journal tidily: {error}");
            }
        };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(serve)?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    /// Runs `work` in the next transaction; resolves after that transaction is on disk.
    ///
    /// Dropping the future does not take the work back.
    ///
    /// # Errors
    /// [`Error::Busy`] if too many wait already, [`Error::Closed`] after the end, and whatever kept
    /// the transaction from being committed.
    pub(super) async fn commit<T, F>(&self, work: F) -> Result<T, Arc<Error>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Page<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Request { work: Some(work), outcome: None, reply });
        let requests = self.requests.as_ref().ok_or(Error::Closed)?;
        requests.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => Error::Closed,
        })?;
        answer.await.unwrap_or_else(|_| Err(Arc::new(Error::Closed)))
    }
}

impl Drop for Writer {
    /// Lets the writer finish what waits, then joins it.
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What the thread holds between two groups.
struct Desk<'c> {
    page: Page<'c>,
    counters: Counters,
    /// SQLite's word on who committed last, as far as we have read.
    version: Option<i64>,
    log: Log,
    reserve: Option<Reserve>,
    conditions: Arc<Conditions>,
    tried_at: Instant,
    complaints: Complaints,
}

impl Desk<'_> {
    fn serve(mut self, inbox: &Receiver<Box<dyn Job>>, published: &watch::Sender<Counters>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            match self.next(inbox) {
                Ok(first) => group.push(first),
                Err(RecvTimeoutError::Timeout) => {
                    self.tidy_up();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while group.len() < GROUP_MAX
                && let Ok(next) = inbox.try_recv()
            {
                group.push(next);
            }
            match self.commit(&mut group) {
                Ok(()) => {
                    let Page { unnamed, names, .. } = &mut self.page;
                    names.ask(unnamed.drain(..));
                    // Only a change wakes those who watch.
                    published.send_if_modified(|told| {
                        let changed = *told != self.counters;
                        told.clone_from(&self.counters);
                        changed
                    });
                    self.conditions.answers();
                    group.drain(..).for_each(Job::committed);
                    self.tidy_up();
                }
                Err(error) => {
                    let Page { unnamed, names, indexes, .. } = &mut self.page;
                    unnamed.drain(..).for_each(|unnamed| names.give_up(unnamed.number));
                    indexes.guard.failed();
                    // Read anew with the next transaction.
                    self.version = None;
                    self.conditions.fails(&error);
                    self.complaints.note(&self.conditions, group.len());
                    if matches!(error, Error::DiskFull) {
                        self.give_way();
                    }
                    let error = Arc::new(error);
                    group.drain(..).for_each(|job| job.failed(&error));
                }
            }
        }
    }

    /// The next request; none in time where there is something to tidy up.
    fn next(&self, inbox: &Receiver<Box<dyn Job>>) -> Result<Box<dyn Job>, RecvTimeoutError> {
        let is_full = self.reserve.is_some() && !self.conditions.has_room();
        let wait = match (is_full, self.log.next_try()) {
            (true, log) => Some(log.unwrap_or(TRY_FOR_ROOM_EVERY).min(TRY_FOR_ROOM_EVERY)),
            (false, log) => log,
        };
        match wait {
            Some(wait) => inbox.recv_timeout(wait),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// What nobody waits for: the senders are answered before it.
    fn tidy_up(&mut self) {
        self.log.empty(self.page.connection, &self.conditions);
        self.make_room();
    }

    /// One transaction: all of the group or nothing of it.
    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), Error> {
        let page = &mut self.page;
        let transaction =
            Transaction::new_unchecked(page.connection, TransactionBehavior::Immediate)?;
        let mut before = self.counters.clone();
        let version = page.statements.committed_by_others.get()?;
        let version = version.query_row((), |row| row.get(0)).map(Some)?;
        if self.version != version {
            page.register.take_in(&transaction)?;
            before = self.counters.reloaded(&transaction)?;
            page.indexes.catch_up(&transaction)?;
        }
        page.turn(before.clone(), self.conditions.has_room());
        for job in group.iter_mut() {
            job.run(page)?;
        }
        if self.reserve.is_some() {
            page.merge_some()?;
        }
        if page.is_recounted {
            // The table differs from what it was before the transaction, whatever that was.
            before = Counters::unknown();
        }
        page.counters.store(&before, &transaction)?;
        if !page.unnamed.is_empty() {
            // Before a batch can be made of them.
            page.names.wait(&page.unnamed);
        }
        transaction.commit()?;
        page.indexes.guard.committed();
        self.counters.clone_from(&page.counters);
        self.version = version;
        if page.is_to_be_purged {
            self.log.is_to_be_emptied();
        }
        Ok(())
    }

    /// The disk is full: no more events, and the reserve is there for rows to go out.
    fn give_way(&mut self) {
        if let Some(reserve) = &mut self.reserve {
            reserve.release();
        }
        self.tried_at = Instant::now();
    }

    /// After a full disk: takes events again once there is room for the reserve.
    fn make_room(&mut self) {
        let Some(reserve) = &mut self.reserve else { return };
        if self.conditions.has_room() || self.tried_at.elapsed() < TRY_FOR_ROOM_EVERY {
            return;
        }
        self.tried_at = Instant::now();
        if self.counters.tally.pending() == 0 {
            // What was delivered left free pages inside the file; the disk gets them back.
            if let Err(error) = give_back(self.page.connection) {
                log::debug!("cannot make the journal's file smaller: {error}");
            }
        }
        if reserve.hold() {
            self.conditions.set(None);
            log::info!("the disk has room again: events are taken");
        }
    }
}

/// Gives free pages of the file back to the disk, a few at a time, since each step takes room in the log
/// until it is emptied: half a megabyte, of the reserve's eight.
fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        let before: i64 =
            connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        connection.pragma(None, "incremental_vacuum", GIVE_BACK_PAGES, |_| Ok(()))?;
        Log::truncate(connection)?;
        let after: i64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if after == 0 || after >= before || began.elapsed() > GIVE_BACK_FOR {
            return Ok(());
        }
    }
}

/// Says what is wrong, once a minute at most.
#[derive(Default)]
struct Complaints {
    said_at: Option<Instant>,
    requests: usize,
}

impl Complaints {
    fn note(&mut self, conditions: &Conditions, requests: usize) {
        self.requests += requests;
        if self.said_at.is_none_or(|said_at| said_at.elapsed() > COMPLAIN_EVERY) {
            let why = conditions.get().map(|why| why.to_string()).unwrap_or_default();
            log::error!(
                requests = self.requests;
                "cannot commit to the journal, the senders are told to come back: {why}"
            );
            (self.said_at, self.requests) = (Some(Instant::now()), 0);
        }
    }
}
