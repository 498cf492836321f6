//! Who waits, found by chat and by customer.
//!
//! Maps from half of a key's hash to the number of the wait, read anew after another process's commit and
//! after a failure; a hit is confirmed by the whole hash in the table. The journal bounds how many waits
//! there are.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::chat::digest::Digest;
use crate::journal::store::sqlite::read::{self, digests, unsigned};
use crate::journal::store::sqlite::recent::ByHalf;
use crate::journal::store::{Fault, Keys, StoredWait};

/// The numbers of the waits, by half of the hashes that they are found by.
#[derive(Default)]
pub(super) struct WaitIndex {
    by_chat: ByHalf<u64>,
    by_customer: BTreeSet<(u64, u64)>,
    /// The halves of each wait, to take it out by.
    halves: BTreeMap<u64, (u64, Vec<u64>)>,
}

impl WaitIndex {
    /// Reads the table anew.
    pub(super) fn load(connection: &Connection) -> Result<Self, Fault> {
        let mut index = Self::default();
        let sql = "SELECT number, chat, customer FROM waiting ORDER BY number";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            index.insert(unsigned(row, 0)?, &read::digest(row, 1)?, &digests(row, 2)?);
        }
        Ok(index)
    }

    fn insert(&mut self, number: u64, chat: &Digest, customer: &[Digest]) {
        let halves: Vec<u64> = customer.iter().map(Digest::half).collect();
        self.by_chat.insert(chat.half(), number);
        self.by_customer.extend(halves.iter().map(|half| (*half, number)));
        self.halves.insert(number, (chat.half(), halves));
    }

    fn remove(&mut self, number: u64) {
        let Some((chat, customer)) = self.halves.remove(&number) else { return };
        if self.by_chat.get(&chat) == Some(&number) {
            self.by_chat.remove(&chat);
        }
        for half in customer {
            self.by_customer.remove(&(half, number));
        }
    }

    /// Takes over what is about to be written.
    pub(super) fn note(&mut self, waits: &BTreeMap<u64, Option<StoredWait>>) {
        for (number, wait) in waits {
            match wait {
                Some(_) if self.halves.contains_key(number) => {}
                Some(wait) => self.insert(*number, &wait.chat, &wait.customer),
                None => self.remove(*number),
            }
        }
    }

    /// Adds the waits of these chats and customers.
    pub(super) fn load_into(
        &self,
        connection: &Connection,
        keys: &Keys,
        found: &mut Vec<StoredWait>,
    ) -> Result<(), Fault> {
        let of_chats = keys.chats.iter().filter_map(|chat| self.by_chat.get(&chat.half()).copied());
        let of_customer = |key: &Digest| {
            let of_key = (key.half(), 0)..=(key.half(), u64::MAX);
            self.by_customer.range(of_key).map(|(_, number)| *number)
        };
        let numbers: BTreeSet<u64> =
            of_chats.chain(keys.customers.iter().flat_map(of_customer)).collect();
        for number in numbers {
            found.extend(read::wait(connection, number)?);
        }
        Ok(())
    }
}
