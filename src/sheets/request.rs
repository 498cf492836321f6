//! The bytes of a batch: its marker, then its rows, then the board. The same content and plan give the
//! same bytes.

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::chat::entry::Entry;
use crate::sheets::cells::{Cell, Row, Written, cell};
use crate::sheets::column::Purpose;
use crate::sheets::layout::COLUMN_KEY;
use crate::sheets::picture::{self, Picture};
use crate::sheets::plan::{Content, Marker, Place, Plan};
use crate::sheets::zone::time_zone;

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
