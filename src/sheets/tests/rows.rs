//! The bytes of a batch.

use std::ops::Range;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::chat::entry::{Entry, EventId, Found, Handover};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::sheets::cells::bytes_of;
use crate::sheets::column::{Column, Purpose};
use crate::sheets::layout::{Grid, Layout, TabLayout};
use crate::sheets::request::body;
use crate::sheets::tests::{
    ALL, LOG_ONLY, NOON, TAB, TRACES, board, entry, handover, marker, rows_of,
};
use crate::sheets::zone::{known_time_zone, time_zone};
use crate::sheets::{Content, Marker, Needs, Plan, Traces};

pub(super) const NO_TRACES: Traces = Traces { marker: false, positions: false };

fn tab(purpose: Purpose, sheet_id: i32, columns: Vec<(Column, u32)>) -> TabLayout {
    TabLayout {
        is_table: false,
        purpose,
        wanted_title: TAB.into(),
        sheet_id,
        title: TAB.into(),
        grid: Grid { row_count: 1_000, column_count: 26 },
        columns,
    }
}

pub(super) fn as_made(purpose: Purpose, sheet_id: i32) -> TabLayout {
    tab(purpose, sheet_id, purpose.columns().iter().copied().zip(0..).collect())
}

pub(super) fn layout(tabs: Vec<TabLayout>) -> Layout {
    let zone = || "Asia/Kolkata".to_owned();
    Layout { time_zone: zone(), own_zone: zone(), tabs, ..Layout::default() }
}

fn new_log() -> Layout {
    layout(vec![as_made(Purpose::Log, 777)])
}

fn log_of(columns: Vec<(Column, u32)>) -> Layout {
    layout(vec![tab(Purpose::Log, 777, columns)])
}

fn all_tabs() -> Layout {
    layout(vec![
        as_made(Purpose::Log, 777),
        as_made(Purpose::Handovers, 1_777),
        as_made(Purpose::Board, 2_777),
    ])
}

fn plan(layout: &Layout) -> Plan {
    Plan::new(layout, LOG_ONLY, TRACES).expect("the log is there")
}

fn sent(plan: &Plan, entries: &[Entry]) -> Value {
    serde_json::from_slice(&body(plan, &marker(), rows_of(entries))).unwrap()
}

/// What the marker, the question for the positions and the formats have to themselves.
const ENVELOPE_BYTES: usize = 5_000;
/// Where Google is asked for the positions and the rows follow.
const ROWS: &str = "/requests/2/appendCells/rows";

fn number(value: f64) -> Value {
    json!({ "userEnteredValue": { "numberValue": value } })
}

fn text(value: &str) -> Value {
    json!({ "userEnteredValue": { "stringValue": value } })
}

fn noon() -> Value {
    number(46_348.5)
}

/// What of the format of these columns follows the rows of a tab that had a thousand.
fn format(sheet_id: i32, columns: Range<u32>, kind: &str, pattern: Option<&str>) -> Value {
    let mut format = json!({ "type": kind });
    if let Some(pattern) = pattern {
        format["pattern"] = pattern.into();
    }
    json!({ "repeatCell": {
        "range": { "sheetId": sheet_id, "startRowIndex": 900,
            "startColumnIndex": columns.start, "endColumnIndex": columns.end },
        "cell": { "userEnteredFormat": { "numberFormat": format } },
        "fields": "userEnteredFormat.numberFormat",
    } })
}

const TIMES: Option<&str> = Some("yyyy-mm-dd hh:mm:ss");

#[test]
fn a_batch_is_its_marker_and_then_its_rows() {
    let mut hostile = entry(12);
    hostile.customer_name = Personal::new("=HYPERLINK(\"http://evil.example\",\"x\")");
    hostile.previous_agent = Personal::new("@SUM(A1) \u{1F9D1}\u{200D}\u{2695}\u{FE0F} \\ '");
    let mut unknown = entry(13);
    unknown.customer_name = Personal::default();
    unknown.previous_agent = Personal::default();
    unknown.agent_phone = Personal::default();
    unknown.waba_number = Personal::default();
    let expected = json!({ "requests": [
        { "createDeveloperMetadata": { "developerMetadata": {
            "metadataId": 1_620_000_007,
            "metadataKey": "dts.batch",
            "metadataValue": "0123456789abcdef@1795329000",
            "location": { "spreadsheet": true },
            "visibility": "DOCUMENT",
        } } },
        { "updateDeveloperMetadata": {
            "dataFilters": [{ "developerMetadataLookup": { "metadataKey": "dts.column" } }],
            "developerMetadata": { "visibility": "DOCUMENT" },
            "fields": "visibility",
        } },
        { "appendCells": {
            "sheetId": 777,
            "fields": "userEnteredValue,userEnteredFormat.textFormat.link",
            "rows": [
                { "values": [
                    noon(),
                    text("=HYPERLINK(\"http://evil.example\",\"x\")"),
                    text("+919876543210"),
                    text("@SUM(A1) \u{1F9D1}\u{200D}\u{2695}\u{FE0F} \\ '"),
                    text("919812345678"),
                    text("918000000001"),
                    text("Waiting"),
                    { "userEnteredValue": { "stringValue": "Open chat" },
                      "userEnteredFormat": { "textFormat": { "link": { "uri":
                          "https://web.doubletick.io/conversations/918000000001/919876543210" } } } },
                    text("chat-1"),
                    text("abc234-12"),
                ] },
                { "values": [
                    noon(),
                    {},
                    text("+919876543210"),
                    {},
                    {},
                    {},
                    text("Waiting"),
                    {},
                    text("chat-1"),
                    text("abc234-13"),
                ] },
            ],
        } },
        format(777, 0..1, "DATE_TIME", TIMES),
        format(777, 1..10, "TEXT", None),
    ] });
    assert_eq!(sent(&plan(&new_log()), &[hostile, unknown]), expected);
}

#[test]
fn without_traces_there_are_only_the_rows() {
    let plan = Plan::new(&new_log(), LOG_ONLY, NO_TRACES).expect("the log is there");
    let sent = sent(&plan, &[entry(1)]);
    assert_eq!(sent["requests"].as_array().map(Vec::len), Some(3), "the rows and two formats");
    assert!(sent.pointer("/requests/0/appendCells").is_some());
}

#[test]
fn a_handover_says_who_took_the_chat_when_and_after_how_long() {
    let plan = Plan::new(&all_tabs(), ALL, NO_TRACES).expect("all tabs are there");
    let handovers = [handover(5, 135, "Dr. Bala"), handover(6, 0, "")];
    let content = Content { log: &[], handovers: &handovers, board: None };
    let sent: Value = serde_json::from_slice(&body(&plan, &marker(), content)).unwrap();
    let row = |taken_by: &str, taken_at: f64, waited: f64, id: &str| {
        json!({ "values": [
            text("Asha Rao"),
            text("+919876543210"),
            text("Dr. Meera"),
            text(taken_by),
            noon(),
            number(taken_at),
            number(waited),
            text("918000000001"),
            text(id),
        ] })
    };
    let expected = json!({ "requests": [
        { "appendCells": {
            "sheetId": 1_777,
            "fields": "userEnteredValue,userEnteredFormat.textFormat.link",
            "rows": [
                row("Dr. Bala", 46_348.593_75, 135.0, "abc234-5"),
                row("closed", 46_348.5, 0.0, "abc234-6"),
            ],
        } },
        format(1_777, 0..4, "TEXT", None),
        format(1_777, 4..6, "DATE_TIME", TIMES),
        format(1_777, 6..7, "NUMBER", Some("0")),
        format(1_777, 7..9, "TEXT", None),
    ] });
    assert_eq!(sent, expected);
}

/// What is known only between two times says so beside its time, in a note; other rows touch no notes.
#[test]
fn a_time_that_was_found_by_asking_says_so_in_a_note() {
    let found = |before_ms: i64| {
        let before = NOON.plus_ms(before_ms);
        Some(Found { after: before.plus_ms(-5 * 60_000), before })
    };
    let told = "Found by asking DoubleTick, which sent no event of it. It happened between";
    let all = layout(vec![as_made(Purpose::Log, 777), as_made(Purpose::Handovers, 1_777)]);
    let plan = Plan::new(&all, Needs { board: false, ..ALL }, TRACES).unwrap();
    let row = Entry { found: found(0), ..entry(7) };
    let mut ended = handover(8, 20, "Dr. Asha");
    ended.handover.as_mut().unwrap().found = found(20 * 60_000);
    let (log, handovers) = ([entry(6), row], [ended]);
    let content = Content { log: &log, handovers: &handovers, board: None };
    let sent: Value = serde_json::from_slice(&body(&plan, &marker(), content)).unwrap();
    let appended = |place: usize| {
        let requests = sent["requests"].as_array().unwrap().iter();
        requests.filter_map(|request| request.get("appendCells")).nth(place).unwrap()
    };
    let rows = &appended(0)["rows"];
    assert_eq!(rows[0]["values"][0].get("note"), None);
    let note = format!("{told} 11:55, 22 Nov and 12:00, 22 Nov.");
    assert_eq!(rows[1]["values"][0]["note"], json!(note));
    let notes =
        rows[1]["values"].as_array().unwrap().iter().filter(|cell| cell["note"].is_string());
    assert_eq!(notes.count(), 1);
    let values = &appended(1)["rows"][0]["values"];
    let at = Purpose::Handovers.columns().iter().position(|it| *it == Column::TakenAt).unwrap();
    assert_eq!(values[at]["note"], json!(format!("{told} 12:15, 22 Nov and 12:20, 22 Nov.")));
    for place in [0, 1] {
        let fields = appended(place)["fields"].as_str().unwrap();
        assert!(fields.split(',').any(|field| field == "note"), "{fields}");
    }
    let plain = self::sent(&plan, &[entry(6)]);
    assert!(!plain["requests"][2]["appendCells"]["fields"].as_str().unwrap().contains("note"));
}

#[test]
fn a_clock_that_went_backwards_makes_nobody_wait_less_than_nothing() {
    let plan = Plan::new(&all_tabs(), ALL, NO_TRACES).expect("all tabs are there");
    let handovers = [handover(5, -10, "Dr. Bala")];
    let content = Content { log: &[], handovers: &handovers, board: None };
    let sent: Value = serde_json::from_slice(&body(&plan, &marker(), content)).unwrap();
    let waited = "/requests/0/appendCells/rows/0/values/6/userEnteredValue/numberValue";
    assert_eq!(sent.pointer(waited), Some(&json!(0.0)));
}

#[test]
fn a_batch_brings_rows_handovers_and_the_board_in_this_order() {
    let plan = Plan::new(&all_tabs(), ALL, TRACES).expect("all tabs are there");
    let (log, handovers, board) = ([entry(1)], [handover(2, 5, "Bala")], board(&[10]));
    let content = Content { log: &log, handovers: &handovers, board: Some(&board) };
    let sent: Value = serde_json::from_slice(&body(&plan, &marker(), content)).unwrap();
    let kind = |request: &Value| {
        let (kind, arguments) = request.as_object().unwrap().iter().next().unwrap();
        let sheet = arguments.get("sheetId").or(arguments.pointer("/range/sheetId"));
        (kind.clone(), sheet.and_then(Value::as_i64))
    };
    let mut kinds: Vec<(String, Option<i64>)> =
        sent["requests"].as_array().unwrap().iter().map(kind).collect();
    let expected = [
        ("createDeveloperMetadata", None),
        ("updateDeveloperMetadata", None),
        ("appendCells", Some(777)),
        ("repeatCell", Some(777)),
        ("appendCells", Some(1_777)),
        ("repeatCell", Some(1_777)),
        ("repeatCell", Some(2_777)),
        ("updateCells", Some(2_777)),
    ];
    kinds.dedup();
    assert_eq!(kinds, expected.map(|(kind, sheet)| (kind.to_owned(), sheet)));
}

#[test]
fn columns_of_peoples_own_between_ours_are_left_blank() {
    let columns = vec![(Column::EventId, 1), (Column::CustomerPhone, 3)];
    let sent = sent(&plan(&log_of(columns)), &[entry(12)]);
    let expected = json!([{}, text("abc234-12"), {}, text("+919876543210"),]);
    assert_eq!(sent.pointer(&format!("{ROWS}/0/values")), Some(&expected));
}

#[test]
fn the_time_is_what_the_clocks_of_the_zone_show() {
    let at = |zone: &str| {
        let layout = Layout { time_zone: zone.into(), ..log_of(vec![(Column::UnassignedAt, 0)]) };
        let sent = sent(&plan(&layout), &[entry(1)]);
        let pointer = format!("{ROWS}/0/values/0/userEnteredValue/numberValue");
        sent.pointer(&pointer).and_then(Value::as_f64).unwrap()
    };
    let utc = 46_348.0 + 6.5 / 24.0;
    for (zone, expected) in [
        ("Asia/Kolkata", 46_348.5),
        ("Etc/UTC", utc),
        ("America/New_York", utc - 5.0 / 24.0),
        ("No/Such_Zone", utc),
    ] {
        assert!((at(zone) - expected).abs() < 1e-9, "{zone}: {}", at(zone));
    }
    assert_eq!(time_zone("No/Such_Zone"), jiff::tz::TimeZone::UTC);
}

#[test]
fn a_plan_written_down_and_read_again_gives_the_same_bytes() {
    let entries: Vec<Entry> = (1..50).map(entry).collect();
    let (handovers, board) = ([handover(60, 5, "Bala")], board(&[10, 20]));
    let content = Content { log: &entries, handovers: &handovers, board: Some(&board) };
    for (needs, traces) in [(LOG_ONLY, NO_TRACES), (ALL, TRACES)] {
        let plan = Plan::new(&all_tabs(), needs, traces).expect("all tabs are there");
        let again = Plan::parse(&plan.to_text()).expect("it is a plan");
        assert_eq!(again, plan);
        assert_eq!(again.to_text(), plan.to_text());
        assert_eq!(again.traces(), traces);
        assert_eq!(again.sheet_id(Purpose::Log), Some(777));
        assert_eq!((again.has_board(), again.has_handovers()), (needs.board, needs.handovers));
        let bytes = body(&plan, &marker(), content);
        assert_eq!(body(&again, &marker(), content), bytes);
    }
}

#[test]
fn there_is_no_plan_for_a_tab_that_is_not_there() {
    assert_eq!(Plan::new(&new_log(), ALL, TRACES), None);
    assert_eq!(Plan::new(&layout(Vec::new()), LOG_ONLY, TRACES), None);
    let other = Needs { log: Some("Another title"), ..LOG_ONLY };
    assert_eq!(Plan::new(&new_log(), other, TRACES), None);
}

#[test]
fn a_plan_holds_as_long_as_all_its_columns_stay() {
    let plan = Plan::new(&all_tabs(), ALL, TRACES).expect("all tabs are there");
    assert!(plan.holds_in(&all_tabs()));
    for at in 0..3 {
        let mut moved = all_tabs();
        moved.tabs[at].columns[0].1 = 20;
        assert!(!plan.holds_in(&moved), "tab {at}");
    }
    let mut grown = all_tabs();
    grown.tabs[0].grid.row_count += 500;
    grown.tabs[0].title = "renamed".into();
    assert!(plan.holds_in(&grown), "sizes and titles are nothing to it");
    let elsewhere = Layout { time_zone: "Etc/UTC".into(), ..all_tabs() };
    assert!(!plan.holds_in(&elsewhere));
    // What is not in the plan may do as it likes.
    let log = Plan::new(&all_tabs(), LOG_ONLY, TRACES).expect("the log is there");
    assert!(log.holds_in(&new_log()));
}

#[test]
fn what_is_no_plan_is_not_taken_for_one() {
    for text in ["", "{}", "null", "[]", r#"{"sheet_id":1}"#] {
        assert_eq!(Plan::parse(text), None, "{text}");
    }
}

#[test]
fn a_marker_tells_when_its_batch_was_sealed() {
    assert_eq!(Marker::sealed_at_s(&marker().value), Some(1_795_329_000));
    for foreign in ["", "probe", "0123456789abcdef", "0123@", "@", "a@b@3"] {
        assert_eq!(Marker::sealed_at_s(foreign), None, "{foreign}");
    }
}

/// Text as hostile as a sender can make it.
pub(super) fn hostile() -> impl Strategy<Value = Personal> {
    prop_oneof![
        "\\PC{0,40}",
        "[\"\\\\=+@\u{2028}\u{FEFF}\u{1F600}é-]{0,1000}",
        Just("\"".repeat(2_000)),
        Just("\\".repeat(2_000)),
        Just("\u{1F600}".repeat(2_000)),
        Just("9".repeat(2_000)),
        any::<String>(),
    ]
    .prop_map(|text| Personal::new(&text))
}

prop_compose! {
    fn hostile_entry()(
        texts in prop::collection::vec(hostile(), 6),
        at in prop_oneof![Just(NOON.0), any::<i64>()],
        number in prop_oneof![Just(1), Just(u64::MAX)],
    ) -> Entry {
        let [customer_name, customer_phone, previous_agent, agent_phone, waba_number, chat_id] =
            std::array::from_fn(|i| texts[i].clone());
        let at = UnixMs(at);
        Entry {
            handover: None,
            found: (number == 1).then_some(Found { after: at, before: at }),
            event_id: EventId { tag: "abc234".into(), number },
            unassigned_at: at,
            customer_name,
            customer_phone,
            previous_agent,
            agent_phone,
            waba_number,
            chat_id,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_batch_is_never_larger_than_was_reckoned(
        entries in prop::collection::vec(hostile_entry(), 1..4),
        theirs in 0_u32..30,
    ) {
        let mut layout = new_log();
        // Columns of people's, after our first.
        layout.tabs[0].columns.iter_mut().skip(1).for_each(|(_, index)| *index += theirs);
        prop_assert_eq!(layout.tabs[0].between(), theirs as usize);
        let more = 3 * theirs as usize;
        let plan = plan(&layout);
        let full = body(&plan, &marker(), rows_of(&entries)).len();
        prop_assert!(full <= ENVELOPE_BYTES + entries.iter().map(|entry| bytes_of(entry) + more).sum::<usize>());
    }

    #[test]
    fn a_handover_is_never_larger_than_was_reckoned(entry in hostile_entry(), agent in hostile()) {
        let plan = Plan::new(&all_tabs(), ALL, TRACES).expect("all tabs are there");
        let ended = handover(1, 5, "").handover.map(|ended| Handover { agent, ..ended });
        let ended = [Entry { handover: ended, ..entry }];
        let content = |handovers| Content { log: &[], handovers, board: None };
        let full = body(&plan, &marker(), content(&ended)).len();
        prop_assert!(full <= ENVELOPE_BYTES + bytes_of(&ended[0]));
    }

    #[test]
    fn whatever_a_sender_writes_arrives_as_text_and_unchanged(entry in hostile_entry()) {
        let sent = sent(&plan(&new_log()), std::slice::from_ref(&entry));
        let cells = sent.pointer(ROWS).and_then(|rows| rows.pointer("/0/values")).unwrap();
        for (index, text) in [
            (1, &entry.customer_name),
            (2, &entry.customer_phone),
            (3, &entry.previous_agent),
            (4, &entry.agent_phone),
            (5, &entry.waba_number),
            (8, &entry.chat_id),
        ] {
            let value = cells[index].pointer("/userEnteredValue/stringValue");
            prop_assert_eq!(value.and_then(Value::as_str).unwrap_or_default(), text.reveal());
        }
        prop_assert!(!sent.to_string().contains("formulaValue\":"));
    }
}

#[test]
fn the_custom_zones_of_google_are_known() {
    for (name, ahead_s) in [
        ("GMT+05:30", 19_800),
        ("GMT-07:00", -25_200),
        ("GMT+5:30", 19_800),
        ("GMT-3", -10_800),
        ("UTC+00:00", 0),
        ("Asia/Kolkata", 19_800),
    ] {
        let zone = known_time_zone(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(NOON.ahead_s(&zone), ahead_s, "{name}");
    }
    for unknown in
        ["", "GMT+", "GMT05:30", "GMT+24:00", "GMT+05:60", "GMT++5", "GMT+5:", "Mars/Olympus"]
    {
        assert!(known_time_zone(unknown).is_none(), "{unknown}");
    }
}
