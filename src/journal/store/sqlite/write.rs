//! Every statement that writes, but for those of the two indexes in memory. All inside a transaction.

use rusqlite::{Connection, params};

use crate::chat::digest::Digest;
use crate::journal::counters::{BookId, Tally, Work};
#[cfg(feature = "postgres")]
use crate::journal::origin::Origin;
use crate::journal::store::sqlite::counted;
use crate::journal::store::{
    Changes, Fault, Fence, Places, QueueId, Remembered, Row, Span, Stored, StoredAside,
    StoredBatch, StoredWait, Unrecognised,
};

/// Writes a group's changes, each kind at once, with its statement looked up once.
pub(super) fn all(db: &Connection, changes: Changes) -> Result<(), Fault> {
    add_places(db, &changes.places)?;
    rows(db, &changes.rows, &changes.rows_gone)?;
    for (key, remembered) in &changes.records {
        record(db, key, remembered.as_ref())?;
    }
    for (number, wait) in &changes.waits {
        put_wait(db, *number, wait.as_ref())?;
    }
    counted::write(db, &changes)?;
    for (number, row) in &changes.aside {
        put_aside(db, *number, row.as_ref())?;
    }
    unrecognised(db, &changes.unrecognised, &changes.unrecognised_gone)?;
    for (name, value) in &changes.meta {
        let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = ?2";
        db.prepare_cached(sql)?.execute(params![name, value])?;
    }
    awaited(db, &changes)?;
    fences(db, &changes)?;
    if let Some((since, until)) = changes.sent_kept {
        db.prepare_cached("DELETE FROM sent WHERE at < ?1 OR at > ?2")?
            .execute([since.0, until.0])?;
    }
    for at in &changes.sent {
        db.prepare_cached("INSERT INTO sent (at) VALUES (?1)")?.execute([at.0])?;
    }
    if let Some(counts) = &changes.tally {
        tally(db, counts)?;
    }
    work(db, &changes.work)
}

/// The journal is that one from now on.
#[cfg(feature = "postgres")]
pub(super) fn adopt(db: &Connection, origin: &Origin) -> Result<(), Fault> {
    let sql = "UPDATE meta SET value = ?2 WHERE name = ?1";
    db.execute(sql, params!["hash_key", origin.hash_key])?;
    db.execute(sql, params!["tag", &*origin.tag])?;
    Ok(())
}

fn add_places(db: &Connection, places: &Places) -> Result<(), Fault> {
    for (book, spreadsheet) in &places.books {
        let sql = "INSERT INTO book (id, spreadsheet) VALUES (?1, ?2)";
        db.prepare_cached(sql)?.execute(params![book.0, spreadsheet])?;
    }
    for queue in &places.queues {
        let sql = "INSERT INTO queue (id, book, tab) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute(params![queue.id, queue.book.0, queue.tab])?;
    }
    Ok(())
}

fn rows(db: &Connection, added: &[(QueueId, Row)], gone: &[(QueueId, u64)]) -> Result<(), Fault> {
    if !gone.is_empty() {
        let sql = "DELETE FROM entry WHERE queue = ?1 AND number = ?2";
        let mut delete = db.prepare_cached(sql)?;
        for (queue, number) in gone {
            delete.execute([*queue, number.cast_signed()])?;
        }
    }
    if !added.is_empty() {
        let sql = "INSERT INTO entry (queue, number, received_at, payload) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = db.prepare_cached(sql)?;
        for (queue, Row { number, received_at, payload }) in added {
            insert.execute(params![queue, number.cast_signed(), received_at.0, payload])?;
        }
    }
    Ok(())
}

fn record(db: &Connection, key: &Digest, remembered: Option<&Remembered>) -> Result<(), Fault> {
    let Some(Remembered { what, seen_at }) = remembered else {
        db.prepare_cached("DELETE FROM memory WHERE key = ?1")?.execute([key.as_bytes()])?;
        return Ok(());
    };
    let (same_as, record) = match what {
        Stored::SameAs(target) => (Some(target.as_bytes()), None),
        Stored::Record(record) => (None, Some(record)),
    };
    let sql = "INSERT INTO memory (key, seen_at, same_as, record) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (key) DO UPDATE SET seen_at = ?2, same_as = ?3, record = ?4";
    db.prepare_cached(sql)?.execute(params![key.as_bytes(), seen_at.0, same_as, record])?;
    Ok(())
}

fn put_wait(db: &Connection, number: u64, wait: Option<&StoredWait>) -> Result<(), Fault> {
    let Some(wait) = wait else {
        db.prepare_cached("DELETE FROM waiting WHERE number = ?1")?
            .execute([number.cast_signed()])?;
        return Ok(());
    };
    let customer: Vec<u8> = wait.customer.iter().flat_map(Digest::as_bytes).copied().collect();
    let sql = "INSERT INTO waiting (number, book, chat, customer, is_over, seen_at, record)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (number) DO UPDATE SET book = ?2, is_over = ?5, seen_at = ?6, record = ?7";
    db.prepare_cached(sql)?.execute(params![
        number.cast_signed(),
        wait.book.0,
        wait.chat.as_bytes(),
        customer,
        wait.is_over,
        wait.seen_at.0,
        wait.record,
    ])?;
    Ok(())
}

fn put_aside(db: &Connection, number: u64, row: Option<&StoredAside>) -> Result<(), Fault> {
    let Some(StoredAside { row, reason, at }) = row else {
        let sql = "DELETE FROM set_aside WHERE number = ?1";
        db.prepare_cached(sql)?.execute([number.cast_signed()])?;
        return Ok(());
    };
    let sql = "INSERT INTO set_aside (number, received_at, payload, reason, at)
               VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (number) DO UPDATE SET payload = ?3, reason = ?4, at = ?5";
    let values = params![number.cast_signed(), row.received_at.0, row.payload, reason, at.0];
    db.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn awaited(db: &Connection, changes: &Changes) -> Result<(), Fault> {
    if let Some(until) = changes.awaited_until {
        db.prepare_cached("DELETE FROM awaited WHERE until < ?1")?.execute([until.0])?;
    }
    for (number, awaited) in &changes.awaited {
        let number = number.cast_signed();
        match awaited {
            Some((book, until)) => {
                let sql = "INSERT INTO awaited (number, book, until) VALUES (?1, ?2, ?3)";
                db.prepare_cached(sql)?.execute([number, book.0, until.0])?;
            }
            None => {
                db.prepare_cached("DELETE FROM awaited WHERE number = ?1")?.execute([number])?;
            }
        }
    }
    Ok(())
}

fn fences(db: &Connection, changes: &Changes) -> Result<(), Fault> {
    if let Some(until) = changes.fences_until {
        let sql = "DELETE FROM fence WHERE is_open = 0 AND at < ?1";
        db.prepare_cached(sql)?.execute([until.0])?;
    }
    for (marker_id, fence) in &changes.fences {
        let Some(Fence { book, digest, at, is_open, .. }) = fence else {
            db.prepare_cached("DELETE FROM fence WHERE marker_id = ?1")?.execute([marker_id])?;
            continue;
        };
        let sql = "INSERT OR REPLACE INTO fence (marker_id, book, digest, at, is_open)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        db.prepare_cached(sql)?.execute(params![marker_id, book.0, digest, at.0, is_open])?;
    }
    Ok(())
}

fn unrecognised(db: &Connection, added: &[Unrecognised], gone: &[u64]) -> Result<(), Fault> {
    for Unrecognised { id, received_at, announced, body } in added {
        let sql = "INSERT INTO unrecognised (id, received_at, announced, body)
                   VALUES (?1, ?2, ?3, ?4)";
        let values = params![id.cast_signed(), received_at.0, announced, body];
        db.prepare_cached(sql)?.execute(values)?;
    }
    for id in gone {
        let sql = "DELETE FROM unrecognised WHERE id = ?1";
        db.prepare_cached(sql)?.execute([id.cast_signed()])?;
    }
    Ok(())
}

fn tally(db: &Connection, tally: &Tally) -> Result<(), Fault> {
    let sql = "UPDATE tally SET next_number = ?1, next_batch = ?2, accepted = ?3, remembered = ?4,
                   duplicate = ?5, unrecognised = ?6, written = ?7, set_aside = ?8, handovers = ?9,
                   handovers_written = ?10, handovers_set_aside = ?11, assigned_at = ?12,
                   waits = ?13, found = ?14, found_ends = ?15, asked_at = ?16";
    db.prepare_cached(sql)?.execute(tally.numbers())?;
    Ok(())
}

fn work(db: &Connection, books: &[(BookId, Work)]) -> Result<(), Fault> {
    for (book, Work { pending, waiting, board_changes, unheard }) in books {
        let sql = "UPDATE book SET pending = ?2, waiting = ?3, board_changes = ?4, unheard = ?5
                   WHERE id = ?1";
        let [pending, waiting, changes, unheard] =
            [pending, waiting, board_changes, unheard].map(|n| n.cast_signed());
        db.prepare_cached(sql)?.execute([book.0, pending, waiting, changes, unheard])?;
    }
    Ok(())
}

pub(super) fn add_batch(db: &Connection, batch: &StoredBatch) -> Result<(), Fault> {
    let sql = "INSERT INTO batch (number, book, queue, first, last, handover_queue,
                   handover_first, handover_last, marker_id, digest, plan, board, board_changes,
                   sealed_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    let Span { queue, first, last } = batch.handovers;
    db.prepare_cached(sql)?.execute(params![
        batch.number.cast_signed(),
        batch.book.0,
        batch.log.queue,
        batch.log.first.cast_signed(),
        batch.log.last.cast_signed(),
        queue,
        first.cast_signed(),
        last.cast_signed(),
        batch.marker_id,
        batch.digest,
        batch.plan,
        batch.board,
        batch.board_changes.cast_signed(),
        batch.sealed_at.0
    ])?;
    Ok(())
}

pub(super) fn end_batch(db: &Connection, number: u64) -> Result<(), Fault> {
    db.prepare_cached("DELETE FROM batch WHERE number = ?1")?.execute([number.cast_signed()])?;
    Ok(())
}

pub(super) fn delete_rows(db: &Connection, span: Span) -> Result<u64, Fault> {
    let sql = "DELETE FROM entry WHERE queue = ?1 AND number BETWEEN ?2 AND ?3";
    let ends = [span.queue, span.first.cast_signed(), span.last.cast_signed()];
    Ok(db.prepare_cached(sql)?.execute(ends)? as u64)
}
