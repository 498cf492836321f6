//! Forgetting one patient at once.
//!
//! What is remembered stands under keyed hashes, so it is found by looking through all of it, a few
//! hundred records at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::chat::digest::Digest;
use crate::chat::text::phone_digits;
use crate::journal::outbox::set_aside::BLANK;
use crate::journal::store::{Keys, Remembered, Span, Stored};
use crate::journal::transaction::Transaction;
use crate::journal::upkeep::STEP;
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

/// Who is meant.
struct Person {
    digits: String,
    /// What was looked up by the customer's id holds no number: it is found by the key that the number
    /// points to.
    keys: Vec<Digest>,
}

impl Person {
    /// Whether what is remembered is theirs.
    fn is_in(&self, key: &Digest, remembered: &Remembered) -> bool {
        let is_under = match &remembered.what {
            Stored::SameAs(target) => self.keys.contains(target),
            Stored::Record(record) => is_of(record, &self.digits),
        };
        is_under || self.keys.contains(key)
    }
}

impl Journal {
    /// Deletes all that is known of who has this phone number, given as digits.
    ///
    /// Rows still to be written are left: they were acknowledged, and leave for the sheet.
    ///
    /// # Errors
    /// When the database does not answer; what was deleted so far stays so.
    pub async fn forget(&self, digits: &str) -> Result<Forgotten, Error> {
        let key = self.phone_key(digits);
        let keys = Keys { records: vec![key], ..Keys::default() };
        let keys =
            self.writer().commit_on(keys, move |transaction| transaction.keys_of(key)).await?;
        let person = Arc::new(Person { digits: digits.to_owned(), keys });
        let of_person = Arc::clone(&person);
        let work = move |transaction: &mut Transaction<'_>| {
            Ok(Forgotten {
                unrecognised: forget_bodies(transaction, &of_person)?,
                set_aside: blank_set_aside(transaction, &of_person)?,
                pending: count_pending(transaction, &of_person)?,
                records: forget_waits(transaction, &of_person)?,
                lingers: false,
            })
        };
        let mut forgotten = self.writer().commit(work).await?;
        let mut after = Some(None);
        while let Some(from) = after {
            let person = Arc::clone(&person);
            let work =
                move |transaction: &mut Transaction<'_>| forget_records(transaction, &person, from);
            let (end, records) = self.writer().commit(work).await?;
            forgotten.records += records;
            after = end;
        }
        self.purge().await?;
        forgotten.lingers = self.conditions().is_lingering();
        Ok(forgotten)
    }
}

fn forget_bodies(transaction: &mut Transaction<'_>, person: &Person) -> Result<u64, Error> {
    let bodies = transaction.read()?.unrecognised()?;
    let theirs = bodies.iter().filter(|kept| is_of(&kept.body, &person.digits));
    let ids: Vec<u64> = theirs.map(|kept| kept.id).collect();
    transaction.change().unrecognised_gone.extend(&ids);
    Ok(ids.len() as u64)
}

fn blank_set_aside(transaction: &mut Transaction<'_>, person: &Person) -> Result<u64, Error> {
    let (mut after, mut blanked) = (0, 0);
    loop {
        let page = transaction.read()?.aside(after, STEP)?;
        let Some(last) = page.last() else { return Ok(blanked) };
        after = last.row.number;
        for mut aside in page.into_iter().filter(|aside| is_of(&aside.row.payload, &person.digits))
        {
            aside.row.payload = BLANK.to_vec();
            transaction.change().aside.insert(aside.row.number, Some(aside));
            blanked += 1;
        }
    }
}

fn count_pending(transaction: &mut Transaction<'_>, person: &Person) -> Result<u64, Error> {
    let mut pending = 0;
    for queue in transaction.read()?.places()?.queues {
        let mut span = Span::all(queue.id);
        loop {
            let rows = transaction.read()?.rows(span, STEP)?;
            let Some(last) = rows.last() else { break };
            span.first = last.number + 1;
            pending += rows.iter().filter(|row| is_of(&row.payload, &person.digits)).count() as u64;
        }
    }
    Ok(pending)
}

fn forget_waits(transaction: &mut Transaction<'_>, person: &Person) -> Result<u64, Error> {
    let of_customer = transaction.waits_of_customer(&person.keys)?;
    let known: BTreeSet<u64> = of_customer.iter().map(|(stored, _)| stored.number).collect();
    let (mut after, mut forgotten) = (0, 0);
    loop {
        let waits = transaction.read()?.waits(after, STEP)?;
        let Some(last) = waits.last() else { return Ok(forgotten) };
        after = last.number;
        for wait in waits {
            if known.contains(&wait.number) || is_of(&wait.record, &person.digits) {
                transaction.drop_wait(&wait);
                forgotten += 1;
            }
        }
    }
}

/// Forgets what is remembered of them, among some records; gives where to go on and how many went.
/// Where another record stands counts as none.
fn forget_records(
    transaction: &mut Transaction<'_>,
    person: &Person,
    after: Option<Digest>,
) -> Result<(Option<Option<Digest>>, u64), Error> {
    let records = transaction.read()?.records(after, STEP)?;
    let last = records.last().map(|(key, _)| Some(*key));
    let mut forgotten = 0;
    for (key, remembered) in records {
        if person.is_in(&key, &remembered) {
            forgotten += u64::from(matches!(remembered.what, Stored::Record(_)));
            transaction.set_remembered(key, None);
        }
    }
    Ok((last, forgotten))
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
