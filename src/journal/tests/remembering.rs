//! What is remembered is what was noted last, wherever it stands: in the log, in the table, in both.
//!
//! In tests a merge is worth it from a handful of records on, and goes on by a few a transaction.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::chat::digest::Digest;
use crate::chat::event::Happening;
use crate::chat::time::UnixMs;
use crate::journal::page::Page;
use crate::journal::tests::{
    LIMITS, NOW, accept_all, allow_commits, assigned, block_on, copied, dir, event, files_with,
    one_tab, open, refuse_commits, rows, sealed, unassigned,
};
use crate::journal::{Condition, Journal};

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
    let work = move |page: &mut Page<'_>| {
        page.tally().duplicate += 1;
        page.remember(&[key(number)], Default::default(), &record, now)
    };
    journal.0.writer.commit(work).await.is_ok()
}

async fn known(journal: &Journal) -> BTreeMap<u8, Value> {
    let work = |page: &mut Page<'_>| {
        let recalled = (0..KEYS).map(|number| Ok((number, page.recall(&[key(number)])?.0)));
        recalled.collect::<Result<BTreeMap<u8, Value>, crate::journal::Error>>()
    };
    let mut known = journal.0.writer.commit(work).await.unwrap();
    known.retain(|_, record| !record.is_null());
    known
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_noted_last_is_known_whatever_happened_since(
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        block_on(async {
            let mut dir = dir();
            let mut journal = Some(open(dir.path()));
            let mut model: BTreeMap<u8, (Value, UnixMs)> = BTreeMap::new();
            let mut now = NOW;
            for (count, operation) in operations.iter().enumerate() {
                now = now.plus_ms(1_000);
                let open_journal = journal.as_ref().unwrap();
                match operation {
                    Operation::Note(number) | Operation::NoteBeside(number) => {
                        let record = json!({ "n": number, "count": count });
                        let beside = matches!(operation, Operation::NoteBeside(_))
                            .then(|| Journal::open_beside(dir.path(), LIMITS, one_tab()).unwrap());
                        let journal = beside.as_ref().unwrap_or(open_journal);
                        assert!(note(journal, *number, record.clone(), now).await);
                        model.insert(*number, (record, now));
                    }
                    Operation::Fail(number) => {
                        refuse_commits(open_journal).await;
                        assert!(!note(open_journal, *number, json!("lost"), now).await);
                        allow_commits(open_journal).await;
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
                        let retention_ms = open_journal.0.limits.rules.retention_ms;
                        open_journal.sweep(before.plus_ms(retention_ms)).await.unwrap();
                        model.retain(|_, (_, noted)| *noted >= before);
                    }
                    Operation::Reopen => {
                        drop(journal.take());
                        journal = Some(open(dir.path()));
                    }
                    Operation::Kill => {
                        let copy = copied(dir.path());
                        drop(journal.take());
                        dir = copy;
                        journal = Some(open(dir.path()));
                    }
                }
                let expected: BTreeMap<u8, Value> =
                    model.iter().map(|(number, (record, _))| (*number, record.clone())).collect();
                assert_eq!(known(journal.as_ref().unwrap()).await, expected, "{operation:?}");
            }
        });
    }
}

/// How many records the log has.
fn logged(journal: &Journal) -> u64 {
    let connection = Connection::open(journal.dir().join("journal.sqlite3")).unwrap();
    let count: i64 =
        connection.query_row("SELECT count(*) FROM memory_log", (), |row| row.get(0)).unwrap();
    count.cast_unsigned()
}

#[tokio::test]
async fn the_log_is_merged_and_cut_off_and_never_grows_without_end() {
    let dir = dir();
    let journal = open(dir.path());
    let mut longest = 0;
    for number in 0..200 {
        let event = assigned(&format!("chat {number}"), "Dr. Meera");
        journal.accept(event, NOW).await.map(drop).unwrap();
        longest = longest.max(logged(&journal));
    }
    assert!((4..20).contains(&longest), "{longest}");
    assert_eq!(rows(dir.path())["memory"], 200);
    for number in [0, 57, 199] {
        accept_all(&journal, &[&format!("chat {number}")]).await;
    }
    let batch = sealed(&journal, 9).await;
    assert!(batch.entries().iter().all(|row| row.previous_agent.reveal() == "Dr. Meera"));
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_merged() {
    let dir = dir();
    let journal = open(dir.path());
    journal.0.conditions.set(Some(Condition::DiskFull));
    for number in 0..KEYS {
        assert!(note(&journal, number, json!(number), NOW).await);
    }
    assert_eq!(logged(&journal), u64::from(KEYS));
    journal.0.conditions.set(None);
    for _ in 0..2 * KEYS {
        assert!(note(&journal, 0, json!("again"), NOW).await);
    }
    assert!(logged(&journal) < u64::from(KEYS));
}

/// A customer has another number now: forgetting who had the old one takes the old record only.
#[tokio::test]
async fn an_older_record_is_forgotten_and_the_newest_stays() {
    let dir = dir();
    let journal = open(dir.path());
    for phone in ["911111111111", "912222222222"] {
        assert!(note(&journal, 1, json!(phone), NOW).await);
    }
    assert_eq!(journal.forget("911111111111").await.unwrap().records, 0);
    assert!(files_with(dir.path(), "911111111111").is_empty());
    assert_eq!(known(&journal).await, BTreeMap::from([(1, json!("912222222222"))]));
}

#[tokio::test]
async fn a_patient_is_forgotten_in_the_log_and_in_the_table() {
    let dir = dir();
    let journal = open(dir.path());
    let opened = |phone: &str| {
        event(Happening::Opened, json!({ "from": phone, "customerName": format!("of {phone}") }))
    };
    for count in 0..40 {
        // The first is told of once and merged soon, the second again and again.
        let phone = if count == 0 { "+911111111111" } else { "+912222222222" };
        journal.accept(opened(phone), NOW.plus_ms(count)).await.map(drop).unwrap();
        let other = opened(&format!("+91333333{count:04}"));
        journal.accept(other, NOW).await.map(drop).unwrap();
    }
    for phone in ["911111111111", "912222222222"] {
        assert_eq!(journal.forget(phone).await.unwrap().records, 1);
        assert!(files_with(dir.path(), phone).is_empty());
    }
    let mut taken = unassigned("c");
    taken.customer_phone = crate::chat::text::Personal::new("+912222222222");
    journal.accept(taken, NOW).await.map(drop).unwrap();
    let batch = sealed(&journal, 9).await;
    assert_eq!(batch.entries()[0].customer_name.reveal(), "");
}
