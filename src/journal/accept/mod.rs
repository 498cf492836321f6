//! The way in: keeping one event. What is known is loaded, judged and stored in its own transaction.

pub(in crate::journal) mod asked;
pub(in crate::journal) mod memory;
mod names;
pub(in crate::journal) mod receipt;
pub(in crate::journal) mod unrecognised;
pub(in crate::journal) mod waits;

use std::time::Duration;

use crate::chat::counted::Quarter;
use crate::chat::digest::Digest;
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::memory::{Judgement, Known, News, judge};
use crate::chat::time::UnixMs;
use crate::chat::waiting::Wait;
use crate::journal::accept::memory::Home;
use crate::journal::accept::receipt::{Receipt, Refusal, Standing};
use crate::journal::accept::waits::FoundWait;
use crate::journal::awaited::{self, Unnamed};
use crate::journal::clock::Moment;
use crate::journal::counters::BookId;
use crate::journal::store::Keys;
use crate::journal::transaction::Transaction;
use crate::journal::{Error, Journal, Limits};

/// As many names as a customer is found under: the id and the phone.
const CUSTOMER_KEYS_MAX: usize = 2;
/// Longest that a sender is kept waiting for a database that is away. DoubleTick may try only once, so that
/// waiting is better than a quick refusal; the event is kept when the database is back, also where nobody
/// waits any more.
const HOLD_MAX: Duration = Duration::from_secs(25);

impl Journal {
    /// Keeps an event, or recognises it as one that is kept already.
    ///
    /// When this returns `Ok` the event is on disk. Dropping the future does not take it back.
    ///
    /// # Errors
    /// A [`Refusal`]: nothing was kept and the sender should come again.
    pub async fn accept(&self, event: ChatEvent, now: UnixMs) -> Result<Receipt, Refusal> {
        self.accept_instead(event, None, Moment::now(now)).await
    }

    /// Commits what a sender waits for: a while longer than usual where the database is away.
    pub(in crate::journal) async fn hold<T, F>(&self, keys: Keys, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    {
        let kept = tokio::time::timeout(HOLD_MAX, self.writer().commit_on(keys, work)).await;
        kept.unwrap_or(Err(Error::Late)).map_err(Refusal::Failed)
    }

    /// Keeps an event, and in the same commit lets go of the unrecognised body that it was.
    pub(in crate::journal) async fn accept_instead(
        &self,
        mut event: ChatEvent,
        unrecognised: Option<u64>,
        moment: Moment,
    ) -> Result<Receipt, Refusal> {
        let limits = self.limits();
        let body = self.digest(&[b"body", &std::mem::take(&mut event.identity.canonical)]);
        let by = EventKeys::new(body, &event, |name| self.digest_of(name));
        let keys = Keys { quarters: self.quarters_of(&event, moment), ..by.keys(&event) };
        let work = move |transaction: &mut Transaction<'_>| {
            let now = transaction.time(moment);
            let kept_as = accept(transaction, &event, &by, now, limits)?;
            if let (Some(id), Some(_)) = (unrecognised, kept_as) {
                transaction.change().unrecognised_gone.push(id);
            }
            Ok(kept_as)
        };
        let kept = self.hold(keys, work).await?;
        let (number, standing) = kept.ok_or(Refusal::Full)?;
        Ok(Receipt { event_id: self.event_id(number), standing })
    }
}

impl Journal {
    /// In which quarter what the event tells is counted, where it is as it seems before the transaction.
    fn quarters_of(&self, event: &ChatEvent, moment: Moment) -> Vec<(BookId, Quarter)> {
        let at = event.at.unwrap_or(match moment {
            Moment::Asked(now, _) => self.clock(now),
            Moment::Dated(at) => at,
        });
        let book = self.routing().of(&event.waba_number).1;
        let is_counted = event.happening != Happening::Opened;
        is_counted.then_some((book, Quarter::of(at))).into_iter().collect()
    }
}

/// Under what an event's past is found.
struct EventKeys {
    body: Digest,
    chat: Option<Digest>,
    customer: Vec<Digest>,
}

impl EventKeys {
    fn new(body: Digest, event: &ChatEvent, digest_of: impl Fn(&str) -> Digest) -> Self {
        let keys = event.keys();
        let chat = keys.chat.as_deref().map(&digest_of);
        Self { body, chat, customer: keys.customer.iter().map(|name| digest_of(name)).collect() }
    }

    /// As what it was heard of: the chat, or where none is named the customer.
    fn heard_as(&self) -> Option<Digest> {
        self.chat.or(self.customer.first().copied())
    }

    /// All that [`accept`] asks for.
    fn keys(&self, event: &ChatEvent) -> Keys {
        let own = event.identity.is_its_own.then_some(self.body);
        let (chats, customers) = match event.happening {
            Happening::Unassigned | Happening::Assigned => {
                (self.chat.into_iter().collect(), vec![])
            }
            Happening::Closed => (vec![], self.customer.clone()),
            Happening::Opened => (vec![], vec![]),
        };
        Keys {
            last: self.heard_as().into_iter().collect(),
            records: self
                .chat
                .into_iter()
                .chain(self.customer.iter().copied())
                .chain(own)
                .collect(),
            chats,
            customers,
            quarters: vec![],
        }
    }
}

/// Keeps one event inside the transaction; `None` when the journal or the disk is full.
fn accept(
    transaction: &mut Transaction<'_>,
    event: &ChatEvent,
    by: &EventKeys,
    now: UnixMs,
    limits: Limits,
) -> Result<Option<(u64, Standing)>, Error> {
    let (chat, chat_home) = transaction.recall(by.chat.as_slice())?;
    let (customer, customer_home) = transaction.recall(&by.customer)?;
    let (same_body, body_home) = match event.identity.is_its_own {
        true => transaction.recall(&[by.body])?,
        false => Default::default(),
    };
    let found = match event.happening {
        Happening::Unassigned | Happening::Assigned => {
            transaction.waits_of_chat(by.chat.as_ref())?
        }
        Happening::Closed => transaction.waits_of_customer(&by.customer)?,
        Happening::Opened => Vec::new(),
    };
    let last = match by.heard_as() {
        Some(chat) => transaction.last_of(&chat)?,
        None => None,
    };
    let waits = found.iter().map(|(stored, wait)| (stored.number, wait.clone())).collect();
    let known = Known { chat_key: by.chat, chat, customer, last, same_body, waits };
    let past = Past { known, found, chat_home, customer_home, body_home };
    let number = transaction.tally().next_number;
    let id = transaction.event_id(number);
    match judge(event, by.body, &past.known, &id, now, limits.rules) {
        Judgement::Resend(number) => {
            transaction.tally().duplicate += 1;
            Ok(Some((number, Standing::Duplicate)))
        }
        Judgement::Late(number, news) => {
            if !transaction.has_room() {
                return Ok(None);
            }
            keep_memory(transaction, &news, by, &past, (now, limits))?;
            keep_waits(transaction, &news, &past.found, by, now)?;
            let tally = transaction.tally();
            tally.duplicate += 1;
            // It is remembered under a number of its own.
            tally.next_number += 1;
            Ok(Some((number, Standing::Duplicate)))
        }
        Judgement::News(news) => {
            let is_kept = keep(transaction, event, &news, by, &past, (now, limits))?;
            Ok(is_kept.then_some((number, Standing::Accepted)))
        }
    }
}

/// What there is before an event, and where it stands.
struct Past {
    known: Known,
    found: Vec<FoundWait>,
    chat_home: Home,
    customer_home: Home,
    body_home: Home,
}

/// Keeps a new event, and all that becomes of it; false when the journal or the disk is full.
fn keep(
    transaction: &mut Transaction<'_>,
    event: &ChatEvent,
    news: &News,
    by: &EventKeys,
    past: &Past,
    (now, limits): (UnixMs, Limits),
) -> Result<bool, Error> {
    if !transaction.has_room() {
        return Ok(false);
    }
    if !keep_row(transaction, event, news, by, &past.found, (now, limits))? {
        return Ok(false);
    }
    keep_memory(transaction, news, by, past, (now, limits))?;
    keep_waits(transaction, news, &past.found, by, now)?;
    let tally = transaction.tally();
    if event.happening == Happening::Assigned && event.found.is_none() {
        tally.assigned_at = now.0.max(1);
    }
    // Every handover but the first has a number of its own.
    tally.next_number += (news.ended.len() as u64).max(1);
    Ok(true)
}

/// Remembers what the event tells.
fn keep_memory(
    transaction: &mut Transaction<'_>,
    news: &News,
    by: &EventKeys,
    past: &Past,
    (now, limits): (UnixMs, Limits),
) -> Result<(), Error> {
    if let Some(chat) = &news.chat {
        transaction.remember(by.chat.as_slice(), past.chat_home, chat, now)?;
    }
    // Whose chat is given from one agent to the next is not quiet, though nothing new is known of them.
    let fades_from = now.plus_ms(-limits.rules.retention_ms / 2);
    let is_fading = news.chat.is_some() && past.customer_home.is_from_before(fades_from);
    let customer = news.customer.as_ref().or(is_fading.then_some(&past.known.customer));
    if let Some(customer) = customer {
        transaction.remember(&by.customer, past.customer_home, customer, now)?;
    }
    if let Some(told) = &news.same_body {
        transaction.remember(&[by.body], past.body_home, told, now)?;
    }
    if let (Some(chat), Some(told)) = (by.heard_as(), news.last) {
        transaction.note_last(chat, told, limits.rules.resend_window_ms);
    }
    Ok(())
}

/// Keeps the row that the event becomes, if it does; false where as many are pending as may be.
fn keep_row(
    transaction: &mut Transaction<'_>,
    event: &ChatEvent,
    news: &News,
    by: &EventKeys,
    found: &[FoundWait],
    (now, limits): (UnixMs, Limits),
) -> Result<bool, Error> {
    let Some(entry) = &news.entry else {
        let tally = transaction.tally();
        match event.found {
            Some(_) => tally.found_ends += news.ended.len() as u64,
            None => tally.remembered += 1,
        }
        return Ok(true);
    };
    if transaction.tally().pending() >= limits.pending_rows_max {
        return Ok(false);
    }
    let (queue, book) = transaction.shared.routing.of(&entry.waba_number);
    let tally = transaction.tally();
    tally.accepted += 1;
    tally.found += u64::from(event.found.is_some());
    transaction.add_row((queue, book), entry, now)?;
    let is_unnamed = entry.customer_name.is_blank() && !event.customer_id.is_blank();
    if is_unnamed && let Some(seat) = transaction.shared.names.seat() {
        let number = entry.event_id.number;
        let began = found.first().filter(|(stored, _)| !stored.is_over);
        let unnamed = Unnamed {
            number,
            customer_id: event.customer_id.clone(),
            until: awaited::until(now),
            queue,
            wait: began.map_or(number, |(stored, _)| stored.number),
            keys: by.customer.clone(),
        };
        let changes = transaction.change();
        changes.awaited.insert(number, Some((book, unnamed.until)));
        changes.awaited_until = Some(now);
        transaction.unnamed.push((seat, unnamed));
    }
    Ok(true)
}

/// Under what a wait is found when its conversation closes: the customer's id and phone. A drop need not name
/// them; then the assignment before it did.
fn found_under(transaction: &Transaction<'_>, by: &EventKeys, wait: &Wait) -> Vec<Digest> {
    let digits = wait.entry.customer_phone.digits();
    let phone = (!digits.is_empty()).then(|| transaction.shared.phone_key(&digits));
    let is_new =
        |phone: &Digest| by.customer.len() < CUSTOMER_KEYS_MAX && !by.customer.contains(phone);
    let phone = phone.filter(is_new);
    by.customer.iter().copied().chain(phone).collect()
}

/// Stores who waits now and who does not any more, the handovers among the rows.
fn keep_waits(
    transaction: &mut Transaction<'_>,
    news: &News,
    found: &[FoundWait],
    by: &EventKeys,
    now: UnixMs,
) -> Result<(), Error> {
    if let (Some(wait), Some(chat)) = (&news.wait, &by.chat) {
        let number = transaction.tally().next_number;
        let customer = found_under(transaction, by, wait);
        transaction.begin_wait(number, found.first(), (chat, &customer), wait, now)?;
    }
    for (began, handover) in &news.ended {
        if let Some(known) = found.iter().find(|(stored, _)| stored.number == *began) {
            transaction.end_wait(known, now)?;
            transaction.tally().handovers += 1;
            // To where those of this book wait; where it is not served any more, to where the clinic's
            // number goes now.
            let book = known.0.book;
            let to = match transaction.shared.routing.handovers_of(book) {
                0 => transaction.shared.routing.queue_of(handover),
                queue => (queue, book),
            };
            transaction.add_row(to, handover, now)?;
        }
    }
    Ok(())
}
