//! The requests that make or bind our tab: each one atomic, each with ids that we chose.

use serde_json::{Value, json};

use crate::sheets::column::Column;
use crate::sheets::layout::{Binder, COLUMN_KEY, TAB_KEY, TabAt, Wanted, tab_value};

/// Rows of a new tab; appending grows it.
const ROWS: u32 = 1_000;

/// One atomic request that brings the tab into shape.
#[derive(Clone, Debug)]
pub struct Mend {
    /// What it does, for the log.
    pub what: &'static str,
    pub(super) body: Vec<u8>,
}

/// Makes the tab with all its columns.
pub(super) fn make(wanted: &Wanted) -> Mend {
    let id = wanted.tab_id;
    let columns: Vec<(Column, u32)> = Column::ALL.into_iter().zip(0..).collect();
    let mut requests = vec![json!({ "addSheet": { "properties": {
        "sheetId": id,
        "title": wanted.title,
        "gridProperties": {
            "rowCount": ROWS, "columnCount": columns.len(), "frozenRowCount": 1
        },
    } } })];
    requests.push(bind_tab(wanted, id));
    for (column, index) in &columns {
        requests.extend(new_column(wanted, id, *column, *index));
    }
    finished("made the log tab", requests)
}

/// Binds a tab that is there, and adds the columns that it lacks to the right of what it has.
pub(super) fn bind(wanted: &Wanted, tab: &TabAt, binder: &Binder) -> Mend {
    let id = tab.sheet_id;
    let mut requests = Vec::new();
    let columns_needed = binder.added.iter().map(|(_, index)| index + 1).max().unwrap_or(0);
    if columns_needed > tab.column_count {
        requests.push(json!({ "appendDimension": {
            "sheetId": id, "dimension": "COLUMNS", "length": columns_needed - tab.column_count
        } }));
    }
    if !tab.is_bound {
        requests.push(bind_tab(wanted, id));
    }
    for (column, index) in &binder.found {
        requests.push(bind_column(wanted, id, *column, *index));
    }
    for (column, index) in &binder.added {
        requests.extend(new_column(wanted, id, *column, *index));
    }
    if binder.found.is_empty() {
        requests.push(json!({ "updateSheetProperties": {
            "properties": { "sheetId": id, "gridProperties": { "frozenRowCount": 1 } },
            "fields": "gridProperties.frozenRowCount",
        } }));
    }
    finished("bound the log tab that was there", requests)
}

/// The id makes binding the same tab twice impossible: Google refuses an id that exists.
fn bind_tab(wanted: &Wanted, sheet_id: i32) -> Value {
    json!({ "createDeveloperMetadata": { "developerMetadata": {
        "metadataId": wanted.tab_id,
        "metadataKey": TAB_KEY,
        "metadataValue": tab_value(&wanted.title),
        "location": { "sheetId": sheet_id },
        "visibility": "DOCUMENT",
    } } })
}

/// The ids after the tab's own; with its column a binding vanishes, and its id is free again.
fn bind_column(wanted: &Wanted, sheet_id: i32, column: Column, index: u32) -> Value {
    let ordinal = Column::ALL.into_iter().zip(1..).find(|(known, _)| *known == column);
    let offset: i32 = ordinal.map_or(0, |(_, ordinal)| ordinal);
    json!({ "createDeveloperMetadata": { "developerMetadata": {
        "metadataId": wanted.tab_id + offset,
        "metadataKey": COLUMN_KEY,
        "metadataValue": column.key(),
        "location": { "dimensionRange": columns(sheet_id, index) },
        "visibility": "DOCUMENT",
    } } })
}

/// Header, format, width and binding of one column.
fn new_column(wanted: &Wanted, sheet_id: i32, column: Column, index: u32) -> Vec<Value> {
    let mut requests = vec![json!({ "updateCells": {
        "start": { "sheetId": sheet_id, "rowIndex": 0, "columnIndex": index },
        "rows": [{ "values": [{
            "userEnteredValue": { "stringValue": column.label() },
            "userEnteredFormat": { "textFormat": { "bold": true } },
        }] }],
        "fields": "userEnteredValue,userEnteredFormat.textFormat.bold",
    } })];
    requests.push(json!({ "repeatCell": {
        "range": {
            "sheetId": sheet_id, "startRowIndex": 1,
            "startColumnIndex": index, "endColumnIndex": index + 1,
        },
        "cell": { "userEnteredFormat": { "numberFormat": column.number_format() } },
        "fields": "userEnteredFormat.numberFormat",
    } }));
    requests.push(json!({ "updateDimensionProperties": {
        "range": columns(sheet_id, index),
        "properties": { "pixelSize": column.width_px() },
        "fields": "pixelSize",
    } }));
    requests.push(bind_column(wanted, sheet_id, column, index));
    requests
}

fn columns(sheet_id: i32, index: u32) -> Value {
    json!({
        "sheetId": sheet_id, "dimension": "COLUMNS",
        "startIndex": index, "endIndex": index + 1,
    })
}

fn finished(what: &'static str, requests: Vec<Value>) -> Mend {
    Mend { what, body: json!({ "requests": requests }).to_string().into_bytes() }
}
