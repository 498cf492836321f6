//! Where our tab and its columns are now, and what to do where they are not.
//!
//! The tab and every column are bound by developer metadata, which follows them when people rename,
//! move or insert. Titles and positions are read only once: to find a tab of the configured title
//! that nobody bound yet. [`decide`] is pure; what it asks for is one atomic request whose ids are
//! all chosen by us, so that an answer lost on the way cannot make two of anything.

use serde::Deserialize;

use crate::sheets::column::Column;

/// Metadata key that binds the tab.
pub const TAB_KEY: &str = "dts.tab";
/// Metadata key that binds a column; its value is [`Column::key`].
pub const COLUMN_KEY: &str = "dts.column";

/// What a tab's metadata says: its purpose, the version of its columns, and the title under which it
/// was made or found. So a renamed tab stays the one that is configured, and services configured for
/// different titles share a spreadsheet without meeting.
pub(super) fn tab_value(configured_title: &str) -> String {
    format!("log.1 {configured_title}")
}

/// What we look for in the spreadsheet.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Title under which the tab is made or first found.
    pub title: String,
    /// Id under which it is made; also the id of the metadata that binds it.
    pub tab_id: i32,
    /// The zone of the times written; `None` takes the spreadsheet's own.
    pub time_zone: Option<String>,
}

/// Our tab as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Its id.
    pub sheet_id: i32,
    /// Its title at the moment; for people.
    pub title: String,
    /// IANA name of the zone of the times written.
    pub time_zone: String,
    /// Each column that there is, with its position from 0.
    pub columns: Vec<(Column, u32)>,
}

impl Layout {
    /// The labels of the columns that are not there, because people deleted them.
    pub fn missing(&self) -> Vec<&'static str> {
        let is_there = |column: &Column| self.columns.iter().any(|(there, _)| there == column);
        Column::ALL.into_iter().filter(|column| !is_there(column)).map(Column::label).collect()
    }
}

/// The spreadsheet as the API describes it, as far as we read it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spreadsheet {
    /// Title and zone.
    pub properties: SpreadsheetProperties,
    /// Its tabs.
    pub sheets: Vec<Tab>,
}

/// Of the whole spreadsheet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SpreadsheetProperties {
    /// For people.
    pub title: String,
    /// IANA name.
    pub time_zone: String,
}

/// One tab.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tab {
    /// What it is.
    pub properties: TabProperties,
}

/// Of one tab. Zeros and empty strings are absent on the wire.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TabProperties {
    /// Unchanging.
    pub sheet_id: i32,
    /// For people, and theirs to change.
    pub title: String,
    /// `GRID` for a tab with cells; absent means so too.
    pub sheet_type: String,
    /// Its size.
    pub grid_properties: Grid,
}

/// The size of a tab.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Grid {
    /// Columns there are, used or not.
    pub column_count: u32,
}

/// One piece of metadata that binds something of ours.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Binding {
    /// Its id.
    pub metadata_id: i32,
    /// [`TAB_KEY`], [`COLUMN_KEY`] or a marker's.
    pub metadata_key: String,
    /// What it says.
    pub metadata_value: String,
    /// What it sits on.
    pub location: Location,
}

/// Where metadata sits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Location {
    /// The tab, for a tab's.
    pub sheet_id: i32,
    /// The column, for a column's.
    pub dimension_range: Option<DimensionRange>,
}

/// One column of one tab.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DimensionRange {
    /// The tab.
    pub sheet_id: i32,
    /// Position from 0.
    pub start_index: u32,
}

/// What follows from what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// All is there.
    Ready(Layout),
    /// No tab of ours and none of the title: make one.
    Make,
    /// A tab that nobody bound: its first row must be read to go on.
    ReadHeader(TabAt),
}

/// A tab to be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TabAt {
    /// Its id.
    pub sheet_id: i32,
    /// Its title.
    pub title: String,
    /// Columns there are.
    pub column_count: u32,
    /// Whether the tab itself is bound already and only its columns are missing.
    pub is_bound: bool,
    /// Whether it has cells at all; a chart on a tab of its own has none.
    pub has_cells: bool,
}

/// How an unbound tab's columns are bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binder {
    /// Columns whose label stands in the header already, with their positions.
    pub found: Vec<(Column, u32)>,
    /// Columns whose label is to be written, with their positions.
    pub added: Vec<(Column, u32)>,
}

/// Decides from the tabs and the metadata there are.
pub fn decide(spreadsheet: &Spreadsheet, bindings: &[Binding], wanted: &Wanted) -> Decision {
    let value = tab_value(&wanted.title);
    let bound = |tab: &&Tab| {
        bindings.iter().any(|binding| {
            binding.metadata_key == TAB_KEY
                && binding.metadata_value == value
                && binding.location.sheet_id == tab.properties.sheet_id
        })
    };
    let tabs = || spreadsheet.sheets.iter().filter(|tab| bound(tab));
    // A copy of the tab may carry the same metadata, but not the same metadata id.
    let first = bindings.iter().find(|binding| binding.metadata_id == wanted.tab_id);
    let ours = tabs()
        .find(|tab| first.is_some_and(|first| first.location.sheet_id == tab.properties.sheet_id))
        .or_else(|| tabs().next());
    let Some(tab) = ours.map(|tab| &tab.properties) else {
        let titled = spreadsheet.sheets.iter().find(|tab| tab.properties.title == wanted.title);
        return titled.map_or(Decision::Make, |tab| Decision::ReadHeader(at(tab, false)));
    };
    let columns = columns_of(tab.sheet_id, bindings);
    if columns.is_empty() {
        let tab = Tab { properties: tab.clone() };
        return Decision::ReadHeader(at(&tab, true));
    }
    let time_zone = match &wanted.time_zone {
        Some(zone) => zone.clone(),
        None => spreadsheet.properties.time_zone.clone(),
    };
    Decision::Ready(Layout { sheet_id: tab.sheet_id, title: tab.title.clone(), time_zone, columns })
}

fn at(tab: &Tab, is_bound: bool) -> TabAt {
    TabAt {
        sheet_id: tab.properties.sheet_id,
        title: tab.properties.title.clone(),
        column_count: tab.properties.grid_properties.column_count,
        is_bound,
        has_cells: matches!(tab.properties.sheet_type.as_str(), "" | "GRID"),
    }
}

fn columns_of(sheet_id: i32, bindings: &[Binding]) -> Vec<(Column, u32)> {
    let mut columns: Vec<(Column, u32)> = Vec::new();
    for binding in bindings.iter().filter(|binding| binding.metadata_key == COLUMN_KEY) {
        let Some(range) = &binding.location.dimension_range else { continue };
        let Some(column) = Column::of_key(&binding.metadata_value) else { continue };
        if range.sheet_id == sheet_id && columns.iter().all(|(known, _)| *known != column) {
            columns.push((column, range.start_index));
        }
    }
    columns.sort_by_key(|(_, index)| *index);
    columns
}

/// How to bind a tab of this header row; `None` where it is evidently about something else.
///
/// An empty header takes all our columns from the left. One that bears labels of ours keeps them
/// where they are and gets the missing ones after its last label. One that bears none is foreign.
pub fn bind(header: &[String]) -> Option<Binder> {
    let mut found: Vec<(Column, u32)> = Vec::new();
    for (index, label) in (0_u32..).zip(header) {
        if let Some(column) = Column::of_label(label)
            && found.iter().all(|(known, _)| *known != column)
        {
            found.push((column, index));
        }
    }
    let end = end_of(header);
    if found.is_empty() && end > 0 {
        return None;
    }
    let missing =
        Column::ALL.into_iter().filter(|column| found.iter().all(|(known, _)| known != column));
    let added = missing.zip(end..).collect();
    Some(Binder { found, added })
}

impl Binder {
    /// All our columns to the right of what the header has.
    pub(super) fn beside(header: &[String]) -> Self {
        let added = Column::ALL.into_iter().zip(end_of(header)..).collect();
        Self { found: Vec::new(), added }
    }
}

/// The position after the last label.
fn end_of(header: &[String]) -> u32 {
    let labelled = (1_u32..).zip(header).filter(|(_, label)| !label.trim().is_empty());
    labelled.map(|(end, _)| end).last().unwrap_or(0)
}
