//! What was counted in quarters of an hour: every statement about it.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::chat::counted::Quarter;
use crate::journal::counters::BookId;
use crate::journal::store::postgres::column::{Sql, owned};
use crate::journal::store::{Changes, StoredQuarter};

type Values<'a, const N: usize> = [(&'a (dyn ToSql + Sync), Type); N];

/// Under these books and quarters.
pub(super) const UNDER: &str = "SELECT book, quarter, counts, agents
    FROM unnest($1, $2) AS asked (book, quarter)
    JOIN doubletick_sheets.counted USING (book, quarter)";
/// Of this book from that quarter on, so many.
pub(super) const FROM: &str = "SELECT book, quarter, counts, agents FROM doubletick_sheets.counted
    WHERE book = $1 AND quarter >= $2 ORDER BY quarter LIMIT $3";

pub(super) fn stored(row: &Row) -> Sql<StoredQuarter> {
    Ok(StoredQuarter {
        book: BookId(row.try_get(0)?),
        quarter: Quarter(row.try_get(1)?),
        counts: owned(row, 2)?,
        agents: row.try_get(3)?,
    })
}

/// In one statement, whatever the number of quarters.
pub(super) async fn write(client: &Client, changes: &Changes) -> Sql<()> {
    if let Some((all, agents)) = changes.quarters_until {
        let sql = "DELETE FROM doubletick_sheets.counted WHERE quarter < $1";
        client.execute_typed(sql, &[(&all.0, Type::INT8)]).await?;
        let sql = "UPDATE doubletick_sheets.counted SET agents = NULL
                   WHERE quarter < $1 AND agents IS NOT NULL";
        client.execute_typed(sql, &[(&agents.0, Type::INT8)]).await?;
    }
    if changes.quarters.is_empty() {
        return Ok(());
    }
    let all = || changes.quarters.iter();
    let books: Vec<i64> = all().map(|stored| stored.book.0).collect();
    let quarters: Vec<i64> = all().map(|stored| stored.quarter.0).collect();
    let counts: Vec<&[u8]> = all().map(|stored| stored.counts.as_slice()).collect();
    let agents: Vec<Option<&[u8]>> = all().map(|stored| stored.agents.as_deref()).collect();
    let sql = "INSERT INTO doubletick_sheets.counted (book, quarter, counts, agents)
               SELECT * FROM unnest($1, $2, $3, $4)
               ON CONFLICT (book, quarter) DO UPDATE SET counts = excluded.counts,
                   agents = excluded.agents";
    let values: Values<'_, 4> = [
        (&books, Type::INT8_ARRAY),
        (&quarters, Type::INT8_ARRAY),
        (&counts, Type::BYTEA_ARRAY),
        (&agents, Type::BYTEA_ARRAY),
    ];
    client.execute_typed(sql, &values).await.map(drop)
}
