//! The charts of the summary: how many chats were dropped a day, and how long they had waited. Made with their
//! tab, and from then on people's.

use serde_json::{Value, json};

use crate::chat::summary::DAYS;
use crate::sheets::column::{Column, Purpose};

/// How many columns they stand over, to the right of ours.
pub(super) const COLUMNS: u32 = 6;
const WIDTH_PX: u32 = 560;
const HEIGHT_PX: u32 = 320;
/// Below the rows of the first, of 21 pixels each, stands the second.
const ROWS_APART: u32 = 16;

/// The `addChart`s of a tab with these columns; none where one of them is lacking.
pub(super) fn of(sheet_id: i32, columns: &[(Column, u32)]) -> Vec<Value> {
    let place = |column| columns.iter().find(|(known, _)| *known == column).map(|(_, at)| *at);
    let end = columns.iter().map(|(_, index)| index + 1).max().unwrap_or(0);
    let days = place(Column::Day);
    let all = [
        ("COLUMN", "Chats dropped a day", "chats", Column::DayDropped),
        ("LINE", "Median wait a day", "minutes", Column::DayMedian),
    ];
    let charts = (0..).zip(all).filter_map(|(at, (kind, title, unit, column))| {
        let (days, numbers) = (days?, place(column)?);
        Some(json!({ "addChart": { "chart": {
            "spec": {
                "title": title,
                "basicChart": {
                    "chartType": kind,
                    "legendPosition": "NO_LEGEND",
                    "headerCount": 1,
                    "axis": [{ "position": "LEFT_AXIS", "title": unit }],
                    "domains": [{ "domain": source(sheet_id, days) }],
                    "series": [{ "series": source(sheet_id, numbers), "targetAxis": "LEFT_AXIS" }],
                },
            },
            "position": { "overlayPosition": {
                "anchorCell": {
                    "sheetId": sheet_id, "columnIndex": end,
                    // Below the frozen rows.
                    "rowIndex": Purpose::Summary.header_row() + 1 + at * ROWS_APART,
                },
                "offsetXPixels": 20,
                "widthPixels": WIDTH_PX,
                "heightPixels": HEIGHT_PX,
            } },
        } } }))
    });
    charts.collect()
}

/// A column's label and what stands below it for each day.
fn source(sheet_id: i32, column: u32) -> Value {
    let header = Purpose::Summary.header_row();
    let days = u32::try_from(DAYS).unwrap_or(u32::MAX);
    json!({ "sourceRange": { "sources": [{
        "sheetId": sheet_id,
        "startRowIndex": header, "endRowIndex": header + 1 + days,
        "startColumnIndex": column, "endColumnIndex": column + 1,
    }] } })
}
