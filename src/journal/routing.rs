//! Routing: which queue the rows of which of the clinic's numbers wait in.
//!
//! Made when the journal is opened, from the routes that are configured. What waits elsewhere is the
//! business of `rerouting`.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::chat::entry::Entry;
use crate::chat::route::{Destination, Routes};
use crate::chat::text::Personal;
use crate::journal::counters::BookId;
use crate::journal::store::{Places, Queue, QueueId, Row, Span, StoredBatch};

/// The configured routes and what they are in this journal.
#[derive(Debug)]
pub(super) struct Routing {
    routes: Routes,
    logs: Vec<(Destination, QueueId, BookId)>,
    handovers: Vec<(BookId, QueueId)>,
    has_unserved: AtomicBool,
    /// Whether this is the process that forwards.
    may_route_anew: bool,
}

impl Routing {
    /// The routing of these routes, and the places that are to be added to those that are known.
    /// `may_route_anew` belongs to the one process that forwards.
    pub(super) fn new(routes: Routes, known: &Places, may_route_anew: bool) -> (Self, Places) {
        // Where a spreadsheet is yet to be told, what waits is left where it is: nobody forwards it, and
        // nobody may take it for one of before.
        let is_whole = routes.are_whole();
        let mut made = Made::over(known);
        let (mut logs, mut handovers) = (Vec::new(), Vec::new());
        for destination in routes.destinations() {
            let book = made.book(&destination.spreadsheet);
            logs.push((destination.clone(), made.queue(book, Some(&destination.title)), book));
            if handovers.iter().all(|(known, _)| *known != book) {
                handovers.push((book, made.queue(book, None)));
            }
        }
        if !is_whole {
            // Who waits for a spreadsheet of before may be looked after meanwhile.
            for (book, _) in &known.books {
                if handovers.iter().all(|(known, _)| known != book) {
                    handovers.push((*book, made.queue(*book, None)));
                }
            }
        }
        let has_unserved = AtomicBool::new(false);
        let may_route_anew = may_route_anew && is_whole;
        (Self { routes, logs, handovers, has_unserved, may_route_anew }, made.added)
    }

    /// The spreadsheets, the default first, each with its number.
    pub(super) fn books(&self) -> Vec<(String, BookId)> {
        let number_of = |spreadsheet: &str| {
            let log = self.logs.iter().find(|(to, _, _)| to.spreadsheet == spreadsheet);
            log.map_or(BookId(0), |(_, _, book)| *book)
        };
        let spreadsheets = self.routes.spreadsheets();
        spreadsheets.into_iter().map(|id| (id.to_owned(), number_of(id))).collect()
    }

    /// Where a row of this number waits.
    pub(super) fn of(&self, waba_number: &Personal) -> (QueueId, BookId) {
        let wanted = self.routes.of(waba_number);
        let log = self.logs.iter().find(|(to, _, _)| to == wanted);
        log.map_or((0, BookId(0)), |(_, queue, book)| (*queue, *book))
    }

    /// Where this row waits, be it of the log or of the handovers.
    pub(super) fn queue_of(&self, entry: &Entry) -> (QueueId, BookId) {
        let (log, book) = self.of(&entry.waba_number);
        match entry.handover {
            Some(_) => (self.handovers_of(book), book),
            None => (log, book),
        }
    }

    /// Where this book's handovers wait; 0 where the book is not served any more.
    pub(super) fn handovers_of(&self, book: BookId) -> QueueId {
        let found = self.handovers.iter().find(|(known, _)| *known == book);
        found.map_or(0, |(_, queue)| *queue)
    }

    /// The log queues of a book, with the titles of their tabs.
    pub(super) fn logs_of(&self, book: BookId) -> impl Iterator<Item = (QueueId, &str)> {
        let of_book = self.logs.iter().filter(move |(_, _, known)| *known == book);
        of_book.map(|(to, queue, _)| (*queue, to.title.as_str()))
    }

    /// Every queue that rows are taken from.
    pub(super) fn queues(&self) -> impl Iterator<Item = QueueId> {
        let logs = self.logs.iter().map(|(_, queue, _)| *queue);
        logs.chain(self.handovers.iter().map(|(_, queue)| *queue))
    }

    /// Whether rows are taken from this queue.
    pub(super) fn is_served(&self, queue: QueueId) -> bool {
        self.queues().any(|known| known == queue)
    }

    /// Whether this spreadsheet is configured.
    pub(super) fn has_book(&self, book: BookId) -> bool {
        self.handovers.iter().any(|(known, _)| *known == book)
    }

    /// Whether this is the process that routes anew what waits for another place.
    pub(super) fn may_route_anew(&self) -> bool {
        self.may_route_anew
    }

    /// Whether rows wait in queues that nobody serves: until a batch is settled that they are in, or
    /// would slip into.
    pub(super) fn has_unserved(&self) -> bool {
        self.has_unserved.load(Ordering::Relaxed)
    }

    pub(super) fn set_unserved(&self, has_unserved: bool) {
        self.has_unserved.store(has_unserved, Ordering::Relaxed);
    }

    /// Where a stored row belongs now. One that cannot be read is set aside where it would be sent from.
    pub(super) fn destination_of(&self, row: &Row, queue: &Queue) -> (QueueId, BookId) {
        if let Ok(entry) = serde_json::from_slice::<Entry>(&row.payload) {
            return self.queue_of(&entry);
        }
        let (log, book) = self.of(&Personal::default());
        match queue.tab {
            Some(_) => (log, book),
            None => (self.handovers_of(book), book),
        }
    }
}

/// The spans of all batches under way.
pub(super) fn members(batches: &[StoredBatch]) -> impl Iterator<Item = Span> {
    batches.iter().flat_map(|batch| [batch.log, batch.handovers])
}

/// Places that are known, and those that are made.
struct Made<'a> {
    known: &'a Places,
    added: Places,
}

impl<'a> Made<'a> {
    fn over(known: &'a Places) -> Self {
        Self { known, added: Places::default() }
    }

    fn book(&mut self, spreadsheet: &str) -> BookId {
        let all = || self.known.books.iter().chain(&self.added.books);
        if let Some((book, _)) = all().find(|(_, known)| known == spreadsheet) {
            return *book;
        }
        let book = BookId(all().map(|(book, _)| book.0).max().unwrap_or(0) + 1);
        self.added.books.push((book, spreadsheet.to_owned()));
        book
    }

    fn queue(&mut self, book: BookId, tab: Option<&str>) -> QueueId {
        let all = || self.known.queues.iter().chain(&self.added.queues);
        if let Some(queue) = all().find(|known| known.book == book && known.tab.as_deref() == tab) {
            return queue.id;
        }
        let id = all().map(|queue| queue.id).max().unwrap_or(0) + 1;
        self.added.queues.push(Queue { id, book, tab: tab.map(str::to_owned) });
        id
    }
}
