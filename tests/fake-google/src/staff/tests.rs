//! What people do is there afterwards, and stays with the rows and columns that they did it to.

use serde_json::json;

use crate::FakeGoogle;
use crate::schema::SCHEMA;

const TAB: &str = "Log";

/// A header and the rows `c`, `a`, `b`, with a number each.
fn google() -> FakeGoogle {
    let google = FakeGoogle::start();
    google.staff().add_tab(TAB, &[&["Name", "No."], &["c", "3"], &["a", "1"], &["b", "2"]]);
    google
}

#[test]
fn what_is_put_on_a_cell_moves_with_it() {
    let google = google();
    let staff = google.staff();
    staff.set_note(TAB, 1, 0, "ask again");
    staff.paint(TAB, 1..2, 0..2, (255, 0, 0));
    staff.set_checkboxes(TAB, 1..4, 2);
    staff.tick(TAB, 1, 2);
    staff.set_dropdown(TAB, 1..4, 1, &["1", "2", "3"]);
    staff.sort(TAB, 0);
    assert_eq!(google.column(TAB, "Name"), ["a", "b", "c"]);
    let (name, number, tick) =
        (google.cell(TAB, 3, 0), google.cell(TAB, 3, 1), google.cell(TAB, 3, 2));
    assert_eq!(name["note"], "ask again");
    let red = &name["userEnteredFormat"]["backgroundColorStyle"]["rgbColor"]["red"];
    assert_eq!((red.as_f64(), number["formattedValue"].as_str()), (Some(1.0), Some("3")));
    assert_eq!(number["dataValidation"]["condition"]["type"], "ONE_OF_LIST");
    assert_eq!(tick["userEnteredValue"]["boolValue"], true);
    assert_eq!(google.cell(TAB, 1, 2)["userEnteredValue"]["boolValue"], false);
    staff.set_note(TAB, 3, 0, "");
    assert!(google.cell(TAB, 3, 0).get("note").is_none());
}

#[test]
fn rows_are_inserted_deleted_and_sorted_below_what_is_frozen() {
    let google = google();
    let staff = google.staff();
    staff.sort_below(TAB, 2, 0);
    assert_eq!(google.column(TAB, "Name"), ["c", "a", "b"]);
    staff.delete_rows(TAB, &[1, 3]);
    assert_eq!(google.column(TAB, "Name"), ["a"]);
    staff.insert_row(TAB, 1);
    assert_eq!(
        (google.column(TAB, "Name"), google.row_count(TAB)),
        (vec![String::new(), "a".into()], 3)
    );
    assert_eq!(google.row(TAB, 2), ["a", "1"]);
}

#[test]
fn filters_and_hidden_rows_change_nothing_but_what_is_seen() {
    let google = google();
    let (staff, before) = (google.staff(), google.rows(TAB));
    staff.filter_out(TAB, 0, &["a"]);
    staff.add_filter_view(TAB, "Mine");
    staff.hide_rows(TAB, 1..3);
    staff.show_rows(TAB, 2..3);
    assert_eq!(google.rows(TAB), before);
    let state = google.shared.lock();
    let shape = &state.book(&google.spreadsheet).tabs[1].shape;
    let hidden =
        |row| shape.row_properties.get(&row).is_some_and(|it| it.contains_key("hiddenByUser"));
    assert_eq!((hidden(1), hidden(2)), (true, false));
    assert!(shape.filter.is_some() && shape.filter_views.len() == 1);
}

/// Binds the tab's second column, as the API would.
fn bind_a_column(google: &FakeGoogle) {
    let mut state = google.shared.lock();
    let book = state.books.get_mut(&google.spreadsheet).expect("it is there");
    let range = json!({
        "sheetId": book.tabs[1].id, "dimension": "COLUMNS", "startIndex": 1, "endIndex": 2,
    });
    let body = json!({ "requests": [{ "createDeveloperMetadata": { "developerMetadata": {
        "metadataId": 1, "metadataKey": "bound", "metadataValue": "number",
        "visibility": "DOCUMENT", "location": { "dimensionRange": range },
    } } }] });
    let body = body.to_string();
    let body = SCHEMA.body("batchUpdate", body.as_bytes()).expect("it fits");
    book.batch_update(&body).expect("it is valid");
}

#[test]
fn copies_have_the_content_and_the_metadata_that_the_test_wants() {
    let google = google();
    let staff = google.staff();
    bind_a_column(&google);
    staff.duplicate_tab(TAB, "With", true);
    staff.duplicate_tab(TAB, "Without", false);
    assert_eq!(google.tabs(), ["Sheet1", TAB, "Without", "With"]);
    assert_eq!(google.rows("With"), google.rows(TAB));
    staff.rename_header("With", 0, "Patient");
    assert_eq!(google.rows(TAB)[0], ["Name", "No."]);
    let bound = |google: &FakeGoogle| {
        let columns = google.columns_with("bound").into_iter();
        columns.map(|(tab, column, _)| (tab, column)).collect::<Vec<_>>()
    };
    assert_eq!(bound(&google), [(TAB.to_owned(), 1), ("With".to_owned(), 1)]);
    let ids: Vec<i64> = google.markers("bound").into_iter().map(|(id, _)| id).collect();
    assert_ne!(ids[0], ids[1]);

    staff.copy_spreadsheet("with", true);
    staff.copy_spreadsheet("without", false);
    staff.delete_row(TAB, 1);
    let copy = google.open("with");
    assert_eq!((copy.tabs(), copy.row_count(TAB), google.row_count(TAB)), (google.tabs(), 4, 3));
    assert_eq!((bound(&copy), copy.markers("bound")), (bound(&google), google.markers("bound")));
    assert_eq!(bound(&google.open("without")), []);
    copy.staff().rename_tab(TAB, "Other");
    assert!(google.tabs().contains(&TAB.to_owned()));
}
