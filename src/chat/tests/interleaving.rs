//! Any order and any repetition of events gives the rows that a plain reading of the rules gives, the
//! same who wait, and the same handovers.
//!
//! The model keeps every event it has heard and looks through all of them each time; the code keeps
//! a summary. They must agree.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::chat::entry::{Entry, EventId, Handover};
use crate::chat::memory::OWN_IDENTITY_MS;
use crate::chat::tests::{DAY_MS, Inbox, MINUTE_MS, NOW, Outcome, RULES};
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
    /// Every row of an unassignment, and every row of a handover.
    rows: Vec<Entry>,
    handovers: Vec<Entry>,
}

/// Someone who waits, by a plain reading: the number of the drop that began it, what is known of the
/// chat, and how often it was dropped in a day.
type Waiting = (u64, Entry, usize);

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
            handover: None,
            found: None,
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

    /// Who waits at `now`: each chat that was dropped and neither taken nor closed since.
    fn waiting(&self, now: UnixMs) -> Vec<Waiting> {
        let mut all: Vec<Waiting> = (0..3).filter_map(|chat| self.wait_of(chat, now)).collect();
        all.sort_by_key(|(began, _, _)| *began);
        all
    }

    fn wait_of(&self, chat: usize, now: UnixMs) -> Option<Waiting> {
        let drop = |heard: &&Heard| heard.step.kind == Kind::Unassigned && heard.step.chat == chat;
        let ends = |heard: &&Heard| match heard.step.kind {
            Kind::Assigned => heard.step.chat == chat,
            Kind::Closed => {
                CUSTOMER[heard.step.chat] == CUSTOMER[chat]
                    && self.numbers[heard.step.chat] == self.numbers[chat]
            }
            Kind::Unassigned | Kind::Opened => false,
        };
        let over = self.heard.iter().rev().find(ends).map_or(0, |heard| heard.number);
        let mut drops = self.heard.iter().filter(drop).filter(|heard| heard.number > over);
        let row_of = |heard: &Heard| {
            self.rows.iter().find(|row| row.event_id.number == heard.number).expect("a row each")
        };
        let first = row_of(drops.next()?);
        let mut entry = first.clone();
        for other in drops.map(row_of) {
            for (known, told) in [
                (&mut entry.customer_name, &other.customer_name),
                (&mut entry.previous_agent, &other.previous_agent),
                (&mut entry.agent_phone, &other.agent_phone),
            ] {
                if known.is_blank() {
                    *known = told.clone();
                }
            }
        }
        let lately = self.heard.iter().filter(drop).filter(|heard| now.since_ms(heard.at) < DAY_MS);
        Some((first.event_id.number, entry, lately.count().max(1)))
    }

    /// The handovers that this event makes of those who wait.
    fn hand_over(&mut self, step: &Step, number: u64, now: UnixMs) -> u64 {
        let is_meant = |entry: &Entry| {
            let chat = entry.chat_id.reveal().strip_prefix("chat_");
            let chat: usize = chat.and_then(|chat| chat.parse().ok()).unwrap();
            match step.kind {
                Kind::Assigned => step.chat == chat,
                Kind::Closed => {
                    CUSTOMER[step.chat] == CUSTOMER[chat]
                        && self.numbers[step.chat] == self.numbers[chat]
                }
                Kind::Unassigned | Kind::Opened => false,
            }
        };
        let is_closed = step.kind == Kind::Closed;
        let agent = if is_closed { "" } else { AGENTS[step.variant].0 };
        let meant = self.waiting(now).into_iter().filter(|(_, entry, _)| is_meant(entry));
        let ended = (number..).zip(meant).map(|(number, (_, entry, _))| Entry {
            event_id: EventId { tag: "test".into(), number },
            handover: Some(Handover {
                taken_at: now,
                agent: Personal::new(agent),
                is_closed,
                found: None,
            }),
            ..entry
        });
        let ended: Vec<Entry> = ended.collect();
        self.handovers.extend_from_slice(&ended);
        ended.len() as u64
    }

    fn receive(&mut self, step: Step, number: u64, now: UnixMs) -> (Outcome, u64) {
        let body = body(&step, self.numbers);
        if let Some(first) = self.first_of(&step, &body, now) {
            return (Outcome::Resend(first), number);
        }
        let ended = self.hand_over(&step, number, now);
        let outcome = match step.kind {
            Kind::Unassigned => {
                let row = self.row(&step, number, now);
                self.rows.push(row.clone());
                Outcome::Row(row)
            }
            _ => Outcome::Kept(number),
        };
        self.heard.push(Heard { step, body, number, at: now });
        (outcome, number + ended.max(1))
    }
}

/// All that is shown of a row; its texts do not show themselves.
fn columns(entry: &Entry) -> String {
    format!("{} {}", entry.event_id, serde_json::to_string(entry).unwrap())
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
    /// On one number or on two, in any order, each event any number of times: the rows, who waits and
    /// how each wait ended.
    #[test]
    fn any_order_of_events_gives_the_rows_of_a_plain_reading(
        steps in prop::collection::vec(step(), 1..60),
        two_numbers: bool,
    ) {
        let numbers = if two_numbers { [0, 1, 0] } else { [0, 0, 0] };
        let mut inbox = Inbox::new(RULES);
        let (heard, rows, handovers) = (Vec::new(), Vec::new(), Vec::new());
        let mut model = Model { heard, numbers, rows, handovers };
        let (mut now, mut next) = (NOW, 1);
        for step in steps {
            now = now.plus_ms(step.wait_ms);
            let (expected, following) = model.receive(step, next, now);
            next = following;
            let outcome = inbox.receive(body(&step, numbers), now);
            let shown = |outcome: &Outcome| match outcome {
                Outcome::Row(row) => columns(row),
                other => format!("{other:?}"),
            };
            prop_assert_eq!(shown(&outcome), shown(&expected), "at {:?}", step);
            prop_assert!(outcome == expected);

            let waiting: Vec<(String, usize)> = inbox
                .waiting()
                .iter()
                .map(|wait| (columns(&wait.entry), wait.drops_in_a_day(now)))
                .collect();
            let expected: Vec<(String, usize)> = model
                .waiting(now)
                .iter()
                .map(|(_, entry, drops)| (columns(entry), *drops))
                .collect();
            prop_assert_eq!(waiting, expected, "who waits after {:?}", step);

            let ends = |rows: &[Entry]| rows.iter().map(columns).collect::<Vec<_>>();
            prop_assert_eq!(ends(&inbox.handovers), ends(&model.handovers), "after {:?}", step);
        }
    }
}
