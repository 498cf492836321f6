//! A group: all that waits, committed as one transaction, then everyone is answered.
//!
//! Group commit without a window: while one transaction is being made durable, the next group gathers, so
//! the store's own latency is the only delay. If the commit fails, everyone in the group hears so and nothing
//! of it has happened. Work that fails by itself is taken out, and the group is run again without it.
//!
//! Where the database is away, or has not said whether it committed, nobody is answered: the group is kept and
//! tried again until it is known to be committed. Whoever waited too long has gone by then, and an event is
//! kept all the same, since its sender may never come again.
//!
//! Another process may commit in between (another instance, or `replay`, `forget`, `check` beside the running
//! service), or a transaction fail: then the counters are read anew, inside the transaction that goes on from
//! them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::journal::awaited::{Seat, Unnamed};
use crate::journal::counters::Counters;
use crate::journal::store::{Fault, Keys, Store};
use crate::journal::transaction::{Shared, Transaction};
use crate::journal::{Error, history, rerouting};

/// Most requests in one transaction: keeps the slowest answer of a group near the fastest.
const GROUP_MAX: usize = 1_024;
/// How often the same trouble is said.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// How long to wait before a database that is away is tried again: at first, and at most.
const AWAY_WAIT_MIN: Duration = Duration::from_millis(50);
const AWAY_WAIT_MAX: Duration = Duration::from_secs(1);

/// What one request wants done inside the transaction.
pub(super) trait Job: Send {
    fn keys(&self) -> Option<&Keys>;
    /// May be called again, after a transaction that came to nothing.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Error>;
    /// Whether it is to be done although the first try came to nothing.
    fn is_wanted(&self) -> bool;
    fn committed(self: Box<Self>);
    fn failed(self: Box<Self>, error: &Error);
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
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

/// A transaction that lacks nothing but its commit.
struct Prepared {
    counters: Counters,
    /// The rows whose names are to be asked for.
    unnamed: Vec<(Seat, Unnamed)>,
}

/// What the thread holds between two groups.
pub(super) struct Group {
    store: Box<dyn Store>,
    shared: Arc<Shared>,
    published: watch::Sender<Counters>,
    counters: Counters,
    /// The next numbers of an event and of a batch after the last commit here: what was acknowledged is below.
    acknowledged: (u64, u64),
    complaints: Complaints,
    /// When the store wants to tidy up though nobody asks for anything.
    come_again: Option<Duration>,
    /// Nobody waits for a database that is away any more.
    is_closing: Arc<AtomicBool>,
    away_wait: Duration,
}

impl Group {
    /// Goes on from the counters that were published last; those after every commit are published, then
    /// the waiting are told.
    pub(super) fn new(
        store: Box<dyn Store>,
        shared: Arc<Shared>,
        published: watch::Sender<Counters>,
        is_closing: Arc<AtomicBool>,
    ) -> Self {
        let counters = published.borrow().clone();
        let complaints = Complaints::default();
        let (come_again, away_wait) = (None, AWAY_WAIT_MIN);
        let acknowledged = next_numbers(&counters);
        Self {
            store,
            shared,
            published,
            counters,
            acknowledged,
            complaints,
            come_again,
            is_closing,
            away_wait,
        }
    }

    /// Serves until nobody can ask any more.
    pub(super) fn run(mut self, inbox: &Receiver<Box<dyn Job>>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            let first = match self.come_again {
                Some(wait) => inbox.recv_timeout(wait),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match first {
                Ok(first) => group.push(first),
                Err(RecvTimeoutError::Timeout) => {
                    self.look();
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
            self.settle(&mut group);
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
    fn settle(&mut self, group: &mut Vec<Box<dyn Job>>) {
        while !group.is_empty() {
            match self.attempt(group) {
                Ok(prepared) => self.committed(group, prepared),
                Err(Stopped::Job(at, error)) => {
                    self.store.roll_back(None);
                    group.remove(at).failed(&error);
                }
                Err(Stopped::Store(fault)) => {
                    self.store.roll_back(Some(&fault));
                    let is_away = matches!(fault, Fault::Away(_) | Fault::Unknown(_));
                    if is_away && self.waits(&fault, group.len()) {
                        group.retain(|job| job.is_wanted());
                        continue;
                    }
                    self.fail(group, fault);
                }
            }
        }
    }

    /// Sees what others have committed, so that whoever watches hears of it.
    fn look(&mut self) {
        if let Some(counters) = self.store.look() {
            self.counters = counters;
            self.publish();
        }
    }

    /// Only a change wakes those who watch.
    fn publish(&self) {
        self.published.send_if_modified(|told| {
            let changed = *told != self.counters;
            told.clone_from(&self.counters);
            changed
        });
    }

    fn committed(&mut self, group: &mut Vec<Box<dyn Job>>, prepared: Prepared) {
        let Prepared { counters, unnamed } = prepared;
        self.acknowledged = next_numbers(&counters);
        self.counters = counters;
        self.away_wait = AWAY_WAIT_MIN;
        for (seat, unnamed) in unnamed {
            // Nobody may be there any more to look it up: then it goes without.
            seat.send(unnamed);
        }
        self.publish();
        self.shared.conditions.answers();
        group.drain(..).for_each(Job::committed);
    }

    fn fail(&mut self, group: &mut Vec<Box<dyn Job>>, fault: Fault) {
        let sentence = self.shared.conditions.fails(&fault);
        self.complaints.note(&sentence, group.len());
        let error = Error::Store(fault);
        group.drain(..).for_each(|job| job.failed(&error));
    }

    /// Waits a moment for a database that is away; false where nobody is to wait any more.
    fn waits(&mut self, why: &Fault, requests: usize) -> bool {
        if self.is_closing.load(Ordering::Relaxed) {
            return false;
        }
        let sentence = self.shared.conditions.fails(why);
        self.complaints.note(&sentence, requests);
        // Whoever closes the journal wakes us.
        thread::park_timeout(self.away_wait);
        self.away_wait = (self.away_wait * 2).min(AWAY_WAIT_MAX);
        true
    }

    /// One transaction: all of the group or nothing of it.
    fn attempt(&mut self, group: &mut [Box<dyn Job>]) -> Result<Prepared, Stopped> {
        let prepared = self.prepare(group)?;
        let began = Instant::now();
        match self.store.commit() {
            Err(why @ Fault::Unknown(_)) => self.find_out(why, group.len())?,
            committed => committed?,
        }
        self.shared.commits.observe(began.elapsed());
        Ok(prepared)
    }

    /// Asks what became of a commit whose answer was lost, for as long as it takes. The group is to be run
    /// again where it came to nothing.
    fn find_out(&mut self, mut why: Fault, requests: usize) -> Result<(), Fault> {
        loop {
            match self.store.settle() {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(why),
                Err(fault) => {
                    self.store.roll_back(Some(&fault));
                    why = fault;
                }
            }
            if !self.waits(&why, requests) {
                return Err(why);
            }
        }
    }

    fn prepare(&mut self, group: &mut [Box<dyn Job>]) -> Result<Prepared, Stopped> {
        let mut keys = Keys::default();
        group.iter().filter_map(|job| job.keys()).for_each(|of_job| keys.add(of_job));
        keys.sort();
        let is_old = self.store.begin(&keys)?;
        let before = match is_old {
            true => self.store.read().counters()?,
            false => self.counters.clone(),
        };
        let shared = Arc::clone(&self.shared);
        let mut transaction = Transaction::new(&mut *self.store, &shared, before.clone())?;
        history::go_on(&mut transaction, self.acknowledged);
        if is_old {
            let taken_in = rerouting::take_in(&mut transaction);
            taken_in.map_err(|error| stopped(0, error))?;
        }
        transaction.load(&keys)?;
        for (at, job) in group.iter_mut().enumerate() {
            job.run(&mut transaction).map_err(|error| stopped(at, error))?;
        }
        transaction.finish(&before)?;
        let Transaction { counters, unnamed, .. } = transaction;
        Ok(Prepared { counters, unnamed })
    }
}

fn next_numbers(counters: &Counters) -> (u64, u64) {
    (counters.tally.next_number, counters.tally.next_batch)
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
            log::error!(requests = self.requests; "cannot commit to the journal: {why}");
            (self.said_at, self.requests) = (Some(Instant::now()), 0);
        }
    }
}
