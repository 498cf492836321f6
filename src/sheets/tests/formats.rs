//! Formats and dropdowns are the columns': set once, and after that people's.

use fake_google::FakeGoogle;
use serde_json::json;

use crate::chat::entry::Entry;
use crate::sheets::tests::tabs::{HERE, apply};
use crate::sheets::tests::{
    ALL, HANDOVERS, LOG_ONLY, TAB, TRACES, all_wanted, board, client, entry, handover, in_shape,
    marker, rows_of, wanted,
};
use crate::sheets::{Content, Delivery, Needs, Plan, Refused};

/// Staff prepare dropdowns and checkboxes in columns of their own before rows come.
#[tokio::test]
async fn what_people_prepared_in_their_columns_is_not_taken_away_by_new_rows() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    in_shape(&client, &wanted()).await;
    google.staff().insert_column(TAB, 2, "Seen by");
    let rule = json!({ "condition": { "type": "ONE_OF_LIST", "values": [
        { "userEnteredValue": "Asha" }, { "userEnteredValue": "Bala" }] } });
    let range = json!({ "sheetId": 777, "startRowIndex": 1, "endRowIndex": 50,
        "startColumnIndex": 2, "endColumnIndex": 3 });
    apply(&client, json!([{ "setDataValidation": { "range": range, "rule": rule } }])).await;
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    assert_eq!(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await, HERE);
    assert_eq!(google.column(TAB, "Event ID"), ["abc234-1"]);
    let kept = google.cell(TAB, 1, 2);
    assert!(kept.get("dataValidation").is_some(), "their dropdown is gone: {kept}");
}

/// The rule of the Status column is said once, when the column is made; whoever says it again, be it the same,
/// takes away the colours of its choices.
#[tokio::test]
async fn what_people_made_of_our_columns_stays_as_rows_come() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &all_wanted()).await;
    let staff = google.staff();
    staff.colour_chips(TAB, 1..1_000, 6, "traffic lights");
    staff.set_dropdown(TAB, 1..1_000, 3, &["Dr. Meera", "Dr. Bala"]);
    staff.colour_chips(TAB, 1..1_000, 3, "by doctor");
    staff.format_numbers(TAB, 1..999, 0, "DATE_TIME", "dd/mm hh:mm");
    let (log, handovers) = ([entry(1), entry(2)], [handover(3, 5, "Bala")]);
    let plan = Plan::new(&layout, ALL, TRACES).unwrap();
    let content = Content { log: &log, handovers: &handovers, board: Some(&board(&[10])) };
    assert_eq!(client.deliver(&plan, &marker(), content).await, HERE);
    for row in 1..3 {
        assert_eq!(google.cell(TAB, row, 6)["dataValidation"]["condition"]["type"], "ONE_OF_LIST");
        assert_eq!(google.chip_colours(TAB, row, 6).as_deref(), Some("traffic lights"));
        assert_eq!(google.chip_colours(TAB, row, 3).as_deref(), Some("by doctor"));
        assert_eq!(google.row(TAB, row)[0], "22/11 12:00", "their format of the time");
    }
}

/// Nothing is documented of the formats of rows that Google adds to a tab that is full.
#[tokio::test]
async fn rows_beyond_the_last_of_a_tab_are_as_readable_as_those_before() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    in_shape(&client, &all_wanted()).await;
    for _ in 0..997 {
        google.staff().delete_row(TAB, 1);
        google.staff().delete_row(HANDOVERS, 1);
    }
    let layout = in_shape(&client, &all_wanted()).await;
    let plan = Plan::new(&layout, ALL, TRACES).unwrap();
    let log: Vec<Entry> = (1..6).map(entry).collect();
    let handovers: Vec<Entry> = (1..6).map(|number| handover(number, 5, "Bala")).collect();
    let content = Content { log: &log, handovers: &handovers, board: Some(&board(&[10])) };
    assert_eq!(client.deliver(&plan, &marker(), content).await, HERE);
    let noon = "2026-11-22 12:00:00";
    assert_eq!(google.column(TAB, "Unassigned at"), [noon; 5]);
    assert_eq!(google.column(HANDOVERS, "Taken at"), ["2026-11-22 12:05:00"; 5]);
    for row in 1..6 {
        let phone = google.cell(TAB, row, 2);
        let format = phone.pointer("/userEnteredFormat/numberFormat/type");
        assert_eq!(format, Some(&json!("TEXT")), "row {row}");
    }
}

/// The last row of the tab, where the formats of those beyond it begin, may be gone by then.
#[tokio::test]
async fn rows_deleted_in_the_moment_of_a_write_only_delay_it() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &wanted()).await;
    google.staff().delete_rows(TAB, &Vec::from_iter(500..620));
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(delivery, Delivery::Refused(Refused::Formats { is_lasting: false }));
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    assert_eq!(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await, HERE);
}

/// A time in a tab of people's that has our labels is a time to whoever reads it.
#[tokio::test]
async fn a_tab_with_our_labels_shows_times_as_such() {
    let google = FakeGoogle::start();
    google.staff().add_tab(TAB, &[&["Event ID", "Remark", "Unassigned at"]]);
    let client = client(&google).await;
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    assert_eq!(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await, HERE);
    assert_eq!(google.column(TAB, "Unassigned at"), ["2026-11-22 12:00:00"]);
}

/// Whoever protects the rows that are there does not mean those that follow.
#[tokio::test]
async fn rows_land_below_protected_ones() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    in_shape(&client, &wanted()).await;
    google.staff().delete_rows(TAB, &Vec::from_iter(2..1_000));
    google.staff().set_cell(TAB, 1, 0, "old");
    google.staff().protect_rows(TAB, 0..2);
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    let refused = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(refused, Delivery::Refused(Refused::Formats { is_lasting: false }));
    let without = Plan::new(&layout, Needs { formats: false, ..LOG_ONLY }, TRACES).unwrap();
    assert_eq!(client.deliver(&without, &marker(), rows_of(&[entry(1)])).await, HERE);
    assert_eq!(google.column(TAB, "Event ID"), ["", "abc234-1"]);
}
