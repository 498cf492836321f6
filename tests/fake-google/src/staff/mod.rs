//! People who have the spreadsheet open and do what people do.
//!
//! They may edit everything, protected or not. Rows and columns count from 0, row 0 is the header. Naming a
//! tab that does not exist is a mistake of the test and panics.

mod copies;
mod dress;
mod tables;
#[cfg(test)]
mod tests;

use std::ops::Range;

use serde_json::{Value, json};

use crate::FakeGoogle;
use crate::book::Book;
use crate::book::tabs::{Protection, Tab};
use crate::grid::cell::Cell;
use crate::grid::shift::Shift;
use crate::grid::{Row, widen};

/// Someone editing the spreadsheet.
#[derive(Debug)]
pub struct Staff<'g> {
    google: &'g FakeGoogle,
}

impl FakeGoogle {
    pub fn staff(&self) -> Staff<'_> {
        Staff { google: self }
    }
}

impl Staff<'_> {
    pub fn rename_tab(&self, old: &str, new: &str) {
        self.edit_tab(old, |tab| new.clone_into(&mut tab.shape.title));
    }

    pub fn delete_tab(&self, title: &str) {
        self.edit(title, |book, at| book.remove_tab(at));
    }

    /// Deletes every chart on the tab.
    pub fn delete_charts(&self, title: &str) {
        self.edit_tab(title, |tab| tab.shape.charts.clear());
    }

    /// Puts a tab at another place in the tab bar.
    pub fn move_tab(&self, title: &str, to: usize) {
        self.edit(title, |book, at| {
            let tab = book.tabs.remove(at);
            book.tabs.insert(to.min(book.tabs.len()), tab);
        });
    }

    pub fn add_tab(&self, title: &str, rows: &[&[&str]]) {
        self.change(|book| {
            let mut tab = Tab::new(i64::from(fastrand::i32(1..)), title, 1000, 26);
            let row =
                |texts: &&[&str]| -> Row { texts.iter().map(|text| Cell::text(text)).collect() };
            tab.grid.push_rows(rows.iter().map(row));
            tab.shape.rows = tab.shape.rows.max(rows.len());
            book.tabs.push(tab);
        });
    }

    pub fn insert_column(&self, title: &str, at: usize, header: &str) {
        self.shift_columns(title, Shift::Insert { at, count: 1 });
        self.set_cell(title, 0, at, header);
    }

    /// Moves a column so that it stands at `to` afterwards.
    pub fn move_column(&self, title: &str, from: usize, to: usize) {
        let to = if to > from { to + 1 } else { to };
        if to != from {
            self.shift_columns(title, Shift::Move { start: from, end: from + 1, to });
        }
    }

    pub fn delete_column(&self, title: &str, at: usize) {
        self.shift_columns(title, Shift::Delete { start: at, end: at + 1 });
    }

    pub fn rename_header(&self, title: &str, column: usize, text: &str) {
        self.set_cell(title, 0, column, text);
    }

    /// Types text into a cell; no text empties it. Its format and validation stay.
    pub fn set_cell(&self, title: &str, row: usize, column: usize, text: &str) {
        self.edit_tab(title, |tab| {
            tab.shape.rows = tab.shape.rows.max(row + 1);
            tab.shape.columns = tab.shape.columns.max(column + 1);
            tab.grid.cell_mut(row, column).entered = Cell::text(text).entered;
        });
    }

    pub fn delete_row(&self, title: &str, row: usize) {
        self.edit(title, |book, at| {
            let id = book.tabs[at].id;
            book.shift_unguarded(id, false, Shift::Delete { start: row, end: row + 1 });
        });
    }

    /// Deletes rows that were picked one by one; each is named as it was before any was gone.
    pub fn delete_rows(&self, title: &str, rows: &[usize]) {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows.dedup();
        self.edit(title, |book, at| {
            let id = book.tabs[at].id;
            for row in rows.into_iter().rev() {
                book.shift_unguarded(id, false, Shift::Delete { start: row, end: row + 1 });
            }
        });
    }

    pub fn insert_row(&self, title: &str, at: usize) {
        self.edit(title, |book, tab| {
            let id = book.tabs[tab].id;
            book.shift_unguarded(id, false, Shift::Insert { at, count: 1 });
        });
    }

    /// Sorts all rows below the header, upwards, by one column.
    pub fn sort(&self, title: &str, by_column: usize) {
        self.sort_below(title, 1, by_column);
    }

    /// The same below so many frozen rows. Cells move with all that is on them; hidden rows stay where
    /// they are.
    pub fn sort_below(&self, title: &str, frozen_rows: usize, by_column: usize) {
        self.edit_tab(title, |tab| {
            tab.grid.reshape(|rows| {
                let frozen_rows = frozen_rows.min(rows.len());
                let rows = &mut rows[frozen_rows..];
                for row in rows.iter_mut() {
                    widen(row, by_column);
                }
                rows.sort_by(|a, b| crate::book::in_order(&a[by_column], &b[by_column], false));
            });
        });
    }

    /// Protects the whole tab against everyone but people.
    pub fn protect(&self, title: &str) {
        self.protect_range(title, &json!({}));
    }

    /// The same of these rows alone.
    pub fn protect_rows(&self, title: &str, rows: Range<usize>) {
        self.protect_range(title, &json!({ "startRowIndex": rows.start, "endRowIndex": rows.end }));
    }

    fn protect_range(&self, title: &str, range: &Value) {
        self.edit_tab(title, |tab| {
            let mut range = range.clone();
            range["sheetId"] = tab.id.into();
            let rule = json!({
                "protectedRangeId": fastrand::i32(1..),
                "range": range,
                "description": "Only for staff",
                "requestingUserCanEdit": false,
                "editors": { "users": ["owner@example.com"] },
            });
            tab.shape.protections.push(Protection { rule, ours: false });
        });
    }

    /// Lifts every protection of the tab.
    pub fn unprotect(&self, title: &str) {
        self.edit_tab(title, |tab| tab.shape.protections.clear());
    }

    fn shift_columns(&self, title: &str, shift: Shift) {
        self.edit(title, |book, at| {
            let id = book.tabs[at].id;
            book.shift_unguarded(id, true, shift);
        });
    }

    fn edit_tab(&self, title: &str, edit: impl FnOnce(&mut Tab)) {
        self.edit(title, |book, at| edit(&mut book.tabs[at]));
    }

    #[track_caller]
    fn edit(&self, title: &str, edit: impl FnOnce(&mut Book, usize)) {
        self.change(|book| {
            let at = book.tabs.iter().position(|tab| tab.shape.title == title);
            edit(book, at.unwrap_or_else(|| panic!("there is no tab `{title}`")));
        });
    }

    fn change(&self, change: impl FnOnce(&mut Book)) {
        let shared = &self.google.shared;
        let mut state = shared.lock();
        let book = state.books.get_mut(&self.google.spreadsheet).expect("spreadsheets stay");
        change(book);
        book.commit();
        shared.changed.notify_all();
    }
}
