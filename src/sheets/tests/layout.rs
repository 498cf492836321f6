//! Where the tab and its columns are, whatever people did to them.

use serde_json::{Value, json};

use crate::sheets::column::Column;
use crate::sheets::column::Purpose;
use crate::sheets::column_letters;
use crate::sheets::layout::{
    Binder, Decision, TabAt, TabLayout, WantedTab, bind as bind_tab, decide,
};
use crate::sheets::setup;
use crate::sheets::tests::{BOARD, HANDOVERS, TAB, wanted_tab};
use crate::sheets::wire::{Binding, Spreadsheet};

/// The log that is looked for.
fn wanted() -> WantedTab {
    wanted_tab(Purpose::Log, TAB, 777)
}

fn bind(header: &[String]) -> Option<Binder> {
    bind_tab(Purpose::Log, header)
}

fn all() -> &'static [Column] {
    Purpose::Log.columns()
}

/// Reads a spreadsheet and its metadata as they are on the wire.
#[track_caller]
fn decided(sheets: Value, bindings: Value, wanted: &WantedTab) -> Decision {
    let spreadsheet = json!({
        "properties": { "title": "Clinic", "timeZone": "Asia/Kolkata" }, "sheets": sheets,
    });
    let spreadsheet: Spreadsheet = serde_json::from_value(spreadsheet).unwrap();
    let bindings: Vec<Binding> = serde_json::from_value(bindings).unwrap();
    decide(&spreadsheet, &bindings, wanted)
}

fn tab(id: i32, title: &str) -> Value {
    json!({ "properties": { "sheetId": id, "title": title, "sheetType": "GRID",
        "gridProperties": { "rowCount": 1000, "columnCount": 26 } } })
}

fn tab_binding(metadata_id: i32, sheet_id: i32) -> Value {
    json!({ "metadataId": metadata_id, "metadataKey": "dts.tab",
        "metadataValue": "log.2 Unassigned chats",
        "location": { "locationType": "SHEET", "sheetId": sheet_id }, "visibility": "DOCUMENT" })
}

fn column_binding(sheet_id: i32, column: Column, index: u32) -> Value {
    json!({ "metadataId": fastrand::i32(1..), "metadataKey": "dts.column",
        "metadataValue": column.key(), "visibility": "DOCUMENT",
        "location": { "locationType": "COLUMN", "dimensionRange": {
            "sheetId": sheet_id, "dimension": "COLUMNS",
            "startIndex": index, "endIndex": index + 1 } } })
}

#[track_caller]
fn ready(decision: Decision) -> TabLayout {
    match decision {
        Decision::Ready(layout) => layout,
        other => panic!("all is there, not {other:?}"),
    }
}

#[test]
fn an_empty_spreadsheet_gets_a_tab() {
    assert_eq!(decided(json!([]), json!([]), &wanted()), Decision::Make);
    assert_eq!(decided(json!([tab(5, "Sheet1")]), json!([]), &wanted()), Decision::Make);
}

#[test]
fn a_tab_of_the_title_that_nobody_bound_is_read_first() {
    let decision = decided(json!([tab(5, "Sheet1"), tab(6, TAB)]), json!([]), &wanted());
    let at = TabAt {
        has_table: false,
        sheet_id: 6,
        title: TAB.into(),
        row_count: 1_000,
        column_count: 26,
        bound_by: None,
        has_cells: true,
    };
    assert_eq!(decision, Decision::ReadHeader(at));
}

#[test]
fn zeros_are_absent_on_the_wire_and_still_zeros() {
    // The first tab of a spreadsheet has the id 0, and its first column stands at 0.
    let sheets =
        json!([{ "properties": { "title": TAB, "gridProperties": { "columnCount": 9 } } }]);
    let bindings = json!([
        { "metadataId": 777, "metadataKey": "dts.tab",
          "metadataValue": "log.2 Unassigned chats", "location": { "locationType": "SHEET" } },
        { "metadataId": 3, "metadataKey": "dts.column", "metadataValue": "unassigned_at",
          "location": { "dimensionRange": { "dimension": "COLUMNS", "endIndex": 1 } } },
    ]);
    let layout = ready(decided(sheets, bindings, &wanted()));
    assert_eq!(layout.sheet_id, 0);
    assert_eq!(layout.columns, [(Column::UnassignedAt, 0)]);
}

#[test]
fn a_renamed_tab_is_still_ours_and_the_title_is_free_for_others() {
    let sheets = json!([tab(5, TAB), tab(777, "Waiting list")]);
    let bindings = json!([tab_binding(777, 777), column_binding(777, Column::EventId, 8)]);
    let layout = ready(decided(sheets, bindings, &wanted()));
    assert_eq!((layout.sheet_id, layout.title.as_str()), (777, "Waiting list"));
}

#[test]
fn columns_are_where_people_moved_them() {
    let bindings = json!([
        tab_binding(777, 777),
        column_binding(777, Column::UnassignedAt, 4),
        column_binding(777, Column::EventId, 0),
        column_binding(777, Column::ChatId, 2),
    ]);
    let layout = ready(decided(json!([tab(777, TAB)]), bindings, &wanted()));
    let expected = [(Column::EventId, 0), (Column::ChatId, 2), (Column::UnassignedAt, 4)];
    assert_eq!(layout.columns, expected);
}

#[test]
fn the_copy_of_a_tab_that_we_made_is_left_alone() {
    let sheets = json!([tab(12, "Copy of Unassigned chats"), tab(777, TAB)]);
    let bindings = json!([
        tab_binding(900, 12),
        column_binding(12, Column::EventId, 3),
        tab_binding(777, 777),
        column_binding(777, Column::EventId, 8),
    ]);
    let layout = ready(decided(sheets, bindings, &wanted()));
    assert_eq!((layout.sheet_id, layout.columns), (777, vec![(Column::EventId, 8)]));
}

#[test]
fn a_tab_bound_for_another_title_is_someone_elses() {
    let bindings = || json!([tab_binding(777, 777), column_binding(777, Column::EventId, 8)]);
    let wanted = wanted_tab(Purpose::Log, "Evening shift", 888);
    assert_eq!(decided(json!([tab(777, TAB)]), bindings(), &wanted), Decision::Make);
    let renamed = decided(json!([tab(777, "Evening shift")]), bindings(), &wanted);
    assert!(matches!(renamed, Decision::ReadHeader(TabAt { bound_by: None, .. })));
}

#[test]
fn a_column_bound_twice_counts_once() {
    let bindings = json!([
        tab_binding(777, 777),
        column_binding(777, Column::EventId, 8),
        column_binding(777, Column::EventId, 9),
        column_binding(777, Column::ChatId, 7),
    ]);
    let layout = ready(decided(json!([tab(777, TAB)]), bindings, &wanted()));
    assert_eq!(layout.columns, [(Column::ChatId, 7), (Column::EventId, 8)]);
}

#[test]
fn metadata_that_this_version_does_not_know_is_nobodys_business() {
    let mut future = column_binding(777, Column::EventId, 3);
    future["metadataValue"] = "mood".into();
    let mut foreign = column_binding(777, Column::EventId, 4);
    foreign["metadataKey"] = "someone.else".into();
    let bindings = json!([
        tab_binding(777, 777), future, foreign, column_binding(777, Column::ChatId, 0),
        { "metadataId": 9, "metadataKey": "dts.column", "metadataValue": "chat_id",
          "location": { "sheetId": 777 } },
    ]);
    let layout = ready(decided(json!([tab(777, TAB)]), bindings, &wanted()));
    assert_eq!(layout.columns, [(Column::ChatId, 0)]);
}

#[test]
fn a_tab_whose_columns_were_all_deleted_gets_them_again() {
    let decision = decided(json!([tab(777, "Waiting")]), json!([tab_binding(777, 777)]), &wanted());
    let at = TabAt {
        has_table: false,
        sheet_id: 777,
        title: "Waiting".into(),
        row_count: 1_000,
        column_count: 26,
        bound_by: Some(777),
        has_cells: true,
    };
    assert_eq!(decision, Decision::ReadHeader(at));
}

#[test]
fn metadata_of_a_tab_that_is_gone_binds_nothing() {
    let bindings = json!([tab_binding(777, 777), column_binding(777, Column::EventId, 8)]);
    assert_eq!(decided(json!([tab(5, "Sheet1")]), bindings, &wanted()), Decision::Make);
}

fn header(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

#[test]
fn an_empty_header_takes_all_columns_from_the_left() {
    for blank in [header(&[]), header(&[""]), header(&["", "  ", ""])] {
        let binder = bind(&blank).expect("an empty tab is free");
        assert!(binder.found.is_empty());
        assert_eq!(binder.added, all().iter().copied().zip(0..).collect::<Vec<_>>());
    }
}

#[test]
fn a_header_about_something_else_is_left_alone() {
    assert_eq!(bind(&header(&["Invoice", "Amount"])), None);
    assert_eq!(bind(&header(&["", "", "Notes"])), None);
    // Words of ours that many lists have, or one alone.
    for labels in [
        &["Status", "Owner", "Priority"][..],
        &["Customer name", "Customer phone", "Status", "Doctor"],
        &["Chat", "Status"],
        &["Event ID", "Event", "Place"],
    ] {
        assert_eq!(bind(&header(labels)), None, "{labels:?}");
    }
}

#[test]
fn labels_of_ours_stay_where_they_are_and_the_missing_come_after_the_last_label() {
    let binder = bind(&header(&["Notes", " customer PHONE ", "", "Event ID", "Doctor", ""]));
    let Binder { found, added } = binder.expect("some labels are ours");
    assert_eq!(found, [(Column::CustomerPhone, 1), (Column::EventId, 3)]);
    let missing = [
        Column::UnassignedAt,
        Column::CustomerName,
        Column::PreviousAgent,
        Column::AgentPhone,
        Column::WabaNumber,
        Column::Status,
        Column::Chat,
        Column::ChatId,
    ];
    assert_eq!(added, missing.into_iter().zip(5..).collect::<Vec<_>>());
}

#[test]
fn of_two_columns_with_one_label_the_left_is_ours() {
    let binder = bind(&header(&["Chat ID", "Chat ID", "Status"])).expect("the labels are ours");
    assert_eq!(binder.found, [(Column::ChatId, 0), (Column::Status, 2)]);
    assert!(binder.added.iter().all(|(column, index)| *column != Column::ChatId && *index >= 3));
}

#[test]
fn a_complete_header_needs_nothing_added() {
    let labels: Vec<&str> = all().iter().rev().map(|column| column.label()).collect();
    let binder = bind(&header(&labels)).expect("all labels are ours");
    assert!(binder.added.is_empty());
    assert_eq!(binder.found.len(), all().len());
}

/// The requests of a mend that binds a tab of so many columns.
fn bound(column_count: u32, is_bound: bool, labels: &[&str]) -> Vec<Value> {
    let bound_by = is_bound.then_some(777);
    let tab = TabAt {
        has_table: false,
        sheet_id: 6,
        title: TAB.into(),
        row_count: 1_000,
        column_count,
        bound_by,
        has_cells: true,
    };
    let binder = bind(&header(labels)).expect("the header is ours or empty");
    let body: Value = serde_json::from_slice(&setup::bind(&wanted(), &tab, &binder).body).unwrap();
    body["requests"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_grid_that_is_too_narrow_is_widened_before_anything_is_written() {
    let widened =
        json!({ "appendDimension": { "sheetId": 6, "dimension": "COLUMNS", "length": 5 } });
    assert_eq!(bound(5, false, &[])[0], widened);
    let labels = ["Notes", "Chat ID", "Status"];
    let widened =
        json!({ "appendDimension": { "sheetId": 6, "dimension": "COLUMNS", "length": 8 } });
    assert_eq!(bound(3, false, &labels)[0], widened);
    for wide_enough in [bound(10, false, &[]), bound(12, false, &labels)] {
        assert!(wide_enough.iter().all(|request| request.get("appendDimension").is_none()));
    }
}

#[test]
fn a_tab_is_bound_under_the_id_that_was_chosen_for_it_and_only_once() {
    let tab_metadata = |requests: Vec<Value>| -> Vec<Value> {
        let metadata = requests
            .iter()
            .filter_map(|request| request.pointer("/createDeveloperMetadata/developerMetadata"));
        metadata.filter(|metadata| metadata["metadataKey"] == "dts.tab").cloned().collect()
    };
    let fresh = tab_metadata(bound(26, false, &[]));
    assert_eq!(fresh.len(), 1);
    assert_eq!(fresh[0]["metadataId"], 777);
    assert_eq!(fresh[0]["location"], json!({ "sheetId": 6 }));
    assert!(tab_metadata(bound(26, true, &[])).is_empty());
}

#[test]
fn a_header_of_peoples_own_is_not_written_over() {
    let requests = bound(26, false, &["Notes", "Chat ID", "Status"]);
    let written: Vec<u64> = requests
        .iter()
        .filter_map(|request| request.pointer("/updateCells/start/columnIndex")?.as_u64())
        .collect();
    assert_eq!(written, (3..11).collect::<Vec<_>>());
}

#[test]
fn a_columns_key_and_label_lead_back_to_it() {
    for purpose in [Purpose::Log, Purpose::Handovers, Purpose::Board] {
        for column in purpose.columns() {
            assert_eq!(Column::of_key(column.key()), Some(*column));
            let label = format!(" {} ", column.label().to_uppercase());
            assert_eq!(Column::of_label(purpose, &label), Some(*column));
        }
    }
    assert_eq!(Column::of_key("Chat ID"), None);
    assert_eq!(Column::of_label(Purpose::Log, "chat_id"), None);
    assert_eq!(Column::of_label(Purpose::Log, "Taken by"), None, "that is another tab's");
}

/// The ids of metadata that is in sheets of people stay what they are.
#[test]
fn the_columns_of_before_keep_their_ids() {
    let offsets = all().iter().map(|column| (column.key(), column.id_offset()));
    let mut offsets: Vec<(&str, i32)> = offsets.collect();
    offsets.sort_by_key(|(_, offset)| *offset);
    let before = [
        "unassigned_at",
        "customer_name",
        "customer_phone",
        "previous_agent",
        "agent_phone",
        "waba_number",
        "chat",
        "chat_id",
        "event_id",
        "status",
    ];
    assert_eq!(offsets, before.into_iter().zip(1..).collect::<Vec<_>>());
}

#[test]
fn tabs_of_one_title_but_another_purpose_are_not_mistaken_for_one_another() {
    let bindings = || json!([tab_binding(777, 777), column_binding(777, Column::EventId, 8)]);
    let board = wanted_tab(Purpose::Board, TAB, 888);
    let decision = decided(json!([tab(777, "Renamed")]), bindings(), &board);
    assert_eq!(decision, Decision::Make);
}

#[test]
fn a_status_column_that_people_deleted_stays_away() {
    let bindings = json!([tab_binding(777, 777), column_binding(777, Column::EventId, 8)]);
    let layout = ready(decided(json!([tab(777, TAB)]), bindings, &wanted()));
    assert_eq!(layout.columns, [(Column::EventId, 8)]);
    assert!(layout.missing().contains(&"Status"));
}

#[test]
fn each_tab_says_what_it_is_for() {
    for (wanted, words) in [
        (wanted(), "log.2 Unassigned chats"),
        (wanted_tab(Purpose::Handovers, HANDOVERS, 1_777), "handovers.1 Handovers"),
        (wanted_tab(Purpose::Board, BOARD, 2_777), "board.1 Unattended now"),
    ] {
        let shading = crate::sheets::tests::SHADING;
        let body: Value = serde_json::from_slice(&setup::make(&[&wanted], shading).body).unwrap();
        let pointer = "/requests/1/createDeveloperMetadata/developerMetadata/metadataValue";
        assert_eq!(body.pointer(pointer), Some(&json!(words)));
        // Only as large as need be: a workbook has room for ten million cells.
        let columns = body.pointer("/requests/0/addSheet/properties/gridProperties/columnCount");
        assert_eq!(columns, Some(&json!(wanted.purpose.columns().len())));
    }
}

#[track_caller]
fn check_letters(index: u32, expected: &str) {
    assert_eq!(column_letters(index), expected);
}

#[test]
fn columns_have_their_letters() {
    check_letters(0, "A");
    check_letters(8, "I");
    check_letters(25, "Z");
    check_letters(26, "AA");
    check_letters(51, "AZ");
    check_letters(52, "BA");
    check_letters(701, "ZZ");
    check_letters(702, "AAA");
    check_letters(18_277, "ZZZ");
}
