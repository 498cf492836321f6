//! The spreadsheet as Google's API describes it, as far as we read it. Zeros, empty strings and empty
//! lists are absent on the wire.

use serde::Deserialize;

use crate::sheets::column::Column;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spreadsheet {
    pub(super) properties: SpreadsheetProperties,
    pub(super) sheets: Vec<Tab>,
}

impl Spreadsheet {
    /// Cells that there are in all tabs, used or not: what Google's limit counts.
    pub(super) fn cells(&self) -> u64 {
        let grids = self.sheets.iter().map(|tab| tab.properties.grid_properties);
        grids.map(|grid| u64::from(grid.row_count) * u64::from(grid.column_count)).sum()
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SpreadsheetProperties {
    pub(super) title: String,
    pub(super) time_zone: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tab {
    pub(super) properties: TabProperties,
    pub(super) tables: Vec<Table>,
}

impl Tab {
    /// Whether a table of people's covers one of these columns.
    pub(super) fn has_table_over(&self, columns: &[(Column, u32)]) -> bool {
        self.tables.iter().any(|table| {
            let (start, end) = (table.range.start_column_index, table.range.end_column_index);
            columns.iter().any(|(_, index)| *index >= start && end.is_none_or(|end| *index < end))
        })
    }
}

/// What people made with *Convert to table*.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Table {
    range: TableRange,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TableRange {
    start_column_index: u32,
    end_column_index: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TabProperties {
    pub(super) sheet_id: i32,
    pub(super) title: String,
    /// `GRID` for a tab with cells; absent means so too.
    pub(super) sheet_type: String,
    pub(super) grid_properties: Grid,
}

/// The size of a tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Grid {
    /// Rows there are, used or not.
    pub row_count: u32,
    /// Columns there are, used or not.
    pub column_count: u32,
}

/// One piece of metadata that binds something of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Binding {
    pub(super) metadata_id: i32,
    pub(super) metadata_key: String,
    pub(super) metadata_value: String,
    pub(super) location: Location,
}

/// The tab, or the column of a tab, that metadata sits on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Location {
    pub(super) sheet_id: i32,
    pub(super) dimension_range: Option<DimensionRange>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DimensionRange {
    pub(super) sheet_id: i32,
    pub(super) start_index: u32,
}
