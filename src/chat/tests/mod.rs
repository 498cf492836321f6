//! The domain's promises: what a body says, how text and time are read, what a row is completed with.

mod interleaving;
mod memory;
mod reading;
mod recognising;
mod shown;
mod time;

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::chat::entry::{Entry, EventId};
use crate::chat::event::ChatEvent;
use crate::chat::memory::{Judgement, Known, Rules, Told, judge};
use crate::chat::recognise::{Recognised, recognise};
use crate::chat::time::UnixMs;

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
enum Outcome {
    Row(Entry),
    /// Kept under this number, no row.
    Kept(u64),
    /// The event of this number, sent again.
    Resend(u64),
}

/// The journal's part of the rule, in memory: loads what is known, has it judged, keeps the outcome.
struct Desk {
    rules: Rules,
    memory: HashMap<String, Vec<u8>>,
    next: u64,
}

impl Desk {
    fn new(rules: Rules) -> Self {
        Self { rules, memory: HashMap::new(), next: 1 }
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
        let digest = format!("body/{}", String::from_utf8_lossy(&event.identity.canonical));
        let keys = event.keys();
        let (chat, body) = (Vec::from_iter(keys.chat), vec![digest.clone()]);
        let heard_as = chat.first().or(keys.customer.first()).map(|name| format!("last/{name}"));
        let last = Vec::from_iter(heard_as);
        let known = Known {
            last: self.recall(&last),
            chat: self.recall(&chat),
            customer: self.recall(&keys.customer),
            same_body: self.recall(&body),
        };
        let id = EventId { tag: "test".into(), number: self.next };
        let news = match judge(&event, &digest, &known, &id, now, self.rules) {
            Judgement::Resend(number) => return Outcome::Resend(number),
            Judgement::News(news) => news,
        };
        self.next += 1;
        self.remember(&last, Some(Told { digest, number: id.number, at: now }));
        self.remember(&chat, news.chat);
        self.remember(&keys.customer, news.customer);
        self.remember(&body, news.same_body);
        news.entry.map_or(Outcome::Kept(id.number), Outcome::Row)
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

/// Who had the chat, as the row says it: name and phone.
fn agent(entry: &Entry) -> (&str, &str) {
    (entry.previous_agent.reveal(), entry.agent_phone.reveal())
}

fn minutes(count: i64) -> UnixMs {
    NOW.plus_ms(count * MINUTE_MS)
}
