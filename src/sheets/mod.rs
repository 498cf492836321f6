//! Google Sheets: one spreadsheet, spoken to so that what was done can always be found out.
//!
//! A batch is one atomic `batchUpdate`: a marker whose id may exist only once, then the rows, then the
//! board. Google applies all of it or nothing and refuses an id in use, so of any number of sends at most one is
//! applied; and the marker can be read to learn whether one was. `appendCells` is used and never
//! `values.append`, which loses rows under a filter while answering 200.
//!
//! Keeps nothing between calls but the access token, what is known of the quota, and for moments the
//! first half of a survey that broke off. Decides nothing about waiting or trying again:
//! a [`Delivery`] says what became of one send, and *perhaps applied* is one of the answers.

pub mod column;
pub mod layout;
pub mod markers;
pub mod cells;
pub mod zone;
pub mod token;
pub mod verdict;
pub mod probe;

mod burn;
mod client;
mod deliver;
mod grant;
mod health;
mod setup;
mod charts;
mod summary;
mod outcome;
mod picture;
mod plan;
mod quota;
mod repair;
mod request;
mod survey;
mod vouching;
mod wire;
mod workload;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Range;

use serde::Deserialize;
use serde_json::{Value, json};

pub use crate::sheets::burn::Burnt;
pub use crate::sheets::client::{Client, WRITE_TIMEOUT};
pub use crate::sheets::column::Purpose;
pub use crate::sheets::layout::{Layout, TabLayout, Unmade, Wanted, WantedTab};
pub use crate::sheets::outcome::{Delivery, Landing, Later, Refused, Survey, Trouble};
pub use crate::sheets::picture::LINE_BYTES;
pub use crate::sheets::plan::{Content, Marker, Needs, Plan, Traces};
pub use crate::sheets::repair::Astray;
pub use crate::sheets::setup::{Setup, Shading};

use crate::chat::entry::Entry;
use crate::sheets::client::{NoAnswer, VALUES};
use crate::sheets::column::Column;
use crate::sheets::outcome::{answered, later, settled};
use crate::sheets::plan::MARKER_KEY;
use crate::sheets::verdict::{Answer, Fault, Verdict};
use crate::sheets::wire::{Binding, Spreadsheet};

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct SearchAnswer {
    matched_developer_metadata: Vec<Matched>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Matched {
    developer_metadata: Binding,
}

impl Client {
    /// The spreadsheet's title: whether it can be read at all.
    ///
    /// # Errors
    /// [`Trouble`] with what to do.
    pub async fn title(&self) -> Result<String, Trouble> {
        let fields = [("fields", "spreadsheetId,properties(title,timeZone)")];
        let found: Spreadsheet = self.parsed(self.read("spreadsheet", "", &fields).await)?;
        Ok(found.properties.title)
    }

    /// Sets tabs up. Looking again afterwards tells what became of it. Its own ids fence one that comes late:
    /// a tab or column that was set up since has them, and refuses all of it.
    ///
    /// # Errors
    /// [`Trouble`]; where the answer was lost it is passing, and looking again tells.
    pub async fn set_up(&self, setup: Setup) -> Result<(), Trouble> {
        let answer = answered(self.write("provision", setup.body).await)?;
        settled(self.account(), answer).map(drop)
    }

    /// Whether any of these rows' event ids stands in the Event ID column.
    ///
    /// A batch is all or nothing, so one of its ids tells of all.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn holds_any(&self, tab: &TabLayout, entries: &[Entry]) -> Result<bool, Trouble> {
        Ok(!self.held_of(tab, entries).await?.is_empty())
    }

    /// The numbers of those events whose ids stand in the tab's Event ID column.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn held_of(&self, tab: &TabLayout, entries: &[Entry]) -> Result<Vec<u64>, Trouble> {
        let Some((_, index)) = tab.columns.iter().find(|(c, _)| *c == Column::EventId) else {
            return Err(Trouble::Operator(
                "the Event ID column was deleted, and without it or trustworthy markers rows could \
                 be doubled: undo its deletion"
                    .to_owned(),
            ));
        };
        let letters = column_letters(*index);
        let column = self.values(&tab.title, &format!("{letters}:{letters}"), "COLUMNS").await?;
        let held: HashSet<&String> = column.iter().flatten().collect();
        let held = entries.iter().filter(|entry| held.contains(&entry.event_id.to_string()));
        Ok(held.map(|entry| entry.event_id.number).collect())
    }

    /// The markers that may be deleted now; never those of `kept`.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn prunable(
        &self,
        ours: &Range<i32>,
        kept: &[i32],
        now_s: i64,
    ) -> Result<Vec<i32>, Trouble> {
        let found = self.search(&[MARKER_KEY]).await?;
        let markers = found.iter().filter_map(|binding| {
            Some((binding.metadata_id, Marker::sealed_at_s(&binding.metadata_value)?))
        });
        let mut gone = markers::prunable(markers.collect(), ours, now_s);
        gone.retain(|id| !kept.contains(id));
        Ok(gone)
    }

    /// Deletes these markers, in a request of its own. One that comes late, from a process that was stopped,
    /// does no harm: what could go then has only grown older, and no id is given twice.
    ///
    /// # Errors
    /// [`Trouble`]; nothing depends on its success.
    pub async fn prune(&self, ids: &[i32]) -> Result<(), Trouble> {
        let requests: Vec<Value> = ids.iter().map(|id| delete_metadata(*id)).collect();
        let body = json!({ "requests": requests }).to_string().into_bytes();
        let answer = answered(self.write("prune", body).await)?;
        settled(self.account(), answer).map(drop)
    }

    /// Makes and removes one piece of metadata in one request: whether we may edit.
    ///
    /// # Errors
    /// [`Trouble`] with what to do.
    pub async fn try_edit(&self, metadata_id: i32) -> Result<(), Trouble> {
        let create = json!({ "createDeveloperMetadata": { "developerMetadata": {
            "metadataId": metadata_id,
            "metadataKey": "dts.check",
            "metadataValue": "check",
            "location": { "spreadsheet": true },
            "visibility": "DOCUMENT",
        } } });
        let body = json!({ "requests": [create, delete_metadata(metadata_id)] });
        let answer = answered(self.write("check", body.to_string().into_bytes()).await)?;
        settled(self.account(), answer).map(drop)
    }

    /// Whether Google takes cells of ours in this tab. Nothing is written: behind the cells stands a request
    /// that is always refused, and with it all of them are; if another is refused, it is the tab's.
    ///
    /// # Errors
    /// [`Trouble`] with what to do.
    pub async fn try_cells(&self, tab: &TabLayout) -> Result<(), Trouble> {
        let taken: Vec<i32> =
            self.spreadsheet().await?.sheets.iter().map(|tab| tab.properties.sheet_id).collect();
        let absent = (1..i32::MAX).find(|id| !taken.contains(id));
        let (first, last) = (tab.columns.first(), tab.columns.last());
        let (first, last) = (first.map_or(0, |own| own.1), last.map_or(0, |own| own.1));
        let cell = |index| match tab.columns.iter().any(|(_, own)| *own == index) {
            true => json!({ "userEnteredValue": { "stringValue": "check" } }),
            false => json!({}),
        };
        let row = |from| json!([{ "values": Vec::from_iter((from..=last).map(cell)) }]);
        let cells = match tab.purpose {
            Purpose::Board | Purpose::Summary => json!({ "updateCells": {
                "start": { "sheetId": tab.sheet_id, "rowIndex": 2, "columnIndex": first },
                "rows": row(first), "fields": "userEnteredValue",
            } }),
            Purpose::Log | Purpose::Handovers => append(tab.sheet_id, row(0)),
        };
        let body = json!({ "requests": [cells, append(absent.unwrap_or_default(), row(0))] });
        let answer = answered(self.write("check", body.to_string().into_bytes()).await)?;
        match (answer.verdict(self.account()), answer.refused_request()) {
            (Verdict::Refused(_), Some(1)) | (Verdict::Refused(Fault::TabGone), None) => Ok(()),
            _ => settled(self.account(), answer).map(drop),
        }
    }

    async fn search(&self, keys: &[&str]) -> Result<Vec<Binding>, Trouble> {
        let filters: Vec<Value> = keys
            .iter()
            .map(|key| json!({ "developerMetadataLookup": { "metadataKey": key } }))
            .collect();
        let body = json!({ "dataFilters": filters });
        let answer = self.look_up("metadata", "/developerMetadata:search", &body).await;
        let found: SearchAnswer = self.parsed(answer)?;
        Ok(found.matched_developer_metadata.into_iter().map(|m| m.developer_metadata).collect())
    }

    /// The cells of a range of a tab, as text.
    async fn values(
        &self,
        title: &str,
        range: &str,
        dimension: &str,
    ) -> Result<Vec<Vec<String>>, Trouble> {
        let text = |value: Value| match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let values = self.values_of(title, range, dimension).await?;
        Ok(values.into_iter().map(|line| line.into_iter().map(text).collect()).collect())
    }

    /// The cells of a range of a tab, numbers as numbers. Blank ends are left out.
    async fn values_of(
        &self,
        title: &str,
        range: &str,
        dimension: &str,
    ) -> Result<Vec<Vec<Value>>, Trouble> {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Range {
            values: Vec<Vec<Value>>,
        }
        let suffix = format!("/values/'{}'!{range}", title.replace('\'', "''"));
        let query = [("majorDimension", dimension), ("valueRenderOption", "UNFORMATTED_VALUE")];
        let found: Range = self.parsed(self.read(VALUES, &suffix, &query).await)?;
        Ok(found.values)
    }

    fn parsed<T: for<'de> Deserialize<'de>>(
        &self,
        answer: Result<Answer, NoAnswer>,
    ) -> Result<T, Trouble> {
        let answer = settled(self.account(), answered(answer)?)?;
        serde_json::from_slice(&answer.body)
            .map_err(|_| Trouble::Passing(later("Google's answer cannot be read".to_owned())))
    }
}

fn append(sheet_id: i32, rows: Value) -> Value {
    json!({ "appendCells": { "sheetId": sheet_id, "rows": rows, "fields": "userEnteredValue" } })
}

fn delete_metadata(id: i32) -> Value {
    json!({ "deleteDeveloperMetadata": { "dataFilter": {
        "developerMetadataLookup": { "metadataId": id }
    } } })
}

/// A column's letters: 0 is A, 26 is AA.
fn column_letters(index: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = index + 1;
    while rest > 0 {
        let digit = u8::try_from((rest - 1) % 26).unwrap_or_default();
        letters.push(char::from(b'A' + digit));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}
