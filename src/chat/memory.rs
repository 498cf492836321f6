//! What we know of a chat and its customer, and what one more event makes of it.
//!
//! DoubleTick names neither the previous agent nor the customer when a chat loses its agent, so the
//! row is completed from the events before it. [`judge`] is the whole rule, a pure function; the
//! journal loads what it needs, calls it inside the event's own transaction and stores the outcome.
//!
//! What the races mean:
//! - Events carry no order of their own, so the order of receipt is the order.
//! - *Assigned after the unassigned one it preceded* (they crossed on the way): the row is written by
//!   what was known before; the assignment counts from then on.
//! - *A burst of bulk unassignments* is as many rows; each chat has a memory of its own.
//! - *Reassigned A → B*, with or without an unassignment between: the last assignment we saw names the
//!   previous agent. So it does at a second unassignment in a row.
//! - *Unassigned, assigned, unassigned within the resend window*: the assignment ends the window, so
//!   both unassignments are rows. So does an opened or closed conversation of that customer on that
//!   number, and any event that differs in its body.
//! - *Two chats of one customer* share the customer's name and phone and nothing else.
//! - *A customer's chats on two of the clinic's numbers* are closed separately. One chat that is seen on
//!   two numbers keeps its agent: the chat's id decides. Where a number is unknown it may be the same
//!   one, so a closing on it counts.
//! - *A conversation closed since*, or an assignment older than the retention, names nobody: blank is
//!   better than the wrong person.
//! - *An event that is read only after later ones* (replayed after an upgrade) gets its row, and changes
//!   nothing of what we know.
//! - *A drop that no event told of* and that was found by asking ([`crate::chat::listing`]) is a row like any
//!   other. An unassignment that comes then, with nothing of the chat in between, is that row's event, once.
//! - What the event says itself always wins over what we remember.

use serde::{Deserialize, Serialize};

use crate::chat::customer::CustomerMemory;
use crate::chat::digest::Digest;
use crate::chat::entry::{Entry, EventId};
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::text::Personal;
use crate::chat::time::{CLOCK_SLACK_MS, UnixMs};
use crate::chat::waiting::Wait;

/// How long a body that carries its own time or id can only be the same event.
pub const OWN_IDENTITY_MS: i64 = 24 * 3_600_000;

/// The durations that decide.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long an identical body counts as a resend.
    pub resend_window_ms: i64,
    /// How long what we know of a quiet chat counts.
    pub retention_ms: i64,
}

/// One event as it is remembered, to recognise its resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Keyed hash of the body.
    pub digest: Digest,
    /// The event's number.
    pub number: u64,
    /// When it was received.
    pub at: UnixMs,
}

/// What we know of one chat.
// Stored by the hundred thousand, and again with every change: short names save the disk a third of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatMemory {
    #[serde(rename = "a")]
    agent: Option<Agent>,
    #[serde(rename = "c", skip_serializing_if = "Personal::is_blank")]
    customer_phone: Personal,
    #[serde(rename = "w", skip_serializing_if = "Personal::is_blank")]
    waba_number: Personal,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Agent {
    #[serde(rename = "n")]
    name: Personal,
    #[serde(rename = "p")]
    phone: Personal,
    #[serde(rename = "i")]
    number: u64,
    #[serde(rename = "t")]
    at: UnixMs,
    /// That the chat was dropped since is known, though no wait says so.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    has_left: bool,
}

/// All that is known before the event.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// By what its chat is recognised.
    pub chat_key: Option<Digest>,
    /// Of its chat.
    pub chat: ChatMemory,
    /// Of its customer.
    pub customer: CustomerMemory,
    /// The last event of its chat; for one that names no chat, of its customer.
    pub last: Option<Told>,
    /// The event that had this very body, where the body has an identity of its own.
    pub same_body: Option<Told>,
    /// Who waits, with the number under which it began: of the event's chat, ended or not; for a
    /// conversation that closes, all of the customer's.
    pub waits: Vec<(u64, Wait)>,
}

/// What the event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The event of this number, sent again.
    Resend(u64),
    /// A new event.
    News(Box<News>),
    /// The event, come at last, of the row of this number, which was found by asking; what it tells besides.
    Late(u64, Box<News>),
}

/// What is to be stored of a new event; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The chat as it is known now.
    pub chat: Option<ChatMemory>,
    /// The customer as known now.
    pub customer: Option<CustomerMemory>,
    /// This event, for the bodies with an identity of their own.
    pub same_body: Option<Told>,
    /// This event, as the last of its chat; `None` where it comes late, and another was heard of since.
    pub last: Option<Told>,
    /// The row it becomes.
    pub entry: Option<Entry>,
    /// The chat waits from now on, or still.
    pub wait: Option<Wait>,
    /// The waits that it ends, by number, each with the row of its handover.
    pub ended: Vec<(u64, Entry)>,
}

/// Decides what an event is and what becomes of it. `id` is the one it gets if it is new.
pub fn judge(
    event: &ChatEvent,
    digest: Digest,
    known: &Known,
    id: &EventId,
    now: UnixMs,
    rules: Rules,
) -> Judgement {
    if let Some(first) = resend_of(event, digest, known, now, rules) {
        return Judgement::Resend(first);
    }
    let mut news = News::default();
    let told = Told { digest, number: id.number, at: now };
    news.same_body = event.identity.is_its_own.then_some(told);
    let is_late = known.last.is_some_and(|last| last.at.since_ms(now) > CLOCK_SLACK_MS);
    news.last = (!is_late).then_some(told);
    if event.happening == Happening::Unassigned
        && let Some((row, wait)) = known.waits.first()
        && wait.is_told_late_by(event, now)
    {
        let entry = completed(event, known, id, now, rules);
        news.wait = Some(wait.confirmed_by(&entry));
        return Judgement::Late(*row, Box::new(news));
    }
    match event.happening {
        Happening::Unassigned => {
            let entry = completed(event, known, id, now, rules);
            // Of an event that comes late, somebody may have taken or closed the chat long since.
            if !known.chat.is_newer_than(now)
                && !known.customer.is_closed_after(now, &entry.waba_number)
            {
                let before = known.waits.first().map(|(_, wait)| wait);
                news.wait = Some(Wait::dropped(before, &entry, now));
                // Of a chat that nobody ever had its wait says all that is known.
                if known.chat.agent.is_some() {
                    news.customer = on_its_line(event, known, &entry.waba_number);
                }
            } else {
                news.chat = known.chat.left();
            }
            news.entry = Some(entry);
        }
        Happening::Assigned if known.chat.is_newer_than(now) => {}
        Happening::Opened | Happening::Closed if known.customer.is_newer_than(now) => {}
        Happening::Assigned => {
            let chat = assigned(event, &known.chat, id.number, now);
            let waits = known.waits.iter().filter(|(_, wait)| !wait.is_over);
            let waited_on = waits.map(|(_, wait)| &wait.entry.waba_number).next();
            let waba_number = chat.waba_number.or(waited_on.unwrap_or(&Personal::default()));
            news.customer = on_its_line(event, known, &waba_number);
            news.chat = Some(chat);
            news.ended = ended(event, known, id, now);
        }
        Happening::Opened => {
            news.customer = Some(known.customer.heard_of(event, id.number, now));
        }
        Happening::Closed => {
            news.customer = Some(known.customer.heard_of(event, id.number, now));
            news.ended = ended(event, known, id, now);
        }
    }
    Judgement::News(Box::new(news))
}

/// The waits that an assignment or a closing ends. Each handover is a row of its own: the first bears
/// the event's number, further ones those after it.
fn ended(event: &ChatEvent, known: &Known, id: &EventId, now: UnixMs) -> Vec<(u64, Entry)> {
    let waba_line = event.waba_number.line();
    // What is told of late ends nothing that began after it.
    let is_meant = |wait: &Wait| {
        !wait.is_over
            && wait.heard_at.since_ms(now) <= CLOCK_SLACK_MS
            && (event.happening == Happening::Assigned || wait.is_on_line(&waba_line))
    };
    let waits = known.waits.iter().filter(|(_, wait)| is_meant(wait));
    (id.number..)
        .zip(waits)
        .map(|(number, (began, wait))| {
            let id = EventId { tag: id.tag.clone(), number };
            (*began, wait.handed_over(event, &id, now))
        })
        .collect()
}

fn resend_of(
    event: &ChatEvent,
    digest: Digest,
    known: &Known,
    now: UnixMs,
    rules: Rules,
) -> Option<u64> {
    let within = |told: &&Told, window_ms: i64| {
        told.digest == digest && now.since_ms(told.at).abs() < window_ms
    };
    let own_window_ms = rules.resend_window_ms.max(OWN_IDENTITY_MS);
    if let Some(first) = known.same_body.as_ref().filter(|told| within(told, own_window_ms)) {
        return Some(first.number);
    }
    let heard = match event.happening {
        Happening::Unassigned | Happening::Assigned => {
            let waba = event.waba_number.or(&known.chat.waba_number);
            known.customer.heard(&waba.line())
        }
        Happening::Opened | Happening::Closed => 0,
    };
    let last = known.last.as_ref().filter(|told| within(told, rules.resend_window_ms))?;
    (heard < last.number).then_some(last.number)
}

fn assigned(event: &ChatEvent, chat: &ChatMemory, number: u64, now: UnixMs) -> ChatMemory {
    let agent = Agent {
        name: event.agent_name.clone(),
        phone: event.agent_phone.clone(),
        number,
        at: now,
        has_left: false,
    };
    ChatMemory {
        agent: Some(agent),
        customer_phone: event.customer_phone.or(&chat.customer_phone),
        waba_number: event.waba_number.or(&chat.waba_number),
    }
}

/// The customer, where it is news that their chat on this number is the event's.
fn on_its_line(event: &ChatEvent, known: &Known, waba_number: &Personal) -> Option<CustomerMemory> {
    known.customer.with_chat(known.chat_key?, &waba_number.line(), &event.customer_phone)
}

/// The row of an unassignment: what it says, then what we remember.
fn completed(event: &ChatEvent, known: &Known, id: &EventId, now: UnixMs, rules: Rules) -> Entry {
    let waba_number = event.waba_number.or(&known.chat.waba_number);
    let closed = known.customer.closed(&waba_number.line());
    let agent = known.chat.agent.as_ref().filter(|agent| {
        agent.at.since_ms(now) <= CLOCK_SLACK_MS
            && agent.number > closed
            && now.since_ms(agent.at) <= rules.retention_ms
    });
    let (mut name, mut phone) = (event.agent_name.clone(), event.agent_phone.clone());
    // The two halves of an agent are joined only where they cannot be of different people.
    if let Some(agent) = agent {
        let is_theirs = !phone.digits().is_empty() && phone.digits() == agent.phone.digits();
        if name.is_blank() && (phone.is_blank() || is_theirs) {
            name = agent.name.clone();
        }
        if phone.is_blank() && name == agent.name {
            phone = agent.phone.clone();
        }
    }
    Entry {
        event_id: id.clone(),
        unassigned_at: event.at.unwrap_or(now),
        customer_name: event.customer_name.or(&known.customer.name),
        customer_phone: event
            .customer_phone
            .or(&known.chat.customer_phone)
            .or(&known.customer.phone),
        previous_agent: name,
        agent_phone: phone,
        waba_number,
        chat_id: event.chat_id.clone(),
        handover: None,
        found: event.found,
    }
}

impl ChatMemory {
    /// The same, knowing that the chat was dropped since; `None` where nobody has it anyway.
    pub fn left(&self) -> Option<Self> {
        let agent = self.agent.clone().filter(|agent| !agent.has_left)?;
        Some(Self { agent: Some(Agent { has_left: true, ..agent }), ..self.clone() })
    }

    /// The assignment by which somebody still has the chat, where none closed it after the one of that number:
    /// its own number, and when it was received.
    pub(super) fn assignment(&self, closed: u64) -> Option<(u64, UnixMs)> {
        let agent = self.agent.as_ref()?;
        (agent.number > closed && !agent.has_left).then_some((agent.number, agent.at))
    }

    /// Whether a drop of which nobody told is possible: somebody had the chat once, and that it was dropped since
    /// is not known.
    pub(super) fn may_be_dropped(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| !agent.has_left)
    }

    pub(super) fn phone(&self) -> &Personal {
        &self.customer_phone
    }

    pub(super) fn waba(&self) -> &Personal {
        &self.waba_number
    }

    /// The number of the last assignment; 0 for none.
    pub(super) fn heard(&self) -> u64 {
        self.agent.as_ref().map_or(0, |agent| agent.number)
    }

    /// Whether something received after `now` is known already: then an event of `now` teaches nothing
    /// any more. So it is with a body that was kept until a later version recognised it.
    fn is_newer_than(&self, now: UnixMs) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.at.since_ms(now) > CLOCK_SLACK_MS)
    }
}
