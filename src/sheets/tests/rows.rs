//! The bytes of a batch.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::chat::entry::{Entry, EventId};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::sheets::column::Column;
use crate::sheets::layout::Layout;
use crate::sheets::rows::{Marker, Plan, body, bytes_of, time_zone};
use crate::sheets::tests::{NOON, TAB, entry};

fn layout(columns: Vec<(Column, u32)>) -> Layout {
    Layout { sheet_id: 777, title: TAB.into(), time_zone: "Asia/Kolkata".into(), columns }
}

fn as_made() -> Layout {
    layout(Column::ALL.into_iter().zip(0..).collect())
}

fn marker() -> Marker {
    Marker::new(1_620_000_007, "0123456789abcdef", 1_795_329_000)
}

fn sent(plan: &Plan, entries: &[Entry]) -> Value {
    serde_json::from_slice(&body(plan, &marker(), entries)).unwrap()
}

fn text(value: &str) -> Value {
    json!({
        "userEnteredValue": { "stringValue": value },
        "userEnteredFormat": { "numberFormat": { "type": "TEXT" } },
    })
}

fn blank_text() -> Value {
    json!({ "userEnteredFormat": { "numberFormat": { "type": "TEXT" } } })
}

fn noon() -> Value {
    json!({
        "userEnteredValue": { "numberValue": 46_348.5 },
        "userEnteredFormat": {
            "numberFormat": { "type": "DATE_TIME", "pattern": "yyyy-mm-dd hh:mm:ss" } },
    })
}

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
            "location": { "sheetId": 777 },
            "visibility": "DOCUMENT",
        } } },
        { "appendCells": {
            "sheetId": 777,
            "fields":
                "userEnteredValue,userEnteredFormat.numberFormat,userEnteredFormat.textFormat.link",
            "rows": [
                { "values": [
                    noon(),
                    text("=HYPERLINK(\"http://evil.example\",\"x\")"),
                    text("+919876543210"),
                    text("@SUM(A1) \u{1F9D1}\u{200D}\u{2695}\u{FE0F} \\ '"),
                    text("919812345678"),
                    text("918000000001"),
                    { "userEnteredValue": { "stringValue": "Open chat" },
                      "userEnteredFormat": {
                        "numberFormat": { "type": "TEXT" },
                        "textFormat": { "link": { "uri":
                          "https://web.doubletick.io/conversations/918000000001/919876543210" } },
                      } },
                    text("chat-1"),
                    text("abc234-12"),
                ] },
                { "values": [
                    noon(),
                    blank_text(),
                    text("+919876543210"),
                    blank_text(),
                    blank_text(),
                    blank_text(),
                    blank_text(),
                    text("chat-1"),
                    text("abc234-13"),
                ] },
            ],
        } },
    ] });
    assert_eq!(sent(&Plan::new(&as_made(), true), &[hostile, unknown]), expected);
}

#[test]
fn without_a_marker_there_are_only_the_rows() {
    let sent = sent(&Plan::new(&as_made(), false), &[entry(1)]);
    assert_eq!(sent["requests"].as_array().map(Vec::len), Some(1));
    assert!(sent.pointer("/requests/0/appendCells").is_some());
}

#[test]
fn columns_of_peoples_own_between_ours_are_left_blank() {
    let columns = vec![(Column::EventId, 1), (Column::CustomerPhone, 3)];
    let sent = sent(&Plan::new(&layout(columns), true), &[entry(12)]);
    let expected = json!([{}, text("abc234-12"), {}, text("+919876543210"),]);
    assert_eq!(sent.pointer("/requests/1/appendCells/rows/0/values"), Some(&expected));
}

#[test]
fn the_time_is_what_the_clocks_of_the_zone_show() {
    let at = |zone: &str| {
        let layout = Layout { time_zone: zone.into(), ..layout(vec![(Column::UnassignedAt, 0)]) };
        let sent = sent(&Plan::new(&layout, true), &[entry(1)]);
        let pointer = "/requests/1/appendCells/rows/0/values/0/userEnteredValue/numberValue";
        sent.pointer(pointer).and_then(Value::as_f64).unwrap()
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
    for has_marker in [true, false] {
        let plan = Plan::new(&as_made(), has_marker);
        let again = Plan::parse(&plan.to_text()).expect("it is a plan");
        assert_eq!(again, plan);
        assert_eq!(again.to_text(), plan.to_text());
        assert_eq!(again.has_marker(), has_marker);
        assert_eq!(again.sheet_id(), 777);
        let bytes = body(&plan, &marker(), &entries);
        assert_eq!(body(&again, &marker(), &entries.clone()), bytes);
    }
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
fn hostile() -> impl Strategy<Value = Personal> {
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
        Entry {
            event_id: EventId { tag: "abc234".into(), number },
            unassigned_at: UnixMs(at),
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
    ) {
        let plan = Plan::new(&as_made(), true);
        let empty = body(&plan, &marker(), &[]).len();
        let full = body(&plan, &marker(), &entries).len();
        prop_assert!(empty <= 1_000, "marker and envelope have 1,000 bytes to themselves");
        prop_assert!(full - empty <= entries.iter().map(bytes_of).sum::<usize>());
    }

    #[test]
    fn whatever_a_sender_writes_arrives_as_text_and_unchanged(entry in hostile_entry()) {
        let sent = sent(&Plan::new(&as_made(), true), std::slice::from_ref(&entry));
        let cells = &sent["requests"][1]["appendCells"]["rows"][0]["values"];
        for (index, text) in [
            (1, &entry.customer_name),
            (2, &entry.customer_phone),
            (3, &entry.previous_agent),
            (4, &entry.agent_phone),
            (5, &entry.waba_number),
            (7, &entry.chat_id),
        ] {
            let value = cells[index].pointer("/userEnteredValue/stringValue");
            prop_assert_eq!(value.and_then(Value::as_str).unwrap_or_default(), text.reveal());
        }
        prop_assert!(!sent.to_string().contains("formulaValue\":"));
    }
}
