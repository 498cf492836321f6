//! The board in cells: a sentence, the labels (which are left as people have them), and a line for each
//! who waits. Written as a whole: what stood below is cleared, so that the same picture twice is one.
//!
//! Only our columns are written; whatever people keep beside or between them stays.

use serde_json::{Value, json};

use crate::chat::board::{Board, Line};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::sheets::column::{Column, Purpose};
use crate::sheets::column_letters;
use crate::sheets::plan::{Place, Plan};
use crate::sheets::rows::time_zone;

/// Bytes that a usual line takes on the wire; with the longest texts three times as many.
pub const LINE_BYTES: usize = 1_200;
/// Longest text of a cell, in characters: the whole of it is in the log, and a board of a thousand lines
/// must fit a request whatever people are called.
const TEXT_CHARS_MAX: usize = 100;
const FIELDS: &str =
    "userEnteredValue,userEnteredFormat.numberFormat,userEnteredFormat.textFormat.link";
/// The first line's row, from 0.
const FIRST: u32 = Purpose::Board.header_row() + 1;

/// How many rows the tab lacks for so many lines.
pub(super) fn rows_lacking(rows: u32, lines: usize) -> Option<u32> {
    let needed = FIRST + u32::try_from(lines).unwrap_or(u32::MAX).max(1);
    needed.checked_sub(rows).filter(|lacking| *lacking > 0)
}

/// The `updateCells` requests that make the board look like this.
pub(super) fn requests(plan: &Plan, place: &Place, board: &Board) -> Vec<Value> {
    let runs = runs(&place.columns);
    let headline = board.headline(&time_zone(&plan.time_zone));
    let mut requests = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let (Some((_, start)), Some((_, last))) = (run.first(), run.last()) else { continue };
        let range = |first: u32, end: Option<u32>| {
            let mut range = json!({
                "sheetId": place.sheet_id, "startRowIndex": first,
                "startColumnIndex": start, "endColumnIndex": last + 1,
            });
            if let Some(end) = end {
                range["endRowIndex"] = end.into();
            }
            range
        };
        let sentence = match at {
            0 => json!([{ "values": [{ "userEnteredValue": { "stringValue": headline } }] }]),
            _ => json!([]),
        };
        requests.push(json!({
            "range": range(0, Some(1)), "rows": sentence, "fields": "userEnteredValue",
        }));
        let lines: Vec<Value> = (FIRST..)
            .zip(&board.lines)
            .map(|(row, line)| {
                let cells = run.iter().map(|(column, _)| cell(*column, line, row, plan, place));
                json!({ "values": cells.collect::<Vec<_>>() })
            })
            .collect();
        requests.push(json!({ "range": range(FIRST, None), "rows": lines, "fields": FIELDS }));
    }
    requests
}

/// The columns in groups of neighbours.
pub(super) fn runs(columns: &[(Column, u32)]) -> Vec<Vec<(Column, u32)>> {
    let mut runs: Vec<Vec<(Column, u32)>> = Vec::new();
    for (column, index) in columns {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|(_, last)| last + 1 == *index) => {
                run.push((*column, *index));
            }
            _ => runs.push(vec![(*column, *index)]),
        }
    }
    runs
}

fn cell(column: Column, line: &Line, row: u32, plan: &Plan, place: &Place) -> Value {
    let entry = &line.entry;
    let text = |text: &Personal| match text.is_blank() {
        true => None,
        false => {
            let shown: String = text.reveal().chars().take(TEXT_CHARS_MAX).collect();
            Some(json!({ "stringValue": shown }))
        }
    };
    let mut link = None;
    let value = match column {
        Column::Waiting => {
            Some(json!({ "formulaValue": waiting(entry.unassigned_at, row, plan, place) }))
        }
        Column::UnassignedAt => {
            let serial = entry.unassigned_at.serial_in(&time_zone(&plan.time_zone));
            Some(json!({ "numberValue": serial }))
        }
        Column::CustomerName => text(&entry.customer_name),
        Column::CustomerPhone => text(&entry.customer_phone),
        Column::PreviousAgent => text(&entry.previous_agent),
        Column::AgentPhone => text(&entry.agent_phone),
        Column::WabaNumber => text(&entry.waba_number),
        Column::Drops => Some(json!({ "numberValue": line.drops })),
        Column::Chat => entry.chat_url().map(|url| {
            link = Some(json!({ "link": { "uri": url } }));
            json!({ "stringValue": "Open chat" })
        }),
        _ => None,
    };
    let mut cell = json!({ "userEnteredFormat": { "numberFormat": column.number_format() } });
    if let Some(value) = value {
        cell["userEnteredValue"] = value;
    }
    if let Some(link) = link {
        cell["userEnteredFormat"]["textFormat"] = link;
    }
    cell
}

/// How long someone has been waiting, live: from the time in the same line, or where that column was
/// deleted from the time itself. Whole numbers only, since not every locale writes a decimal point.
fn waiting(since: UnixMs, row: u32, plan: &Plan, place: &Place) -> String {
    let (shown, own) = (time_zone(&plan.time_zone), time_zone(&plan.own_zone));
    // NOW() is in the spreadsheet's own zone; the times may be written in another.
    let seconds = |zone| (since.serial_in(zone) * 86_400.0).round();
    match place.position(Column::UnassignedAt) {
        Some(index) => {
            let cell = format!("{}{}", column_letters(index), row + 1);
            match seconds(&shown) - seconds(&own) {
                0.0 => format!("=NOW()-{cell}"),
                ahead => format!("=NOW()-{cell}+({ahead:.0}/86400)"),
            }
        }
        None => format!("=NOW()-({:.0}/86400)", seconds(&own)),
    }
}
