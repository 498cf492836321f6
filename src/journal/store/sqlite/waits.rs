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
        self.by_chat.insert(chat.half(), number);
        self.by_customer.extend(customer.iter().map(|key| (key.half(), number)));
    }

    fn remove(&mut self, wait: &StoredWait) {
        if self.by_chat.get(&wait.chat.half()) == Some(&wait.number) {
            self.by_chat.remove(&wait.chat.half());
        }
        for key in &wait.customer {
            self.by_customer.remove(&(key.half(), wait.number));
        }
    }

    /// Takes over what is about to be written, while the table is as it was.
    pub(super) fn note(
        &mut self,
        connection: &Connection,
        waits: &BTreeMap<u64, Option<StoredWait>>,
    ) -> Result<(), Fault> {
        for (number, wait) in waits {
            match wait {
                Some(wait) => self.insert(*number, &wait.chat, &wait.customer),
                None => {
                    if let Some(gone) = read::wait(connection, *number)? {
                        self.remove(&gone);
                    }
                }
            }
        }
        Ok(())
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
