//! What reading gives: `spreadsheets.get` and the values API.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::a1::{self, Cut};
use crate::book::Book;
use crate::book::metadata::Place;
use crate::book::tabs::Tab;
use crate::display::{display, is_date};
use crate::errors::Refused;
use crate::formula::Recalculation;
use crate::grid::cell::{CHIP_COLOURS, Cell, Entered};
use crate::schema::mask::Mask;

/// The spreadsheet as Google's `Spreadsheet`. Only what the mask wants is built: a tab may be large.
pub(crate) fn spreadsheet(
    book: &Book,
    mask: &Mask,
    ranges: &[&str],
    grid_data: bool,
) -> Result<Value, Refused> {
    let cuts: Vec<(&Tab, Cut)> =
        ranges.iter().map(|range| a1::resolve(book, range)).collect::<Result<_, _>>()?;
    let mut sheets = Vec::new();
    for (index, tab) in book.tabs.iter().enumerate() {
        let mut own: Vec<Cut> =
            cuts.iter().filter(|(named, _)| named.id == tab.id).map(|(_, cut)| *cut).collect();
        if cuts.is_empty() {
            own.push(Cut::default());
        }
        if !own.is_empty() {
            sheets.push(sheet(book, index, tab, if grid_data { &own } else { &[] }, mask));
        }
    }
    let mut spreadsheet = json!({
        "spreadsheetId": book.id,
        "properties": book.properties,
        "sheets": sheets,
        "spreadsheetUrl": format!("https://docs.google.com/spreadsheets/d/{}/edit", book.id),
    });
    put_metadata(&mut spreadsheet, book, Place::Spreadsheet);
    Ok(mask.keep(spreadsheet))
}

fn put_metadata(owner: &mut Value, book: &Book, place: Place) {
    let here = book.metadata.iter().filter(|metadata| metadata.place == place);
    let here: Vec<Value> = here.map(crate::book::metadata::Metadata::to_json).collect();
    if !here.is_empty() {
        owner["developerMetadata"] = here.into();
    }
}

fn sheet(book: &Book, index: usize, tab: &Tab, cuts: &[Cut], mask: &Mask) -> Value {
    let mut sheet = json!({ "properties": tab.properties(index) });
    put_metadata(&mut sheet, book, Place::Sheet(tab.id));
    let shape = &tab.shape;
    if let Some(filter) = &shape.filter {
        sheet["basicFilter"] = filter.clone();
    }
    if !shape.filter_views.is_empty() {
        sheet["filterViews"] = shape.filter_views.clone().into();
    }
    if !shape.merges.is_empty() {
        sheet["merges"] = shape.merges.clone().into();
    }
    if !shape.tables.is_empty() {
        sheet["tables"] = shape.tables.clone().into();
    }
    if !shape.charts.is_empty() {
        sheet["charts"] = shape.charts.clone().into();
    }
    if !shape.conditionals.is_empty() {
        sheet["conditionalFormats"] = shape.conditionals.clone().into();
    }
    if !shape.protections.is_empty() {
        sheet["protectedRanges"] = shape.protections.iter().map(|it| it.rule.clone()).collect();
    }
    if !cuts.is_empty() {
        sheet["data"] = cuts.iter().map(|cut| data(book, tab, cut, mask)).collect();
    }
    sheet
}

fn data(book: &Book, tab: &Tab, cut: &Cut, mask: &Mask) -> Value {
    let (rows, columns) = (cut.rows_in(tab.shape.rows), cut.columns_in(tab.shape.columns));
    let mut data = json!({});
    if rows.start > 0 {
        data["startRow"] = rows.start.into();
    }
    if columns.start > 0 {
        data["startColumn"] = columns.start.into();
    }
    let written = rows.start..rows.end.min(tab.grid.rows().len());
    if mask.wants("sheets.data.rowData") && !written.is_empty() {
        let recalculation = Recalculation::of(book, tab);
        let cell = |cell: &Cell| cell_data(&recalculation, cell);
        let row = |cells: &Vec<Cell>| {
            let end = columns.end.min(cells.len());
            let cells = cells.get(columns.start..end).unwrap_or_default();
            if cells.is_empty() {
                json!({})
            } else {
                json!({ "values": cells.iter().map(cell).collect::<Vec<_>>() })
            }
        };
        data["rowData"] = tab.grid.rows()[written].iter().map(row).collect();
    }
    let dimension = |given: Option<&Map<String, Value>>, size: usize, place: Place| {
        let mut properties = given.cloned().unwrap_or_default();
        properties.entry("pixelSize").or_insert_with(|| size.into());
        let mut properties = Value::Object(properties);
        put_metadata(&mut properties, book, place);
        properties
    };
    if mask.wants("sheets.data.rowMetadata") {
        let row = |row| dimension(tab.shape.row_properties.get(&row), 21, Place::Row(tab.id, row));
        data["rowMetadata"] = rows.map(row).collect();
    }
    if mask.wants("sheets.data.columnMetadata") {
        let column =
            |at| dimension(tab.shape.column_properties.get(&at), 100, Place::Column(tab.id, at));
        data["columnMetadata"] = columns.map(column).collect();
    }
    data
}

/// The cell as Google's `CellData`.
pub(crate) fn cell_data(recalculation: &Recalculation<'_>, cell: &Cell) -> Value {
    let mut data = cell.dress();
    data.remove(CHIP_COLOURS);
    if let Some(format) = data.get("userEnteredFormat").cloned() {
        let link = format["textFormat"]["link"]["uri"].clone();
        if link.is_string() {
            data.insert("hyperlink".to_owned(), link);
        }
        data.insert("effectiveFormat".to_owned(), format);
    }
    if let Some(value) = cell.entered.to_json() {
        // A formula that is not worked out here has no effective value to show.
        let result = recalculation.result(cell);
        if !matches!(*result, Entered::Formula(_)) {
            let result = result.to_json().unwrap_or_else(|| json!({}));
            data.insert("effectiveValue".to_owned(), result);
        }
        data.insert("userEnteredValue".to_owned(), value);
    }
    let text = recalculation.display(cell);
    if !text.is_empty() {
        data.insert("formattedValue".to_owned(), text.into());
    }
    Value::Object(data)
}

/// How the values API is asked to write values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rendering {
    pub(crate) columns_first: bool,
    pub(crate) unformatted: bool,
    pub(crate) formulas: bool,
    pub(crate) dates_as_text: bool,
}

impl Rendering {
    pub(crate) fn from_query(query: &[(String, String)]) -> Self {
        let asked = |name: &str, value: &str| query.iter().any(|(n, v)| n == name && v == value);
        let option = "valueRenderOption";
        Self {
            columns_first: asked("majorDimension", "COLUMNS"),
            unformatted: asked(option, "UNFORMATTED_VALUE") || asked(option, "FORMULA"),
            formulas: asked(option, "FORMULA"),
            dates_as_text: asked("dateTimeRenderOption", "FORMATTED_STRING"),
        }
    }

    fn value(self, recalculation: &Recalculation<'_>, cell: &Cell) -> Value {
        let result =
            if self.formulas { Cow::Borrowed(&cell.entered) } else { recalculation.result(cell) };
        match &*result {
            Entered::Bool(bool) if self.unformatted => (*bool).into(),
            Entered::Nothing if self.unformatted && cell.is_checkbox() => false.into(),
            Entered::Number(number)
                if self.unformatted && !(self.dates_as_text && is_date(&cell.dress())) =>
            {
                // Whole numbers are written without a point.
                let whole = crate::display::plain(*number).parse::<i64>();
                whole.map_or_else(|_| json!(number), Value::from)
            }
            result => display(result, cell).into(),
        }
    }
}

/// The range as Google's `ValueRange`, without trailing blanks.
pub(crate) fn values(book: &Book, range: &str, how: Rendering) -> Result<Value, Refused> {
    let (tab, cut) = a1::resolve(book, range)?;
    let (rows, columns) = (cut.rows_in(tab.shape.rows), cut.columns_in(tab.shape.columns));
    let mut lines: Vec<Vec<Value>> = Vec::new();
    let end = rows.end.min(tab.grid.rows().len());
    let recalculation = Recalculation::of(book, tab);
    for row in tab.grid.rows().get(rows.start..end).unwrap_or_default() {
        let cells = row.get(columns.start..columns.end.min(row.len())).unwrap_or_default();
        lines.push(cells.iter().map(|cell| how.value(&recalculation, cell)).collect());
    }
    if how.columns_first {
        let width = lines.iter().map(Vec::len).max().unwrap_or_default();
        let at = |line: &Vec<Value>, column: usize| {
            line.get(column).cloned().unwrap_or_else(|| json!(""))
        };
        lines =
            (0..width).map(|column| lines.iter().map(|line| at(line, column)).collect()).collect();
    }
    for line in &mut lines {
        let blank = |value: &Value| value.as_str() == Some("");
        line.truncate(line.iter().rposition(|value| !blank(value)).map_or(0, |last| last + 1));
    }
    lines.truncate(lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1));
    let major = if how.columns_first { "COLUMNS" } else { "ROWS" };
    let mut answer = json!({ "range": a1::write(tab, &cut), "majorDimension": major });
    if !lines.is_empty() {
        answer["values"] = json!(lines);
    }
    Ok(answer)
}
