//! Which event a body is: by the name it gives itself, else by its shape.
//!
//! DoubleTick's conversation events carry no name (its own guide says every payload does; none of
//! its samples has one), so the shape decides. One table, read from the top; the first row that
//! fits wins. An event that no row fits is kept for a later version to recognise: so is a nameless one
//! without a chat's id, which every unassignment has, because it could be any event of a customer.
//! What WhatsApp itself sent, passed on as it was, holds the patient's words and is never kept.

use serde_json::Value;

use crate::chat::event::{ChatEvent, Happening};
use crate::chat::fields::Fields;
use crate::chat::time::UnixMs;

/// What a body turned out to be.
#[derive(Debug)]
pub enum Recognised {
    /// One of the four that we act on.
    Event(Box<ChatEvent>),
    /// A documented event that says nothing about who waits; the word is its family.
    Ignored(&'static str),
    /// Readable, but nothing we know.
    Unrecognised,
}

#[derive(Clone, Copy)]
enum Meaning {
    Acts(Happening),
    Ignored(&'static str),
}

use Meaning::{Acts, Ignored};

/// What WhatsApp itself sent, passed on as it was.
const RAW: &str = "raw";

/// Names under which a body or the address (`?event=`) may announce an event, normalised to
/// capitals and underscores. A name ending in `*` stands for all that begin so.
const NAMES: &[(&str, Meaning)] = &[
    ("CHAT_UNASSIGNED", Acts(Happening::Unassigned)),
    ("CHAT_ASSIGNED_TO_AGENT", Acts(Happening::Assigned)),
    ("CONVERSATION_OPENED", Acts(Happening::Opened)),
    // DoubleTick's own guide spells it so.
    ("COVERSATION_OPENED", Acts(Happening::Opened)),
    ("CLOSE_CONVERSATION", Acts(Happening::Closed)),
    ("ASSIGNED_AGENT_STATUS_CHANGED", Ignored("agent_status")),
    ("MESSAGE_*", Ignored("message")),
    ("CALL_*", Ignored("call")),
    ("GROUP_*", Ignored("group")),
    ("NOTE_*", Ignored("note")),
    ("ON_SLA_*", Ignored("sla")),
    ("ADD_TAG*", Ignored("tag")),
    ("REMOVE_TAG*", Ignored("tag")),
    ("TAG_*", Ignored("tag")),
    ("TEMPLATE_*", Ignored("template")),
    ("CUSTOMER_NOTE_*", Ignored("note")),
    ("UPDATE_CUSTOMER_*", Ignored("customer")),
    ("NEW_LEAD*", Ignored("lead")),
    ("WIDGET_LEAD_*", Ignored("lead")),
    ("VERIFIED_WIDGET_LEAD_*", Ignored("lead")),
    ("WA_GROUP_*", Ignored("group")),
    ("CONVERSATION_COST_*", Ignored("cost")),
    // These can be registered for, and nowhere is it written what they hold.
    ("RAW_CLOUD_API_*", Ignored(RAW)),
    ("CUSTOMER_BUSINESS_CHAT_OPEN", Ignored("chat_open")),
    ("POST_CALL_DISPOSITION", Ignored("call")),
    ("STANDBY_MESSAGE_*", Ignored("message")),
    ("MESSAGING_HANDOVER", Ignored("bot_handover")),
];

/// Keys that give a shape away, most telling first. A key counts only with a value.
const SHAPES: &[(&[&str], Meaning)] = &[
    (&["conversationOpened"], Acts(Happening::Opened)),
    (&["closeConversation"], Acts(Happening::Closed)),
    (&["callId", "chatMessageId"], Ignored("call")),
    (&["noteId"], Ignored("note")),
    (&["tagAdded", "tagRemoved", "tagId"], Ignored("tag")),
    (&["newLead"], Ignored("lead")),
    (&["assignedUserId", "assignedUserName", "assignedUserPhone"], Acts(Happening::Assigned)),
    // Only the families above are documented with a chat id; an unknown key beside it must not
    // hide a patient who waits.
    (&["chatId"], Acts(Happening::Unassigned)),
    // From here on nothing names the chat, so whatever else is told decides against us.
    (&["previousStatus", "customerPhones"], Ignored("agent_status")),
    (&["groupId"], Ignored("group")),
    (&["templateName", "templateId"], Ignored("template")),
    (&["messageId", "dtMessageId", "receivedAt", "message", "text"], Ignored("message")),
    (&["from", "to", "status"], Ignored("message")),
    (
        &["customFields", "customFieldId", "customFieldEventType", "verified", "note"],
        Ignored("customer"),
    ),
    (&["conversationId", "conversationType", "cost"], Ignored("cost")),
];

/// Recognises one body. `announced` is what the address says (`?event=`); it wins if we know it.
pub fn recognise(body: &Value, announced: Option<&str>, now: UnixMs) -> Recognised {
    let Some(fields) = Fields::of(body) else { return Recognised::Unrecognised };
    // Whatever name it goes under, so that it is not kept as an event that this version does not know.
    if fields.has(&["object"]) && fields.has(&["entry"]) && !fields.has(&["chatId"]) {
        return Recognised::Ignored(RAW);
    }
    let told = fields.text(&["event", "eventType", "webhookEvent"]);
    let meaning = match announced.and_then(by_name) {
        Some(meaning) => Some(meaning),
        // A name of its own that we do not know must not be taken for one that we do.
        None if !told.is_blank() => by_name(told.reveal()),
        None => SHAPES.iter().find(|(keys, _)| fields.has(keys)).map(|(_, meaning)| *meaning),
    };
    match meaning {
        Some(Ignored(family)) => Recognised::Ignored(family),
        Some(Acts(happening)) => ChatEvent::read(happening, &fields, now)
            .map_or(Recognised::Unrecognised, |event| Recognised::Event(Box::new(event))),
        None => Recognised::Unrecognised,
    }
}

fn by_name(name: &str) -> Option<Meaning> {
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    let fits = |known: &str| match known.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == known,
    };
    NAMES.iter().find(|(known, _)| fits(known)).map(|(_, meaning)| *meaning)
}
