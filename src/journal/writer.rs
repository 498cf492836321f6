//! The writer: one thread, one store, one transaction for everything that waits.
//!
//! Group commit without a window: while one transaction is being made durable, the next group gathers, so
//! the store's own latency is the only delay. Whoever waits is answered after the commit and never before;
//! if the commit fails, everyone in the group hears so and nothing of it has happened. Work that fails by
//! itself is taken out, and the group is run again without it.
//!
//! Another process may commit in between (`replay`, `forget`, `check` beside the running service), or a
//! transaction fail: then the counters are read anew, inside the transaction that goes on from them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::journal::Error;
use crate::journal::awaited::{Seat, Unnamed};
use crate::journal::counters::Counters;
use crate::journal::rerouting;
use crate::journal::store::{Fault, Keys, Store};
use crate::journal::transaction::{Shared, Transaction};

/// Most requests in one transaction: keeps the slowest answer of a group near the fastest.
const GROUP_MAX: usize = 1_024;
/// Most requests that may wait for the writer; beyond it they are refused at once.
const REQUESTS_MAX: usize = 8_192;
/// How often the same trouble is said.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// What one request wants done inside the transaction.
trait Job: Send {
    fn keys(&self) -> Option<&Keys>;
    /// May be called again, after a transaction that came to nothing.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Error>;
    fn committed(self: Box<Self>);
    fn failed(self: Box<Self>, error: &Error);
}

struct Request<F, T> {
    keys: Option<Keys>,
    work: F,
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> Job for Request<F, T>
where
    F: FnMut(&mut Transaction<'_>) -> Result<T, Error> + Send,
    T: Send,
{
    fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Error> {
        self.outcome = None;
        self.outcome = Some((self.work)(transaction)?);
        Ok(())
    }

    fn committed(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Whoever asked may have gone away; what was committed stays so.
            drop(self.reply.send(Ok(outcome)));
        }
    }

    fn failed(self: Box<Self>, error: &Error) {
        drop(self.reply.send(Err(error.clone())));
    }
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// The way to the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    requests: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. After every commit the new counters are published, then the waiting are
    /// told.
    pub(super) fn start(
        store: Box<dyn Store>,
        shared: Arc<Shared>,
        published: watch::Sender<Counters>,
    ) -> std::io::Result<Self> {
        let (requests, inbox) = sync_channel(REQUESTS_MAX);
        let serve = move || {
            let counters = published.borrow().clone();
            let complaints = Complaints::default();
            Loop { store, shared, counters, complaints, come_again: None }.run(&inbox, &published);
        };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(serve)?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    /// Runs `work` in the next transaction; resolves after that transaction is durable.
    ///
    /// The work may be run again after a transaction that came to nothing. Dropping the future does not
    /// take it back.
    ///
    /// # Errors
    /// [`Error::Busy`] if too many wait already, [`Error::Closed`] after the end, and whatever kept
    /// the transaction from being committed.
    pub(super) async fn commit<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    {
        self.send(None, work).await
    }

    /// The same, for work that asks for these keys: they are loaded with those of its whole group.
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub(super) async fn commit_on<T, F>(&self, keys: Keys, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    {
        self.send(Some(keys), work).await
    }

    async fn send<T, F>(&self, keys: Option<Keys>, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Request { keys, work, outcome: None, reply });
        let requests = self.requests.as_ref().ok_or(Error::Closed)?;
        requests.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => Error::Closed,
        })?;
        answer.await.unwrap_or(Err(Error::Closed))
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

/// Why a transaction came to nothing.
enum Stopped {
    /// The store refused.
    Store(Fault),
    /// This job of the group failed by itself.
    Job(usize, Error),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

/// What the thread holds between two groups.
struct Loop {
    store: Box<dyn Store>,
    shared: Arc<Shared>,
    counters: Counters,
    complaints: Complaints,
    /// When the store wants to tidy up though nobody asks for anything.
    come_again: Option<Duration>,
}

impl Loop {
    fn run(mut self, inbox: &Receiver<Box<dyn Job>>, published: &watch::Sender<Counters>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            let first = match self.come_again {
                Some(wait) => inbox.recv_timeout(wait),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match first {
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
            self.settle(&mut group, published);
            self.tidy_up();
        }
    }

    /// What nobody waits for: the senders are answered before it.
    fn tidy_up(&mut self) {
        let tally = &self.counters.tally;
        let is_drained = tally.pending() + tally.handovers_pending() == 0;
        self.come_again = self.store.tidy_up(is_drained);
    }

    /// Commits a group, and tells everyone in it.
    fn settle(&mut self, group: &mut Vec<Box<dyn Job>>, published: &watch::Sender<Counters>) {
        while !group.is_empty() {
            match self.attempt(group) {
                Ok(unnamed) => {
                    for (seat, unnamed) in unnamed {
                        // Nobody may be there any more to look it up: then it goes without.
                        seat.send(unnamed);
                    }
                    // Only a change wakes those who watch.
                    published.send_if_modified(|told| {
                        let changed = *told != self.counters;
                        told.clone_from(&self.counters);
                        changed
                    });
                    self.shared.conditions.answers();
                    group.drain(..).for_each(Job::committed);
                }
                Err(Stopped::Job(at, error)) => {
                    self.store.roll_back(None);
                    group.remove(at).failed(&error);
                }
                Err(Stopped::Store(fault)) => {
                    self.store.roll_back(Some(&fault));
                    let sentence = self.shared.conditions.fails(&fault);
                    self.complaints.note(&sentence, group.len());
                    let error = Error::Store(fault);
                    group.drain(..).for_each(|job| job.failed(&error));
                }
            }
        }
    }

    /// One transaction: all of the group or nothing of it. Gives the rows whose names are to be asked for.
    fn attempt(&mut self, group: &mut [Box<dyn Job>]) -> Result<Vec<(Seat, Unnamed)>, Stopped> {
        let is_old = self.store.begin()?;
        let before = match is_old {
            true => self.store.read().counters()?,
            false => self.counters.clone(),
        };
        let shared = Arc::clone(&self.shared);
        let mut transaction = Transaction::new(&mut *self.store, &shared, before.clone())?;
        if is_old {
            let taken_in = rerouting::take_in(&mut transaction);
            taken_in.map_err(|error| stopped(0, error))?;
        }
        let mut keys = Keys::default();
        group.iter().filter_map(|job| job.keys()).for_each(|of_job| keys.add(of_job));
        transaction.load(&keys)?;
        for (at, job) in group.iter_mut().enumerate() {
            job.run(&mut transaction).map_err(|error| stopped(at, error))?;
        }
        transaction.finish(&before)?;
        let Transaction { counters, unnamed, .. } = transaction;
        self.store.commit()?;
        self.counters = counters;
        Ok(unnamed)
    }
}

fn stopped(at: usize, error: Error) -> Stopped {
    match error {
        Error::Store(fault) => Stopped::Store(fault),
        error => Stopped::Job(at, error),
    }
}

/// Says what is wrong, once a minute at most.
#[derive(Default)]
struct Complaints {
    said_at: Option<Instant>,
    requests: usize,
}

impl Complaints {
    fn note(&mut self, why: &str, requests: usize) {
        self.requests += requests;
        if self.said_at.is_none_or(|said_at| said_at.elapsed() > COMPLAIN_EVERY) {
            log::error!(
                requests = self.requests;
                "cannot commit to the journal, the senders are told to come back: {why}"
            );
            (self.said_at, self.requests) = (Some(Instant::now()), 0);
        }
    }
}
