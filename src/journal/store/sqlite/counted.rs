//! What was counted in quarters of an hour: every statement about it.

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};

use crate::chat::counted::Quarter;
use crate::journal::counters::BookId;
use crate::journal::store::{Changes, Fault, StoredQuarter};

fn stored(row: &SqlRow<'_>) -> rusqlite::Result<StoredQuarter> {
    Ok(StoredQuarter {
        book: BookId(row.get(0)?),
        quarter: Quarter(row.get(1)?),
        counts: row.get_ref(2)?.as_bytes()?.to_vec(),
        agents: row.get(3)?,
    })
}

/// What stands under these keys.
pub(super) fn load(
    db: &Connection,
    keys: &[(BookId, Quarter)],
    found: &mut Vec<StoredQuarter>,
) -> Result<(), Fault> {
    let sql = "SELECT book, quarter, counts, agents FROM counted WHERE book = ?1 AND quarter = ?2";
    for (book, quarter) in keys {
        let mut statement = db.prepare_cached(sql)?;
        found.extend(statement.query_row([book.0, quarter.0], stored).optional()?);
    }
    Ok(())
}

/// From one quarter on, in order.
pub(super) fn from(
    db: &Connection,
    book: BookId,
    from: Quarter,
    quarters_max: i64,
) -> Result<Vec<StoredQuarter>, Fault> {
    let sql = "SELECT book, quarter, counts, agents FROM counted
               WHERE book = ?1 AND quarter >= ?2 ORDER BY quarter LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let quarters = statement.query_map([book.0, from.0, quarters_max], stored)?;
    Ok(quarters.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn write(db: &Connection, changes: &Changes) -> Result<(), Fault> {
    for StoredQuarter { book, quarter, counts, agents } in &changes.quarters {
        let sql = "INSERT OR REPLACE INTO counted (book, quarter, counts, agents)
                   VALUES (?1, ?2, ?3, ?4)";
        db.prepare_cached(sql)?.execute(params![book.0, quarter.0, counts, agents])?;
    }
    if let Some((all, agents)) = changes.quarters_until {
        db.prepare_cached("DELETE FROM counted WHERE quarter < ?1")?.execute([all.0])?;
        let sql = "UPDATE counted SET agents = NULL WHERE quarter < ?1 AND agents IS NOT NULL";
        db.prepare_cached(sql)?.execute([agents.0])?;
    }
    Ok(())
}
