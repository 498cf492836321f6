//! What people do with tables: Google's menus suggest them to everybody.

use std::ops::Range;

use serde_json::json;

use crate::book::tables::table;
use crate::grid::cell::Cell;
use crate::staff::Staff;

impl Staff<'_> {
    /// Convert to table: what stands on the tab becomes one, its first row the names of its columns. Where Google
    /// gives them types, they are texts.
    pub fn make_table(&self, title: &str, name: &str, is_typed: bool) {
        self.add_table(title, name, 0..usize::MAX, is_typed);
    }

    /// The same of these columns alone.
    pub fn make_table_of(&self, title: &str, name: &str, columns: Range<usize>) {
        self.add_table(title, name, columns, false);
    }

    fn add_table(&self, title: &str, name: &str, columns: Range<usize>, is_typed: bool) {
        self.edit_tab(title, |tab| {
            let width = tab.grid.rows().iter().map(Vec::len).max().unwrap_or_default();
            let (first, end) = (columns.start, columns.end.min(width));
            let column = |index: usize| {
                let mut column =
                    json!({ "columnIndex": index - first, "columnName": format!("{name} {index}") });
                if is_typed {
                    column["columnType"] = "TEXT".into();
                }
                column
            };
            let range = json!({
                "sheetId": tab.id, "startRowIndex": 0, "endRowIndex": tab.grid.used_rows(),
                "startColumnIndex": first, "endColumnIndex": end,
            });
            tab.shape.tables.push(table(name, &range, (first..end).map(column).collect()));
        });
    }

    /// Revert to unformatted data.
    pub fn revert_tables(&self, title: &str) {
        self.edit_tab(title, |tab| tab.revert_tables(|_| true));
    }

    /// Turns the footer of the tab's table on, which takes the place of its last row.
    pub fn turn_footer_on(&self, title: &str) {
        self.edit_tab(title, |tab| {
            let Some(table) = tab.shape.tables.first() else { return };
            let end =
                table["range"]["endRowIndex"].as_u64().and_then(|end| usize::try_from(end).ok());
            let Some(last) = end.and_then(|end| end.checked_sub(1)) else { return };
            let width = tab.grid.rows().get(last).map_or(0, Vec::len);
            for column in 0..width {
                *tab.grid.cell_mut(last, column) = Cell::EMPTY;
            }
            *tab.grid.cell_mut(last, 0) = Cell::text("Total");
        });
    }
}
