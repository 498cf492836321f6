//! An [`Entry`]: one row to be written, complete and final from the moment it is accepted.
//!
//! A row of the log, or of the handovers where it says how the wait ended.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chat::text::Personal;
use crate::chat::time::UnixMs;

/// An event's name for the outside: unique over all journals, in order within one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventId {
    /// The journal that gave it.
    pub tag: Arc<str>,
    /// The event's number in that journal.
    pub number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.tag, self.number)
    }
}

/// One unassignment, with all that was known of it when it was received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Of the event it stands for; entries are written in the order of its number.
    #[serde(skip)]
    pub event_id: EventId,
    /// When the chat lost its agent.
    #[serde(rename = "t")]
    pub unassigned_at: UnixMs,
    /// Who waits.
    #[serde(rename = "cn", default, skip_serializing_if = "Personal::is_blank")]
    pub customer_name: Personal,
    /// Where to reach them.
    #[serde(rename = "cp", default, skip_serializing_if = "Personal::is_blank")]
    pub customer_phone: Personal,
    /// Who had the chat.
    #[serde(rename = "an", default, skip_serializing_if = "Personal::is_blank")]
    pub previous_agent: Personal,
    /// That agent's phone number.
    #[serde(rename = "ap", default, skip_serializing_if = "Personal::is_blank")]
    pub agent_phone: Personal,
    /// The clinic's WhatsApp number.
    #[serde(rename = "wn", default, skip_serializing_if = "Personal::is_blank")]
    pub waba_number: Personal,
    /// DoubleTick's id of the chat.
    #[serde(rename = "ci", default, skip_serializing_if = "Personal::is_blank")]
    pub chat_id: Personal,
    /// How the wait ended: then this is a row of the handovers and not of the log.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<Handover>,
    /// Where no event told of it: between which times it was.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// That something was found by asking DoubleTick, and between which times it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// It had not happened yet.
    #[serde(rename = "a")]
    pub after: UnixMs,
    /// It had happened.
    #[serde(rename = "b")]
    pub before: UnixMs,
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// When.
    #[serde(rename = "t")]
    pub taken_at: UnixMs,
    /// Who took the chat; blank where nobody did or no name was told.
    #[serde(rename = "an", default, skip_serializing_if = "Personal::is_blank")]
    pub agent: Personal,
    /// The conversation was closed without anyone taking it.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_closed: bool,
    /// Where no event told of it: between which times it was.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

impl Entry {
    /// The same, with what was blank filled in from the other one.
    #[must_use]
    pub fn completed_by(&self, other: &Self) -> Self {
        Self {
            event_id: self.event_id.clone(),
            unassigned_at: self.unassigned_at,
            customer_name: self.customer_name.or(&other.customer_name),
            customer_phone: self.customer_phone.or(&other.customer_phone),
            previous_agent: self.previous_agent.or(&other.previous_agent),
            agent_phone: self.agent_phone.or(&other.agent_phone),
            waba_number: self.waba_number.or(&other.waba_number),
            chat_id: self.chat_id.or(&other.chat_id),
            handover: self.handover.clone(),
            found: self.found,
        }
    }

    /// The address that opens the chat; `None` unless both numbers are known.
    ///
    /// The form is used by public programs, not documented by DoubleTick.
    pub fn chat_url(&self) -> Option<String> {
        let (waba, customer) = (self.waba_number.digits(), self.customer_phone.digits());
        let both = !waba.is_empty() && !customer.is_empty();
        both.then(|| format!("https://web.doubletick.io/conversations/{waba}/{customer}"))
    }
}
