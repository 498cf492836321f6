//! Every statement that writes: for each kind of record one, whatever the number of records. All inside a
//! transaction, sent one after the other without waiting in between.

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::journal::origin::Origin;
use crate::journal::store::postgres::column::bytes;
use crate::journal::store::postgres::{counted, owner};
use crate::journal::store::{Changes, Span, Stored, StoredBatch};

type Values<'a, const N: usize> = [(&'a (dyn ToSql + Sync), Type); N];
type Sql<T> = Result<T, tokio_postgres::Error>;

const BIGINTS: Type = Type::INT8_ARRAY;
const BYTES: Type = Type::BYTEA_ARRAY;
const TEXTS: Type = Type::TEXT_ARRAY;

fn numbers(of: impl Iterator<Item = u64>) -> Vec<i64> {
    of.map(u64::cast_signed).collect()
}

/// Writes a group's changes. Every answer is waited for: a commit after a statement that failed would come to
/// nothing without saying so.
pub(super) async fn all(client: &Client, changes: &Changes) -> Sql<()> {
    tokio::try_join!(
        places(client, changes),
        rows(client, changes),
        last(client, changes),
        records(client, changes),
        waits(client, changes),
        counted::write(client, changes),
        aside(client, changes),
        unrecognised(client, changes),
        awaited(client, changes),
        meta(client, changes),
        owner::all(client, changes),
        tally(client, changes),
    )?;
    Ok(())
}

/// Whether all of it is sent without waiting for any answer in between, so that a commit may follow at once.
pub(super) fn goes_at_once(changes: &Changes) -> bool {
    let Changes { places, meta, aside, unrecognised, unrecognised_gone, awaited, .. } = changes;
    let is_plain = places.books.is_empty() && places.queues.is_empty() && meta.is_empty();
    let is_of_events = aside.is_empty() && unrecognised.is_empty() && unrecognised_gone.is_empty();
    let awaits = !awaited.is_empty() || changes.awaited_until.is_some();
    let awaits = awaits || changes.quarters_until.is_some();
    is_plain && is_of_events && !awaits && owner::is_empty(changes)
}

/// The journal is that one from now on.
pub(super) async fn adopt(client: &Client, origin: &Origin) -> Sql<()> {
    let sql = "UPDATE doubletick_sheets.origin SET hash_key = $1, tag = $2";
    let tag: &str = &origin.tag;
    client
        .execute_typed(sql, &[(&origin.hash_key, Type::BYTEA), (&tag, Type::TEXT)])
        .await
        .map(drop)
}

async fn places(client: &Client, changes: &Changes) -> Sql<()> {
    for (book, spreadsheet) in &changes.places.books {
        let sql = "INSERT INTO doubletick_sheets.book (id, spreadsheet) VALUES ($1, $2)";
        client.execute_typed(sql, &[(&book.0, Type::INT8), (spreadsheet, Type::TEXT)]).await?;
    }
    for queue in &changes.places.queues {
        let sql = "INSERT INTO doubletick_sheets.queue (id, book, tab) VALUES ($1, $2, $3)";
        let values: Values<'_, 3> =
            [(&queue.id, Type::INT8), (&queue.book.0, Type::INT8), (&queue.tab, Type::TEXT)];
        client.execute_typed(sql, &values).await?;
    }
    Ok(())
}

async fn rows(client: &Client, changes: &Changes) -> Sql<()> {
    let gone = async {
        if changes.rows_gone.is_empty() {
            return Ok(0);
        }
        let queues: Vec<i64> = changes.rows_gone.iter().map(|(queue, _)| *queue).collect();
        let gone = numbers(changes.rows_gone.iter().map(|(_, number)| *number));
        let sql = "DELETE FROM doubletick_sheets.entry
                   USING unnest($1, $2) AS gone (queue, number)
                   WHERE entry.queue = gone.queue AND entry.number = gone.number";
        client.execute_typed(sql, &[(&queues, BIGINTS), (&gone, BIGINTS)]).await
    };
    let added = async {
        if changes.rows.is_empty() {
            return Ok(0);
        }
        let rows = || changes.rows.iter();
        let queues: Vec<i64> = rows().map(|(queue, _)| *queue).collect();
        let added = numbers(rows().map(|(_, row)| row.number));
        let times: Vec<i64> = rows().map(|(_, row)| row.received_at.0).collect();
        let payloads: Vec<&[u8]> = rows().map(|(_, row)| row.payload.as_slice()).collect();
        let sql = "INSERT INTO doubletick_sheets.entry (queue, number, received_at, payload)
                   SELECT * FROM unnest($1, $2, $3, $4)";
        let values: Values<'_, 4> =
            [(&queues, BIGINTS), (&added, BIGINTS), (&times, BIGINTS), (&payloads, BYTES)];
        client.execute_typed(sql, &values).await
    };
    tokio::try_join!(biased; gone, added)?;
    Ok(())
}

async fn last(client: &Client, changes: &Changes) -> Sql<()> {
    if changes.last.is_empty() {
        return Ok(());
    }
    let events = || changes.last.iter();
    let told = numbers(events().map(|(_, told)| told.number));
    let chats: Vec<&[u8]> = events().map(|(chat, _)| chat.as_bytes()).collect();
    let bodies: Vec<&[u8]> = events().map(|(_, told)| told.digest.as_bytes()).collect();
    let times: Vec<i64> = events().map(|(_, told)| told.at.0).collect();
    let sql = "INSERT INTO doubletick_sheets.recent (number, chat, body, at)
               SELECT * FROM unnest($1, $2, $3, $4)";
    let values: Values<'_, 4> =
        [(&told, BIGINTS), (&chats, BYTES), (&bodies, BYTES), (&times, BIGINTS)];
    client.execute_typed(sql, &values).await.map(drop)
}

async fn records(client: &Client, changes: &Changes) -> Sql<()> {
    if changes.records.is_empty() {
        return Ok(());
    }
    let mut gone: Vec<&[u8]> = Vec::new();
    let (mut keys, mut seen) = (Vec::new(), Vec::new());
    let (mut targets, mut records) = (Vec::new(), Vec::new());
    for (key, remembered) in &changes.records {
        let Some(remembered) = remembered else {
            gone.push(key.as_bytes());
            continue;
        };
        keys.push(key.as_bytes());
        seen.push(remembered.seen_at.0);
        let (target, record) = match &remembered.what {
            Stored::SameAs(target) => (Some(target.as_bytes()), None),
            Stored::Record(record) => (None, Some(record.as_slice())),
        };
        targets.push(target);
        records.push(record);
    }
    let delete = async {
        if gone.is_empty() {
            return Ok(0);
        }
        let sql = "DELETE FROM doubletick_sheets.memory WHERE key = ANY($1)";
        client.execute_typed(sql, &[(&gone, BYTES)]).await
    };
    let upsert = async {
        if keys.is_empty() {
            return Ok(0);
        }
        let sql = "INSERT INTO doubletick_sheets.memory (key, seen_at, same_as, record)
                   SELECT * FROM unnest($1, $2, $3, $4)
                   ON CONFLICT (key) DO UPDATE SET seen_at = excluded.seen_at,
                       same_as = excluded.same_as, record = excluded.record";
        let values: Values<'_, 4> =
            [(&keys, BYTES), (&seen, BIGINTS), (&targets, BYTES), (&records, BYTES)];
        client.execute_typed(sql, &values).await
    };
    tokio::try_join!(biased; delete, upsert)?;
    Ok(())
}

async fn waits(client: &Client, changes: &Changes) -> Sql<()> {
    if changes.waits.is_empty() {
        return Ok(());
    }
    let gone = numbers(changes.waits.iter().filter(|(_, wait)| wait.is_none()).map(|(n, _)| *n));
    let kept = || changes.waits.values().flatten();
    let delete = async {
        if gone.is_empty() {
            return Ok(());
        }
        let sql = "DELETE FROM doubletick_sheets.waiting WHERE number = ANY($1)";
        client.execute_typed(sql, &[(&gone, BIGINTS)]).await.map(drop)
    };
    let upsert = async {
        if kept().next().is_none() {
            return Ok(());
        }
        let began = numbers(kept().map(|wait| wait.number));
        let books: Vec<i64> = kept().map(|wait| wait.book.0).collect();
        let chats: Vec<&[u8]> = kept().map(|wait| wait.chat.as_bytes()).collect();
        let customers: Vec<Vec<u8>> = kept().map(|wait| bytes(&wait.customer).concat()).collect();
        let over: Vec<bool> = kept().map(|wait| wait.is_over).collect();
        let seen: Vec<i64> = kept().map(|wait| wait.seen_at.0).collect();
        let records: Vec<&[u8]> = kept().map(|wait| wait.record.as_slice()).collect();
        let sql = "INSERT INTO doubletick_sheets.waiting
                       (number, book, chat, customer, is_over, seen_at, record)
                   SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)
                   ON CONFLICT (number) DO UPDATE SET book = excluded.book,
                       customer = excluded.customer, is_over = excluded.is_over,
                       seen_at = excluded.seen_at, record = excluded.record";
        let values: Values<'_, 7> = [
            (&began, BIGINTS),
            (&books, BIGINTS),
            (&chats, BYTES),
            (&customers, BYTES),
            (&over, Type::BOOL_ARRAY),
            (&seen, BIGINTS),
            (&records, BYTES),
        ];
        client.execute_typed(sql, &values).await.map(drop)
    };
    tokio::try_join!(biased; delete, upsert)?;
    Ok(())
}

async fn aside(client: &Client, changes: &Changes) -> Sql<()> {
    let gone = numbers(changes.aside.iter().filter(|(_, row)| row.is_none()).map(|(n, _)| *n));
    if !gone.is_empty() {
        let sql = "DELETE FROM doubletick_sheets.set_aside WHERE number = ANY($1)";
        client.execute_typed(sql, &[(&gone, BIGINTS)]).await?;
    }
    let kept = || changes.aside.values().flatten();
    if kept().next().is_none() {
        return Ok(());
    }
    let set_aside = numbers(kept().map(|aside| aside.row.number));
    let received: Vec<i64> = kept().map(|aside| aside.row.received_at.0).collect();
    let payloads: Vec<&[u8]> = kept().map(|aside| aside.row.payload.as_slice()).collect();
    let reasons: Vec<&str> = kept().map(|aside| aside.reason.as_str()).collect();
    let times: Vec<i64> = kept().map(|aside| aside.at.0).collect();
    let sql = "INSERT INTO doubletick_sheets.set_aside (number, received_at, payload, reason, at)
               SELECT * FROM unnest($1, $2, $3, $4, $5)
               ON CONFLICT (number) DO UPDATE SET payload = excluded.payload,
                   reason = excluded.reason, at = excluded.at";
    let values: Values<'_, 5> = [
        (&set_aside, BIGINTS),
        (&received, BIGINTS),
        (&payloads, BYTES),
        (&reasons, TEXTS),
        (&times, BIGINTS),
    ];
    client.execute_typed(sql, &values).await.map(drop)
}

async fn unrecognised(client: &Client, changes: &Changes) -> Sql<()> {
    for body in &changes.unrecognised {
        let id = body.id.cast_signed();
        let sql = "INSERT INTO doubletick_sheets.unrecognised (id, received_at, announced, body)
                   VALUES ($1, $2, $3, $4)";
        let values: Values<'_, 4> = [
            (&id, Type::INT8),
            (&body.received_at.0, Type::INT8),
            (&body.announced, Type::TEXT),
            (&body.body, Type::BYTEA),
        ];
        client.execute_typed(sql, &values).await?;
    }
    if !changes.unrecognised_gone.is_empty() {
        let gone = numbers(changes.unrecognised_gone.iter().copied());
        let sql = "DELETE FROM doubletick_sheets.unrecognised WHERE id = ANY($1)";
        client.execute_typed(sql, &[(&gone, BIGINTS)]).await?;
    }
    Ok(())
}

async fn awaited(client: &Client, changes: &Changes) -> Sql<()> {
    if let Some(until) = changes.awaited_until {
        let sql = "DELETE FROM doubletick_sheets.awaited WHERE until < $1";
        client.execute_typed(sql, &[(&until.0, Type::INT8)]).await?;
    }
    if changes.awaited.is_empty() {
        return Ok(());
    }
    let all = || changes.awaited.iter();
    let gone = numbers(all().filter(|(_, row)| row.is_none()).map(|(number, _)| *number));
    let sql = "DELETE FROM doubletick_sheets.awaited WHERE number = ANY($1)";
    client.execute_typed(sql, &[(&gone, BIGINTS)]).await?;
    let kept = || all().filter_map(|(number, row)| row.map(|(book, until)| (*number, book, until)));
    let rows = numbers(kept().map(|(number, ..)| number));
    let books: Vec<i64> = kept().map(|(_, book, _)| book.0).collect();
    let times: Vec<i64> = kept().map(|(.., until)| until.0).collect();
    let sql = "INSERT INTO doubletick_sheets.awaited (number, book, until)
               SELECT * FROM unnest($1, $2, $3)";
    let values: Values<'_, 3> = [(&rows, BIGINTS), (&books, BIGINTS), (&times, BIGINTS)];
    client.execute_typed(sql, &values).await.map(drop)
}

async fn meta(client: &Client, changes: &Changes) -> Sql<()> {
    for (name, value) in &changes.meta {
        let sql = "INSERT INTO doubletick_sheets.meta (name, value) VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        client.execute_typed(sql, &[(name, Type::TEXT), (value, Type::INT8)]).await?;
    }
    Ok(())
}

async fn tally(client: &Client, changes: &Changes) -> Sql<()> {
    let work = async {
        if changes.work.is_empty() {
            return Ok(0);
        }
        let all = || changes.work.iter();
        let books: Vec<i64> = all().map(|(book, _)| book.0).collect();
        let pending = numbers(all().map(|(_, work)| work.pending));
        let waiting = numbers(all().map(|(_, work)| work.waiting));
        let boards = numbers(all().map(|(_, work)| work.board_changes));
        let unheard = numbers(all().map(|(_, work)| work.unheard));
        let sql = "UPDATE doubletick_sheets.book SET pending = new.pending, waiting = new.waiting,
                       board_changes = new.board_changes, unheard = new.unheard
                   FROM unnest($1, $2, $3, $4, $5)
                       AS new (id, pending, waiting, board_changes, unheard)
                   WHERE book.id = new.id";
        let values: Values<'_, 5> = [
            (&books, BIGINTS),
            (&pending, BIGINTS),
            (&waiting, BIGINTS),
            (&boards, BIGINTS),
            (&unheard, BIGINTS),
        ];
        client.execute_typed(sql, &values).await
    };
    let counts = async {
        let Some(tally) = &changes.tally else { return Ok(0) };
        let counts = tally.numbers();
        let sql = "UPDATE doubletick_sheets.tally SET (next_number, next_batch, accepted, remembered,
                       duplicate, unrecognised, written, set_aside, handovers, handovers_written,
                       handovers_set_aside, assigned_at, waits, found, found_ends, asked_at) =
                       (SELECT $1[1], $1[2], $1[3], $1[4], $1[5], $1[6], $1[7], $1[8], $1[9], $1[10],
                       $1[11], $1[12], $1[13], $1[14], $1[15], $1[16])";
        client.execute_typed(sql, &[(&counts.as_slice(), BIGINTS)]).await
    };
    tokio::try_join!(work, counts)?;
    Ok(())
}

/// Events from before this need not be known any more.
pub(super) async fn forget_last(client: &Client, until: i64) -> Sql<u64> {
    let sql = "DELETE FROM doubletick_sheets.recent WHERE at < $1";
    client.execute_typed(sql, &[(&until, Type::INT8)]).await
}

pub(super) async fn add_batch(client: &Client, batch: &StoredBatch) -> Sql<()> {
    let sql =
        "INSERT INTO doubletick_sheets.batch (number, book, queue, first, last, handover_queue,
                   handover_first, handover_last, marker_id, digest, plan, board, board_changes,
                   sealed_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let (log, handovers) = (batch.log, batch.handovers);
    let number = |number: u64| number.cast_signed();
    let values: Values<'_, 14> = [
        (&number(batch.number), Type::INT8),
        (&batch.book.0, Type::INT8),
        (&log.queue, Type::INT8),
        (&number(log.first), Type::INT8),
        (&number(log.last), Type::INT8),
        (&handovers.queue, Type::INT8),
        (&number(handovers.first), Type::INT8),
        (&number(handovers.last), Type::INT8),
        (&batch.marker_id, Type::INT4),
        (&batch.digest, Type::TEXT),
        (&batch.plan, Type::TEXT),
        (&batch.board, Type::TEXT),
        (&number(batch.board_changes), Type::INT8),
        (&batch.sealed_at.0, Type::INT8),
    ];
    client.execute_typed(sql, &values).await.map(drop)
}

pub(super) async fn end_batch(client: &Client, number: u64) -> Sql<()> {
    let number = number.cast_signed();
    let sql = "DELETE FROM doubletick_sheets.batch WHERE number = $1";
    client.execute_typed(sql, &[(&number, Type::INT8)]).await.map(drop)
}

pub(super) async fn delete_rows(client: &Client, span: Span) -> Sql<u64> {
    let (first, last) = (span.first.cast_signed(), span.last.cast_signed());
    let sql = "DELETE FROM doubletick_sheets.entry WHERE queue = $1 AND number BETWEEN $2 AND $3";
    let values: Values<'_, 3> =
        [(&span.queue, Type::INT8), (&first, Type::INT8), (&last, Type::INT8)];
    client.execute_typed(sql, &values).await
}
