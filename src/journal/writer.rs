//! The writer: one thread, one store, one transaction for everything that waits.
//!
//! Whoever asks waits here for the answer, which comes after the commit and never before. What the thread does
//! with all that waits is the business of [`crate::journal::group`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use crate::journal::Error;
use crate::journal::counters::Counters;
use crate::journal::group::{Group, Job};
use crate::journal::store::{Keys, Store};
use crate::journal::transaction::{Shared, Transaction};

/// Most requests that may wait for the writer; beyond it they are refused at once.
const REQUESTS_MAX: usize = 8_192;

struct Request<F, T> {
    keys: Option<Keys>,
    is_kept: bool,
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

    fn is_wanted(&self) -> bool {
        self.is_kept || !self.reply.is_closed()
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

/// The way to the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    requests: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    is_closing: Arc<AtomicBool>,
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
        let is_closing = Arc::new(AtomicBool::new(false));
        let group = Group::new(store, shared, published, Arc::clone(&is_closing));
        let serve = move || group.run(&inbox);
        let thread = std::thread::Builder::new().name("journal".into()).spawn(serve)?;
        Ok(Self { requests: Some(requests), thread: Some(thread), is_closing })
    }

    /// Runs `work` in the next transaction; resolves after that transaction is durable.
    ///
    /// The work may be run again after a transaction that came to nothing. Dropping the future does not
    /// take it back, but where the database is away it is not tried again then.
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

    /// The same, for work that asks for these keys: they are loaded with those of its whole group. It is done
    /// even when nobody waits for it any more.
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
        let is_kept = keys.is_some();
        let job = Box::new(Request { keys, is_kept, work, outcome: None, reply });
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
        self.is_closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It may be waiting for a database that does not answer.
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}
