//! What a group of events asks a store for, and what was found.

use crate::chat::counted::Quarter;
use crate::chat::digest::Digest;
use crate::chat::memory::Told;
use crate::journal::counters::BookId;
use crate::journal::store::{Remembered, StoredQuarter, StoredWait};

/// What a group of events is about to ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::journal) struct Keys {
    /// Chats, for the last event of each.
    pub(in crate::journal) last: Vec<Digest>,
    /// What is remembered: of chats, customers and bodies.
    pub(in crate::journal) records: Vec<Digest>,
    /// Chats that may wait.
    pub(in crate::journal) chats: Vec<Digest>,
    /// Customers whose chats may wait.
    pub(in crate::journal) customers: Vec<Digest>,
    /// Quarters of an hour, of a spreadsheet, in which something may be counted.
    pub(in crate::journal) quarters: Vec<(BookId, Quarter)>,
}

impl Keys {
    pub(in crate::journal) fn is_empty(&self) -> bool {
        let Self { last, records, chats, customers, quarters } = self;
        let are_empty = [last, records, chats, customers].iter().all(|keys| keys.is_empty());
        are_empty && quarters.is_empty()
    }

    /// Each once, in order.
    pub(in crate::journal) fn sort(&mut self) {
        let Self { last, records, chats, customers, quarters } = self;
        quarters.sort_unstable();
        quarters.dedup();
        for keys in [last, records, chats, customers] {
            keys.sort_unstable();
            keys.dedup();
        }
    }

    pub(in crate::journal) fn add(&mut self, other: &Self) {
        self.last.extend(&other.last);
        self.records.extend(&other.records);
        self.chats.extend(&other.chats);
        self.customers.extend(&other.customers);
        self.quarters.extend(&other.quarters);
    }
}

/// What was found of it.
#[derive(Debug, Default)]
pub(in crate::journal) struct Loaded {
    pub(in crate::journal) last: Vec<(Digest, Told)>,
    /// Under the keys asked for, and under those that they point to.
    pub(in crate::journal) records: Vec<(Digest, Remembered)>,
    /// Each once, whichever key found it.
    pub(in crate::journal) waits: Vec<StoredWait>,
    pub(in crate::journal) quarters: Vec<StoredQuarter>,
}
