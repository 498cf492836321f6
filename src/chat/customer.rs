//! What we know of a customer: the name, and of each of the clinic's numbers when their conversation there was
//! last heard of, and which chat it is.
//!
//! Which chat is on a line is known from the events that name one. DoubleTick's list of chats names none, so
//! that it is found there by the customer's phone and the clinic's number.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::chat::digest::Digest;
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::text::Personal;
use crate::chat::time::{CLOCK_SLACK_MS, UnixMs};

/// Clinics have a handful of WhatsApp numbers; a customer who used more loses the oldest.
const CHANNELS_MAX: usize = 8;

/// What we know of one customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomerMemory {
    /// What they are called.
    #[serde(rename = "n")]
    pub(super) name: Personal,
    /// Where to reach them.
    #[serde(rename = "p")]
    pub(super) phone: Personal,
    #[serde(rename = "l")]
    channels: Vec<Channel>,
}

/// The customer's conversation on one of the clinic's numbers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Channel {
    #[serde(rename = "w")]
    waba_line: SmolStr,
    /// When it was last opened or closed; 0 for never.
    #[serde(rename = "h")]
    heard: u64,
    #[serde(rename = "t")]
    heard_at: UnixMs,
    #[serde(rename = "c")]
    closed: u64,
    /// The chat that was last heard of there.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    chat: Option<Digest>,
}

impl Channel {
    /// Whether it may be that number's: where either is unknown it may.
    fn may_be(&self, line: &str) -> bool {
        line.is_empty() || self.waba_line.is_empty() || self.waba_line == line
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel(heard: {}, closed: {})", self.heard, self.closed)
    }
}

impl CustomerMemory {
    /// The same after a conversation was opened or closed.
    pub(super) fn heard_of(&self, event: &ChatEvent, number: u64, now: UnixMs) -> Self {
        let waba_line = event.waba_number.line();
        let before = self.channels.iter().find(|channel| channel.waba_line == waba_line);
        let closed = match event.happening {
            Happening::Closed => number,
            _ => before.map_or(0, |channel| channel.closed),
        };
        let chat = before.and_then(|channel| channel.chat);
        let others = self.channels.iter().filter(|channel| channel.waba_line != waba_line);
        let mut channels: Vec<Channel> = others.cloned().collect();
        channels.push(Channel { waba_line, heard: number, heard_at: now, closed, chat });
        channels.drain(..channels.len().saturating_sub(CHANNELS_MAX));
        Self {
            name: event.customer_name.or(&self.name),
            phone: event.customer_phone.or(&self.phone),
            channels,
        }
    }

    /// The same where that chat is the one on that line; `None` where that is known already.
    pub(super) fn with_chat(
        &self,
        chat: Digest,
        waba_line: &str,
        customer_phone: &Personal,
    ) -> Option<Self> {
        let mut channels = self.channels.clone();
        match channels.iter().position(|channel| channel.waba_line == waba_line) {
            Some(at) if channels[at].chat == Some(chat) => return None,
            Some(at) => channels[at].chat = Some(chat),
            // What was opened or closed tells more, so that it is not given up for this.
            None if channels.len() >= CHANNELS_MAX => return None,
            None => channels.insert(
                0,
                Channel {
                    waba_line: waba_line.into(),
                    heard: 0,
                    heard_at: UnixMs(0),
                    closed: 0,
                    chat: Some(chat),
                },
            ),
        }
        let phone = self.phone.or(customer_phone);
        Some(Self { name: self.name.clone(), phone, channels })
    }

    /// Whether something received after `now` is known already.
    pub(super) fn is_newer_than(&self, now: UnixMs) -> bool {
        self.channels.iter().any(|channel| channel.heard_at.since_ms(now) > CLOCK_SLACK_MS)
    }

    /// Whether the last that was heard on that number is that the conversation closed, after `now`.
    pub(super) fn is_closed_after(&self, now: UnixMs, waba_number: &Personal) -> bool {
        let line = waba_number.line();
        let is_late = |channel: &&Channel| {
            channel.closed == channel.heard && channel.heard_at.since_ms(now) > CLOCK_SLACK_MS
        };
        self.channels
            .iter()
            .filter(|channel| channel.may_be(&line))
            .any(|channel| is_late(&channel))
    }

    /// The same customer, by this name unless an event told another.
    #[must_use]
    pub fn named(self, name: &Personal) -> Self {
        Self { name: self.name.or(name), ..self }
    }

    /// When the conversation on that number was last opened or closed; 0 for never.
    pub(super) fn heard(&self, waba_line: &str) -> u64 {
        self.latest(waba_line, |channel| channel.heard)
    }

    /// When it was last closed.
    pub(super) fn closed(&self, waba_line: &str) -> u64 {
        self.latest(waba_line, |channel| channel.closed)
    }

    /// The latest of something on that number; 0 for never. Where either number is unknown it may be
    /// the same one, and counts.
    fn latest(&self, waba_line: &str, of: fn(&Channel) -> u64) -> u64 {
        self.channels.iter().filter(|channel| channel.may_be(waba_line)).map(of).max().unwrap_or(0)
    }

    /// Whether anything may have been heard of the customer on that line.
    pub(super) fn may_be_on(&self, waba_line: &str) -> bool {
        self.channels.iter().any(|channel| channel.may_be(waba_line))
    }

    /// The chat on that line, where it is known for sure.
    pub fn chat_on(&self, waba_line: &str) -> Option<Digest> {
        self.channels.iter().find(|channel| channel.waba_line == waba_line)?.chat
    }
}
