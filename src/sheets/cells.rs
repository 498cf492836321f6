//! What stands in a cell: of each column, for a row of the log or of the handovers, and for a line of the
//! board.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::chat::entry::{Entry, Found};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::sheets::column::{Column, NumberFormat, STATUSES};

/// What a cell of ours says of itself: its value and its link. Nothing else of it is touched, so that formats,
/// dropdowns and their colours stay as people have them.
pub(super) const FIELDS: &str = "userEnteredValue,userEnteredFormat.textFormat.link";
/// The same where a note goes along.
pub(super) const NOTED_FIELDS: &str = "userEnteredValue,userEnteredFormat.textFormat.link,note";
/// What a note takes on the wire, in bytes.
const NOTE_BYTES: usize = 300;
/// What a row without any text takes on the wire, in bytes.
const ROW_FRAME_BYTES: usize = 600;

/// The cells of a row, from the first column of its tab or, on the board, from our first.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    pub(super) values: Vec<Cell<'a>>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cell<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_entered_value: Option<Entered<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_entered_format: Option<Format>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl<'a> Cell<'a> {
    /// This, in whatever format the cell has.
    pub(super) fn of(value: Entered<'a>) -> Self {
        Self { user_entered_value: Some(value), ..Self::default() }
    }

    /// A text, in whatever format the cell has.
    pub(super) fn text(text: &'a str) -> Self {
        Self::of(Entered::Text(text.into()))
    }

    /// The same without a note.
    pub(super) fn without_note(self) -> Self {
        Self { note: None, ..self }
    }

    /// The same, in the number format of this column.
    pub(super) fn formatted_for(mut self, column: Column) -> Self {
        let format = self.user_entered_format.get_or_insert_default();
        format.number_format = Some(column.number_format());
        self
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

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    #[serde(skip_serializing_if = "Option::is_none")]
    number_format: Option<NumberFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<Linked>,
}

/// Typed and not a `serde_json::Value`: there are ten cells in a row, and thousands of rows in a batch.
#[derive(Serialize)]
struct Linked {
    link: Link,
}

#[derive(Serialize)]
struct Link {
    uri: String,
}

/// What a column's cell of an entry is. It says nothing of validation, and of formats only a link: those are the
/// column's.
pub(super) fn cell<'a>(column: Column, entry: &'a Entry, zone: &TimeZone) -> Cell<'a> {
    let text = |text: &'a Personal| {
        if text.is_blank() { None } else { Some(Entered::Text(text.reveal().into())) }
    };
    let time = |at: UnixMs| Some(Entered::Number(at.serial_in(zone)));
    let mut user_entered_format = None;
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
            let text_format = Some(Linked { link: Link { uri: url } });
            user_entered_format = Some(Format { text_format, ..Format::default() });
            Entered::Text("Open chat".into())
        }),
        Column::Status => Some(Entered::Text(STATUSES[0].into())),
        Column::TakenBy => match handover {
            Some(handover) if handover.is_closed => Some(Entered::Text("closed".into())),
            Some(handover) => text(&handover.agent),
            None => None,
        },
        Column::TakenAt => handover.and_then(|handover| time(handover.taken_at)),
        Column::Waited => handover.map(|handover| {
            Entered::Number(minutes(handover.taken_at.since_ms(entry.unassigned_at)))
        }),
        // Of the board and the summary alone.
        _ => None,
    };
    let found = match column {
        Column::UnassignedAt => entry.found,
        Column::TakenAt => handover.and_then(|handover| handover.found),
        _ => None,
    };
    Cell { user_entered_value, user_entered_format, note: found.map(|found| note(found, zone)) }
}

/// Whether a cell of that row has a note.
pub(super) fn is_noted(entry: &Entry) -> bool {
    let handover = entry.handover.as_ref().and_then(|handover| handover.found);
    entry.found.or(handover).is_some()
}

/// What stands beside a time that is known only between two.
fn note(found: Found, zone: &TimeZone) -> String {
    let shown = |at: UnixMs| at.in_zone(zone).strftime("%H:%M, %-d %b").to_string();
    format!(
        "Found by asking DoubleTick, which sent no event of it. It happened between {} and {}.",
        shown(found.after),
        shown(found.before)
    )
}

/// Minutes to a tenth; none where a clock went backwards.
fn minutes(milliseconds: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "tenths of minutes stay far below 2^52")]
    let tenths = (milliseconds.max(0) / 6_000) as f64;
    tenths / 10.0
}

/// An upper bound of what a row takes on the wire, in bytes.
///
/// Keys, brackets, the time and the link of ten cells are under `ROW_FRAME_BYTES`. Blank cells in columns
/// of people's own between ours come on top.
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
    let notes = if is_noted(entry) { NOTE_BYTES } else { 0 };
    ROW_FRAME_BYTES + notes + link + taken_by + texts.into_iter().map(escaped).sum::<usize>()
}
