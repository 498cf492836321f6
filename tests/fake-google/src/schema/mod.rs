//! Google's description of the Sheets API, and the judge that holds every request against it.
//!
//! `schema.json` is Google's discovery document for `sheets:v4` without its prose: the methods this crate
//! answers and every schema they reach. Kinds of request this crate does not act on are `any` there.

pub(crate) mod mask;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde_json::Value;

use crate::errors::Refused;
use crate::json::Node;
use crate::schema::mask::Mask;

/// Members of which at most one may be set. The description does not say so; Google's documentation and
/// its answers do.
const ONE_OF: &[(&str, &str, &[&str])] = &[
    (
        "ExtendedValue",
        "value",
        &["numberValue", "stringValue", "boolValue", "formulaValue", "errorValue"],
    ),
    ("DataFilter", "filter", &["developerMetadataLookup", "a1Range", "gridRange"]),
    ("DeveloperMetadataLocation", "location", &["spreadsheet", "sheetId", "dimensionRange"]),
    ("UpdateCellsRequest", "area", &["start", "range"]),
    ("ColorStyle", "kind", &["rgbColor", "themeColor"]),
    ("ConditionalFormatRule", "rule", &["booleanRule", "gradientRule"]),
];

type Member<'a> = (Cow<'a, str>, Node<'a>);

pub(crate) struct Schema {
    shapes: HashMap<String, BTreeMap<String, Kind>>,
    methods: HashMap<String, Method>,
}

pub(crate) struct Method {
    query: BTreeMap<String, Kind>,
    request: Option<Kind>,
    response: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Any,
    Text,
    Bool,
    Int32,
    Double,
    Mask,
    Enum(Vec<String>),
    List(Box<Kind>),
    Map(Box<Kind>),
    Object(String),
}

pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let text: Value =
        serde_json::from_str(include_str!("schema.json")).expect("schema.json is JSON");
    let kinds = |value: &Value| -> BTreeMap<String, Kind> {
        value.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), Kind::parse(v))).collect()
    };
    let entries = |name: &str| text[name].as_object().into_iter().flatten();
    let shapes = entries("schemas").map(|(name, shape)| (name.clone(), kinds(shape))).collect();
    let object = |value: &Value| value.as_str().map(|name| Kind::Object(name.to_owned()));
    let methods = entries("methods")
        .map(|(name, method)| {
            let mut query = kinds(&text["query"]);
            query.extend(kinds(&method["query"]));
            let response = object(&method["response"]).expect("every method has a response");
            (name.clone(), Method { query, request: object(&method["request"]), response })
        })
        .collect();
    Schema { shapes, methods }
});

impl Kind {
    fn parse(value: &Value) -> Self {
        match value {
            Value::String(name) => match name.as_str() {
                "string" => Self::Text,
                "bool" => Self::Bool,
                "int32" => Self::Int32,
                "double" | "float" => Self::Double,
                "mask" => Self::Mask,
                name => {
                    name.strip_prefix('#').map_or(Self::Any, |name| Self::Object(name.to_owned()))
                }
            },
            Value::Array(items) => {
                Self::List(Box::new(items.first().map_or(Self::Any, Self::parse)))
            }
            Value::Object(map) if map.contains_key("enum") => Self::Enum(
                map["enum"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            ),
            Value::Object(map) => {
                Self::Map(Box::new(map.get("map").map_or(Self::Any, Self::parse)))
            }
            _ => Self::Any,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Text => "TYPE_STRING",
            Self::Bool => "TYPE_BOOL",
            Self::Int32 => "TYPE_INT32",
            Self::Double => "TYPE_DOUBLE",
            Self::Mask => "type.googleapis.com/google.protobuf.FieldMask",
            Self::Enum(_) => "TYPE_ENUM",
            Self::Object(name) => name,
            Self::Any | Self::List(_) | Self::Map(_) => "TYPE_MESSAGE",
        }
    }
}

impl Schema {
    pub(crate) fn method(&self, name: &str) -> &Method {
        &self.methods[name]
    }

    /// The members of the object called `name`.
    pub(crate) fn shape(&self, name: &str) -> &BTreeMap<String, Kind> {
        &self.shapes[name]
    }

    /// Parses a body and holds it against the method's request.
    pub(crate) fn body<'a>(&self, method: &str, body: &'a [u8]) -> Result<Node<'a>, Refused> {
        let node: Node<'a> = serde_json::from_slice(body).map_err(|error| {
            Refused::malformed(&format!("Invalid JSON payload received. {error}"), "")
        })?;
        if let Some(kind) = &self.method(method).request {
            self.check(&node, kind, &At::Root)?;
        }
        Ok(node)
    }

    /// Holds the query against the method and gives back the response mask.
    pub(crate) fn query(&self, method: &str, query: &[(String, String)]) -> Result<Mask, Refused> {
        let method = self.method(method);
        let mut mask = Mask::all();
        for (name, value) in query {
            let Some(kind) = method.query.get(name) else {
                let message = format!(
                    "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query \
                     parameter. Field '{name}' could not be found in request message."
                );
                return Err(Refused::malformed(&message, ""));
            };
            let kind = if let Kind::List(item) = kind { item } else { kind };
            let fits = match kind {
                Kind::Bool => matches!(value.as_str(), "true" | "false"),
                Kind::Enum(names) => names.contains(value),
                _ => true,
            };
            if !fits {
                let message = format!("Invalid value at '{name}' ({}), \"{value}\"", kind.name());
                return Err(Refused::malformed(&message, name));
            }
            if name == "fields" {
                mask =
                    Mask::parse(value).map_err(|path| Refused::unknown_mask_path(value, &path))?;
                mask.check(self, &method.response)
                    .map_err(|path| Refused::unknown_mask_path(value, &path))?;
            }
        }
        Ok(mask)
    }

    fn check(&self, node: &Node<'_>, kind: &Kind, at: &At<'_>) -> Result<(), Refused> {
        let fits = match (kind, node) {
            (_, Node::Null)
            | (Kind::Any, _)
            | (Kind::Text | Kind::Mask, Node::Text(_))
            | (Kind::Bool, Node::Bool(_))
            | (Kind::Double, Node::Number(_)) => true,
            (Kind::Int32, Node::Number(number)) => {
                number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
            }
            (Kind::Enum(names), Node::Text(text)) => names.iter().any(|name| name == text),
            (Kind::List(item), Node::List(nodes)) => {
                for (index, node) in nodes.iter().enumerate() {
                    self.check(node, item, &At::Index(at, index))?;
                }
                true
            }
            (Kind::Map(item), Node::Object(members)) => {
                for (key, node) in members {
                    self.check(node, item, &At::Name(at, key))?;
                }
                true
            }
            (Kind::Object(name), Node::Object(members)) => {
                return self.check_object(members, name, at);
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let value = serde_json::to_string(node).unwrap_or_default();
        let path = at.path();
        let message = format!("Invalid value at '{path}' ({}), {value}", kind.name());
        Err(Refused::malformed(&message, &path))
    }

    fn check_object(&self, members: &[Member<'_>], name: &str, at: &At<'_>) -> Result<(), Refused> {
        let shape = self.shape(name);
        for (key, node) in members {
            let Some(kind) = shape.get(key.as_ref()) else {
                let path = at.path();
                let place = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
                let message = format!(
                    "Invalid JSON payload received. Unknown name \"{key}\"{place}: Cannot find field."
                );
                return Err(Refused::malformed(&message, &path));
            };
            self.check(node, kind, &At::Name(at, key))?;
        }
        check_one_of(members, name, at)
    }
}

/// A request must say one thing to do, and a value must be of one type.
fn check_one_of(members: &[Member<'_>], name: &str, at: &At<'_>) -> Result<(), Refused> {
    let (group, of) = match ONE_OF.iter().find(|(owner, ..)| *owner == name) {
        Some((_, group, of)) => (*group, Some(*of)),
        None if name == "Request" => ("kind", None),
        None => return Ok(()),
    };
    let mut set = members.iter().filter(|(key, node)| {
        *node != Node::Null && of.is_none_or(|of| of.contains(&key.as_ref()))
    });
    let first = set.next();
    let message = match (first, set.next(), name) {
        (_, Some((key, _)), _) => format!(
            "Invalid value at '{}' (oneof), oneof field '{group}' is already set. Cannot set '{key}'",
            at.path()
        ),
        (None, None, "Request") => format!("Invalid {}: No request set.", at.path()),
        (None, None, "ExtendedValue") => {
            format!("Invalid value at '{}' (oneof), no field of '{group}' is set.", at.path())
        }
        _ => return Ok(()),
    };
    Err(Refused::malformed(&message, &at.path()))
}

/// Where the check stands in the body. Spelled out only when there is something to complain about.
enum At<'a> {
    Root,
    Name(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

impl At<'_> {
    fn path(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Index(at, index) => format!("{}[{index}]", at.path()),
            Self::Name(at, name) => {
                let before = at.path();
                let dot = if before.is_empty() { "" } else { "." };
                format!("{before}{dot}{}", snake_case(name))
            }
        }
    }
}

/// Google names JSON fields in errors as its protocol buffers do.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for char in name.chars() {
        if char.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    snake
}
