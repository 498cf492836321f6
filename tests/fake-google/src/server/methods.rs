//! What each method of the API does with a spreadsheet, apart from HTTP and faults.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::book::Book;
use crate::book::metadata::{DataFilter, Metadata};
use crate::errors::Refused;
use crate::json::Node;
use crate::read::{self, Rendering};
use crate::schema::mask::Mask;

pub(super) fn batch_update(book: &mut Book, body: &Node<'_>) -> Result<Value, Refused> {
    let replies = book.batch_update(body)?;
    let mut answer = json!({ "spreadsheetId": book.id, "replies": replies });
    let asks = |name: &str| body.get(name) == Some(&Node::Bool(true));
    if asks("includeSpreadsheetInResponse") {
        let ranges = body.get("responseRanges").map_or(&[][..], Node::list);
        let ranges: Vec<&str> = ranges.iter().filter_map(Node::text).collect();
        let grid = asks("responseIncludeGridData");
        answer["updatedSpreadsheet"] = read::spreadsheet(book, &Mask::all(), &ranges, grid)?;
    }
    Ok(answer)
}

pub(super) fn get(book: &Book, query: &[(String, String)], mask: &Mask) -> Result<Value, Refused> {
    let ranges = query.iter().filter(|(key, _)| key == "ranges");
    let ranges: Vec<&str> = ranges.map(|(_, range)| range.as_str()).collect();
    // A mask overrules `includeGridData`.
    let grid = if query.iter().any(|(key, _)| key == "fields") {
        mask.wants("sheets.data")
    } else {
        query.iter().any(|(key, value)| key == "includeGridData" && value == "true")
    };
    read::spreadsheet(book, mask, &ranges, grid)
}

pub(super) fn get_metadata(book: &Book, id: &str) -> Result<Value, Refused> {
    let number = id.parse::<i32>().map_err(|_| {
        Refused::malformed(
            &format!("Invalid value at 'metadata_id' (TYPE_INT32), \"{id}\""),
            "metadata_id",
        )
    })?;
    let found = book.metadata_by_id(number.into()).map(Metadata::to_json);
    found.ok_or_else(|| {
        Refused::new(404, "NOT_FOUND", &format!("No developer metadata with ID {id}"))
    })
}

pub(super) fn search(book: &Book, body: &Node<'_>) -> Result<Value, Refused> {
    let filters = body.get("dataFilters").map(Node::to_value);
    let Some(Value::Array(filters)) = filters.filter(|filters| *filters != json!([])) else {
        return Err(Refused::malformed("Must specify at least one data filter.", "data_filters"));
    };
    let parsed: Vec<DataFilter> = filters
        .iter()
        .map(DataFilter::deserialize)
        .collect::<Result<_, _>>()
        .map_err(|error| Refused::malformed(&error.to_string(), "data_filters"))?;
    let mut matched = Vec::new();
    for metadata in &book.metadata {
        let selecting =
            parsed.iter().zip(&filters).filter(|(filter, _)| book.selects(filter, metadata));
        let selecting: Vec<&Value> = selecting.map(|(_, filter)| filter).collect();
        if !selecting.is_empty() {
            matched
                .push(json!({ "developerMetadata": metadata.to_json(), "dataFilters": selecting }));
        }
    }
    Ok(if matched.is_empty() { json!({}) } else { json!({ "matchedDeveloperMetadata": matched }) })
}

pub(super) fn batch_get_values(book: &Book, query: &[(String, String)]) -> Result<Value, Refused> {
    let how = Rendering::from_query(query);
    let ranges = query.iter().filter(|(key, _)| key == "ranges");
    let answers: Vec<Value> =
        ranges.map(|(_, range)| read::values(book, range, how)).collect::<Result<_, _>>()?;
    Ok(json!({ "spreadsheetId": book.id, "valueRanges": answers }))
}
