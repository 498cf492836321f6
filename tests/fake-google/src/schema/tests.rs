//! What Google's description refuses, and what masks name, keep and overwrite.

use serde_json::{Value, json};

use crate::schema::SCHEMA;
use crate::schema::mask::Mask;

#[track_caller]
fn refused(body: &Value, expected: &str) {
    let body = body.to_string();
    let error = SCHEMA.body("batchUpdate", body.as_bytes()).expect_err("the body is refused");
    let error: Value = serde_json::from_str(&error.body).expect("a refusal is JSON");
    assert_eq!(error["error"]["message"], expected);
    assert_eq!(error["error"]["status"], "INVALID_ARGUMENT");
}

#[test]
fn what_the_description_does_not_know_is_refused() {
    refused(
        &json!({ "requests": [{ "appendCells": { "sheetID": 0 } }] }),
        "Invalid JSON payload received. Unknown name \"sheetID\" at 'requests[0].append_cells': Cannot \
         find field.",
    );
    refused(
        &json!({ "requests": [{ "appendCell": {} }] }),
        "Invalid JSON payload received. Unknown name \"appendCell\" at 'requests[0]': Cannot find field.",
    );
    refused(
        &json!({ "request": [] }),
        "Invalid JSON payload received. Unknown name \"request\": Cannot find field.",
    );
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    let append = |sheet: Value| json!({ "requests": [{ "appendCells": { "sheetId": sheet } }] });
    refused(
        &append(json!("0")),
        "Invalid value at 'requests[0].append_cells.sheet_id' (TYPE_INT32), \"0\"",
    );
    refused(
        &append(json!(2_147_483_648_i64)),
        "Invalid value at 'requests[0].append_cells.sheet_id' (TYPE_INT32), 2147483648",
    );
    refused(
        &json!({ "requests": [{ "appendDimension": { "dimension": "COLUMN" } }] }),
        "Invalid value at 'requests[0].append_dimension.dimension' (TYPE_ENUM), \"COLUMN\"",
    );
}

#[test]
fn a_request_says_one_thing_and_a_value_has_one_type() {
    refused(&json!({ "requests": [{}] }), "Invalid requests[0]: No request set.");
    refused(
        &json!({ "requests": [{ "addSheet": {}, "deleteSheet": {} }] }),
        "Invalid value at 'requests[0]' (oneof), oneof field 'kind' is already set. Cannot set \
         'deleteSheet'",
    );
    let cell = |value: Value| json!({ "requests": [{ "repeatCell": { "cell": { "userEnteredValue": value } } }] });
    let place = "requests[0].repeat_cell.cell.user_entered_value";
    refused(
        &cell(json!({})),
        &format!("Invalid value at '{place}' (oneof), no field of 'value' is set."),
    );
    refused(
        &cell(json!({ "stringValue": "a", "numberValue": 1 })),
        &format!(
            "Invalid value at '{place}' (oneof), oneof field 'value' is already set. Cannot set \
             'stringValue'"
        ),
    );
}

#[test]
fn the_query_is_held_against_the_method() {
    let query =
        |name: &str, value: &str| SCHEMA.query("get", &[(name.to_owned(), value.to_owned())]);
    assert!(query("includeGridData", "true").is_ok());
    assert!(query("includeGridData", "yes").is_err());
    assert!(query("includeGrid", "true").is_err());
    assert!(query("fields", "sheets(properties(sheetId,title),data.columnMetadata)").is_ok());
    let unknown = query("fields", "sheets.properties.name").expect_err("the field is unknown");
    assert!(unknown.body.contains("for path 'sheets.properties.name'"), "{}", unknown.body);
    assert!(query("fields", "sheets(properties").is_err());
}

#[test]
fn a_mask_keeps_what_it_names() {
    let answer =
        json!({ "a": 1, "list": [{ "b": 2, "c": 3 }, { "c": 4 }], "d": { "e": 5, "f": 6 } });
    let keep = |mask: &str| Mask::parse(mask).expect("the mask is one").keep(answer.clone());
    assert_eq!(keep("*"), answer);
    assert_eq!(keep("a,d.f"), json!({ "a": 1, "d": { "f": 6 } }));
    assert_eq!(keep("list(b),d/e"), json!({ "list": [{ "b": 2 }, {}], "d": { "e": 5 } }));
}

#[test]
fn a_mask_clears_what_it_names_and_the_request_lacks() {
    let mut into = json!({ "a": 1, "b": { "c": 2, "d": 3 } });
    let from = json!({ "b": { "c": 9 } });
    let mask = Mask::parse("a,b.c,b.d").expect("the mask is one");
    if let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) {
        mask.overwrite(into, from);
    }
    assert_eq!(into, json!({ "b": { "c": 9 } }));
}
