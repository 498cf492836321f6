//! Forgetting one patient at once.
//!
//! What is remembered stands under keyed hashes, so it is found by looking through all of it, a few
//! hundred records at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::chat::digest::Digest;
use crate::chat::text::phone_digits;
use crate::journal::memory::is_under;
use crate::journal::waiting::Place;

use crate::journal::page::{Page, Table};
use crate::journal::{Error, Journal};

/// What was deleted, and what is still on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Records of chats and of the customer; who waits leaves the board too.
    pub records: u64,
    /// Bodies that nothing had recognised.
    pub unrecognised: u64,
    /// Rows set aside: their content is blanked, the reason stays.
    pub set_aside: u64,
    /// Rows that are still to be written to the sheet, and then are gone from here too.
    pub pending: u64,
    /// Traces of it all are still in the log behind the database, because another program reads it.
    pub lingers: bool,
}

const RECORDS_A_STEP: i64 = 500;

impl Journal {
    /// Deletes all that is known of who has this phone number, given as digits.
    ///
    /// Rows still to be written are left: they were acknowledged, and leave for the sheet.
    ///
    /// # Errors
    /// When the database does not answer; what was deleted so far stays so.
    pub async fn forget(&self, digits: &str) -> Result<Forgotten, Arc<Error>> {
        let digits: Arc<str> = digits.into();
        let number = Arc::clone(&digits);
        // What was looked up by the customer's id holds no number: it is found by the key that the number
        // points to.
        let key = self.digest_of(&format!("phone/{digits}"));
        let keys = self.0.writer.commit(move |page| page.keys_of(key)).await?;
        let keys: Arc<[Digest]> = keys.into();
        let known_as = Arc::clone(&keys);
        let work = move |page: &mut Page<'_>| {
            let find = |table| page.matching(table, |json| is_of(json, &number));
            let (bodies, aside) = (find(Table::Unrecognised)?, find(Table::SetAside)?);
            let pending = find(Table::Entry)?.len() as u64;
            let mut waits: BTreeSet<i64> = find(Table::Waiting)?.into_iter().collect();
            let (of_customer, _) = page.waits_of_customer(&known_as)?;
            waits.extend(of_customer.iter().map(Place::number));
            waits.iter().try_for_each(|number| page.drop_wait(number.cast_unsigned()))?;
            bodies.iter().try_for_each(|id| page.drop_unrecognised(*id))?;
            aside.iter().try_for_each(|number| page.blank_set_aside(*number))?;
            Ok(Forgotten {
                records: waits.len() as u64,
                unrecognised: bodies.len() as u64,
                set_aside: aside.len() as u64,
                pending,
                lingers: false,
            })
        };
        let mut forgotten = self.0.writer.commit(work).await?;
        let mut cursor = Some(Vec::new());
        while let Some(from) = cursor {
            let (number, keys) = (Arc::clone(&digits), Arc::clone(&keys));
            let work = move |page: &mut Page<'_>| {
                page.forget_records(&from, RECORDS_A_STEP, |key, record| {
                    is_under(&keys, key, record) || is_of(record, &number)
                })
            };
            let (end, records) = self.0.writer.commit(work).await?;
            forgotten.records += records;
            cursor = end;
        }
        self.purge().await?;
        forgotten.lingers = self.0.conditions.do_linger();
        Ok(forgotten)
    }
}

/// Whether any text or number in this JSON is that phone number, however it is spelt.
fn is_of(json: &[u8], digits: &str) -> bool {
    fn holds(value: &Value, digits: &str) -> bool {
        match value {
            Value::String(text) => phone_digits(text) == digits,
            Value::Number(number) => number.to_string() == digits,
            Value::Array(items) => items.iter().any(|item| holds(item, digits)),
            Value::Object(fields) => fields.values().any(|field| holds(field, digits)),
            Value::Null | Value::Bool(_) => false,
        }
    }
    serde_json::from_slice(json).is_ok_and(|value| holds(&value, digits))
}
