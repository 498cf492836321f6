//! A transaction: what a group reads, decides and writes, over any store.
//!
//! What the group's keys name is loaded at once, before anything is decided. Each decision sees those
//! before it, since what is to be written is noted here first; it is written at once, at the end, or before
//! something is read that it may touch. The work of a group can be run again: nothing outside the
//! transaction changes before the commit.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::time::Instant;

use ring::hmac;
use serde::Serialize;

use crate::chat::counted::{Counted, Quarter};
use crate::chat::digest::Digest;
use crate::chat::entry::{Entry, EventId};
use crate::chat::memory::Told;
use crate::chat::time::UnixMs;
use crate::histogram::Histogram;
use crate::journal::Error;
use crate::journal::awaited::{Names, Seat, Unnamed};
use crate::journal::clock::{Clock, Moment, Reading};
use crate::journal::condition::Conditions;
use crate::journal::counted::{counted, stored};
use crate::journal::counters::{BookId, Counters, Tally};
use crate::journal::digest::{self, AsItIs};
use crate::journal::routing::Routing;
use crate::journal::store::{
    Changes, Fault, Keys, QueueId, Read, Remembered, Row, Store, StoredWait,
};

/// What all transactions of a journal have in common.
#[derive(Debug)]
pub(super) struct Shared {
    /// Names are stored as hashes under it.
    pub(super) hash_key: hmac::Key,
    pub(super) tag: Arc<str>,
    /// What this process is called among those that share the journal; `None` where it is the only one.
    pub(super) instance: Option<Arc<str>>,
    pub(super) routing: Routing,
    pub(super) names: Names,
    pub(super) conditions: Arc<Conditions>,
    pub(super) clock: Clock,
    /// How long commits took.
    pub(super) commits: Histogram,
}

impl Shared {
    /// What a name is stored and found as.
    pub(super) fn digest_of(&self, name: &str) -> Digest {
        digest::digest(&self.hash_key, &[b"name", name.as_bytes()])
    }

    /// As what a customer is found by their phone.
    pub(super) fn phone_key(&self, digits: &str) -> Digest {
        self.digest_of(&format!("phone/{digits}"))
    }
}

type ByDigest<T> = HashMap<Digest, T, BuildHasherDefault<AsItIs>>;

/// What was loaded, as it is by now. `None` and empty: there is none.
#[derive(Default)]
struct Known {
    last: ByDigest<Option<Told>>,
    records: ByDigest<Option<Remembered>>,
    waits: BTreeMap<u64, StoredWait>,
    by_chat: ByDigest<Option<u64>>,
    by_customer: ByDigest<BTreeSet<u64>>,
    quarters: BTreeMap<(BookId, Quarter), Counted>,
}

/// One transaction, from its beginning to just before its commit.
pub(super) struct Transaction<'a> {
    store: &'a mut dyn Store,
    pub(super) shared: &'a Shared,
    /// As they will be after this one.
    pub(super) counters: Counters,
    /// The rows whose names are to be asked for after the commit.
    pub(super) unnamed: Vec<(Seat, Unnamed)>,
    known: Known,
    changes: Changes,
    is_changed: bool,
    /// Quarters in which more was counted than is noted to be written.
    counted: BTreeSet<(BookId, Quarter)>,
    reading: Option<Reading>,
}

impl<'a> Transaction<'a> {
    /// Over a store that has begun one.
    pub(super) fn new(
        store: &'a mut dyn Store,
        shared: &'a Shared,
        counters: Counters,
    ) -> Result<Self, Fault> {
        let clock = store.read().clock()?;
        let reading = clock.map(|clock| Reading { clock, at: Instant::now() });
        if let Some(reading) = reading {
            shared.clock.note(reading);
        }
        Ok(Self {
            store,
            shared,
            counters,
            unnamed: Vec::new(),
            known: Known::default(),
            changes: Changes::default(),
            is_changed: false,
            counted: BTreeSet::new(),
            reading,
        })
    }

    /// The time of this transaction, where the caller's clock says `now`.
    pub(super) fn now(&self, now: UnixMs) -> UnixMs {
        self.reading.map_or(now, |reading| reading.clock)
    }

    /// When something was asked for, by the clock that counts here.
    pub(super) fn time(&self, moment: Moment) -> UnixMs {
        match (moment, &self.reading) {
            (moment, Some(reading)) => reading.time_of(moment),
            (Moment::Asked(now, _), None) | (Moment::Dated(now), None) => now,
        }
    }

    /// Loads what is not known yet of what stands under these keys.
    pub(super) fn load(&mut self, keys: &Keys) -> Result<(), Fault> {
        let known = &self.known;
        let missing = Keys {
            last: missing(&keys.last, |key| known.last.contains_key(key)),
            records: missing(&keys.records, |key| known.records.contains_key(key)),
            chats: missing(&keys.chats, |key| known.by_chat.contains_key(key)),
            customers: missing(&keys.customers, |key| known.by_customer.contains_key(key)),
            quarters: missing(&keys.quarters, |key| known.quarters.contains_key(key)),
        };
        if missing.is_empty() {
            return Ok(());
        }
        self.flush()?;
        let loaded = self.store.load(&missing)?;
        let known = &mut self.known;
        known.last.extend(missing.last.iter().map(|key| (*key, None)));
        known.last.extend(loaded.last.into_iter().map(|(key, told)| (key, Some(told))));
        known.records.extend(missing.records.iter().map(|key| (*key, None)));
        known.records.extend(loaded.records.into_iter().map(|(key, found)| (key, Some(found))));
        known.by_chat.extend(missing.chats.iter().map(|key| (*key, None)));
        known.by_customer.extend(missing.customers.iter().map(|key| (*key, BTreeSet::new())));
        loaded.waits.into_iter().for_each(|wait| known.add_wait(wait));
        known.quarters.extend(missing.quarters.iter().map(|key| (*key, Counted::default())));
        for stored in loaded.quarters {
            let key = (stored.book, stored.quarter);
            known.quarters.insert(key, counted(&stored, &self.shared.conditions));
        }
        Ok(())
    }

    /// Writes what was noted so far.
    fn flush(&mut self) -> Result<(), Fault> {
        for key in std::mem::take(&mut self.counted) {
            let counted = self.known.quarters.get(&key).map(|counted| stored(key, counted));
            self.changes.quarters.extend(counted);
        }
        if std::mem::take(&mut self.is_changed) {
            self.store.write(std::mem::take(&mut self.changes))?;
        }
        Ok(())
    }

    /// What is stored, with all that this transaction noted.
    pub(super) fn read(&mut self) -> Result<&dyn Read, Fault> {
        self.flush()?;
        Ok(self.store.read())
    }

    /// The store itself, for what is no change of single things.
    pub(super) fn store(&mut self) -> Result<&mut dyn Store, Fault> {
        self.flush()?;
        Ok(self.store)
    }

    /// Notes something that is to be written.
    pub(super) fn change(&mut self) -> &mut Changes {
        self.is_changed = true;
        &mut self.changes
    }

    /// Writes the rest, and the counters as far as they differ from those at the beginning.
    pub(super) fn finish(&mut self, before: &Counters) -> Result<(), Fault> {
        let Counters { tally, books } = self.counters.clone();
        if before.tally != tally {
            self.change().tally = Some(tally);
        }
        for (book, work) in books {
            if before.work(book) != work {
                self.change().work.push((book, work));
            }
        }
        self.flush()
    }

    /// The counters of the whole journal.
    pub(super) fn tally(&mut self) -> &mut Tally {
        &mut self.counters.tally
    }

    /// Whether the disk has room for more events.
    pub(super) fn has_room(&self) -> bool {
        self.store.has_room()
    }

    /// Traces of what is deleted are to leave the disk soon.
    pub(super) fn purge(&mut self) {
        self.store.purge();
    }

    pub(super) fn event_id(&self, number: u64) -> EventId {
        EventId { tag: Arc::clone(&self.shared.tag), number }
    }

    /// The last event of a chat, if it was heard of within the window.
    pub(super) fn last_of(&mut self, chat: &Digest) -> Result<Option<Told>, Fault> {
        if !self.known.last.contains_key(chat) {
            self.load(&Keys { last: vec![*chat], ..Keys::default() })?;
        }
        Ok(self.known.last.get(chat).copied().flatten())
    }

    /// Notes an event as its chat's last. What is older than `window_ms` need not be known any more.
    pub(super) fn note_last(&mut self, chat: Digest, told: Told, window_ms: i64) {
        self.known.last.insert(chat, Some(told));
        let changes = self.change();
        changes.last.push((chat, told));
        changes.last_until = Some(told.at.plus_ms(-window_ms));
    }

    /// What is remembered under a key.
    pub(super) fn remembered(&mut self, key: &Digest) -> Result<Option<&Remembered>, Fault> {
        if !self.known.records.contains_key(key) {
            self.load(&Keys { records: vec![*key], ..Keys::default() })?;
        }
        Ok(self.known.records.get(key).and_then(Option::as_ref))
    }

    /// Remembers something under a key; `None` forgets what stands there.
    pub(super) fn set_remembered(&mut self, key: Digest, remembered: Option<Remembered>) {
        self.known.records.insert(key, remembered.clone());
        self.change().records.insert(key, remembered);
    }

    /// The wait of a chat, ended or not.
    pub(super) fn wait_of(&mut self, chat: &Digest) -> Result<Option<StoredWait>, Fault> {
        if !self.known.by_chat.contains_key(chat) {
            self.load(&Keys { chats: vec![*chat], ..Keys::default() })?;
        }
        let number = self.known.by_chat.get(chat).copied().flatten();
        Ok(number.and_then(|number| self.known.waits.get(&number)).cloned())
    }

    /// All waits of a customer, ended or not, the first to begin first.
    pub(super) fn waits_of(&mut self, customer: &[Digest]) -> Result<Vec<StoredWait>, Fault> {
        if customer.iter().any(|key| !self.known.by_customer.contains_key(key)) {
            self.load(&Keys { customers: customer.to_vec(), ..Keys::default() })?;
        }
        let found = customer.iter().filter_map(|key| self.known.by_customer.get(key)).flatten();
        let numbers: BTreeSet<u64> = found.copied().collect();
        Ok(numbers.iter().filter_map(|number| self.known.waits.get(number)).cloned().collect())
    }

    /// A wait that is new, or as it is now.
    pub(super) fn put_wait(&mut self, wait: StoredWait) {
        self.known.add_wait(wait.clone());
        self.change().waits.insert(wait.number, Some(wait));
    }

    /// Nothing is known of that wait any more.
    pub(super) fn remove_wait(&mut self, wait: &StoredWait) {
        self.known.remove_wait(wait);
        self.change().waits.insert(wait.number, None);
    }

    /// Adds a row to a queue, and counts what it tells.
    pub(super) fn add_row(
        &mut self,
        (queue, book): (QueueId, BookId),
        entry: &Entry,
        now: UnixMs,
    ) -> Result<(), Error> {
        let row = Row { number: entry.event_id.number, received_at: now, payload: json(entry)? };
        self.change().rows.push((queue, row));
        self.counters.work_mut(book).pending += 1;
        Ok(self.count(book, entry, now)?)
    }

    /// What was counted in a quarter, to be added to.
    pub(super) fn counted_mut(&mut self, key: (BookId, Quarter)) -> Result<&mut Counted, Fault> {
        if !self.known.quarters.contains_key(&key) {
            self.load(&Keys { quarters: vec![key], ..Keys::default() })?;
        }
        self.counted.insert(key);
        self.is_changed = true;
        Ok(self.known.quarters.entry(key).or_default())
    }
}

impl Known {
    fn add_wait(&mut self, wait: StoredWait) {
        if let Some(of_chat) = self.by_chat.get_mut(&wait.chat) {
            *of_chat = Some(wait.number);
        }
        for key in &wait.customer {
            if let Some(of_customer) = self.by_customer.get_mut(key) {
                of_customer.insert(wait.number);
            }
        }
        self.waits.insert(wait.number, wait);
    }

    fn remove_wait(&mut self, wait: &StoredWait) {
        self.waits.remove(&wait.number);
        if let Some(of_chat) = self.by_chat.get_mut(&wait.chat)
            && *of_chat == Some(wait.number)
        {
            *of_chat = None;
        }
        for key in &wait.customer {
            if let Some(of_customer) = self.by_customer.get_mut(key) {
                of_customer.remove(&wait.number);
            }
        }
    }
}

/// Those of the keys that are not known, each once.
fn missing<K: Copy + Ord>(keys: &[K], is_known: impl Fn(&K) -> bool) -> Vec<K> {
    let mut missing: Vec<K> = keys.iter().copied().filter(|key| !is_known(key)).collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

/// A record as it is stored. Nearly all are shorter than what is set aside for one here.
pub(super) fn json<T: Serialize>(record: &T) -> Result<Vec<u8>, Error> {
    let mut json = Vec::with_capacity(384);
    serde_json::to_writer(&mut json, record)?;
    Ok(json)
}
