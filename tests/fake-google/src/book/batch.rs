//! `batchUpdate`: requests in order, all or nothing.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::book::{Book, Wrong};
use crate::errors::{self, Refused};
use crate::json::Node;
use crate::schema::SCHEMA;
use crate::schema::mask::Mask;

const REQUESTS_MAX: usize = 100_000;

impl Book {
    /// Applies a checked body. The answer has one reply a request; after an error nothing has changed.
    pub(crate) fn batch_update(&mut self, body: &Node<'_>) -> Result<Vec<Value>, Refused> {
        let requests = body.get("requests").map_or(&[][..], Node::list);
        if requests.is_empty() {
            return Err(Refused::malformed("Must specify at least one request.", "requests"));
        }
        if requests.len() > REQUESTS_MAX {
            return Err(Refused::invalid("Cannot exceed 100000 requests in a single batch."));
        }
        let before = self.snapshot();
        let mut replies = Vec::with_capacity(requests.len());
        for (index, request) in requests.iter().enumerate() {
            let Node::Object(members) = request else { continue };
            let Some((kind, arguments)) = members.iter().find(|(_, node)| !node.is_null()) else {
                continue;
            };
            match self.apply(kind, arguments) {
                Ok(Value::Null) => replies.push(json!({})),
                Ok(reply) => replies.push(json!({ kind.as_ref(): reply })),
                Err(wrong) => {
                    self.roll_back(before);
                    let message = format!("Invalid requests[{index}].{kind}: {}", wrong.message);
                    return Err(Refused {
                        malformed: wrong.malformed,
                        ..Refused::invalid(&message)
                    });
                }
            }
        }
        self.commit();
        Ok(replies)
    }

    fn apply(&mut self, kind: &str, arguments: &Node<'_>) -> Result<Value, Wrong> {
        let none = |()| Value::Null;
        match kind {
            "appendCells" => self.append_cells(arguments).map(none),
            "updateCells" => self.update_cells(arguments).map(none),
            "repeatCell" => self.repeat_cell(arguments).map(none),
            "addSheet" => self.add_sheet(&read(arguments)?),
            "deleteSheet" => self.delete_sheet(&read(arguments)?).map(none),
            "updateSheetProperties" => self.update_sheet_properties(&read(arguments)?).map(none),
            "updateSpreadsheetProperties" => self.update_properties(&read(arguments)?).map(none),
            "appendDimension" => self.append_dimension(&read(arguments)?).map(none),
            "insertDimension" => self.insert_dimension(&read(arguments)?).map(none),
            "deleteDimension" => self.delete_dimension(&read(arguments)?).map(none),
            "moveDimension" => self.move_dimension(&read(arguments)?).map(none),
            "updateDimensionProperties" => self.update_dimensions(&read(arguments)?).map(none),
            "autoResizeDimensions" => self.auto_resize(&read(arguments)?).map(none),
            "insertRange" => self.insert_range(&read(arguments)?).map(none),
            "deleteRange" => self.delete_range(&read(arguments)?).map(none),
            "createDeveloperMetadata" => self.create_metadata(&read(arguments)?),
            "updateDeveloperMetadata" => self.update_metadata(&read(arguments)?),
            "deleteDeveloperMetadata" => self.delete_metadata(&read(arguments)?),
            "setBasicFilter" => self.set_basic_filter(&read(arguments)?).map(none),
            "clearBasicFilter" => self.clear_basic_filter(&read(arguments)?).map(none),
            "setDataValidation" => self.set_data_validation(&read(arguments)?).map(none),
            "mergeCells" => self.merge_cells(&read(arguments)?).map(none),
            "unmergeCells" => self.unmerge_cells(&read(arguments)?).map(none),
            "sortRange" => self.sort_range(&read(arguments)?).map(none),
            "addConditionalFormatRule" => self.add_conditional(&read(arguments)?).map(none),
            "updateConditionalFormatRule" => self.update_conditional(&read(arguments)?),
            "deleteConditionalFormatRule" => self.delete_conditional(&read(arguments)?),
            "addProtectedRange" => self.add_protection(&read(arguments)?),
            "updateProtectedRange" => self.update_protection(&read(arguments)?).map(none),
            "addChart" => self.add_chart(&read(arguments)?),
            "deleteEmbeddedObject" => self.delete_object(&read(arguments)?).map(none),
            "addTable" => self.add_table(&read(arguments)?),
            "deleteTable" => self.delete_table(&read(arguments)?).map(none),
            "deleteProtectedRange" => self.delete_protection(&read(arguments)?).map(none),
            _ => Err(Wrong::malformed("This stand-in does not act on this kind of request.")),
        }
    }
}

/// The arguments of a request as its own type. The schema has already refused what does not fit, but not
/// what is negative.
fn read<T: DeserializeOwned>(arguments: &Node<'_>) -> Result<T, Wrong> {
    serde_json::from_value(arguments.to_value())
        .map_err(|error| Wrong::malformed(error.to_string()))
}

/// The mask of a request, held against the schema that Google names as its root.
pub(super) fn fields(mask: Option<&str>, root: &str) -> Result<Mask, Wrong> {
    let text = mask.unwrap_or_default();
    if text.is_empty() {
        return Err(Wrong::malformed(errors::NO_FIELDS));
    }
    let unknown = |path: String| Wrong::malformed(format!("Invalid field: {path}"));
    let mask = Mask::parse(text).map_err(unknown)?;
    mask.check(&SCHEMA, &SCHEMA.object(root)).map_err(unknown)?;
    Ok(mask)
}
