//! Where a batch goes: its plan, its marker, and what it brings.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::chat::board::Board;
use crate::chat::entry::Entry;
use crate::sheets::column::{Column, Purpose};
use crate::sheets::layout::{Layout, TabLayout, columns_of};
use crate::sheets::wire::Binding;

/// How many of the last rows of a tab get formats again. Where people delete so many rows after we have looked, and
/// the tab is full, new rows land that much higher.
const ROWS_AGAIN: u32 = 100;
/// Metadata key of a batch's marker.
pub(super) const MARKER_KEY: &str = "dts.batch";

/// What a batch brings.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Rows of the log.
    pub log: &'a [Entry],
    /// Rows of the handovers.
    pub handovers: &'a [Entry],
    /// The board as a whole.
    pub board: Option<&'a Board>,
}

/// What a batch needs a place for.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// The log tab of this wanted title.
    pub log: Option<&'a str>,
    /// The handovers.
    pub handovers: bool,
    /// The board.
    pub board: bool,
    /// Formats of the cells below what its tabs had when they were last seen.
    pub formats: bool,
}

/// How a batch is told by its traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// Whether a marker travels with the rows. Without one, the Event ID column must tell.
    pub marker: bool,
    /// Whether Google is asked where the columns are at the moment of the write.
    pub positions: bool,
}

/// Where a batch goes: written down when the batch is sealed, so that it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub(super) time_zone: String,
    /// The zone of the spreadsheet's `NOW()`.
    pub(super) own_zone: String,
    pub(super) traces: Traces,
    /// Whether formats go along.
    pub(super) formats: bool,
    pub(super) log: Option<Place>,
    pub(super) handovers: Option<Place>,
    pub(super) board: Option<Place>,
}

/// A tab and where its columns are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) sheet_id: i32,
    pub(super) columns: Vec<(Column, u32)>,
    /// Rows that the tab had when it was last seen.
    pub(super) rows: u32,
}

impl Place {
    fn of(tab: &TabLayout) -> Self {
        Self { sheet_id: tab.sheet_id, columns: tab.columns.clone(), rows: tab.grid.row_count }
    }

    /// From which row on formats go along: those of rows below what the tab had. What is above has the formats of
    /// its columns, which are set when they are made, or what people made of them.
    pub(super) fn formats_from(&self) -> u32 {
        self.rows.saturating_sub(ROWS_AGAIN).max(1)
    }

    /// Where a column is, if there is one.
    pub(super) fn position(&self, wanted: Column) -> Option<u32> {
        let found = self.columns.iter().find(|(column, _)| *column == wanted);
        found.map(|(_, index)| *index)
    }
}

impl Plan {
    /// The plan for the tabs as they are now; `None` where one that is needed is not there.
    pub fn new(layout: &Layout, needs: Needs<'_>, traces: Traces) -> Option<Self> {
        let place = |purpose, needed: bool| match layout.tab(purpose) {
            Some(tab) if needed => Some(Some(Place::of(tab))),
            None if needed => None,
            _ => Some(None),
        };
        let log = match needs.log {
            Some(title) => Some(Place::of(layout.log(title)?)),
            None => None,
        };
        Some(Self {
            time_zone: layout.time_zone.clone(),
            own_zone: layout.own_zone.clone(),
            traces,
            formats: needs.formats,
            log,
            handovers: place(Purpose::Handovers, needs.handovers)?,
            board: place(Purpose::Board, needs.board)?,
        })
    }

    /// Reads what [`Plan::to_text`] wrote; `None` if it is not a plan.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The plan in words that a journal can keep.
    pub fn to_text(&self) -> String {
        json!(self).to_string()
    }

    /// How the batch is told by its traces.
    pub fn traces(&self) -> Traces {
        self.traces
    }

    /// Whether formats go along.
    pub fn has_formats(&self) -> bool {
        self.formats
    }

    /// From which row of the tab of this purpose on it brings formats, where it does.
    pub fn formats_from(&self, purpose: Purpose) -> Option<u32> {
        let place = self.places().find(|(own, _)| *own == purpose);
        place.filter(|_| self.formats).map(|(_, place)| place.formats_from())
    }

    /// Whether the board goes along.
    pub fn has_board(&self) -> bool {
        self.board.is_some()
    }

    /// Whether handovers go along.
    pub fn has_handovers(&self) -> bool {
        self.handovers.is_some()
    }

    /// The tab that what is of this purpose goes to.
    pub fn sheet_id(&self, purpose: Purpose) -> Option<i32> {
        self.places().find(|(own, _)| *own == purpose).map(|(_, place)| place.sheet_id)
    }

    /// The purpose of the only tab that it writes to, if there is only one.
    pub fn only_purpose(&self) -> Option<Purpose> {
        let mut purposes = self.places().map(|(purpose, _)| purpose);
        purposes.next().filter(|_| purposes.next().is_none())
    }

    /// Whether everything is still where the plan says.
    pub fn holds_in(&self, layout: &Layout) -> bool {
        let is_there = |(purpose, place): (Purpose, &Place)| {
            let mut tabs = layout.tabs.iter().filter(|tab| tab.purpose == purpose);
            tabs.any(|tab| tab.sheet_id == place.sheet_id && tab.columns == place.columns)
        };
        layout.time_zone == self.time_zone && self.places().all(is_there)
    }

    /// Whether these bindings, all of the spreadsheet's at one moment, are where the plan says.
    pub(super) fn agrees_with(&self, bindings: &[Binding]) -> bool {
        self.places()
            .all(|(purpose, place)| columns_of(place.sheet_id, purpose, bindings) == place.columns)
    }

    pub(super) fn places(&self) -> impl Iterator<Item = (Purpose, &Place)> {
        let purposes = [Purpose::Log, Purpose::Handovers, Purpose::Board];
        let places = [&self.log, &self.handovers, &self.board];
        purposes
            .into_iter()
            .zip(places)
            .filter_map(|(purpose, place)| Some((purpose, place.as_ref()?)))
    }
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

    /// What stands in its place where the batch was given up before it was applied.
    pub(super) fn void(&self) -> Self {
        let sealed_at_s = Self::sealed_at_s(&self.value).unwrap_or_default();
        Self::new(self.id, "void", sealed_at_s)
    }

    /// When the batch of a marker that says this was sealed; `None` if it is not one of ours.
    pub(super) fn sealed_at_s(value: &str) -> Option<i64> {
        value.split_once('@')?.1.parse().ok()
    }

    /// The request that leaves it. On the spreadsheet and not on a tab, so that it outlives every tab
    /// that the batch writes to.
    pub(super) fn request(&self) -> Value {
        json!({ "developerMetadata": {
            "metadataId": self.id,
            "metadataKey": MARKER_KEY,
            "metadataValue": self.value,
            "location": { "spreadsheet": true },
            "visibility": "DOCUMENT",
        } })
    }
}
