//! The events of a chat that we act on, and what each of them says.
//!
//! [`ChatEvent`] is what a body becomes once it is recognised: cleaned fields under one name each,
//! whatever the sender called them.

use crate::chat::entry::Found;
use crate::chat::fields::Fields;
use crate::chat::text::Personal;
use crate::chat::time::{UnixMs, parse};

/// What happened to the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Happening {
    /// Nobody is responsible any more: the only one that becomes a row.
    Unassigned,
    /// An agent took it, or was given it.
    Assigned,
    /// A conversation began: tells us the customer's name.
    Opened,
    /// The conversation ended: whoever had it is no longer the one to ask.
    Closed,
}

/// One event that we act on.
#[derive(Clone, Debug)]
pub struct ChatEvent {
    /// What happened.
    pub happening: Happening,
    /// DoubleTick's id of the conversation.
    pub chat_id: Personal,
    /// DoubleTick's id of the customer.
    pub customer_id: Personal,
    /// The customer's phone number as it was sent.
    pub customer_phone: Personal,
    /// The customer's name, where the event says it.
    pub customer_name: Personal,
    /// The clinic's WhatsApp number.
    pub waba_number: Personal,
    /// Who has the chat (assigned) or had it (unassigned), where the event says so.
    pub agent_name: Personal,
    /// That agent's phone number.
    pub agent_phone: Personal,
    /// When it happened, where the event says so.
    pub at: Option<UnixMs>,
    /// Where DoubleTick sent no event, and it was found by asking: between which times it happened.
    pub found: Option<Found>,
    /// What makes this body the same as another.
    pub identity: Identity,
}

/// What a resend is recognised by.
#[derive(Clone)]
pub struct Identity {
    /// The happening and every field of the body, in one order.
    pub canonical: Vec<u8>,
    /// Whether the body carries a time or an id that is the event's and not the chat's, so that an
    /// identical body can only be the same event.
    pub is_its_own: bool,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity(is_its_own: {})", self.is_its_own)
    }
}

/// A group is a chat of its own.
const CHAT_ID: &[&str] = &["chatId", "groupId"];
const CUSTOMER_ID: &[&str] = &["dtCustomerId", "customerId"];
const CUSTOMER_PHONE: &[&str] = &["customerPhone", "customerPhoneNumber", "customerNumber"];
const CUSTOMER_NAME: &[&str] = &["customerName", "contact.name"];
const WABA_NUMBER: &[&str] = &["wabaNumber", "assignedUserWabaNumber"];
/// In the conversation events the message's ends stand for the customer and the clinic.
const CONVERSATION_PHONE: &[&str] = &["customerPhone", "from"];
const CONVERSATION_WABA: &[&str] = &["wabaNumber", "to"];
/// The help article promises the previous agent but names no field; these are the names a sender
/// would plausibly choose.
const PREVIOUS_AGENT: &[&str] = &[
    "previousAgentName",
    "previouslyAssignedAgent",
    "previouslyAssignedAgent.name",
    "previouslyAssignedUserName",
    "previousAssignedUserName",
];
const PREVIOUS_AGENT_PHONE: &[&str] = &[
    "previousAgentPhone",
    "previouslyAssignedAgent.phone",
    "previouslyAssignedUserPhone",
    "previousAssignedUserPhone",
    "agentPhoneNumber",
];
const ASSIGNED_AGENT: &[&str] = &["assignedUserName"];
const ASSIGNED_AGENT_PHONE: &[&str] = &["assignedUserPhone"];
/// Not `createdAt`: it may be when the chat began, and then each of its drops would have one time.
const TIME: &[&str] = &["timestamp", "unassignedAt"];
/// Undocumented today; where one comes, it is surer than any window of time. Only names that cannot mean
/// the chat: a plain `id` may be the same at each of its drops.
const OWN_ID: &[&str] = &["eventId", "event_id", "deliveryId"];

impl ChatEvent {
    /// Reads the fields of an event; `None` where nothing identifies the chat.
    pub fn read(happening: Happening, fields: &Fields<'_>, now: UnixMs) -> Option<Self> {
        let (agent, agent_phone) = match happening {
            Happening::Assigned => (ASSIGNED_AGENT, ASSIGNED_AGENT_PHONE),
            _ => (PREVIOUS_AGENT, PREVIOUS_AGENT_PHONE),
        };
        let (phone, waba) = match happening {
            Happening::Opened | Happening::Closed => (CONVERSATION_PHONE, CONVERSATION_WABA),
            _ => (CUSTOMER_PHONE, WABA_NUMBER),
        };
        let at = TIME.iter().find_map(|name| parse(fields.text(&[*name]).reveal(), now));
        let mut canonical = fields.canonical();
        canonical.push(happening as u8);
        let event = Self {
            happening,
            chat_id: fields.text(CHAT_ID),
            customer_id: fields.text(CUSTOMER_ID),
            customer_phone: fields.text(phone),
            customer_name: fields.text(CUSTOMER_NAME),
            waba_number: fields.text(waba),
            agent_name: fields.text(agent),
            agent_phone: fields.text(agent_phone),
            at,
            found: None,
            // A time that cannot be read tells two events no better apart than none.
            identity: Identity { canonical, is_its_own: at.is_some() || fields.has(OWN_ID) },
        };
        let identified = [&event.chat_id, &event.customer_id, &event.customer_phone];
        identified.iter().any(|text| !text.is_blank()).then_some(event)
    }
}

/// Under which names an event's chat and customer are remembered.
#[derive(Clone)]
pub struct Keys {
    /// The chat, for the events that concern one.
    pub chat: Option<String>,
    /// The customer: by id and by phone number, whichever the event tells.
    pub customer: Vec<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys(chat: {}, customer: {})", self.chat.is_some(), self.customer.len())
    }
}

impl ChatEvent {
    /// The names to look this event's past up under.
    ///
    /// A chat is known by its id. An unassignment without one is told apart by customer and number;
    /// nothing but another of its kind can share that name.
    pub fn keys(&self) -> Keys {
        let (id, phone) = (self.customer_id.reveal(), self.customer_phone.digits());
        let by_customer = |who: &str| format!("line/{who}/{}", self.waba_number.line());
        let chat = match self.happening {
            Happening::Opened | Happening::Closed => None,
            _ if !self.chat_id.is_blank() => Some(format!("chat/{}", self.chat_id.reveal())),
            _ if !id.is_empty() => Some(by_customer(id)),
            _ if !phone.is_empty() => Some(by_customer(&phone)),
            _ => Some(by_customer(self.customer_phone.reveal())),
        };
        let mut customer = Vec::new();
        if !id.is_empty() {
            customer.push(format!("customer/{id}"));
        }
        if !phone.is_empty() {
            customer.push(format!("phone/{phone}"));
        }
        Keys { chat, customer }
    }
}
