//! What was remembered lately: a log on disk, and in memory the newest record of each key.
//!
//! What is remembered stands under keys without order, so a record put into its table at once rewrites a
//! page of its own. The log takes it in the order it comes; once there is much of it, it is merged into
//! the table in the order of the keys, some with every transaction, and then the log is cut off from its
//! oldest end. So the log's newest record of a key is never older than the table's, whatever a crash or a
//! failed transaction leaves: the log read anew, and the table behind it, is the truth. (A sweep goes by
//! the clock: where that was set back it may take a record and leave one of minutes before it.)

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

use rusqlite::{Connection, params};

use crate::chat::digest::Digest;
use crate::chat::time::UnixMs;
use crate::journal::Error;
use crate::journal::digest::AsItIs;
use crate::journal::memory::is_pointer;
use crate::journal::page::Page;

/// How many records in the log are worth a merge, and how many bytes of them: 4 MB in memory. While one is
/// under way as many come in addition.
const WORTH_A_MERGE: i64 = if cfg!(test) { 4 } else { 16_384 };
const BYTES_WORTH_A_MERGE: usize = 2 * 1024 * 1024;
/// What a transaction merges besides twice of what it put in itself.
const A_STEP: usize = if cfg!(test) { 1 } else { 64 };

/// A record that is in the log.
struct Fresh {
    seen_at: UnixMs,
    record: Box<[u8]>,
}

/// A merge under way.
struct Merge {
    /// The newest record in the log when it began.
    up_to: i64,
    /// The keys that are still to be merged, the first in their order last.
    keys: Vec<Digest>,
}

/// The newest record of each key that the log has.
#[derive(Default)]
pub(super) struct Memtable {
    records: HashMap<Digest, Fresh, BuildHasherDefault<AsItIs>>,
    /// The newest record in the log, and the newest that was cut off.
    newest: i64,
    cut: i64,
    /// Of the records.
    bytes: usize,
    merge: Option<Merge>,
    put: usize,
}

impl Memtable {
    /// Reads the log anew.
    pub(super) fn load(connection: &Connection) -> Result<Self, Error> {
        let mut memtable = Self::default();
        let sql = "SELECT number, key, seen_at, record FROM memory_log ORDER BY number";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let record: Vec<u8> = row.get(3)?;
            memtable.newest = row.get(0)?;
            if memtable.records.is_empty() {
                memtable.cut = memtable.newest - 1;
            }
            let (key, seen_at) = (Digest::from_bytes(row.get(1)?), UnixMs(row.get(2)?));
            memtable.insert(key, seen_at, record.into());
        }
        Ok(memtable)
    }

    fn insert(&mut self, key: Digest, seen_at: UnixMs, record: Box<[u8]>) {
        self.bytes += record.len();
        let before = self.records.insert(key, Fresh { seen_at, record });
        self.bytes -= before.map_or(0, |before| before.record.len());
    }

    fn remove(&mut self, key: &Digest) -> Option<Fresh> {
        let fresh = self.records.remove(key)?;
        self.bytes -= fresh.record.len();
        Some(fresh)
    }

    fn is_worth_a_merge(&self) -> bool {
        self.newest - self.cut >= WORTH_A_MERGE || self.bytes >= BYTES_WORTH_A_MERGE
    }

    /// What stands under a key, and since when.
    pub(super) fn get(&self, key: &Digest) -> Option<(&[u8], UnixMs)> {
        self.records.get(key).map(|fresh| (&*fresh.record, fresh.seen_at))
    }
}

impl Page<'_> {
    /// Notes what stands under a key from now on.
    pub(super) fn log_record(
        &mut self,
        key: &Digest,
        record: &[u8],
        now: UnixMs,
    ) -> Result<(), Error> {
        let memtable = &mut self.indexes.memtable;
        memtable.newest += 1;
        memtable.put += 1;
        memtable.insert(*key, now, record.into());
        let values = params![memtable.newest, key.as_bytes(), now.0, record];
        self.statements.log_record.get()?.execute(values)?;
        Ok(())
    }

    /// Goes on with the merge, or begins one where it is worth it: twice as much as came in, so that it
    /// ends. Not on a full disk, where only rows go out, nor beside the service, which knows of that.
    pub(super) fn merge_some(&mut self) -> Result<(), Error> {
        let memtable = &mut self.indexes.memtable;
        let step = 2 * std::mem::take(&mut memtable.put) + A_STEP;
        if !self.has_room {
            return Ok(());
        }
        if memtable.merge.is_none() && memtable.is_worth_a_merge() {
            let mut keys: Vec<Digest> = memtable.records.keys().copied().collect();
            keys.sort_unstable_by(|one, other| other.as_bytes().cmp(one.as_bytes()));
            memtable.merge = Some(Merge { up_to: memtable.newest, keys });
        }
        let Some(Merge { up_to, keys }) = &mut memtable.merge else { return Ok(()) };
        if keys.is_empty() {
            let up_to = *up_to;
            return self.cut_log(up_to, step);
        }
        let some: Vec<Digest> = keys.drain(keys.len().saturating_sub(step)..).rev().collect();
        for key in some {
            if let Some(Fresh { seen_at, record }) = memtable.remove(&key) {
                let values = params![key.as_bytes(), seen_at.0, record];
                self.statements.merge.get()?.execute(values)?;
            }
        }
        Ok(())
    }

    /// All up to there is merged: lets go of some of it, the oldest first.
    fn cut_log(&mut self, up_to: i64, step: usize) -> Result<(), Error> {
        let sql = "DELETE FROM memory_log WHERE number IN (
                       SELECT number FROM memory_log WHERE number <= ?1 ORDER BY number LIMIT ?2)";
        let limit = i64::try_from(step).unwrap_or(i64::MAX);
        let gone = self.connection.prepare_cached(sql)?.execute([up_to, limit])?;
        if gone < step {
            let memtable = &mut self.indexes.memtable;
            (memtable.merge, memtable.cut) = (None, up_to);
        }
        Ok(())
    }

    /// Deletes what has been quiet since `before`, as far as it is in the log.
    pub(super) fn forget_quiet_in_log(&mut self, before: UnixMs) -> Result<(), Error> {
        self.connection.execute("DELETE FROM memory_log WHERE seen_at < ?1", [before.0])?;
        self.indexes.memtable = Memtable::load(self.connection)?;
        Ok(())
    }

    /// Deletes the records in the log that match; and where that is the newest of its key, all that
    /// stands under it, in log and table. How many keys those were.
    pub(super) fn forget_in_log(
        &mut self,
        matches: impl Fn(&Digest, &[u8]) -> bool,
    ) -> Result<u64, Error> {
        // Of each key its records, and whether each matches.
        let mut keys: BTreeMap<[u8; Digest::BYTES], Vec<(i64, bool)>> = BTreeMap::new();
        let mut is_pointers: BTreeMap<[u8; Digest::BYTES], bool> = BTreeMap::new();
        let mut statement = self
            .connection
            .prepare("SELECT number, key, record FROM memory_log ORDER BY number")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let key = Digest::from_bytes(row.get(1)?);
            let record = row.get_ref(2)?.as_bytes().map_err(rusqlite::Error::from)?;
            let is_match = matches(&key, record);
            is_pointers.insert(row.get(1)?, is_pointer(record));
            keys.entry(row.get(1)?).or_default().push((row.get(0)?, is_match));
        }
        let mut cut = self.connection.prepare_cached("DELETE FROM memory_log WHERE number = ?1")?;
        let mut forget = self.connection.prepare_cached("DELETE FROM memory WHERE key = ?1")?;
        let mut forgotten = 0;
        for (key, records) in keys {
            let is_whole = records.last().is_some_and(|(_, is_match)| *is_match);
            for (number, _) in records.iter().filter(|(_, is_match)| is_whole || *is_match) {
                cut.execute([number])?;
            }
            if is_whole {
                forget.execute([key])?;
                forgotten += u64::from(!is_pointers.get(&key).copied().unwrap_or_default());
            }
        }
        self.indexes.memtable = Memtable::load(self.connection)?;
        Ok(forgotten)
    }
}
