//! Rows set aside: listed, handed out, and taken back among the pending.

use crate::chat::entry::Entry;
use crate::chat::time::UnixMs;
use crate::journal::routing::members;
use crate::journal::store::{QueueId, Span, StoredAside};
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};
use crate::progress::Progress;

/// What is left of a row set aside when its patient is forgotten.
pub(in crate::journal) const BLANK: &[u8] = br#"{"t":0}"#;

/// A row that Google refused for its own content.
#[derive(Clone, Debug)]
pub struct SetAside {
    /// The row; all blank where its patient was forgotten or this version cannot read it.
    pub entry: Entry,
    /// When its event was received.
    pub received_at: UnixMs,
    /// Why it was refused, in our words.
    pub reason: String,
    /// When it was set aside.
    pub at: UnixMs,
}

/// All rows set aside, a page of a thousand at a time, the oldest first.
#[derive(Debug)]
pub struct SetAsidePages {
    journal: Journal,
    /// The number of the last row so far; `None` after the last of all.
    after: Option<u64>,
}

/// What became of a wish to try rows again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// Rows that are pending again.
    pub rows: u64,
    /// Rows that stay for now: a batch around them is under way, the journal is full, or this version
    /// cannot read them.
    pub later: u64,
    /// Rows that stay for good: their patient was forgotten, and nothing is left to write.
    pub forgotten: u64,
}

/// Where an acknowledged row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Still to be written.
    Pending,
    /// Refused for its content.
    SetAside,
    /// In the sheet.
    Written,
}

/// Rows of a page.
const PAGE_ROWS: usize = 1_000;

impl SetAsidePages {
    /// From the oldest on.
    pub fn new(journal: Journal) -> Self {
        Self { journal, after: Some(0) }
    }

    /// The next page; `None` after the last, which may be empty.
    ///
    /// # Errors
    /// When the database does not answer; the same page may be asked for again then.
    pub async fn next(&mut self) -> Result<Option<Vec<SetAside>>, Error> {
        let Some(after) = self.after else { return Ok(None) };
        let rows = self.journal.set_aside_after(after, PAGE_ROWS).await?;
        let is_full = rows.len() == PAGE_ROWS;
        self.after = rows.last().filter(|_| is_full).map(|row| row.entry.event_id.number);
        Ok(Some(rows))
    }

    /// Whether the last page was given.
    pub fn are_over(&self) -> bool {
        self.after.is_none()
    }
}

impl Journal {
    /// Rows set aside, the oldest first: at most `rows_max` of those after the event of number `after`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_aside_after(
        &self,
        after: u64,
        rows_max: usize,
    ) -> Result<Vec<SetAside>, Error> {
        let journal = self.clone();
        self.read(move |store| {
            let stored = store.aside(after, rows_max)?.into_iter();
            Ok(stored.map(|stored| journal.told(stored)).collect())
        })
        .await
    }

    fn told(&self, StoredAside { row, reason, at }: StoredAside) -> SetAside {
        let mut entry: Entry = serde_json::from_slice(&row.payload).unwrap_or_default();
        entry.event_id = self.event_id(row.number);
        SetAside { entry, received_at: row.received_at, reason, at }
    }

    /// Takes rows set aside back among the pending: one, or all.
    ///
    /// They keep their event ids. A batch under way has its members already, so that a row that would
    /// come to stand among them waits until it is finished. `progress` counts the rows looked at.
    ///
    /// # Errors
    /// When the database does not answer; nothing was taken back then.
    pub async fn retry_set_aside(
        &self,
        number: Option<u64>,
        progress: &Progress,
    ) -> Result<Retried, Error> {
        let progress = progress.clone();
        let pending_rows_max = self.limits().pending_rows_max;
        let work = move |transaction: &mut Transaction<'_>| {
            let room = match transaction.has_room() {
                true => pending_rows_max.saturating_sub(transaction.tally().pending()),
                false => 0,
            };
            progress.begin();
            take_back(transaction, number, room, &progress)
        };
        self.writer().commit(work).await
    }

    /// Where the row of an acknowledged event is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn whereabouts(&self, number: u64) -> Result<Whereabouts, Error> {
        let queues: Vec<QueueId> = self.routing().queues().collect();
        self.read(move |store| {
            for queue in queues {
                if store.extent(Span { queue, first: number, last: number })?.rows > 0 {
                    return Ok(Whereabouts::Pending);
                }
            }
            let next = store.aside(number.saturating_sub(1), 1)?;
            Ok(match next.first() {
                Some(aside) if aside.row.number == number => Whereabouts::SetAside,
                _ => Whereabouts::Written,
            })
        })
        .await
    }
}

/// Makes rows pending again, at most so many, in the queues where they belong now.
fn take_back(
    transaction: &mut Transaction<'_>,
    number: Option<u64>,
    mut room: u64,
    progress: &Progress,
) -> Result<Retried, Error> {
    let members: Vec<Span> = members(&transaction.read()?.batches()?).collect();
    let mut retried = Retried::default();
    let (mut after, rows_max) = match number {
        Some(number) => (number.saturating_sub(1), 1),
        None => (0, PAGE_ROWS),
    };
    loop {
        let page = transaction.read()?.aside(after, rows_max)?;
        let Some(last) = page.last() else { return Ok(retried) };
        after = last.row.number;
        progress.add(page.len() as u64);
        for StoredAside { row, .. } in page {
            if number.is_some_and(|number| number != row.number) {
                return Ok(retried);
            }
            if row.payload == BLANK {
                retried.forgotten += 1;
                continue;
            }
            // One that cannot be read stays, for a later version.
            let entry = serde_json::from_slice::<Entry>(&row.payload).ok();
            let Some(entry) = entry.filter(|_| room > 0) else {
                retried.later += 1;
                continue;
            };
            let (queue, book) = transaction.shared.routing.queue_of(&entry);
            if members.iter().any(|span| span.contains(queue, row.number)) {
                retried.later += 1;
                continue;
            }
            let changes = transaction.change();
            changes.aside.insert(row.number, None);
            changes.rows.push((queue, row));
            match entry.handover {
                Some(_) => transaction.tally().handovers_set_aside -= 1,
                None => transaction.tally().set_aside -= 1,
            }
            transaction.counters.work_mut(book).pending += 1;
            retried.rows += 1;
            room -= 1;
        }
        if number.is_some() {
            return Ok(retried);
        }
    }
}
