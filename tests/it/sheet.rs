//! What people find in the sheet, and what they may do with it.

use serde_json::json;

use crate::harness::{BOARD_TAB, Clinic, HANDOVERS_TAB, LOG_TAB, unassigned};

const LABELS: [&str; 10] = [
    "Unassigned at",
    "Customer name",
    "Customer phone",
    "Previous agent",
    "Agent phone",
    "WABA number",
    "Status",
    "Chat",
    "Chat ID",
    "Event ID",
];

#[tokio::test]
async fn the_log_tab_is_made_with_its_header_and_formats() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let first = service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
    assert_eq!(clinic.google.rows(LOG_TAB)[0], LABELS);
    let row = &clinic.rows()[0];
    assert_eq!(row[2], "+919111222333");
    assert_eq!(&row[5..9], ["+919000000000", "Waiting", "Open chat", "chat_1"]);
    assert_eq!(row[9], first["event_id"].as_str().unwrap());
    let cell = |column| clinic.google.cell(LOG_TAB, 1, column);
    assert_eq!(cell(0)["userEnteredFormat"]["numberFormat"]["type"], "DATE_TIME");
    assert!(cell(0)["userEnteredValue"]["numberValue"].is_number());
    assert_eq!(cell(2)["userEnteredFormat"]["numberFormat"]["type"], "TEXT");
    assert_eq!(
        cell(7)["userEnteredFormat"]["textFormat"]["link"]["uri"],
        "https://web.doubletick.io/conversations/919000000000/919111222333"
    );
    assert_eq!(clinic.google.cell(LOG_TAB, 0, 0)["userEnteredFormat"]["textFormat"]["bold"], true);
}

#[tokio::test]
async fn hostile_names_arrive_as_text_and_never_as_formulas() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let names = [
        "=HYPERLINK(\"http://x\",\"y\")",
        "+919111222333",
        "@SUM(A1)",
        "-1+1",
        "'quoted",
        "😀 Zoë \\ \"x\"",
        "שלום עולם",
        "a<script>alert(1)</script>",
    ];
    for (n, name) in names.iter().enumerate() {
        let mut event = unassigned(&format!("chat_{n}"));
        event["customerName"] = json!(name);
        event["previousAgentName"] = json!(format!("A\u{0}\u{7}{name}\r\n"));
        service.take(&event).await;
    }
    clinic.expect_rows(names.len());
    service.drained().await;
    for (row, name) in (1..).zip(names) {
        for (column, text) in [(1, name.to_owned()), (3, format!("A{name}"))] {
            let value = &clinic.google.cell(LOG_TAB, row, column)["userEnteredValue"];
            assert_eq!(*value, json!({ "stringValue": text }));
        }
    }
}

#[tokio::test]
async fn a_renamed_tab_and_moved_columns_are_still_ours() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
    service.kill();
    let staff = clinic.google.staff();
    staff.rename_tab(LOG_TAB, "Wer wartet");
    staff.rename_header("Wer wartet", 8, "Chat no.");
    staff.move_column("Wer wartet", 9, 0);
    staff.insert_column("Wer wartet", 2, "Our notes");
    let service = clinic.open();
    service.take(&unassigned("chat_2")).await;
    service.drained().await;
    assert!(!clinic.google.tabs().contains(&LOG_TAB.to_owned()));
    assert_eq!(clinic.google.column("Wer wartet", "Chat no."), ["chat_1", "chat_2"]);
    let row = clinic.google.rows("Wer wartet").pop().unwrap();
    assert_eq!((row[2].as_str(), row[4].as_str()), ("", "+919111222333"));
}

#[tokio::test]
async fn a_tab_of_that_title_with_our_labels_is_continued_below() {
    let clinic = Clinic::new();
    clinic.google.staff().add_tab(
        LOG_TAB,
        &[&["Chat ID", "Notes", "customer phone"], &["old", "keep me", "123"], &["older", "", "4"]],
    );
    let service = clinic.open();
    service.take(&unassigned("new")).await;
    service.drained().await;
    let rows = clinic.google.rows(LOG_TAB);
    assert_eq!(&rows[0][..4], ["Chat ID", "Notes", "customer phone", "Unassigned at"]);
    assert_eq!(rows[1][..3], ["old", "keep me", "123"]);
    assert_eq!(rows[3][..3], ["new", "", "+919111222333"]);
}

#[tokio::test]
async fn a_tab_of_that_title_about_something_else_is_not_touched() {
    let clinic = Clinic::new();
    clinic.google.staff().add_tab(LOG_TAB, &[&["Item", "Price"], &["Soap", "40"]]);
    let mut service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    let advice = service.wait_for_sheet("parked").await;
    assert!(advice.contains("SHEET_NAME"), "{advice}");
    assert_eq!(clinic.google.rows(LOG_TAB), [["Item", "Price"], ["Soap", "40"]]);
    service.leaves_rows_behind();
}

#[tokio::test]
async fn an_empty_tab_of_that_title_is_taken() {
    let clinic = Clinic::new().with("SHEET_NAME", "Sheet1");
    let service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    service.drained().await;
    assert_eq!(clinic.google.tabs(), [BOARD_TAB, "Sheet1", HANDOVERS_TAB]);
    assert_eq!(clinic.google.rows("Sheet1")[0], LABELS);
    assert_eq!(clinic.google.column("Sheet1", "Chat ID"), ["chat_1"]);
}

#[tokio::test]
async fn times_are_written_in_the_zone_that_is_set() {
    let clinic = Clinic::new().with("TIMEZONE", "Europe/Berlin");
    let service = clinic.open();
    let mut event = unassigned("chat_1");
    event["unassignedAt"] = json!(1_781_080_200_000_i64);
    service.take(&event).await;
    clinic.expect_rows(1);
    service.drained().await;
    assert_eq!(clinic.rows()[0][0], "2026-06-10 10:30:00");
}

#[tokio::test]
async fn a_lost_answer_while_the_tab_is_made_does_not_make_two() {
    let clinic = Clinic::new();
    clinic.google.fail_next_write(fake_google::Fault::LoseAnswer);
    let service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
    assert_eq!(clinic.google.tabs(), [BOARD_TAB, "Sheet1", LOG_TAB, HANDOVERS_TAB]);
}

/// Google's own custom zones: the times, what `check` says of them, and how long somebody waits.
#[tokio::test]
async fn a_spreadsheet_in_a_custom_zone_has_its_times_and_waits_right() {
    for (zone, expected) in
        [(None, "2026-06-10 14:00:00"), (Some("Europe/Berlin"), "2026-06-10 10:30:00")]
    {
        let mut clinic = Clinic::new().with("SPREADSHEET_ID", "custom");
        clinic.google.add_spreadsheet("custom", "GMT+05:30");
        clinic.google = clinic.google.open("custom");
        if let Some(zone) = zone {
            clinic = clinic.with("TIMEZONE", zone);
        }
        let service = clinic.open();
        let mut event = unassigned("chat_1");
        event["unassignedAt"] = json!(1_781_080_200_000_i64);
        service.take(&event).await;
        service.take(&unassigned("chat_2")).await;
        service.drained().await;
        assert_eq!(clinic.rows()[0][0], expected);
        clinic.wait_for_headline("2 patients waiting").await;
        // Of the one who came just now.
        let waits: Vec<String> = clinic.board().iter().map(|line| line[0].clone()).collect();
        assert!(waits.iter().any(|wait| wait == "0:00" || wait == "0:01"), "{waits:?}");
        let checked = clinic.run(&["check"]);
        let said = format!("times in {}", zone.unwrap_or("GMT+05:30"));
        assert!(checked.stdout.contains(&said), "{}", checked.stdout);
    }
}
