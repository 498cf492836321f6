//! Telling of who waits: since when they do, and when somebody was last told that it is too long.
//!
//! What was told is kept here, so that neither another start nor another process tells it again too soon.

use crate::chat::board::LINES_MAX;
use crate::chat::time::UnixMs;
use crate::chat::waiting::Wait;
use crate::journal::counters::BookId;
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

impl Journal {
    /// When the waits of a board began, by the journal's clock; of more than a board has lines, those that came
    /// first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn waits_began(&self, book: BookId) -> Result<Vec<UnixMs>, Error> {
        self.read(move |store| {
            let stored = store.board(book, LINES_MAX)?.into_iter();
            // One that cannot be read is said and let go when the board is drawn.
            let waits = stored.filter_map(|wait| serde_json::from_slice::<Wait>(&wait.record).ok());
            Ok(waits.map(|wait| wait.entry.unassigned_at).collect())
        })
        .await
    }

    /// When it was last told that somebody of a board waits too long; `None` where it was told since that this is
    /// over, or never.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn waits_told(&self, book: BookId) -> Result<Option<UnixMs>, Error> {
        let told = self.read(move |store| Ok(store.meta(&meta_name(book))?)).await?;
        Ok(told.filter(|told| *told != 0).map(UnixMs))
    }

    /// Notes that. Only the owner of the lease may, and so this is tried before telling, too.
    ///
    /// # Errors
    /// When another process has taken over, or the database does not answer.
    pub async fn note_waits_told(&self, book: BookId, told: Option<UnixMs>) -> Result<(), Error> {
        let value = told.map_or(0, |told| told.0);
        let work = move |transaction: &mut Transaction<'_>| {
            transaction.change().meta.push((meta_name(book), value));
            Ok(())
        };
        self.commit_as_owner(work).await
    }
}

fn meta_name(book: BookId) -> String {
    format!("waits_told.{}", book.0)
}
