//! The markers under which something may still be sent, as they are kept.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use crate::chat::time::UnixMs;
use crate::journal::counters::BookId;
use crate::journal::store::Fence;

pub(super) const FENCES: &str = "SELECT marker_id, book, digest, at, is_open
    FROM doubletick_sheets.fence ORDER BY marker_id";

pub(super) fn of(row: &Row) -> Result<Fence, Error> {
    let (marker_id, book) = (row.try_get(0)?, BookId(row.try_get(1)?));
    let (digest, at, is_open) = (row.try_get(2)?, UnixMs(row.try_get(3)?), row.try_get(4)?);
    Ok(Fence { marker_id, book, digest, at, is_open })
}

pub(super) async fn put(
    client: &Client,
    marker_id: i32,
    fence: Option<&Fence>,
) -> Result<(), Error> {
    let Some(Fence { book, digest, at, is_open, .. }) = fence else {
        let sql = "DELETE FROM doubletick_sheets.fence WHERE marker_id = $1";
        return client.execute_typed(sql, &[(&marker_id, Type::INT4)]).await.map(drop);
    };
    let sql = "INSERT INTO doubletick_sheets.fence (marker_id, book, digest, at, is_open)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (marker_id) DO UPDATE SET at = excluded.at, is_open = excluded.is_open";
    let values: [(&(dyn ToSql + Sync), Type); 5] = [
        (&marker_id, Type::INT4),
        (&book.0, Type::INT8),
        (digest, Type::TEXT),
        (&at.0, Type::INT8),
        (is_open, Type::BOOL),
    ];
    client.execute_typed(sql, &values).await.map(drop)
}
