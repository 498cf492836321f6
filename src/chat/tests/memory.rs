//! What a row is completed with, and what counts as one event sent again.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::chat::customer::CustomerMemory;
use crate::chat::memory::{ChatMemory, Rules};
use crate::chat::tests::{
    DAY_MS, Inbox, MINUTE_MS, NOW, OTHER_WABA, Outcome, PHONE, RULES, WABA, agent, assigned,
    closed, minutes, opened, unassigned,
};
use crate::chat::time::UnixMs;

const ASHA: (&str, &str) = ("Asha", "+91 1");
const BALA: (&str, &str) = ("Bala", "+91 2");
const NOBODY: (&str, &str) = ("", "");

fn assigned_to(chat: &str, (name, phone): (&str, &str)) -> Value {
    assigned(chat, name, phone)
}

fn with(mut body: Value, key: &str, value: &str) -> Value {
    body[key] = json!(value);
    body
}

fn without(mut body: Value, key: &str) -> Value {
    body.as_object_mut().unwrap().remove(key);
    body
}

#[test]
fn the_last_assignment_names_the_previous_agent() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    let row = inbox.row(unassigned("chat_1"), minutes(5));
    assert_eq!(agent(&row), ASHA);
    assert_eq!(row.unassigned_at, minutes(5));
    assert_eq!(row.event_id.number, 2);
}

#[test]
fn a_reassignment_names_the_new_agent() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.hear(assigned_to("chat_1", BALA), minutes(1));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(2))), BALA);
}

#[test]
fn a_chat_never_assigned_names_nobody() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_2", ASHA), NOW);
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(1))), NOBODY);
}

#[test]
fn a_second_unassignment_in_a_row_still_names_the_agent() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.row(unassigned("chat_1"), minutes(1));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(60))), ASHA);
}

#[test]
fn a_conversation_closed_since_names_nobody() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.hear(closed(WABA), minutes(1));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(2))), NOBODY);
}

#[test]
fn a_conversation_opened_again_does_not_bring_the_agent_back() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.hear(closed(WABA), minutes(1));
    inbox.hear(opened(WABA, "Rohan"), minutes(2));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(3))), NOBODY);
}

#[test]
fn an_assignment_after_the_close_counts() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.hear(closed(WABA), minutes(1));
    inbox.hear(assigned_to("chat_1", BALA), minutes(2));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(3))), BALA);
}

#[test]
fn an_opened_conversation_takes_the_agent_from_nobody() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.hear(opened(WABA, "Rohan"), minutes(1));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(2))), ASHA);
}

#[test]
fn an_assignment_older_than_the_retention_names_nobody() {
    let at_most = NOW.plus_ms(RULES.retention_ms);
    for (at, expected) in [(at_most, ASHA), (at_most.plus_ms(1), NOBODY)] {
        let mut inbox = Inbox::new(RULES);
        inbox.hear(assigned_to("chat_1", ASHA), NOW);
        assert_eq!(agent(&inbox.row(unassigned("chat_1"), at)), expected);
    }
}

#[test]
fn an_assignment_that_arrives_late_names_its_agent_from_then_on() {
    let mut inbox = Inbox::new(RULES);
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), NOW)), NOBODY);
    inbox.hear(assigned_to("chat_1", ASHA), minutes(1));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(30))), ASHA);
}

#[test]
fn what_the_event_says_itself_wins() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(opened(WABA, "Rohan"), NOW);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    let mut told = with(unassigned("chat_1"), "previousAgentName", "Bala");
    told = with(told, "previousAgentPhone", "+91 2");
    told = with(told, "customerName", "Rohan M.");
    told = with(told, "unassignedAt", "2026-07-01T10:29:00Z");
    told["customerPhone"] = json!("+91 77");
    let row = inbox.row(told, minutes(1));
    assert_eq!(agent(&row), BALA);
    assert_eq!(row.customer_name.reveal(), "Rohan M.");
    assert_eq!(row.customer_phone.reveal(), "+91 77");
    assert_eq!(row.unassigned_at, minutes(-1));
}

/// What a row says of the agent when the event brings one half, or both, and we remember Asha.
#[track_caller]
fn check_halves(name: &str, phone: &str, expected: (&str, &str)) {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    let told = with(unassigned("chat_1"), "previousAgentName", name);
    let row = inbox.row(with(told, "previousAgentPhone", phone), minutes(1));
    assert_eq!(agent(&row), expected, "told {name:?} and {phone:?}");
}

#[test]
fn the_halves_of_an_agent_are_never_mixed_between_people() {
    check_halves("", "", ASHA);
    check_halves("Asha", "", ASHA);
    check_halves("", "+91 1", ASHA);
    check_halves("", "911", ("Asha", "911"));
    check_halves("Bala", "", ("Bala", ""));
    check_halves("", "+91 2", ("", "+91 2"));
    check_halves("Bala", "+91 2", BALA);
    check_halves("Asha", "+91 9", ("Asha", "+91 9"));
}

#[test]
fn a_phone_without_digits_joins_no_agent_without_a_phone() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ("Asha", "")), NOW);
    let told = with(unassigned("chat_1"), "previousAgentPhone", "withheld");
    assert_eq!(agent(&inbox.row(told, minutes(1))), ("", "withheld"));
}

#[test]
fn an_agent_without_a_name_hides_the_one_before() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.hear(assigned_to("chat_1", ("", "")), minutes(1));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(2))), NOBODY);
}

#[test]
fn the_customers_name_is_the_last_one_told() {
    let mut inbox = Inbox::new(RULES);
    assert!(inbox.row(unassigned("chat_1"), NOW).customer_name.is_blank());
    inbox.hear(opened(WABA, "Rohan"), minutes(10));
    assert_eq!(inbox.row(unassigned("chat_1"), minutes(11)).customer_name.reveal(), "Rohan");
    inbox.hear(opened(WABA, "Rohan Mehta"), minutes(20));
    inbox.hear(opened(WABA, ""), minutes(21));
    assert_eq!(inbox.row(unassigned("chat_1"), minutes(22)).customer_name.reveal(), "Rohan Mehta");
}

#[test]
fn a_customer_is_found_by_id_and_by_phone() {
    for missing in ["dtCustomerId", "customerPhone"] {
        let mut inbox = Inbox::new(RULES);
        inbox.hear(opened(WABA, "Rohan"), NOW);
        let row = inbox.row(without(unassigned("chat_1"), missing), minutes(1));
        assert_eq!(row.customer_name.reveal(), "Rohan", "without {missing}");
        assert_eq!(row.customer_phone.reveal(), PHONE, "without {missing}");
    }
}

#[test]
fn numbers_that_the_event_leaves_out_are_remembered() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    let row = inbox.row(json!({ "chatId": "chat_1", "dtCustomerId": "customer_9" }), minutes(1));
    assert_eq!(row.customer_phone.reveal(), PHONE);
    assert_eq!(row.waba_number.reveal(), WABA);
}

#[test]
fn two_chats_of_one_customer_share_the_name_and_not_the_agent() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(opened(WABA, "Rohan"), NOW);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.hear(assigned_to("chat_2", BALA), minutes(1));
    let (one, two) =
        (inbox.row(unassigned("chat_1"), minutes(2)), inbox.row(unassigned("chat_2"), minutes(2)));
    assert_eq!((agent(&one), agent(&two)), (ASHA, BALA));
    assert_eq!(one.customer_name, two.customer_name);
    assert_eq!(one.customer_name.reveal(), "Rohan");
}

#[test]
fn a_customers_chats_on_two_numbers_are_closed_separately() {
    let elsewhere = |chat: &str| with(unassigned(chat), "wabaNumber", OTHER_WABA);
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.hear(with(assigned_to("chat_2", BALA), "assignedUserWabaNumber", OTHER_WABA), NOW);
    inbox.hear(closed(WABA), minutes(1));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(2))), NOBODY);
    assert_eq!(agent(&inbox.row(elsewhere("chat_2"), minutes(2))), BALA);
    inbox.hear(closed(OTHER_WABA), minutes(3));
    assert_eq!(agent(&inbox.row(elsewhere("chat_2"), minutes(4))), NOBODY);
}

#[test]
fn a_close_is_found_however_the_number_is_spelled() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.hear(closed("91 90000-00000"), minutes(1));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(2))), NOBODY);
}

#[test]
fn a_close_counts_also_where_the_unassignment_names_no_number() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(without(assigned_to("chat_1", ASHA), "assignedUserWabaNumber"), NOW);
    inbox.hear(closed(WABA), minutes(1));
    let row = inbox.row(without(unassigned("chat_1"), "wabaNumber"), minutes(2));
    assert_eq!(agent(&row), NOBODY);
}

#[test]
fn one_body_again_within_the_window_is_one_event() {
    let mut inbox = Inbox::new(RULES);
    let first = inbox.row(unassigned("chat_1"), NOW).event_id.number;
    for at in [NOW, minutes(1), NOW.plus_ms(RULES.resend_window_ms - 1)] {
        assert_eq!(inbox.receive(unassigned("chat_1"), at), Outcome::Resend(first));
    }
    let after = inbox.row(unassigned("chat_1"), NOW.plus_ms(RULES.resend_window_ms));
    assert_ne!(after.event_id.number, first);
}

#[test]
fn the_window_counts_from_the_first_and_does_not_slide() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    assert_eq!(inbox.receive(unassigned("chat_1"), minutes(1)), Outcome::Resend(1));
    inbox.row(unassigned("chat_1"), minutes(2));
}

#[test]
fn a_clock_set_back_does_not_make_a_resend_of_everything() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    assert_eq!(inbox.receive(unassigned("chat_1"), minutes(-1)), Outcome::Resend(1));
    inbox.row(unassigned("chat_1"), minutes(-60));
}

#[test]
fn another_body_of_the_same_chat_is_another_event() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(unassigned("chat_1"), NOW);
    inbox.row(with(unassigned("chat_1"), "reason", "shift end"), NOW);
    inbox.row(unassigned("chat_2"), NOW);
}

#[test]
fn a_different_event_of_the_chat_ends_the_window() {
    let betweens = [assigned_to("chat_1", ASHA), opened(WABA, "Rohan"), closed(WABA)];
    for between in betweens {
        let mut inbox = Inbox::new(RULES);
        inbox.row(unassigned("chat_1"), NOW);
        inbox.hear(between, NOW.plus_ms(1));
        inbox.row(unassigned("chat_1"), NOW.plus_ms(2));
    }
}

#[test]
fn an_event_of_another_chat_ends_no_window() {
    let others = [
        assigned_to("chat_2", ASHA),
        closed(OTHER_WABA),
        with(closed(WABA), "dtCustomerId", "customer_2"),
    ];
    let [one, two, mut three] = others;
    three["customerPhone"] = json!("+91 77");
    for between in [one, two, three] {
        let mut inbox = Inbox::new(RULES);
        inbox.row(unassigned("chat_1"), NOW);
        inbox.hear(between, NOW.plus_ms(1));
        assert_eq!(inbox.receive(unassigned("chat_1"), NOW.plus_ms(2)), Outcome::Resend(1));
    }
}

#[test]
fn an_assignment_sent_again_is_one_event_and_closes_nothing() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    assert_eq!(inbox.receive(assigned_to("chat_1", ASHA), minutes(1)), Outcome::Resend(1));
    inbox.hear(opened(WABA, "Rohan"), minutes(1));
    assert_eq!(inbox.receive(opened(WABA, "Rohan"), minutes(2)), Outcome::Resend(2));
}

/// Each event delivered twice, one right after the other: the second close must not undo the
/// assignment that came between.
#[test]
fn a_close_sent_again_does_not_take_the_next_agent_away() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(closed(WABA), NOW);
    inbox.hear(assigned_to("chat_1", ASHA), NOW.plus_ms(1));
    assert_eq!(inbox.receive(closed(WABA), NOW.plus_ms(2)), Outcome::Resend(1));
    assert_eq!(agent(&inbox.row(unassigned("chat_1"), minutes(5))), ASHA);
}

#[test]
fn without_a_window_every_body_is_an_event() {
    let mut inbox = Inbox::new(Rules { resend_window_ms: 0, ..RULES });
    for number in 1..=3 {
        assert_eq!(inbox.row(unassigned("chat_1"), NOW).event_id.number, number);
    }
}

fn check_own_identity(body: &Value, resend_window_ms: i64) {
    let mut inbox = Inbox::new(Rules { resend_window_ms, ..RULES });
    inbox.row(body.clone(), NOW);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    inbox.hear(closed(WABA), NOW);
    inbox.row(unassigned("chat_1"), NOW);
    for at in [NOW, minutes(60), UnixMs(NOW.0 + DAY_MS - 1)] {
        assert_eq!(inbox.receive(body.clone(), at), Outcome::Resend(1));
    }
    inbox.row(body.clone(), UnixMs(NOW.0 + DAY_MS));
}

#[test]
fn a_body_with_its_own_time_or_id_is_one_event_for_a_day_whatever_comes_between() {
    for window_ms in [0, 2 * MINUTE_MS] {
        check_own_identity(
            &with(unassigned("chat_1"), "timestamp", "2026-07-01T10:29:00Z"),
            window_ms,
        );
        check_own_identity(&with(unassigned("chat_1"), "eventId", "evt_1"), window_ms);
    }
}

/// What may be the chat's own id or time is in the body of each of its drops.
#[test]
fn an_id_or_a_time_that_may_be_the_chats_makes_no_later_drop_a_resend() {
    let of_the_chat = [("id", "conv_1"), ("createdAt", "2026-07-01T09:00:00Z")];
    for (field, value) in of_the_chat {
        let body = with(unassigned("chat_1"), field, value);
        for between in [assigned_to("chat_1", ASHA), opened(WABA, "Rohan"), closed(WABA)] {
            let mut inbox = Inbox::new(RULES);
            inbox.row(body.clone(), NOW);
            assert_eq!(inbox.receive(body.clone(), NOW.plus_ms(1)), Outcome::Resend(1), "{field}");
            inbox.hear(between, NOW.plus_ms(2));
            inbox.row(body.clone(), NOW.plus_ms(3));
        }
        // Nor where what came between never arrived.
        let mut inbox = Inbox::new(RULES);
        inbox.row(body.clone(), NOW);
        inbox.row(body, NOW.plus_ms(RULES.resend_window_ms));
    }
}

#[test]
fn two_times_or_two_ids_are_two_events() {
    let mut inbox = Inbox::new(RULES);
    inbox.row(with(unassigned("chat_1"), "timestamp", "2026-07-01T10:29:00Z"), NOW);
    inbox.row(with(unassigned("chat_1"), "timestamp", "2026-07-01T10:29:01Z"), NOW);
    inbox.row(with(unassigned("chat_1"), "eventId", "evt_1"), NOW);
    inbox.row(with(unassigned("chat_1"), "eventId", "evt_2"), NOW);
}

#[test]
fn a_row_is_read_back_as_it_was_written() {
    let mut inbox = Inbox::new(RULES);
    inbox.hear(opened(WABA, "Rohan \"R\" 👩‍⚕️"), NOW);
    inbox.hear(assigned_to("chat_1", ASHA), NOW);
    let row = inbox.row(unassigned("chat_1"), minutes(1));
    let mut read: crate::chat::entry::Entry =
        serde_json::from_slice(&serde_json::to_vec(&row).unwrap()).unwrap();
    read.event_id = row.event_id.clone();
    assert_eq!(read, row);
}

#[test]
fn an_event_id_shows_its_journal_and_number() {
    assert_eq!(Inbox::new(RULES).row(unassigned("chat_1"), NOW).event_id.to_string(), "test-1");
}

/// The names in which records are stored are for ever, and what a newer version adds is passed over.
#[test]
fn what_another_version_remembered_is_known() {
    let chat = json!({
        "a": { "n": "Asha", "p": "+91 1", "i": 7, "t": 1_782_901_000_000_i64, "newer": [1] },
        "c": "+91 3", "w": "+91 4", "newer": { "x": null },
    });
    let customer = json!({
        "n": "Rohan", "p": "+91 3", "newer": "x",
        "l": [{ "w": "914", "h": 8, "t": 1_782_901_000_000_i64, "c": 6, "newer": true }],
    });
    check_known::<ChatMemory>(chat, &["Asha", "+91 1", "7", "1782901000000", "+91 3", "+91 4"]);
    check_known::<CustomerMemory>(customer, &["Rohan", "+91 3", "914", "8", "1782901000000", "6"]);
    // Of an older one, which knew less.
    check_known::<ChatMemory>(json!({ "a": null }), &[]);
    check_known::<CustomerMemory>(json!({}), &[]);
}

/// Reads a record and looks for each of these in what would be stored of it now.
#[track_caller]
fn check_known<T: Serialize + DeserializeOwned>(record: Value, told: &[&str]) {
    let known: T = serde_json::from_value(record).unwrap();
    let stored = serde_json::to_string(&known).unwrap();
    for value in told {
        let is_there = [format!(":\"{value}\""), format!(":{value}")];
        assert!(is_there.iter().any(|value| stored.contains(value)), "{value} is not in {stored}");
    }
}
