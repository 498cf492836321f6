//! Every SELECT. The same for the connection that writes and the one that only reads.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use crate::chat::counted::Quarter;
use crate::chat::digest::Digest;
#[cfg(feature = "postgres")]
use crate::chat::memory::Told;
use crate::chat::time::UnixMs;
use crate::journal::counters::{BookId, Counters, Tally, Work};
use crate::journal::origin::Origin;
use crate::journal::store::sqlite::counted;
use crate::journal::store::{
    Extent, Fault, Fence, Places, Queue, QueueId, Read, Remembered, Row, Span, Stored, StoredAside,
    StoredBatch, StoredQuarter, StoredWait, Unrecognised,
};

type Sql<T> = rusqlite::Result<T>;
type SqlRow<'a> = rusqlite::Row<'a>;

/// SQLite's integers are signed; ours start at zero and only count up.
pub(super) fn unsigned(row: &SqlRow<'_>, column: usize) -> Sql<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(super) fn digest(row: &SqlRow<'_>, column: usize) -> Sql<Digest> {
    row.get(column).map(Digest::from_bytes)
}

/// Keys that stand one after the other.
pub(super) fn digests(row: &SqlRow<'_>, column: usize) -> Sql<Vec<Digest>> {
    let bytes = row.get_ref(column)?.as_bytes()?;
    let digest = |key: &[u8]| key.try_into().ok().map(Digest::from_bytes);
    Ok(bytes.chunks_exact(Digest::BYTES).filter_map(digest).collect())
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

const TALLY: &str = "SELECT next_number, next_batch, accepted, remembered, duplicate, unrecognised,
        written, set_aside, handovers, handovers_written, handovers_set_aside, assigned_at, waits,
        found, found_ends, asked_at
    FROM tally";

fn tally(row: &SqlRow<'_>) -> Sql<Tally> {
    Tally::from_numbers(|column| row.get(column))
}

fn row(row: &SqlRow<'_>) -> Sql<Row> {
    let payload = row.get_ref(2)?.as_bytes()?.to_vec();
    Ok(Row { number: unsigned(row, 0)?, received_at: UnixMs(row.get(1)?), payload })
}

fn stored_wait(row: &SqlRow<'_>) -> Sql<StoredWait> {
    Ok(StoredWait {
        number: unsigned(row, 0)?,
        book: BookId(row.get(1)?),
        chat: digest(row, 2)?,
        customer: digests(row, 3)?,
        is_over: row.get(4)?,
        seen_at: UnixMs(row.get(5)?),
        record: row.get_ref(6)?.as_bytes()?.to_vec(),
    })
}

pub(super) fn wait(db: &Connection, number: u64) -> Result<Option<StoredWait>, Fault> {
    let sql = "SELECT number, book, chat, customer, is_over, seen_at, record FROM waiting
               WHERE number = ?1";
    let mut statement = db.prepare_cached(sql)?;
    Ok(statement.query_row([number.cast_signed()], stored_wait).optional()?)
}

/// What stands under these keys, and under those that they point to.
pub(super) fn records_under(
    db: &Connection,
    keys: &[Digest],
    found: &mut Vec<(Digest, Remembered)>,
) -> Result<(), Fault> {
    let sql = "SELECT seen_at, same_as, record FROM memory WHERE key = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let mut under =
        |key: &Digest| statement.query_row([key.as_bytes()], |row| remembered(row, 0)).optional();
    for key in keys {
        let Some(remembered) = under(key)? else { continue };
        let target = match remembered.what {
            Stored::SameAs(target) => under(&target)?.map(|at_target| (target, at_target)),
            Stored::Record(_) => None,
        };
        found.push((*key, remembered));
        found.extend(target);
    }
    Ok(())
}

fn remembered(row: &SqlRow<'_>, at: usize) -> Sql<Remembered> {
    let what = match row.get::<_, Option<[u8; Digest::BYTES]>>(at + 1)? {
        Some(target) => Stored::SameAs(Digest::from_bytes(target)),
        None => Stored::Record(row.get_ref(at + 2)?.as_bytes()?.to_vec()),
    };
    Ok(Remembered { what, seen_at: UnixMs(row.get(at)?) })
}

impl Read for Connection {
    fn origin(&self) -> Result<Origin, Fault> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        let hash_key = self.query_row(sql, ["hash_key"], |row| row.get(0))?;
        let tag: String = self.query_row(sql, ["tag"], |row| row.get(0))?;
        Ok(Origin { hash_key, tag: tag.into() })
    }

    fn counters(&self) -> Result<Counters, Fault> {
        let sql = "SELECT id, pending, waiting, board_changes, unheard FROM book";
        let mut statement = self.prepare_cached(sql)?;
        let books = statement.query_map((), |row| {
            let (pending, waiting) = (unsigned(row, 1)?, unsigned(row, 2)?);
            let (board_changes, unheard) = (unsigned(row, 3)?, unsigned(row, 4)?);
            let work = Work { pending, waiting, board_changes, unheard };
            Ok((BookId(row.get(0)?), work))
        })?;
        let books = books.collect::<Sql<_>>()?;
        Ok(Counters { tally: self.prepare_cached(TALLY)?.query_row((), tally)?, books })
    }

    fn meta(&self, name: &str) -> Result<Option<i64>, Fault> {
        let mut statement = self.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    #[cfg(feature = "postgres")]
    fn numbers(&self) -> Result<Vec<(String, i64)>, Fault> {
        let sql = "SELECT name, value FROM meta WHERE typeof(value) = 'integer' ORDER BY name";
        let mut statement = self.prepare(sql)?;
        let numbers = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(numbers.collect::<Sql<_>>()?)
    }

    fn places(&self) -> Result<Places, Fault> {
        let mut books = self.prepare("SELECT id, spreadsheet FROM book ORDER BY id")?;
        let books = books.query_map((), |row| Ok((BookId(row.get(0)?), row.get(1)?)))?;
        let mut queues = self.prepare("SELECT id, book, tab FROM queue ORDER BY id")?;
        let queues = queues.query_map((), |row| {
            Ok(Queue { id: row.get(0)?, book: BookId(row.get(1)?), tab: row.get(2)? })
        })?;
        Ok(Places { books: books.collect::<Sql<_>>()?, queues: queues.collect::<Sql<_>>()? })
    }

    fn head(&self, queue: QueueId) -> Result<Option<(u64, UnixMs)>, Fault> {
        let sql = "SELECT number, received_at FROM entry WHERE queue = ?1 ORDER BY number LIMIT 1";
        let mut statement = self.prepare_cached(sql)?;
        let head = |row: &SqlRow<'_>| Ok((unsigned(row, 0)?, UnixMs(row.get(1)?)));
        Ok(statement.query_row([queue], head).optional()?)
    }

    fn rows(&self, span: Span, rows_max: usize) -> Result<Vec<Row>, Fault> {
        let sql = "SELECT number, received_at, payload FROM entry
                   WHERE queue = ?1 AND number BETWEEN ?2 AND ?3 ORDER BY number LIMIT ?4";
        let mut statement = self.prepare_cached(sql)?;
        let ends = [span.queue, span.first.cast_signed(), span.last.cast_signed(), limit(rows_max)];
        let rows = statement.query_map(ends, row)?;
        Ok(rows.collect::<Sql<_>>()?)
    }

    fn extent(&self, span: Span) -> Result<Extent, Fault> {
        let sql = "SELECT count(*), coalesce(sum(length(payload)), 0) FROM entry
                   WHERE queue = ?1 AND number BETWEEN ?2 AND ?3";
        let ends = [span.queue, span.first.cast_signed(), span.last.cast_signed()];
        let extent =
            |row: &SqlRow<'_>| Ok(Extent { rows: unsigned(row, 0)?, bytes: unsigned(row, 1)? });
        Ok(self.prepare_cached(sql)?.query_row(ends, extent)?)
    }

    fn batches(&self) -> Result<Vec<StoredBatch>, Fault> {
        let sql = "SELECT number, book, queue, first, last, handover_queue, handover_first,
                       handover_last, marker_id, digest, plan, board, board_changes, sealed_at
                   FROM batch ORDER BY number";
        let mut statement = self.prepare_cached(sql)?;
        let span = |row: &SqlRow<'_>, at| -> Sql<Span> {
            Ok(Span {
                queue: row.get(at)?,
                first: unsigned(row, at + 1)?,
                last: unsigned(row, at + 2)?,
            })
        };
        let batches = statement.query_map((), |row| {
            Ok(StoredBatch {
                number: unsigned(row, 0)?,
                book: BookId(row.get(1)?),
                log: span(row, 2)?,
                handovers: span(row, 5)?,
                marker_id: row.get(8)?,
                digest: row.get(9)?,
                plan: row.get(10)?,
                board: row.get(11)?,
                board_changes: unsigned(row, 12)?,
                sealed_at: UnixMs(row.get(13)?),
            })
        })?;
        Ok(batches.collect::<Sql<_>>()?)
    }

    fn fences(&self) -> Result<Vec<Fence>, Fault> {
        let sql = "SELECT marker_id, book, digest, at, is_open FROM fence ORDER BY marker_id";
        let mut statement = self.prepare_cached(sql)?;
        let fences = statement.query_map((), |row| {
            let (marker_id, book) = (row.get(0)?, BookId(row.get(1)?));
            let (digest, at, is_open) = (row.get(2)?, UnixMs(row.get(3)?), row.get(4)?);
            Ok(Fence { marker_id, book, digest, at, is_open })
        })?;
        Ok(fences.collect::<Sql<_>>()?)
    }

    fn waits(&self, after: u64, waits_max: usize) -> Result<Vec<StoredWait>, Fault> {
        let sql = "SELECT number, book, chat, customer, is_over, seen_at, record FROM waiting
                   WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut statement = self.prepare_cached(sql)?;
        let waits = statement.query_map([after.cast_signed(), limit(waits_max)], stored_wait)?;
        Ok(waits.collect::<Sql<_>>()?)
    }

    fn board(&self, book: BookId, lines_max: usize) -> Result<Vec<StoredWait>, Fault> {
        let sql = "SELECT number, book, chat, customer, is_over, seen_at, record FROM waiting
                   WHERE book = ?1 AND is_over = 0 ORDER BY number LIMIT ?2";
        let mut statement = self.prepare_cached(sql)?;
        let waits = statement.query_map([book.0, limit(lines_max)], stored_wait)?;
        Ok(waits.collect::<Sql<_>>()?)
    }

    fn awaited(&self, book: BookId) -> Result<Vec<(u64, UnixMs)>, Fault> {
        let sql = "SELECT number, until FROM awaited WHERE book = ?1 ORDER BY number";
        let mut statement = self.prepare_cached(sql)?;
        let awaited = |row: &SqlRow<'_>| Ok((unsigned(row, 0)?, UnixMs(row.get(1)?)));
        Ok(statement.query_map([book.0], awaited)?.collect::<Sql<_>>()?)
    }

    fn aside(&self, after: u64, rows_max: usize) -> Result<Vec<StoredAside>, Fault> {
        let sql = "SELECT number, received_at, payload, reason, at FROM set_aside
                   WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut statement = self.prepare_cached(sql)?;
        let rows = statement.query_map([after.cast_signed(), limit(rows_max)], |from| {
            Ok(StoredAside { row: row(from)?, reason: from.get(3)?, at: UnixMs(from.get(4)?) })
        })?;
        Ok(rows.collect::<Sql<_>>()?)
    }

    fn unrecognised(&self) -> Result<Vec<Unrecognised>, Fault> {
        let sql = "SELECT id, received_at, announced, body FROM unrecognised ORDER BY id";
        let mut statement = self.prepare_cached(sql)?;
        let bodies = statement.query_map((), |row| {
            Ok(Unrecognised {
                id: unsigned(row, 0)?,
                received_at: UnixMs(row.get(1)?),
                announced: row.get(2)?,
                body: row.get_ref(3)?.as_bytes()?.to_vec(),
            })
        })?;
        Ok(bodies.collect::<Sql<_>>()?)
    }

    fn quarters(
        &self,
        book: BookId,
        from: Quarter,
        quarters_max: usize,
    ) -> Result<Vec<StoredQuarter>, Fault> {
        counted::from(self, book, from, limit(quarters_max))
    }

    fn records(
        &self,
        after: Option<Digest>,
        records_max: usize,
    ) -> Result<Vec<(Digest, Remembered)>, Fault> {
        let sql = "SELECT key, seen_at, same_as, record FROM memory
                   WHERE key > ?1 ORDER BY key LIMIT ?2";
        let mut statement = self.prepare_cached(sql)?;
        let after: &[u8] = after.as_ref().map_or(&[], Digest::as_bytes);
        let records = statement.query_map(params![after, limit(records_max)], |row| {
            Ok((digest(row, 0)?, remembered(row, 1)?))
        })?;
        Ok(records.collect::<Sql<_>>()?)
    }

    fn clock(&self) -> Result<Option<UnixMs>, Fault> {
        Ok(None)
    }

    #[cfg(feature = "postgres")]
    fn last_events(&self, after: u64, events_max: usize) -> Result<Vec<(Digest, Told)>, Fault> {
        let sql = "SELECT chat, body, number, at FROM recent WHERE number > ?1
                   ORDER BY number LIMIT ?2";
        let mut statement = self.prepare(sql)?;
        let events = statement.query_map([after.cast_signed(), limit(events_max)], |row| {
            let (number, at) = (unsigned(row, 2)?, UnixMs(row.get(3)?));
            Ok((digest(row, 0)?, Told { digest: digest(row, 1)?, number, at }))
        })?;
        Ok(events.collect::<Sql<_>>()?)
    }

    fn sent(&self) -> Result<Vec<UnixMs>, Fault> {
        let mut statement = self.prepare_cached("SELECT at FROM sent ORDER BY at")?;
        let times = statement.query_map((), |row| row.get(0).map(UnixMs))?;
        Ok(times.collect::<Sql<_>>()?)
    }

    fn verify(&self) -> Result<(), Fault> {
        let word: String = self.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
        match word.as_str() {
            "ok" => Ok(()),
            // Its words name pages and trees, nothing of what is in them.
            _ => Err(Fault::Damaged(Arc::new(std::io::Error::other(word)))),
        }
    }

    fn copy_into(&self, file: &Path) -> Result<(), Fault> {
        // SQLite takes names as text, and would write to another one.
        let name = file.to_str().ok_or_else(|| {
            Fault::Failed(Arc::new(std::io::Error::other("the file's name is not UTF-8")))
        })?;
        self.execute("VACUUM INTO ?1", [name])?;
        Ok(())
    }
}
