//! What is remembered is what was noted last, whatever happened since.

use std::collections::BTreeMap;

use each_engine::each_engine;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::chat::digest::Digest;
use crate::chat::event::Happening;
use crate::chat::time::UnixMs;
use crate::journal::Journal;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{NOW, commit, event, property, sealed, unassigned};
use crate::journal::transaction::Transaction;

const KEYS: u8 = 12;

#[derive(Clone, Debug)]
enum Operation {
    Note(u8),
    /// Another process notes something, beside this one.
    NoteBeside(u8),
    /// Some at once, and then the transaction fails.
    Fail(u8),
    /// Forgets what the records of these keys say.
    Forget(u8),
    /// Forgets what was noted in the first so many percent of the time.
    Sweep(u8),
    Reopen,
    Kill,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => (0..KEYS).prop_map(Operation::Note),
        2 => (0..KEYS).prop_map(Operation::NoteBeside),
        2 => (0..KEYS).prop_map(Operation::Fail),
        1 => (0..KEYS).prop_map(Operation::Forget),
        1 => (0..100_u8).prop_map(Operation::Sweep),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Kill),
    ]
}

fn key(number: u8) -> Digest {
    // In another order than they are noted in.
    Digest::from_bytes([number.wrapping_mul(91); 16])
}

async fn note(journal: &Journal, number: u8, record: Value, now: UnixMs) -> bool {
    let work = move |transaction: &mut Transaction<'_>| {
        transaction.tally().duplicate += 1;
        transaction.remember(&[key(number)], Default::default(), &record, now)
    };
    commit(journal, work).await.is_ok()
}

async fn known(journal: &Journal) -> BTreeMap<u8, Value> {
    let work = |transaction: &mut Transaction<'_>| {
        let recalled = (0..KEYS).map(|number| Ok((number, transaction.recall(&[key(number)])?.0)));
        recalled.collect::<Result<BTreeMap<u8, Value>, crate::journal::Error>>()
    };
    let mut known = commit(journal, work).await.unwrap();
    known.retain(|_, record| !record.is_null());
    known
}

#[each_engine]
fn what_was_noted_last_is_known_whatever_happened_since(place: Place) {
    property(place.cases(64), prop::collection::vec(operation(), 1..80), async |operations| {
        let mut place = place.another();
        let mut journal = Some(place.open());
        let mut model: BTreeMap<u8, (Value, UnixMs)> = BTreeMap::new();
        let mut now = NOW;
        for (count, operation) in operations.iter().enumerate() {
            now = now.plus_ms(1_000);
            let open_journal = journal.as_ref().unwrap();
            match operation {
                Operation::Note(number) | Operation::NoteBeside(number) => {
                    let record = json!({ "n": number, "count": count });
                    let beside =
                        matches!(operation, Operation::NoteBeside(_)).then(|| place.beside());
                    let journal = beside.as_ref().unwrap_or(open_journal);
                    assert!(note(journal, *number, record.clone(), now).await);
                    model.insert(*number, (record, now));
                }
                Operation::Fail(number) => {
                    place.refuse_commits();
                    assert!(!note(open_journal, *number, json!("lost"), now).await);
                    place.allow_commits();
                }
                Operation::Forget(number) => {
                    open_journal.forget(&number.to_string()).await.unwrap();
                    model.retain(|_, (record, _)| {
                        record["n"] != *number && record["count"] != *number
                    });
                }
                Operation::Sweep(percent) => {
                    let age_ms = now.since_ms(NOW) * i64::from(*percent) / 100;
                    let before = NOW.plus_ms(age_ms);
                    let retention_ms = open_journal.limits().rules.retention_ms;
                    open_journal.sweep(before.plus_ms(retention_ms)).await.unwrap();
                    model.retain(|_, (_, noted)| *noted >= before);
                }
                Operation::Reopen => {
                    drop(journal.take());
                    journal = Some(place.open());
                }
                Operation::Kill => {
                    let copy = place.cut();
                    drop(journal.take());
                    place = copy;
                    journal = Some(place.open());
                }
            }
            let expected: BTreeMap<u8, Value> =
                model.iter().map(|(number, (record, _))| (*number, record.clone())).collect();
            assert_eq!(known(journal.as_ref().unwrap()).await, expected, "{operation:?}");
        }
    });
}

/// A customer has another number now: forgetting who had the old one takes the old record only.
#[each_engine]
async fn an_older_record_is_forgotten_and_the_newest_stays(place: Place) {
    let journal = place.open();
    for phone in ["911111111111", "912222222222"] {
        assert!(note(&journal, 1, json!(phone), NOW).await);
    }
    assert_eq!(journal.forget("911111111111").await.unwrap().records, 0);
    assert!(!place.holds("911111111111"));
    assert_eq!(known(&journal).await, BTreeMap::from([(1, json!("912222222222"))]));
}

#[each_engine]
async fn a_patient_is_forgotten_however_often_they_were_heard_of(place: Place) {
    let journal = place.open();
    let opened = |phone: &str| {
        event(Happening::Opened, json!({ "from": phone, "customerName": format!("of {phone}") }))
    };
    for count in 0..40 {
        // The first is told of once, the second again and again.
        let phone = if count == 0 { "+911111111111" } else { "+912222222222" };
        journal.accept(opened(phone), NOW.plus_ms(count)).await.map(drop).unwrap();
        let other = opened(&format!("+91333333{count:04}"));
        journal.accept(other, NOW).await.map(drop).unwrap();
    }
    for phone in ["911111111111", "912222222222"] {
        assert_eq!(journal.forget(phone).await.unwrap().records, 1);
        assert!(!place.holds(phone));
    }
    let mut taken = unassigned("c");
    taken.customer_phone = crate::chat::text::Personal::new("+912222222222");
    journal.accept(taken, NOW).await.map(drop).unwrap();
    let batch = sealed(&journal, 9).await;
    assert_eq!(batch.entries()[0].customer_name.reveal(), "");
}
