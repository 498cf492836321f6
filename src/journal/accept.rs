//! The way in: keeping one event. What is known is loaded, judged and stored in its own transaction.

use std::sync::Arc;

use crate::chat::entry::EventId;
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::memory::{Judgement, Known, News, judge};
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
        self.accept_instead(event, None, now).await
    }

    /// Keeps an event, and in the same commit lets go of the unrecognised body that it was.
    pub(super) async fn accept_instead(
        &self,
        event: ChatEvent,
        kept: Option<i64>,
        now: UnixMs,
    ) -> Result<Receipt, Refusal> {
        let inner = &self.0;
        let names = Arc::clone(&inner.names);
        let (tag, limits) = (Arc::clone(&inner.tag), inner.limits);
        let body = self.digest(&[b"body", &event.identity.canonical]);
        let keys = event.keys();
        let chat: Vec<Digest> = keys.chat.iter().map(|name| self.digest_of(name)).collect();
        let customer: Vec<Digest> = keys.customer.iter().map(|name| self.digest_of(name)).collect();
        let work = move |page: &mut Page<'_>| {
            let lookup = Lookup { body, chat, customer };
            let (kept_as, is_unnamed) = accept(page, &event, &lookup, &tag, now, limits)?;
            if let (Some((number, _)), true) = (kept_as, is_unnamed) {
                names.ask(number, &event, &lookup.customer, now);
            }
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

/// Under what an event's past is found.
struct Lookup {
    body: Digest,
    chat: Vec<Digest>,
    customer: Vec<Digest>,
}

impl Lookup {
    /// As what it was heard of: the chat, or where none is named the customer.
    fn heard_as(&self) -> Option<&Digest> {
        self.chat.first().or(self.customer.first())
    }
}

/// Keeps one event inside the transaction; `None` when the journal or the disk is full. Also says whether the row
/// lacks a name that could be looked up.
fn accept(
    page: &mut Page<'_>,
    event: &ChatEvent,
    lookup: &Lookup,
    tag: &Arc<str>,
    now: UnixMs,
    limits: Limits,
) -> Result<(Option<(u64, Standing)>, bool), Error> {
    let known = Known {
        chat: page.recall(&lookup.chat)?,
        customer: page.recall(&lookup.customer)?,
        last: match lookup.heard_as() {
            Some(chat) => page.last_of(chat)?,
            None => None,
        },
        same_body: match event.identity.is_its_own {
            true => page.recall(&[lookup.body])?,
            false => None,
        },
        waits: match event.happening {
            Happening::Unassigned | Happening::Assigned => page.wait_of(&lookup.chat)?,
            Happening::Closed => page.waits_of(&lookup.customer)?,
            Happening::Opened => Vec::new(),
        },
    };
    let id = EventId { tag: Arc::clone(tag), number: page.tally().next_number };
    let news = match judge(event, &lookup.body.to_string(), &known, &id, now, limits.rules) {
        Judgement::Resend(number) => {
            page.tally().duplicate += 1;
            return Ok((Some((number, Standing::Duplicate)), false));
        }
        Judgement::News(news) => news,
    };
    if !page.has_room {
        return Ok((None, false));
    }
    let mut is_unnamed = false;
    if let Some(entry) = &news.entry {
        if page.tally().pending() >= limits.pending_rows_max {
            return Ok((None, false));
        }
        page.add_entry(entry, now)?;
        is_unnamed = entry.customer_name.is_blank() && !event.customer_id.is_blank();
    } else {
        page.tally().remembered += 1;
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
    if let Some(chat) = lookup.heard_as() {
        let window_ms = limits.rules.resend_window_ms;
        page.note_last(id.number, chat, &lookup.body, now, window_ms)?;
    }
    note_waits(page, &news, &known, lookup, id.number, now)?;
    if event.happening == Happening::Assigned {
        page.tally().assigned_at = now.0.max(1);
    }
    // Every handover but the first has a number of its own.
    page.tally().next_number += (news.ended.len() as u64).max(1);
    Ok((Some((id.number, Standing::Accepted)), is_unnamed))
}

/// Stores who waits now and who does not any more, the handovers among the rows.
fn note_waits(
    page: &mut Page<'_>,
    news: &News,
    known: &Known,
    lookup: &Lookup,
    number: u64,
    now: UnixMs,
) -> Result<(), Error> {
    if let (Some(wait), Some(chat)) = (&news.wait, lookup.chat.first()) {
        let keys = (chat, lookup.customer.as_slice());
        page.put_wait(number, known.waits.first(), keys, wait, now)?;
    }
    for (began, handover) in &news.ended {
        let book = page.end_wait(*began, now)?;
        page.add_handover(book, handover, now)?;
    }
    Ok(())
}
