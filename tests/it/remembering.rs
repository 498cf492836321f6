//! The row says who was looking after the patient, although the event does not.

use serde_json::{Value, json};

use crate::harness::{Clinic, unassigned};

fn assigned(chat: &str, agent: &str, phone: &str) -> Value {
    json!({
        "chatId": chat,
        "assignedUserId": format!("user_{agent}"),
        "assignedUserName": agent,
        "assignedUserPhone": phone,
        "assignedUserEmail": "agent@example.com",
        "assignedUserWabaNumber": "+919000000000",
        "customerPhone": "+919111222333",
        "dtCustomerId": format!("customer_{chat}"),
        "message": { "text": "assigned" },
    })
}

fn conversation(chat: &str, name: &str, flag: &str) -> Value {
    let mut event = json!({
        "customerName": name,
        "customerPhone": "+919111222333",
        "from": "+919111222333",
        "to": "+919000000000",
        "dtCustomerId": format!("customer_{chat}"),
    });
    event[flag] = json!(true);
    event
}

#[tokio::test]
async fn the_row_names_the_agent_and_the_customer_also_after_a_crash() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&conversation("chat_1", "Rohan Mehta", "conversationOpened")).await;
    let words = service.take(&assigned("chat_1", "Asha Nair", "+919800000001")).await;
    assert_eq!(words["status"], "accepted");
    service.kill();
    let service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
    let row = &clinic.rows()[0];
    assert_eq!(row[1..5], ["Rohan Mehta", "+919111222333", "Asha Nair", "+919800000001"]);
    let metrics = service.metrics().await;
    assert_eq!((metrics["accepted_total"], metrics["remembered_total"]), (1.0, 2.0));
}

#[tokio::test]
async fn without_the_other_events_rows_come_blank_where_nothing_is_known() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
    assert_eq!(clinic.rows()[0][1..5], ["", "+919111222333", "", ""]);
}

#[tokio::test]
async fn a_chat_closed_since_names_nobody() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&assigned("chat_1", "Asha Nair", "+919800000001")).await;
    service.take(&conversation("chat_1", "Rohan Mehta", "closeConversation")).await;
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
    assert_eq!(clinic.rows()[0][1..5], ["Rohan Mehta", "+919111222333", "", ""]);
}
