//! Reading the journal beside the writer, on a connection of its own.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row};

use crate::chat::entry::{Entry, EventId};
use crate::chat::time::UnixMs;
use crate::journal::batch::Batch;
use crate::journal::tally::count;
use crate::journal::{Error, Kept, Measure};

/// A read-only connection. Never held while anything is awaited.
#[derive(Debug)]
pub(super) struct Reader(Mutex<Connection>);

impl Reader {
    pub(super) fn new(connection: Connection) -> Self {
        Self(Mutex::new(connection))
    }

    pub(super) fn oldest_pending(&self) -> Result<Option<UnixMs>, Error> {
        let sql = "SELECT received_at FROM entry ORDER BY number LIMIT 1";
        Ok(self
            .with(|db| db.prepare_cached(sql)?.query_row((), |row| row.get(0)).optional())?
            .map(UnixMs))
    }

    /// The oldest pending rows that fit the measure; a single row always fits. None from `before` on.
    pub(super) fn pending(
        &self,
        tag: &Arc<str>,
        measure: Measure,
        before: u64,
    ) -> Result<Vec<Entry>, Error> {
        let mut bytes = 0;
        self.entries(tag, 0, before.saturating_sub(1), |taken, entry| {
            bytes += (measure.bytes_of)(entry);
            taken == 0 || (taken < measure.rows_max && bytes <= measure.bytes_max)
        })
    }

    pub(super) fn kept(&self) -> Result<Vec<Kept>, Error> {
        let sql = "SELECT id, received_at, announced, body FROM unrecognised ORDER BY id";
        Ok(self.with(|db| {
            let mut statement = db.prepare(sql)?;
            let kept = statement.query_map((), |row| {
                Ok(Kept {
                    id: row.get(0)?,
                    received_at: UnixMs(row.get(1)?),
                    announced: row.get(2)?,
                    body: row.get(3)?,
                })
            })?;
            kept.collect()
        })?)
    }

    pub(super) fn open_batch(&self, tag: &Arc<str>) -> Result<Option<Batch>, Error> {
        let sql = "SELECT number, marker_id, digest, plan, sealed_at, first, last FROM batch";
        let found = self.with(|db| {
            db.query_row(sql, (), |row| {
                let batch = Batch {
                    number: count(row, 0)?,
                    marker_id: row.get(1)?,
                    digest: row.get(2)?,
                    plan: row.get(3)?,
                    sealed_at: UnixMs(row.get(4)?),
                    entries: Vec::new(),
                };
                Ok((batch, count(row, 5)?, count(row, 6)?))
            })
            .optional()
        })?;
        let Some((mut batch, first, last)) = found else { return Ok(None) };
        batch.entries = self.entries(tag, first, last, |_, _| true)?;
        Ok(Some(batch))
    }

    pub(super) fn sent(&self) -> Result<Vec<UnixMs>, Error> {
        Ok(self.with(|db| {
            let mut statement = db.prepare_cached("SELECT at FROM sent ORDER BY at")?;
            let times = statement.query_map((), |row| row.get(0).map(UnixMs))?;
            times.collect()
        })?)
    }

    pub(super) fn meta(&self, name: &str) -> Result<Option<i64>, Error> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        Ok(self.with(|db| db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional())?)
    }

    /// Entries from `first` to `last`, as long as `wanted` says so.
    fn entries(
        &self,
        tag: &Arc<str>,
        first: u64,
        last: u64,
        mut wanted: impl FnMut(usize, &Entry) -> bool,
    ) -> Result<Vec<Entry>, Error> {
        let sql =
            "SELECT number, payload FROM entry WHERE number BETWEEN ?1 AND ?2 ORDER BY number";
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([first.cast_signed(), last.cast_signed()])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let entry = entry(row, tag)?;
            if !wanted(entries.len(), &entry) {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The journal's own key and tag, drawn when it was made.
pub(super) fn origin(connection: &Connection) -> rusqlite::Result<(Vec<u8>, Arc<str>)> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let key = connection.query_row(sql, ["hash_key"], |row| row.get(0))?;
    let tag: String = connection.query_row(sql, ["tag"], |row| row.get(0))?;
    Ok((key, tag.into()))
}

fn entry(row: &Row<'_>, tag: &Arc<str>) -> Result<Entry, Error> {
    let payload = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
    let mut entry: Entry = serde_json::from_slice(payload)?;
    entry.event_id = EventId { tag: Arc::clone(tag), number: count(row, 0)? };
    Ok(entry)
}
