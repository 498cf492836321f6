//! One spreadsheet: its tabs, its developer metadata, and batches that happen whole or not at all.
//!
//! Read [`batch`] first; the other files are the requests it knows, by subject.

pub(crate) mod batch;
mod cells;
pub(crate) mod charts;
mod dimensions;
mod merges;
pub(crate) mod metadata;
mod range;
mod rules;
pub(crate) mod tables;
pub(crate) mod tabs;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

pub(crate) use crate::book::rules::in_order;

use crate::book::metadata::Metadata;
use crate::book::tabs::{Shape, Tab};
use crate::errors;

pub(crate) const CELLS_MAX: usize = 20_000_000;

#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) id: String,
    pub(crate) properties: Map<String, Value>,
    /// In the order of creation.
    pub(crate) metadata: Vec<Metadata>,
    /// In the order of the tab bar.
    pub(crate) tabs: Vec<Tab>,
    /// Tabs that the batch under way has deleted.
    gone: Vec<Tab>,
    /// Who calls the API; protection is judged for them.
    editor: String,
    /// Whether number formats anywhere in a typed column are refused as validation in it is: nobody knows.
    pub(crate) typed_columns_take_no_formats: bool,
}

/// Everything of a spreadsheet but its cells, which keep their own notes.
struct Snapshot {
    properties: Map<String, Value>,
    metadata: Vec<Metadata>,
    tabs: Vec<(i64, Shape)>,
}

/// Why a request of a batch was refused. The batch puts the request's place before the message.
#[derive(Debug)]
pub(crate) struct Wrong {
    message: String,
    /// The request breaks Google's description, not merely the state of the spreadsheet.
    malformed: bool,
}

impl Wrong {
    fn malformed(message: impl Into<String>) -> Self {
        Self { message: message.into(), malformed: true }
    }
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self { message, malformed: false }
    }
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl Book {
    pub(crate) fn new(id: &str, time_zone: &str, editor: &str) -> Self {
        let properties = json!({
            "title": "Doubletick log", "locale": "en_GB", "autoRecalc": "ON_CHANGE", "timeZone": time_zone,
        });
        let Value::Object(properties) = properties else { unreachable!("an object was written") };
        Self {
            id: id.to_owned(),
            properties,
            metadata: Vec::new(),
            tabs: vec![Tab::new(0, "Sheet1", 1000, 26)],
            gone: Vec::new(),
            editor: editor.to_owned(),
            typed_columns_take_no_formats: false,
        }
    }

    /// A spreadsheet of the same content under another id.
    pub(crate) fn copy(&self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            properties: self.properties.clone(),
            metadata: self.metadata.clone(),
            tabs: self.tabs.iter().map(|tab| tab.copy(tab.id)).collect(),
            gone: Vec::new(),
            editor: self.editor.clone(),
            typed_columns_take_no_formats: self.typed_columns_take_no_formats,
        }
    }

    /// The zone of its clocks, by its IANA name.
    pub(crate) fn time_zone(&self) -> &str {
        self.properties.get("timeZone").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn tab(&self, id: i64) -> Result<&Tab, Wrong> {
        self.tabs.iter().find(|tab| tab.id == id).ok_or_else(|| errors::no_grid(id).into())
    }

    pub(crate) fn tab_mut(&mut self, id: i64) -> Result<&mut Tab, Wrong> {
        self.tabs.iter_mut().find(|tab| tab.id == id).ok_or_else(|| errors::no_grid(id).into())
    }

    /// Titles are told apart without regard to case.
    pub(crate) fn tab_titled(&self, title: &str) -> Option<&Tab> {
        let title = title.to_lowercase();
        self.tabs.iter().find(|tab| tab.shape.title.to_lowercase() == title)
    }

    fn refuse_too_many_cells(&self) -> Result<(), Wrong> {
        let cells: usize = self.tabs.iter().map(|tab| tab.shape.rows * tab.shape.columns).sum();
        if cells > CELLS_MAX { Err(errors::TOO_MANY_CELLS.into()) } else { Ok(()) }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            properties: self.properties.clone(),
            metadata: self.metadata.clone(),
            tabs: self.tabs.iter().map(|tab| (tab.id, tab.shape.clone())).collect(),
        }
    }

    pub(crate) fn commit(&mut self) {
        self.gone.clear();
        for tab in &mut self.tabs {
            tab.grid.commit();
        }
    }

    fn roll_back(&mut self, before: Snapshot) {
        self.properties = before.properties;
        self.metadata = before.metadata;
        // Those gone come first: if a batch deleted a tab and added another under its id, the one that was
        // there before is the first of them.
        let mut found: Vec<Tab> = self.gone.drain(..).chain(self.tabs.drain(..)).collect();
        for (id, shape) in before.tabs {
            if let Some(at) = found.iter().position(|tab| tab.id == id) {
                let mut tab = found.remove(at);
                tab.shape = shape;
                tab.grid.roll_back();
                self.tabs.push(tab);
            }
        }
    }
}
