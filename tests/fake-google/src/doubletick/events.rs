//! What an account's webhooks are sent: bodies as documented, once each, in order, whatever the answer.
//!
//! Conversations of groups and on Instagram tell only of their agents: what their opening and closing would
//! look like is not documented.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::doubletick::chats::{Chat, Party};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    Delivered,
    Held,
    Swallowed,
}

/// One event of one chat.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) channel: String,
    pub(super) body: Value,
}

fn with_plus(number: &str) -> String {
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { format!("+{number}") } else { number.to_owned() }
}

impl Event {
    fn new(name: &'static str, chat: &Chat, mut body: Value) -> Self {
        body["dtCustomerId"] = json!(chat.customer_id());
        if let Some(phone) = &chat.phone {
            body["customerPhone"] = json!(with_plus(phone));
        }
        Self { name, channel: chat.channel.clone(), body }
    }

    pub(super) fn assigned(chat: &Chat) -> Option<Self> {
        let agent = chat.agent.as_ref()?;
        let name = &agent.name;
        let body = json!({
            "chatId": chat.id,
            "assignedUserId": format!("user_{}", agent.phone),
            "assignedUserName": name,
            "assignedUserPhone": with_plus(&agent.phone),
            "assignedUserEmail": "agent@example.com",
            "assignedUserWabaNumber": with_plus(&chat.channel),
            "message": { "text": format!("{name} assigned conversation to self") },
        });
        Some(Self::new("CHAT_ASSIGNED_TO_AGENT", chat, body))
    }

    pub(super) fn unassigned(chat: &Chat) -> Self {
        let body = json!({ "chatId": chat.id, "wabaNumber": with_plus(&chat.channel) });
        Self::new("CHAT_UNASSIGNED", chat, body)
    }

    pub(super) fn dated(mut self, time_ms: i64) -> Self {
        self.body["timestamp"] = json!(time_ms);
        self
    }

    pub(super) fn opened(chat: &Chat) -> Option<Self> {
        Self::conversation("CONVERSATION_OPENED", "conversationOpened", chat)
    }

    pub(super) fn closed(chat: &Chat) -> Option<Self> {
        Self::conversation("CLOSE_CONVERSATION", "closeConversation", chat)
    }

    fn conversation(name: &'static str, flag: &str, chat: &Chat) -> Option<Self> {
        if chat.party != Party::Customer {
            return None;
        }
        let mut body = json!({
            "customerName": chat.name,
            "from": chat.phone.as_deref().map(with_plus),
            "to": with_plus(&chat.channel),
        });
        body[flag] = json!(true);
        Some(Self::new(name, chat, body))
    }
}

/// Sends one request on a connection of its own; `None` if no answer came.
pub(super) fn call(
    method: &str,
    url: &str,
    key: Option<&str>,
    body: &str,
) -> Option<(u16, String)> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let key = key.map(|key| format!("authorization: {key}\r\n")).unwrap_or_default();
    let length = body.len();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\n{key}content-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
