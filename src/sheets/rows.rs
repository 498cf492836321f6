//! The bytes of a batch: its marker, then its rows. The same members and plan give the same bytes.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::chat::entry::Entry;
use crate::chat::text::Personal;
use crate::sheets::column::Column;
use crate::sheets::layout::Layout;

/// Metadata key of a batch's marker.
pub const MARKER_KEY: &str = "dts.batch";
/// What each appended cell says of itself; nothing else of the row is touched.
const FIELDS: &str =
    "userEnteredValue,userEnteredFormat.numberFormat,userEnteredFormat.textFormat.link";

/// Where a batch's rows go: written down when the batch is sealed, so that it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    sheet_id: i32,
    time_zone: String,
    columns: Vec<(Column, u32)>,
    /// Whether a marker travels with the rows. Without one, the Event ID column must tell.
    has_marker: bool,
}

/// The marker of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Its id: taken means that the batch was applied.
    pub id: i32,
    /// Whose it is: a hash of the batch, and when it was sealed.
    pub value: String,
}

impl Marker {
    /// The marker of the batch of this id and hash, sealed at this time (seconds since 1970).
    pub fn new(id: i32, digest: &str, sealed_at_s: i64) -> Self {
        Self { id, value: format!("{digest}@{sealed_at_s}") }
    }

    /// When the batch of a marker that says this was sealed; `None` if it is not one of ours.
    pub(super) fn sealed_at_s(value: &str) -> Option<i64> {
        value.split_once('@')?.1.parse().ok()
    }
}

impl Plan {
    /// The plan for the tab as it is now.
    pub fn new(layout: &Layout, has_marker: bool) -> Self {
        Self {
            sheet_id: layout.sheet_id,
            time_zone: layout.time_zone.clone(),
            columns: layout.columns.clone(),
            has_marker,
        }
    }

    /// Reads what [`Plan::to_text`] wrote; `None` if it is not a plan.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The plan in words that a journal can keep.
    pub fn to_text(&self) -> String {
        json!(self).to_string()
    }

    /// The tab that the rows go to.
    pub fn sheet_id(&self) -> i32 {
        self.sheet_id
    }

    /// Whether a marker travels with the rows.
    pub fn has_marker(&self) -> bool {
        self.has_marker
    }
}

#[derive(Serialize)]
struct Update<'a> {
    requests: Vec<Request<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Request<'a> {
    CreateDeveloperMetadata(Value),
    #[serde(rename_all = "camelCase")]
    AppendCells {
        sheet_id: i32,
        rows: Vec<Row<'a>>,
        fields: &'a str,
    },
}

#[derive(Serialize)]
struct Row<'a> {
    values: Vec<Cell<'a>>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cell<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_entered_value: Option<Entered<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_entered_format: Option<Format>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Entered<'a> {
    StringValue(std::borrow::Cow<'a, str>),
    NumberValue(f64),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    number_format: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<Value>,
}

/// The whole request of a batch.
pub(super) fn body(plan: &Plan, marker: &Marker, entries: &[Entry]) -> Vec<u8> {
    let zone = time_zone(&plan.time_zone);
    let mut requests = Vec::new();
    // First, so that a refusal of the marker names request 0 and stands before all else.
    if plan.has_marker {
        requests.push(Request::CreateDeveloperMetadata(json!({ "developerMetadata": {
            "metadataId": marker.id,
            "metadataKey": MARKER_KEY,
            "metadataValue": marker.value,
            "location": { "sheetId": plan.sheet_id },
            "visibility": "DOCUMENT",
        } })));
    }
    let rows = entries.iter().map(|entry| row(plan, entry, &zone)).collect();
    requests.push(Request::AppendCells { sheet_id: plan.sheet_id, rows, fields: FIELDS });
    // Strings, numbers and maps of them always serialise.
    serde_json::to_vec(&Update { requests }).unwrap_or_default()
}

/// The zone of that name. An unknown one is UTC: `check` and the start say so.
pub fn time_zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

fn row<'a>(plan: &Plan, entry: &'a Entry, zone: &TimeZone) -> Row<'a> {
    let width = plan.columns.iter().map(|(_, index)| *index as usize + 1).max().unwrap_or(0);
    let mut values = Vec::new();
    values.resize_with(width, Cell::default);
    for (column, index) in &plan.columns {
        values[*index as usize] = cell(*column, entry, zone);
    }
    Row { values }
}

fn cell<'a>(column: Column, entry: &'a Entry, zone: &TimeZone) -> Cell<'a> {
    let text = |text: &'a Personal| {
        if text.is_blank() { None } else { Some(Entered::StringValue(text.reveal().into())) }
    };
    let mut format = Format { number_format: column.number_format(), text_format: None };
    let user_entered_value = match column {
        Column::UnassignedAt => Some(Entered::NumberValue(entry.unassigned_at.serial_in(zone))),
        Column::CustomerName => text(&entry.customer_name),
        Column::CustomerPhone => text(&entry.customer_phone),
        Column::PreviousAgent => text(&entry.previous_agent),
        Column::AgentPhone => text(&entry.agent_phone),
        Column::WabaNumber => text(&entry.waba_number),
        Column::ChatId => text(&entry.chat_id),
        Column::EventId => Some(Entered::StringValue(entry.event_id.to_string().into())),
        Column::Chat => entry.chat_url().map(|url| {
            format.text_format = Some(json!({ "link": { "uri": url } }));
            Entered::StringValue("Open chat".into())
        }),
    };
    Cell { user_entered_value, user_entered_format: Some(format) }
}

/// An upper bound of what a row takes on the wire, in bytes.
///
/// Formats, keys and brackets of nine cells are under 1,200 bytes; blank cells of columns that
/// people inserted between ours are 3 bytes each and not counted.
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
    let link = entry.waba_number.reveal().len() + entry.customer_phone.reveal().len();
    1_200 + link + texts.into_iter().map(escaped).sum::<usize>()
}
