//! Rows that landed while a column was being moved: found by their event ids and put right.
//!
//! `appendCells` counts columns from the left, and nothing in Google's API makes it count otherwise or
//! fail where they moved. So each write is told where the columns were at its moment ([`crate::sheets::request`]),
//! and where that was not where the rows were sent to, this puts them right: cells of ours that stand in
//! a wrong column go to the right one, and leave none behind. The row itself was new, so nothing of
//! people's was overwritten.
//!
//! The window that stays: between reading such a row and rewriting it, a fraction of a second and only
//! after a column was moved in the very moment of a write, a sort could slip in. The loop looks again
//! after every rewrite.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::chat::entry::Entry;
use crate::sheets::cells::{Entered, FIELDS, NOTED_FIELDS, cell, is_noted};
use crate::sheets::client::Client;
use crate::sheets::column::Column;
use crate::sheets::column_letters;
use crate::sheets::layout::TabLayout;
use crate::sheets::outcome::{Trouble, answered, settled};
use crate::sheets::plan::Marker;
use crate::sheets::setup::formats;
use crate::sheets::zone::time_zone;

/// Rows that one call reads at most.
const ROWS_A_CALL: usize = 500;
/// Cells that one call reads at most, in search of a row.
const CELLS_A_CALL: u32 = 300_000;
/// What a cell that is put right says of itself.
const FORMATTED: &str =
    "userEnteredValue,userEnteredFormat.numberFormat,userEnteredFormat.textFormat.link";
/// The same of a row that came with a note.
const FORMATTED_AND_NOTED: &str =
    "userEnteredValue,userEnteredFormat.numberFormat,userEnteredFormat.textFormat.link,note";
/// How near two times are the same cell; a second is 1.2e-5 days.
const SAME: f64 = 1e-6;

/// What is astray of some rows of a tab.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Astray {
    /// Rows of which something is to be rewritten; look again afterwards.
    pub rows: usize,
    /// Rows that are not there any more.
    pub missing: usize,
    /// What rewrites them.
    requests: Vec<Value>,
}

/// A cell that is to be rewritten: its column, and what it becomes; `None` empties it.
type Change = (u32, Option<Column>);

impl Client {
    /// What is astray of these rows of a tab, as far as they are there: some of it, so that one write puts
    /// it right. Where formats went along, they went to wrong columns, too, from row `formats_from` on.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn astray(
        &self,
        tab: &TabLayout,
        zone_name: &str,
        entries: &[Entry],
        formats_from: Option<u32>,
    ) -> Result<Astray, Trouble> {
        let found = self.find_rows(tab, entries).await?;
        let missing = entries.len() - found.len();
        let mut astray = Astray { missing, ..Astray::default() };
        let mut numbers: Vec<usize> = found.keys().copied().collect();
        numbers.sort_unstable();
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for number in numbers {
            match spans.last_mut() {
                // One long read is cheaper than many short ones: Google counts calls.
                Some((first, last)) if number - *first < ROWS_A_CALL => *last = number,
                _ => spans.push((number, number)),
            }
        }
        for (first, last) in spans {
            let range = format!("{}:{}", first + 1, last + 1);
            let rows = self.values_of(&tab.title, &range, "ROWS").await?;
            let changes = (first..).zip(rows).filter_map(|(number, cells)| {
                let changes = changes(tab, found.get(&number)?, &cells, zone_name);
                (!changes.is_empty()).then_some((number, changes))
            });
            let changes: Vec<(usize, Vec<Change>)> = changes.collect();
            if !changes.is_empty() {
                astray.rows = changes.len();
                astray.requests = rewritten(tab, zone_name, &found, &changes);
                let formats = formats_from.map(|first| formats(tab.sheet_id, &tab.columns, first));
                astray.requests.extend(formats.into_iter().flatten());
                break;
            }
        }
        Ok(astray)
    }

    /// Puts right what is astray, with one write. Rows may move before a write that comes late is applied: so
    /// it begins with a marker, where there can be one, and is refused once that is burnt.
    ///
    /// # Errors
    /// [`Trouble`]; it may have been applied or may yet be.
    pub async fn put_right(&self, astray: Astray, marker: Option<&Marker>) -> Result<(), Trouble> {
        let marker = marker.map(|marker| json!({ "createDeveloperMetadata": marker.request() }));
        let requests: Vec<Value> = marker.into_iter().chain(astray.requests).collect();
        let body = json!({ "requests": requests }).to_string().into_bytes();
        settled(self.account(), answered(self.write("repair", body).await)?).map(drop)
    }

    /// The rows of these entries, from 0: by the Event ID column where it is now, then by all others,
    /// as many of them at a time as make an answer of a bearable size.
    async fn find_rows<'e>(
        &self,
        tab: &TabLayout,
        entries: &'e [Entry],
    ) -> Result<HashMap<usize, &'e Entry>, Trouble> {
        let mut wanted: HashMap<String, &Entry> =
            entries.iter().map(|entry| (entry.event_id.to_string(), entry)).collect();
        let own = tab.columns.iter().find(|(column, _)| *column == Column::EventId);
        let own = own.map(|(_, index)| (*index, *index));
        let step = (CELLS_A_CALL / tab.grid.row_count.max(1)).max(1);
        let all = (0..tab.grid.column_count).step_by(step as usize);
        let all = all.map(|first| (first, (first + step).min(tab.grid.column_count) - 1));
        let mut found = HashMap::new();
        for (first, last) in own.into_iter().chain(all) {
            if wanted.is_empty() {
                break;
            }
            let range = format!("{}:{}", column_letters(first), column_letters(last));
            for column in self.values(&tab.title, &range, "COLUMNS").await? {
                for (row, text) in column.into_iter().enumerate() {
                    if let Some(entry) = wanted.remove(&text) {
                        found.insert(row, entry);
                    }
                }
            }
        }
        Ok(found)
    }
}

fn rewritten(
    tab: &TabLayout,
    zone_name: &str,
    entries: &HashMap<usize, &Entry>,
    changes: &[(usize, Vec<Change>)],
) -> Vec<Value> {
    let zone = time_zone(zone_name);
    let mut requests = Vec::new();
    for (number, row) in changes {
        let entry = entries.get(number);
        let (formatted, emptied) = match entry.is_some_and(|entry| is_noted(entry)) {
            true => (FORMATTED_AND_NOTED, NOTED_FIELDS),
            false => (FORMATTED, FIELDS),
        };
        for (index, column) in row {
            let (cell, fields) = match (column, entry) {
                // Rows may have been sorted since, away from where formats are put right.
                (Some(column), Some(entry)) => {
                    (json!(cell(*column, entry, &zone).formatted_for(*column)), formatted)
                }
                _ => (json!({}), emptied),
            };
            requests.push(json!({ "updateCells": {
                "start": { "sheetId": tab.sheet_id, "rowIndex": number, "columnIndex": index },
                "rows": [{ "values": [cell] }],
                "fields": fields,
            } }));
        }
    }
    requests
}

/// What is to be rewritten in a row so that each of our cells stands in its column, and none in
/// another. Nothing where no cell of ours stands in a wrong column: then what differs is people's.
fn changes(tab: &TabLayout, entry: &Entry, cells: &[Value], zone_name: &str) -> Vec<Change> {
    let zone = time_zone(zone_name);
    let ours: Vec<(Column, u32, Option<Entered<'_>>)> = tab
        .columns
        .iter()
        .map(|(column, index)| (*column, *index, cell(*column, entry, &zone).user_entered_value))
        .collect();
    // What was sent for a column that has been deleted since may stand in another.
    let values = tab.purpose.columns().iter();
    let values = values.filter_map(|column| cell(*column, entry, &zone).user_entered_value);
    let values: Vec<Entered<'_>> = values.collect();
    let at = |index: u32| cells.get(index as usize).unwrap_or(&Value::Null);
    let is_blank = |value: &Value| value.is_null() || value.as_str() == Some("");
    let is_right = |(_, index, value): &(Column, u32, Option<Entered<'_>>)| match value {
        Some(value) => is_shown(value, at(*index)),
        None => is_blank(at(*index)),
    };
    // Whether this is a value of ours that does not belong where it stands.
    let is_astray = |index: u32| {
        let shown = at(index);
        let belongs = ours.iter().any(|own| own.1 == index && is_right(own));
        !belongs && !is_blank(shown) && values.iter().any(|value| is_shown(value, shown))
    };
    let width = u32::try_from(cells.len()).unwrap_or(u32::MAX);
    let astray: Vec<u32> = (0..width).filter(|index| is_astray(*index)).collect();
    if astray.is_empty() {
        return Vec::new();
    }
    let mut changes: Vec<Change> = Vec::new();
    for own in &ours {
        let (column, index, _) = own;
        // What people wrote over it is theirs.
        if !is_right(own) && (is_blank(at(*index)) || astray.contains(index)) {
            changes.push((*index, Some(*column)));
        }
    }
    let is_own = |index: &u32| ours.iter().any(|(_, own, _)| own == index);
    changes.extend(astray.into_iter().filter(|index| !is_own(index)).map(|index| (index, None)));
    changes
}

fn is_shown(value: &Entered<'_>, shown: &Value) -> bool {
    match value {
        Entered::Text(text) => shown.as_str() == Some(text),
        Entered::Number(number) => {
            shown.as_f64().is_some_and(|shown| (shown - number).abs() < SAME)
        }
        // The board's alone, and that is written anew instead of put right.
        Entered::Formula(_) => false,
    }
}
