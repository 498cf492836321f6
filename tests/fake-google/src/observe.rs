//! What a test can see: the sheets as people would see them, and the requests as they came.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::FakeGoogle;
use crate::book::Book;
use crate::book::metadata::Place;
use crate::book::tabs::Tab;
use crate::formula::Recalculation;
use crate::grid::cell::{CHIP_COLOURS, Cell};
use crate::read::cell_data;
use crate::state::Seen;

impl FakeGoogle {
    /// The titles of the spreadsheet's tabs, in order.
    pub fn tabs(&self) -> Vec<String> {
        let state = self.shared.lock();
        state.book(&self.spreadsheet).tabs.iter().map(|tab| tab.shape.title.clone()).collect()
    }

    /// What every row of a tab shows, the header first, without trailing blanks. A tab that does not exist
    /// has no rows.
    pub fn rows(&self, title: &str) -> Vec<Vec<String>> {
        self.with_tab(title, |book, tab| {
            let (used, recalculation) = (tab.grid.used_rows(), Recalculation::of(book, tab));
            tab.grid.rows()[..used].iter().map(|row| shown(&recalculation, row)).collect()
        })
        .unwrap_or_default()
    }

    /// The same of one row, 0 being the header.
    pub fn row(&self, title: &str, at: usize) -> Vec<String> {
        self.with_tab(title, |book, tab| {
            let row = tab.grid.rows().get(at).map_or(&[][..], Vec::as_slice);
            shown(&Recalculation::of(book, tab), row)
        })
        .unwrap_or_default()
    }

    /// Google's id of a tab, which stays when its title changes.
    pub fn tab_id(&self, title: &str) -> i64 {
        self.with_tab(title, |_, tab| tab.id).expect("there is such a tab")
    }

    /// How many rows a tab has down to the last with data, the header included.
    pub fn row_count(&self, title: &str) -> usize {
        self.with_tab(title, |_, tab| tab.grid.used_rows()).unwrap_or_default()
    }

    /// The columns that bear developer metadata of that key: tab, position, and what it says.
    pub fn columns_with(&self, key: &str) -> Vec<(String, usize, String)> {
        let state = self.shared.lock();
        let book = state.book(&self.spreadsheet);
        let found = book.metadata.iter().filter(|metadata| metadata.key == key);
        found
            .filter_map(|metadata| {
                let Place::Column(sheet, column) = metadata.place else { return None };
                let tab = book.tabs.iter().find(|tab| tab.id == sheet)?;
                let value = metadata.value.clone().unwrap_or_default();
                Some((tab.shape.title.clone(), column, value))
            })
            .collect()
    }

    /// The charts that stand on a tab, as the API would give them.
    pub fn charts(&self, title: &str) -> Vec<Value> {
        self.with_tab(title, |_, tab| tab.shape.charts.clone()).unwrap_or_default()
    }

    /// The names of the filter views that people keep on a tab.
    pub fn filter_views(&self, title: &str) -> Vec<String> {
        let name = |view: &Value| view["title"].as_str().unwrap_or_default().to_owned();
        let names =
            self.with_tab(title, |_, tab| tab.shape.filter_views.iter().map(name).collect());
        names.unwrap_or_default()
    }

    /// The whole cell as the API would give it; an empty object if there is nothing.
    pub fn cell(&self, title: &str, row: usize, column: usize) -> Value {
        let cell = self.with_tab(title, |book, tab| {
            cell_data(&Recalculation::of(book, tab), tab.grid.cell(row, column))
        });
        cell.unwrap_or_else(|| serde_json::json!({}))
    }

    /// The name of the colours that people gave the choices of a cell's dropdown.
    pub fn chip_colours(&self, title: &str, row: usize, column: usize) -> Option<String> {
        let colours = self.with_tab(title, |_, tab| {
            let dress = tab.grid.cell(row, column).dress();
            dress.get(CHIP_COLOURS).and_then(Value::as_str).map(str::to_owned)
        });
        colours.flatten()
    }

    /// What stands below the header with that text, blanks included, down to the tab's last row with data.
    pub fn column(&self, title: &str, header: &str) -> Vec<String> {
        let rows = self.rows(title);
        let Some((headers, rows)) = rows.split_first() else { return Vec::new() };
        let Some(at) = headers.iter().position(|text| text == header) else { return Vec::new() };
        rows.iter().map(|row| row.get(at).cloned().unwrap_or_default()).collect()
    }

    /// Waits until a tab has at least `count` rows below its header; false if that takes too long.
    pub fn wait_for_rows(&self, title: &str, count: usize, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.shared.lock();
        loop {
            let tab = state.book(&self.spreadsheet).tab_titled(title);
            if tab.is_some_and(|tab| tab.grid.used_rows() > count) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// Every request in the order of arrival, the page's own excepted.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// How many times `batchUpdate` was called, whatever came of it.
    pub fn writes(&self) -> usize {
        self.shared.lock().seen.iter().filter(|seen| seen.is_write()).count()
    }

    /// How many `batchUpdate` calls are under way, also of callers that have gone.
    pub fn writes_in_flight(&self) -> usize {
        self.shared.lock().in_flight
    }

    /// The most `batchUpdate` calls that were ever under way at once.
    pub fn writes_in_flight_max(&self) -> usize {
        self.shared.lock().in_flight_max
    }

    /// The most `batchUpdate` calls within any 60 seconds.
    pub fn writes_per_minute_max(&self) -> usize {
        self.shared.lock().writes_per_minute_max()
    }

    /// Requests that Google's description does not allow, or that went to no known address, with the answer.
    pub fn invalid_requests(&self) -> Vec<String> {
        self.shared.lock().invalid.clone()
    }

    /// The developer metadata under a key, as id and value, in the order of creation.
    pub fn markers(&self, key: &str) -> Vec<(i64, String)> {
        let state = self.shared.lock();
        let all =
            state.book(&self.spreadsheet).metadata.iter().filter(|metadata| metadata.key == key);
        all.map(|metadata| (metadata.id, metadata.value.clone().unwrap_or_default())).collect()
    }

    fn with_tab<T>(&self, title: &str, look: impl FnOnce(&Book, &Tab) -> T) -> Option<T> {
        let state = self.shared.lock();
        let book = state.book(&self.spreadsheet);
        book.tab_titled(title).map(|tab| look(book, tab))
    }
}

fn shown(recalculation: &Recalculation<'_>, row: &[Cell]) -> Vec<String> {
    let mut texts: Vec<String> = row.iter().map(|cell| recalculation.display(cell)).collect();
    texts.truncate(texts.iter().rposition(|text| !text.is_empty()).map_or(0, |last| last + 1));
    texts
}
