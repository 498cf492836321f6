//! A [`Listing`]: who has no agent as DoubleTick's list says, read to its end; and what two of them in a row mean
//! beside what we know.
//!
//! The list names no chat, so that a conversation is told by the customer's phone and the clinic's number. One that
//! is not in the list of those without an agent has one: that it was held, though no event said by whom, is seen
//! by its absence from two in a row. What was missed is judged like an event that comes now
//! ([`crate::chat::memory::judge`]), and only where nothing was heard of the chat since the first of the two lists was
//! begun. By numbers: no clock that is set can confuse which came first. Whatever is unclear changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smol_str::SmolStr;

use crate::chat::conversation::Conversation;
use crate::chat::entry::Found;
use crate::chat::event::{ChatEvent, Happening, Identity};
use crate::chat::memory::{Known, Rules};
use crate::chat::text::Personal;
use crate::chat::time::{CLOCK_SLACK_MS, UnixMs};
use crate::chat::waiting::Wait;

/// How a list shows a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Without an agent, and not done; the customer's name.
    Waiting(Personal),
    /// Somebody has it: their name, and their phone.
    Taken(Personal, Personal),
    /// Done, and nobody has it.
    Done,
    /// More than once, and not the same.
    Unclear,
}

/// A moment by which things are put in order: what has a lower number was received before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The next number at that moment.
    pub number: u64,
    /// When that was, by the journal's clock.
    pub at: UnixMs,
}

/// A list that was read to its end.
#[derive(Clone, Debug)]
pub struct Listing {
    begun: Mark,
    ended_at: UnixMs,
    shown: BTreeMap<Conversation, Shown>,
    /// The clinic's numbers of which it shows anything. Whoever asks may not see each of them.
    lines: BTreeSet<SmolStr>,
    /// Of these it shows also what is done.
    lines_with_done: BTreeSet<SmolStr>,
}

/// That the list before showed a conversation differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    /// When that list was begun.
    begun: Mark,
    was: Was,
}

/// How the list before showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Was {
    Waiting,
    /// Somebody had it: it said so, or two lists in a row lacked it.
    Held,
    /// It was not among those without an agent, though others on that line were. Once that may be by accident.
    Absent,
    /// Done, or not clear.
    Otherwise,
}

impl Listing {
    /// The list that was begun then.
    pub fn new(begun: Mark) -> Self {
        let (lines, lines_with_done) = (BTreeSet::new(), BTreeSet::new());
        Self { begun, ended_at: begun.at, shown: BTreeMap::new(), lines, lines_with_done }
    }

    /// One more conversation that stands in it.
    pub fn add(&mut self, conversation: Conversation, shown: Shown) {
        let note = |lines: &mut BTreeSet<SmolStr>| {
            if !lines.contains(&conversation.waba_line) {
                lines.insert(conversation.waba_line.clone());
            }
        };
        note(&mut self.lines);
        if shown == Shown::Done {
            note(&mut self.lines_with_done);
        }
        let known = self.shown.entry(conversation).or_insert_with(|| shown.clone());
        let is_same = match (&*known, &shown) {
            (Shown::Waiting(_), Shown::Waiting(_)) => true,
            (known, shown) => known == shown,
        };
        if !is_same {
            *known = Shown::Unclear;
        }
    }

    /// It was read to its end then.
    #[must_use]
    pub fn ended(self, at: UnixMs) -> Self {
        Self { ended_at: self.begun.at.max(at), ..self }
    }

    /// How many conversations wait in it.
    pub fn waiting(&self) -> usize {
        self.shown.values().filter(|shown| matches!(shown, Shown::Waiting(_))).count()
    }

    fn shows_waiting(&self, conversation: &Conversation) -> bool {
        matches!(self.shown.get(conversation), Some(Shown::Waiting(_)))
    }

    fn was(&self, conversation: &Conversation) -> Was {
        match self.shown.get(conversation) {
            Some(Shown::Waiting(_)) => Was::Waiting,
            Some(Shown::Taken(..)) => Was::Held,
            None if self.covers(conversation) => Was::Absent,
            Some(Shown::Done | Shown::Unclear) | None => Was::Otherwise,
        }
    }

    fn covers(&self, conversation: &Conversation) -> bool {
        self.lines.contains(&conversation.waba_line)
    }
}

/// A conversation that two lists in a row show waiting.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Which.
    pub conversation: Conversation,
    /// The customer's name, as the list has it.
    pub name: Personal,
    /// When the first of the two was begun.
    pub first: Mark,
    /// Between which times it lost its agent, as far as lists tell.
    pub between: Found,
    /// How the last list that did not show it waiting did, where there was one.
    before: Option<Change>,
}

/// How a conversation that waited is gone from two lists in a row.
#[derive(Clone, Debug)]
pub struct Absence {
    /// When the first of the two was begun.
    pub first: Mark,
    /// Between which times it was taken or closed, as far as lists tell.
    pub between: Found,
    /// What became of it, as the list says; `None` where it is not in there, and its details tell.
    pub end: Option<End>,
    /// Whether the list shows anything of that number of the clinic's, and whether also what is done there.
    is_covered: bool,
    shows_done: bool,
    /// Whether the last list before the two showed it waiting.
    was_waiting: bool,
}

/// What DoubleTick says when it is asked about one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Details {
    /// Somebody has the chat: their name, and their phone.
    Taken(Personal, Personal),
    /// Nobody has it.
    Nobody,
    /// There is no such customer.
    Unknown,
}

impl Absence {
    /// How the wait ended, where the list does not say it and these are the customer's details. That nobody has a
    /// chat that is not in the list either is no sign of its end where the list shows none of the clinic's number, or
    /// would show it also when it is done: then the list lacks what should be in it. Nor is it one that there is no
    /// such customer, where none was seen either: perhaps DoubleTick writes their number otherwise here than in its
    /// events.
    pub fn end_by(&self, details: Details) -> Option<End> {
        match details {
            Details::Taken(name, phone) => Some(End::Taken(name, phone)),
            Details::Nobody => (self.is_covered && !self.shows_done).then_some(End::Closed),
            Details::Unknown => (self.is_covered && self.was_waiting).then_some(End::Closed),
        }
    }
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Somebody took the chat: their name, and their phone.
    Taken(Personal, Personal),
    /// It was closed.
    Closed,
}

/// Two lists in a row, both read to their end.
#[derive(Clone, Debug)]
pub struct Pair {
    first: Arc<Listing>,
    second: Arc<Listing>,
    /// Of what was not always as the first shows it: how the last list before that differed showed it.
    changed: BTreeMap<Conversation, Change>,
}

/// What is known of lists, between two of them.
#[derive(Clone, Debug, Default)]
pub struct Listings {
    last: Option<Arc<Listing>>,
    last_but_one: Option<Arc<Listing>>,
    changed: BTreeMap<Conversation, Change>,
}

impl Listings {
    /// One more, begun after the last was; `None` where it is the first.
    pub fn note(&mut self, second: Listing) -> Option<Pair> {
        let second = Arc::new(second);
        let first = self.last.replace(Arc::clone(&second))?;
        let before = self.last_but_one.replace(Arc::clone(&first));
        let changed = std::mem::take(&mut self.changed);
        let lacked = |conversation: &Conversation| {
            let was = before.as_ref().map(|list| list.was(conversation));
            matches!(was, Some(Was::Held | Was::Absent))
        };
        for conversation in first.shown.keys().chain(second.shown.keys()) {
            let was = match first.was(conversation) {
                Was::Absent if lacked(conversation) => Was::Held,
                was => was,
            };
            if (was == Was::Waiting) != second.shows_waiting(conversation) {
                self.changed.insert(conversation.clone(), Change { begun: first.begun, was });
            } else if let Some(change) = changed.get(conversation) {
                self.changed.insert(conversation.clone(), *change);
            }
        }
        Some(Pair { first, second, changed })
    }
}

impl Pair {
    /// Those that wait in both.
    pub fn waiting(&self) -> impl Iterator<Item = Sighting> {
        self.second.shown.iter().filter_map(|(conversation, shown)| match shown {
            Shown::Waiting(name) if self.first.shows_waiting(conversation) => Some(Sighting {
                conversation: conversation.clone(),
                name: name.clone(),
                first: self.first.begun,
                between: self.between(conversation),
                before: self.changed.get(conversation).copied(),
            }),
            _ => None,
        })
    }

    /// How it is gone, where it waits in neither.
    pub fn absence(&self, conversation: &Conversation) -> Option<Absence> {
        let is_gone = |listing: &Listing| {
            !matches!(listing.shown.get(conversation), Some(Shown::Waiting(_) | Shown::Unclear))
        };
        if !is_gone(&self.first) || !is_gone(&self.second) {
            return None;
        }
        let end = match self.second.shown.get(conversation) {
            Some(Shown::Taken(agent, phone)) => Some(End::Taken(agent.clone(), phone.clone())),
            Some(Shown::Done) => Some(End::Closed),
            _ => None,
        };
        Some(Absence {
            first: self.first.begun,
            between: self.between(conversation),
            end,
            is_covered: self.second.covers(conversation),
            shows_done: self.second.lines_with_done.contains(&conversation.waba_line),
            was_waiting: self.changed.get(conversation).is_some_and(|it| it.was == Was::Waiting),
        })
    }

    fn between(&self, conversation: &Conversation) -> Found {
        let after = self.changed.get(conversation).map(|change| change.begun.at);
        Found { after: after.unwrap_or_default(), before: self.first.ended_at }
    }

    /// When the first was begun: what came later proves nothing.
    pub fn first(&self) -> Mark {
        self.first.begun
    }
}

/// What it means that two lists in a row show a conversation waiting.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It lost its agent, and no event told of it.
    Missed(Box<ChatEvent>),
    /// Nothing was ever heard of it.
    Unheard,
    /// Nothing: it is known that it waits, or it is not clear.
    Nothing,
}

/// Judges a conversation that waits in two lists. Known are the customer, the chat on that line, and all waits of
/// both, ended or not.
pub fn missed(sighting: &Sighting, known: &Known, now: UnixMs, rules: Rules) -> Verdict {
    let line = &sighting.conversation.waba_line;
    let is_known = |wait: &Wait| wait.is_on_line(line);
    if !known.customer.may_be_on(line) && !known.waits.iter().any(|(_, wait)| is_known(wait)) {
        return Verdict::Unheard;
    }
    if known.waits.iter().any(|(_, wait)| !wait.is_over && is_known(wait)) {
        return Verdict::Nothing;
    }
    let waited = known.waits.iter().filter(|(_, wait)| is_known(wait)).map(|(_, wait)| wait.last);
    let heard = known.chat.heard().max(known.customer.heard(line)).max(waited.max().unwrap_or(0));
    let assignment = known.chat.assignment(known.customer.closed(line));
    let since = match (sighting.before, assignment) {
        // What a list showed after all that was heard says more than that: somebody had it, also where they took
        // it without an event, or had it still when it was closed and opened again.
        (Some(Change { begun, was: Was::Held }), _) if begun.number > heard => {
            known.chat.may_be_dropped().then_some(begun.at)
        }
        // It was closed without an event, and opened again.
        (Some(Change { begun, was: Was::Otherwise }), Some((number, _)))
            if begun.number > number =>
        {
            None
        }
        (_, Some((number, at))) => {
            let age_ms = now.since_ms(at);
            let counts = (-CLOCK_SLACK_MS..=rules.retention_ms).contains(&age_ms);
            (counts && number < sighting.first.number).then_some(at)
        }
        _ => None,
    };
    let Some(since) = since else { return Verdict::Nothing };
    let Found { after, before } = sighting.between;
    let name = known.customer.name.or(&sighting.name);
    let phone = format!("+{}", sighting.conversation.customer);
    let event = ChatEvent {
        customer_phone: known.chat.phone().or(&known.customer.phone).or(&Personal::new(&phone)),
        customer_name: name,
        waba_number: known.chat.waba().or(&Personal::new(&format!("+{line}"))),
        ..found(Happening::Unassigned, Found { after: after.max(since).min(before), before })
    };
    Verdict::Missed(Box::new(event))
}

/// The event that never came of a wait's end; `None` where something was heard of the conversation since the
/// first of the two lists was begun. Known are the chat and the customer.
pub fn ended(wait: &Wait, known: &Known, absence: &Absence, end: &End) -> Option<ChatEvent> {
    let waba_line = wait.entry.waba_number.line();
    let heard = wait.last.max(known.chat.heard()).max(known.customer.heard(&waba_line));
    if wait.is_over || heard >= absence.first.number {
        return None;
    }
    let Found { after, before } = absence.between;
    let between = Found { after: after.max(wait.heard_at).min(before), before };
    let (happening, agent_name, agent_phone) = match end {
        End::Taken(name, phone) => (Happening::Assigned, name.clone(), phone.clone()),
        End::Closed => (Happening::Closed, Personal::default(), Personal::default()),
    };
    Some(ChatEvent {
        chat_id: wait.entry.chat_id.clone(),
        customer_phone: wait.entry.customer_phone.clone(),
        waba_number: wait.entry.waba_number.clone(),
        agent_name,
        agent_phone,
        ..found(happening, between)
    })
}

/// Nothing but that it happened, by then at the latest.
fn found(happening: Happening, between: Found) -> ChatEvent {
    ChatEvent {
        happening,
        chat_id: Personal::default(),
        customer_id: Personal::default(),
        customer_phone: Personal::default(),
        customer_name: Personal::default(),
        waba_number: Personal::default(),
        agent_name: Personal::default(),
        agent_phone: Personal::default(),
        at: Some(between.before),
        found: Some(between),
        identity: Identity { canonical: Vec::new(), is_its_own: false },
    }
}
