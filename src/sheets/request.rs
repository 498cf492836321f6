//! The bytes of a batch: its marker, then its rows, then the board. The same content and plan give the
//! same bytes.

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::chat::entry::Entry;
use crate::sheets::cells::{Cell, FIELDS, NOTED_FIELDS, Row, cell, is_noted};
use crate::sheets::column::Purpose;
use crate::sheets::layout::COLUMN_KEY;
use crate::sheets::picture::{self, Picture};
use crate::sheets::plan::{Content, Marker, Place, Plan};
use crate::sheets::setup::formats;
use crate::sheets::zone::time_zone;

#[derive(Serialize)]
struct Update<'a> {
    requests: Vec<Written<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Request(Request<'a>),
    /// With its kind.
    Format(Value),
}

impl<'a> From<Request<'a>> for Written<'a> {
    fn from(request: Request<'a>) -> Self {
        Self::Request(request)
    }
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
        fields: &'static str,
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
        requests.push(Request::CreateDeveloperMetadata(marker.request()).into());
    }
    if plan.traces.positions {
        requests.push(Request::UpdateDeveloperMetadata(where_they_are(COLUMN_KEY)).into());
    }
    for (_, place, entries) in appended(plan, content) {
        let rows = Rows { place, entries, zone: &zone };
        // People's notes below the last row stay as they are, but where one of ours goes along.
        let fields = if entries.iter().any(is_noted) { NOTED_FIELDS } else { FIELDS };
        let append = Request::AppendCells { sheet_id: place.sheet_id, rows, fields };
        requests.push(append.into());
        requests.extend(formats_below(plan, place).map(Written::Format));
    }
    if let Some(picture) = &picture {
        requests.extend(picture.longer_tab().map(|it| Request::AppendDimension(it).into()));
        requests.extend(picture.formats().filter(|_| plan.formats).map(Written::Format));
        requests.extend(picture.updates().into_iter().map(|it| Request::UpdateCells(it).into()));
    }
    // Strings, numbers and maps of them always serialise.
    serde_json::to_vec(&Update { requests }).unwrap_or_default()
}

/// The rows that go below others, and where.
fn appended<'a>(
    plan: &'a Plan,
    content: Content<'a>,
) -> impl Iterator<Item = (Purpose, &'a Place, &'a [Entry])> {
    let all = [
        (Purpose::Log, &plan.log, content.log),
        (Purpose::Handovers, &plan.handovers, content.handovers),
    ];
    let all = all.into_iter().filter(|(_, _, entries)| !entries.is_empty());
    all.filter_map(|(purpose, place, entries)| Some((purpose, place.as_ref()?, entries)))
}

fn formats_below(plan: &Plan, place: &Place) -> impl Iterator<Item = Value> {
    let all = formats(place.sheet_id, &place.columns, place.formats_from());
    all.filter(|_| plan.formats)
}

/// What a request of a batch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Rows of a tab.
    Rows(Purpose),
    /// The formats of those below what the tab had.
    Formats(Purpose),
    /// The board, its formats included.
    Board,
}

impl Part {
    pub(super) fn purpose(self) -> Purpose {
        match self {
            Self::Rows(purpose) | Self::Formats(purpose) => purpose,
            Self::Board => Purpose::Board,
        }
    }

    pub(super) fn is_formats(self) -> bool {
        matches!(self, Self::Formats(_))
    }
}

/// What the request at this place of such a batch is for; `None` where it is for the batch as a whole.
pub(super) fn part_at(plan: &Plan, content: Content<'_>, place: usize) -> Option<Part> {
    let before = usize::from(plan.traces.marker) + usize::from(plan.traces.positions);
    let mut parts = appended(plan, content).flat_map(|(purpose, place, _)| {
        let formats = formats_below(plan, place).map(move |_| Part::Formats(purpose));
        std::iter::once(Part::Rows(purpose)).chain(formats)
    });
    let board = plan.board.as_ref().map(|_| Part::Board);
    parts.nth(place.checked_sub(before)?).or(board)
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

fn row<'a>(place: &'a Place, entry: &'a Entry, zone: &TimeZone) -> Row<'a> {
    let width = place.columns.iter().map(|(_, index)| *index as usize + 1).max().unwrap_or(0);
    let mut values = Vec::new();
    values.resize_with(width, Cell::default);
    for (column, index) in &place.columns {
        values[*index as usize] = cell(*column, entry, zone);
    }
    Row { values }
}
