//! Who waits now, and how long others waited: what the supervisor opens the spreadsheet for.

use std::collections::BTreeMap;
use std::time::Duration;

use fake_google::{Fault, Refusal, Storm};
use serde_json::{Value, json};

use crate::harness::{BOARD_TAB, Clinic, HANDOVERS_TAB, LOG_TAB, unassigned};

/// Each chat is another patient's.
fn phone(chat: &str) -> String {
    format!("+91911122233{}", chat.chars().next().unwrap_or('0'))
}

fn assigned(chat: &str, agent: &str) -> Value {
    json!({ "chatId": chat, "assignedUserId": "user_1", "assignedUserName": agent,
            "customerPhone": phone(chat), "message": { "text": "assigned" } })
}

fn closed(chat: &str) -> Value {
    json!({ "from": phone(chat), "to": "+919000000000", "closeConversation": true,
            "dtCustomerId": format!("customer_{chat}") })
}

/// Who is on the board, from the top.
fn names(clinic: &Clinic) -> Vec<String> {
    clinic.board().into_iter().map(|line| line[2].clone()).filter(|name| !name.is_empty()).collect()
}

fn dropped(chat: &str) -> Value {
    let mut event = unassigned(chat);
    event["customerName"] = json!(format!("Patient {chat}"));
    event["customerPhone"] = json!(phone(chat));
    event
}

#[tokio::test]
async fn an_empty_board_says_that_nobody_waits_and_since_when_that_is_so() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    assert!(clinic.headline().starts_with("Nobody is waiting · updated "), "{}", clinic.headline());
    let labels = &clinic.google.rows(BOARD_TAB)[1];
    assert_eq!(labels[..3], ["Waiting", "Unassigned at", "Customer name"]);
}

#[tokio::test]
async fn the_board_shows_who_waits_and_the_handovers_who_took_them() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&assigned("0", "Asha Nair")).await;
    for chat in ["1", "2", "3"] {
        service.take(&assigned(chat, "Asha Nair")).await;
        service.take(&dropped(chat)).await;
    }
    service.drained().await;
    clinic.wait_for_headline("3 patients waiting").await;
    assert_eq!(names(&clinic), ["Patient 1", "Patient 2", "Patient 3"]);
    let line = &clinic.board()[0];
    assert_eq!(line[3..], ["+919111222331", "Asha Nair", "", "+919000000000", "1", "Open chat"]);

    service.take(&assigned("2", "John Doe")).await;
    service.take(&closed("3")).await;
    service.drained().await;
    clinic.wait_for_headline("1 patient waiting").await;
    assert_eq!(names(&clinic), ["Patient 1"]);
    let handovers = clinic.google.rows(HANDOVERS_TAB);
    assert_eq!(
        handovers[0][..4],
        ["Customer name", "Customer phone", "Previous agent", "Taken by"]
    );
    assert_eq!(handovers[1][..4], ["Patient 2", "+919111222332", "Asha Nair", "John Doe"]);
    assert_eq!(handovers[2][..4], ["Patient 3", "+919111222333", "Asha Nair", "closed"]);
    assert_eq!(handovers.len(), 3);
    let metrics = service.metrics().await;
    assert_eq!((metrics["handovers_written_total"], metrics["waiting"]), (2.0, 1.0));
}

#[tokio::test]
async fn who_is_dropped_again_waits_once_and_is_counted_twice() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&dropped("1")).await;
    service.take(&assigned("1", "Asha Nair")).await;
    service.take(&dropped("1")).await;
    service.drained().await;
    clinic.wait_for_headline("1 patient waiting").await;
    assert_eq!(clinic.board()[0][7], "2");
    assert_eq!(clinic.rows().len(), 2);
    assert_eq!(clinic.google.rows(HANDOVERS_TAB).len(), 2);
}

#[tokio::test]
async fn the_waiting_time_is_a_formula_and_nothing_a_patient_wrote_is() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let mut event = dropped("1");
    event["customerName"] = json!("=HYPERLINK(\"http://x\",\"y\")");
    service.take(&event).await;
    service.drained().await;
    clinic.wait_for_headline("1 patient waiting").await;
    let entered = |column| clinic.google.cell(BOARD_TAB, 2, column)["userEnteredValue"].clone();
    assert_eq!(entered(0), json!({ "formulaValue": "=NOW()-B3" }));
    assert_eq!(entered(2), json!({ "stringValue": "=HYPERLINK(\"http://x\",\"y\")" }));
}

#[tokio::test]
async fn a_lost_answer_or_a_kill_leaves_the_board_as_true_as_the_log() {
    let clinic = Clinic::new();
    let mut service = clinic.open();
    service.settled().await;
    for round in 0..4 {
        clinic.google.fail_next_write(Fault::LoseAnswer);
        service.take(&dropped(&format!("{round}a"))).await;
        service.take(&dropped(&format!("{round}b"))).await;
        if round % 2 == 0 {
            service.kill();
            service = clinic.open();
        }
        service.take(&assigned(&format!("{round}a"), "Asha Nair")).await;
        service.drained().await;
    }
    clinic.wait_for_headline("4 patients waiting").await;
    assert_eq!(names(&clinic), ["Patient 0b", "Patient 1b", "Patient 2b", "Patient 3b"]);
    assert_eq!(clinic.rows().len(), 8);
    let taken = clinic.google.column(HANDOVERS_TAB, "Customer name");
    assert_eq!(taken, ["Patient 0a", "Patient 1a", "Patient 2a", "Patient 3a"]);
}

#[tokio::test]
async fn a_board_that_cannot_be_written_does_not_stop_the_log() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    clinic.google.staff().protect(BOARD_TAB);
    for chat in ["1", "2"] {
        service.take(&dropped(chat)).await;
        service.drained().await;
    }
    assert_eq!(clinic.rows().len(), 2);
    assert!(
        service.log().contains("the board `Unattended now` cannot be written"),
        "{}",
        service.log()
    );
}

#[tokio::test]
async fn a_tab_of_the_boards_title_about_something_else_is_left_alone() {
    let clinic = Clinic::new();
    let rows: [&[&str]; 2] = [&["Rota"], &["Doctor", "Monday"]];
    clinic.google.staff().add_tab(BOARD_TAB, &rows);
    let service = clinic.open();
    service.take(&dropped("1")).await;
    service.drained().await;
    assert_eq!(clinic.rows().len(), 1);
    assert_eq!(clinic.google.rows(BOARD_TAB)[1], ["Doctor", "Monday"]);
    assert!(service.log().contains("BOARD_NAME"), "{}", service.log());
}

#[tokio::test]
async fn what_people_keep_beside_and_between_our_columns_of_the_board_stays() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    let staff = clinic.google.staff();
    staff.insert_column(BOARD_TAB, 3, "Ward");
    staff.set_cell(BOARD_TAB, 4, 3, "theirs");
    staff.set_cell(BOARD_TAB, 4, 12, "theirs too");
    // Seen where the last look is not just behind.
    tokio::time::sleep(Duration::from_secs(9)).await;
    service.take(&dropped("1")).await;
    service.drained().await;
    clinic.wait_for_headline("1 patient waiting").await;
    let rows = clinic.google.rows(BOARD_TAB);
    assert_eq!(rows[2][2..5], ["Patient 1", "", "+919111222331"]);
    assert_eq!((rows[4][3].as_str(), rows[4][12].as_str()), ("theirs", "theirs too"));
}

#[tokio::test]
async fn the_board_says_that_rows_are_still_to_be_written() {
    let clinic = Clinic::new();
    let mut service = clinic.open();
    service.settled().await;
    service.leaves_rows_behind();
    // The handovers cannot be written; the log can, and the board says what is missing.
    clinic.google.staff().protect(HANDOVERS_TAB);
    service.take(&dropped("1")).await;
    service.drained().await;
    service.take(&assigned("1", "Asha Nair")).await;
    service.take(&dropped("2")).await;
    clinic.expect_rows(2);
    assert_eq!(clinic.google.column(HANDOVERS_TAB, "Customer name"), Vec::<String>::new());
    clinic.google.staff().unprotect(HANDOVERS_TAB);
}

#[tokio::test]
async fn forgetting_a_patient_takes_them_off_the_board() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&dropped("1")).await;
    service.drained().await;
    clinic.wait_for_headline("1 patient waiting").await;
    let ended = clinic.run(&["forget", "+919111222331"]);
    assert!(ended.status.success(), "{}", ended.stderr);
    clinic.wait_for_headline("Nobody is waiting").await;
    assert_eq!(names(&clinic), Vec::<String>::new());
    drop(service);
}

#[tokio::test]
async fn a_clinic_that_sends_no_assignments_is_told_what_to_tick() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&dropped("1")).await;
    service.drained().await;
    clinic.wait_for_headline("tick CHAT_ASSIGNED_TO_AGENT").await;
    let ended = clinic.run(&["check"]);
    assert!(ended.stdout.contains("CHAT_ASSIGNED_TO_AGENT"), "{}", ended.stdout);
    service.take(&assigned("1", "Asha Nair")).await;
    service.drained().await;
    clinic.wait_for_headline("Nobody is waiting").await;
    assert!(!clinic.headline().contains("tick"), "{}", clinic.headline());
}

#[tokio::test]
async fn google_refusing_to_tell_where_columns_are_stops_nothing() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    let body = r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"Invalid requests[1].updateDeveloperMetadata: Not today."}}"#;
    clinic.google.fail_next_write(Fault::Refuse(Refusal::Custom(400, body.to_owned())));
    for chat in ["1", "2"] {
        service.take(&dropped(chat)).await;
        service.drained().await;
    }
    assert_eq!(clinic.google.column(LOG_TAB, "Customer name"), ["Patient 1", "Patient 2"]);
}

/// Who waits, and the handovers of each patient in their order, as anyone would reckon it.
#[derive(Default)]
struct Plain {
    waiting: Vec<String>,
    taken: BTreeMap<String, Vec<String>>,
}

impl Plain {
    fn ends(&mut self, chat: &str, by: &str) {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting != chat);
        if self.waiting.len() < before {
            self.taken.entry(format!("Patient {chat}")).or_default().push(by.to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_events_faults_and_crashes_the_board_equals_a_plain_model() {
    let clinic = Clinic::new();
    let mut random = fastrand::Rng::with_seed(20_261_122);
    let mut plain = Plain::default();
    let storm = Storm { seed: 7, lost_answer: 0.2, unavailable_503: 0.1, ..Storm::default() };
    clinic.google.storm(storm);
    let mut service = clinic.open();
    for step in 0..240 {
        let chat = random.usize(0..9).to_string();
        match random.u8(0..10) {
            0..=4 => {
                // A time of its own: no event is taken for a resend of another.
                let mut event = dropped(&chat);
                event["timestamp"] = json!(1_780_000_000_000_i64 + step * 1_000);
                service.take(&event).await;
                if !plain.waiting.contains(&chat) {
                    plain.waiting.push(chat);
                }
            }
            5..=7 => {
                let agent = format!("Agent {step}");
                service.take(&assigned(&chat, &agent)).await;
                plain.ends(&chat, &agent);
            }
            8 => {
                let mut event = closed(&chat);
                event["timestamp"] = json!(1_780_000_000_000_i64 + step * 1_000);
                service.take(&event).await;
                plain.ends(&chat, "closed");
            }
            _ if step % 4 == 0 => {
                service.kill();
                service = clinic.open();
            }
            _ => {}
        }
    }
    clinic.google.calm();
    service.drained().await;
    let count = plain.waiting.len();
    clinic.wait_for_headline(&format!("{count} patients waiting")).await;
    let expected: Vec<String> =
        plain.waiting.iter().map(|chat| format!("Patient {chat}")).collect();
    assert_eq!(names(&clinic), expected);
    let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in clinic.google.rows(HANDOVERS_TAB).into_iter().skip(1) {
        taken.entry(row[0].clone()).or_default().push(row[3].clone());
    }
    assert_eq!(taken, plain.taken);
}
