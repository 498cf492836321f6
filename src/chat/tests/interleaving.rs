//! Any order and any repetition of events gives the rows that a plain reading of the rules gives.
//!
//! The model keeps every event it has heard and looks through all of them each time; the code keeps
//! a summary. They must agree.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::chat::entry::{Entry, EventId};
use crate::chat::memory::OWN_IDENTITY_MS;
use crate::chat::tests::{DAY_MS, Desk, MINUTE_MS, NOW, Outcome, RULES};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unassigned,
    Assigned,
    Opened,
    Closed,
}

/// One of the three chats: 0 and 1 are the first customer's, 2 is the second's.
#[derive(Clone, Copy, Debug)]
struct Step {
    kind: Kind,
    chat: usize,
    /// Which agent, or which spelling of the customer's name.
    variant: usize,
    /// An id of the event's own.
    own_id: Option<u8>,
    wait_ms: i64,
}

const CUSTOMER: [usize; 3] = [0, 0, 1];
const AGENTS: [(&str, &str); 2] = [("Asha", "+911"), ("Bala", "+912")];

/// Which of the clinic's numbers each chat is on.
type Numbers = [usize; 3];

fn body(step: &Step, numbers: Numbers) -> Value {
    let customer = CUSTOMER[step.chat];
    let (id, phone) = (format!("customer_{customer}"), format!("+91900{customer}"));
    let waba = format!("+9180{}", numbers[step.chat]);
    let chat = format!("chat_{}", step.chat);
    let mut body = match step.kind {
        Kind::Unassigned => json!({ "chatId": chat, "wabaNumber": waba }),
        Kind::Assigned => json!({
            "chatId": chat, "assignedUserId": "u", "assignedUserName": AGENTS[step.variant].0,
            "assignedUserPhone": AGENTS[step.variant].1, "assignedUserWabaNumber": waba,
            "message": { "text": "assigned" },
        }),
        Kind::Opened => json!({ "conversationOpened": true }),
        Kind::Closed => json!({ "closeConversation": true }),
    };
    if matches!(step.kind, Kind::Opened | Kind::Closed) {
        body["customerName"] = json!(name(step));
        body["from"] = json!(phone);
        body["to"] = json!(waba);
    }
    body["dtCustomerId"] = json!(id);
    body["customerPhone"] = json!(phone);
    if let Some(own) = step.own_id {
        body["eventId"] = json!(format!("evt_{own}"));
    }
    body
}

fn name(step: &Step) -> String {
    format!("Customer {} as {}", CUSTOMER[step.chat], step.variant)
}

/// One event that was new.
struct Heard {
    step: Step,
    body: Value,
    number: u64,
    at: UnixMs,
}

/// All that was ever heard, oldest first.
struct Model {
    heard: Vec<Heard>,
    numbers: Numbers,
}

impl Model {
    fn last(&self, fits: impl Fn(&Heard) -> bool) -> Option<&Heard> {
        self.heard.iter().rev().find(|heard| fits(heard))
    }

    fn of_conversation(&self, heard: &Heard, step: &Step) -> bool {
        matches!(heard.step.kind, Kind::Opened | Kind::Closed)
            && CUSTOMER[heard.step.chat] == CUSTOMER[step.chat]
            && self.numbers[heard.step.chat] == self.numbers[step.chat]
    }

    fn first_of(&self, step: &Step, body: &Value, now: UnixMs) -> Option<u64> {
        let same =
            |heard: &&Heard, window_ms| heard.body == *body && now.since_ms(heard.at) < window_ms;
        if step.own_id.is_some() {
            let twin = self.last(|heard| heard.body == *body);
            if let Some(twin) = twin.filter(|twin| same(twin, OWN_IDENTITY_MS)) {
                return Some(twin.number);
            }
        }
        let last = match step.kind {
            // The last that was heard of this chat, be it of the chat or of its conversation.
            Kind::Unassigned | Kind::Assigned => self.last(|heard| {
                let of_chat = matches!(heard.step.kind, Kind::Unassigned | Kind::Assigned)
                    && heard.step.chat == step.chat;
                of_chat || self.of_conversation(heard, step)
            }),
            // The last that was heard of this customer.
            Kind::Opened | Kind::Closed => self.last(|heard| {
                matches!(heard.step.kind, Kind::Opened | Kind::Closed)
                    && CUSTOMER[heard.step.chat] == CUSTOMER[step.chat]
            }),
        };
        last.filter(|last| same(last, RULES.resend_window_ms)).map(|last| last.number)
    }

    fn row(&self, step: &Step, number: u64, now: UnixMs) -> Entry {
        let closed = self
            .last(|heard| heard.step.kind == Kind::Closed && self.of_conversation(heard, step))
            .map_or(0, |heard| heard.number);
        let (agent, phone) = self
            .last(|heard| heard.step.kind == Kind::Assigned && heard.step.chat == step.chat)
            .filter(|heard| heard.number > closed)
            .filter(|heard| now.since_ms(heard.at) <= RULES.retention_ms)
            .map_or(("", ""), |heard| AGENTS[heard.step.variant]);
        let told = self.last(|heard| {
            matches!(heard.step.kind, Kind::Opened | Kind::Closed)
                && CUSTOMER[heard.step.chat] == CUSTOMER[step.chat]
        });
        let text = |text: String| Personal::new(&text);
        Entry {
            event_id: EventId { tag: "test".into(), number },
            unassigned_at: now,
            customer_name: told.map_or_else(Personal::default, |told| text(name(&told.step))),
            customer_phone: text(format!("+91900{}", CUSTOMER[step.chat])),
            previous_agent: Personal::new(agent),
            agent_phone: Personal::new(phone),
            waba_number: text(format!("+9180{}", self.numbers[step.chat])),
            chat_id: text(format!("chat_{}", step.chat)),
        }
    }

    fn receive(&mut self, step: Step, now: UnixMs) -> Outcome {
        let body = body(&step, self.numbers);
        if let Some(first) = self.first_of(&step, &body, now) {
            return Outcome::Resend(first);
        }
        let number = self.heard.len() as u64 + 1;
        let outcome = match step.kind {
            Kind::Unassigned => Outcome::Row(self.row(&step, number, now)),
            _ => Outcome::Kept(number),
        };
        self.heard.push(Heard { step, body, number, at: now });
        outcome
    }
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        3 => Just(Kind::Unassigned),
        2 => Just(Kind::Assigned),
        1 => Just(Kind::Opened),
        1 => Just(Kind::Closed),
    ];
    let wait = prop_oneof![
        6 => 0..2_000_i64,
        2 => Just(MINUTE_MS),
        1 => Just(RULES.resend_window_ms - 1),
        2 => Just(RULES.resend_window_ms),
        2 => Just(10 * MINUTE_MS),
        1 => Just(DAY_MS - MINUTE_MS),
        1 => Just(DAY_MS),
        1 => Just(RULES.retention_ms),
        1 => Just(RULES.retention_ms + 1),
    ];
    let own_id = prop_oneof![4 => Just(None), 1 => (0..2_u8).prop_map(Some)];
    (kind, 0..3_usize, 0..2_usize, own_id, wait).prop_map(
        |(kind, chat, variant, own_id, wait_ms)| Step { kind, chat, variant, own_id, wait_ms },
    )
}

proptest! {
    /// On one number or on two, in any order, each event any number of times.
    #[test]
    fn any_order_of_events_gives_the_rows_of_a_plain_reading(
        steps in prop::collection::vec(step(), 1..60),
        two_numbers: bool,
    ) {
        let numbers = if two_numbers { [0, 1, 0] } else { [0, 0, 0] };
        let mut desk = Desk::new(RULES);
        let mut model = Model { heard: Vec::new(), numbers };
        let mut now = NOW;
        for step in steps {
            now = now.plus_ms(step.wait_ms);
            let expected = model.receive(step, now);
            let outcome = desk.receive(body(&step, numbers), now);
            if outcome != expected {
                // The texts do not show themselves.
                let columns = |outcome: &Outcome| match outcome {
                    Outcome::Row(row) => serde_json::to_string(row).unwrap(),
                    other => format!("{other:?}"),
                };
                prop_assert_eq!(columns(&outcome), columns(&expected), "at {:?}", step);
                prop_assert!(false, "same columns, another number: {:?}, {:?}", outcome, expected);
            }
        }
    }
}
