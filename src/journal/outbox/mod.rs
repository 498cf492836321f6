//! The way out: pending rows are drafted, sealed into batches, and settled; or set aside, and tried again.

pub(in crate::journal) mod batch;
pub(in crate::journal) mod draft;
pub mod export;
pub(in crate::journal) mod set_aside;
mod ids;
mod seal;
mod settle;

use crate::chat::time::UnixMs;
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

impl Journal {
    /// Notes that a write leaves now, before it does.
    ///
    /// # Errors
    /// When it could not be noted; the write should not leave then.
    pub async fn note_sent(&self, now: UnixMs, window_ms: i64) -> Result<(), Error> {
        // Those that the clock, set back since, says are yet to come count no longer than the others.
        let (since, until) = (now.plus_ms(-window_ms), now.plus_ms(window_ms));
        let work = move |transaction: &mut Transaction<'_>| {
            transaction.change().sent = Some((now, since, until));
            Ok(())
        };
        self.writer().commit(work).await
    }

    /// When writes left, as far as noted, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sent(&self) -> Result<Vec<UnixMs>, Error> {
        self.read(|store| Ok(store.sent()?)).await
    }
}
