//! Upkeep: forgetting in time and on request, copies, and facts found out.

pub(in crate::journal) mod backup;
pub(in crate::journal) mod forget;

use crate::chat::digest::Digest;
use crate::chat::time::UnixMs;
use crate::chat::waiting::DROPS_WINDOW_MS;
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

/// Records that are looked at in one transaction, so that acknowledgements pass between.
const STEP: usize = 500;

impl Journal {
    /// Removes the last traces of delivered rows from the disk. For a quiet moment: it takes a sync.
    /// Resolves when it was tried; where somebody reads the database it is tried again by itself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge(&self) -> Result<(), Error> {
        let work = |transaction: &mut Transaction<'_>| {
            transaction.purge();
            Ok(())
        };
        self.writer().commit(work).await?;
        // It is done after the answer: this comes behind it.
        self.refresh().await
    }

    /// Takes whoever waits since the event of this number off the board: nobody does, it was a trial.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drop_wait(&self, number: u64) -> Result<(), Error> {
        let work = move |transaction: &mut Transaction<'_>| {
            if let Some(stored) = transaction.wait_numbered(number)? {
                transaction.drop_wait(&stored);
            }
            Ok(())
        };
        self.writer().commit(work).await
    }

    /// Looks whether another process has changed something, and tells the watchers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refresh(&self) -> Result<(), Error> {
        self.writer().commit(|_| Ok(())).await
    }

    /// Deletes what has been quiet for longer than the retention, a few hundred records at a time.
    ///
    /// # Errors
    /// When the database does not answer; the next sweep starts over.
    pub async fn sweep(&self, now: UnixMs) -> Result<(), Error> {
        let now = self.clock(now);
        let retention_ms = self.limits().rules.retention_ms;
        let before = now.plus_ms(-retention_ms);
        let yesterday = now.plus_ms(-DROPS_WINDOW_MS);
        let bodies = move |transaction: &mut Transaction<'_>| {
            let bodies = transaction.read()?.unrecognised()?;
            let old = bodies.iter().filter(|body| body.received_at < before).map(|body| body.id);
            let changes = transaction.change();
            changes.unrecognised_gone.extend(old);
            changes.fences_until = Some(before);
            transaction.forget_counted(retention_ms, now);
            Ok(())
        };
        self.commit_as_owner(bodies).await?;
        let mut after = Some(0);
        while let Some(from) = after {
            let work = move |transaction: &mut Transaction<'_>| {
                sweep_waits(transaction, from, yesterday, before)
            };
            after = self.commit_as_owner(work).await?;
        }
        let mut after = Some(None);
        while let Some(from) = after {
            let work =
                move |transaction: &mut Transaction<'_>| sweep_records(transaction, from, before);
            after = self.commit_as_owner(work).await?;
        }
        Ok(())
    }

    /// Notes whether a fact about Google holds. Also for `check --live`, beside the running service.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_fact(&self, name: &str, holds: bool) -> Result<(), Error> {
        self.set_meta(format!("fact.{name}"), i64::from(holds)).await
    }

    /// What `check --live` found out under each of these names: holds, does not hold, or never tried.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn facts<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<[Option<bool>; N], Error> {
        self.read(move |store| {
            let mut facts = [None; N];
            for (fact, name) in facts.iter_mut().zip(names) {
                *fact = store.meta(&format!("fact.{name}"))?.map(|value| value != 0);
            }
            Ok(facts)
        })
        .await
    }

    /// Looks through the whole database for what is not what was written.
    ///
    /// # Errors
    /// [`crate::journal::Fault::Damaged`] where there is something, and whatever kept it from being read.
    pub async fn verify(&self) -> Result<(), Error> {
        self.read(|store| Ok(store.verify()?)).await
    }
}

/// Deletes waits that ended before `ended` and those that nothing was heard of since `quiet`; gives where
/// to go on.
fn sweep_waits(
    transaction: &mut Transaction<'_>,
    after: u64,
    ended: UnixMs,
    quiet: UnixMs,
) -> Result<Option<u64>, Error> {
    let waits = transaction.read()?.waits(after, STEP)?;
    for wait in &waits {
        if wait.seen_at < quiet || (wait.is_over && wait.seen_at < ended) {
            transaction.drop_wait(wait);
        }
    }
    Ok(waits.last().map(|wait| wait.number))
}

/// Deletes what is remembered and has been quiet since `before`; gives where to go on.
fn sweep_records(
    transaction: &mut Transaction<'_>,
    after: Option<Digest>,
    before: UnixMs,
) -> Result<Option<Option<Digest>>, Error> {
    let records = transaction.read()?.records(after, STEP)?;
    let last = records.last().map(|(key, _)| Some(*key));
    for (key, remembered) in records {
        if remembered.seen_at < before {
            transaction.set_remembered(key, None);
        }
    }
    Ok(last)
}
