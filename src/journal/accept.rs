//! The way in: keeping one event. What is known is loaded, judged and stored in its own transaction.

use std::sync::Arc;

use crate::chat::digest::Digest;
use crate::chat::entry::EventId;
use crate::chat::event::{ChatEvent, Happening, Keys};
use crate::chat::memory::{Judgement, Known, News, judge};
use crate::chat::time::UnixMs;
use crate::chat::waiting::Wait;
use crate::journal::names::Unnamed;
use crate::journal::page::Page;
use crate::journal::receipt::{Receipt, Refusal, Standing};
use crate::journal::waiting::Place;
use crate::journal::{Error, Journal, Limits};

impl Journal {
    /// Keeps an event, or recognises it as one that is kept already.
    ///
    /// When this returns `Ok` the event is on disk. Dropping the future does not take it back.
    ///
    /// # Errors
    /// A [`Refusal`]: nothing was kept and the sender should come again.
    pub async fn accept(&self, event: ChatEvent, now: UnixMs) -> Result<Receipt, Refusal> {
        self.accept_instead(event, None, now).await
    }

    /// Keeps an event, and in the same commit lets go of the unrecognised body that it was.
    pub(super) async fn accept_instead(
        &self,
        mut event: ChatEvent,
        kept: Option<i64>,
        now: UnixMs,
    ) -> Result<Receipt, Refusal> {
        let inner = &self.0;
        let (tag, limits) = (Arc::clone(&inner.tag), inner.limits);
        let body = self.digest(&[b"body", &std::mem::take(&mut event.identity.canonical)]);
        let lookup = Lookup::new(body, &event.keys(), |name| self.digest_of(name));
        let work = move |page: &mut Page<'_>| {
            let kept_as = accept(page, &event, &lookup, &tag, now, limits)?;
            if let (Some(id), Some(_)) = (kept, kept_as) {
                page.drop_unrecognised(id)?;
            }
            Ok(kept_as)
        };
        let kept = inner.writer.commit(work).await.map_err(Refusal::Failed)?;
        let (number, standing) = kept.ok_or(Refusal::Full)?;
        Ok(Receipt { event_id: self.event_id(number), standing })
    }
}

/// Names that an event is found by: its chat's and two of its customer's.
const NAMES_MAX: usize = 3;

/// Under what an event's past is found. In one piece: it is made by one thread and dropped by another.
struct Lookup {
    body: Digest,
    names: [Digest; NAMES_MAX],
    chats: usize,
    names_used: usize,
}

impl Lookup {
    fn new(body: Digest, keys: &Keys, digest_of: impl Fn(&str) -> Digest) -> Self {
        let chats = usize::from(keys.chat.is_some());
        debug_assert!(chats + keys.customer.len() <= NAMES_MAX, "a name would be left out");
        let mut lookup = Self { body, names: [body; NAMES_MAX], chats, names_used: 0 };
        for (digest, name) in lookup.names.iter_mut().zip(keys.chat.iter().chain(&keys.customer)) {
            *digest = digest_of(name);
            lookup.names_used += 1;
        }
        lookup
    }

    fn chat(&self) -> &[Digest] {
        &self.names[..self.chats]
    }

    fn customer(&self) -> &[Digest] {
        &self.names[self.chats..self.names_used]
    }

    /// As what it was heard of: the chat, or where none is named the customer.
    fn heard_as(&self) -> Option<&Digest> {
        self.names[..self.names_used].first()
    }
}

/// Keeps one event inside the transaction; `None` when the journal or the disk is full.
fn accept(
    page: &mut Page<'_>,
    event: &ChatEvent,
    lookup: &Lookup,
    tag: &Arc<str>,
    now: UnixMs,
    limits: Limits,
) -> Result<Option<(u64, Standing)>, Error> {
    let (chat, chat_home) = page.recall(lookup.chat())?;
    let (customer, customer_home) = page.recall(lookup.customer())?;
    let (same_body, body_home) = match event.identity.is_its_own {
        true => page.recall(&[lookup.body])?,
        false => Default::default(),
    };
    let (places, waits) = match event.happening {
        Happening::Unassigned | Happening::Assigned => page.waits_of_chat(lookup.chat())?,
        Happening::Closed => page.waits_of_customer(lookup.customer())?,
        Happening::Opened => Default::default(),
    };
    let known = Known {
        chat,
        customer,
        last: match lookup.heard_as() {
            Some(chat) => page.last_of(chat)?,
            None => None,
        },
        same_body,
        waits,
    };
    let id = EventId { tag: Arc::clone(tag), number: page.tally().next_number };
    let news = match judge(event, lookup.body, &known, &id, now, limits.rules) {
        Judgement::Resend(number) => {
            page.tally().duplicate += 1;
            return Ok(Some((number, Standing::Duplicate)));
        }
        Judgement::News(news) => news,
    };
    if !page.has_room {
        return Ok(None);
    }
    if let Some(entry) = &news.entry {
        if page.tally().pending() >= limits.pending_rows_max {
            return Ok(None);
        }
        let book = page.add_entry(entry, now)?;
        let is_unnamed = entry.customer_name.is_blank() && !event.customer_id.is_blank();
        if is_unnamed && page.names.are_looked_up() {
            let began = known.waits.first().filter(|(_, wait)| !wait.is_over);
            let numbers = (id.number, began.map_or(id.number, |(began, _)| *began));
            let unnamed = Unnamed::new(book, numbers, &event.customer_id, lookup.customer(), now);
            page.unnamed.push(unnamed);
        }
    } else {
        page.tally().remembered += 1;
    }
    if let Some(chat) = &news.chat {
        page.remember(lookup.chat(), chat_home, chat, now)?;
    }
    if let Some(customer) = &news.customer {
        page.remember(lookup.customer(), customer_home, customer, now)?;
    }
    if let Some(told) = &news.same_body {
        page.remember(&[lookup.body], body_home, told, now)?;
    }
    if let (Some(chat), Some(_)) = (lookup.heard_as(), news.last) {
        let window_ms = limits.rules.resend_window_ms;
        page.note_last(id.number, chat, &lookup.body, now, window_ms)?;
    }
    note_waits(page, &news, (&places, &known.waits), lookup, id.number, now)?;
    if event.happening == Happening::Assigned {
        page.tally().assigned_at = now.0.max(1);
    }
    // Every handover but the first has a number of its own.
    page.tally().next_number += (news.ended.len() as u64).max(1);
    Ok(Some((id.number, Standing::Accepted)))
}

/// Stores who waits now and who does not any more, the handovers among the rows.
fn note_waits(
    page: &mut Page<'_>,
    news: &News,
    (places, waits): (&[Place], &[(u64, Wait)]),
    lookup: &Lookup,
    number: u64,
    now: UnixMs,
) -> Result<(), Error> {
    if let (Some(wait), Some(chat)) = (&news.wait, lookup.chat().first()) {
        let before = places.first().zip(waits.first()).map(|(place, (_, wait))| (place, wait));
        page.put_wait(number, before, (chat, lookup.customer()), wait, now)?;
    }
    for (began, handover) in &news.ended {
        let known = places.iter().zip(waits).find(|(_, (number, _))| number == began);
        if let Some((place, (_, wait))) = known {
            page.end_wait(place, wait, now)?;
            page.add_handover(place.book, handover, now)?;
        }
    }
    Ok(())
}
