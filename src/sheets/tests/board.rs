//! The board in cells: whole, live, in our columns only.

use fake_google::FakeGoogle;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::chat::board::{Board, LINES_MAX, Line};
use crate::chat::entry::Entry;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::sheets::column::Column;
use crate::sheets::layout::TabLayout;
use crate::sheets::request::body;
use crate::sheets::tests::rows::{NO_TRACES, as_made, hostile, layout};
use crate::sheets::tests::{
    ALL, BOARD, NOON, TRACES, all_wanted, board, client, entry, in_shape, marker,
};
use crate::sheets::{
    Client, Content, Delivery, LINE_BYTES, Landing, Layout, Marker, Needs, Plan, Purpose,
};

const BOARD_ONLY: Needs<'static> =
    Needs { log: None, handovers: false, board: true, formats: true };

fn board_tab() -> TabLayout {
    as_made(Purpose::Board, 2_777)
}

/// The requests that write this board, without those for its formats.
fn requests(layout: &Layout, board: &Board) -> Vec<Value> {
    let all = all_requests(layout, board).into_iter();
    all.filter(|request| request.get("repeatCell").is_none()).collect()
}

fn all_requests(layout: &Layout, board: &Board) -> Vec<Value> {
    let plan = Plan::new(layout, BOARD_ONLY, NO_TRACES).expect("the board is there");
    let content = Content { log: &[], handovers: &[], board: Some(board) };
    let body: Value = serde_json::from_slice(&body(&plan, &marker(), content)).unwrap();
    body["requests"].as_array().cloned().unwrap()
}

fn formula(requests: &[Value], line: usize) -> String {
    let pointer = format!("/updateCells/rows/{line}/values/0/userEnteredValue/formulaValue");
    requests.iter().find_map(|request| request.pointer(&pointer)).unwrap().to_string()
}

#[test]
fn a_board_is_its_sentence_and_a_line_for_each_who_waits() {
    let mut two = board(&[130, 5]);
    two.lines[0].drops = 3;
    let all = all_requests(&layout(vec![board_tab()]), &two);
    let requests = requests(&layout(vec![board_tab()]), &two);
    let [sentence, lines] = &requests[..] else { panic!("{requests:#?}") };
    let headline = "2 patients waiting · longest 2 h 10 min · updated 12:00, 22 Nov";
    assert_eq!(
        *sentence,
        json!({ "updateCells": {
        "range": { "sheetId": 2_777, "startRowIndex": 0, "endRowIndex": 1,
            "startColumnIndex": 0, "endColumnIndex": 9 },
        "rows": [{ "values": [{ "userEnteredValue": { "stringValue": headline } }] }],
        "fields": "userEnteredValue",
    } })
    );
    // Down to the last row there is: who does not wait any more is cleared.
    let range = json!({ "sheetId": 2_777, "startRowIndex": 2,
        "startColumnIndex": 0, "endColumnIndex": 9 });
    assert_eq!(lines.pointer("/updateCells/range"), Some(&range));
    let values = lines.pointer("/updateCells/rows/0/values").and_then(Value::as_array).unwrap();
    let shown: Vec<Value> = values
        .iter()
        .map(|cell| {
            let value = cell["userEnteredValue"].as_object();
            value.and_then(|value| value.values().next()).cloned().unwrap_or_default()
        })
        .collect();
    let expected = json!([
        "=NOW()-B3",
        46_348.5 - 130.0 / 1_440.0,
        "Asha Rao",
        "+919876543210",
        "Dr. Meera",
        "919812345678",
        "918000000001",
        3.0,
        "Open chat"
    ]);
    assert_eq!(json!(shown), expected);
    let link = values[8].pointer("/userEnteredFormat/textFormat/link/uri");
    let url = "https://web.doubletick.io/conversations/918000000001/919876543210";
    assert_eq!(link, Some(&json!(url)));
    let format = all[0].pointer("/repeatCell/cell/userEnteredFormat/numberFormat/pattern");
    assert_eq!(format, Some(&json!("[h]:mm")));
    let range = json!({ "sheetId": 2_777, "startRowIndex": 2, "endRowIndex": 4,
        "startColumnIndex": 0, "endColumnIndex": 1 });
    assert_eq!(all[0].pointer("/repeatCell/range"), Some(&range), "of the lines drawn");
    assert_eq!(formula(&requests, 1), "\"=NOW()-B4\"");
}

#[test]
fn an_empty_board_clears_all_lines() {
    let requests = requests(&layout(vec![board_tab()]), &board(&[]));
    assert_eq!(requests[1].pointer("/updateCells/rows"), Some(&json!([])));
    let fields = requests[1].pointer("/updateCells/fields").and_then(Value::as_str).unwrap();
    assert!(fields.contains("userEnteredValue"), "{fields}");
}

#[test]
fn columns_of_peoples_own_on_the_board_are_not_touched() {
    let mut tab = board_tab();
    // Theirs stand at 2 and 3, and at 7.
    tab.columns = vec![
        (Column::Waiting, 0),
        (Column::UnassignedAt, 1),
        (Column::CustomerName, 4),
        (Column::CustomerPhone, 5),
        (Column::Drops, 6),
        (Column::Chat, 8),
    ];
    let requests = requests(&layout(vec![tab]), &board(&[5]));
    let columns: Vec<(u64, u64)> = requests
        .iter()
        .map(|request| {
            let range = &request["updateCells"]["range"];
            let end = |name: &str| range[name].as_u64().unwrap();
            (end("startColumnIndex"), end("endColumnIndex"))
        })
        .collect();
    assert_eq!(columns, [(0, 2), (0, 2), (4, 7), (4, 7), (8, 9), (8, 9)]);
    for request in &requests {
        let range = &request["updateCells"]["range"];
        let width =
            range["endColumnIndex"].as_u64().unwrap() - range["startColumnIndex"].as_u64().unwrap();
        for row in request["updateCells"]["rows"].as_array().unwrap() {
            assert!(row["values"].as_array().unwrap().len() as u64 <= width);
        }
    }
}

#[test]
fn how_long_they_wait_is_counted_by_the_sheet_wherever_the_time_stands() {
    let mut tab = board_tab();
    tab.columns = vec![(Column::Waiting, 0), (Column::UnassignedAt, 27)];
    let moved = requests(&layout(vec![tab.clone()]), &board(&[5]));
    assert_eq!(formula(&moved, 0), "\"=NOW()-AB3\"");
    // Without the time's column it is written into the formula, in whole seconds.
    tab.columns = vec![(Column::Waiting, 0)];
    let deleted = formula(&requests(&layout(vec![tab]), &board(&[5])), 0);
    let since: i64 = deleted
        .strip_prefix("\"=NOW()-(")
        .and_then(|rest| rest.strip_suffix("/86400)\""))
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or_else(|| panic!("{deleted}"));
    assert_eq!(since, 46_348 * 86_400 + 43_200 - 300);
}

#[test]
fn where_the_times_are_in_another_zone_than_the_sheet_the_difference_is_added() {
    for (own, expected) in [
        ("Asia/Kolkata", "\"=NOW()-B3\""),
        ("Etc/UTC", "\"=NOW()-B3+(19800/86400)\""),
        ("Asia/Tokyo", "\"=NOW()-B3+(-12600/86400)\""),
    ] {
        let layout = Layout { own_zone: own.into(), ..layout(vec![board_tab()]) };
        assert_eq!(formula(&requests(&layout, &board(&[5])), 0), expected, "{own}");
    }
}

/// `NOW()` is by the clocks of today, and the time in the line by those of when the wait began.
#[test]
fn a_wait_across_a_change_of_daylight_saving_is_no_hour_wrong() {
    // The clocks of Berlin go back by an hour on 2026-10-25 at 01:00 UTC.
    let change = UnixMs(1_792_890_000_000);
    let zone = |name: &str| name.to_owned();
    for (times, own, columns, expected) in [
        ("Europe/Berlin", "Europe/Berlin", board_tab().columns, "\"=NOW()-B3+(3600/86400)\""),
        ("Asia/Kolkata", "Europe/Berlin", board_tab().columns, "\"=NOW()-B3+(16200/86400)\""),
        // 2026-10-25 01:30 as the clocks show it an hour later, without the time in the line.
        (
            "Europe/Berlin",
            "Europe/Berlin",
            vec![(Column::Waiting, 0)],
            "\"=NOW()-(4002053400/86400)\"",
        ),
    ] {
        let tab = TabLayout { columns, ..board_tab() };
        let layout = Layout { time_zone: zone(times), own_zone: zone(own), ..layout(vec![tab]) };
        let mut board = Board { at: change.plus_ms(1_800_000), ..board(&[5]) };
        board.lines[0].entry.unassigned_at = change.plus_ms(-1_800_000);
        assert_eq!(formula(&requests(&layout, &board), 0), expected, "{times} in {own}");
    }
}

#[test]
fn no_formula_has_a_decimal_point() {
    for tab in [board_tab(), TabLayout { columns: vec![(Column::Waiting, 0)], ..board_tab() }] {
        for own in ["Asia/Kolkata", "America/St_Johns"] {
            let layout = Layout { own_zone: own.into(), ..layout(vec![tab.clone()]) };
            let mut board = board(&[5]);
            board.lines[0].entry.unassigned_at = NOON.plus_ms(-12_345);
            assert!(!formula(&requests(&layout, &board), 0).contains('.'));
        }
    }
}

#[test]
fn a_tab_that_is_too_short_is_lengthened_first() {
    let of_rows = |row_count: u32, lines: usize| {
        let mut tab = board_tab();
        tab.grid.row_count = row_count;
        requests(&layout(vec![tab]), &board(&vec![5; lines]))[0].clone()
    };
    let longer = |length: u32| json!({ "appendDimension": { "sheetId": 2_777, "dimension": "ROWS", "length": length } });
    assert_eq!(of_rows(5, 10), longer(7));
    assert_eq!(of_rows(11, 10), longer(1));
    assert_eq!(of_rows(2, 0), longer(1), "one line is always there to be cleared");
    for enough in [of_rows(12, 10), of_rows(3, 0), of_rows(3, 1)] {
        assert!(enough.get("updateCells").is_some(), "{enough}");
    }
}

async fn write(client: &Client, layout: &Layout, board: &Board, marker_id: i32) -> Delivery {
    let plan = Plan::new(layout, BOARD_ONLY, TRACES).unwrap();
    let marker = Marker::new(marker_id, "0123456789abcdef", 1_795_329_000);
    let content = Content { log: &[], handovers: &[], board: Some(board) };
    client.deliver(&plan, &marker, content).await
}

#[tokio::test]
async fn the_same_board_twice_is_one_and_the_next_replaces_it() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &all_wanted()).await;
    let written = Delivery::Written(Landing::InPlace);
    assert_eq!(write(&client, &layout, &board(&[30, 20, 10]), 1).await, written);
    let first = google.rows(BOARD);
    assert_eq!(first.len(), 5);
    assert_eq!(first[0], ["3 patients waiting · longest 30 min · updated 12:00, 22 Nov"]);
    assert_eq!(first[1][..3], ["Waiting", "Unassigned at", "Customer name"]);
    assert_eq!(write(&client, &layout, &board(&[30, 20, 10]), 2).await, written);
    assert_eq!(google.rows(BOARD), first);
    assert_eq!(write(&client, &layout, &board(&[]), 3).await, written);
    let rows = google.rows(BOARD);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[0], ["Nobody is waiting · updated 12:00, 22 Nov"]);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn what_people_keep_between_our_columns_of_the_board_stays() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    in_shape(&client, &all_wanted()).await;
    google.staff().insert_column(BOARD, 3, "Remark");
    google.staff().set_cell(BOARD, 2, 3, "calls back");
    google.staff().set_cell(BOARD, 1, 4, "Telefon");
    let layout = in_shape(&client, &all_wanted()).await;
    for (minutes, id) in [(&[30, 20][..], 1), (&[], 2), (&[5], 3)] {
        let written = Delivery::Written(Landing::InPlace);
        assert_eq!(write(&client, &layout, &board(minutes), id).await, written);
        let rows = google.rows(BOARD);
        assert_eq!((rows[2][3].as_str(), rows[1][4].as_str()), ("calls back", "Telefon"));
    }
    let rows = google.rows(BOARD);
    assert_eq!(rows[2][4], "+919876543210");
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn as_many_as_may_be_shown_fit_into_a_board_of_few_rows() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    in_shape(&client, &all_wanted()).await;
    for _ in 0..995 {
        google.staff().delete_row(BOARD, 5);
    }
    let layout = in_shape(&client, &all_wanted()).await;
    assert_eq!(layout.tab(Purpose::Board).unwrap().grid.row_count, 7);
    let written = write(&client, &layout, &board(&[9; LINES_MAX]), 1).await;
    assert_eq!(written, Delivery::Written(Landing::InPlace));
    assert_eq!(google.rows(BOARD).len(), LINES_MAX + 2);
}

/// What a board takes on the wire beside the texts of its lines.
fn bytes_a_line(lines: &[Line]) -> usize {
    let layout = layout(vec![board_tab()]);
    let plan = Plan::new(&layout, BOARD_ONLY, TRACES).unwrap();
    let of = |lines: Vec<Line>| {
        let board = Board { at: NOON, waiting: 0, lines, remarks: Vec::new() };
        let content = Content { log: &[], handovers: &[], board: Some(&board) };
        body(&plan, &marker(), content).len()
    };
    of(lines.to_vec()) - of(Vec::new())
}

#[test]
fn a_line_takes_no_more_than_was_reckoned() {
    let mut usual = entry(1);
    usual.customer_name = Personal::new("Asha Lakshmi Rao-Venkataraman");
    let line = Line { entry: usual, drops: 99 };
    let bytes = bytes_a_line(&vec![line; 100]) / 100;
    assert!(bytes <= LINE_BYTES, "{bytes} bytes a line");
}

/// Google refuses a request of more than 10 MB, and a refusal for its size would be blamed on the rows
/// that go along.
#[test]
fn however_long_the_texts_a_full_board_stays_far_below_what_google_takes() {
    for letter in ["9", "\u{1F600}", "\""] {
        let long = || Personal::new(&letter.repeat(2_000));
        let entry = Entry {
            customer_name: long(),
            customer_phone: long(),
            previous_agent: long(),
            agent_phone: long(),
            waba_number: long(),
            ..entry(1)
        };
        let lines = vec![Line { entry, drops: 1 }; LINES_MAX];
        let bytes = bytes_a_line(&lines);
        assert!(bytes < 5_000_000, "{bytes} bytes of {letter}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_a_sender_writes_is_text_on_the_board_too(
        texts in prop::collection::vec(hostile(), 5),
    ) {
        let mut hostile = board(&[5]);
        let entry = &mut hostile.lines[0].entry;
        [
            &mut entry.customer_name,
            &mut entry.customer_phone,
            &mut entry.previous_agent,
            &mut entry.agent_phone,
            &mut entry.waba_number,
        ]
        .into_iter()
        .zip(texts)
        .for_each(|(field, text)| *field = text);
        let requests = requests(&layout(vec![board_tab()]), &hostile);
        let cells = requests[1].pointer("/updateCells/rows/0/values").unwrap();
        for (index, cell) in cells.as_array().unwrap().iter().enumerate().skip(1) {
            prop_assert!(cell.pointer("/userEnteredValue/formulaValue").is_none(), "{index}");
        }
    }
}

/// The board goes along in one and the same request, so it never disagrees with the log.
#[test]
fn a_plan_for_all_has_a_place_for_the_board() {
    let tabs = vec![
        as_made(Purpose::Handovers, 1_777),
        board_tab(),
        TabLayout { wanted_title: crate::sheets::tests::TAB.into(), ..as_made(Purpose::Log, 777) },
    ];
    let plan = Plan::new(&layout(tabs), ALL, TRACES).unwrap();
    assert_eq!(plan.sheet_id(Purpose::Board), Some(2_777));
}
