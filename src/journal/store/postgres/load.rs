//! What a group of events asks for: all that stands under its keys, in four statements.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::journal::store::postgres::column::{Sql, bytes, record, told, wait};
use crate::journal::store::postgres::counted;
use crate::journal::store::{Keys, Loaded};

type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// What the statements of [`ahead`] found.
#[derive(Default)]
pub(super) struct Found {
    last: Vec<Row>,
    records: Vec<Row>,
    waits: Vec<Row>,
    quarters: Vec<Row>,
}

impl Found {
    pub(super) fn loaded(&self) -> Sql<Loaded> {
        Ok(Loaded {
            last: self.last.iter().map(told).collect::<Sql<_>>()?,
            records: self.records.iter().map(record).collect::<Sql<_>>()?,
            waits: self.waits.iter().map(wait).collect::<Sql<_>>()?,
            quarters: self.quarters.iter().map(counted::stored).collect::<Sql<_>>()?,
        })
    }
}

/// Asks for all that stands under these keys, without waiting in between.
pub(super) async fn ahead(client: &Client, keys: &Keys) -> Sql<Found> {
    let (last, records) = (bytes(&keys.last), bytes(&keys.records));
    let (chats, customers) = (bytes(&keys.chats), bytes(&keys.customers));
    let books: Vec<i64> = keys.quarters.iter().map(|(book, _)| book.0).collect();
    let quarters: Vec<i64> = keys.quarters.iter().map(|(_, quarter)| quarter.0).collect();
    let of_quarters: [Parameter<'_>; 2] =
        [(&books, Type::INT8_ARRAY), (&quarters, Type::INT8_ARRAY)];
    let array = Type::BYTEA_ARRAY;
    let of_last: [Parameter<'_>; 1] = [(&last, array.clone())];
    let of_records: [Parameter<'_>; 1] = [(&records, array.clone())];
    let of_waits: [Parameter<'_>; 2] = [(&chats, array.clone()), (&customers, array)];
    let asks_for_waits = !(chats.is_empty() && customers.is_empty());
    let (last, records, waits, quarters) = tokio::try_join!(
        some(client, LAST, !last.is_empty(), &of_last),
        some(client, RECORDS, !records.is_empty(), &of_records),
        some(client, WAITS, asks_for_waits, &of_waits),
        some(client, counted::UNDER, !quarters.is_empty(), &of_quarters),
    )?;
    Ok(Found { last, records, waits, quarters })
}

const LAST: &str = "SELECT DISTINCT ON (chat) chat, body, number, at FROM doubletick_sheets.recent
    WHERE chat = ANY($1) ORDER BY chat, number DESC";
const RECORDS: &str = "WITH asked AS (
        SELECT key, seen_at, same_as, record FROM doubletick_sheets.memory WHERE key = ANY($1)
    )
    SELECT key, seen_at, same_as, record FROM asked
    UNION ALL
    SELECT key, seen_at, same_as, record FROM doubletick_sheets.memory
    WHERE key IN (SELECT same_as FROM asked WHERE same_as IS NOT NULL)";
const WAITS: &str = "SELECT number, book, chat, customer, is_over, seen_at, record
    FROM doubletick_sheets.waiting
    WHERE number IN (
        SELECT number FROM doubletick_sheets.waiting WHERE chat = ANY($1)
        UNION
        SELECT number FROM doubletick_sheets.waiting WHERE substr(customer, 1, 16) = ANY($2)
        UNION
        SELECT number FROM doubletick_sheets.waiting WHERE substr(customer, 17, 16) = ANY($2)
    )
    ORDER BY number";

async fn some(
    client: &Client,
    sql: &str,
    is_asked: bool,
    parameters: &[Parameter<'_>],
) -> Sql<Vec<Row>> {
    if is_asked { client.query_typed(sql, parameters).await } else { Ok(Vec::new()) }
}
