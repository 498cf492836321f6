//! What the database's rows are here: each column as the type that it stands for.

use tokio_postgres::Row as SqlRow;

use crate::chat::digest::Digest;
use crate::chat::memory::Told;
use crate::chat::time::UnixMs;
use crate::journal::counters::{BookId, Tally};
use crate::journal::store::{Remembered, Row, Span, Stored, StoredBatch, StoredWait};

/// The database's clock, in milliseconds since 1970. `now()` would stand still from BEGIN on.
pub(super) const CLOCK: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

pub(super) type Sql<T> = Result<T, tokio_postgres::Error>;

/// Ours start at zero and only count up.
pub(super) fn unsigned(row: &SqlRow, column: usize) -> Sql<u64> {
    row.try_get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(super) fn time(row: &SqlRow, column: usize) -> Sql<UnixMs> {
    row.try_get(column).map(UnixMs)
}

pub(super) fn owned(row: &SqlRow, column: usize) -> Sql<Vec<u8>> {
    Ok(row.try_get::<_, &[u8]>(column)?.to_vec())
}

/// A key. What is no key is the same as none that anybody looks for.
pub(super) fn key(bytes: &[u8]) -> Digest {
    Digest::from_bytes(bytes.try_into().unwrap_or_default())
}

pub(super) fn digest(row: &SqlRow, column: usize) -> Sql<Digest> {
    Ok(key(row.try_get(column)?))
}

pub(super) fn told(row: &SqlRow) -> Sql<(Digest, Told)> {
    let told = Told { digest: digest(row, 1)?, number: unsigned(row, 2)?, at: time(row, 3)? };
    Ok((digest(row, 0)?, told))
}

pub(super) fn record(row: &SqlRow) -> Sql<(Digest, Remembered)> {
    let what = match row.try_get::<_, Option<&[u8]>>(2)? {
        Some(target) => Stored::SameAs(key(target)),
        None => Stored::Record(row.try_get::<_, Option<Vec<u8>>>(3)?.unwrap_or_default()),
    };
    Ok((digest(row, 0)?, Remembered { what, seen_at: time(row, 1)? }))
}

pub(super) fn wait(row: &SqlRow) -> Sql<StoredWait> {
    Ok(StoredWait {
        number: unsigned(row, 0)?,
        book: BookId(row.try_get(1)?),
        chat: digest(row, 2)?,
        customer: row.try_get::<_, &[u8]>(3)?.chunks_exact(Digest::BYTES).map(key).collect(),
        is_over: row.try_get(4)?,
        seen_at: time(row, 5)?,
        record: owned(row, 6)?,
    })
}

pub(super) fn stored_row(row: &SqlRow) -> Sql<Row> {
    Ok(Row { number: unsigned(row, 0)?, received_at: time(row, 1)?, payload: owned(row, 2)? })
}

pub(super) fn tally(row: &SqlRow) -> Sql<Tally> {
    Tally::from_numbers(|column| row.try_get(column))
}

pub(super) fn batch(row: &SqlRow) -> Sql<StoredBatch> {
    let span = |at: usize| -> Sql<Span> {
        Ok(Span {
            queue: row.try_get(at)?,
            first: unsigned(row, at + 1)?,
            last: unsigned(row, at + 2)?,
        })
    };
    Ok(StoredBatch {
        number: unsigned(row, 0)?,
        book: BookId(row.try_get(1)?),
        log: span(2)?,
        handovers: span(5)?,
        marker_id: row.try_get(8)?,
        digest: row.try_get(9)?,
        plan: row.try_get(10)?,
        board: row.try_get(11)?,
        board_changes: unsigned(row, 12)?,
        sealed_at: time(row, 13)?,
    })
}

/// Keys as they are stored.
pub(super) fn bytes(keys: &[Digest]) -> Vec<&[u8]> {
    keys.iter().map(Digest::as_bytes).collect()
}
