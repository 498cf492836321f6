//! The domain's promises: what a body says, how text and time are read, what a row is completed with.

mod board;
mod hours;
mod interleaving;
mod listing;
mod memory;
mod reading;
mod recognising;
mod route;
mod shown;
mod summary;
mod time;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::chat::digest::Digest;
use crate::chat::entry::{Entry, EventId};
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::memory::{Judgement, Known, News, Rules, Told, judge};
use crate::chat::recognise::{Recognised, recognise};
use crate::chat::time::UnixMs;
use crate::chat::waiting::Wait;

/// 2026-07-01, 10:30 UTC.
const NOW: UnixMs = UnixMs(1_782_901_800_000);
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const RULES: Rules = Rules { resend_window_ms: 2 * MINUTE_MS, retention_ms: 30 * DAY_MS };

const WABA: &str = "+919000000000";
const OTHER_WABA: &str = "+919000000001";
const PHONE: &str = "+919111222333";

/// The event that this body is.
#[track_caller]
fn event(body: Value) -> ChatEvent {
    match recognise(&body, None, NOW) {
        Recognised::Event(event) => *event,
        other => panic!("{other:?}"),
    }
}

fn unassigned(chat: &str) -> Value {
    json!({ "chatId": chat, "customerPhone": PHONE, "wabaNumber": WABA, "dtCustomerId": "customer_1" })
}

fn assigned(chat: &str, name: &str, phone: &str) -> Value {
    json!({
        "chatId": chat, "assignedUserId": "user_1", "assignedUserName": name,
        "assignedUserPhone": phone, "assignedUserEmail": "agent@clinic.example",
        "assignedUserWabaNumber": WABA, "customerPhone": PHONE, "dtCustomerId": "customer_1",
        "message": { "text": "assigned" },
    })
}

fn opened(waba: &str, name: &str) -> Value {
    json!({
        "customerName": name, "customerPhone": PHONE, "from": PHONE, "to": waba,
        "dtCustomerId": "customer_1", "conversationOpened": true,
    })
}

fn closed(waba: &str) -> Value {
    json!({
        "customerName": "Rohan Mehta", "customerPhone": PHONE, "from": PHONE, "to": waba,
        "dtCustomerId": "customer_1", "closeConversation": true,
    })
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a few of them, in tests")]
enum Outcome {
    Row(Entry),
    /// Kept under this number, no row.
    Kept(u64),
    /// The event of this number, sent again.
    Resend(u64),
}

/// The journal's part of the rule, in memory: loads what is known, has it judged, keeps the outcome.
struct Inbox {
    rules: Rules,
    memory: HashMap<String, Vec<u8>>,
    /// By the number of the event that began it, with the names of its chat and of its customer.
    waits: BTreeMap<u64, (Vec<String>, Vec<String>, Wait)>,
    handovers: Vec<Entry>,
    next: u64,
}

impl Inbox {
    fn new(rules: Rules) -> Self {
        Self {
            rules,
            memory: HashMap::new(),
            waits: BTreeMap::new(),
            handovers: Vec::new(),
            next: 1,
        }
    }

    fn recall<T: DeserializeOwned + Default>(&self, keys: &[String]) -> T {
        let record = keys.iter().find_map(|key| self.memory.get(key));
        record.map(|record| serde_json::from_slice(record).unwrap()).unwrap_or_default()
    }

    fn remember<T: Serialize>(&mut self, keys: &[String], record: Option<T>) {
        let Some(record) = record else { return };
        let record = serde_json::to_vec(&record).unwrap();
        self.memory.extend(keys.iter().map(|key| (key.clone(), record.clone())));
    }

    /// One body arrives.
    #[track_caller]
    fn receive(&mut self, body: Value, now: UnixMs) -> Outcome {
        let event = event(body);
        let digest = digest(&event.identity.canonical);
        let keys = event.keys();
        let chat_key = keys.chat.as_ref().map(|name| self::digest(name.as_bytes()));
        let (chat, body) = (Vec::from_iter(keys.chat), vec![format!("body/{digest}")]);
        let heard_as = chat.first().or(keys.customer.first()).map(|name| format!("last/{name}"));
        let last = Vec::from_iter(heard_as);
        let known = Known {
            last: self.recall(&last),
            chat_key,
            chat: self.recall(&chat),
            customer: self.recall(&keys.customer),
            same_body: self.recall(&body),
            waits: self.waits_about(&event, &chat, &keys.customer),
        };
        let id = EventId { tag: "test".into(), number: self.next };
        let news = match judge(&event, digest, &known, &id, now, self.rules) {
            Judgement::Resend(number) => return Outcome::Resend(number),
            Judgement::Late(..) => unreachable!("nothing is found by asking here"),
            Judgement::News(news) => news,
        };
        self.next += (news.ended.len() as u64).max(1);
        self.note_waits(&news, &known, (&chat, &keys.customer), id.number);
        self.remember(&last, Some(Told { digest, number: id.number, at: now }));
        self.remember(&chat, news.chat);
        self.remember(&keys.customer, news.customer);
        self.remember(&body, news.same_body);
        news.entry.map_or(Outcome::Kept(id.number), Outcome::Row)
    }

    /// Those of the event's chat, or of the customer whose conversation closed.
    fn waits_about(
        &self,
        event: &ChatEvent,
        chat: &[String],
        customer: &[String],
    ) -> Vec<(u64, Wait)> {
        let meets = |own: &[String], other: &[String]| own.iter().any(|key| other.contains(key));
        let waits = self.waits.iter().filter(|(_, (of, whose, _))| match event.happening {
            Happening::Unassigned | Happening::Assigned => meets(of, chat),
            Happening::Closed => meets(whose, customer),
            Happening::Opened => false,
        });
        waits.map(|(number, (_, _, wait))| (*number, wait.clone())).collect()
    }

    fn note_waits(
        &mut self,
        news: &News,
        known: &Known,
        (chat, customer): (&[String], &[String]),
        number: u64,
    ) {
        if let Some(wait) = &news.wait {
            let before = known.waits.first();
            before.map(|(number, _)| self.waits.remove(number));
            let goes_on = before.filter(|(_, wait)| !wait.is_over);
            let number = goes_on.map_or(number, |(number, _)| *number);
            self.waits.insert(number, (chat.to_vec(), customer.to_vec(), wait.clone()));
        }
        for (number, handover) in &news.ended {
            let (_, _, wait) = self.waits.get_mut(number).expect("it was told of");
            wait.is_over = true;
            self.handovers.push(handover.clone());
        }
    }

    /// The waits that are not over, the first to begin first.
    fn waiting(&self) -> Vec<&Wait> {
        self.waits.values().map(|(_, _, wait)| wait).filter(|wait| !wait.is_over).collect()
    }

    /// The row that this body becomes.
    #[track_caller]
    fn row(&mut self, body: Value, now: UnixMs) -> Entry {
        match self.receive(body, now) {
            Outcome::Row(entry) => entry,
            other => panic!("no row but {other:?}"),
        }
    }

    /// Takes an event that is no row and no resend.
    #[track_caller]
    fn hear(&mut self, body: Value, now: UnixMs) {
        let outcome = self.receive(body, now);
        assert!(matches!(outcome, Outcome::Kept(_)), "not kept but {outcome:?}");
    }
}

/// What a body is recognised by.
fn digest(bytes: &[u8]) -> Digest {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, bytes).hash(&mut hasher);
        hasher.finish().to_le_bytes()
    };
    let [first, second] = [half(0), half(1)];
    Digest::from_bytes(std::array::from_fn(|at| if at < 8 { first[at] } else { second[at - 8] }))
}

/// Who had the chat, as the row says it: name and phone.
fn agent(entry: &Entry) -> (&str, &str) {
    (entry.previous_agent.reveal(), entry.agent_phone.reveal())
}

fn minutes(count: i64) -> UnixMs {
    NOW.plus_ms(count * MINUTE_MS)
}
