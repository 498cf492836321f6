//! What is remembered of chats and customers, inside a transaction, under keyed hashes of their names.
//!
//! A customer is known by id and by phone number: what is known stands under the first of its keys, and
//! the others only point there, so that what changes often is written once.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::chat::digest::Digest;
use crate::chat::time::UnixMs;
use crate::journal::Error;
use crate::journal::digest::ByHalf;
use crate::journal::page::{Page, json};

/// Whether a record is of one of these keys: it stands there, or points there.
pub(super) fn is_under(keys: &[Digest], key: &Digest, record: &[u8]) -> bool {
    let points = |other: &Digest| matches!(Record::of(record), Record::SameAs(to) if to == *other);
    keys.iter().any(|known| known == key || points(known))
}

/// Whether a record only says where another stands.
pub(super) fn is_pointer(record: &[u8]) -> bool {
    matches!(Record::of(record), Record::SameAs(_))
}

/// How long a pointer is left as it is before it is dated anew. Twice this is less than a day, the
/// shortest retention.
const POINTER_FRESH_MS: i64 = 8 * 3_600_000;
/// Most pointers known to stand: under 4 MB.
const ALIASES_MAX: usize = 100_000;

/// What stands under a key.
enum Record<'a> {
    Json(&'a [u8]),
    /// The key under which it stands.
    SameAs(Digest),
}

impl<'a> Record<'a> {
    /// JSON never begins with a zero byte; a pointer does.
    fn of(bytes: &'a [u8]) -> Self {
        match <[u8; Digest::BYTES]>::try_from(bytes.strip_prefix(&[0]).unwrap_or_default()) {
            Ok(digest) => Self::SameAs(Digest::from_bytes(digest)),
            Err(_) => Self::Json(bytes),
        }
    }

    fn same_as(key: &Digest) -> Vec<u8> {
        [&[0], key.as_bytes()].concat()
    }
}

/// Under which key it stands, what was recalled; none where nothing was known.
#[derive(Clone, Copy, Default)]
pub(super) struct Home(Option<Digest>);

/// The pointers that are known to stand, half of where each points to by half of its key, so that they
/// need not be looked for with every event.
#[derive(Default)]
pub(super) struct Aliases {
    known: ByHalf<u64>,
    since: Option<UnixMs>,
}

impl Aliases {
    /// True where this pointer is not known to stand so; from now on it is.
    fn is_new(&mut self, from: &Digest, to: &Digest, now: UnixMs) -> bool {
        let since = *self.since.get_or_insert(now);
        if self.known.len() >= ALIASES_MAX || now.since_ms(since).abs() >= POINTER_FRESH_MS {
            *self = Self { since: Some(now), ..Self::default() };
        }
        self.known.insert(from.half(), to.half()) != Some(to.half())
    }

    /// Under this key something stands now that is no pointer.
    fn end(&mut self, from: &Digest) {
        self.known.remove(&from.half());
    }
}

impl Page<'_> {
    /// What is remembered under the first of these keys that knows anything, else nothing known.
    /// A record that this version cannot read counts as nothing known.
    pub(super) fn recall<T: DeserializeOwned + Default>(
        &mut self,
        keys: &[Digest],
    ) -> Result<(T, Home), Error> {
        for key in keys {
            let mut home = *key;
            let mut found = self.look_up(key)?;
            if let Some(Err(other)) = found {
                home = other;
                found = self.look_up(&other)?;
            }
            if let Some(Ok(known)) = found {
                return Ok((known, Home(Some(home))));
            }
        }
        Ok((T::default(), Home(None)))
    }

    /// What stands under a key, or the key that it points to.
    fn look_up<T: DeserializeOwned + Default>(
        &mut self,
        key: &Digest,
    ) -> Result<Option<Result<T, Digest>>, Error> {
        self.record(key, |record, _| match record {
            Record::Json(json) => Ok(serde_json::from_slice(json).unwrap_or_default()),
            Record::SameAs(other) => Err(other),
        })
    }

    fn record<T>(
        &mut self,
        key: &Digest,
        read: impl FnOnce(Record<'_>, UnixMs) -> T,
    ) -> Result<Option<T>, Error> {
        if let Some((record, seen_at)) = self.indexes.memtable.get(key) {
            return Ok(Some(read(Record::of(record), seen_at)));
        }
        let found = self.statements.recall.get()?.query_row([key.as_bytes()], |row| {
            Ok(read(Record::of(row.get_ref(0)?.as_bytes()?), UnixMs(row.get(1)?)))
        });
        Ok(found.optional()?)
    }

    /// Remembers something under the first of these keys, the others pointing there; what was recalled by
    /// one key alone, where it stands.
    pub(super) fn remember<T: Serialize>(
        &mut self,
        keys: &[Digest],
        Home(home): Home,
        record: &T,
        now: UnixMs,
    ) -> Result<(), Error> {
        let Some((first, others)) = keys.split_first() else { return Ok(()) };
        // Whoever is told of by one key only may be known by a better one already.
        let home = home.filter(|_| others.is_empty()).unwrap_or(*first);
        self.log_record(&home, &json(record)?, now)?;
        self.indexes.aliases.end(&home);
        for key in others {
            if self.indexes.aliases.is_new(key, &home, now) && !self.points_to(key, &home, now)? {
                self.log_record(key, &Record::same_as(&home), now)?;
            }
        }
        Ok(())
    }

    /// Whether a pointer stands and is fresh.
    fn points_to(&mut self, key: &Digest, home: &Digest, now: UnixMs) -> Result<bool, Error> {
        let points = self.record(key, |record, seen_at| {
            let is_fresh = now.since_ms(seen_at) < POINTER_FRESH_MS;
            is_fresh && matches!(record, Record::SameAs(other) if other == *home)
        })?;
        Ok(points.unwrap_or(false))
    }

    /// Deletes what has been quiet since `before`, at most `limit` keys after `cursor`; gives the
    /// key to go on from, `None` at the end.
    pub(super) fn forget_quiet(
        &mut self,
        before: UnixMs,
        cursor: &[u8],
        limit: i64,
    ) -> Result<Option<Vec<u8>>, Error> {
        if cursor.is_empty() {
            self.forget_quiet_in_log(before)?;
        }
        let end: Option<Vec<u8>> = self
            .connection
            .prepare_cached(
                "SELECT max(key) FROM (SELECT key FROM memory WHERE key > ?1 ORDER BY key LIMIT ?2)",
            )?
            .query_row(params![cursor, limit], |row| row.get(0))?;
        let Some(end) = end else { return Ok(None) };
        self.connection
            .prepare_cached("DELETE FROM memory WHERE key > ?1 AND key <= ?2 AND seen_at < ?3")?
            .execute(params![cursor, end, before.0])?;
        Ok(Some(end))
    }

    /// The keys under which a customer is known by this one: itself, and the one that it points to.
    pub(super) fn keys_of(&mut self, key: Digest) -> Result<Vec<Digest>, Error> {
        let target = self.record(&key, |record, _| match record {
            Record::SameAs(other) => Some(other),
            Record::Json(_) => None,
        })?;
        Ok([key].into_iter().chain(target.flatten()).collect())
    }

    /// Deletes the records that match, among at most `limit` after `cursor`; gives the key to go on
    /// from and how many went.
    pub(super) fn forget_records(
        &mut self,
        cursor: &[u8],
        limit: i64,
        matches: impl Fn(&Digest, &[u8]) -> bool,
    ) -> Result<(Option<Vec<u8>>, u64), Error> {
        let in_log = if cursor.is_empty() { self.forget_in_log(&matches)? } else { 0 };
        let sql = "SELECT key, record FROM memory WHERE key > ?1 ORDER BY key LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![cursor, limit])?;
        let (mut end, mut found, mut records) = (None, Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let key: Vec<u8> = row.get(0)?;
            let digest = Digest::from_bytes(row.get(0)?);
            let record = row.get_ref(1)?.as_bytes().map_err(rusqlite::Error::from)?;
            if matches(&digest, record) {
                found.push(key.clone());
                records += u64::from(!is_pointer(record));
            }
            end = Some(key);
        }
        for key in &found {
            self.connection.execute("DELETE FROM memory WHERE key = ?1", [key])?;
        }
        // Who is heard of again begins anew, pointers and all.
        self.indexes.aliases = Aliases::default();
        Ok((end, in_log + records))
    }
}
