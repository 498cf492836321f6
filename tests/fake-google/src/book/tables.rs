//! Tables, as people make them of a range, and what the API does and refuses where there is one.
//!
//! What is known of them was measured by others: rows appended to the tab land below the table, which does not grow;
//! rows appended to the table make it grow, and their values are dropped; a column that has a type takes no
//! validation. A footer that is turned on takes the place of the last row.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::book::range::{Area, GridRange};
use crate::book::tabs::Tab;
use crate::book::{Book, Wrong};
use crate::errors;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OnTable {
    table: Map<String, Value>,
    table_id: String,
}

/// A table as Google's `Table`.
pub(crate) fn table(name: &str, range: &Value, columns: Vec<Value>) -> Value {
    let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(12).collect();
    json!({ "tableId": id, "name": name, "range": range, "columnProperties": columns })
}

impl Book {
    pub(super) fn add_table(&mut self, request: &OnTable) -> Result<Value, Wrong> {
        let wanted = &request.table;
        let given = wanted.get("range").unwrap_or(&Value::Null);
        let range: GridRange = serde_json::from_value(given.clone())
            .map_err(|_| Wrong::malformed("A table must have a range, with no negative index."))?;
        let area = range.area(self.tab(range.sheet_id)?)?;
        let name = wanted.get("name").and_then(Value::as_str).unwrap_or_default();
        if self.tabs.iter().flat_map(|tab| &tab.shape.tables).any(|other| other["name"] == name) {
            return Err(Wrong::from(format!("A table with name {name} already exists.")));
        }
        let tab = self.tab_mut(range.sheet_id)?;
        if tab.tables_in(&area).next().is_some() {
            return Err("You cannot add a table over another one.".into());
        }
        let columns = wanted.get("columnProperties").and_then(Value::as_array);
        let table = table(name, given, columns.cloned().unwrap_or_default());
        tab.shape.tables.push(table.clone());
        Ok(json!({ "table": table }))
    }

    pub(super) fn delete_table(&mut self, request: &OnTable) -> Result<(), Wrong> {
        let id = request.table_id.as_str();
        let at = self.tab_with_table(id)?;
        self.tabs[at].revert_tables(|table| table["tableId"] == id);
        Ok(())
    }

    /// Makes room for so many rows at the end of the table. Their values are dropped.
    pub(super) fn append_to_table(&mut self, id: &str, rows: usize) -> Result<(), Wrong> {
        let at = self.tab_with_table(id)?;
        let tab = &mut self.tabs[at];
        let Some(table) = tab.shape.tables.iter_mut().find(|table| table["tableId"] == id) else {
            return Ok(());
        };
        let end = table["range"]["endRowIndex"].as_u64().unwrap_or_default() + rows as u64;
        table["range"]["endRowIndex"] = end.into();
        tab.shape.rows = tab.shape.rows.max(usize::try_from(end).unwrap_or_default());
        self.refuse_too_many_cells()
    }

    fn tab_with_table(&self, id: &str) -> Result<usize, Wrong> {
        let has_it = |tab: &Tab| tab.shape.tables.iter().any(|table| table["tableId"] == id);
        let at = self.tabs.iter().position(has_it);
        at.ok_or_else(|| format!("No table with id: {id}").into())
    }
}

impl Tab {
    /// The tables that meet an area.
    fn tables_in<'t>(&'t self, area: &'t Area) -> impl Iterator<Item = &'t Value> {
        let of =
            |table: &Value| GridRange::from_json(&table["range"]).closed(usize::MAX, usize::MAX);
        self.shape.tables.iter().filter(move |table| of(table).meets(area))
    }

    /// Whether a cell of the area is in a column that has a type.
    pub(super) fn refuse_typed(&self, area: &Area) -> Result<(), Wrong> {
        for table in self.tables_in(area) {
            let first = table["range"]["startColumnIndex"].as_u64().unwrap_or_default();
            let typed = table["columnProperties"].as_array().into_iter().flatten();
            let typed = typed.filter(|column| column["columnType"].is_string());
            let indexes = typed.map(|column| column["columnIndex"].as_u64().unwrap_or_default());
            let mut indexes = indexes.filter_map(|index| usize::try_from(first + index).ok());
            if indexes.any(|index| area.columns.contains(&index)) {
                return Err(errors::TYPED_COLUMN.into());
            }
        }
        Ok(())
    }

    /// Takes away these tables, and with them the conditional formats on what they covered.
    pub(crate) fn revert_tables(&mut self, which: impl Fn(&Value) -> bool) {
        let of = |range: &Value| GridRange::from_json(range).closed(usize::MAX, usize::MAX);
        let (gone, kept) = std::mem::take(&mut self.shape.tables).into_iter().partition(which);
        self.shape.tables = kept;
        let gone: Vec<Value> = gone;
        self.shape.conditionals.retain(|rule| {
            let mut ranges = rule["ranges"].as_array().into_iter().flatten();
            !ranges.any(|range| gone.iter().any(|table| of(&table["range"]).meets(&of(range))))
        });
    }
}
