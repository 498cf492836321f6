//! An [`Entry`]: one row to be written, complete and final from the moment it is accepted.

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Entry {
    /// The address that opens the chat; `None` unless both numbers are known.
    ///
    /// The form is used by public programs, not documented by DoubleTick.
    pub fn chat_url(&self) -> Option<String> {
        let (waba, customer) = (self.waba_number.digits(), self.customer_phone.digits());
        let both = !waba.is_empty() && !customer.is_empty();
        both.then(|| format!("https://web.doubletick.io/conversations/{waba}/{customer}"))
    }
}
