//! What stands in a cell: of each column, for a row of the log or of the handovers, and for a line of the
//! board.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use crate::chat::entry::Entry;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::sheets::column::{Column, NumberFormat, STATUSES};

/// The cells of a row, from the first column of its tab or, on the board, from our first.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    pub(super) values: Vec<Written<'a>>,
}

impl<'a> Row<'a> {
    /// A row of our cells only.
    pub(super) fn of(cells: impl IntoIterator<Item = Cell<'a>>) -> Self {
        Self { values: cells.into_iter().map(Written::Ours).collect() }
    }
}

/// A cell of ours, or one of people's that stays as they prepared it.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Written<'a> {
    Ours(Cell<'a>),
    Theirs(&'a Value),
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cell<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_entered_value: Option<Entered<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_entered_format: Option<Format>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_validation: Option<Dropdown>,
}

impl<'a> Cell<'a> {
    /// A text, in whatever format the cell has.
    pub(super) fn text(text: &'a str) -> Self {
        Self { user_entered_value: Some(Entered::Text(text.into())), ..Self::default() }
    }
}

#[derive(Debug, Serialize)]
pub(super) enum Entered<'a> {
    #[serde(rename = "stringValue")]
    Text(Cow<'a, str>),
    #[serde(rename = "numberValue")]
    Number(f64),
    #[serde(rename = "formulaValue")]
    Formula(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    number_format: NumberFormat,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<Linked>,
}

/// Typed and not a [`Value`]: there are ten cells in a row, and thousands of rows in a batch.
#[derive(Serialize)]
struct Linked {
    link: Link,
}

#[derive(Serialize)]
struct Link {
    uri: String,
}

/// The rule of the Status column: one of these, chosen from a list.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dropdown {
    condition: OneOf,
    show_custom_ui: bool,
}

#[derive(Clone, Copy, Serialize)]
struct OneOf {
    #[serde(rename = "type")]
    kind: &'static str,
    values: [Choice; STATUSES.len()],
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Choice {
    user_entered_value: &'static str,
}

/// What people set a row's status with.
fn dropdown() -> Dropdown {
    let values = STATUSES.map(|status| Choice { user_entered_value: status });
    Dropdown { condition: OneOf { kind: "ONE_OF_LIST", values }, show_custom_ui: true }
}

/// What a column's cell of an entry is.
pub(super) fn cell<'a>(column: Column, entry: &'a Entry, zone: &TimeZone) -> Cell<'a> {
    let text = |text: &'a Personal| {
        if text.is_blank() { None } else { Some(Entered::Text(text.reveal().into())) }
    };
    let time = |at: UnixMs| Some(Entered::Number(at.serial_in(zone)));
    let mut format = Format { number_format: column.number_format(), text_format: None };
    let mut data_validation = None;
    let handover = entry.handover.as_ref();
    let user_entered_value = match column {
        Column::UnassignedAt => time(entry.unassigned_at),
        Column::CustomerName => text(&entry.customer_name),
        Column::CustomerPhone => text(&entry.customer_phone),
        Column::PreviousAgent => text(&entry.previous_agent),
        Column::AgentPhone => text(&entry.agent_phone),
        Column::WabaNumber => text(&entry.waba_number),
        Column::ChatId => text(&entry.chat_id),
        Column::EventId => Some(Entered::Text(entry.event_id.to_string().into())),
        Column::Chat => entry.chat_url().map(|url| {
            format.text_format = Some(Linked { link: Link { uri: url } });
            Entered::Text("Open chat".into())
        }),
        Column::Status => {
            data_validation = Some(dropdown());
            Some(Entered::Text(STATUSES[0].into()))
        }
        Column::TakenBy => match handover {
            Some(handover) if handover.is_closed => Some(Entered::Text("closed".into())),
            Some(handover) => text(&handover.agent),
            None => None,
        },
        Column::TakenAt => handover.and_then(|handover| time(handover.taken_at)),
        Column::Waited => handover.map(|handover| {
            Entered::Number(minutes(handover.taken_at.since_ms(entry.unassigned_at)))
        }),
        // Of the board alone.
        Column::Waiting | Column::Drops => None,
    };
    Cell { user_entered_value, user_entered_format: Some(format), data_validation }
}

/// Minutes to a tenth; none where a clock went backwards.
fn minutes(milliseconds: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "tenths of minutes stay far below 2^52")]
    let tenths = (milliseconds.max(0) / 6_000) as f64;
    tenths / 10.0
}

/// An upper bound of what a row takes on the wire, in bytes.
///
/// Formats, keys, brackets and the dropdown of ten cells are under 1,500 bytes. What people prepared in
/// columns between ours comes on top, see [`TabLayout::bytes_prepared`]; a blank cell there is 3 bytes and
/// not counted.
///
/// [`TabLayout::bytes_prepared`]: crate::sheets::TabLayout::bytes_prepared
pub fn bytes_of(entry: &Entry) -> usize {
    let escaped = |text: &Personal| {
        let text = text.reveal();
        text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
    };
    let texts = [
        &entry.customer_name,
        &entry.customer_phone,
        &entry.previous_agent,
        &entry.agent_phone,
        &entry.waba_number,
        &entry.chat_id,
    ];
    let taken_by = entry.handover.as_ref().map_or(0, |handover| escaped(&handover.agent));
    let link = entry.waba_number.reveal().len() + entry.customer_phone.reveal().len();
    1_500 + link + taken_by + texts.into_iter().map(escaped).sum::<usize>()
}
