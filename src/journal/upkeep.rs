//! Upkeep: forgetting in time, leaving no traces, and facts found out.

use std::sync::Arc;

use crate::chat::time::UnixMs;
use crate::chat::waiting::DROPS_WINDOW_MS;
use crate::journal::page::Page;
use crate::journal::{Error, Journal};

impl Journal {
    /// Removes the last traces of delivered rows from the disk. For a quiet moment: it takes a sync.
    /// Resolves when it was tried; where somebody reads the database it is tried again by itself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge(&self) -> Result<(), Arc<Error>> {
        let work = |page: &mut Page<'_>| {
            page.is_to_be_purged = true;
            Ok(())
        };
        self.0.writer.commit(work).await?;
        // The log is emptied after the answer: this comes behind it.
        self.refresh().await
    }

    /// Takes whoever waits since the event of this number off the board: nobody does, it was a trial.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drop_wait(&self, number: u64) -> Result<(), Arc<Error>> {
        self.0.writer.commit(move |page| page.drop_wait(number)).await
    }

    /// Notes whether a fact about Google holds. Also for `check --live`, beside the running service.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_fact(&self, name: &str, holds: bool) -> Result<(), Arc<Error>> {
        let name = format!("fact.{name}");
        self.0.writer.commit(move |page| page.set_meta(&name, i64::from(holds))).await
    }

    /// Looks whether another process has changed something, and tells the watchers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refresh(&self) -> Result<(), Arc<Error>> {
        self.0.writer.commit(|_| Ok(())).await
    }

    /// Deletes what has been quiet for longer than the retention.
    ///
    /// Goes through the memory a few hundred keys at a time, so that acknowledgements pass between.
    ///
    /// # Errors
    /// When the database does not answer; the next sweep starts over.
    pub async fn sweep(&self, now: UnixMs) -> Result<(), Arc<Error>> {
        const KEYS_A_STEP: i64 = 500;
        let before = now.plus_ms(-self.0.limits.rules.retention_ms);
        let yesterday = now.plus_ms(-DROPS_WINDOW_MS);
        self.0.writer.commit(move |page| page.forget_unrecognised(before)).await?;
        while self.0.writer.commit(move |page| page.forget_waits(yesterday, before)).await? > 0 {}
        let mut cursor = Some(Vec::new());
        while let Some(from) = cursor {
            let work = move |page: &mut Page<'_>| page.forget_quiet(before, &from, KEYS_A_STEP);
            cursor = self.0.writer.commit(work).await?;
        }
        Ok(())
    }

    /// What `check --live` found out under each of these names: holds, does not hold, or never tried.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn facts<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<[Option<bool>; N], Arc<Error>> {
        self.read(move |reader| {
            let mut facts = [None; N];
            for (fact, name) in facts.iter_mut().zip(names) {
                *fact = reader.meta(&format!("fact.{name}"))?.map(|value| value != 0);
            }
            Ok(facts)
        })
        .await
    }
}
