//! DoubleTick's chats: the list of those without an agent, read to its end, and who has the chat of one customer.
//!
//! A list is believed only where all of it makes sense: each page has the documented shape, goes on where it has
//! not been before and tells something new, and there is an end. It is sorted by the last change, so that a chat
//! that changes while the list is read moves to its top, past what is read already: the first page is read again
//! at the end. Items hold patients' words; only what is asked for here is read of them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::chat::conversation::Conversation;
use crate::chat::listing::{Details, Listing, Mark, Shown};
use crate::chat::text::Personal;
use crate::directory::caller::{CallFault, Caller};

/// Deep pages are known to be slow.
const TIMEOUT: Duration = Duration::from_secs(30);
/// As many chats a page as DoubleTick gives.
const PAGE_CHATS: &str = "100";
/// Most pages of a list: beyond, it would take longer than it is worth.
const PAGES_MAX: usize = 300;

/// Why a list cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ListFault {
    #[error(transparent)]
    Call(#[from] CallFault),
    #[error("DoubleTick lists more than 30,000 chats without an agent: mark as done what is")]
    TooLong,
}

impl ListFault {
    /// Whether DoubleTick does not speak as it is documented: that does not pass in a moment.
    pub(crate) fn is_senseless(self) -> bool {
        matches!(self, Self::TooLong | Self::Call(CallFault::Senseless))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    chats: Vec<Item>,
    pagination_options: Pagination,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    has_more_chats: bool,
    next_chat_id: Option<String>,
    next_chat_timestamp: Option<Value>,
}

/// What is read of a chat. What is null is said to be so: a field that is not there says nothing. Of a patient's
/// chat then the whole list is not what it was; of any other, such as a group, nothing is asked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    chat_type: Option<String>,
    name: Option<String>,
    #[serde(default, deserialize_with = "told")]
    phone_number: Told,
    #[serde(default, deserialize_with = "told")]
    waba_number: Told,
    #[serde(default, deserialize_with = "told")]
    assigned_user_name: Told,
    #[serde(default, deserialize_with = "told")]
    assigned_user_number: Told,
    is_done: Option<bool>,
}

/// What a field says, be it null; `None` where it is not there.
type Told = Option<Option<String>>;

#[derive(Deserialize)]
struct Answered {
    customer: Customer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Customer {
    #[serde(deserialize_with = "said")]
    assigned_to_user: Option<String>,
    #[serde(deserialize_with = "said")]
    assigned_user_number: Option<String>,
}

/// A text or null, but not absent.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

fn told<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Told, D::Error> {
    said(deserializer).map(Some)
}

fn personal(text: Option<&String>) -> Personal {
    text.map(|text| Personal::new(text)).unwrap_or_default()
}

impl Item {
    /// Whose it is, and how it is; `None` where it cannot be told by numbers.
    fn read(&self) -> Result<Option<(Conversation, Shown)>, CallFault> {
        if self.chat_type.as_deref().is_some_and(|kind| kind != "INDIVIDUAL") {
            return Ok(None);
        }
        let field = |told: &Told| told.clone().ok_or(CallFault::Senseless);
        let (phone, waba) = (field(&self.phone_number)?, field(&self.waba_number)?);
        let agent = personal(field(&self.assigned_user_name)?.as_ref());
        let agent_phone = personal(field(&self.assigned_user_number)?.as_ref());
        let is_done = self.is_done.ok_or(CallFault::Senseless)?;
        let conversation =
            phone.zip(waba).and_then(|(phone, waba)| Conversation::of(&phone, &waba));
        let Some(conversation) = conversation else { return Ok(None) };
        let shown = match (agent.is_blank() && agent_phone.is_blank(), is_done) {
            (false, _) => Shown::Taken(agent, agent_phone),
            (true, true) => Shown::Done,
            (true, false) => Shown::Waiting(personal(self.name.as_ref())),
        };
        Ok(Some((conversation, shown)))
    }
}

impl Caller {
    /// The list of chats without an agent, begun at that moment, read to its end.
    pub(crate) async fn chats(&self, begun: Mark) -> Result<Listing, ListFault> {
        self.chats_within(begun, PAGES_MAX).await
    }

    /// The same, of so many pages at most.
    pub(super) async fn chats_within(
        &self,
        begun: Mark,
        pages_max: usize,
    ) -> Result<Listing, ListFault> {
        let mut listing = Listing::new(begun);
        let (mut known, mut cursors) = (BTreeSet::new(), BTreeSet::new());
        let mut cursor: Option<(String, String)> = None;
        for pages in 0..pages_max {
            let page = self.page(cursor.as_ref()).await?;
            let is_first = pages == 0;
            let mut is_new = false;
            for item in &page.chats {
                match item.read()? {
                    Some((conversation, shown)) => {
                        is_new |= known.insert(conversation.clone());
                        listing.add(conversation, shown);
                    }
                    None => is_new = true,
                }
            }
            let Pagination { has_more_chats, next_chat_id, next_chat_timestamp } =
                page.pagination_options;
            if !has_more_chats {
                if !is_first {
                    for item in &self.page(None).await?.chats {
                        if let Some((conversation, shown)) = item.read()? {
                            listing.add(conversation, shown);
                        }
                    }
                }
                return Ok(listing);
            }
            let next = next_chat_id.zip(next_chat_timestamp.and_then(in_words));
            let next = next.filter(|next| is_new && cursors.insert(next.clone()));
            cursor = Some(next.ok_or(CallFault::Senseless)?);
        }
        Err(ListFault::TooLong)
    }

    async fn page(&self, cursor: Option<&(String, String)>) -> Result<Page, CallFault> {
        let mut query =
            vec![("assignedUserPhone", "null"), ("status", "all"), ("limit", PAGE_CHATS)];
        if let Some((id, time)) = cursor {
            query.extend([("nextChatId", id.as_str()), ("nextChatTimestamp", time.as_str())]);
        }
        let body = self.get_in_turn(&["chats"], &query, TIMEOUT).await?;
        serde_json::from_slice(&body).map_err(|_| CallFault::Senseless)
    }

    /// Who has the chat of this customer.
    pub(crate) async fn details(&self, of: &Conversation) -> Result<Details, CallFault> {
        let query = [("phoneNumber", &*of.customer), ("wabaNumber", &*of.waba_line)];
        let body = match self.get_in_turn(&["customer", "details"], &query, TIMEOUT).await {
            Err(CallFault::Status(404)) => return Ok(Details::Unknown),
            answer => answer?,
        };
        let Answered { customer } =
            serde_json::from_slice(&body).map_err(|_| CallFault::Senseless)?;
        let agent = personal(customer.assigned_to_user.as_ref());
        let phone = personal(customer.assigned_user_number.as_ref());
        Ok(match agent.is_blank() && phone.is_blank() {
            true => Details::Nobody,
            false => Details::Taken(agent, phone),
        })
    }
}

/// As it goes back into an address.
fn in_words(time: Value) -> Option<String> {
    match time {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        _ => None,
    }
}
