//! What was found by asking DoubleTick: drops, takings and closings of which no event told.
//!
//! Only the owner of the lease asks. Each is judged inside a transaction, by what is known there, so that an
//! event that came meanwhile wins; and then kept as if its event had come.

use std::collections::BTreeMap;

use crate::chat::conversation::Conversation;
use crate::chat::customer::CustomerMemory;
use crate::chat::digest::Digest;
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::listing::{Absence, End, Mark, Sighting, Verdict, ended, missed};
use crate::chat::memory::{Judgement, Known, judge};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::chat::waiting::Wait;
use crate::journal::accept::waits::FoundWait;
use crate::journal::accept::{EventKeys, Past, keep};
use crate::journal::counters::BookId;
use crate::journal::store::{Keys, Stored};
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal, Limits};

/// Conversations that are judged in one transaction, so that acknowledgements pass between.
const STEP: usize = 200;
/// Waits that are read in one go.
const WAITS_STEP: usize = 1_000;

/// One who waits, as far as a list can tell of them.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Under which it began.
    pub number: u64,
    /// Where it would stand in a list.
    pub conversation: Conversation,
}

/// What came of two lists.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Rows of drops of which no event told.
    pub found: u64,
    unheard: BTreeMap<i64, u64>,
}

impl Compared {
    /// Chats without an agent of which nothing was ever heard.
    pub fn unheard(&self) -> u64 {
        self.unheard.values().sum()
    }
}

impl Journal {
    /// The moment at which a list is begun: what has a number already was received before it.
    ///
    /// # Errors
    /// When the database does not answer, or this process is not the one to ask.
    pub async fn mark(&self, now: UnixMs) -> Result<Mark, Error> {
        self.commit_as_owner(move |transaction| {
            Ok(Mark { number: transaction.tally().next_number, at: transaction.now(now) })
        })
        .await
    }

    /// Judges conversations that two lists in a row show waiting, and keeps the rows of those of whose drop no
    /// event told.
    ///
    /// # Errors
    /// As [`Journal::mark`]; what was kept before stays, and is not found again.
    pub async fn find_missed(&self, seen: Vec<Sighting>, now: UnixMs) -> Result<Compared, Error> {
        let limits = self.limits();
        let mut compared = Compared::default();
        for step in seen.chunks(STEP) {
            let key = |seen: &Sighting| self.phone_key(&seen.conversation.customer);
            let step: Vec<(Digest, Sighting)> =
                step.iter().map(|seen| (key(seen), seen.clone())).collect();
            let judged = self
                .commit_as_owner(move |transaction| {
                    let now = transaction.now(now);
                    judge_all(transaction, &step, now, limits)
                })
                .await?;
            compared.found += judged.found;
            for (book, unheard) in judged.unheard {
                *compared.unheard.entry(book).or_default() += unheard;
            }
        }
        Ok(compared)
    }

    /// Who waits, of those that were dropped before that moment and can be looked for in a list.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn waiting_before(&self, mark: Mark) -> Result<Vec<Waiting>, Error> {
        self.read(move |store| {
            let (mut all, mut after) = (Vec::new(), 0);
            loop {
                let waits = store.waits(after, WAITS_STEP)?;
                let Some(last) = waits.last() else { return Ok(all) };
                after = last.number;
                for stored in waits.iter().filter(|wait| !wait.is_over) {
                    // One that cannot be read is let go where it is judged.
                    let Ok(wait) = serde_json::from_slice::<Wait>(&stored.record) else { continue };
                    if wait.last < mark.number
                        && let Some(conversation) = Conversation::of_wait(&wait)
                    {
                        all.push(Waiting { number: stored.number, conversation });
                    }
                }
            }
        })
        .await
    }

    /// Ends a wait of whose end no event told, with its handover; false where something was heard of the
    /// conversation since the lists, or as many rows are pending as may be.
    ///
    /// # Errors
    /// As [`Journal::mark`].
    pub async fn end_missed(
        &self,
        number: u64,
        absence: Absence,
        end: End,
        now: UnixMs,
    ) -> Result<bool, Error> {
        let limits = self.limits();
        self.commit_as_owner(move |transaction| {
            let now = transaction.now(now);
            end_one(transaction, number, &absence, &end, (now, limits))
        })
        .await
    }

    /// Notes that a list was read to its end, and how many chats there are in it of which nothing was ever heard;
    /// `None` where it was the first, so that nothing can be said of that.
    ///
    /// # Errors
    /// As [`Journal::mark`].
    pub async fn note_asked(&self, compared: Option<Compared>, now: UnixMs) -> Result<(), Error> {
        self.commit_as_owner(move |transaction| {
            transaction.tally().asked_at = transaction.now(now).0.max(1);
            let Some(compared) = &compared else { return Ok(()) };
            let books: Vec<BookId> =
                transaction.shared.routing.books().into_iter().map(|(_, book)| book).collect();
            for book in books {
                let unheard = compared.unheard.get(&book.0).copied().unwrap_or_default();
                let work = transaction.counters.work_mut(book);
                if work.unheard != unheard {
                    work.unheard = unheard;
                    work.board_changes += 1;
                }
            }
            Ok(())
        })
        .await
    }
}

/// Loads all that is known of these customers, in few goes, and judges each.
fn judge_all(
    transaction: &mut Transaction<'_>,
    step: &[(Digest, Sighting)],
    now: UnixMs,
    limits: Limits,
) -> Result<Compared, Error> {
    let mut compared = Compared::default();
    let phones: Vec<Digest> = step.iter().map(|(phone, _)| *phone).collect();
    transaction.load(&Keys {
        records: phones.clone(),
        customers: phones.clone(),
        ..Keys::default()
    })?;
    let mut homes = Vec::new();
    for phone in phones {
        if let Some(known) = transaction.remembered(&phone)?
            && let Stored::SameAs(home) = known.what
        {
            homes.push(home);
        }
    }
    transaction.load(&Keys { records: homes.clone(), customers: homes, ..Keys::default() })?;
    let mut chats = Vec::new();
    for (phone, seen) in step {
        let (customer, _) = transaction.recall::<CustomerMemory>(&[*phone])?;
        chats.extend(customer.chat_on(&seen.conversation.waba_line));
    }
    transaction.load(&Keys { records: chats.clone(), chats, ..Keys::default() })?;
    for (phone, seen) in step {
        let (by, past) = look_up(transaction, *phone, &seen.conversation)?;
        match missed(seen, &past.known, now, limits.rules) {
            Verdict::Missed(event) => {
                let is_kept = keep_found(transaction, &event, by, past, (now, limits))?;
                compared.found += u64::from(is_kept);
            }
            Verdict::Unheard => {
                let number = Personal::new(&seen.conversation.waba_line);
                let (_, book) = transaction.shared.routing.of(&number);
                *compared.unheard.entry(book.0).or_default() += 1;
            }
            Verdict::Nothing => {}
        }
    }
    Ok(compared)
}

/// All that is known of a customer, of the chat on that line, and of the waits of both.
fn look_up(
    transaction: &mut Transaction<'_>,
    phone: Digest,
    conversation: &Conversation,
) -> Result<(EventKeys, Past), Error> {
    let mut keys = transaction.keys_of(phone)?;
    // The best key is the last to be pointed to.
    keys.reverse();
    let (customer, customer_home) = transaction.recall::<CustomerMemory>(&[phone])?;
    let chat_key = customer.chat_on(&conversation.waba_line);
    // Where a wait cannot be read, the chat is known to be dropped from then on: so it is read first.
    let mut found = transaction.waits_of_chat(chat_key.as_ref())?;
    for wait in transaction.waits_of_customer(&keys)? {
        if found.iter().all(|(stored, _)| stored.number != wait.0.number) {
            found.push(wait);
        }
    }
    let (chat, chat_home) = transaction.recall(chat_key.as_slice())?;
    let waits = found.iter().map(|(stored, wait)| (stored.number, wait.clone())).collect();
    let known = Known { chat_key, chat, customer, waits, ..Known::default() };
    let by = EventKeys { body: unlike_any(0), chat: chat_key, customer: keys };
    Ok((by, Past { known, found, chat_home, customer_home, body_home: Default::default() }))
}

fn end_one(
    transaction: &mut Transaction<'_>,
    number: u64,
    absence: &Absence,
    end: &End,
    (now, limits): (UnixMs, Limits),
) -> Result<bool, Error> {
    let Some(stored) = transaction.wait_numbered(number)?.filter(|wait| !wait.is_over) else {
        return Ok(false);
    };
    let Some((stored, wait)) = transaction.read_wait(stored)? else { return Ok(false) };
    let (chat, chat_home) = transaction.recall(&[stored.chat])?;
    let (customer, customer_home) = transaction.recall(&stored.customer)?;
    let waits = vec![(stored.number, wait.clone())];
    let known = Known { chat_key: Some(stored.chat), chat, customer, waits, ..Known::default() };
    let Some(event) = ended(&wait, &known, absence, end) else { return Ok(false) };
    let by = EventKeys {
        body: unlike_any(0),
        chat: (event.happening == Happening::Assigned).then_some(stored.chat),
        customer: stored.customer.clone(),
    };
    let found: Vec<FoundWait> = vec![(stored, wait)];
    let past = Past { known, found, chat_home, customer_home, body_home: Default::default() };
    keep_found(transaction, &event, by, past, (now, limits))
}

/// Judges what no event told of as if one came now, and keeps it; false where it changes nothing, or there is no
/// room for it.
fn keep_found(
    transaction: &mut Transaction<'_>,
    event: &ChatEvent,
    by: EventKeys,
    mut past: Past,
    (now, limits): (UnixMs, Limits),
) -> Result<bool, Error> {
    let number = transaction.tally().next_number;
    let id = transaction.event_id(number);
    let by = EventKeys { body: unlike_any(number), ..by };
    if event.happening == Happening::Unassigned {
        // Its own wait goes on from the last one of the chat; those of other chats are none of it.
        let chat = by.chat;
        past.found.retain(|(stored, _)| Some(stored.chat) == chat);
        let kept = &past.found;
        past.known.waits.retain(|(of, _)| kept.iter().any(|(stored, _)| stored.number == *of));
    }
    let Judgement::News(news) = judge(event, by.body, &past.known, &id, now, limits.rules) else {
        return Ok(false);
    };
    let says_something = news.wait.is_some() || !news.ended.is_empty();
    if !says_something {
        return Ok(false);
    }
    keep(transaction, event, &news, &by, &past, (now, limits))
}

/// What no body is recognised by: a keyed hash of 128 bits is never so small a number.
fn unlike_any(number: u64) -> Digest {
    Digest::from_bytes(u128::from(number).to_be_bytes())
}
