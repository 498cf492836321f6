//! Several branches: each number's rows in its own tab or spreadsheet. And what time does to a tab: a
//! new one each month, and a workbook that fills up.

use std::time::{Duration, Instant};

use fake_google::{FakeGoogle, Fault};
use serde_json::{Value, json};

use crate::harness::{BOARD_TAB, Clinic, HANDOVERS_TAB, LOG_TAB, PATIENCE, Service, unassigned};

const NORTH: &str = "1NorthBranchOfTheClinic";
const OTHER: &str = "+919000000002";

/// A chat of this number of the clinic's.
fn at(number: &str, chat: &str) -> Value {
    let mut event = unassigned(chat);
    event["wabaNumber"] = json!(number);
    event["customerName"] = json!(chat);
    event
}

/// A clinic with a branch in a spreadsheet of its own.
fn two_spreadsheets() -> (Clinic, FakeGoogle) {
    let clinic = Clinic::new().with("ROUTES", &format!("{OTHER}={NORTH}/Waiting north"));
    clinic.google.add_spreadsheet(NORTH, "Asia/Kolkata");
    let north = clinic.google.open(NORTH);
    (clinic, north)
}

async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn post_between(service: &Service, count: usize) {
    for n in 0..count {
        service.take(&at("+919000000000", &format!("south {n}"))).await;
        service.take(&at(OTHER, &format!("north {n}"))).await;
    }
}

#[tokio::test]
async fn each_branch_has_its_rows_its_board_and_its_handovers() {
    let (clinic, north) = two_spreadsheets();
    let service = clinic.open();
    post_between(&service, 3).await;
    let taken = json!({ "chatId": "north 1", "assignedUserName": "Asha Nair" });
    service.take(&taken).await;
    service.drained().await;
    assert_eq!(clinic.google.column(LOG_TAB, "Chat ID"), ["south 0", "south 1", "south 2"]);
    assert_eq!(north.column("Waiting north", "Chat ID"), ["north 0", "north 1", "north 2"]);
    assert_eq!(north.column(HANDOVERS_TAB, "Customer name"), ["north 1"]);
    assert_eq!(clinic.google.column(HANDOVERS_TAB, "Customer name"), Vec::<String>::new());
    clinic.wait_for_headline("3 patients waiting").await;
    wait_until("the north's board", || north.row(BOARD_TAB, 0)[0].starts_with("2 patients")).await;
}

#[tokio::test]
async fn two_tabs_of_one_spreadsheet_share_its_board() {
    let clinic = Clinic::new().with("ROUTES", &format!("{OTHER}=/North; +919000000003=/East"));
    let service = clinic.open();
    post_between(&service, 2).await;
    service.take(&at("+919000000003", "east 0")).await;
    service.drained().await;
    assert_eq!(clinic.chats(), ["south 0", "south 1"]);
    assert_eq!(clinic.google.column("North", "Chat ID"), ["north 0", "north 1"]);
    assert_eq!(clinic.google.column("East", "Chat ID"), ["east 0"]);
    clinic.wait_for_headline("5 patients waiting").await;
}

#[tokio::test]
async fn one_broken_spreadsheet_does_not_delay_the_others() {
    let clinic = Clinic::new().with("ROUTES", &format!("{OTHER}={NORTH}"));
    // It is not there yet: nobody shared it.
    let mut service = clinic.open();
    post_between(&service, 2).await;
    service.wait_for_sheet("parked").await;
    let mut ready = service.ready().await;
    let give_up = Instant::now() + PATIENCE;
    while ready["pending_rows"] != 2 {
        assert!(Instant::now() < give_up, "{ready}");
        ready = service.ready().await;
    }
    assert_eq!(clinic.chats(), ["south 0", "south 1"]);
    let state = |name: &str| {
        let sheets = ready["sheets"].as_array().unwrap();
        sheets.iter().find(|sheet| sheet["name"] == name).unwrap()["sheet"].clone()
    };
    assert_eq!((state("default"), state("spreadsheet 2")), (json!("delivering"), json!("parked")));
    assert!(!ready.to_string().contains(NORTH), "the id opens the sheet");
    clinic.google.add_spreadsheet(NORTH, "Asia/Kolkata");
    service.leaves_rows_behind();
    drop(service);
    let service = clinic.open();
    service.drained().await;
    assert_eq!(clinic.google.open(NORTH).column(LOG_TAB, "Chat ID"), ["north 0", "north 1"]);
}

#[tokio::test]
async fn the_quota_is_kept_by_all_together_and_shared() {
    let (clinic, north) = two_spreadsheets();
    let clinic = clinic.with("MAX_WRITES_PER_MINUTE", "12");
    let mut service = clinic.open();
    service.leaves_rows_behind();
    service.settled().await;
    wait_until("the north's board", || !north.row(BOARD_TAB, 0).is_empty()).await;
    // One has always something to write; the other, which comes later, still gets its turn.
    for n in 0..40 {
        service.take(&at("+919000000000", &format!("south {n}"))).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    service.take(&at(OTHER, "north 0")).await;
    wait_until("a row of the north", || north.row_count("Waiting north") > 1).await;
    assert!(clinic.google.writes_per_minute_max() <= 12);
}

#[tokio::test]
async fn rows_of_a_number_that_is_routed_elsewhere_meanwhile_follow_it() {
    let clinic = Clinic::new();
    let mut service = clinic.open();
    service.settled().await;
    clinic.google.outage(true);
    post_between(&service, 2).await;
    service.leaves_rows_behind();
    service.kill();
    clinic.google.heal();
    let (moved, north) = {
        clinic.google.add_spreadsheet(NORTH, "Asia/Kolkata");
        let north = clinic.google.open(NORTH);
        (clinic.with("SPREADSHEET_ID", NORTH), north)
    };
    let service = moved.open();
    service.drained().await;
    let mut chats = north.column(LOG_TAB, "Chat ID");
    chats.sort();
    assert_eq!(chats, ["north 0", "north 1", "south 0", "south 1"]);
}

/// A row whose write is under way for a second when the service is killed; it is started again with another
/// spreadsheet, before that write is applied or after it.
async fn moved_in_the_middle_of_a_write(is_applied_before: bool) -> (Vec<String>, Vec<String>) {
    let clinic = Clinic::new();
    let mut service = clinic.open();
    service.settled().await;
    clinic.google.fail_next_write(Fault::Slow(Duration::from_secs(1)));
    let writes = clinic.google.writes();
    service.take(&at(OTHER, "chat 0")).await;
    wait_until("the write", || clinic.google.writes() > writes).await;
    service.leaves_rows_behind();
    service.kill();
    if is_applied_before {
        clinic.expect_rows(1);
    }
    clinic.google.add_spreadsheet(NORTH, "Asia/Kolkata");
    let (north, moved) = (clinic.google.open(NORTH), clinic.with("SPREADSHEET_ID", NORTH));
    let service = moved.open();
    service.drained().await;
    service.take(&at(OTHER, "chat 1")).await;
    service.drained().await;
    // Nor does it come when nobody waits for it any more.
    wait_until("the end of the write", || moved.google.writes_in_flight() == 0).await;
    wait_until("the new board", || north.row(BOARD_TAB, 0)[0].starts_with("2 patients")).await;
    (moved.google.column(LOG_TAB, "Chat ID"), north.column(LOG_TAB, "Chat ID"))
}

#[tokio::test]
async fn a_row_that_came_to_a_former_spreadsheet_does_not_come_to_the_new_one() {
    let (former, new) = moved_in_the_middle_of_a_write(true).await;
    assert_eq!((former, new), (vec!["chat 0".to_owned()], vec!["chat 1".to_owned()]));
}

#[tokio::test]
async fn a_row_that_goes_to_the_new_spreadsheet_does_not_come_to_the_former_one_later() {
    let (former, new) = moved_in_the_middle_of_a_write(false).await;
    assert_eq!((former, new), (Vec::new(), vec!["chat 0".to_owned(), "chat 1".to_owned()]));
}

#[tokio::test]
async fn a_log_of_months_has_a_tab_for_each() {
    let clinic = Clinic::new().with("SHEET_NAME", "Log {month}").with("TIMEZONE", "Asia/Kolkata");
    let service = clinic.open();
    // Around midnight in India, from one month to the next.
    let midnight = 1_780_252_200_000_i64;
    for (n, minutes) in [-120, -1, 0, 30].into_iter().enumerate() {
        let mut event = unassigned(&format!("chat {n}"));
        event["unassignedAt"] = json!(midnight + minutes * 60_000);
        service.take(&event).await;
    }
    service.drained().await;
    assert_eq!(clinic.google.column("Log 2026-05", "Chat ID"), ["chat 0", "chat 1"]);
    assert_eq!(clinic.google.column("Log 2026-06", "Chat ID"), ["chat 2", "chat 3"]);
}

#[tokio::test]
async fn a_workbook_that_is_nearly_full_is_told_of_on_the_board_and_in_readyz() {
    let clinic = Clinic::new();
    clinic.google.staff().set_cell("Sheet1", 703_999, 25, "old rows");
    let service = clinic.open();
    clinic.wait_for_headline("the workbook is 91 % full").await;
    let ready = service.ready().await;
    let warning = ready["sheets"][0]["warning"].as_str().unwrap();
    assert!(warning.contains("91 %"), "{warning}");
}
