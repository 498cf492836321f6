//! The writer: one thread, one connection, one transaction for everything that waits.
//!
//! Group commit without a window: while one transaction is being synced, the next group gathers, so
//! the disk's own latency is the only delay. Whoever waits is answered after the commit and never
//! before; if the commit fails, everyone in the group hears so and nothing of it has happened.
//!
//! Another process may commit in between (`replay`, `forget`, `check` beside the running service):
//! then the counters are read anew, inside the transaction that goes on from them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{oneshot, watch};

use crate::causes::Causes;
use crate::journal::Error;
use crate::journal::guard::Guard;
use crate::journal::page::Page;
use crate::journal::tally::Tally;

/// Most requests in one transaction: keeps the slowest answer of a group near the fastest.
const GROUP_MAX: usize = 1_024;
/// Most requests that may wait for the writer; beyond it they are refused at once.
const WAITING_MAX: usize = 8_192;

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
    /// Starts the thread. After every commit the new tally is published, then the waiting are told.
    pub(super) fn start(
        connection: Connection,
        tally: Tally,
        published: watch::Sender<Tally>,
    ) -> std::io::Result<Self> {
        let (requests, inbox) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || serve(connection, tally, &inbox, &published))?;
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

fn serve(
    mut connection: Connection,
    mut tally: Tally,
    inbox: &Receiver<Box<dyn Job>>,
    published: &watch::Sender<Tally>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    let mut version = None;
    let mut guard = Guard::default();
    while let Ok(first) = inbox.recv() {
        group.push(first);
        while group.len() < GROUP_MAX
            && let Ok(next) = inbox.try_recv()
        {
            group.push(next);
        }
        match commit_group(&mut connection, tally, &mut version, &mut guard, &mut group) {
            Ok(after) => {
                guard.committed();
                tally = after;
                published.send_replace(tally);
                group.drain(..).for_each(Job::committed);
            }
            Err(error) => {
                guard.failed();
                log::error!(
                    requests = group.len();
                    "cannot commit to the journal, the senders are told to come back: {}",
                    Causes(&error)
                );
                let error = Arc::new(error);
                group.drain(..).for_each(|job| job.failed(&error));
            }
        }
    }
    if let Err(error) = connection.close() {
        log::warn!("cannot close the journal tidily: {}", error.1);
    }
}

/// One transaction: all of the group or nothing of it.
fn commit_group(
    connection: &mut Connection,
    mut before: Tally,
    version: &mut Option<i64>,
    guard: &mut Guard,
    group: &mut [Box<dyn Job>],
) -> Result<Tally, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // SQLite's own word on whether someone else has committed since we last looked.
    let now = transaction
        .prepare_cached("PRAGMA data_version")?
        .query_row((), |row| row.get(0))
        .map(Some)?;
    if *version != now {
        before = Tally::load(&transaction)?;
        guard.catch_up(&transaction)?;
        *version = now;
    }
    let mut page = Page::new(&transaction, before, guard);
    for job in group.iter_mut() {
        job.run(&mut page)?;
    }
    let (after, is_to_be_purged) = (page.tally, page.is_to_be_purged);
    if after != before {
        after.store(&transaction)?;
    }
    transaction.commit()?;
    if is_to_be_purged {
        // Deleted rows are overwritten in the database, but linger in the log until it is emptied.
        // A reader in the way only puts that off.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap_or_default();
    }
    Ok(after)
}
