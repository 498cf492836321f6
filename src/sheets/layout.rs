//! Where our tabs and their columns are now, and what to do where they are not.
//!
//! Each tab and every column is bound by developer metadata, which follows them when people rename,
//! move or insert. Titles and positions are read only once: to find a tab of the configured title
//! that nobody bound yet. `decide` is pure; what it asks for is one atomic request whose ids are
//! all chosen by us, so that an answer lost on the way cannot make two of anything.

use crate::sheets::column::{Column, Purpose};
pub use crate::sheets::wire::Grid;
use crate::sheets::wire::{Binding, Spreadsheet, Tab};

/// Metadata key that binds the tab.
pub(super) const TAB_KEY: &str = "dts.tab";
/// Metadata key that binds a column; its value is [`Column::key`].
pub(super) const COLUMN_KEY: &str = "dts.column";

/// What a tab's metadata says: its purpose, the version of its columns, and the title under which it
/// was made or found. So a renamed tab stays the one that is configured, and services configured for
/// different titles share a spreadsheet without meeting.
pub(super) fn tab_value(tab: &WantedTab) -> String {
    format!("{} {}", tab.purpose.words(), tab.title)
}

/// What we look for in the spreadsheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The tabs, the most important first.
    pub tabs: Vec<WantedTab>,
    /// The zone of the times written; `None` takes the spreadsheet's own.
    pub time_zone: Option<String>,
}

/// One tab that we look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedTab {
    /// What it is for.
    pub purpose: Purpose,
    /// Title under which the tab is made or first found.
    pub title: String,
    /// Id under which it is made; also the id of the metadata that binds it.
    pub tab_id: i32,
}

/// Our tabs as they are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// IANA name of the zone of the times written.
    pub time_zone: String,
    /// The spreadsheet's own zone: that of its `NOW()`.
    pub own_zone: String,
    /// Cells that there are in the whole workbook, used or not.
    pub cells: u64,
    /// Our tabs.
    pub tabs: Vec<TabLayout>,
    /// Tabs of ours that were not looked for: last month's log, one of another title. Each is here once
    /// for every purpose that its columns could be of.
    pub others: Vec<TabLayout>,
    /// Tabs that we do without, and why: a sentence each.
    pub left_out: Vec<String>,
    /// A tab that is not there and that nothing waits for.
    pub unmade: Option<Unmade>,
    /// All that binds tabs and columns of ours: as long as it stays so, they are where they were.
    pub(super) bindings: Vec<Binding>,
}

/// A tab that is to be made or bound when nothing else is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmade {
    pub(super) wanted: WantedTab,
    /// The tab of its title that nobody bound, where there is one.
    pub(super) at: Option<TabAt>,
}

/// One tab of ours as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TabLayout {
    /// What it is for.
    pub purpose: Purpose,
    /// The title under which it was looked for.
    pub wanted_title: String,
    /// Its id.
    pub sheet_id: i32,
    /// Its title at the moment; for people.
    pub title: String,
    /// Rows and columns that there are, used or not.
    pub grid: Grid,
    /// Each column that there is, with its position from 0.
    pub columns: Vec<(Column, u32)>,
    /// Whether people made a table of it.
    pub is_table: bool,
}

impl Layout {
    /// The log tab that was looked for under this title.
    pub fn log(&self, wanted_title: &str) -> Option<&TabLayout> {
        let mut tabs = self.tabs.iter().filter(|tab| tab.purpose == Purpose::Log);
        tabs.find(|tab| tab.wanted_title == wanted_title)
    }

    /// The one tab of another purpose.
    pub fn tab(&self, purpose: Purpose) -> Option<&TabLayout> {
        self.tabs.iter().find(|tab| tab.purpose == purpose)
    }

    /// The tab of this id, as one of this purpose, whether it was looked for or not.
    pub fn by_id(&self, purpose: Purpose, sheet_id: i32) -> Option<&TabLayout> {
        let is_it = |tab: &&TabLayout| tab.purpose == purpose && tab.sheet_id == sheet_id;
        self.tabs.iter().chain(&self.others).find(is_it)
    }

    /// What it means that people made tables of our tabs, and how to undo it; `None` where they did not.
    pub fn table_advice(&self) -> Option<String> {
        let tables = self.tabs.iter().filter(|tab| tab.is_table && !tab.purpose.can_wait());
        let titles: Vec<String> = tables.map(|tab| format!("`{}`", tab.title)).collect();
        let are = match titles.len() {
            0 => return None,
            1 => "is a table",
            _ => "are tables",
        };
        Some(format!(
            "{} {are}: new rows land whole, but below the table, so that its filters and groups do not \
             have them; to undo it, open the table's menu and choose Revert to unformatted data",
            titles.join(" and ")
        ))
    }

    /// The same but for what changes with every row: sizes.
    #[must_use]
    pub fn without_sizes(&self) -> Self {
        let mut same = Self { cells: 0, ..self.clone() };
        let tabs = same.tabs.iter_mut().chain(&mut same.others);
        tabs.for_each(|tab| tab.grid = Grid::default());
        same
    }
}

impl TabLayout {
    /// How many columns that are not ours stand left of the last that is.
    pub fn between(&self) -> usize {
        let end = self.columns.last().map_or(0, |(_, index)| *index as usize + 1);
        end.saturating_sub(self.columns.len())
    }

    /// The labels of the columns that are not there, because people deleted them.
    pub fn missing(&self) -> Vec<&'static str> {
        let is_there = |column: &Column| self.columns.iter().any(|(there, _)| there == column);
        let columns = self.purpose.columns().iter().copied();
        columns.filter(|column| !is_there(column)).map(Column::label).collect()
    }
}

/// What follows from what was found of one tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// All is there.
    Ready(TabLayout),
    /// No tab of ours and none of the title: make one.
    Make,
    /// A tab that nobody bound: its labels must be read to go on.
    ReadHeader(TabAt),
}

/// A tab to be bound or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TabAt {
    pub(super) sheet_id: i32,
    pub(super) title: String,
    pub(super) row_count: u32,
    pub(super) column_count: u32,
    /// The id of the metadata that binds it already, where only columns are missing.
    pub(super) bound_by: Option<i32>,
    /// Whether people made a table of something on it.
    pub(super) has_table: bool,
    /// Whether it has cells at all; a chart on a tab of its own has none.
    pub(super) has_cells: bool,
}

/// How an unbound tab's columns are bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binder {
    /// Columns whose label stands in the header already, with their positions.
    pub(super) found: Vec<(Column, u32)>,
    /// Columns whose label is to be written, with their positions.
    pub(super) added: Vec<(Column, u32)>,
}

/// Decides about one tab from the tabs and the metadata there are.
pub(super) fn decide(
    spreadsheet: &Spreadsheet,
    bindings: &[Binding],
    wanted: &WantedTab,
) -> Decision {
    let value = tab_value(wanted);
    let binding_of = |tab: &Tab| {
        bindings.iter().find(|binding| {
            binding.metadata_key == TAB_KEY
                && binding.metadata_value == value
                && binding.location.sheet_id == tab.properties.sheet_id
        })
    };
    let tabs = || spreadsheet.sheets.iter().filter_map(|tab| Some((tab, binding_of(tab)?)));
    // A copy of the tab may carry the same metadata, but not the same metadata id.
    let first = tabs().find(|(_, binding)| binding.metadata_id == wanted.tab_id);
    let Some((found, binding)) = first.or_else(|| tabs().next()) else {
        // To Google, capitals make no other title.
        let title = wanted.title.to_lowercase();
        let mut sheets = spreadsheet.sheets.iter();
        let titled = sheets.find(|tab| tab.properties.title.to_lowercase() == title);
        let at = |tab: &Tab| Decision::ReadHeader(at(tab, None));
        return titled.map_or(Decision::Make, at);
    };
    let tab = &found.properties;
    let columns = columns_of(tab.sheet_id, wanted.purpose, bindings);
    if columns.is_empty() {
        return Decision::ReadHeader(at(found, Some(binding.metadata_id)));
    }
    Decision::Ready(TabLayout {
        purpose: wanted.purpose,
        wanted_title: wanted.title.clone(),
        sheet_id: tab.sheet_id,
        title: tab.title.clone(),
        grid: tab.grid_properties,
        is_table: found.has_table_over(&columns),
        columns,
    })
}

/// Tabs with columns of ours that are none of these.
pub(super) fn others(
    spreadsheet: &Spreadsheet,
    bindings: &[Binding],
    tabs: &[TabLayout],
) -> Vec<TabLayout> {
    let is_used = |tab: &&Tab| tabs.iter().all(|ours| ours.sheet_id != tab.properties.sheet_id);
    let mut others = Vec::new();
    for found in spreadsheet.sheets.iter().filter(is_used) {
        let tab = &found.properties;
        for purpose in [Purpose::Log, Purpose::Handovers] {
            let columns = columns_of(tab.sheet_id, purpose, bindings);
            if !columns.is_empty() {
                others.push(TabLayout {
                    purpose,
                    wanted_title: String::new(),
                    sheet_id: tab.sheet_id,
                    title: tab.title.clone(),
                    grid: tab.grid_properties,
                    is_table: found.has_table_over(&columns),
                    columns,
                });
            }
        }
    }
    others
}

fn at(tab: &Tab, bound_by: Option<i32>) -> TabAt {
    let (has_table, tab) = (!tab.tables.is_empty(), &tab.properties);
    TabAt {
        has_table,
        sheet_id: tab.sheet_id,
        title: tab.title.clone(),
        row_count: tab.grid_properties.row_count,
        column_count: tab.grid_properties.column_count,
        bound_by,
        has_cells: matches!(tab.sheet_type.as_str(), "" | "GRID"),
    }
}

/// The columns of a tab by the metadata on them, from the left.
pub(super) fn columns_of(
    sheet_id: i32,
    purpose: Purpose,
    bindings: &[Binding],
) -> Vec<(Column, u32)> {
    let mut columns: Vec<(Column, u32)> = Vec::new();
    for binding in bindings.iter().filter(|binding| binding.metadata_key == COLUMN_KEY) {
        let Some(range) = &binding.location.dimension_range else { continue };
        let Some(column) = Column::of_key(&binding.metadata_value) else { continue };
        let is_new = columns.iter().all(|(known, _)| *known != column);
        if range.sheet_id == sheet_id && is_new && purpose.columns().contains(&column) {
            columns.push((column, range.start_index));
        }
    }
    columns.sort_by_key(|(_, index)| *index);
    columns
}

/// How to bind a tab of this header row; `None` where it is evidently about something else.
///
/// An empty header takes all our columns from the left. One that bears labels of ours keeps them
/// where they are and gets the missing ones after its last label. One that bears less than two, or none
/// that only this service has, is foreign: many lists have a status or a customer's name.
pub(super) fn bind(purpose: Purpose, header: &[String]) -> Option<Binder> {
    let mut found: Vec<(Column, u32)> = Vec::new();
    for (index, label) in (0_u32..).zip(header) {
        if let Some(column) = Column::of_label(purpose, label)
            && found.iter().all(|(known, _)| *known != column)
        {
            found.push((column, index));
        }
    }
    let end = end_of(header);
    let is_ours = found.len() >= 2 && found.iter().any(|(column, _)| column.is_told_by_its_label());
    if end > 0 && !is_ours {
        return None;
    }
    let columns = purpose.columns().iter().copied();
    let missing = columns.filter(|column| found.iter().all(|(known, _)| known != column));
    let added = missing.zip(end..).collect();
    Some(Binder { found, added })
}

impl Binder {
    /// All our columns to the right of what the header has.
    pub(super) fn beside(purpose: Purpose, header: &[String]) -> Self {
        let added = purpose.columns().iter().copied().zip(end_of(header)..).collect();
        Self { found: Vec::new(), added }
    }
}

/// The position after the last label.
fn end_of(header: &[String]) -> u32 {
    let labelled = (1_u32..).zip(header).filter(|(_, label)| !label.trim().is_empty());
    labelled.map(|(end, _)| end).last().unwrap_or(0)
}
