//! Names that are being looked up: a row waits for its customer's name, and never for long.
//!
//! A name is asked for after the commit: before it, the number may still become another patient's.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::chat::customer::CustomerMemory;
use crate::chat::entry::Entry;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::awaited::{self, Unnamed};
use crate::journal::counters::BookId;
use crate::journal::routing::members;
use crate::journal::store::{Keys, Row, Span};
use crate::journal::transaction::{Transaction, json};
use crate::journal::{Error, Journal};

impl Journal {
    /// From now on tells of rows that lack a name; each is to be answered by [`Journal::name`].
    pub fn unnamed(&self) -> mpsc::Receiver<Unnamed> {
        self.names().look_up()
    }

    /// How long the oldest pending row of a spreadsheet may still wait for its name at `now`, by the
    /// journal's clock; `None` when it does not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn awaits_name(&self, book: BookId, now: UnixMs) -> Result<Option<Duration>, Error> {
        self.read(move |store| {
            let first = store.awaited(book)?.into_iter();
            Ok(first.filter_map(|(_, until)| awaited::left(until, now)).next())
        })
        .await
    }

    /// Gives a row its customer's name, or `None` to let it go without; remembers the name.
    ///
    /// A row that is in a batch already stays as it is.
    ///
    /// # Errors
    /// When the database does not answer; the row goes without.
    pub async fn name(
        &self,
        unnamed: Unnamed,
        name: Option<Personal>,
        now: UnixMs,
    ) -> Result<(), Error> {
        let name = name.filter(|name| !name.is_blank());
        let keys = match name {
            Some(_) => Keys { records: unnamed.keys.clone(), ..Keys::default() },
            None => Keys::default(),
        };
        let work = move |transaction: &mut Transaction<'_>| {
            transaction.change().awaited.insert(unnamed.number, None);
            // On a full disk what is left is for rows to go out.
            let Some(name) = name.as_ref().filter(|_| transaction.has_room()) else {
                return Ok(());
            };
            name_row(transaction, &unnamed, name)?;
            transaction.name_wait(unnamed.wait, name)?;
            let now = transaction.now(now);
            let (known, home) = transaction.recall::<CustomerMemory>(&unnamed.keys)?;
            transaction.remember(&unnamed.keys, home, &known.named(name), now)
        };
        let named = self.writer().commit_on(keys, work).await;
        self.names().answer();
        named
    }

    /// Resolves when a row that waited for its name need not wait any more, as far as this process asked for
    /// the name.
    pub async fn name_answered(&self) {
        self.names().answered().await;
    }
}

/// Names the customer of a row that is in no batch yet.
fn name_row(
    transaction: &mut Transaction<'_>,
    unnamed: &Unnamed,
    name: &Personal,
) -> Result<(), Error> {
    let span = Span { queue: unnamed.queue, first: unnamed.number, last: unnamed.number };
    let Some(row) = transaction.read()?.rows(span, 1)?.pop() else { return Ok(()) };
    let batches = transaction.read()?.batches()?;
    if members(&batches).any(|members| members.contains(span.queue, span.first)) {
        return Ok(());
    }
    let Ok(mut entry) = serde_json::from_slice::<Entry>(&row.payload) else { return Ok(()) };
    entry.customer_name = entry.customer_name.or(name);
    let payload = json(&entry)?;
    let changes = transaction.change();
    changes.rows_gone.push((span.queue, row.number));
    changes.rows.push((span.queue, Row { payload, ..row }));
    Ok(())
}
