//! Anything may follow anything: the journal against a model that is only a few lists.

use std::collections::BTreeMap;

use each_engine::each_engine;
use proptest::prelude::*;
use serde_json::json;

use crate::chat::entry::Entry;
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::time::UnixMs;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    NOW, book, check_identity, drafted, event, look, open_batch, property,
};
use crate::journal::{Batch, Journal, Refusal, Standing};
use crate::progress::Progress;

#[derive(Clone, Debug)]
enum Operation {
    /// A new unassignment of one of a few chats.
    Accept(u8),
    /// One of those that were accepted, once more.
    AcceptAgain(prop::sample::Index),
    /// The chat gets an agent.
    Assign(u8),
    /// All that is under way with the customer is closed.
    Close(u8),
    /// The next batch, of so many rows, with or without the board, if none is open.
    Seal(usize, bool),
    Written,
    SetAside,
    /// All rows set aside are to be tried again.
    Retry,
    Release,
    /// The chat is dropped, taken and closed, and none of it can be committed.
    Fail(u8),
    Reopen,
    /// Goes on from what is on the disk while the journal is open.
    Kill,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (0..3_u8).prop_map(Operation::Accept),
        2 => any::<prop::sample::Index>().prop_map(Operation::AcceptAgain),
        2 => (0..3_u8).prop_map(Operation::Assign),
        1 => (0..2_u8).prop_map(Operation::Close),
        3 => (0..4_usize, any::<bool>()).prop_map(|(rows, board)| Operation::Seal(rows, board)),
        2 => Just(Operation::Written),
        1 => Just(Operation::SetAside),
        1 => Just(Operation::Retry),
        1 => Just(Operation::Release),
        1 => (0..3_u8).prop_map(Operation::Fail),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Kill),
    ]
}

/// The first two chats are one customer's.
const CUSTOMER: [u8; 3] = [0, 0, 1];

/// A row as the model knows it: its number and the previous agent.
type Row = (u64, String);
/// A row of the handovers: its number, since when the patient waited, and who took the chat.
type HandoverRow = (u64, UnixMs, String);

#[derive(Debug, Default)]
struct Model {
    next_number: u64,
    now: UnixMs,
    /// The body of each accepted unassignment, with its number.
    accepted: Vec<(u8, u64)>,
    /// The last agent of each chat.
    agents: BTreeMap<u8, String>,
    /// Since when each chat waits.
    waits: BTreeMap<u8, UnixMs>,
    /// How often each chat was dropped.
    drops: BTreeMap<u8, usize>,
    pending: Vec<Row>,
    handovers: Vec<HandoverRow>,
    /// How many of the pending rows and handovers are in the open batch.
    sealed: (usize, usize),
    written: u64,
    set_aside: Vec<Row>,
    handovers_written: u64,
    handovers_set_aside: Vec<HandoverRow>,
    remembered: u64,
    duplicate: u64,
}

impl Model {
    fn hand_over(&mut self, chat: u8, taken_by: &str) {
        if let Some(since) = self.waits.remove(&chat) {
            self.handovers.push((self.next_number, since, taken_by.to_owned()));
            self.next_number += 1;
        }
    }

    /// Chats on the board with how often they were dropped, the longest waiting first.
    fn board(&self) -> Vec<(String, UnixMs, usize)> {
        let line = |(chat, since): (&u8, &UnixMs)| (name(*chat), *since, self.drops[chat]);
        let mut lines: Vec<(String, UnixMs, usize)> = self.waits.iter().map(line).collect();
        lines.sort_by_key(|(_, since, _)| *since);
        lines
    }
}

fn name(chat: u8) -> String {
    format!("chat {chat}")
}

/// The unassignment that gets this number; its own id makes it the same whenever it comes.
fn unassigned(chat: u8, number: u64) -> ChatEvent {
    let phone = format!("+91900{}", CUSTOMER[usize::from(chat)]);
    let own = format!("event {number}");
    let body = json!({ "chatId": name(chat), "customerPhone": phone, "eventId": own });
    event(Happening::Unassigned, body)
}

fn rows_of(entries: &[Entry]) -> Vec<Row> {
    let row = |entry: &Entry| (entry.event_id.number, entry.previous_agent.reveal().to_owned());
    entries.iter().map(row).collect()
}

fn handovers_of(entries: &[Entry]) -> Vec<HandoverRow> {
    let row = |entry: &Entry| {
        let handover = entry.handover.as_ref().expect("a row of the handovers");
        let taken_by = if handover.is_closed { "closed" } else { handover.agent.reveal() };
        (entry.event_id.number, entry.unassigned_at, taken_by.to_owned())
    };
    entries.iter().map(row).collect()
}

/// All that makes a batch this one.
fn face(batch: &Batch) -> impl PartialEq + std::fmt::Debug + use<> {
    let words = (batch.digest().to_owned(), batch.plan().to_owned());
    let rows = (rows_of(batch.entries()), handovers_of(batch.handovers()));
    let board = batch.board().map(|board| serde_json::to_string(board).expect("it is text"));
    (batch.number(), batch.marker_id(), words, rows, board)
}

/// The journal, where it is, and what a forwarder would have in hand.
struct Bench {
    place: Place,
    journal: Option<Journal>,
    batch: Option<Batch>,
}

impl Bench {
    fn journal(&self) -> &Journal {
        self.journal.as_ref().expect("open between two operations")
    }

    async fn hear(&self, happening: Happening, body: serde_json::Value, now: UnixMs) {
        let receipt = self.journal().accept(event(happening, body), now).await.unwrap();
        assert_eq!(receipt.standing(), Standing::Accepted);
    }

    async fn open_again(&mut self) {
        let before = self.batch.take();
        let journal = self.journal.insert(self.place.open());
        self.batch = open_batch(journal).await;
        assert_eq!(self.batch.as_ref().map(face), before.as_ref().map(face));
    }
}

async fn apply(operation: &Operation, bench: &mut Bench, model: &mut Model) {
    model.now = model.now.plus_ms(1_000);
    match operation {
        Operation::Accept(chat) => {
            let event = unassigned(*chat, model.next_number);
            let receipt = bench.journal().accept(event, model.now).await.unwrap();
            assert_eq!(receipt.standing(), Standing::Accepted);
            assert_eq!(receipt.event_id().number, model.next_number);
            let agent = model.agents.get(chat).cloned().unwrap_or_default();
            model.pending.push((model.next_number, agent));
            model.accepted.push((*chat, model.next_number));
            model.waits.entry(*chat).or_insert(model.now);
            *model.drops.entry(*chat).or_default() += 1;
            model.next_number += 1;
        }
        Operation::AcceptAgain(which) => {
            if model.accepted.is_empty() {
                return;
            }
            let (chat, number) = model.accepted[which.index(model.accepted.len())];
            let again = bench.journal().accept(unassigned(chat, number), model.now).await.unwrap();
            assert_eq!(again.standing(), Standing::Duplicate);
            assert_eq!(again.event_id().number, number);
            model.duplicate += 1;
        }
        Operation::Assign(chat) => {
            let agent = format!("agent {}", model.next_number);
            let body = json!({ "chatId": name(*chat), "assignedUserName": agent });
            bench.hear(Happening::Assigned, body, model.now).await;
            let next_number = model.next_number + 1;
            model.hand_over(*chat, &agent);
            model.next_number = next_number;
            model.agents.insert(*chat, agent);
            model.remembered += 1;
        }
        Operation::Close(customer) => {
            let (phone, own) =
                (format!("+91900{customer}"), format!("event {}", model.next_number));
            let body = json!({ "from": phone, "closeConversation": true, "eventId": own });
            bench.hear(Happening::Closed, body, model.now).await;
            let next_number = model.next_number + 1;
            // In the order in which they began.
            let chats: Vec<String> = model.board().into_iter().map(|(chat, _, _)| chat).collect();
            for chat in (0..3).filter(|chat| CUSTOMER[usize::from(*chat)] == *customer) {
                model.agents.remove(&chat);
            }
            for chat in chats.iter().filter_map(|chat| chat.strip_prefix("chat ")?.parse().ok()) {
                if CUSTOMER[usize::from(chat)] == *customer {
                    model.hand_over(chat, "closed");
                }
            }
            model.next_number = model.next_number.max(next_number);
            model.remembered += 1;
        }
        Operation::Seal(rows_max, with_board) => {
            if bench.batch.is_some() {
                return;
            }
            let book = book(bench.journal());
            let look = with_board.then(|| look(book));
            let draft = drafted(bench.journal(), book, *rows_max).await;
            let sealed = bench.journal().seal(draft, "a plan".into(), look, model.now).await;
            let batch = bench.batch.insert(sealed.unwrap().unwrap());
            let rows = model.pending.len().min(*rows_max);
            model.sealed = (rows, model.handovers.len().min(*rows_max - rows));
            let board = batch.board().map(|board| {
                assert_eq!((board.at, board.waiting), (model.now, model.waits.len() as u64));
                lines_of(board)
            });
            assert_eq!(board, with_board.then(|| model.board()));
        }
        Operation::Written => {
            let Some(batch) = bench.batch.take() else { return };
            bench.journal().written(batch).await.unwrap();
            model.written += model.pending.drain(..model.sealed.0).count() as u64;
            model.handovers_written += model.handovers.drain(..model.sealed.1).count() as u64;
        }
        Operation::SetAside => {
            let Some(batch) = bench.batch.take() else { return };
            let journal = bench.journal();
            journal.set_aside(batch, "for a reason".into(), model.now).await.unwrap();
            model.set_aside.extend(model.pending.drain(..model.sealed.0));
            model.handovers_set_aside.extend(model.handovers.drain(..model.sealed.1));
        }
        Operation::Retry => {
            // With a batch open it is a matter of which rows: the named tests have those.
            if bench.batch.is_some() {
                return;
            }
            let retried =
                bench.journal().retry_set_aside(None, &Progress::default()).await.unwrap();
            let rows = model.set_aside.len() + model.handovers_set_aside.len();
            assert_eq!(retried.rows, rows as u64);
            model.pending.append(&mut model.set_aside);
            model.pending.sort();
            model.handovers.append(&mut model.handovers_set_aside);
            model.handovers.sort();
        }
        Operation::Release => {
            let Some(batch) = bench.batch.take() else { return };
            bench.journal().release(batch).await.unwrap();
        }
        Operation::Fail(chat) => {
            let journal = bench.journal();
            bench.place.refuse_commits();
            let customer = format!("+91900{}", CUSTOMER[usize::from(*chat)]);
            let taken = json!({ "chatId": name(*chat), "assignedUserName": "nobody" });
            let closed = json!({ "from": customer, "closeConversation": true, "eventId": "none" });
            for event in [
                unassigned(*chat, model.next_number),
                event(Happening::Assigned, taken),
                event(Happening::Closed, closed),
            ] {
                let refusal = journal.accept(event, model.now).await.unwrap_err();
                assert!(matches!(refusal, Refusal::Failed(_)));
            }
            bench.place.allow_commits();
        }
        Operation::Reopen => {
            bench.journal = None;
            bench.open_again().await;
        }
        Operation::Kill => {
            let copy = bench.place.cut();
            bench.journal = None;
            bench.place = copy;
            bench.open_again().await;
        }
    }
    if bench.batch.is_none() {
        model.sealed = (0, 0);
    }
}

fn lines_of(board: &crate::chat::board::Board) -> Vec<(String, UnixMs, usize)> {
    let lines = board.lines.iter();
    lines
        .map(|line| (line.entry.chat_id.reveal().to_owned(), line.entry.unassigned_at, line.drops))
        .collect()
}

async fn check(bench: &Bench, model: &Model) {
    let (journal, batch) = (bench.journal(), bench.batch.as_ref());
    let all = journal.draft(book(journal), 1_000, NOW).await.unwrap();
    assert_eq!(rows_of(all.entries()), model.pending);
    assert_eq!(handovers_of(all.handovers()), model.handovers);
    let in_hand = batch.map_or(Vec::new(), |batch| rows_of(batch.entries()));
    assert_eq!(in_hand, model.pending[..model.sealed.0]);
    let in_hand = batch.map_or(Vec::new(), |batch| handovers_of(batch.handovers()));
    assert_eq!(in_hand, model.handovers[..model.sealed.1]);
    let tally = journal.tally();
    assert_eq!(tally.accepted, model.accepted.len() as u64);
    assert_eq!(tally.pending(), model.pending.len() as u64);
    let set_aside = model.set_aside.len() as u64;
    assert_eq!((tally.written, tally.set_aside), (model.written, set_aside));
    assert_eq!((tally.remembered, tally.duplicate), (model.remembered, model.duplicate));
    let done = (model.handovers_written, model.handovers_set_aside.len() as u64);
    assert_eq!((tally.handovers_written, tally.handovers_set_aside), done);
    assert_eq!(tally.handovers_pending(), model.handovers.len() as u64);
    assert_eq!(journal.work(book(journal)).waiting, model.waits.len() as u64);
    check_identity(&bench.place, journal);
}

#[each_engine]
fn whatever_happens_in_whatever_order_nothing_is_lost_doubled_or_reordered(place: Place) {
    property(place.cases(32), prop::collection::vec(operation(), 1..40), async |operations| {
        let place = place.another();
        let journal = Some(place.open());
        let mut bench = Bench { place, journal, batch: None };
        let mut model = Model { next_number: 1, now: NOW, ..Model::default() };
        for operation in &operations {
            apply(operation, &mut bench, &mut model).await;
            check(&bench, &model).await;
        }
    });
}
