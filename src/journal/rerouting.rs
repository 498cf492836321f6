//! Rerouting: rows and waits whose place is not configured any more (a wrong id was mended, a tab's title
//! changed) go where they belong now, so that no acknowledged row is stranded.
//!
//! Members of a batch that is under way stay where they are until it is settled, also where its spreadsheet is
//! not configured any more.

use crate::chat::waiting::Wait;
use crate::journal::counters::BookId;
use crate::journal::routing::members;
use crate::journal::store::{Fence, Queue, Span, StoredBatch};
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal};

/// Rows and waits that are looked at in one go.
const STEP: usize = 1_000;

impl Journal {
    /// The spreadsheets that are not configured any more and have a batch under way, each with its number here.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn former_books(&self) -> Result<Vec<(String, BookId)>, Error> {
        let journal = self.clone();
        self.read(move |store| {
            let routing = journal.routing();
            let open = store.batches()?;
            let books = store.places()?.books.into_iter().map(|(book, id)| (id, book));
            let is_former = |book: BookId| {
                !routing.has_book(book) && open.iter().any(|batch| batch.book == book)
            };
            Ok(books.filter(|(_, book)| is_former(*book)).collect())
        })
        .await
    }
}

/// At the start: spreadsheets that are not configured any more have no board, and what waits for them is routed
/// anew; members of a batch when it is settled.
pub(super) fn leave_unserved(transaction: &mut Transaction<'_>) -> Result<(), Error> {
    if !may_route_anew(transaction)? {
        return Ok(());
    }
    let places = transaction.read()?.places()?;
    let shared = transaction.shared;
    let is_unserved = |book: BookId| !shared.routing.has_book(book);
    let left: Vec<BookId> =
        places.books.iter().map(|(book, _)| *book).filter(|book| is_unserved(*book)).collect();
    if !left.is_empty() {
        for fence in transaction.read()?.fences()? {
            if left.contains(&fence.book) && fence.is_open {
                let settled = (fence.marker_id, Some(Fence { is_open: false, ..fence }));
                transaction.change().fences.push(settled);
            }
        }
        move_waits(transaction, &left)?;
    }
    route_anew(transaction)
}

/// After another process has added rows: those that nobody serves are routed anew.
pub(super) fn take_in(transaction: &mut Transaction<'_>) -> Result<(), Error> {
    if may_route_anew(transaction)? { route_anew(transaction) } else { Ok(()) }
}

/// Whether this is the process that forwards, and knows where everything is to go.
fn may_route_anew(transaction: &mut Transaction<'_>) -> Result<bool, Error> {
    Ok(transaction.shared.routing.may_route_anew() && transaction.is_owner()?)
}

/// After a batch has ended: routes what could not be routed before.
pub(super) fn batch_ended(
    transaction: &mut Transaction<'_>,
    ended: &StoredBatch,
) -> Result<(), Error> {
    let may_route_anew = may_route_anew(transaction)?;
    let routing = &transaction.shared.routing;
    let queues = [ended.log.queue, ended.handovers.queue];
    let were_served = queues.iter().all(|queue| *queue == 0 || routing.is_served(*queue));
    let had_unserved = routing.has_unserved();
    if !may_route_anew || (!had_unserved && were_served) {
        return Ok(());
    }
    route_anew(transaction)
}

/// Routes anew what waits in queues that nobody serves.
fn route_anew(transaction: &mut Transaction<'_>) -> Result<(), Error> {
    let routing = &transaction.shared.routing;
    let queues = transaction.read()?.places()?.queues;
    let members: Vec<Span> = members(&transaction.read()?.batches()?).collect();
    let (mut moved, mut left) = (0, 0);
    for queue in queues.iter().filter(|queue| !routing.is_served(queue.id)) {
        let (gone, stay) = empty(transaction, queue, &members)?;
        moved += gone;
        left += stay;
    }
    routing.set_unserved(left > 0);
    if moved > 0 {
        log::warn!(moved; "rows waited for a place that is not configured any more: routed anew");
    }
    Ok(())
}

/// Routes the rows of a queue anew, but for members of a batch under way, and those that would slip
/// into one: a batch never changes. How many moved, how many stay.
fn empty(
    transaction: &mut Transaction<'_>,
    queue: &Queue,
    members: &[Span],
) -> Result<(u64, u64), Error> {
    let routing = &transaction.shared.routing;
    let (mut moved, mut left) = (0, 0);
    let mut span = Span::all(queue.id);
    loop {
        let rows = transaction.read()?.rows(span, STEP)?;
        let Some(last) = rows.last() else { return Ok((moved, left)) };
        span.first = last.number + 1;
        for row in rows {
            let (to, book) = routing.destination_of(&row, queue);
            let is_member = |queue| members.iter().any(|span| span.contains(queue, row.number));
            if is_member(queue.id) || is_member(to) {
                left += 1;
                continue;
            }
            let work = transaction.counters.work_mut(queue.book);
            work.pending = work.pending.saturating_sub(1);
            transaction.counters.work_mut(book).pending += 1;
            let changes = transaction.change();
            changes.rows_gone.push((queue.id, row.number));
            changes.rows.push((to, row));
            moved += 1;
        }
    }
}

fn move_waits(transaction: &mut Transaction<'_>, left: &[BookId]) -> Result<(), Error> {
    let routing = &transaction.shared.routing;
    let mut after = 0;
    loop {
        let waits = transaction.read()?.waits(after, STEP)?;
        let Some(last) = waits.last() else { return Ok(()) };
        after = last.number;
        for mut stored in waits.into_iter().filter(|wait| left.contains(&wait.book)) {
            let wait: Option<Wait> = serde_json::from_slice(&stored.record).ok();
            let waba_number = wait.map(|wait| wait.entry.waba_number).unwrap_or_default();
            let (_, to) = routing.of(&waba_number);
            if !stored.is_over {
                let work = transaction.counters.work_mut(stored.book);
                work.waiting = work.waiting.saturating_sub(1);
                work.board_changes += 1;
                let work = transaction.counters.work_mut(to);
                work.waiting += 1;
                work.board_changes += 1;
            }
            stored.book = to;
            transaction.put_wait(stored);
        }
    }
}
