//! The account's chats: who looks after which, the list of them, and what is known of a customer.
//!
//! The list is as documented: newest first, no chat's id in it, and each page goes on below the time at which
//! the one before ended. So a chat that changes while it is read has moved to the top and is on no page.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::doubletick::bad_request;

const STATUSES: [&str; 7] =
    ["all", "unread", "unresolved", "done", "waiting_for_response", "open", "open_cart"];
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 100;
/// What a patient wrote last. It is in the list, and nobody who reads that may keep it.
const LAST_WORDS: &str = "words-of-a-patient";

/// Who looks after a chat.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub(super) name: String,
    /// In digits.
    pub(super) phone: String,
}

/// With whom a chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    Customer,
    Group,
    Instagram,
}

#[derive(Debug, Clone)]
pub(super) struct Chat {
    pub(super) id: String,
    pub(super) party: Party,
    pub(super) name: String,
    /// In digits; of customers on WhatsApp alone.
    pub(super) phone: Option<String>,
    /// The clinic's number in digits, or its handle on Instagram.
    pub(super) channel: String,
    pub(super) agent: Option<Agent>,
    pub(super) is_done: bool,
    pub(super) unread: usize,
    /// Unix milliseconds, no two the same.
    pub(super) updated_ms: i64,
    pub(super) last_message_ms: i64,
}

impl Chat {
    pub(super) fn customer_id(&self) -> String {
        format!("customer_{}", self.id)
    }

    fn listed(&self) -> Value {
        let chat_type = if self.party == Party::Group { "WA_GROUP" } else { "INDIVIDUAL" };
        let is_instagram = self.party == Party::Instagram;
        json!({
            "chatType": chat_type,
            "name": self.name,
            "phoneNumber": self.phone,
            "imageUrl": null,
            "unreadCount": self.unread,
            "isDone": self.is_done,
            "optIn": !is_instagram,
            "chatUpdatedTime": self.updated_ms,
            "lastMessageTime": self.last_message_ms,
            "wabaNumber": self.channel,
            "wabaPhoneName": null,
            "wabaDisplayName": "The clinic",
            "assignedUserName": self.agent.as_ref().map(|agent| &agent.name),
            "assignedUserNumber": self.agent.as_ref().map(|agent| &agent.phone),
            "tagNames": [],
            "customFields": [],
            "lastMessage": { "text": LAST_WORDS },
            "isSlaActive": false,
            "slaDueDate": null,
            "slaBreachLevel": null,
            "eligibleMessageTypes": ["ANY"],
            "isReminderTriggered": false,
            "providerType": is_instagram.then_some("INSTAGRAM"),
        })
    }
}

/// What is asked of the list.
#[derive(Debug)]
struct Wanted {
    limit: usize,
    status: String,
    /// `null`, or a number in digits.
    agent: Option<String>,
    channels: Option<Vec<String>>,
    /// The time and id of the last chat of the page before.
    below: Option<(i64, String)>,
}

impl Wanted {
    fn read(query: &[(String, String)]) -> Option<Self> {
        let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, it)| &**it);
        let limit = value("limit").map_or(Some(LIMIT_DEFAULT), |limit| limit.parse().ok())?;
        let status = value("status").unwrap_or("all").to_owned();
        let below = match (value("nextChatId"), value("nextChatTimestamp")) {
            (None, None) => None,
            (id, time) => Some((time?.parse().ok()?, id?.to_owned())),
        };
        let split = |list: &str| list.split(',').map(digits).collect();
        let wanted = Self {
            limit,
            agent: value("assignedUserPhone").map(digits),
            channels: value("wabaNumbers").map(split),
            below,
            status,
        };
        let is_right =
            (1..=LIMIT_MAX).contains(&limit) && STATUSES.contains(&wanted.status.as_str());
        is_right.then_some(wanted)
    }

    fn has(&self, chat: &Chat) -> bool {
        let is_of_agent = self.agent.as_deref().is_none_or(|wanted| match &chat.agent {
            None => wanted == "null",
            Some(agent) => agent.phone == wanted,
        });
        let is_of_status = match self.status.as_str() {
            "all" => true,
            "unread" => chat.unread > 0,
            "done" => chat.is_done,
            "waiting_for_response" => !chat.is_done && chat.unread > 0,
            "open_cart" => false,
            _ => !chat.is_done,
        };
        let channels = self.channels.as_ref();
        is_of_agent && is_of_status && channels.is_none_or(|list| list.contains(&chat.channel))
    }
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    chats: Vec<Chat>,
    changed_ms: i64,
    made_up: i64,
}

impl Inbox {
    pub(super) fn arrive(&mut self, mut chat: Chat) -> Chat {
        assert!(self.chats.iter().all(|known| known.id != chat.id), "a chat arrives once");
        chat.updated_ms = self.tick();
        chat.last_message_ms = chat.updated_ms;
        self.chats.push(chat.clone());
        chat
    }

    /// Changes a chat, which brings it to the top of the list. Gives it as it was and as it is.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut Chat)) -> (Chat, Chat) {
        let now = self.tick();
        let chat = self.chats.iter_mut().find(|chat| chat.id == id).expect("the chat has arrived");
        let before = chat.clone();
        change(chat);
        chat.updated_ms = now;
        if chat.unread > before.unread {
            chat.last_message_ms = now;
        }
        (before, chat.clone())
    }

    pub(super) fn waiting(&self) -> Vec<String> {
        let waits = |chat: &&Chat| chat.agent.is_none() && !chat.is_done;
        self.chats.iter().filter(waits).map(|chat| chat.id.clone()).collect()
    }

    /// The chat of the patient with this number that somebody looks after.
    pub(super) fn looked_after(&self, phone: &str) -> Option<String> {
        let is_it = |chat: &&Chat| chat.phone.as_deref() == Some(phone) && chat.agent.is_some();
        self.chats.iter().find(is_it).map(|chat| chat.id.clone())
    }

    fn tick(&mut self) -> i64 {
        self.changed_ms = Timestamp::now().as_millisecond().max(self.changed_ms + 1);
        self.changed_ms
    }

    pub(super) fn list(&self, query: &[(String, String)], heeds_filters: bool) -> (u16, Value) {
        let Some(wanted) = Wanted::read(query) else { return bad_request() };
        let is_below = |chat: &&Chat| {
            let place = (chat.updated_ms, chat.id.as_str());
            wanted.below.as_ref().is_none_or(|(time, id)| place < (*time, id.as_str()))
        };
        let is_shown = |chat: &&Chat| !heeds_filters || wanted.has(chat);
        let mut shown: Vec<&Chat> = self.chats.iter().filter(is_shown).filter(is_below).collect();
        shown.sort_by_key(|chat| std::cmp::Reverse((chat.updated_ms, chat.id.as_str())));
        let has_more = shown.len() > wanted.limit;
        shown.truncate(wanted.limit);
        let items: Vec<Value> = shown.iter().map(|chat| chat.listed()).collect();
        let last = shown.last().filter(|_| has_more);
        let next = last.map(|chat| (chat.id.clone(), chat.updated_ms));
        (200, page(&items, next))
    }

    /// A page of chats that there are not, and more to come.
    pub(super) fn endless_page(&mut self) -> (u16, Value) {
        let make = |n: i64| Chat {
            id: format!("made_up_{n}"),
            party: Party::Customer,
            name: "Nobody".to_owned(),
            phone: Some(format!("91{n:010}")),
            channel: "919000000000".to_owned(),
            agent: None,
            is_done: false,
            unread: 1,
            updated_ms: self.changed_ms - n,
            last_message_ms: self.changed_ms - n,
        };
        let items: Vec<Value> = (1..=10).map(|n| make(self.made_up + n).listed()).collect();
        self.made_up += 10;
        let next = (format!("made_up_{}", self.made_up), self.changed_ms - self.made_up);
        (200, page(&items, Some(next)))
    }

    pub(super) fn details(&self, query: &[(String, String)]) -> (u16, Value) {
        let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, it)| it);
        let (id, phone, channel) = (value("customerId"), value("phoneNumber"), value("wabaNumber"));
        if id.is_none() && phone.is_none() {
            return bad_request();
        }
        let is_it = |chat: &&Chat| {
            id.is_none_or(|id| chat.customer_id() == *id)
                && phone.is_none_or(|phone| chat.phone.as_ref() == Some(&digits(phone)))
                && channel.is_none_or(|channel| chat.channel == digits(channel))
        };
        // Somebody who writes to two of the clinic's numbers: the chat that changed last.
        let Some(chat) = self.chats.iter().filter(is_it).max_by_key(|chat| chat.updated_ms) else {
            return (404, json!({ "statusCode": 404, "message": "Customer not found" }));
        };
        let mut customer = json!({
            "id": chat.customer_id(), "name": chat.name, "customFields": [],
            "phone": chat.phone.as_ref().map(|phone| format!("+{phone}")),
            "assignedToUser": chat.agent.as_ref().map(|agent| &agent.name),
            "assignedUserNumber": chat.agent.as_ref().map(|agent| &agent.phone),
        });
        if channel.is_some() {
            customer["tags"] = json!([]);
        }
        (201, json!({ "customer": customer }))
    }
}

fn page(items: &[Value], next: Option<(String, i64)>) -> Value {
    let (id, time) = next.unzip();
    json!({
        "chats": items,
        "paginationOptions": {
            "hasMoreChats": id.is_some(), "nextChatId": id, "nextChatTimestamp": time,
        },
    })
}

/// As the list has numbers.
pub(super) fn digits(number: &str) -> String {
    number.trim().trim_start_matches('+').to_owned()
}
