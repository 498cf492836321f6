//! Anything may follow anything: the journal against a model that is only a few lists.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use crate::chat::entry::Entry;
use crate::chat::event::{ChatEvent, Happening};
use crate::journal::tests::{NOW, at_most, check_identity, dir, event, open};
use crate::journal::{Batch, Journal, Standing};

#[derive(Clone, Debug)]
enum Operation {
    /// A new unassignment of one of a few chats.
    Accept(u8),
    /// One of those that were accepted, once more.
    AcceptAgain(prop::sample::Index),
    /// The chat gets an agent.
    Assign(u8),
    /// The next batch, of so many rows, if none is open.
    Seal(usize),
    Written,
    SetAside,
    /// All rows set aside are to be tried again.
    Retry,
    Release,
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (0..3_u8).prop_map(Operation::Accept),
        2 => any::<prop::sample::Index>().prop_map(Operation::AcceptAgain),
        2 => (0..3_u8).prop_map(Operation::Assign),
        3 => (1..4_usize).prop_map(Operation::Seal),
        2 => Just(Operation::Written),
        1 => Just(Operation::SetAside),
        1 => Just(Operation::Retry),
        1 => Just(Operation::Release),
        2 => Just(Operation::Reopen),
    ]
}

/// A row as the model knows it: its number and the previous agent.
type Row = (u64, String);

#[derive(Debug, Default)]
struct Model {
    next_number: u64,
    /// The body of each accepted unassignment, with its number.
    accepted: Vec<(u8, u64)>,
    /// The last agent of each chat.
    agents: BTreeMap<u8, String>,
    pending: Vec<Row>,
    /// How many of the pending are in the open batch.
    sealed: usize,
    written: u64,
    set_aside: Vec<Row>,
    remembered: u64,
    duplicate: u64,
}

/// The unassignment that gets this number; its own id makes it the same whenever it comes.
fn unassigned(chat: u8, number: u64) -> ChatEvent {
    let body = json!({ "chatId": format!("chat {chat}"), "eventId": format!("event {number}") });
    event(Happening::Unassigned, body)
}

fn rows_of(entries: &[Entry]) -> Vec<Row> {
    let row = |entry: &Entry| (entry.event_id.number, entry.previous_agent.reveal().to_owned());
    entries.iter().map(row).collect()
}

/// All that makes a batch this one.
fn face(batch: &Batch) -> (u64, i32, String, String, Vec<Row>) {
    let rows = rows_of(batch.entries());
    let words = (batch.digest().to_owned(), batch.plan().to_owned());
    (batch.number(), batch.marker_id(), words.0, words.1, rows)
}

/// Does it to both; `batch` is what a forwarder would have in hand.
async fn apply(
    operation: &Operation,
    dir: &Path,
    journal: &mut Option<Journal>,
    batch: &mut Option<Batch>,
    model: &mut Model,
) {
    let opened = journal.as_ref().expect("open between two operations");
    match operation {
        Operation::Accept(chat) => {
            let event = unassigned(*chat, model.next_number);
            let receipt = opened.accept(event, NOW).await.unwrap();
            assert_eq!(receipt.standing(), Standing::Accepted);
            assert_eq!(receipt.event_id().number, model.next_number);
            let agent = model.agents.get(chat).cloned().unwrap_or_default();
            model.pending.push((model.next_number, agent));
            model.accepted.push((*chat, model.next_number));
            model.next_number += 1;
        }
        Operation::AcceptAgain(which) => {
            if model.accepted.is_empty() {
                return;
            }
            let (chat, number) = model.accepted[which.index(model.accepted.len())];
            let receipt = opened.accept(unassigned(chat, number), NOW).await.unwrap();
            assert_eq!(receipt.standing(), Standing::Duplicate);
            assert_eq!(receipt.event_id().number, number);
            model.duplicate += 1;
        }
        Operation::Assign(chat) => {
            let agent = format!("agent {}", model.next_number);
            let body = json!({ "chatId": format!("chat {chat}"), "assignedUserName": agent });
            let receipt = opened.accept(event(Happening::Assigned, body), NOW).await.unwrap();
            assert_eq!(receipt.standing(), Standing::Accepted);
            model.agents.insert(*chat, agent);
            model.remembered += 1;
            model.next_number += 1;
        }
        Operation::Seal(rows_max) => {
            if batch.is_some() {
                return;
            }
            *batch = opened.seal(at_most(*rows_max), "a plan".into(), NOW).await.unwrap();
            model.sealed = model.pending.len().min(*rows_max);
        }
        Operation::Written => {
            let Some(batch) = batch.take() else { return };
            opened.written(batch).await.unwrap();
            model.written += model.pending.drain(..model.sealed).count() as u64;
        }
        Operation::SetAside => {
            let Some(batch) = batch.take() else { return };
            opened.set_aside(batch, "for a reason".into(), NOW).await.unwrap();
            model.set_aside.extend(model.pending.drain(..model.sealed));
        }
        Operation::Retry => {
            // With a batch open it is a matter of which rows: the named tests have those.
            if batch.is_some() {
                return;
            }
            let retried = opened.retry_set_aside(None).await.unwrap();
            assert_eq!(retried.rows, model.set_aside.len() as u64);
            model.pending.append(&mut model.set_aside);
            model.pending.sort();
        }
        Operation::Release => {
            let Some(batch) = batch.take() else { return };
            opened.release(batch).await.unwrap();
        }
        Operation::Reopen => {
            let before = batch.take();
            *journal = None;
            let opened = journal.insert(open(dir));
            *batch = opened.open_batch().await.unwrap();
            assert_eq!(batch.as_ref().map(face), before.as_ref().map(face));
        }
    }
    if batch.is_none() {
        model.sealed = 0;
    }
}

fn check(journal: &Journal, batch: Option<&Batch>, model: &Model) {
    let all = journal.0.reader.pending(&journal.0.tag, at_most(usize::MAX), u64::MAX >> 1).unwrap();
    assert_eq!(rows_of(&all), model.pending);
    let in_hand = batch.map_or(Vec::new(), |batch| rows_of(batch.entries()));
    assert_eq!(in_hand, model.pending[..model.sealed]);
    let tally = journal.tally();
    assert_eq!(tally.accepted, model.accepted.len() as u64);
    assert_eq!(tally.pending(), model.pending.len() as u64);
    let set_aside = model.set_aside.len() as u64;
    assert_eq!((tally.written, tally.set_aside), (model.written, set_aside));
    assert_eq!((tally.remembered, tally.duplicate), (model.remembered, model.duplicate));
    check_identity(journal);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_happens_in_whatever_order_nothing_is_lost_doubled_or_reordered(
        operations in prop::collection::vec(operation(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = dir();
            let mut journal = Some(open(dir.path()));
            let mut batch = None;
            let mut model = Model { next_number: 1, ..Model::default() };
            for operation in &operations {
                apply(operation, dir.path(), &mut journal, &mut batch, &mut model).await;
                check(journal.as_ref().expect("open"), batch.as_ref(), &model);
            }
        });
    }
}
