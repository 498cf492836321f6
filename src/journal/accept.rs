//! The way in: keeping one event. What is known is loaded, judged and stored in its own transaction.

use std::sync::Arc;

use crate::chat::entry::EventId;
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::memory::{Judgement, Known, judge};
use crate::chat::time::UnixMs;
use crate::journal::digest::Digest;
use crate::journal::page::Page;
use crate::journal::receipt::{Receipt, Refusal, Standing};
use crate::journal::{Error, Journal, Limits};

impl Journal {
    /// Keeps an event, or recognises it as one that is kept already.
    ///
    /// When this returns `Ok` the event is on disk. Dropping the future does not take it back.
    ///
    /// # Errors
    /// A [`Refusal`]: nothing was kept and the sender should come again.
    pub async fn accept(&self, event: ChatEvent, now: UnixMs) -> Result<Receipt, Refusal> {
        let inner = &self.0;
        let (tag, limits) = (Arc::clone(&inner.tag), inner.limits);
        let body = self.digest(&[b"body", &event.identity.canonical]);
        let names = event.keys();
        let chat: Vec<Digest> = names.chat.iter().map(|name| self.digest_of(name)).collect();
        let customer: Vec<Digest> =
            names.customer.iter().map(|name| self.digest_of(name)).collect();
        let work = move |page: &mut Page<'_>| {
            let lookup = Lookup { body, chat, customer };
            accept(page, &event, &lookup, &tag, now, limits)
        };
        let kept = inner.writer.commit(work).await.map_err(Refusal::Failed)?;
        let (number, standing) = kept.ok_or(Refusal::Full)?;
        Ok(Receipt { event_id: self.event_id(number), standing })
    }

    /// Keeps a body that nothing recognised, for a later version. Bounded: the oldest go first.
    ///
    /// # Errors
    /// As [`Journal::accept`].
    pub async fn keep_unrecognised(
        &self,
        body: Vec<u8>,
        announced: Option<String>,
        now: UnixMs,
    ) -> Result<(), Refusal> {
        let work =
            move |page: &mut Page<'_>| page.keep_unrecognised(&body, announced.as_deref(), now);
        self.0.writer.commit(work).await.map_err(Refusal::Failed)
    }
}

/// Under what an event's past is found.
struct Lookup {
    body: Digest,
    chat: Vec<Digest>,
    customer: Vec<Digest>,
}

/// Keeps one event inside the transaction; `None` when the journal is full.
fn accept(
    page: &mut Page<'_>,
    event: &ChatEvent,
    lookup: &Lookup,
    tag: &Arc<str>,
    now: UnixMs,
    limits: Limits,
) -> Result<Option<(u64, Standing)>, Error> {
    let known = Known {
        chat: page.recall(&lookup.chat)?,
        customer: page.recall(&lookup.customer)?,
        same_body: match event.identity.is_its_own {
            true => page.recall(&[lookup.body])?,
            false => None,
        },
    };
    let id = EventId { tag: Arc::clone(tag), number: page.tally.next_number };
    let news = match judge(event, &lookup.body.to_string(), &known, &id, now, limits.rules) {
        Judgement::Resend(number) => {
            page.tally.duplicate += 1;
            return Ok(Some((number, Standing::Duplicate)));
        }
        Judgement::News(news) => news,
    };
    if let Some(entry) = &news.entry {
        if page.tally.pending() >= limits.pending_rows_max {
            return Ok(None);
        }
        page.add_entry(entry, now)?;
    } else {
        page.tally.remembered += 1;
    }
    if let Some(chat) = &news.chat {
        page.remember(&lookup.chat, chat, now)?;
    }
    if let Some(customer) = &news.customer {
        page.remember(&lookup.customer, customer, now)?;
    }
    if let Some(told) = &news.same_body {
        page.remember(&[lookup.body], told, now)?;
    }
    page.tally.next_number += 1;
    debug_assert!(news.entry.is_some() == (event.happening == Happening::Unassigned));
    Ok(Some((id.number, Standing::Accepted)))
}
