//! Sessions of the page that were ended before their time, so that every process of the journal refuses them.
//!
//! There is no list of them, which somebody could make long: every session falls into one of a few slots, and of each
//! slot is kept until when those issued in it are over. Whoever happens to share the slot signs in once more.

use crate::chat::time::UnixMs;
use crate::journal::store::Keys;
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

impl Journal {
    /// Ends the sessions of a slot that were issued until then. While the database is away it is tried again, also
    /// when nobody waits for it any more.
    ///
    /// # Errors
    /// When it could not be kept.
    pub async fn end_sessions(&self, slot: u8, until: UnixMs) -> Result<(), Error> {
        let name = name(slot);
        let work = move |transaction: &mut Transaction<'_>| {
            let before = transaction.read()?.meta(&name)?;
            let until = before.map_or(until.0, |before| before.max(until.0));
            transaction.change().meta.push((name.clone(), until));
            Ok(())
        };
        self.writer().commit_on(Keys::default(), work).await
    }

    /// Until when the sessions of a slot were ended; `None` where none ever was.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sessions_ended(&self, slot: u8) -> Result<Option<UnixMs>, Error> {
        self.read(move |store| Ok(store.meta(&name(slot))?.map(UnixMs))).await
    }
}

fn name(slot: u8) -> String {
    format!("sessions_ended.{slot}")
}
