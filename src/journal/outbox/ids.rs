//! The ids that we choose at Google: of tabs and of markers.

use std::ops::Range;

use crate::journal::counters::BookId;
use crate::journal::origin::{self, MARKER_BASE};
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

impl Journal {
    /// The id under which a tab of this spreadsheet is to be made, drawn when first asked for. `name`
    /// is what the tab is for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tab_id(&self, book: BookId, name: &str) -> Result<i32, Error> {
        let name = meta_name(book, name);
        let asked = name.clone();
        let id = match self.read(move |store| Ok(store.meta(&asked)?)).await? {
            Some(id) => id,
            None => {
                let drawn = origin::tab_id();
                let work = move |transaction: &mut Transaction<'_>| {
                    if let Some(id) = transaction.read()?.meta(&name)? {
                        return Ok(id);
                    }
                    transaction.change().meta.push((name.clone(), drawn));
                    Ok(drawn)
                };
                self.writer().commit(work).await?
            }
        };
        Ok(i32::try_from(id).unwrap_or_default())
    }

    /// Draws another tab id, when Google refuses the one we have.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redraw_tab_id(&self, book: BookId, name: &str) -> Result<(), Error> {
        self.commit_as_owner(noted(meta_name(book, name), origin::tab_id())).await
    }

    /// Draws another range of marker ids, when someone else's marker is found at one of ours.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redraw_marker_base(&self) -> Result<(), Error> {
        self.commit_as_owner(noted(MARKER_BASE.to_owned(), origin::marker_base())).await
    }

    /// The marker ids that this journal has given so far.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn marker_ids(&self) -> Result<Range<i32>, Error> {
        let base = self.read(|store| Ok(store.meta(MARKER_BASE)?)).await?.unwrap_or_default();
        let next = base + self.tally().next_batch.cast_signed();
        Ok(i32::try_from(base).unwrap_or(i32::MAX)..i32::try_from(next).unwrap_or(i32::MAX))
    }

    pub(in crate::journal) async fn set_meta(&self, name: String, value: i64) -> Result<(), Error> {
        self.writer().commit(noted(name, value)).await
    }
}

/// Notes a number under a name.
fn noted(
    name: String,
    value: i64,
) -> impl FnMut(&mut Transaction<'_>) -> Result<(), Error> + Send + 'static {
    move |transaction| {
        transaction.change().meta.push((name.clone(), value));
        Ok(())
    }
}

fn meta_name(book: BookId, name: &str) -> String {
    format!("tab.{}.{name}", book.0)
}
