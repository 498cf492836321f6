//! What people do to how a tab looks: filters, hidden rows, notes, checkboxes, dropdowns, colours.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::grid::cell::{CHIP_COLOURS, Cell, Entered};
use crate::staff::Staff;

impl Staff<'_> {
    /// Turns a basic filter on over the whole tab.
    pub fn basic_filter(&self, title: &str) {
        self.edit_tab(title, |tab| {
            tab.shape.filter = Some(json!({ "range": { "sheetId": tab.id } }));
        });
    }

    /// Turns a basic filter on over what the tab has now, and hides the rows that have one of these values.
    pub fn filter_out(&self, title: &str, column: usize, values: &[&str]) {
        self.edit_tab(title, |tab| {
            let width = tab.grid.rows().iter().map(Vec::len).max().unwrap_or_default();
            tab.shape.filter = Some(json!({
                "range": {
                    "sheetId": tab.id, "startRowIndex": 0, "endRowIndex": tab.grid.used_rows(),
                    "startColumnIndex": 0, "endColumnIndex": width,
                },
                "filterSpecs": [{ "columnIndex": column, "filterCriteria": { "hiddenValues": values } }],
            }));
        });
    }

    pub fn clear_filter(&self, title: &str) {
        self.edit_tab(title, |tab| tab.shape.filter = None);
    }

    /// Saves a filter view over the whole tab. Others do not see what it hides.
    pub fn add_filter_view(&self, title: &str, name: &str) {
        self.edit_tab(title, |tab| {
            tab.shape.filter_views.push(json!({
                "filterViewId": fastrand::i32(1..), "title": name, "range": { "sheetId": tab.id },
            }));
        });
    }

    pub fn hide_rows(&self, title: &str, rows: Range<usize>) {
        self.edit_tab(title, |tab| {
            for row in rows {
                let properties = tab.shape.row_properties.entry(row).or_default();
                properties.insert("hiddenByUser".to_owned(), true.into());
            }
        });
    }

    pub fn show_rows(&self, title: &str, rows: Range<usize>) {
        self.edit_tab(title, |tab| {
            for row in rows {
                if let Some(properties) = tab.shape.row_properties.get_mut(&row) {
                    properties.remove("hiddenByUser");
                }
            }
        });
    }

    /// Puts a note on a cell; no text takes it off.
    pub fn set_note(&self, title: &str, row: usize, column: usize, text: &str) {
        self.dress(title, row..row + 1, column..column + 1, |_, dress| {
            drop(if text.is_empty() {
                dress.remove("note")
            } else {
                dress.insert("note".to_owned(), text.into())
            });
        });
    }

    /// Makes checkboxes of cells, none of them ticked.
    pub fn set_checkboxes(&self, title: &str, rows: Range<usize>, column: usize) {
        let rule = json!({ "condition": { "type": "BOOLEAN" }, "strict": true });
        self.dress(title, rows, column..column + 1, |cell, dress| {
            cell.entered = Entered::Bool(false);
            dress.insert("dataValidation".to_owned(), rule.clone());
        });
    }

    /// Ticks a checkbox.
    pub fn tick(&self, title: &str, row: usize, column: usize) {
        self.edit_tab(title, |tab| tab.grid.cell_mut(row, column).entered = Entered::Bool(true));
    }

    /// Makes dropdowns of cells, or gives those that are other choices. What they hold stays.
    pub fn set_dropdown(&self, title: &str, rows: Range<usize>, column: usize, choices: &[&str]) {
        let values: Vec<Value> =
            choices.iter().map(|choice| json!({ "userEnteredValue": choice })).collect();
        let condition = json!({ "type": "ONE_OF_LIST", "values": values });
        let rule = json!({ "condition": condition, "strict": true, "showCustomUi": true });
        self.dress(title, rows, column..column + 1, |_, dress| {
            dress.insert("dataValidation".to_owned(), rule.clone());
        });
    }

    /// Gives the choices of these dropdowns colours, by this name.
    pub fn colour_chips(&self, title: &str, rows: Range<usize>, column: usize, name: &str) {
        self.dress(title, rows, column..column + 1, |_, dress| {
            if dress.contains_key("dataValidation") {
                dress.insert(CHIP_COLOURS.to_owned(), name.into());
            }
        });
    }

    /// Gives cells a number format.
    pub fn format_numbers(
        &self,
        title: &str,
        rows: Range<usize>,
        column: usize,
        kind: &str,
        pattern: &str,
    ) {
        let wanted = json!({ "type": kind, "pattern": pattern });
        self.dress(title, rows, column..column + 1, |_, dress| {
            let format = dress.entry("userEnteredFormat").or_insert_with(|| json!({}));
            format["numberFormat"] = wanted.clone();
        });
    }

    /// Gives cells a background, as red, green and blue from 0 to 255.
    pub fn paint(
        &self,
        title: &str,
        rows: Range<usize>,
        columns: Range<usize>,
        (red, green, blue): (u8, u8, u8),
    ) {
        let share = |part: u8| f64::from(part) / 255.0;
        let color = json!({ "red": share(red), "green": share(green), "blue": share(blue) });
        self.dress(title, rows, columns, |_, dress| {
            let format = dress.entry("userEnteredFormat").or_insert_with(|| json!({}));
            format["backgroundColorStyle"] = json!({ "rgbColor": color });
        });
    }

    fn dress(
        &self,
        title: &str,
        rows: Range<usize>,
        columns: Range<usize>,
        change: impl Fn(&mut Cell, &mut Map<String, Value>),
    ) {
        self.edit_tab(title, |tab| {
            for row in rows {
                for column in columns.clone() {
                    let cell = tab.grid.cell_mut(row, column);
                    let mut dress = cell.dress();
                    change(cell, &mut dress);
                    cell.set_dress(&dress);
                }
            }
        });
    }
}
