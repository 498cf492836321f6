//! What a log could show of people if someone logged any of these values: nothing.

use std::fmt::Debug;

use serde_json::json;

use crate::chat::entry::EventId;
use crate::chat::event::ChatEvent;
use crate::chat::fields::Fields;
use crate::chat::memory::{Judgement, Known, judge};
use crate::chat::recognise::recognise;
use crate::chat::tests::{NOW, RULES, assigned, closed, digest, event, opened, unassigned};
use crate::chat::text::Personal;

/// Every name, number and id that the bodies of these tests carry.
const SECRETS: &[&str] =
    &["Rohan", "Asha", "919111222333", "919000000000", "919876543210", "customer_1", "chat_1"];

#[track_caller]
fn check(value: &impl Debug) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        for secret in SECRETS {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}

/// Judges an event and shows everything on the way.
#[track_caller]
fn judged(event: &ChatEvent, mut known: Known, number: u64) -> Known {
    let id = EventId { tag: "test".into(), number };
    let judgement = judge(event, digest(&number.to_le_bytes()), &known, &id, NOW, RULES);
    check(&judgement);
    let Judgement::News(news) = judgement else { panic!("a resend") };
    known.chat = news.chat.unwrap_or(known.chat);
    known.customer = news.customer.unwrap_or(known.customer);
    check(&known);
    known
}

#[test]
fn a_text_shows_only_whether_it_is_blank() {
    assert_eq!(format!("{:?}", Personal::new("Rohan")), "<personal>");
    assert_eq!(format!("{:?}", Personal::default()), "blank");
}

#[test]
fn an_event_shows_nothing_of_its_body() {
    for body in [
        unassigned("chat_1"),
        assigned("chat_1", "Asha", "+919876543210"),
        opened("+919000000000", "Rohan"),
        closed("+919000000000"),
    ] {
        check(&Fields::of(&body).unwrap());
        check(&recognise(&body, None, NOW));
        check(&event(body.clone()));
        check(&event(body.clone()).keys());
        check(&event(body).identity);
    }
    check(&recognise(&json!({ "Rohan": "919111222333" }), None, NOW));
}

#[test]
fn a_row_and_what_is_known_of_a_chat_show_nothing_of_people() {
    let known = judged(&event(assigned("chat_1", "Asha", "+919876543210")), Known::default(), 1);
    judged(&event(unassigned("chat_1")), known, 2);
}

#[test]
fn what_is_known_of_a_customer_shows_nothing_of_people() {
    let known = judged(&event(opened("+919000000000", "Rohan")), Known::default(), 1);
    judged(&event(closed("+919000000000")), known, 2);
}
