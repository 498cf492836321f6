//! The row says who was looking after the patient, although the event does not.

use std::time::{Duration, Instant};

use fake_google::{DoubleTickFault, FakeDoubleTick};
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

/// A clinic that may ask DoubleTick, which knows one patient.
fn asking(doubletick: &FakeDoubleTick) -> Clinic {
    doubletick.chat_arrives("chat_1", "Rohan Mehta", "+919111222333", "919000000000");
    Clinic::new()
        .with("DOUBLETICK_API_URL", doubletick.url())
        .with("DOUBLETICK_API_KEY", doubletick.key())
}

fn lookups(doubletick: &FakeDoubleTick) -> Vec<String> {
    doubletick.requests("/customer/details")
}

#[tokio::test]
async fn a_name_that_no_event_told_is_looked_up_once_and_remembered() {
    let doubletick = FakeDoubleTick::start(&["919000000000"]);
    let clinic = asking(&doubletick);
    doubletick.fail_details(DoubleTickFault::Slow(Duration::from_millis(100)));
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
    let mut again = unassigned("chat_2");
    again["dtCustomerId"] = json!("customer_chat_1");
    service.take(&again).await;
    clinic.expect_rows(2);
    service.drained().await;
    assert_eq!(clinic.google.column("Unassigned chats", "Customer name"), ["Rohan Mehta"; 2]);
    // Asked again for a name that is known, there would be two.
    assert_eq!(lookups(&doubletick), ["GET /customer/details?customerId=customer_chat_1"]);
    assert!(!service.log().contains("key_of") && !service.log().contains("Rohan"));
}

#[tokio::test]
async fn a_lookup_that_takes_too_long_delays_no_row_by_more_than_two_seconds() {
    let doubletick = FakeDoubleTick::start(&["919000000000"]);
    let clinic = asking(&doubletick);
    doubletick.fail_details(DoubleTickFault::Slow(Duration::from_secs(30)));
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    let posted = Instant::now();
    for n in 0..20 {
        service.take(&unassigned(&format!("chat_{n}"))).await;
    }
    clinic.expect_rows(20);
    // Two seconds are ours, the rest is the machine's.
    assert!(posted.elapsed() < Duration::from_millis(4_500), "{:?}", posted.elapsed());
    service.drained().await;
    assert!(clinic.rows().iter().all(|row| row[1].is_empty()));
    let chats: Vec<String> = (0..20).map(|n| format!("chat_{n}")).collect();
    assert_eq!(clinic.chats(), chats, "order is kept");
}

/// It says nothing of the customer that DoubleTick could not be asked, so the next row asks again.
#[tokio::test]
async fn a_lookup_that_failed_for_a_moment_is_not_taken_for_a_customer_without_a_name() {
    for status in [500, 429] {
        let doubletick = FakeDoubleTick::start(&["919000000000"]);
        let clinic = asking(&doubletick);
        doubletick.fail_details(DoubleTickFault::Status(status));
        let service = clinic.open();
        for chat in ["chat_1", "chat_2"] {
            let mut event = unassigned(chat);
            event["dtCustomerId"] = json!("customer_1");
            service.take(&event).await;
            service.drained().await;
        }
        assert_eq!(lookups(&doubletick).len(), 2, "{status}");
        clinic.expect_rows(2);
    }
}

#[tokio::test]
async fn a_lookup_for_one_branch_delays_no_row_of_another() {
    let doubletick = FakeDoubleTick::start(&["919000000000"]);
    let clinic = asking(&doubletick).with("ROUTES", "+919000000001=2north");
    doubletick.fail_details(DoubleTickFault::Slow(Duration::from_secs(30)));
    clinic.google.add_spreadsheet("2north", "Asia/Kolkata");
    let north = clinic.google.open("2north");
    let service = clinic.open();
    service.settled().await;
    let give_up = Instant::now() + crate::harness::PATIENCE;
    while !north.tabs().iter().any(|tab| tab == "Unattended now") {
        assert!(Instant::now() < give_up, "the other spreadsheet was not set up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut named = unassigned("chat_north");
    named["wabaNumber"] = json!("+919000000001");
    named["customerName"] = json!("Rohan Mehta");
    // Long enough for several writes of the other spreadsheet within the two seconds of this wait.
    service.take(&unassigned("chat_south")).await;
    service.take(&named).await;
    assert!(north.wait_for_rows("Unassigned chats", 1, crate::harness::PATIENCE));
    assert_eq!(clinic.rows().len(), 0, "the row that waits for its name came first");
    clinic.expect_rows(1);
    service.drained().await;
}

#[tokio::test]
async fn a_key_that_is_not_accepted_is_said_once_and_names_stay_blank() {
    let doubletick = FakeDoubleTick::start(&["919000000000"]);
    let clinic = asking(&doubletick).with("DOUBLETICK_API_KEY", "key_of-somebody-else");
    let service = clinic.open();
    for n in 0..3 {
        service.take(&unassigned(&format!("chat_{n}"))).await;
    }
    clinic.expect_rows(3);
    service.drained().await;
    assert_eq!(service.log().matches("DOUBLETICK_API_KEY").count(), 1);
    assert_eq!(service.metrics().await["name_lookups_total{outcome=\"key_refused\"}"], 3.0);
}

#[tokio::test]
async fn what_an_older_version_did_not_recognise_is_replayed_once_beside_the_running_service() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let unheard = service.take(&json!({ "event": "UNHEARD_OF", "x": 1 })).await;
    assert_eq!(unheard["status"], "unrecognised");
    // As if that version had not known this shape.
    let database = rusqlite::Connection::open(clinic.dir.path().join("journal.sqlite3")).unwrap();
    let body = unassigned("replayed").to_string().into_bytes();
    database.execute("UPDATE unrecognised SET body = ?1", [body]).unwrap();
    service.take(&json!({ "event": "UNHEARD_OF_TOO" })).await;
    let replayed = clinic.run(&["replay"]);
    assert!(replayed.stdout.starts_with("1 accepted"), "{}{}", replayed.stdout, replayed.stderr);
    assert!(replayed.stdout.contains("1 still unrecognised"));
    clinic.expect_rows(1);
    service.drained().await;
    let again = clinic.run(&["replay"]);
    assert!(again.stdout.starts_with("0 accepted"), "{}", again.stdout);
    service.take(&unassigned("after")).await;
    clinic.expect_rows(2);
    service.drained().await;
    assert_eq!(clinic.chats(), ["replayed", "after"]);
    let metrics = service.metrics().await;
    assert_eq!((metrics["accepted_total"], metrics["written_total"]), (2.0, 2.0));
}

#[tokio::test]
async fn one_patient_is_forgotten_at_once_and_the_others_are_not() {
    let clinic = Clinic::new();
    let service = clinic.open();
    for (chat, phone) in [("chat_1", "+919111222333"), ("chat_2", "+919111222444")] {
        let mut opened = conversation(chat, "Rohan Mehta", "conversationOpened");
        opened["customerPhone"] = json!(phone);
        service.take(&opened).await;
        let mut assigned = assigned(chat, "Asha Nair", "+919800000001");
        assigned["customerPhone"] = json!(phone);
        service.take(&assigned).await;
    }
    service.take(&json!({ "event": "UNHEARD_OF", "who": "91-9111-222-333" })).await;
    let forgotten = clinic.run(&["forget", "+91 9111 222333"]);
    assert!(forgotten.status.success(), "{}", forgotten.stderr);
    assert!(forgotten.stdout.contains("2 records"), "{}", forgotten.stdout);
    assert!(forgotten.stdout.contains("1 unrecognised"), "{}", forgotten.stdout);
    assert!(forgotten.stdout.contains("yours to edit"));
    service.take(&unassigned("chat_1")).await;
    let mut other = unassigned("chat_2");
    other["customerPhone"] = json!("+919111222444");
    service.take(&other).await;
    clinic.expect_rows(2);
    service.drained().await;
    assert_eq!(clinic.rows()[0][1..4], ["", "+919111222333", ""]);
    assert_eq!(clinic.rows()[1][1..4], ["Rohan Mehta", "+919111222444", "Asha Nair"]);
}
