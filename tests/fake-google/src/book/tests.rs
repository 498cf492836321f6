//! What a batch does to a spreadsheet, and what it leaves behind when it is refused.

use serde_json::{Value, json};

use crate::book::Book;
use crate::formula::Recalculation;
use crate::grid::cell::Cell;
use crate::grid::shift::Shift;
use crate::json::Node;
use crate::read;
use crate::schema::SCHEMA;
use crate::schema::mask::Mask;

fn book() -> Book {
    Book::new("id", "Asia/Kolkata", "robot@example.com")
}

fn apply(book: &mut Book, requests: &Value) -> Result<Vec<Value>, String> {
    let body = json!({ "requests": requests }).to_string();
    let body: Node<'_> =
        SCHEMA.body("batchUpdate", body.as_bytes()).map_err(|refused| refused.body)?;
    book.batch_update(&body).map_err(|refused| {
        let body: Value = serde_json::from_str(&refused.body).unwrap_or_default();
        body["error"]["message"].as_str().unwrap_or_default().to_owned()
    })
}

fn append(rows: &[&[&str]]) -> Value {
    let cell = |text: &&str| json!({ "userEnteredValue": { "stringValue": text } });
    let row = |cells: &&[&str]| json!({ "values": cells.iter().map(cell).collect::<Vec<_>>() });
    let rows: Vec<Value> = rows.iter().map(row).collect();
    json!({ "appendCells": { "sheetId": 0, "rows": rows, "fields": "userEnteredValue" } })
}

fn marker(id: i32, place: &Value) -> Value {
    json!({ "createDeveloperMetadata": { "developerMetadata": {
        "metadataId": id, "metadataKey": "batch", "metadataValue": "hash", "location": place,
        "visibility": "DOCUMENT",
    } } })
}

fn write(row: usize, column: usize, text: &str) -> Value {
    json!({ "updateCells": {
        "start": { "sheetId": 0, "rowIndex": row, "columnIndex": column },
        "rows": [{ "values": [{ "userEnteredValue": { "stringValue": text } }] }],
        "fields": "userEnteredValue",
    } })
}

fn rows(book: &Book) -> Vec<Vec<String>> {
    let (grid, recalculation) = (&book.tabs[0].grid, Recalculation::of(book, &book.tabs[0]));
    let shown = |cell: &Cell| recalculation.display(cell);
    grid.rows()[..grid.used_rows()].iter().map(|row| row.iter().map(shown).collect()).collect()
}

fn cell(book: &Book, row: usize, column: usize) -> Value {
    let tab = &book.tabs[0];
    read::cell_data(&Recalculation::of(book, tab), tab.grid.cell(row, column))
}

fn whole(book: &Book) -> Value {
    read::spreadsheet(book, &Mask::all(), &[], true).expect("no range is asked for")
}

#[test]
fn a_refused_batch_leaves_no_trace() {
    let mut book = book();
    let column = json!({ "dimensionRange": { "sheetId": 0, "dimension": "COLUMNS", "startIndex": 1, "endIndex": 2 } });
    apply(&mut book, &json!([append(&[&["a", "b"], &["c", "d"]]), marker(1, &column)]))
        .expect("it is valid");
    let before = whole(&book);

    let error = apply(
        &mut book,
        &json!([
            marker(2, &json!({ "sheetId": 0 })),
            append(&[&["lost"]]),
            write(0, 0, "lost"),
            { "addSheet": { "properties": { "title": "Lost", "sheetId": 9 } } },
            { "deleteSheet": { "sheetId": 0 } },
            { "addSheet": { "properties": { "title": "In its place", "sheetId": 0 } } },
            { "deleteDimension": { "range": { "sheetId": 9, "dimension": "COLUMNS", "startIndex": 0, "endIndex": 1 } } },
            { "appendCells": { "sheetId": 42, "rows": [], "fields": "userEnteredValue" } },
        ]),
    );
    assert_eq!(error, Err("Invalid requests[7].appendCells: No grid with id: 42".to_owned()));
    assert_eq!(whole(&book), before);
}

#[test]
fn a_metadata_id_can_be_used_once_and_takes_the_batch_with_it() {
    let mut book = book();
    let place = json!({ "sheetId": 0 });
    let batch = json!([marker(7, &place), append(&[&["one"]])]);
    let replies = apply(&mut book, &batch).expect("the id is free");
    assert_eq!(replies[0]["createDeveloperMetadata"]["developerMetadata"]["metadataId"], 7);
    assert_eq!(replies[1], json!({}));
    let again = apply(&mut book, &batch);
    let expected = "Invalid requests[0].createDeveloperMetadata: Cannot add developer metadata with ID [7] \
                    because developer metadata with that ID already exists.";
    assert_eq!(again, Err(expected.to_owned()));
    assert_eq!(rows(&book), [["one"]]);
}

#[test]
fn metadata_storage_is_bounded_and_pruning_nothing_is_no_error() {
    let mut book = book();
    let long = "v".repeat(20_000);
    let entry = |id: i32, place: Value| {
        let mut entry = marker(id, &place);
        entry["createDeveloperMetadata"]["developerMetadata"]["metadataValue"] =
            long.clone().into();
        entry
    };
    let on_sheet = || json!({ "sheetId": 0 });
    apply(&mut book, &json!([entry(1, on_sheet()), entry(2, json!({ "spreadsheet": true }))]))
        .expect("the tab and the spreadsheet have a limit each");
    let error = apply(&mut book, &json!([entry(3, on_sheet())])).expect_err("the tab is full");
    assert!(error.ends_with("would exceed the allowed storage limit"), "{error}");
    let prune = |id: i32| json!([{ "deleteDeveloperMetadata": { "dataFilter": { "developerMetadataLookup": { "metadataId": id } } } }]);
    let replies = apply(&mut book, &prune(99)).expect("there is nothing to delete");
    assert_eq!(replies, [json!({ "deleteDeveloperMetadata": {} })]);
    apply(&mut book, &prune(1)).expect("there is something to delete");
    apply(&mut book, &json!([entry(3, on_sheet())])).expect("there is room again");
}

#[test]
fn rows_go_below_the_last_data_in_any_column() {
    let mut book = book();
    apply(&mut book, &json!([append(&[&["header"]]), write(5, 9, "stray"), append(&[&["new"]])]))
        .expect("it is valid");
    assert_eq!(rows(&book)[6], ["new"]);

    // An untouched checkbox is FALSE, and that is data.
    let checkboxes = json!([{ "setDataValidation": {
        "range": { "sheetId": 0, "startRowIndex": 0, "startColumnIndex": 3, "endColumnIndex": 4 },
        "rule": { "condition": { "type": "BOOLEAN" } },
    } }]);
    apply(&mut book, &checkboxes).expect("it is valid");
    apply(&mut book, &json!([append(&[&["at the bottom"]])])).expect("it is valid");
    assert_eq!(rows(&book)[1000], ["at the bottom"]);
    assert_eq!(book.tabs[0].shape.rows, 1001);
}

#[test]
fn appending_keeps_to_the_columns_the_cell_size_and_the_mask() {
    let mut book = book();
    let wide: Vec<&str> = vec!["x"; 27];
    let error = apply(&mut book, &json!([append(&[&wide])]));
    let expected = "Invalid requests[0].appendCells: Attempting to write column: 26, beyond the last requested column of: 25";
    assert_eq!(error, Err(expected.to_owned()));
    let long = "x".repeat(50_001);
    let error = apply(&mut book, &json!([append(&[&["fine"], &[long.as_str()]])]))
        .expect_err("it is too long");
    assert!(error.contains("more than the maximum of 50000 characters"), "{error}");
    assert_eq!(book.tabs[0].grid.used_rows(), 0);
    let mut no_mask = append(&[&["x"]]);
    no_mask["appendCells"]["fields"] = Value::Null;
    let error = apply(&mut book, &json!([no_mask])).expect_err("there is no mask");
    assert!(error.contains("At least one field must be listed in 'fields'."), "{error}");
    let mut bad_mask = append(&[&["x"]]);
    bad_mask["appendCells"]["fields"] = "userEnteredValues".into();
    let error = apply(&mut book, &json!([bad_mask])).expect_err("there is no such field");
    assert!(error.ends_with("Invalid field: userEnteredValues"), "{error}");
}

#[test]
fn fields_outside_the_mask_stay_and_inside_it_are_cleared() {
    let mut book = book();
    let bold = json!({ "textFormat": { "bold": true } });
    let dressed = json!([{ "repeatCell": {
        "range": { "sheetId": 0, "endRowIndex": 2, "endColumnIndex": 2 },
        "cell": { "userEnteredFormat": bold, "note": "n" },
        "fields": "userEnteredFormat.textFormat.bold,note",
    } }]);
    apply(&mut book, &dressed).expect("it is valid");
    apply(&mut book, &json!([append(&[&["a", "b"]])])).expect("it is valid");
    assert_eq!(cell(&book, 0, 0)["userEnteredFormat"], bold);
    let clearing = json!([{ "updateCells": {
        "range": { "sheetId": 0, "endRowIndex": 1, "endColumnIndex": 2 },
        "rows": [{ "values": [{}] }], "fields": "userEnteredValue,note",
    } }]);
    apply(&mut book, &clearing).expect("it is valid");
    for column in 0..2 {
        let cell = cell(&book, 0, column);
        assert_eq!(cell["userEnteredFormat"], bold);
        assert!(cell.get("note").is_none() && cell.get("userEnteredValue").is_none(), "{cell}");
    }
}

#[test]
fn merged_cells_keep_the_first_value_and_move_with_their_columns() {
    let mut book = book();
    let merge = |columns: (usize, usize)| {
        json!({ "mergeCells": { "mergeType": "MERGE_ALL", "range": {
        "sheetId": 0, "startRowIndex": 0, "endRowIndex": 1,
        "startColumnIndex": columns.0, "endColumnIndex": columns.1,
    } } })
    };
    apply(&mut book, &json!([append(&[&["a", "b", "c"], &["d", "e", "f"]]), merge((0, 2))]))
        .expect("it is valid");
    assert_eq!(rows(&book), [["a", "", "c"], ["d", "e", "f"]]);
    let error = apply(&mut book, &json!([merge((1, 3))])).expect_err("it cuts a merge in two");
    assert!(error.contains("You must select all cells in a merged range"), "{error}");
    book.shift_unguarded(0, true, Shift::Insert { at: 0, count: 1 });
    apply(&mut book, &json!([merge((0, 4))])).expect("the wider takes the place of the other");
    assert_eq!(whole(&book)["sheets"][0]["merges"].as_array().map(Vec::len), Some(1));
    assert_eq!(whole(&book)["sheets"][0]["merges"][0]["endColumnIndex"], 4);
    let range = json!({ "sheetId": 0, "endRowIndex": 5, "endColumnIndex": 9 });
    apply(&mut book, &json!([{ "unmergeCells": { "range": range } }])).expect("it is valid");
    assert_eq!(whole(&book)["sheets"][0]["merges"], Value::Null);
}

#[test]
fn metadata_stays_with_its_column() {
    let mut book = book();
    let on = |column: usize| json!({ "dimensionRange": { "sheetId": 0, "dimension": "COLUMNS", "startIndex": column, "endIndex": column + 1 } });
    apply(&mut book, &json!([append(&[&["a", "b", "c"]]), marker(1, &on(0)), marker(2, &on(2))]))
        .expect("it is valid");
    let range = |start: usize| json!({ "sheetId": 0, "dimension": "COLUMNS", "startIndex": start, "endIndex": start + 1 });
    apply(
        &mut book,
        &json!([
            { "insertDimension": { "range": range(1) } },
            { "moveDimension": { "source": range(0), "destinationIndex": 4 } },
        ]),
    )
    .expect("it is valid");
    assert_eq!(rows(&book), [["", "b", "c", "a"]]);
    let columns = &whole(&book)["sheets"][0]["data"][0]["columnMetadata"];
    assert_eq!(columns[3]["developerMetadata"][0]["metadataId"], 1);
    assert_eq!(columns[2]["developerMetadata"][0]["metadataId"], 2);
    apply(&mut book, &json!([{ "deleteDimension": { "range": range(3) } }])).expect("it is valid");
    assert!(book.metadata_by_id(1).is_none());
    assert!(book.metadata_by_id(2).is_some());
}

#[test]
fn updating_metadata_tells_where_it_is_at_that_point_of_the_batch() {
    let mut book = book();
    let column = |at: usize| json!({ "sheetId": 0, "dimension": "COLUMNS", "startIndex": at, "endIndex": at + 1 });
    let on = |at: usize| json!({ "dimensionRange": column(at) });
    apply(&mut book, &json!([marker(1, &on(0)), marker(2, &on(2)), marker(3, &on(9))]))
        .expect("it is valid");
    let ask = json!({ "updateDeveloperMetadata": {
        "dataFilters": [{ "developerMetadataLookup": { "metadataKey": "batch" } }],
        "developerMetadata": { "visibility": "DOCUMENT" }, "fields": "visibility",
    } });
    let insert = json!({ "insertDimension": { "range": column(1) } });
    let delete = json!({ "deleteDimension": { "range": column(10) } });
    let before = whole(&book);
    let replies = apply(&mut book, &json!([ask, insert, ask, delete, ask])).expect("it is valid");
    let told = |reply: usize| -> Vec<(Value, Value)> {
        let entries = replies[reply]["updateDeveloperMetadata"]["developerMetadata"].as_array();
        let place = |entry: &Value| entry["location"]["dimensionRange"]["startIndex"].clone();
        entries
            .into_iter()
            .flatten()
            .map(|entry| (entry["metadataId"].clone(), place(entry)))
            .collect()
    };
    let expected = |places: &[(i64, i64)]| -> Vec<(Value, Value)> {
        places.iter().map(|(id, at)| (json!(id), json!(at))).collect()
    };
    assert_eq!(told(0), expected(&[(1, 0), (2, 2), (3, 9)]));
    assert_eq!(told(2), expected(&[(1, 0), (2, 3), (3, 10)]));
    assert_eq!(told(4), expected(&[(1, 0), (2, 3)]));
    let columns = |whole: &Value| whole["sheets"][0]["data"][0]["columnMetadata"].clone();
    assert_eq!(
        columns(&whole(&book))[0],
        columns(&before)[0],
        "what was not to be changed is as it was"
    );

    let none = json!({ "updateDeveloperMetadata": {
        "dataFilters": [{ "developerMetadataLookup": { "metadataKey": "nobody's" } }],
        "developerMetadata": { "visibility": "PROJECT" }, "fields": "visibility",
    } });
    let replies = apply(&mut book, &json!([none])).expect("nothing to update is no error");
    assert_eq!(replies, [json!({ "updateDeveloperMetadata": {} })]);
}

#[test]
fn tabs_have_their_own_ids_and_titles() {
    let mut book = book();
    let add = |id: i32, title: &str| json!([{ "addSheet": { "properties": { "sheetId": id, "title": title } } }]);
    let replies = apply(&mut book, &add(5, "Log")).expect("both are free");
    assert_eq!(replies[0]["addSheet"]["properties"]["sheetId"], 5);
    let error = apply(&mut book, &add(6, "log"));
    let expected = "Invalid requests[0].addSheet: A sheet with the name \"log\" already exists. Please enter another name.";
    assert_eq!(error, Err(expected.to_owned()));
    assert!(apply(&mut book, &add(5, "Other")).is_err());
    let rename = json!([{ "updateSheetProperties": {
        "properties": { "sheetId": 5, "title": "Board", "gridProperties": { "frozenRowCount": 1 } },
        "fields": "title,gridProperties.frozenRowCount",
    } }]);
    apply(&mut book, &rename).expect("it is valid");
    let properties = &whole(&book)["sheets"][1]["properties"];
    assert_eq!(properties["title"], "Board");
    assert_eq!(
        properties["gridProperties"],
        json!({ "rowCount": 1000, "columnCount": 26, "frozenRowCount": 1 })
    );
}

#[test]
fn twenty_million_cells_are_the_most() {
    let mut book = book();
    let grow =
        json!([{ "appendDimension": { "sheetId": 0, "dimension": "ROWS", "length": 800_000 } }]);
    let error = apply(&mut book, &grow).expect_err("it is too much");
    assert!(error.contains("above the limit of 20000000 cells"), "{error}");
    assert_eq!(book.tabs[0].shape.rows, 1000);
}

#[test]
fn values_are_read_by_a1_ranges() {
    let mut book = book();
    apply(&mut book, &json!([append(&[&["h1", "h2"], &["a", "", "c"], &["d"]])]))
        .expect("it is valid");
    "Bob's log".clone_into(&mut book.tabs[0].shape.title);
    let read = |range: &str| read::values(&book, range, read::Rendering::default());
    let values = |range: &str| read(range).expect("the range is there")["values"].clone();
    assert_eq!(values("'Bob''s log'!1:1"), json!([["h1", "h2"]]));
    assert_eq!(values("'Bob''s log'!A2:C"), json!([["a", "", "c"], ["d"]]));
    assert_eq!(values("'Bob''s log'!B:B"), json!([["h2"]]));
    assert_eq!(values("Bob's log"), json!([["h1", "h2"], ["a", "", "c"], ["d"]]));
    assert_eq!(read("A2").expect("the range is there")["range"], "'Bob''s log'!A2");
    let error = read("'No such tab'!A1").expect_err("there is no such tab");
    assert!(error.body.contains("Unable to parse range: 'No such tab'!A1"), "{}", error.body);
}

/// A chart of what stands in one column below its label, anchored at a cell.
fn chart(column: usize, anchor: usize) -> Value {
    let range = json!({ "startRowIndex": 0, "endRowIndex": 4,
        "startColumnIndex": column, "endColumnIndex": column + 1 });
    let source = json!({ "sourceRange": { "sources": [range] } });
    json!({ "addChart": { "chart": {
        "spec": { "title": "Drops", "basicChart": {
            "chartType": "COLUMN", "headerCount": 1,
            "domains": [{ "domain": source }], "series": [{ "series": source }],
        } },
        "position": { "overlayPosition": { "anchorCell": { "rowIndex": 0, "columnIndex": anchor } } },
    } } })
}

#[test]
fn a_chart_follows_its_cells_and_goes_with_its_tab() {
    let mut book = book();
    let made = apply(&mut book, &json!([chart(2, 5)])).unwrap();
    let id = made[0]["addChart"]["chart"]["chartId"].clone();
    assert!(id.is_i64());
    book.shift_unguarded(0, true, Shift::Insert { at: 1, count: 1 });
    let shown = read::spreadsheet(&book, &Mask::parse("*").unwrap(), &[], false).unwrap();
    let basic = &shown["sheets"][0]["charts"][0]["spec"]["basicChart"];
    let source = &basic["series"][0]["series"]["sourceRange"]["sources"][0];
    assert_eq!(source["startColumnIndex"], 3);
    assert_eq!(
        shown["sheets"][0]["charts"][0]["position"]["overlayPosition"]["anchorCell"]["columnIndex"],
        6
    );
    apply(&mut book, &json!([{ "deleteEmbeddedObject": { "objectId": id } }])).unwrap();
    let gone = apply(&mut book, &json!([{ "deleteEmbeddedObject": { "objectId": id } }]));
    assert!(gone.unwrap_err().contains("No object with id"));
    let title = json!({ "addSheet": { "properties": { "sheetId": 7, "title": "other" } } });
    let mut on_seven = chart(0, 1);
    on_seven["addChart"]["chart"]["position"]["overlayPosition"]["anchorCell"]["sheetId"] =
        7.into();
    apply(&mut book, &json!([title, on_seven])).unwrap();
    apply(&mut book, &json!([{ "deleteSheet": { "sheetId": 7 } }])).unwrap();
    assert!(book.tabs.iter().all(|tab| tab.shape.charts.is_empty()));
}

#[test]
fn a_chart_of_cells_that_are_not_there_is_refused_with_all_of_its_batch() {
    let mut book = book();
    for (wrong, why) in [(chart(26, 5), "Range exceeds grid limits"), (chart(2, 26), "anchor cell")]
    {
        let refused = apply(&mut book, &json!([write(0, 0, "x"), wrong])).unwrap_err();
        assert!(refused.starts_with("Invalid requests[1].addChart:"), "{refused}");
        assert!(refused.contains(why), "{refused}");
    }
    let unknown =
        json!([{ "addChart": { "chart": { "spec": { "basicChart": { "kind": "COLUMN" } } } } }]);
    assert!(apply(&mut book, &unknown).unwrap_err().contains("Cannot find field"));
    assert!(rows(&book).is_empty());
    assert!(book.tabs[0].shape.charts.is_empty());
}
