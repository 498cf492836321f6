//! Which event a body is, for every shape that DoubleTick documents and for the likely misfits.

use serde_json::{Value, json};

use crate::chat::event::Happening;
use crate::chat::recognise::{Recognised, recognise};
use crate::chat::tests::{Inbox, NOW, RULES, assigned, closed, event, opened, unassigned};

fn word(recognised: Recognised) -> String {
    match recognised {
        Recognised::Event(event) => match event.happening {
            Happening::Unassigned => "unassigned".to_owned(),
            Happening::Assigned => "assigned".to_owned(),
            Happening::Opened => "opened".to_owned(),
            Happening::Closed => "closed".to_owned(),
        },
        Recognised::Ignored(family) => format!("ignored: {family}"),
        Recognised::Unrecognised => "unrecognised".to_owned(),
    }
}

#[track_caller]
fn check(body: Value, expected: &str) {
    let shown = body.to_string();
    assert_eq!(word(recognise(&body, None, NOW)), expected, "{shown}");
}

#[track_caller]
fn check_announced(body: Value, announced: &str, expected: &str) {
    assert_eq!(word(recognise(&body, Some(announced), NOW)), expected, "?event={announced}");
}

/// A body with one more field.
fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

#[test]
fn the_four_events_of_a_chat_are_told_apart_by_their_shape() {
    check(unassigned("chat_1"), "unassigned");
    check(assigned("chat_1", "John Doe", "+919876543210"), "assigned");
    check(opened("+919000000000", "Rohan Mehta"), "opened");
    check(closed("+919000000000"), "closed");
}

#[test]
fn an_unassignment_is_known_with_only_what_is_required() {
    check(json!({ "chatId": "chat_1", "dtCustomerId": "customer_1" }), "unassigned");
    check(json!({ "chatId": "chat_1" }), "unassigned");
}

/// Every unassignment has a chat's id; what has none could be any event of a customer.
#[test]
fn a_nameless_event_without_a_chat_is_kept_and_never_guessed_to_be_a_patient_who_waits() {
    for body in [
        json!({ "dtCustomerId": "customer_1", "wabaNumber": "+919000000000" }),
        json!({ "customerPhone": "+919111222333" }),
        json!({ "customerPhone": "+919111222333", "chatId": null, "reason": "bot" }),
    ] {
        check(body.clone(), "unrecognised");
        check_announced(body.clone(), "CHAT_UNASSIGNED", "unassigned");
        check(with(body, "event", json!("CHAT_UNASSIGNED")), "unassigned");
    }
}

#[test]
fn events_of_which_nowhere_is_written_what_they_hold_are_not_acted_on_by_name() {
    for (name, family) in [
        ("RAW_CLOUD_API_WEBHOOK", "raw"),
        ("CUSTOMER_BUSINESS_CHAT_OPEN", "chat_open"),
        ("POST_CALL_DISPOSITION", "call"),
        ("STANDBY_MESSAGE_RECEIVED", "message"),
        ("MESSAGING_HANDOVER", "bot_handover"),
    ] {
        let expected = format!("ignored: {family}");
        check_announced(unassigned("chat_1"), name, &expected);
        check(with(unassigned("chat_1"), "event", json!(name)), &expected);
    }
}

/// Also under a name that is not known, and under that of an event that we act on.
#[test]
fn what_whatsapp_itself_sent_is_never_kept() {
    let words = json!([{ "id": "1", "changes": [{ "field": "messages", "value": { "messages": [
        { "from": "919111222333", "type": "text", "text": { "body": "I am in pain" } },
    ] } }] }]);
    let raw = json!({ "object": "whatsapp_business_account", "entry": words });
    check(raw.clone(), "ignored: raw");
    check(json!([raw]), "ignored: raw");
    check(json!({ "data": raw }), "ignored: raw");
    check(json!({ "payload": raw.to_string() }), "ignored: raw");
    check(with(raw.clone(), "event", json!("SOMETHING_NEW")), "ignored: raw");
    check(with(raw.clone(), "dtCustomerId", json!("customer_1")), "ignored: raw");
    check_announced(raw, "CHAT_UNASSIGNED", "ignored: raw");
}

#[test]
fn a_chat_of_a_group_or_on_instagram_is_a_row_with_what_is_known() {
    let mut inbox = Inbox::new(RULES);
    let handle = json!({ "chatId": "chat_ig", "customerPhone": null, "wabaNumber": "clinic_2" });
    let row = inbox.row(handle, NOW);
    assert_eq!((row.waba_number.reveal(), row.customer_phone.reveal()), ("clinic_2", ""));
    assert_eq!(row.chat_url(), None, "a handle's digits are no number");
    let group = json!({ "chatId": "chat_group", "groupId": "group_1", "wabaNumber": "+91900" });
    assert_eq!(inbox.row(group, NOW).chat_id.reveal(), "chat_group");
    let named = json!({ "event": "CHAT_UNASSIGNED", "groupId": "group_2", "wabaNumber": "+91900" });
    assert_eq!(inbox.row(named, NOW).chat_id.reveal(), "group_2");
}

/// Two handles with the same digits, or with none, are two customers and two lines.
#[test]
fn handles_are_never_taken_for_one_another() {
    for (one, other) in [("rohan_1", "arti_1"), ("rohan", "arti"), ("@rohan7", "@arti7")] {
        let mut inbox = Inbox::new(RULES);
        let said = json!({ "customerName": "Rohan", "customerPhone": one, "conversationOpened": true,
            "from": one, "to": "clinic_1", "dtCustomerId": "customer_1" });
        inbox.hear(said, NOW);
        let body = |line: &str| {
            json!({ "chatId": "c", "customerPhone": other, "wabaNumber": line,
            "dtCustomerId": "customer_2" })
        };
        assert_eq!(inbox.row(body("clinic_1"), NOW).customer_name.reveal(), "", "{other}");
        let closed = |line: &str| {
            json!({ "customerPhone": other, "from": other, "to": line,
            "dtCustomerId": "customer_2", "closeConversation": true })
        };
        inbox.hear(closed("clinic_2"), NOW.plus_ms(1));
        assert_eq!(inbox.waiting().len(), 1, "closed on another line");
        inbox.hear(closed("Clinic_1"), NOW.plus_ms(2));
        assert_eq!(inbox.waiting().len(), 0);
    }
}

#[test]
fn messages_are_not_acted_on() {
    check(
        json!({
            "to": "919000000000", "from": "919999999999", "messageId": "wamid.1",
            "dtMessageId": "8b4abc26", "receivedAt": "2026-06-04T11:57:57.796Z",
            "contact": { "name": "John Doe" }, "callbackData": null, "integrationType": "WHATSAPP",
            "message": { "type": "TEXT", "text": "Hello", "context": {} }, "isAgentOffline": false,
            "customerId": "customer_1", "dtCustomerId": "customer_1",
        }),
        "ignored: message",
    );
    check(
        json!({
            "to": "919000000000", "from": "919999999999", "receivedAt": "2026-06-04T11:57:57.796Z",
            "dtCustomerId": "customer_1",
        }),
        "ignored: message",
    );
    check(
        json!({ "messageId": "m", "to": "919999999999", "status": "READ", "dtCustomerId": "c" }),
        "ignored: message",
    );
}

#[test]
fn calls_are_not_acted_on_with_and_without_a_chat() {
    for chat in ["chat_1", ""] {
        let call = json!({
            "event": "CALL_MISSED", "callId": "call_1", "chatMessageId": "msg_1", "chatId": chat,
            "wabaNumber": "919000000000", "customerNumber": "919876543210",
            "customerName": "Rohan Mehta", "customerId": "customer_1", "callStatus": "MISSED",
        });
        check(call.clone(), "ignored: call");
        check(with(call, "event", Value::Null), "ignored: call");
    }
    check(
        json!({
            "from": "+919876543210", "to": "+919000000000", "messageId": "m", "response": "accept",
            "receivedAt": "2026-01-15T10:30:00.000Z", "dtCustomerId": "customer_1",
        }),
        "ignored: message",
    );
}

#[test]
fn groups_notes_tags_leads_templates_and_escalations_are_not_acted_on() {
    check(
        json!({ "event": "GROUP_PARTICIPANT_LEFT", "groupId": "g", "customerPhone": "+91987" }),
        "ignored: group",
    );
    check(json!({ "event": "GROUP_CREATED", "groupId": null }), "ignored: group");
    check(
        json!({
            "event": "note-created", "noteId": "note_1", "customerPhone": "+919876543210",
            "note": "prefers Hindi", "dtCustomerId": "customer_1",
            "createdAt": "2026-01-15T10:30:00.000Z",
        }),
        "ignored: note",
    );
    for flag in ["tagAdded", "tagRemoved"] {
        let tag =
            json!({ "tagId": "tag_1", "from": "+919876543210", "dtCustomerId": "customer_1" });
        check(with(tag, flag, json!(true)), "ignored: tag");
    }
    check(
        json!({
            "customerName": "Rohan Mehta", "customerPhone": "+919876543210", "isCTWA": false,
            "from": "+919876543210", "to": "+919000000000", "dtMessageId": "m",
            "dtCustomerId": "customer_1", "newLead": true,
        }),
        "ignored: lead",
    );
    check(
        json!({ "event": "TEMPLATE_STATUS_UPDATE", "templateName": "t", "agentName": "James" }),
        "ignored: template",
    );
    check(
        json!({
            "customerPhone": "+919876543210", "wabaNumber": "+919000000000", "escalationLevel": 1,
            "eventType": "ON_SLA_ESCALATED_PUBLIC",
        }),
        "ignored: sla",
    );
}

#[test]
fn an_agent_going_offline_is_not_an_assignment() {
    let status = json!({
        "event": "ASSIGNED_AGENT_STATUS_CHANGED", "assignedUserName": "James Smith",
        "assignedUserPhone": "+919111222333", "status": "OFFLINE", "previousStatus": "ONLINE",
        "wabaNumber": "+919000000000", "customerPhones": ["+919876543210"],
    });
    check(status.clone(), "ignored: agent_status");
    let nobody = with(with(status, "assignedUserName", Value::Null), "customerPhones", json!([]));
    check(nobody, "ignored: agent_status");
}

/// A charge names the customer and the number, and nothing else that tells it from an unassignment.
#[test]
fn a_conversation_that_was_charged_is_not_a_patient_who_waits() {
    let cost = json!({
        "conversationId": "conv_1", "customerName": "James Smith", "cost": 0.0058,
        "customerPhone": "+919876543210", "wabaNumber": "+919000000000",
        "conversationType": "USER_INITIATED", "countryCode": "IN",
    });
    assert!(word(recognise(&cost, None, NOW)).starts_with("ignored"), "by its shape");
    let named = recognise(&cost, Some("CONVERSATION_COST_DEDUCTED"), NOW);
    assert!(word(named).starts_with("ignored"), "by its name");
}

#[test]
fn a_custom_field_that_changed_is_not_a_patient_who_waits() {
    let field = json!({
        "customerId": "customer_1", "customerPhone": "+919876543210", "customFieldId": "cf_1",
        "customFieldUniqueName": "language", "value": null, "customFieldType": "text",
        "customFieldEventType": "ATTRIBUTE_REMOVED", "dtCustomerId": "customer_1",
        "name": "John Doe", "nameOnWhatsapp": "John", "wabaNumber": "+919000000000",
        "changedAt": "2026-01-15T12:00:00.000Z",
    });
    assert!(word(recognise(&field, None, NOW)).starts_with("ignored"), "by its shape");
    let named = recognise(&field, Some("UPDATE_CUSTOMER_CUSTOM_FIELD"), NOW);
    assert!(word(named).starts_with("ignored"), "by its name");
}

#[test]
fn leads_from_a_form_on_the_web_are_not_acted_on() {
    let answers = json!([
        { "field": "name", "value": "Rohan Mehta" }, { "field": "phone", "value": "+919876543210" },
    ]);
    let verified = json!({
        "whatsappNumber": "+919876543210", "verified": true, "data": answers, "dtCustomerId": "c",
    });
    assert!(word(recognise(&verified, None, NOW)).starts_with("ignored"));
    // It names nobody that we know, so its shape may stay unknown; it must not become a row.
    assert!(!matches!(recognise(&json!({ "data": answers }), None, NOW), Recognised::Event(_)));
}

#[test]
fn an_event_named_by_its_address_is_believed() {
    let bare = json!({ "customerPhone": "+919111222333" });
    check_announced(bare.clone(), "CHAT_ASSIGNED_TO_AGENT", "assigned");
    check_announced(bare.clone(), "CONVERSATION_OPENED", "opened");
    check_announced(bare.clone(), "COVERSATION_OPENED", "opened");
    check_announced(bare.clone(), "CLOSE_CONVERSATION", "closed");
    check_announced(bare.clone(), "MESSAGE_RECEIVED", "ignored: message");
    check_announced(bare.clone(), "chat-unassigned", "unassigned");
    check_announced(opened("+91900", "Rohan"), "CHAT_UNASSIGNED", "unassigned");
    check_announced(with(bare, "event", json!("NEW_THING")), "CHAT_UNASSIGNED", "unassigned");
}

#[test]
fn an_address_that_names_nothing_we_know_leaves_it_to_the_shape() {
    check_announced(unassigned("chat_1"), "SOMETHING_ELSE", "unassigned");
    check_announced(unassigned("chat_1"), "", "unassigned");
}

#[test]
fn a_body_that_names_itself_is_believed_however_it_spells_the_name() {
    for name in ["CHAT_UNASSIGNED", "chat_unassigned", "Chat-Unassigned", "chat.unassigned"] {
        for key in ["event", "eventType", "webhookEvent"] {
            check(
                with(json!({ "dtCustomerId": "c", "text": "x" }), key, json!(name)),
                "unassigned",
            );
        }
    }
}

#[test]
fn a_body_under_a_name_that_we_do_not_know_is_kept_and_not_guessed() {
    check(with(unassigned("chat_1"), "event", json!("CHAT_SNOOZED")), "unrecognised");
    check(with(unassigned("chat_1"), "eventType", json!("CHAT_UNASSIGNED_V2")), "unrecognised");
}

#[test]
fn a_name_that_says_nothing_counts_as_none() {
    for blank in [Value::Null, json!(""), json!("null"), json!("  "), json!({}), json!([])] {
        check(with(unassigned("chat_1"), "event", blank), "unassigned");
    }
}

#[test]
fn no_unknown_key_beside_a_chat_id_hides_an_unassignment() {
    let keys = [
        "reason",
        "unassignedBy",
        "text",
        "message",
        "status",
        "from",
        "to",
        "templateName",
        "receivedAt",
        "customFields",
        "verified",
        "note",
        "groupId",
        "customerPhones",
        "orgId",
        "previousStatus",
        "integrationId",
        "agentName",
        "messageId",
        "name",
        "customFieldId",
        "conversationId",
        "cost",
        "value",
    ];
    for key in keys {
        for value in [json!("something"), json!(true), json!({ "a": 1 }), json!(["a"])] {
            check(with(unassigned("chat_1"), key, value), "unassigned");
        }
    }
}

#[test]
fn a_telling_key_without_a_value_tells_nothing() {
    let telling = ["assignedUserId", "assignedUserName", "callId", "noteId", "tagId", "newLead"];
    for key in telling.into_iter().chain(["conversationOpened", "closeConversation"]) {
        for nothing in [Value::Null, json!(""), json!("null"), json!(false), json!({}), json!([])] {
            check(with(unassigned("chat_1"), key, nothing), "unassigned");
        }
    }
}

#[test]
fn nothing_that_identifies_no_chat_becomes_an_event() {
    for body in [
        json!({}),
        json!({ "hello": "world" }),
        json!({ "chatId": "" }),
        json!({ "chatId": null, "dtCustomerId": "null", "customerPhone": " " }),
        json!({ "event": "CHAT_UNASSIGNED" }),
        json!({ "event": "CHAT_UNASSIGNED", "wabaNumber": "+919000000000" }),
        json!({ "conversationOpened": true }),
        json!({ "object": "whatsapp_business_account" }),
        json!([]),
        json!([unassigned("chat_1"), unassigned("chat_2")]),
        json!("chatId"),
        json!(17),
        Value::Null,
    ] {
        check(body, "unrecognised");
    }
}

#[test]
fn the_dress_of_a_body_does_not_matter() {
    let bare = unassigned("chat_1");
    let text = Value::String(bare.to_string());
    for dressed in [
        json!([bare]),
        json!({ "data": bare }),
        json!({ "payload": bare }),
        json!({ "data": [bare] }),
        json!([{ "payload": bare }]),
        json!({ "data": text }),
        json!({ "payload": text }),
        json!({ "data": "no JSON", "payload": bare }),
        json!({ "chatId": null, "data": bare }),
    ] {
        let read = event(dressed);
        assert_eq!(read.happening, Happening::Unassigned);
        assert_eq!(read.chat_id.reveal(), "chat_1");
        assert_eq!(read.customer_phone.reveal(), "+919111222333");
    }
}

#[test]
fn what_an_envelope_says_beside_the_body_is_read_too() {
    let body = json!({ "event": "CHAT_UNASSIGNED", "timestamp": NOW.0, "data": { "chatId": "c" } });
    assert_eq!(event(body).at, Some(NOW));
    check(json!({ "event": "CALL_ENDED", "data": { "chatId": "c" } }), "ignored: call");
}

#[test]
fn an_envelope_is_left_closed_where_the_body_names_the_chat_itself() {
    let body = with(unassigned("chat_1"), "data", json!({ "chatId": "chat_2", "callId": "x" }));
    assert_eq!(event(body).chat_id.reveal(), "chat_1");
}
