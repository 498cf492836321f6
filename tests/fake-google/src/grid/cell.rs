//! One cell: what was entered, and how it is dressed.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::errors;
use crate::json::Node;
use crate::schema::mask::Mask;

/// What people can put on a cell besides its value.
const DRESS: &[&str] = &["userEnteredFormat", "dataValidation", "note", "textFormatRuns"];
/// What people gave the choices of a dropdown: the API neither reads nor writes it, and who sets the rule anew,
/// be it the same, takes it away.
pub(crate) const CHIP_COLOURS: &str = "chipColours";

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Entered {
    #[default]
    Nothing,
    Number(f64),
    Text(Box<str>),
    Bool(bool),
    Formula(Box<str>),
}

impl Entered {
    /// As Google's `ExtendedValue`; none if it is nothing.
    pub(crate) fn to_json(&self) -> Option<Value> {
        Some(match self {
            Self::Nothing => return None,
            Self::Number(number) => json!({ "numberValue": number }),
            Self::Text(text) => json!({ "stringValue": text }),
            Self::Bool(bool) => json!({ "boolValue": bool }),
            Self::Formula(text) => json!({ "formulaValue": text }),
        })
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    pub(crate) entered: Entered,
    /// Shared by all cells that were dressed alike in one request.
    dress: Option<Arc<Dress>>,
}

/// Format, validation and note, kept as text: a parsed tree for each of ten million cells is too much.
#[derive(Debug)]
struct Dress {
    json: Box<str>,
    checkbox: bool,
}

impl Cell {
    pub(crate) const EMPTY: Self = Self { entered: Entered::Nothing, dress: None };

    pub(crate) fn text(text: &str) -> Self {
        let entered = if text.is_empty() { Entered::Nothing } else { Entered::Text(text.into()) };
        Self { entered, dress: None }
    }

    /// Whether the cell counts when Google looks for the last row with data. An untouched checkbox does:
    /// it is FALSE.
    pub(crate) fn is_data(&self) -> bool {
        self.entered != Entered::Nothing || self.is_checkbox()
    }

    pub(crate) fn is_checkbox(&self) -> bool {
        self.dress.as_ref().is_some_and(|dress| dress.checkbox)
    }

    pub(crate) fn is_untouched(&self) -> bool {
        self.entered == Entered::Nothing && self.dress.is_none()
    }

    pub(crate) fn dress(&self) -> Map<String, Value> {
        let json = self.dress.as_ref().map(|dress| &*dress.json);
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    pub(crate) fn set_dress(&mut self, dress: &Map<String, Value>) {
        self.dress = (!dress.is_empty()).then(|| {
            let checkbox = dress
                .get("dataValidation")
                .is_some_and(|rule| rule["condition"]["type"] == "BOOLEAN");
            let json = serde_json::to_string(dress).unwrap_or_default().into_boxed_str();
            Arc::new(Dress { json, checkbox })
        });
    }
}

/// Writes `CellData` into cells under one mask, and makes cells that are dressed alike share it.
pub(crate) struct Brush<'a> {
    value: bool,
    dress: Mask,
    /// By column: what was last asked for, over what, and the outcome.
    last: Vec<Option<Painted<'a>>>,
}

struct Painted<'a> {
    data: &'a Node<'a>,
    over: Option<Arc<Dress>>,
    dress: Option<Arc<Dress>>,
}

impl<'a> Brush<'a> {
    pub(crate) fn new(mask: &Mask) -> Self {
        let (dress, value) = mask.split("userEnteredValue");
        // `userEnteredValue.stringValue` writes the value too.
        Self { value, dress, last: Vec::new() }
    }

    /// Writes `data` into the cell of that column. Masked fields that `data` lacks are cleared.
    pub(crate) fn paint(
        &mut self,
        cell: &mut Cell,
        column: usize,
        data: Option<&'a Node<'a>>,
    ) -> Result<(), String> {
        const NONE: &Node<'_> = &Node::Null;
        let data = data.unwrap_or(NONE);
        if self.value {
            cell.entered = entered(data.get("userEnteredValue"))?;
        }
        if self.dress.names_nothing() {
            return Ok(());
        }
        if self.last.len() <= column {
            self.last.resize_with(column + 1, || None);
        }
        if let Some(last) = &self.last[column]
            && same(last.over.as_ref(), cell.dress.as_ref())
            && DRESS.iter().all(|name| last.data.get(name) == data.get(name))
        {
            cell.dress.clone_from(&last.dress);
            return Ok(());
        }
        let over = cell.dress.clone();
        let mut dress = cell.dress();
        let wanted =
            DRESS.iter().filter_map(|name| Some(((*name).to_owned(), data.get(name)?.to_value())));
        self.dress.overwrite(&mut dress, &wanted.collect());
        if self.dress.wants("dataValidation") {
            dress.remove(CHIP_COLOURS);
        }
        cell.set_dress(&dress);
        self.last[column] = Some(Painted { data, over, dress: cell.dress.clone() });
        Ok(())
    }
}

fn same(one: Option<&Arc<Dress>>, other: Option<&Arc<Dress>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}

/// Reads an `ExtendedValue`, which the schema has already found to be of exactly one type.
fn entered(value: Option<&Node<'_>>) -> Result<Entered, String> {
    let Some(Node::Object(members)) = value else { return Ok(Entered::Nothing) };
    let Some((kind, node)) = members.iter().find(|(_, node)| !node.is_null()) else {
        return Ok(Entered::Nothing);
    };
    let text = |text: &str| {
        // Google counts as JavaScript does; bytes are never fewer, and cheaper to ask for.
        if text.len() > 50_000 && text.encode_utf16().count() > 50_000 {
            return Err(errors::CELL_TOO_LONG.to_owned());
        }
        Ok(text.into())
    };
    Ok(match (kind.as_ref(), node) {
        ("numberValue", Node::Number(number)) => {
            Entered::Number(number.as_f64().unwrap_or_default())
        }
        ("boolValue", Node::Bool(bool)) => Entered::Bool(*bool),
        // An empty string is stored, but it is no data: the cell reads as blank.
        ("stringValue", Node::Text(value)) if value.is_empty() => Entered::Nothing,
        ("stringValue", Node::Text(value)) => Entered::Text(text(value)?),
        ("formulaValue", Node::Text(value)) => Entered::Formula(text(value)?),
        _ => return Err("errorValue is read-only.".to_owned()),
    })
}
