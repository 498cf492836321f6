//! Who waits: from the drop until somebody takes or closes the chat.

use serde_json::{Value, json};

use crate::chat::entry::Handover;
use crate::chat::tests::{
    DAY_MS, Inbox, MINUTE_MS, NOW, OTHER_WABA, Outcome, RULES, WABA, assigned, closed, minutes,
    opened, unassigned,
};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::chat::waiting::{DROPS_MAX, Wait};

const ASHA: (&str, &str) = ("Asha", "+91 1");

fn taken(chat: &str) -> Value {
    assigned(chat, ASHA.0, ASHA.1)
}

fn on(waba: &str, mut body: Value) -> Value {
    body["wabaNumber"] = json!(waba);
    body
}

/// The chats that wait, each with the moment since when.
fn who(inbox: &Inbox) -> Vec<(&str, UnixMs)> {
    let wait = |wait: &&Wait| wait.entry.unassigned_at;
    inbox.waiting().iter().map(|w| (w.entry.chat_id.reveal(), wait(w))).collect()
}

/// The one who waits.
#[track_caller]
fn only(inbox: &Inbox) -> &Wait {
    let [wait] = inbox.waiting()[..] else { panic!("{} wait", inbox.waiting().len()) };
    wait
}

#[test]
fn a_chat_waits_from_the_moment_that_it_is_dropped() {
    let mut inbox = Inbox::new(RULES);
    assert_eq!(who(&inbox), []);
    let row = inbox.row(unassigned("chat_1"), NOW);
    assert_eq!(who(&inbox), [("chat_1", NOW)]);
    assert_eq!(only(&inbox).entry, row);
    assert_eq!(only(&inbox).drops_in_a_day(NOW), 1);
}

#[test]
fn dropped_again_while_it_waits_it_waits_since_the_first_drop() {
    let mut inbox = Inbox::new(RULES);
    let mut first = unassigned("chat_1");
    first.as_object_mut().unwrap().remove("wabaNumber");
    inbox.row(first, NOW);
    assert!(only(&inbox).entry.waba_number.is_blank());
    inbox.hear(opened(WABA, "Rohan Mehta"), minutes(5));
    inbox.row(unassigned("chat_1"), minutes(10));
    assert_eq!(who(&inbox), [("chat_1", NOW)]);
    assert_eq!(only(&inbox).drops_in_a_day(minutes(10)), 2);
    // What the first drop did not know, the second told.
    assert_eq!(only(&inbox).entry.customer_name, Personal::new("Rohan Mehta"));
    assert_eq!(only(&inbox).entry.waba_number, Personal::new(WABA));
    assert_eq!(only(&inbox).entry.event_id.number, 1);
}

#[test]
fn an_assignment_ends_the_wait_and_names_who_took_the_chat() {
    let mut inbox = Inbox::new(RULES);
    let row = inbox.row(unassigned("chat_1"), NOW);
    inbox.hear(taken("chat_1"), minutes(7));
    assert_eq!(who(&inbox), []);
    let [handover] = &inbox.handovers[..] else { panic!("one wait has ended") };
    let agent = Personal::new("Asha");
    let expected = Handover { taken_at: minutes(7), agent, is_closed: false, found: None };
    assert_eq!(handover.handover, Some(expected));
    assert_eq!(handover.event_id.number, 2, "the number of the assignment");
    assert_eq!((handover.unassigned_at, &handover.chat_id), (NOW, &row.chat_id));
    // Nothing is taken twice.
    inbox.hear(assigned("chat_1", "Bala", "+91 2"), minutes(8));
    assert_eq!(inbox.handovers.len(), 1);
}

#[test]
fn the_assignment_of_another_chat_ends_nothing() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    inbox.hear(taken("chat_2"), minutes(1));
    assert_eq!(who(&inbox), [("chat_1", NOW)]);
    assert_eq!(inbox.handovers, []);
}

#[test]
fn when_it_was_taken_is_what_the_event_says() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    let mut late = taken("chat_1");
    late["timestamp"] = json!("2026-07-01T10:33:00Z");
    inbox.hear(late, minutes(20));
    let handover = inbox.handovers[0].handover.as_ref().unwrap();
    assert_eq!(handover.taken_at, minutes(3));
}

#[test]
fn closing_ends_all_waits_of_the_customer_on_that_line_and_counts_as_closed() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    inbox.row(unassigned("chat_2"), minutes(1));
    inbox.row(on(OTHER_WABA, unassigned("chat_3")), minutes(2));
    let mut other = unassigned("chat_4");
    other["dtCustomerId"] = json!("customer_2");
    other["customerPhone"] = json!("+919444555666");
    inbox.row(other, minutes(3));
    inbox.hear(closed(WABA), minutes(4));
    assert_eq!(who(&inbox), [("chat_3", minutes(2)), ("chat_4", minutes(3))]);
    let ends = inbox.handovers.iter().map(|row| {
        let handover = row.handover.as_ref().unwrap();
        assert!(handover.is_closed && handover.agent.is_blank());
        (row.chat_id.reveal(), row.event_id.number)
    });
    assert_eq!(ends.collect::<Vec<_>>(), [("chat_1", 5), ("chat_2", 6)]);
    // Each handover has a number of its own, and so has the next event.
    assert_eq!(inbox.row(unassigned("chat_5"), minutes(9)).event_id.number, 7);
}

#[test]
fn a_closing_on_an_unknown_line_may_be_about_any_of_them() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    inbox.row(on(OTHER_WABA, unassigned("chat_2")), minutes(1));
    inbox.hear(closed(""), minutes(4));
    assert_eq!(who(&inbox), []);
}

#[test]
fn an_opened_conversation_ends_no_wait() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    inbox.hear(opened(WABA, "Rohan"), minutes(1));
    assert_eq!(who(&inbox), [("chat_1", NOW)]);
}

#[test]
fn dropped_after_it_was_taken_it_waits_anew_and_the_drops_are_counted() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    inbox.hear(taken("chat_1"), minutes(5));
    inbox.row(unassigned("chat_1"), minutes(30));
    assert_eq!(who(&inbox), [("chat_1", minutes(30))]);
    assert_eq!(only(&inbox).drops_in_a_day(minutes(30)), 2);
    assert_eq!(only(&inbox).entry.event_id.number, 3);
}

#[test]
fn drops_are_counted_over_a_day() {
    let mut inbox = Inbox::new(RULES);
    for hour in 0..4 {
        inbox.row(unassigned("chat_1"), minutes(60 * hour));
    }
    assert_eq!(only(&inbox).drops_in_a_day(NOW.plus_ms(DAY_MS - 1)), 4);
    assert_eq!(only(&inbox).drops_in_a_day(NOW.plus_ms(DAY_MS)), 3);
    assert_eq!(only(&inbox).drops_in_a_day(NOW.plus_ms(10 * DAY_MS)), 1, "that it waits is a drop");
    inbox.row(unassigned("chat_1"), NOW.plus_ms(2 * DAY_MS));
    assert_eq!(only(&inbox).drops.len(), 1, "those of before are forgotten");
}

#[test]
fn no_more_drops_are_remembered_than_are_shown() {
    let mut inbox = Inbox::new(RULES);
    for step in 0..110 {
        inbox.row(unassigned("chat_1"), minutes(3 * step));
    }
    assert_eq!(only(&inbox).drops_in_a_day(minutes(330)), DROPS_MAX);
}

#[test]
fn resends_change_nothing() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    let first = only(&inbox).clone();
    assert_eq!(inbox.receive(unassigned("chat_1"), minutes(1)), Outcome::Resend(1));
    assert_eq!(*only(&inbox), first);
    inbox.hear(taken("chat_1"), minutes(2));
    assert_eq!(inbox.receive(taken("chat_1"), minutes(3)), Outcome::Resend(2));
    assert_eq!(inbox.handovers.len(), 1);
    inbox.hear(closed(WABA), minutes(4));
    assert_eq!(inbox.receive(closed(WABA), minutes(5)), Outcome::Resend(3));
    assert_eq!(inbox.handovers.len(), 1, "what was taken is not closed");
}

/// A body that was kept until a later version recognised it, as of when it was received.
fn replayed(between: &[(Value, i64)]) -> Inbox {
    let mut inbox = Inbox::new(RULES);
    for (body, minute) in between {
        drop(inbox.receive(body.clone(), minutes(*minute)));
    }
    inbox.row(unassigned("chat_1"), NOW);
    inbox
}

#[test]
fn a_drop_told_of_late_waits_where_nobody_has_looked_after_the_chat_since() {
    assert_eq!(who(&replayed(&[])), [("chat_1", NOW)]);
    assert_eq!(who(&replayed(&[(taken("chat_2"), 10)])), [("chat_1", NOW)]);
    assert_eq!(who(&replayed(&[(opened(WABA, "Rohan"), 10)])), [("chat_1", NOW)]);
    // What was before it does not count.
    assert_eq!(who(&replayed(&[(taken("chat_1"), -10), (closed(WABA), -5)])), [("chat_1", NOW)]);
}

#[test]
fn a_drop_told_of_late_is_no_wait_where_the_chat_was_taken_or_closed_since() {
    assert_eq!(who(&replayed(&[(taken("chat_1"), 10)])), []);
    assert_eq!(who(&replayed(&[(closed(WABA), 10)])), []);
    assert_eq!(who(&replayed(&[(taken("chat_1"), 10), (opened(WABA, "Rohan"), 20)])), []);
}

/// Only what happened on the line of the chat can have ended its wait.
#[test]
fn a_drop_told_of_late_waits_though_another_line_was_closed_since() {
    assert_eq!(who(&replayed(&[(closed(OTHER_WABA), 10)])), [("chat_1", NOW)]);
}

/// The assignment was told of only after the drop that came after it: it ends nothing.
#[test]
fn an_assignment_told_of_late_does_not_end_a_wait_that_began_after_it() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), minutes(30));
    drop(inbox.receive(taken("chat_1"), NOW));
    assert_eq!(who(&inbox), [("chat_1", minutes(30))]);
    assert_eq!(inbox.handovers, []);
}

#[test]
fn a_closing_told_of_late_does_not_end_a_wait_that_began_after_it() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), minutes(30));
    drop(inbox.receive(closed(WABA), NOW));
    assert_eq!(who(&inbox), [("chat_1", minutes(30))]);
    assert_eq!(inbox.handovers, []);
}

#[test]
fn a_wait_is_read_back_as_it_was_written() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    inbox.row(unassigned("chat_1"), NOW.plus_ms(3 * MINUTE_MS));
    let wait = only(&inbox);
    let mut read: Wait = serde_json::from_slice(&serde_json::to_vec(wait).unwrap()).unwrap();
    read.entry.event_id = wait.entry.event_id.clone();
    assert_eq!(read, *wait);
}
