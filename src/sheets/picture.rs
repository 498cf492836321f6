//! The board in cells: a sentence, the labels (which are left as people have them), and a line for each
//! who waits. Written as a whole: what stood below is cleared, so that the same picture twice is one.
//!
//! Only our columns are written; whatever people keep beside or between them stays. What a column says
//! of a wait it says as in the log ([`crate::sheets::cells`]); only here it is shortened.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::chat::board::{Board, Line};
use crate::chat::time::UnixMs;
use crate::sheets::cells::{self, Cell, Entered, FIELDS, Row};
use crate::sheets::column::{Column, Purpose};
use crate::sheets::column_letters;
use crate::sheets::plan::{Place, Plan};
use crate::sheets::setup::formats;
use crate::sheets::zone::time_zone;

/// Bytes that a usual line takes on the wire; with the longest texts three times as many.
pub const LINE_BYTES: usize = 700;
/// Longest text of a cell, in characters: the whole of it is in the log, and a board of a thousand lines
/// must fit a request whatever people are called.
const TEXT_CHARS_MAX: usize = 100;
/// The first line's row, from 0.
const FIRST: u32 = Purpose::Board.header_row() + 1;

/// A board, and where and how it is shown.
pub(super) struct Picture<'a> {
    board: &'a Board,
    place: &'a Place,
    zone: TimeZone,
    /// The zone of `NOW()`.
    own_zone: TimeZone,
}

/// An `updateCells`.
#[derive(Serialize)]
pub(super) struct Update<'a> {
    range: Range,
    rows: Rows<'a>,
    fields: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Range {
    sheet_id: i32,
    start_row_index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_row_index: Option<u32>,
    start_column_index: u32,
    end_column_index: u32,
}

/// Made while they are written: all cells of a thousand lines at once are far more than their bytes.
enum Rows<'a> {
    /// The sentence above the lines, in one of its columns.
    Sentence(Option<String>),
    /// What the lines say in these columns, which are neighbours.
    Lines(&'a Picture<'a>, &'a [(Column, u32)]),
}

impl<'a> Picture<'a> {
    /// The board where the plan has a place for one.
    pub(super) fn new(plan: &'a Plan, board: &'a Board) -> Option<Self> {
        let place = plan.board.as_ref()?;
        let (zone, own_zone) = (time_zone(&plan.time_zone), time_zone(&plan.own_zone));
        Some(Self { board, place, zone, own_zone })
    }

    /// The `appendDimension` that its tab needs first to have a row for each line.
    pub(super) fn longer_tab(&self) -> Option<Value> {
        let lines = u32::try_from(self.board.lines.len()).unwrap_or(u32::MAX);
        let lacking =
            (FIRST + lines.max(1)).checked_sub(self.place.rows).filter(|lacking| *lacking > 0)?;
        let sheet_id = self.place.sheet_id;
        Some(json!({ "sheetId": sheet_id, "dimension": "ROWS", "length": lacking }))
    }

    /// The `repeatCell`s that give the lines their formats, a column or more at a time.
    pub(super) fn formats(&self) -> impl Iterator<Item = Value> {
        let end = FIRST + u32::try_from(self.board.lines.len()).unwrap_or(u32::MAX);
        let all = formats(self.place.sheet_id, &self.place.columns, FIRST);
        all.filter(move |_| end > FIRST).map(move |mut request| {
            request["repeatCell"]["range"]["endRowIndex"] = end.into();
            request
        })
    }

    /// The requests that make the board look like this.
    pub(super) fn updates(&self) -> Vec<Update<'_>> {
        let mut updates = Vec::new();
        let mut sentence = Some(self.board.headline(&self.zone));
        // Between two runs of neighbours stand columns of people's own.
        for run in self.place.columns.chunk_by(|(_, one), (_, next)| one + 1 == *next) {
            let rows = Rows::Sentence(sentence.take());
            updates.push(self.update(run, 0, Some(1), rows, "userEnteredValue"));
            updates.push(self.update(run, FIRST, None, Rows::Lines(self, run), FIELDS));
        }
        updates
    }

    fn update<'s>(
        &self,
        run: &[(Column, u32)],
        start_row_index: u32,
        end_row_index: Option<u32>,
        rows: Rows<'s>,
        fields: &'static str,
    ) -> Update<'s> {
        let range = Range {
            sheet_id: self.place.sheet_id,
            start_row_index,
            end_row_index,
            start_column_index: run.first().map_or(0, |(_, index)| *index),
            end_column_index: run.last().map_or(0, |(_, index)| index + 1),
        };
        Update { range, rows, fields }
    }

    fn cell(&self, column: Column, line: &'a Line, row: u32) -> Cell<'a> {
        // Lines move, and a note would stay where it is.
        let mut cell = cells::cell(column, &line.entry, &self.zone).without_note();
        match (column, &mut cell.user_entered_value) {
            (Column::Waiting, value) => {
                *value = Some(Entered::Formula(self.waiting(line.entry.unassigned_at, row)));
            }
            (Column::Drops, value) => {
                let drops = u32::try_from(line.drops).unwrap_or(u32::MAX);
                *value = Some(Entered::Number(drops.into()));
            }
            (_, Some(Entered::Text(Cow::Borrowed(text)))) => *text = shortened(text),
            _ => {}
        }
        cell
    }

    /// How long someone has been waiting, live: from the time in the same line, or where that column was
    /// deleted from the time itself. Whole numbers only, since not every locale writes a decimal point.
    fn waiting(&self, since: UnixMs, row: u32) -> String {
        // NOW() is in the spreadsheet's own zone, as it is now; the times may be written in another, and
        // are from before a change of daylight saving.
        let now_ahead = self.board.at.ahead_s(&self.own_zone);
        match self.place.position(Column::UnassignedAt) {
            Some(index) => {
                let cell = format!("{}{}", column_letters(index), row + 1);
                match since.ahead_s(&self.zone) - now_ahead {
                    0 => format!("=NOW()-{cell}"),
                    ahead => format!("=NOW()-{cell}+({ahead}/86400)"),
                }
            }
            None => {
                let seconds = (since.serial_in(&TimeZone::UTC) * 86_400.0).round();
                #[expect(clippy::cast_precision_loss, reason = "less than a day")]
                let now_ahead = now_ahead as f64;
                format!("=NOW()-({:.0}/86400)", seconds + now_ahead)
            }
        }
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sentence(sentence) => {
                let row = sentence.as_deref().map(|text| Row { values: vec![Cell::text(text)] });
                serializer.collect_seq(row)
            }
            Self::Lines(picture, run) => {
                let rows = (FIRST..).zip(&picture.board.lines);
                serializer.collect_seq(rows.map(|(row, line)| {
                    let cells = run.iter().map(|(column, _)| picture.cell(*column, line, row));
                    Row { values: cells.collect() }
                }))
            }
        }
    }
}

fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(TEXT_CHARS_MAX);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}
