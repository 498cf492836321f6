//! The bytes of a batch: its marker, then its rows, then the board. The same content and plan give the
//! same bytes.

use std::borrow::Cow;

use jiff::tz::{Offset, TimeZone};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::chat::entry::Entry;
use crate::chat::text::Personal;
use crate::sheets::column::{Column, NumberFormat, Purpose, STATUSES};
use crate::sheets::layout::COLUMN_KEY;
use crate::sheets::picture::{self, Picture};
use crate::sheets::plan::{Content, Marker, Place, Plan};

/// What each appended cell says of itself; nothing else of the row is touched.
pub(super) const FIELDS: &str = "userEnteredValue,userEnteredFormat.numberFormat,\
                                 userEnteredFormat.textFormat.link,dataValidation";
/// The same of the handovers, which have no dropdown.
const PLAIN_FIELDS: &str =
    "userEnteredValue,userEnteredFormat.numberFormat,userEnteredFormat.textFormat.link";

#[derive(Serialize)]
struct Update<'a> {
    requests: Vec<Request<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Request<'a> {
    CreateDeveloperMetadata(Value),
    UpdateDeveloperMetadata(Value),
    #[serde(rename_all = "camelCase")]
    AppendCells {
        sheet_id: i32,
        rows: Rows<'a>,
        fields: &'a str,
    },
    UpdateCells(picture::Update<'a>),
    AppendDimension(Value),
}

/// Made while they are written: the cells of a whole batch are several times its bytes.
struct Rows<'a> {
    place: &'a Place,
    entries: &'a [Entry],
    zone: &'a TimeZone,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries.iter().map(|entry| row(self.place, entry, self.zone)))
    }
}

/// The cells of a row, from the first column of its tab or, on the board, from our first.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    values: Vec<Written<'a>>,
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
enum Written<'a> {
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

/// The whole request of a batch.
pub(super) fn body(plan: &Plan, marker: &Marker, content: Content<'_>) -> Vec<u8> {
    let zone = time_zone(&plan.time_zone);
    let picture = content.board.and_then(|board| Picture::new(plan, board));
    let mut requests = Vec::new();
    // First, so that a refusal of the marker names request 0 and stands before all else.
    if plan.traces.marker {
        requests.push(Request::CreateDeveloperMetadata(marker.request()));
    }
    if plan.traces.positions {
        requests.push(Request::UpdateDeveloperMetadata(where_they_are(COLUMN_KEY)));
    }
    if let Some(place) = plan.log.as_ref().filter(|_| !content.log.is_empty()) {
        requests.push(append(place, content.log, &zone, FIELDS));
    }
    if let Some(place) = plan.handovers.as_ref().filter(|_| !content.handovers.is_empty()) {
        requests.push(append(place, content.handovers, &zone, PLAIN_FIELDS));
    }
    if let Some(picture) = &picture {
        requests.extend(picture.longer_tab().map(Request::AppendDimension));
        requests.extend(picture.updates().into_iter().map(Request::UpdateCells));
    }
    // Strings, numbers and maps of them always serialise.
    serde_json::to_vec(&Update { requests }).unwrap_or_default()
}

/// What the request at this place of such a batch is for; `None` where it is for the batch as a whole.
pub(super) fn purpose_of(plan: &Plan, content: Content<'_>, place: usize) -> Option<Purpose> {
    let before = usize::from(plan.traces.marker) + usize::from(plan.traces.positions);
    let log = plan.log.as_ref().filter(|_| !content.log.is_empty()).map(|_| Purpose::Log);
    let handovers = plan.handovers.as_ref().filter(|_| !content.handovers.is_empty());
    let appended = [log, handovers.map(|_| Purpose::Handovers)];
    let mut purposes = appended.into_iter().flatten();
    let board = plan.board.as_ref().map(|_| Purpose::Board);
    purposes.nth(place.checked_sub(before)?).or(board)
}

/// Changes nothing, and is answered with every metadata of that key as it is at that very moment of the
/// batch: "the updated developer metadata" (Google, `UpdateDeveloperMetadataResponse`), locations included.
pub(super) fn where_they_are(key: &str) -> Value {
    json!({
        "dataFilters": [{ "developerMetadataLookup": { "metadataKey": key } }],
        "developerMetadata": { "visibility": "DOCUMENT" },
        "fields": "visibility",
    })
}

/// The zone of that name. An unknown one is UTC: `check` and the start say so.
pub fn time_zone(name: &str) -> TimeZone {
    known_time_zone(name).unwrap_or(TimeZone::UTC)
}

/// The zone of that name: IANA's, or one of Google's custom ones, `GMT+05:30`.
pub fn known_time_zone(name: &str) -> Option<TimeZone> {
    if let Ok(zone) = TimeZone::get(name) {
        return Some(zone);
    }
    let rest = name.strip_prefix("GMT").or_else(|| name.strip_prefix("UTC"))?;
    let (sign, rest) = match rest.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, rest.strip_prefix('-')?),
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let number = |text: &str, max: i32| {
        let is_number =
            (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number: &i32| is_number && *number <= max)
    };
    let seconds = (number(hours, 23)? * 60 + number(minutes, 59)?) * 60;
    Some(TimeZone::fixed(Offset::from_seconds(sign * seconds).ok()?))
}

fn append<'a>(
    place: &'a Place,
    entries: &'a [Entry],
    zone: &'a TimeZone,
    fields: &'a str,
) -> Request<'a> {
    Request::AppendCells { sheet_id: place.sheet_id, rows: Rows { place, entries, zone }, fields }
}

fn row<'a>(place: &'a Place, entry: &'a Entry, zone: &TimeZone) -> Row<'a> {
    let width = place.columns.iter().map(|(_, index)| *index as usize + 1).max().unwrap_or(0);
    let mut values = Vec::new();
    values.resize_with(width, || Written::Ours(Cell::default()));
    for (index, prepared) in &place.prepared {
        if let Some(value) = values.get_mut(*index as usize) {
            *value = Written::Theirs(prepared);
        }
    }
    for (column, index) in &place.columns {
        values[*index as usize] = Written::Ours(cell(*column, entry, zone));
    }
    Row { values }
}

/// What a column's cell of an entry is.
pub(super) fn cell<'a>(column: Column, entry: &'a Entry, zone: &TimeZone) -> Cell<'a> {
    let text = |text: &'a Personal| {
        if text.is_blank() { None } else { Some(Entered::Text(text.reveal().into())) }
    };
    let time = |at: crate::chat::time::UnixMs| Some(Entered::Number(at.serial_in(zone)));
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
