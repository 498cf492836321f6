//! The register: which queue the rows of which of the clinic's numbers wait in.
//!
//! Made when the journal is opened, from the routes that are configured. What still waits for a place
//! that is not configured any more (a wrong id was mended, a tab's title changed) is routed anew, so
//! that no acknowledged row is stranded. Members of a batch that is under way stay where they are
//! until it is settled.

use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension, params};

use crate::chat::entry::Entry;
use crate::chat::route::{Destination, Routes};
use crate::chat::text::Personal;
use crate::chat::waiting::Wait;
use crate::journal::Error;
use crate::journal::tally::BookId;

/// A queue, by the journal's own number for it.
pub(super) type QueueId = i64;

/// The configured routes and what they are in this journal.
#[derive(Debug)]
pub(super) struct Register {
    routes: Routes,
    logs: Vec<(Destination, QueueId, BookId)>,
    handovers: Vec<(BookId, QueueId)>,
    /// Whether rows wait in queues that nobody serves: until a batch is settled that they are in, or
    /// would slip into.
    has_strays: AtomicBool,
    /// Whether this is the process that forwards.
    may_route_anew: bool,
}

/// The members of a batch under way in one queue: the first and the last.
pub(super) type Members = (QueueId, i64, i64);

impl Register {
    /// Reads the register of these routes, adding what is not there yet. `may_route_anew` belongs to
    /// the one process that forwards.
    pub(super) fn open(
        connection: &mut Connection,
        routes: Routes,
        may_route_anew: bool,
    ) -> Result<Self, Error> {
        let transaction = connection.transaction()?;
        // Where a spreadsheet is yet to be told, what waits is left where it is: nobody forwards it, and
        // nobody may take it for a stranger's.
        let is_whole = routes.are_whole();
        let (mut logs, mut handovers) = (Vec::new(), Vec::new());
        for destination in routes.destinations() {
            let book = book(&transaction, &destination.spreadsheet)?;
            logs.push((
                destination.clone(),
                queue(&transaction, book, Some(&destination.title))?,
                book,
            ));
            if handovers.iter().all(|(known, _)| *known != book) {
                handovers.push((book, queue(&transaction, book, None)?));
            }
        }
        if !is_whole {
            // Who waits for a spreadsheet of before may be looked after meanwhile.
            for known in ids(&transaction, "SELECT id FROM book")?.into_iter().map(BookId) {
                if handovers.iter().all(|(book, _)| *book != known) {
                    handovers.push((known, queue(&transaction, known, None)?));
                }
            }
        }
        let register = Self {
            routes,
            logs,
            handovers,
            has_strays: AtomicBool::new(false),
            may_route_anew: may_route_anew && is_whole,
        };
        if register.may_route_anew {
            register.leave_strangers(&transaction)?;
            register.route_anew(&transaction)?;
        }
        transaction.commit()?;
        Ok(register)
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
        let queue = if entry.handover.is_some() { self.handovers_of(book) } else { log };
        (queue, book)
    }

    /// Where this book's handovers wait.
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

    fn has_book(&self, book: BookId) -> bool {
        self.handovers.iter().any(|(known, _)| *known == book)
    }

    /// Spreadsheets that are not configured any more have no batch under way and no board.
    fn leave_strangers(&self, connection: &Connection) -> Result<(), Error> {
        let mut moved = 0;
        for book in ids(connection, "SELECT id FROM book")?.into_iter().map(BookId) {
            if !self.has_book(book) {
                // Nobody will settle it: its rows are on their way again, to where they belong now.
                connection.execute("DELETE FROM batch WHERE book = ?1", [book.0])?;
                moved += self.move_waits(connection, book)?;
            }
        }
        if moved > 0 {
            recount(connection)?;
        }
        Ok(())
    }

    /// After another process has added rows: those that nobody serves are routed anew.
    pub(super) fn take_in(&self, connection: &Connection) -> Result<(), Error> {
        if self.may_route_anew {
            self.route_anew(connection)?;
        }
        Ok(())
    }

    /// After a batch has ended: routes what could not be routed before. True where rows moved.
    pub(super) fn collect_strays(
        &self,
        connection: &Connection,
        queues: [QueueId; 2],
    ) -> Result<bool, Error> {
        let is_served = |queue: &QueueId| *queue == 0 || self.queues().any(|known| known == *queue);
        let was_stray = self.has_strays.load(Ordering::Relaxed);
        if !self.may_route_anew || (!was_stray && queues.iter().all(is_served)) {
            return Ok(false);
        }
        self.route_anew(connection)
    }

    /// Routes anew what waits in queues that nobody serves; true where rows moved.
    fn route_anew(&self, connection: &Connection) -> Result<bool, Error> {
        let members = members(connection)?;
        let (mut moved, mut left) = (0, 0);
        for queue in ids(connection, "SELECT id FROM queue UNION SELECT 0")? {
            if self.queues().all(|known| known != queue) {
                let (gone, stay) = self.empty(connection, queue, &members)?;
                moved += gone;
                left += stay;
            }
        }
        self.has_strays.store(left > 0, Ordering::Relaxed);
        if moved > 0 {
            recount(connection)?;
            log::warn!(moved; "rows waited for a place that is not configured any more: routed anew");
        }
        Ok(moved > 0)
    }

    /// Routes the rows of a queue anew, but for members of a batch under way, and those that would slip
    /// into one: a batch never changes. How many moved, how many stay.
    fn empty(
        &self,
        connection: &Connection,
        queue: QueueId,
        members: &[Members],
    ) -> Result<(usize, usize), Error> {
        let mut statement =
            connection.prepare("SELECT number, payload FROM entry WHERE queue = ?1")?;
        let mut rows = statement.query([queue])?;
        let sql = "SELECT tab IS NULL FROM queue WHERE id = ?1";
        let of_handovers = connection.query_row(sql, [queue], |row| row.get(0)).optional()?;
        let (mut moves, mut left) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            let payload = row.get_ref(1)?.as_bytes().map_err(rusqlite::Error::from)?;
            // One that cannot be read is set aside where it would be sent from.
            let to = match serde_json::from_slice::<Entry>(payload) {
                Ok(entry) => self.queue_of(&entry).0,
                Err(_) if of_handovers == Some(true) => {
                    self.handovers_of(self.of(&Personal::default()).1)
                }
                Err(_) => self.of(&Personal::default()).0,
            };
            if is_member(members, queue, number) || is_member(members, to, number) {
                left += 1;
            } else {
                moves.push((number, to));
            }
        }
        drop(rows);
        let mut update =
            connection.prepare("UPDATE entry SET queue = ?3 WHERE queue = ?1 AND number = ?2")?;
        for (number, to) in &moves {
            update.execute([queue, *number, *to])?;
        }
        Ok((moves.len(), left))
    }

    fn move_waits(&self, connection: &Connection, book: BookId) -> Result<usize, Error> {
        let mut statement =
            connection.prepare("SELECT number, record FROM waiting WHERE book = ?1")?;
        let waits = statement
            .query_map([book.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        for (number, record) in &waits {
            let wait: Option<Wait> = serde_json::from_slice(record).ok();
            let (_, to) = self.of(&wait.map(|wait| wait.entry.waba_number).unwrap_or_default());
            connection
                .execute("UPDATE waiting SET book = ?2 WHERE number = ?1", [*number, to.0])?;
        }
        Ok(waits.len())
    }
}

/// Counts the books' rows and waits anew. Only where rows changed places: it looks at all of them.
fn recount(connection: &Connection) -> Result<(), Error> {
    connection.execute_batch(
        "UPDATE book SET
             pending = (SELECT count(*) FROM entry JOIN queue ON queue.id = entry.queue
                        WHERE queue.book = book.id),
             waiting = (SELECT count(*) FROM waiting WHERE book = book.id AND is_over = 0);",
    )?;
    Ok(())
}

fn book(connection: &Connection, spreadsheet: &str) -> Result<BookId, Error> {
    connection.execute("INSERT OR IGNORE INTO book (spreadsheet) VALUES (?1)", [spreadsheet])?;
    let sql = "SELECT id FROM book WHERE spreadsheet = ?1";
    Ok(BookId(connection.query_row(sql, [spreadsheet], |row| row.get(0))?))
}

fn queue(connection: &Connection, book: BookId, tab: Option<&str>) -> Result<QueueId, Error> {
    let found = connection
        .query_row(
            "SELECT id FROM queue WHERE book = ?1 AND tab IS ?2",
            params![book.0, tab],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    connection.execute("INSERT INTO queue (book, tab) VALUES (?1, ?2)", params![book.0, tab])?;
    Ok(connection.last_insert_rowid())
}

/// Whether a row of that number is, or in that queue would be, a member of a batch under way.
pub(super) fn is_member(members: &[Members], queue: QueueId, number: i64) -> bool {
    members.iter().any(|(of, first, last)| *of == queue && (*first..=*last).contains(&number))
}

/// The members of all batches under way.
pub(super) fn members(connection: &Connection) -> Result<Vec<Members>, Error> {
    let sql = "SELECT queue, first, last FROM batch
               UNION ALL SELECT handover_queue, handover_first, handover_last FROM batch";
    let mut statement = connection.prepare(sql)?;
    let members = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(members.collect::<Result<_, _>>()?)
}

fn ids(connection: &Connection, sql: &str) -> Result<Vec<i64>, Error> {
    let mut statement = connection.prepare(sql)?;
    let ids = statement.query_map((), |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}
