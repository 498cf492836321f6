//! What DoubleTick never told is found by asking it, once, and only where it is sure.

use std::time::{Duration, Instant};

use fake_google::{DoubleTickFault, FakeDoubleTick};

use crate::harness::{Clinic, HANDOVERS_TAB, LOG_TAB, PATIENCE, SECRET, Service, unassigned};

const WABA: &str = "919000000000";
const PHONE: &str = "919111222333";
const ASHA: (&str, &str) = ("Asha Nair", "919800000001");
const BALA: (&str, &str) = ("Bala Rao", "919800000002");

/// A clinic that asks every second.
fn clinic(doubletick: &FakeDoubleTick) -> Clinic {
    Clinic::new()
        .with("DOUBLETICK_API_URL", doubletick.url())
        .with("DOUBLETICK_API_KEY", doubletick.key())
        .with("ASK_SECONDS", "1")
}

/// From now on events arrive.
fn connect(doubletick: &FakeDoubleTick, service: &Service) {
    let url = format!("http://{}/webhooks/doubletick/{SECRET}", service.address);
    let events =
        ["CHAT_UNASSIGNED", "CHAT_ASSIGNED_TO_AGENT", "CONVERSATION_OPENED", "CLOSE_CONVERSATION"];
    doubletick.add_webhook(&url, "ours", &events, &[WABA]);
}

/// A patient's chat that Asha has, and a service that has heard so.
fn with_asha() -> (FakeDoubleTick, Clinic, Service) {
    let doubletick = FakeDoubleTick::start(&[WABA]);
    let clinic = clinic(&doubletick);
    let service = clinic.open();
    connect(&doubletick, &service);
    doubletick.chat_arrives("chat_1", "Rohan Mehta", PHONE, WABA);
    doubletick.assign("chat_1", ASHA.0, ASHA.1);
    (doubletick, clinic, service)
}

fn lists(doubletick: &FakeDoubleTick) -> usize {
    doubletick.requests("/chats").len()
}

/// Waits until so many more pages were asked for.
async fn asked(doubletick: &FakeDoubleTick, pages: usize) {
    let (before, give_up) = (lists(doubletick), Instant::now() + PATIENCE);
    while lists(doubletick) < before + pages {
        assert!(Instant::now() < give_up, "DoubleTick is not asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn wait_for_metric(service: &Service, name: &str, value: f64) {
    let give_up = Instant::now() + PATIENCE;
    while service.metrics().await.get(name) != Some(&value) {
        assert!(Instant::now() < give_up, "{name} is {:?}", service.metrics().await.get(name));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn wait_for_state(service: &Service, state: &str) {
    wait_for_metric(service, &format!("asking_state{{state=\"{state}\"}}"), 1.0).await;
}

#[tokio::test]
async fn a_drop_of_which_no_event_came_is_one_row_and_its_late_event_no_second() {
    let (doubletick, clinic, service) = with_asha();
    doubletick.hold_events();
    doubletick.unassign("chat_1");
    clinic.expect_rows(1);
    service.drained().await;
    let row = clinic.rows().remove(0);
    assert_eq!(row[1..5], ["Rohan Mehta", "+919111222333", ASHA.0, "+919800000001"]);
    let note = clinic.google.cell(LOG_TAB, 1, 0)["note"].as_str().unwrap().to_owned();
    assert!(note.starts_with("Found by asking DoubleTick"), "{note}");
    service.kill();
    let service = clinic.open();
    doubletick.deliver_events();
    connect(&doubletick, &service);
    asked(&doubletick, 4).await;
    // Nobody listened where it was sent to; sent anew, it is the same drop still.
    let words = service.take(&unassigned_of("chat_1")).await;
    assert_eq!(words["status"], "duplicate");
    asked(&doubletick, 3).await;
    service.drained().await;
    assert_eq!(clinic.rows(), [row]);
    let metrics = service.metrics().await;
    assert_eq!((metrics["accepted_total"], metrics["found_total"]), (1.0, 1.0));
    assert_eq!(clinic.board().len(), 1);
}

/// The event as DoubleTick sends it.
fn unassigned_of(chat: &str) -> serde_json::Value {
    let mut event = unassigned(chat);
    event["customerPhone"] = format!("+{PHONE}").into();
    event["wabaNumber"] = format!("+{WABA}").into();
    event["dtCustomerId"] = format!("customer_{chat}").into();
    event
}

#[tokio::test]
async fn who_was_taken_or_closed_without_an_event_leaves_the_board_with_a_handover() {
    for fault in [DoubleTickFault::Nothing, DoubleTickFault::FiltersIgnored] {
        check_ends(fault).await;
    }
}

/// Also where DoubleTick lists chats that somebody has.
async fn check_ends(fault: DoubleTickFault) {
    let doubletick = FakeDoubleTick::start(&[WABA]);
    doubletick.fail_lists(fault);
    let clinic = clinic(&doubletick);
    let service = clinic.open();
    connect(&doubletick, &service);
    for (chat, phone) in [("chat_1", PHONE), ("chat_2", "919111222334"), ("chat_3", "919111222335")]
    {
        doubletick.chat_arrives(chat, "Rohan Mehta", phone, WABA);
        doubletick.assign(chat, ASHA.0, ASHA.1);
        doubletick.unassign(chat);
    }
    clinic.wait_for_headline("3 patients waiting").await;
    doubletick.swallow_events();
    doubletick.assign("chat_1", BALA.0, BALA.1);
    doubletick.close("chat_2");
    clinic.wait_for_headline("1 patient waiting").await;
    service.drained().await;
    let mut by = clinic.google.column(HANDOVERS_TAB, "Taken by");
    by.sort();
    assert_eq!(by, [BALA.0, "closed"]);
    // What happens next is told and found as if the events had come.
    doubletick.unassign("chat_1");
    clinic.expect_rows(4);
    service.drained().await;
    assert_eq!(clinic.google.column(LOG_TAB, "Previous agent")[3], BALA.0);
    let metrics = service.metrics().await;
    assert_eq!((metrics["found_total"], metrics["found_ends_total"]), (1.0, 2.0));
}

#[tokio::test]
async fn whoever_was_never_heard_of_is_counted_above_the_board_and_is_no_row() {
    let doubletick = FakeDoubleTick::start(&[WABA]);
    let clinic = clinic(&doubletick);
    let service = clinic.open();
    doubletick.chat_arrives("chat_1", "Rohan Mehta", PHONE, WABA);
    doubletick.group_arrives("chat_2", "A family", WABA);
    doubletick.instagram_chat_arrives("chat_3", "Meera", "@the.clinic");
    clinic.wait_for_headline("1 more chat without an agent in DoubleTick").await;
    assert_eq!(service.metrics().await["unheard"], 1.0);
    assert_eq!(service.metrics().await["accepted_total"], 0.0);
    assert!(!service.log().contains("Rohan"));
}

#[tokio::test]
async fn a_list_that_makes_no_sense_changes_nothing_and_is_not_asked_for_again_soon() {
    for fault in [
        DoubleTickFault::Cut,
        DoubleTickFault::WrongTypes,
        DoubleTickFault::ErrorInside,
        DoubleTickFault::FirstPageAgain,
    ] {
        let (doubletick, clinic, service) = with_asha();
        doubletick.chat_arrives("chat_2", "Meera", "919111222334", WABA);
        doubletick.assign("chat_2", ASHA.0, ASHA.1);
        doubletick.unassign("chat_2");
        clinic.expect_rows(1);
        doubletick.fail_lists(fault);
        doubletick.swallow_events();
        doubletick.unassign("chat_1");
        wait_for_state(&service, "silent").await;
        let asked = lists(&doubletick);
        let ready = service.ready().await;
        let detail = ready["asking"]["detail"].as_str().unwrap();
        assert!(detail.contains("for an hour"), "{fault:?}: {detail}");
        // Events count as before.
        doubletick.deliver_events();
        doubletick.assign("chat_1", BALA.0, BALA.1);
        doubletick.unassign("chat_1");
        clinic.expect_rows(2);
        service.drained().await;
        assert_eq!(service.metrics().await["found_total"], 0.0, "{fault:?}");
        assert_eq!(lists(&doubletick), asked, "{fault:?}");
    }
}

#[tokio::test]
async fn what_is_out_of_order_for_a_moment_is_asked_again_and_a_pause_is_kept() {
    let (doubletick, clinic, service) = with_asha();
    doubletick.fail_lists(DoubleTickFault::Status(503));
    wait_for_state(&service, "failing").await;
    doubletick.swallow_events();
    doubletick.unassign("chat_1");
    asked(&doubletick, 2).await;
    doubletick.fail_next_lists(&[DoubleTickFault::Cut]);
    doubletick.heal();
    clinic.expect_rows(1);
    service.drained().await;
    // Asked for a pause, it is silent, for a minute where nothing else is said.
    doubletick.fail_lists(DoubleTickFault::Status(429));
    wait_for_state(&service, "failing").await;
    doubletick.heal();
    let before = lists(&doubletick);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(lists(&doubletick), before);
}

/// The list is sorted by the last change: who writes while it is read moves to its top, past what was read.
#[tokio::test]
async fn whoever_writes_while_the_list_is_read_still_waits() {
    let (doubletick, clinic, service) = with_asha();
    doubletick.unassign("chat_1");
    clinic.expect_rows(1);
    doubletick.swallow_events();
    let stir = |doubletick: &FakeDoubleTick| {
        // They are on the second page when the first was read.
        for number in 0..120 {
            let id = format!("other_{number}");
            doubletick.writes_again(&id);
        }
        doubletick.after_next_list(|doubletick| doubletick.writes_again("chat_1"));
    };
    for number in 0..120 {
        let (id, phone) = (format!("other_{number}"), format!("9192000{number:05}"));
        doubletick.chat_arrives(&id, "Somebody", &phone, WABA);
    }
    for _ in 0..3 {
        stir(&doubletick);
        asked(&doubletick, 3).await;
    }
    asked(&doubletick, 3).await;
    service.drained().await;
    assert_eq!(service.metrics().await["handovers_total"], 0.0);
    assert_eq!(clinic.board().len(), 1);
}
