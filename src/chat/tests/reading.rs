//! The fields of a body: which one is read, and what is left of its text.

use serde_json::{Value, json};

use crate::chat::entry::Entry;
use crate::chat::event::ChatEvent;
use crate::chat::tests::{Inbox, NOW, RULES, assigned, event, unassigned};
use crate::chat::text::{FIELD_CHARS_MAX, Personal};

#[track_caller]
fn check_text(text: &str, expected: &str) {
    assert_eq!(Personal::new(text).reveal(), expected);
}

/// What the row of an unassignment with this one more field says in one column.
fn column(extra: Value, of: fn(&Entry) -> &Personal) -> String {
    let mut body = json!({ "chatId": "chat_1" });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    of(&Inbox::new(RULES).row(body, NOW)).reveal().to_owned()
}

#[test]
fn every_documented_name_of_a_field_fills_its_column() {
    let phone: fn(&Entry) -> &Personal = |row| &row.customer_phone;
    for name in ["customerPhone", "customerPhoneNumber", "customerNumber"] {
        assert_eq!(column(json!({ name: "+91 98" }), phone), "+91 98", "{name}");
    }
    let agent: fn(&Entry) -> &Personal = |row| &row.previous_agent;
    for name in [
        "previousAgentName",
        "previouslyAssignedAgent",
        "previouslyAssignedUserName",
        "previousAssignedUserName",
    ] {
        assert_eq!(column(json!({ name: "Asha" }), agent), "Asha", "{name}");
    }
    let agent_phone: fn(&Entry) -> &Personal = |row| &row.agent_phone;
    for name in [
        "previousAgentPhone",
        "previouslyAssignedUserPhone",
        "previousAssignedUserPhone",
        "agentPhoneNumber",
    ] {
        assert_eq!(column(json!({ name: "+91 1" }), agent_phone), "+91 1", "{name}");
    }
    let nested = json!({ "previouslyAssignedAgent": { "name": "Asha", "phone": "+91 1" } });
    assert_eq!(column(nested.clone(), agent), "Asha");
    assert_eq!(column(nested, agent_phone), "+91 1");
    for waba in ["wabaNumber", "assignedUserWabaNumber"] {
        assert_eq!(column(json!({ waba: "+91 2" }), |row| &row.waba_number), "+91 2", "{waba}");
    }
    let name: fn(&Entry) -> &Personal = |row| &row.customer_name;
    assert_eq!(column(json!({ "customerName": "Rohan" }), name), "Rohan");
    assert_eq!(column(json!({ "contact": { "name": "Rohan" } }), name), "Rohan");
    assert_eq!(column(json!({ "contact.name": "Rohan" }), name), "Rohan", "as a form writes it");
    assert_eq!(column(json!({}), |row| &row.chat_id), "chat_1");
}

#[test]
fn a_time_is_read_under_each_name_that_only_the_event_can_have() {
    for name in ["timestamp", "unassignedAt"] {
        for time in [json!(1_782_901_740), json!("1782901740"), json!("2026-07-01T10:29:00Z")] {
            let body = json!({ "chatId": "chat_1", name: time });
            assert_eq!(Inbox::new(RULES).row(body, NOW).unassigned_at, NOW.plus_ms(-60_000));
        }
    }
    let unreadable = json!({ "chatId": "chat_1", "timestamp": "yesterday" });
    assert_eq!(Inbox::new(RULES).row(unreadable, NOW).unassigned_at, NOW);
    let of_the_chat = json!({ "chatId": "chat_1", "createdAt": "2026-06-01T10:29:00Z" });
    assert_eq!(Inbox::new(RULES).row(of_the_chat, NOW).unassigned_at, NOW);
}

#[test]
fn the_first_field_that_says_something_wins() {
    let phone: fn(&Entry) -> &Personal = |row| &row.customer_phone;
    assert_eq!(column(json!({ "customerPhone": "1", "customerNumber": "2" }), phone), "1");
    for blank in
        [Value::Null, json!(""), json!("null"), json!(" \t"), json!({}), json!([]), json!(true)]
    {
        let body = json!({ "customerPhone": blank, "customerNumber": "2" });
        assert_eq!(column(body, phone), "2", "{blank} is blank");
    }
}

#[test]
fn numbers_are_read_as_the_text_that_they_stand_for() {
    let phone: fn(&Entry) -> &Personal = |row| &row.customer_phone;
    for number in ["919111222333", "919111222333.0", "9.19111222333e11"] {
        let body: Value = serde_json::from_str(&format!("{{\"customerPhone\":{number}}}")).unwrap();
        assert_eq!(column(body, phone), "919111222333");
    }
    assert_eq!(column(json!({ "customerPhone": u64::MAX }), phone), "18446744073709551615");
    assert_eq!(event(json!({ "chatId": 17 })).chat_id.reveal(), "17");
}

#[test]
fn text_is_kept_as_sent_but_for_its_edges_and_control_characters() {
    check_text("  Rohan Mehta \n", "Rohan Mehta");
    check_text("Ro\u{0}han\u{7}\u{1b} Me\u{9f}hta\u{7f}", "Rohan Mehta");
    check_text("\u{0} Rohan \u{FFFE}\u{FFFF}", "Rohan");
    for between in ["\n", "\t", "\r\n", "\n\n", " \n", "\u{b}", "\u{85}", "\u{0}\n\u{7}"] {
        check_text(&format!("Rohan{between}Mehta"), "Rohan Mehta");
    }
    check_text("=HYPERLINK(\"http://x\")", "=HYPERLINK(\"http://x\")");
    check_text("+919111222333", "+919111222333");
    check_text("'quoted", "'quoted");
    check_text("👩🏽‍⚕️ Dr. Ṛta", "👩🏽‍⚕️ Dr. Ṛta");
    check_text("רוני كريم \u{202E}x", "רוני كريم \u{202E}x");
    check_text("null", "");
    check_text(" null\n", "");
    check_text("Null Island", "Null Island");
    check_text("\u{0}\u{1}\n\t ", "");
}

#[test]
fn no_field_is_longer_than_a_cell_of_ours_may_be() {
    let long = "ü".repeat(FIELD_CHARS_MAX + 1);
    assert_eq!(FIELD_CHARS_MAX, 1_000);
    assert_eq!(Personal::new(&long).reveal(), "ü".repeat(1_000));
    assert_eq!(
        column(json!({ "customerName": long }), |row| &row.customer_name).chars().count(),
        1_000
    );
}

#[test]
fn text_that_was_cut_is_still_trimmed() {
    let text = format!("{} b", "a".repeat(FIELD_CHARS_MAX - 1));
    assert_eq!(Personal::new(&text).reveal(), "a".repeat(FIELD_CHARS_MAX - 1));
}

#[test]
fn the_order_and_spacing_of_a_body_do_not_make_it_another() {
    let read = |text: &str| event(serde_json::from_str(text).unwrap()).identity.canonical;
    let one = read(r#"{"chatId":"c","customerPhone":"+91","a":{"x":1,"y":2}}"#);
    assert_eq!(
        one,
        read("{ \"a\": {\"y\":2, \"x\":1},\n \"customerPhone\":\"\\u002b91\", \"chatId\":\"c\"}")
    );
    assert_eq!(one, read(r#"[{"data":{"chatId":"c","customerPhone":"+91","a":{"x":1,"y":2}}}]"#));
    assert_ne!(one, read(r#"{"chatId":"c","customerPhone":"+92","a":{"x":1,"y":2}}"#));
    assert_ne!(one, read(r#"{"chatId":"c","customerPhone":"+91"}"#), "an unknown field counts");
}

#[test]
fn one_body_under_two_names_is_two_events() {
    let read = |name: &str| {
        let recognised = crate::chat::recognise::recognise(&unassigned("c"), Some(name), NOW);
        let crate::chat::recognise::Recognised::Event(event) = recognised else { panic!("{name}") };
        event.identity.canonical
    };
    assert_ne!(read("CHAT_UNASSIGNED"), read("CHAT_ASSIGNED_TO_AGENT"));
}

#[test]
fn a_body_has_an_identity_of_its_own_only_with_a_time_or_an_id() {
    let own = |body: Value| -> bool { event(body).identity.is_its_own };
    assert!(!own(unassigned("c")));
    assert!(!own(assigned("c", "Asha", "+91")));
    assert!(own(json!({ "chatId": "c", "eventId": "evt_1" })));
    assert!(own(json!({ "chatId": "c", "timestamp": "2026-07-01T10:29:00Z" })));
    assert!(!own(json!({ "chatId": "c", "eventId": "", "timestamp": null })));
    assert!(!own(json!({ "chatId": "c", "id": "7", "createdAt": "2026-07-01T10:29:00Z" })));
}

#[test]
fn a_chat_is_found_by_its_id_and_without_one_by_customer_and_number() {
    let keys = |body: Value| -> ChatEvent { event(body) };
    let same = |a: Value, b: Value| keys(a).keys().chat == keys(b).keys().chat;
    assert!(same(unassigned("c"), assigned("c", "Asha", "+91")));
    assert!(!same(unassigned("c"), unassigned("d")));
    let by_phone = |phone: &str, waba: &str| json!({ "event": "CHAT_UNASSIGNED", "customerPhone": phone, "wabaNumber": waba });
    assert!(same(by_phone("+91 98", "+91 1"), by_phone("9198", "911")));
    assert!(!same(by_phone("+91 98", "+91 1"), by_phone("+91 98", "+91 2")));
    assert!(!same(by_phone("+91 98", "+91 1"), by_phone("+91 99", "+91 1")));
    assert!(!same(by_phone("unknown", "+91 1"), by_phone("hidden", "+91 1")));
}

#[test]
fn a_chat_opens_from_the_sheet_only_where_both_numbers_are_known() {
    let url = |customer: &str, waba: &str| {
        let body = json!({ "chatId": "c", "customerPhone": customer, "wabaNumber": waba });
        Inbox::new(RULES).row(body, NOW).chat_url()
    };
    let expected = "https://web.doubletick.io/conversations/919000000000/919111222333";
    assert_eq!(url("+91 91112-22333", "+919000000000").as_deref(), Some(expected));
    assert_eq!(url("", "+919000000000"), None);
    assert_eq!(url("+919111222333", ""), None);
    assert_eq!(url("hidden", "@clinic"), None);
}

#[test]
fn every_spelling_of_a_phone_number_has_the_same_digits() {
    for spelling in [
        "+919111222333",
        "00919111222333",
        "00 91 (9111) 222-333",
        "tel:+91-9111-222-333",
        "+91.9111.222.333",
        "\u{202a}+91 9111 222333\u{202c}",
        "٠٠٩١٩١١١٢٢٢٣٣٣",
        "+۹۱۹۱۱۱۲۲۲۳۳۳",
        "+९१९१११२२२३३३",
        "＋９１９１１１２２２３３３",
        "+919111222333 ext. 12",
        "+919111222333x12",
        "+919111222333;ext=12",
        "+919111222333,,12#",
        "+919111222333 / +919111222444",
        "+919111222333 (WhatsApp 2)",
    ] {
        assert_eq!(Personal::new(spelling).digits(), "919111222333", "{spelling}");
    }
    // No zeros of the number itself are lost.
    assert_eq!(Personal::new("+00912").digits(), "00912");
    assert_eq!(Personal::new("0912").digits(), "0912");
    assert_eq!(Personal::new("none").digits(), "");
}

#[test]
fn an_extension_is_no_part_of_the_link_to_the_chat() {
    let mut body = unassigned("chat_1");
    body["customerPhone"] = json!("+91 9111 222333 ext. 12");
    let link = Inbox::new(RULES).row(body, NOW).chat_url().unwrap();
    assert!(link.ends_with("/919000000000/919111222333"), "{link}");
}
