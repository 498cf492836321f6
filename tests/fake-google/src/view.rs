//! The page that shows the default spreadsheet to people, and the data it polls.

use serde_json::{Map, Value, json};

use crate::book::Book;
use crate::book::tabs::Tab;
use crate::conditional;
use crate::formula::Recalculation;
use crate::grid::cell::{Cell, Entered};

pub(crate) const PAGE: &str = include_str!("page.html");

/// What a browser can still draw once a second.
const ROWS_MAX: usize = 500;
const BLANK_ROWS: usize = 30;
const BLANK_COLUMNS: usize = 12;

pub(crate) fn json(book: &Book) -> Value {
    let visible =
        book.tabs.iter().filter(|tab| tab.shape.properties.get("hidden") != Some(&true.into()));
    json!({
        "title": book.properties.get("title"),
        "tabs": visible.map(|tab| self::tab(book, tab)).collect::<Vec<_>>(),
    })
}

/// A long tab shows its frozen rows and its end, where new rows arrive.
fn tab(book: &Book, tab: &Tab) -> Value {
    let shape = &tab.shape;
    let grid = shape.properties.get("gridProperties").unwrap_or(&Value::Null);
    let frozen =
        |name: &str| grid[name].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let (used, frozen_rows) = (tab.grid.used_rows(), frozen("frozenRowCount"));
    let end = (used + BLANK_ROWS).min(shape.rows);
    let from = end.saturating_sub(ROWS_MAX).max(frozen_rows);
    let widest = tab.grid.rows()[..used].iter().map(Vec::len).max().unwrap_or_default();
    let columns = (widest + 1).max(BLANK_COLUMNS).min(shape.columns);
    let hidden = |properties: Option<&Map<String, Value>>| {
        properties.is_some_and(|properties| properties.get("hiddenByUser") == Some(&true.into()))
    };
    let column = |at: usize| {
        let properties = shape.column_properties.get(&at);
        json!({
            "name": crate::a1::column_name(at),
            "width": properties.and_then(|properties| properties.get("pixelSize")),
            "hidden": hidden(properties),
        })
    };
    let recalculation = Recalculation::of(book, tab);
    let rows = (0..frozen_rows.min(end)).chain(from..end);
    let row = |at: usize| {
        let cells = tab.grid.rows().get(at).map_or(&[][..], Vec::as_slice);
        let cells: Vec<Value> = cells
            .iter()
            .enumerate()
            .map(|(at_column, cell)| self::cell(&recalculation, tab, (at, at_column), cell))
            .collect();
        let properties = shape.row_properties.get(&at);
        json!({
            "number": at + 1,
            "height": properties.and_then(|properties| properties.get("pixelSize")),
            "hidden": hidden(properties) || is_filtered_out(&recalculation, tab, at),
            "cells": cells,
        })
    };
    json!({
        "title": shape.title,
        "color": color(shape.properties.get("tabColorStyle").unwrap_or(&Value::Null)),
        "frozenRows": frozen_rows,
        "filter": shape.filter.is_some(),
        "merges": shape.merges.iter().map(merge).collect::<Vec<_>>(),
        "columns": (0..columns).map(column).collect::<Vec<_>>(),
        "rows": rows.map(row).collect::<Vec<_>>(),
        "charts": shape.charts.iter().map(|chart| self::chart(book, chart)).collect::<Vec<_>>(),
        "rowCount": used,
    })
}

/// A chart as its own specification says, with the values of its ranges: texts along the bottom, numbers above.
fn chart(book: &Book, chart: &Value) -> Value {
    let (basic, place) = (&chart["spec"]["basicChart"], &chart["position"]["overlayPosition"]);
    let headers = basic["headerCount"].as_u64().unwrap_or_default();
    let headers = usize::try_from(headers).unwrap_or_default();
    let values = |data: &Value, read: &dyn Fn(&Recalculation<'_>, &Cell) -> Value| {
        let ranges = data["sourceRange"]["sources"].as_array().into_iter().flatten();
        let cells = ranges.flat_map(|range| charted(book, range, read));
        cells.skip(headers).collect::<Vec<Value>>()
    };
    let text = |recalculation: &Recalculation<'_>, cell: &Cell| recalculation.display(cell).into();
    let number = |recalculation: &Recalculation<'_>, cell: &Cell| match *recalculation.result(cell)
    {
        Entered::Number(number) => number.into(),
        _ => Value::Null,
    };
    let series = basic["series"].as_array().into_iter().flatten();
    let axes = basic["axis"].as_array().into_iter().flatten();
    let unit = axes.clone().find(|axis| axis["position"] == "LEFT_AXIS");
    json!({
        "title": chart["spec"]["title"],
        "kind": basic["chartType"],
        "unit": unit.map_or(&Value::Null, |axis| &axis["title"]),
        "labels": values(&basic["domains"][0]["domain"], &text),
        "series": series.map(|one| values(&one["series"], &number)).collect::<Vec<_>>(),
        "row": place["anchorCell"]["rowIndex"].as_u64().unwrap_or_default(),
        "column": place["anchorCell"]["columnIndex"].as_u64().unwrap_or_default(),
        "left": place["offsetXPixels"].as_u64().unwrap_or_default(),
        "top": place["offsetYPixels"].as_u64().unwrap_or_default(),
        "width": place["widthPixels"].as_u64().unwrap_or(600),
        "height": place["heightPixels"].as_u64().unwrap_or(371),
    })
}

/// What stands in the cells of a range, one after the other.
fn charted(
    book: &Book,
    range: &Value,
    read: &dyn Fn(&Recalculation<'_>, &Cell) -> Value,
) -> Vec<Value> {
    let Ok(tab) = book.tab(range["sheetId"].as_i64().unwrap_or_default()) else {
        return Vec::new();
    };
    let edge = |name: &str, open: usize| {
        range[name].as_u64().and_then(|edge| usize::try_from(edge).ok()).unwrap_or(open)
    };
    let recalculation = Recalculation::of(book, tab);
    let columns = edge("startColumnIndex", 0)..edge("endColumnIndex", tab.shape.columns);
    let rows = edge("startRowIndex", 0)..edge("endRowIndex", tab.shape.rows);
    let cells = rows.flat_map(|row| columns.clone().map(move |column| (row, column)));
    cells.map(|(row, column)| read(&recalculation, tab.grid.cell(row, column))).collect()
}

/// Where a merge begins and how far it goes.
fn merge(range: &Value) -> Value {
    let edge = |name: &str| range[name].as_u64().unwrap_or_default();
    let (row, column) = (edge("startRowIndex"), edge("startColumnIndex"));
    json!({
        "row": row, "rows": edge("endRowIndex") - row,
        "column": column, "columns": edge("endColumnIndex") - column,
    })
}

/// Whether the basic filter hides the row for a value it has. Below its range a filter hides nothing.
fn is_filtered_out(recalculation: &Recalculation<'_>, tab: &Tab, row: usize) -> bool {
    let Some(filter) = &tab.shape.filter else { return false };
    let edge =
        |name: &str| filter["range"][name].as_u64().and_then(|edge| usize::try_from(edge).ok());
    let (first, end) = (edge("startRowIndex").unwrap_or(0) + 1, edge("endRowIndex"));
    let hides = |spec: &Value| {
        let column = spec["columnIndex"].as_u64().and_then(|column| usize::try_from(column).ok());
        let text = recalculation.display(tab.grid.cell(row, column.unwrap_or_default()));
        let hidden = spec["filterCriteria"]["hiddenValues"].as_array();
        hidden.is_some_and(|hidden| hidden.iter().any(|value| *value == text.as_str()))
    };
    row >= first
        && end.is_none_or(|end| row < end)
        && filter["filterSpecs"].as_array().is_some_and(|specs| specs.iter().any(hides))
}

fn cell(recalculation: &Recalculation<'_>, tab: &Tab, place: (usize, usize), cell: &Cell) -> Value {
    let (result, text) = (recalculation.result(cell), recalculation.display(cell));
    let mut shown = json!({ "text": text });
    let dress = cell.dress();
    let nothing = Value::Null;
    let format = dress.get("userEnteredFormat").unwrap_or(&nothing);
    let conditional = conditional::format(tab, place, &result, &text);
    let text = &format["textFormat"];
    for (name, key) in [("bold", "bold"), ("italic", "italic"), ("strike", "strikethrough")] {
        if text[key] == true || conditional["textFormat"][key] == true {
            shown[name] = true.into();
        }
    }
    // A style outdoes the plain colour, as a condition outdoes the cell's own format.
    let pick = |of: &Value, name: &str| match color(&of[format!("{name}Style")]) {
        Value::Null => color(&json!({ "rgbColor": of[name] })),
        style => style,
    };
    let first = |one: Value, other: Value| if one.is_null() { other } else { one };
    shown["front"] =
        first(pick(&conditional["textFormat"], "foregroundColor"), pick(text, "foregroundColor"));
    shown["back"] = first(pick(&conditional, "backgroundColor"), pick(format, "backgroundColor"));
    shown["align"] = match (&format["horizontalAlignment"], &*result) {
        (Value::String(align), _) => align.to_lowercase().into(),
        (_, Entered::Number(_)) => "right".into(),
        _ => Value::Null,
    };
    shown["size"] = text["fontSize"].clone();
    shown["note"] = dress.get("note").cloned().unwrap_or_default();
    match format["wrapStrategy"].as_str() {
        Some("WRAP" | "LEGACY_WRAP") => shown["wrap"] = true.into(),
        Some("CLIP") => shown["clip"] = true.into(),
        _ => {}
    }
    // Only what a browser may open: a sheet's link can hold any scheme.
    if let Some(uri) = text["link"]["uri"].as_str().filter(|uri| uri.starts_with("http")) {
        shown["link"] = uri.into();
    }
    if cell.is_checkbox() {
        shown["checkbox"] = (cell.entered == Entered::Bool(true)).into();
    } else if dress.get("dataValidation").is_some_and(|rule| {
        rule["condition"]["type"] == "ONE_OF_LIST" && rule["showCustomUi"] == true
    }) {
        shown["choice"] = true.into();
    }
    if let Some(map) = shown.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    shown
}

/// A colour style as CSS; null if there is none.
fn color(style: &Value) -> Value {
    let Some(rgb) = style["rgbColor"].as_object() else { return Value::Null };
    let part = |name: &str| {
        let share = rgb.get(name).and_then(Value::as_f64).unwrap_or_default().clamp(0.0, 1.0);
        format!("{:.0}", share * 255.0)
    };
    format!("rgb({} {} {})", part("red"), part("green"), part("blue")).into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::book::Book;
    use crate::grid::cell::{Cell, Entered};
    use crate::view;

    #[test]
    fn a_tab_is_shown_as_people_see_it() {
        let mut book = Book::new("id", "Asia/Kolkata", "robot@example.com");
        let tab = &mut book.tabs[0];
        for (row, text) in ["Status", "Waiting", "Done", "Done"].into_iter().enumerate() {
            *tab.grid.cell_mut(row, 0) = Cell::text(text);
        }
        let rule = json!({ "condition": { "type": "ONE_OF_LIST" }, "showCustomUi": true });
        let dress = [("dataValidation", rule), ("note", json!("called twice"))];
        let dress = dress.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        tab.grid.cell_mut(1, 0).set_dress(&dress);
        tab.grid.cell_mut(1, 1).entered = Entered::Formula("=2-1.5".into());
        tab.shape.conditionals.push(json!({
            "ranges": [{ "startColumnIndex": 1, "endColumnIndex": 2 }],
            "booleanRule": {
                "condition": { "type": "NUMBER_LESS", "values": [{ "userEnteredValue": "1" }] },
                "format": { "backgroundColor": { "red": 1.0 } },
            },
        }));
        tab.shape.merges.push(json!({ "endRowIndex": 1, "endColumnIndex": 3 }));
        tab.shape.filter = Some(json!({
            "range": { "endRowIndex": 3 },
            "filterSpecs": [{ "columnIndex": 0, "filterCriteria": { "hiddenValues": ["Done"] } }],
        }));

        let shown = &view::json(&book)["tabs"][0];
        let status = json!({ "text": "Waiting", "choice": true, "note": "called twice" });
        assert_eq!(shown["rows"][1]["cells"][0], status);
        let half = json!({ "text": "0.5", "align": "right", "back": "rgb(255 0 0)" });
        assert_eq!(shown["rows"][1]["cells"][1], half);
        assert_eq!(shown["merges"], json!([{ "row": 0, "rows": 1, "column": 0, "columns": 3 }]));
        let rows = shown["rows"].as_array().expect("there are rows");
        let hidden: Vec<&Value> = rows.iter().take(4).map(|row| &row["hidden"]).collect();
        // The last came after the filter was set.
        assert_eq!(hidden, [false, false, true, false]);
    }
}
