//! The requests that make, bind or change a tab of ours: each one atomic, each with ids that we chose.

use std::ops::Range;

use serde_json::{Value, json};

use crate::chat::board::LINES_MAX;
use crate::sheets::charts;
use crate::sheets::column::{Column, NumberFormat, Purpose, STATUSES};
use crate::sheets::layout::{Binder, COLUMN_KEY, TAB_KEY, TabAt, WantedTab, tab_value};

/// Rows of a new log; appending grows it.
const ROWS: u32 = 1_000;
/// Rows of a new summary: as many as it has of agents, and some more.
const SUMMARY_ROWS: u32 = 210;
/// Between its lists, in pixels.
const GAP_PX: u32 = 30;
/// What people read when they are about to change the board or the summary.
const NOTICE: &str = "Kept by doubletick-sheets: what is changed here is overwritten";
/// From how many minutes of waiting on a line is coloured, and how: amber, then red.
type Shade = (u32, [f64; 3]);
const AMBER: [f64; 3] = [1.0, 0.90, 0.60];
const RED: [f64; 3] = [0.96, 0.70, 0.68];

/// From how many minutes of waiting on the board's lines are coloured.
#[derive(Clone, Copy, Debug)]
pub struct Shading {
    /// Amber.
    pub warn_minutes: u32,
    /// Red.
    pub alert_minutes: u32,
}

/// One atomic request that brings a tab into shape.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What it does, for the log.
    pub what: String,
    /// Which of the wanted tabs it is about.
    pub tabs: Vec<WantedTab>,
    pub(super) body: Vec<u8>,
}

/// Makes these tabs with all their columns and nothing beside them, all or none.
pub(super) fn make(wanted: &[&WantedTab], shading: Shading) -> Setup {
    let requests = wanted.iter().flat_map(|tab| new_tab(tab, shading)).collect();
    let names: Vec<&str> = wanted.iter().map(|tab| tab.purpose.name()).collect();
    finished(format!("made the {}", names.join(", the ")), wanted, requests)
}

fn new_tab(wanted: &WantedTab, shading: Shading) -> Vec<Value> {
    let (id, purpose) = (wanted.tab_id, wanted.purpose);
    let columns = positions(purpose);
    let lines = u32::try_from(LINES_MAX).unwrap_or(u32::MAX);
    let rows = match purpose {
        Purpose::Board => lines + 2,
        Purpose::Summary => SUMMARY_ROWS,
        Purpose::Log | Purpose::Handovers => ROWS,
    };
    let room = if purpose == Purpose::Summary { charts::COLUMNS } else { 0 };
    let end = columns.last().map_or(0, |(_, index)| index + 1);
    let mut properties = json!({
        "sheetId": id,
        "title": wanted.title,
        "gridProperties": {
            "rowCount": rows,
            "columnCount": end + room,
            "frozenRowCount": purpose.header_row() + 1,
        },
    });
    if purpose == Purpose::Board {
        // What a supervisor opens the spreadsheet for stands first.
        properties["index"] = 0.into();
    }
    let mut requests =
        vec![json!({ "addSheet": { "properties": properties } }), bind_tab(wanted, id)];
    for (column, index) in &columns {
        requests.extend(new_column(wanted, id, *column, *index));
    }
    if purpose == Purpose::Board {
        requests.extend(dress_board(id, &columns, shading));
    }
    if purpose == Purpose::Summary {
        let gaps = columns.windows(2).filter(|pair| pair[0].1 + 1 < pair[1].1);
        requests.extend(gaps.map(|pair| width(id, pair[0].1 + 1, GAP_PX)));
        requests.extend(dress_summary(id, &columns));
    }
    requests
}

/// Binds a tab that is there, and adds the columns that it lacks to the right of what it has.
pub(super) fn bind(wanted: &WantedTab, tab: &TabAt, binder: &Binder) -> Setup {
    let id = tab.sheet_id;
    let mut requests = Vec::new();
    let columns_needed = binder.added.iter().map(|(_, index)| index + 1).max().unwrap_or(0);
    // Its charts are made with it, and not again where people deleted them.
    let is_new_summary =
        wanted.purpose == Purpose::Summary && tab.bound_by.is_none() && binder.found.is_empty();
    let room = if is_new_summary { charts::COLUMNS } else { 0 };
    requests.extend(widen(tab, columns_needed + room));
    if is_new_summary && tab.row_count < SUMMARY_ROWS {
        requests.push(json!({ "appendDimension": {
            "sheetId": id, "dimension": "ROWS", "length": SUMMARY_ROWS - tab.row_count
        } }));
    }
    if tab.bound_by.is_none() {
        requests.push(bind_tab(wanted, id));
    }
    for (column, index) in &binder.found {
        requests.push(bind_column(wanted, id, *column, *index));
        // A time is unreadable as the number that it is; a text is one in any format. A table's columns have
        // formats of their own.
        let format = column.number_format();
        if !format.is_text() && !tab.has_table {
            let first = wanted.purpose.header_row() + 1;
            requests.push(json!({ "repeatCell": formatted(id, first, *index..index + 1, format) }));
        }
    }
    for (column, index) in &binder.added {
        requests.extend(new_column(wanted, id, *column, *index));
    }
    if binder.found.is_empty() {
        requests.push(json!({ "updateSheetProperties": {
            "properties": { "sheetId": id, "gridProperties": {
                "frozenRowCount": wanted.purpose.header_row() + 1
            } },
            "fields": "gridProperties.frozenRowCount",
        } }));
    }
    if is_new_summary {
        requests.extend(dress_summary(id, &binder.added));
    }
    finished(format!("bound the {} that was there", wanted.purpose.name()), &[wanted], requests)
}

/// Where a new tab has its columns: side by side, and in the summary a gap before each of its lists.
fn positions(purpose: Purpose) -> Vec<(Column, u32)> {
    let mut gaps = 0;
    let columns = (0..).zip(purpose.columns().iter().copied());
    columns
        .map(|(index, column)| {
            gaps += u32::from(matches!(column, Column::Agent | Column::Hour));
            (column, index + gaps)
        })
        .collect()
}

fn widen(tab: &TabAt, columns_needed: u32) -> Option<Value> {
    let length = columns_needed.checked_sub(tab.column_count).filter(|length| *length > 0)?;
    Some(json!({ "appendDimension": {
        "sheetId": tab.sheet_id, "dimension": "COLUMNS", "length": length
    } }))
}

/// Colours by waiting time, and the warning that the board is not people's.
pub(super) fn dress_board(id: i32, columns: &[(Column, u32)], shading: Shading) -> Vec<Value> {
    let waiting = columns.iter().find(|(column, _)| *column == Column::Waiting);
    let index = waiting.map_or(0, |(_, index)| *index);
    // The first rule that holds counts: the redder one stands first.
    let shades: [Shade; 2] = [(shading.alert_minutes, RED), (shading.warn_minutes, AMBER)];
    let mut requests: Vec<Value> = (0..)
        .zip(shades)
        .map(|(at, (minutes, [red, green, blue]))| {
            json!({ "addConditionalFormatRule": { "index": at, "rule": {
                "ranges": [{
                    "sheetId": id, "startRowIndex": 2,
                    "startColumnIndex": index, "endColumnIndex": index + 1,
                }],
                "booleanRule": {
                    // A formula without a decimal point, which not every locale writes as we do.
                    "condition": { "type": "NUMBER_GREATER", "values": [
                        { "userEnteredValue": format!("={minutes}/1440") }
                    ] },
                    "format": { "backgroundColorStyle": { "rgbColor": {
                        "red": red, "green": green, "blue": blue
                    } } },
                },
            } } })
        })
        .collect();
    requests.extend(kept_by_us(id));
    requests
}

/// The charts of a new summary, and the warning that it is not people's.
fn dress_summary(id: i32, columns: &[(Column, u32)]) -> Vec<Value> {
    kept_by_us(id).into_iter().chain(charts::of(id, columns)).collect()
}

/// What people see of a tab that is written as a whole: its sentence large, and a warning before they change it.
fn kept_by_us(id: i32) -> [Value; 2] {
    [
        json!({ "repeatCell": {
            "range": { "sheetId": id, "startRowIndex": 0, "endRowIndex": 1 },
            "cell": { "userEnteredFormat": { "textFormat": { "bold": true, "fontSize": 12 } } },
            "fields": "userEnteredFormat.textFormat(bold,fontSize)",
        } }),
        json!({ "addProtectedRange": { "protectedRange": {
            "range": { "sheetId": id }, "description": NOTICE, "warningOnly": true,
        } } }),
    ]
}

/// The id makes binding the same tab twice impossible: Google refuses an id that exists.
fn bind_tab(wanted: &WantedTab, sheet_id: i32) -> Value {
    json!({ "createDeveloperMetadata": { "developerMetadata": {
        "metadataId": wanted.tab_id,
        "metadataKey": TAB_KEY,
        "metadataValue": tab_value(wanted),
        "location": { "sheetId": sheet_id },
        "visibility": "DOCUMENT",
    } } })
}

/// The ids after the tab's own; with its column a binding vanishes, and its id is free again.
fn bind_column(wanted: &WantedTab, sheet_id: i32, column: Column, index: u32) -> Value {
    json!({ "createDeveloperMetadata": { "developerMetadata": {
        "metadataId": wanted.tab_id + column.id_offset(),
        "metadataKey": COLUMN_KEY,
        "metadataValue": column.key(),
        "location": { "dimensionRange": columns(sheet_id, index) },
        "visibility": "DOCUMENT",
    } } })
}

/// Header, format, width and binding of one column.
fn new_column(wanted: &WantedTab, sheet_id: i32, column: Column, index: u32) -> Vec<Value> {
    let header_row = wanted.purpose.header_row();
    let mut requests = vec![json!({ "updateCells": {
        "start": { "sheetId": sheet_id, "rowIndex": header_row, "columnIndex": index },
        "rows": [{ "values": [{
            "userEnteredValue": { "stringValue": column.label() },
            "userEnteredFormat": { "textFormat": { "bold": true } },
        }] }],
        "fields": "userEnteredValue,userEnteredFormat.textFormat.bold",
    } })];
    let (format, first) = (column.number_format(), header_row + 1);
    requests.push(json!({ "repeatCell": formatted(sheet_id, first, index..index + 1, format) }));
    if column == Column::Status {
        requests.push(json!({ "setDataValidation": dropdown(sheet_id, first, index) }));
    }
    requests.push(width(sheet_id, index, column.width_px()));
    requests.push(bind_column(wanted, sheet_id, column, index));
    requests
}

/// Makes a column so many pixels wide.
fn width(sheet_id: i32, index: u32, pixels: u32) -> Value {
    json!({ "updateDimensionProperties": {
        "range": columns(sheet_id, index),
        "properties": { "pixelSize": pixels },
        "fields": "pixelSize",
    } })
}

/// The `repeatCell`s that give our columns of a tab their formats from this row on.
pub(super) fn formats(
    sheet_id: i32,
    columns: &[(Column, u32)],
    first_row: u32,
) -> impl Iterator<Item = Value> {
    // Neighbours of one format go together.
    let runs = columns.chunk_by(|(one, index), (next, at)| {
        index + 1 == *at && one.number_format() == next.number_format()
    });
    runs.filter_map(move |run| {
        let ((column, first), (_, last)) = (run.first()?, run.last()?);
        let format = column.number_format();
        Some(json!({ "repeatCell": formatted(sheet_id, first_row, *first..last + 1, format) }))
    })
}

/// A `repeatCell` that gives these columns a number format, from this row to the end of the tab.
fn formatted(sheet_id: i32, first_row: u32, columns: Range<u32>, format: NumberFormat) -> Value {
    json!({
        "range": below(sheet_id, first_row, columns),
        "cell": { "userEnteredFormat": { "numberFormat": format } },
        "fields": "userEnteredFormat.numberFormat",
    })
}

/// The rule of a Status column: one of these, chosen from a list. Said once, when the column is made: the same
/// again would take away the colours that people gave the choices.
fn dropdown(sheet_id: i32, first_row: u32, index: u32) -> Value {
    let choices = STATUSES.map(|status| json!({ "userEnteredValue": status }));
    json!({
        "range": below(sheet_id, first_row, index..index + 1),
        "rule": {
            "condition": { "type": "ONE_OF_LIST", "values": choices }, "showCustomUi": true,
        },
    })
}

/// These columns from a row to the end of the tab, as a range.
fn below(sheet_id: i32, first_row: u32, columns: Range<u32>) -> Value {
    json!({
        "sheetId": sheet_id, "startRowIndex": first_row,
        "startColumnIndex": columns.start, "endColumnIndex": columns.end,
    })
}

/// One column, as a range.
pub(super) fn columns(sheet_id: i32, index: u32) -> Value {
    json!({
        "sheetId": sheet_id, "dimension": "COLUMNS",
        "startIndex": index, "endIndex": index + 1,
    })
}

fn finished(what: String, wanted: &[&WantedTab], requests: Vec<Value>) -> Setup {
    let body = json!({ "requests": requests }).to_string().into_bytes();
    Setup { what, tabs: wanted.iter().copied().cloned().collect(), body }
}
