//! Keeping one event: what is known is loaded, judged and stored, all in the event's transaction.

use std::sync::Arc;

use crate::chat::entry::EventId;
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::memory::{Judgement, Known, judge};
use crate::chat::time::UnixMs;
use crate::journal::digest::Digest;
use crate::journal::page::Page;
use crate::journal::{Error, Limits, Standing};

/// Under what an event's past is found.
pub(super) struct Lookup {
    pub(super) body: Digest,
    pub(super) chat: Vec<Digest>,
    pub(super) customer: Vec<Digest>,
}

/// Keeps one event inside the transaction; `None` when the journal is full.
pub(super) fn accept(
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
