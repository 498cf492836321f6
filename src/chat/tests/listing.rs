//! What two lists in a row mean, beside what is known of the conversation.

use serde_json::json;

use crate::chat::conversation::Conversation;
use crate::chat::entry::Found;
use crate::chat::listing::{
    Details, End, Listing, Listings, Mark, Pair, Shown, Verdict, ended, missed,
};
use crate::chat::memory::{Judgement, Known, judge};
use crate::chat::tests::{
    DAY_MS, Inbox, NOW, PHONE, RULES, WABA, assigned, closed, digest, event, minutes, opened,
    unassigned,
};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;

fn conversation() -> Conversation {
    Conversation::of(PHONE, WABA).unwrap()
}

fn waiting() -> Option<Shown> {
    Some(Shown::Waiting(Personal::new("Rohan as listed")))
}

/// A list begun before this number and in this minute; another conversation is always in it.
fn list(number: u64, minute: i64, shown: Option<Shown>) -> Listing {
    let mut list = Listing::new(Mark { number, at: minutes(minute) });
    list.add(Conversation::of("+91 2", WABA).unwrap(), Shown::Done);
    if let Some(shown) = shown {
        list.add(conversation(), shown);
    }
    list.ended(minutes(minute + 1))
}

/// The last two of these.
fn pair(lists: impl IntoIterator<Item = Listing>) -> Pair {
    let mut listings = Listings::default();
    lists.into_iter().map(|list| listings.note(list)).last().flatten().unwrap()
}

/// Two lists that show it waiting, begun before these numbers.
fn seen_twice(first: u64, second: u64) -> Pair {
    pair([list(first, 100, waiting()), list(second, 105, waiting())])
}

impl Inbox {
    /// What is known of the chat of this id and its customer.
    fn known(&self, chat: &str) -> Known {
        let event = event(unassigned(chat));
        let keys = event.keys();
        let name = keys.chat.clone().unwrap();
        let waits = self.waits.iter().filter(|(_, (_, whose, _))| *whose == keys.customer);
        Known {
            chat_key: Some(digest(name.as_bytes())),
            chat: self.recall(&[name]),
            customer: self.recall(&keys.customer),
            waits: waits.map(|(number, (_, _, wait))| (*number, wait.clone())).collect(),
            ..Known::default()
        }
    }
}

#[track_caller]
fn verdict(inbox: &Inbox, pair: &Pair, now: UnixMs) -> Verdict {
    let seen = pair.waiting().next().expect("both show it");
    missed(&seen, &inbox.known("chat_1"), now, RULES)
}

#[track_caller]
fn check_nothing(inbox: &Inbox, pair: &Pair) {
    let verdict = verdict(inbox, pair, minutes(110));
    assert!(matches!(verdict, Verdict::Nothing), "{verdict:?}");
}

#[test]
fn an_assigned_chat_that_waits_in_two_lists_was_dropped_and_the_row_says_between_which_times() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned("chat_1", "Asha", "+91 1"), NOW);
    let known = inbox.known("chat_1");
    let Verdict::Missed(event) = verdict(&inbox, &seen_twice(2, 2), minutes(110)) else {
        panic!("it was missed")
    };
    let id = crate::chat::entry::EventId { tag: "test".into(), number: 2 };
    let judged = judge(&event, digest(b"no body"), &known, &id, minutes(110), RULES);
    let Judgement::News(news) = judged else { panic!("{judged:?}") };
    let entry = news.entry.unwrap();
    assert_eq!(entry.previous_agent, Personal::new("Asha"));
    assert_eq!(entry.customer_name, Personal::new("Rohan as listed"));
    assert_eq!((entry.customer_phone.reveal(), entry.waba_number.reveal()), (PHONE, WABA));
    let found = Found { after: NOW, before: minutes(101) };
    assert_eq!((entry.found, entry.unassigned_at), (Some(found), minutes(101)));
    assert!(news.wait.unwrap().is_unconfirmed);
}

#[test]
fn a_list_that_did_not_show_it_yet_tells_since_when_it_waits() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned("chat_1", "Asha", "+91 1"), NOW);
    let lists = [list(2, 90, None), list(2, 95, None), list(2, 100, waiting())];
    let pair = pair(lists.into_iter().chain([list(2, 105, waiting())]));
    let Verdict::Missed(event) = verdict(&inbox, &pair, minutes(110)) else { panic!("missed") };
    assert_eq!(event.found, Some(Found { after: minutes(95), before: minutes(101) }));
}

#[test]
fn what_is_known_or_unclear_is_no_row() {
    let both = seen_twice(5, 5);
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned("chat_1", "Asha", "+91 1"), NOW);
    // It is known that it waits.
    let mut dropped = Inbox::new(RULES);
    dropped.hear(assigned("chat_1", "Asha", "+91 1"), NOW);
    dropped.row(unassigned("chat_1"), minutes(1));
    check_nothing(&dropped, &both);
    // It was assigned after the first of the two lists was begun.
    check_nothing(&inbox, &seen_twice(1, 5));
    // It was closed since, and opened again.
    inbox.hear(closed(WABA), minutes(2));
    check_nothing(&inbox, &both);
    inbox.hear(opened(WABA, "Rohan"), minutes(3));
    check_nothing(&inbox, &both);
    // Nobody ever had it.
    let mut new = Inbox::new(RULES);
    new.hear(opened(WABA, "Rohan"), NOW);
    check_nothing(&new, &both);
}

/// What the list before showed, after all that was heard.
#[test]
fn what_lists_show_says_more_than_what_was_heard_before_them() {
    let seen = |before: Option<Shown>, number: u64| {
        let lists = [list(number, 85, before.clone()), list(number, 90, before)];
        pair(lists.into_iter().chain([list(9, 100, waiting()), list(9, 105, waiting())]))
    };
    let taken = || Some(Shown::Taken(Personal::new("Bala"), Personal::default()));
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned("chat_1", "Asha", "+91 1"), NOW);
    // It was closed, of which no event told, and is open again: nobody dropped it.
    check_nothing(&inbox, &seen(Some(Shown::Done), 5));
    inbox.hear(opened(WABA, "Rohan"), minutes(95));
    check_nothing(&inbox, &seen(Some(Shown::Done), 2));
    // It was closed and opened again, and whoever had it still did, or somebody took it: then it was dropped. Who
    // that was is not known.
    inbox.hear(closed(WABA), minutes(96));
    for held in [None, taken()] {
        let Verdict::Missed(event) = verdict(&inbox, &seen(held.clone(), 4), minutes(110)) else {
            panic!("it was missed")
        };
        assert_eq!(event.found, Some(Found { after: minutes(90), before: minutes(101) }));
        // Something was heard after that list was begun.
        check_nothing(&inbox, &seen(held, 3));
    }
    // One list that lacks it may have been cut short; one that says who has it says so.
    for (before, is_missed) in [(None, false), (taken(), true)] {
        let lists = [list(4, 85, waiting()), list(4, 90, before)];
        let both = [list(9, 100, waiting()), list(9, 105, waiting())];
        let verdict = verdict(&inbox, &pair(lists.into_iter().chain(both)), minutes(110));
        assert_eq!(matches!(verdict, Verdict::Missed(_)), is_missed, "{verdict:?}");
    }
    // Nobody was ever seen to have it.
    let mut new = Inbox::new(RULES);
    new.hear(opened(WABA, "Rohan"), NOW);
    check_nothing(&new, &seen(None, 5));
    // It is known that it was dropped, though no wait says so.
    let known = inbox.known("chat_1");
    let left = Known { chat: known.chat.left().unwrap(), ..known };
    let sighting = seen(None, 4).waiting().next().unwrap();
    assert!(matches!(missed(&sighting, &left, minutes(110), RULES), Verdict::Nothing));
}

#[test]
fn an_assignment_from_before_the_retention_says_nothing_any_more() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned("chat_1", "Asha", "+91 1"), NOW);
    let late = NOW.plus_ms(RULES.retention_ms + DAY_MS);
    assert!(matches!(verdict(&inbox, &seen_twice(2, 2), late), Verdict::Nothing));
}

#[test]
fn what_nothing_was_ever_heard_of_is_told_as_that() {
    let inbox = Inbox::new(RULES);
    assert!(matches!(verdict(&inbox, &seen_twice(5, 5), minutes(110)), Verdict::Unheard));
}

#[test]
fn a_conversation_is_told_by_digits_and_what_has_none_is_none() {
    assert_eq!(Conversation::of("919111222333", "91 90000 00000"), Some(conversation()));
    assert_eq!(Conversation::of("", WABA), None);
    assert_eq!(Conversation::of(PHONE, "@dr.mehta"), None);
}

#[test]
fn only_what_both_lists_show_waiting_is_judged() {
    let not_waiting = [
        None,
        Some(Shown::Done),
        Some(Shown::Taken(Personal::new("Asha"), Personal::default())),
        Some(Shown::Unclear),
    ];
    for other in not_waiting {
        assert_eq!(
            pair([list(5, 100, other.clone()), list(5, 105, waiting())]).waiting().count(),
            0
        );
        assert_eq!(pair([list(5, 100, waiting()), list(5, 105, other)]).waiting().count(), 0);
    }
    // Listed twice, once with an agent and once without: nobody knows.
    let mut twice = list(5, 105, waiting());
    twice.add(conversation(), Shown::Done);
    assert_eq!(pair([list(5, 100, waiting()), twice]).waiting().count(), 0);
}

#[test]
fn a_wait_ends_where_neither_list_shows_it_and_the_list_or_the_details_say_how() {
    let taken = || Some(Shown::Taken(Personal::new("Bala"), Personal::new("+91 7")));
    let by_bala = End::Taken(Personal::new("Bala"), Personal::new("+91 7"));
    let end = |first: Option<Shown>, second: Option<Shown>| {
        let pair = pair([list(5, 100, first), list(5, 105, second)]);
        pair.absence(&conversation()).map(|absence| absence.end)
    };
    assert_eq!(end(None, Some(Shown::Done)), Some(Some(End::Closed)));
    assert_eq!(end(taken(), taken()), Some(Some(by_bala.clone())));
    assert_eq!(end(Some(Shown::Done), None), Some(None), "the details tell");
    assert_eq!(end(waiting(), Some(Shown::Done)), None);
    assert_eq!(end(None, waiting()), None);
    assert_eq!(end(Some(Shown::Unclear), None), None);
    let both = pair([list(5, 100, None), list(5, 105, None)]);
    let absence = both.absence(&conversation()).unwrap();
    // The list shows what is done, so that this would be in it.
    assert_eq!(absence.end_by(Details::Nobody), None);
    let without_done = |number: u64| {
        let mut list = Listing::new(Mark { number, at: minutes(100) });
        list.add(Conversation::of("+91 2", WABA).unwrap(), waiting().unwrap());
        list
    };
    let gone = pair([without_done(5), without_done(6)]).absence(&conversation()).unwrap();
    assert_eq!(gone.end_by(Details::Nobody), Some(End::Closed));
    let details = Details::Taken(Personal::new("Bala"), Personal::new("+91 7"));
    assert_eq!(absence.end_by(details.clone()), Some(by_bala.clone()));
    // That there is no such customer says something only of one that was seen.
    assert_eq!(absence.end_by(Details::Unknown), None);
    let seen = pair([list(5, 95, waiting()), list(5, 100, None), list(5, 105, None)]);
    let gone = seen.absence(&conversation()).unwrap();
    assert_eq!(gone.end_by(Details::Unknown), Some(End::Closed));
    // Of another of the clinic's numbers the lists show nothing at all: perhaps whoever asks may not see it.
    let other = Conversation::of(PHONE, "+91 8").unwrap();
    let absence = both.absence(&other).unwrap();
    assert_eq!(absence.end_by(Details::Nobody), None);
    assert_eq!(absence.end_by(details), Some(by_bala));
}

#[test]
fn a_wait_does_not_end_where_something_was_heard_since_the_first_list_was_begun() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    let event_of = |inbox: &Inbox, first: u64| {
        let known = inbox.known("chat_1");
        let pair = pair([list(first, 100, None), list(first, 105, Some(Shown::Done))]);
        let absence = pair.absence(&conversation()).unwrap();
        ended(&known.waits[0].1, &known, &absence, &End::Closed)
    };
    let closed = event_of(&inbox, 2).unwrap();
    assert_eq!(closed.found, Some(Found { after: NOW, before: minutes(101) }));
    assert!(event_of(&inbox, 1).is_none(), "it was dropped later");
    inbox.hear(opened(WABA, "Rohan"), minutes(90));
    assert!(event_of(&inbox, 2).is_none(), "it was opened later");
    assert!(event_of(&inbox, 3).is_some());
}

#[test]
fn an_event_with_a_later_time_of_its_own_is_not_the_one_that_was_found() {
    let found = Found { after: NOW, before: minutes(10) };
    let mut entry = Inbox::new(RULES).row(unassigned("chat_1"), minutes(10));
    entry.found = Some(found);
    let wait = crate::chat::waiting::Wait::dropped(None, &entry, minutes(15));
    let told = |at: Option<&str>| {
        let mut body = unassigned("chat_1");
        if let Some(at) = at {
            body["timestamp"] = json!(at);
        }
        wait.is_told_late_by(&event(body), minutes(20))
    };
    assert!(told(None));
    assert!(told(Some("2026-07-01T10:35:00Z")));
    assert!(!told(Some("2026-07-01T10:48:00Z")), "eight minutes after it was found");
    let later = NOW.plus_ms(2 * DAY_MS);
    assert!(!wait.is_told_late_by(&event(unassigned("chat_1")), later));
}
