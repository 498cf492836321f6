//! The lease: which of the processes that share a journal does what must be done once: forwarding, upkeep,
//! alarms.
//!
//! One row with an owner, an epoch and a time by the database's clock. Its owner makes it longer well before
//! it ends; whoever finds it ended takes it under the next epoch. Every transaction of an owner looks, under
//! the lock, whether its epoch still counts, so that one that was stopped and wakes can commit nothing. What it
//! may still send to Google is refused there by the marker. A lease that is resigned only ends: the epoch stays
//! and goes on counting.
//!
//! A journal in a directory has no lease: who holds the directory is the one.

use std::time::{Duration, Instant};

use crate::chat::time::UnixMs;
use crate::journal::store::Lease;
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal, rerouting};

/// How long a process that is not heard of any more is still told of.
const FELLOW_TOLD_MS: i64 = 60_000;
/// How long it is known. By what is noted of it it finds out, when the database can be reached again, what
/// became of its last commit: so this is far longer than any machine is cut off or stopped.
const FELLOW_KEPT_MS: i64 = 30 * 86_400_000;

/// A stretch of time in which one process owned the lease, by its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term(u64);

/// One of the processes that share a journal.
#[derive(Clone, Debug)]
pub struct Fellow {
    /// Drawn by chance when it started.
    pub id: String,
    /// How long ago it was last heard of.
    pub silent_ms: i64,
    /// JSON of what it says of itself.
    pub report: String,
    /// Whether it owns the lease.
    pub forwards: bool,
    /// Whether it is this process.
    pub is_self: bool,
}

/// What an owner may rely on without asking again.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Which.
    pub term: Term,
    /// When the attempt that got it began: it lasts from then on, not from the answer.
    pub since: Instant,
}

impl Journal {
    /// Tells the others that this process is there, and what it says of itself; takes the lease where it is
    /// free, or makes it longer. `None` where another owns it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn beat(&self, report: String, length: Duration) -> Result<Option<Held>, Error> {
        let since = Instant::now();
        let length_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let work = move |transaction: &mut Transaction<'_>| {
            let Some(own) = transaction.shared.instance.clone() else { return Ok(Some(Term(0))) };
            let now = transaction.now(UnixMs(0));
            let changes = transaction.change();
            changes.report = Some((own.clone(), report.clone()));
            changes.instances_until = Some(now.plus_ms(-FELLOW_KEPT_MS));
            let lease = transaction.read()?.lease()?.unwrap_or_default();
            let Some(next) = next(&lease, &own, now, length_ms) else {
                return Ok(None);
            };
            let (term, is_new) = (Term(next.epoch), next.epoch != lease.epoch);
            transaction.change().lease = Some(next);
            if is_new {
                rerouting::leave_unserved(transaction)?;
            }
            Ok(Some(term))
        };
        let term = self.writer().commit(work).await?;
        Ok(term.map(|term| Held { term, since }))
    }

    /// Ends the lease of a term, so that another process may take over at once.
    ///
    /// # Errors
    /// When the database does not answer: then it ends by itself.
    pub async fn resign(&self, term: Term) -> Result<(), Error> {
        let work = move |transaction: &mut Transaction<'_>| {
            let Some(lease) = transaction.read()?.lease()? else { return Ok(()) };
            if lease.epoch == term.0 {
                transaction.change().lease = Some(Lease { until: UnixMs(0), ..lease });
            }
            Ok(())
        };
        self.writer().commit(work).await
    }

    /// Whether nobody owns the lease at this moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_unowned(&self) -> Result<bool, Error> {
        self.read(|store| {
            let Some(lease) = store.lease()? else { return Ok(false) };
            Ok(store.clock()?.is_some_and(|now| lease.until <= now))
        })
        .await
    }

    /// The same journal for what is done in this term.
    #[must_use]
    pub fn in_term(&self, term: Term) -> Self {
        Self(self.0.clone(), Some(term))
    }

    /// The processes that share the journal; none where only one can serve.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn fellows(&self) -> Result<Vec<Fellow>, Error> {
        let own = self.0.shared.instance.clone();
        self.read(move |store| {
            let (lease, now) = (store.lease()?.unwrap_or_default(), store.clock()?);
            let now = now.unwrap_or_default();
            let is_owned = lease.until > now;
            let fellows = store.instances()?.into_iter().map(|instance| Fellow {
                silent_ms: now.since_ms(instance.seen_at).max(0),
                forwards: is_owned && lease.owner.as_deref() == Some(&*instance.id),
                is_self: own.as_deref() == Some(&*instance.id),
                id: instance.id,
                report: instance.report,
            });
            Ok(fellows.filter(|fellow| fellow.silent_ms < FELLOW_TOLD_MS).collect())
        })
        .await
    }
}

impl Transaction<'_> {
    /// Whether this process owns the lease, or needs none.
    pub(in crate::journal) fn is_owner(&mut self) -> Result<bool, Error> {
        let Some(lease) = self.read()?.lease()? else { return Ok(true) };
        Ok(lease.owner.as_deref() == self.shared.instance.as_deref())
    }

    /// Goes on only where the lease is still that of this term.
    pub(in crate::journal) fn must_own(&mut self, term: Option<Term>) -> Result<(), Error> {
        let Some(lease) = self.read()?.lease()? else { return Ok(()) };
        let is_own = lease.owner.as_deref() == self.shared.instance.as_deref();
        match term {
            Some(Term(epoch)) if is_own && lease.epoch == epoch => Ok(()),
            _ => Err(Error::NotOwner),
        }
    }
}

/// What the lease becomes where `own` may have it; `None` where another owns it. By the database's clock.
fn next(lease: &Lease, own: &str, now: UnixMs, length_ms: i64) -> Option<Lease> {
    let is_over = lease.until <= now;
    let is_own = lease.owner.as_deref() == Some(own);
    let until = now.plus_ms(length_ms);
    match (is_own, is_over) {
        (true, false) => Some(Lease { until, ..lease.clone() }),
        // Also where it was ours: what was begun in the last term is over.
        (_, true) => Some(Lease { owner: Some(own.to_owned()), epoch: lease.epoch + 1, until }),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(owner: &str, epoch: u64, until: i64) -> Lease {
        Lease { owner: Some(owner.to_owned()), epoch, until: UnixMs(until) }
    }

    #[test]
    fn a_lease_that_lasts_is_only_made_longer_by_its_owner() {
        let held = lease("a", 7, 1_000);
        assert_eq!(next(&held, "a", UnixMs(400), 1_000), Some(lease("a", 7, 1_400)));
        assert_eq!(next(&held, "b", UnixMs(999), 1_000), None);
    }

    #[test]
    fn a_lease_that_ended_begins_another_epoch_whoever_takes_it() {
        let ended = lease("a", 7, 1_000);
        assert_eq!(next(&ended, "b", UnixMs(1_000), 500), Some(lease("b", 8, 1_500)));
        assert_eq!(next(&ended, "a", UnixMs(1_000), 500), Some(lease("a", 8, 1_500)));
        assert_eq!(next(&Lease::default(), "a", UnixMs(5), 500), Some(lease("a", 1, 505)));
    }
}
