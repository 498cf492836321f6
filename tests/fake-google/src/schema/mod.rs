//! Google's description of the Sheets API, and the judge that holds every request against it.
//!
//! `schema.json` is Google's discovery document for `sheets:v4` without its prose: the methods this crate
//! answers and every schema they reach. Kinds of request this crate does not act on are `any` there.

pub(crate) mod mask;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::LazyLock;

use serde_json::Value;

use crate::errors::Refused;
use crate::json::Node;
use crate::schema::mask::Mask;

/// Members of which at most one may be set, by the schema they are in and what Google calls the group;
/// without members all. The description does not say so; Google's documentation and its answers do.
const ONE_OF: &[(&str, &str, &[&str])] = &[
    ("Request", "kind", &[]),
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

/// Shapes know each other by their places: a batch of 5,000 rows is 200,000 objects, and to look up the
/// name of each takes as long as to check them.
pub(crate) struct Schema {
    shapes: Vec<Shape>,
    methods: HashMap<String, Method>,
}

/// What an object may have.
pub(crate) struct Shape {
    name: String,
    /// A handful mostly, so that a search is faster than a map.
    members: Vec<(String, Kind)>,
    one_of: Option<OneOf>,
}

#[derive(Clone, Copy)]
struct OneOf {
    group: &'static str,
    of: &'static [&'static str],
}

/// The place of a shape in the schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShapeId(usize);

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
    Object(ShapeId),
}

pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let text: Value =
        serde_json::from_str(include_str!("schema.json")).expect("schema.json is JSON");
    let entries = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let schemas = entries(&text["schemas"]);
    let ids: Ids = schemas.keys().cloned().zip((0..).map(ShapeId)).collect();
    let kinds = |value: &Value| -> Vec<(String, Kind)> {
        entries(value).into_iter().map(|(name, kind)| (name, Kind::parse(&kind, &ids))).collect()
    };
    let shapes = schemas.iter().map(|(name, shape)| {
        let one_of = ONE_OF.iter().find(|(owner, ..)| owner == name);
        let one_of = one_of.map(|(_, group, of)| OneOf { group, of });
        Shape { name: name.clone(), members: kinds(shape), one_of }
    });
    let object = |value: &Value| Some(Kind::Object(ids[value.as_str()?]));
    let methods = entries(&text["methods"]).into_iter().map(|(name, method)| {
        let query = kinds(&text["query"]).into_iter().chain(kinds(&method["query"])).collect();
        let response = object(&method["response"]).expect("every method has a response");
        (name, Method { query, request: object(&method["request"]), response })
    });
    Schema { shapes: shapes.collect(), methods: methods.collect() }
});

/// Where the shape of a name is.
type Ids = HashMap<String, ShapeId>;

impl Shape {
    /// What the member of this name is.
    pub(crate) fn get(&self, name: &str) -> Option<&Kind> {
        self.members.iter().find(|(own, _)| own == name).map(|(_, kind)| kind)
    }
}

impl Kind {
    fn parse(value: &Value, ids: &Ids) -> Self {
        match value {
            Value::String(name) => match name.as_str() {
                "string" => Self::Text,
                "bool" => Self::Bool,
                "int32" => Self::Int32,
                "double" | "float" => Self::Double,
                "mask" => Self::Mask,
                name => name.strip_prefix('#').map_or(Self::Any, |name| Self::Object(ids[name])),
            },
            Value::Array(items) => {
                let item = items.first().map_or(Self::Any, |item| Self::parse(item, ids));
                Self::List(Box::new(item))
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
                let item = map.get("map").map_or(Self::Any, |item| Self::parse(item, ids));
                Self::Map(Box::new(item))
            }
            _ => Self::Any,
        }
    }
}

impl Schema {
    pub(crate) fn method(&self, name: &str) -> &Method {
        &self.methods[name]
    }

    /// The object called `name`, which is in the description.
    pub(crate) fn object(&self, name: &str) -> Kind {
        let place = self.shapes.iter().position(|shape| shape.name == name);
        Kind::Object(ShapeId(place.expect("the description has it")))
    }

    pub(crate) fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.0]
    }

    /// What Google calls this kind in its errors.
    fn name<'s>(&'s self, kind: &Kind) -> &'s str {
        match kind {
            Kind::Text => "TYPE_STRING",
            Kind::Bool => "TYPE_BOOL",
            Kind::Int32 => "TYPE_INT32",
            Kind::Double => "TYPE_DOUBLE",
            Kind::Mask => "type.googleapis.com/google.protobuf.FieldMask",
            Kind::Enum(_) => "TYPE_ENUM",
            Kind::Object(id) => &self.shape(*id).name,
            Kind::Any | Kind::List(_) | Kind::Map(_) => "TYPE_MESSAGE",
        }
    }

    /// Parses a body and holds it against the method's request.
    pub(crate) fn body<'a>(&self, method: &str, body: &'a [u8]) -> Result<Node<'a>, Refused> {
        let not_json = |error: &dyn Display| {
            Refused::malformed(&format!("Invalid JSON payload received. {error}"), "")
        };
        // Once for all of it, and not for every text in it.
        let body = std::str::from_utf8(body).map_err(|error| not_json(&error))?;
        let node: Node<'a> = serde_json::from_str(body).map_err(|error| not_json(&error))?;
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
                let message =
                    format!("Invalid value at '{name}' ({}), \"{value}\"", self.name(kind));
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
            (Kind::Object(id), Node::Object(members)) => {
                return self.check_object(members, self.shape(*id), at);
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let value = serde_json::to_string(node).unwrap_or_default();
        let path = at.path();
        let message = format!("Invalid value at '{path}' ({}), {value}", self.name(kind));
        Err(Refused::malformed(&message, &path))
    }

    fn check_object(
        &self,
        members: &[Member<'_>],
        shape: &Shape,
        at: &At<'_>,
    ) -> Result<(), Refused> {
        for (key, node) in members {
            let Some(kind) = shape.get(key) else {
                let path = at.path();
                let place = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
                let message = format!(
                    "Invalid JSON payload received. Unknown name \"{key}\"{place}: Cannot find field."
                );
                return Err(Refused::malformed(&message, &path));
            };
            self.check(node, kind, &At::Name(at, key))?;
        }
        match shape.one_of {
            Some(one_of) => check_one_of(members, one_of, &shape.name, at),
            None => Ok(()),
        }
    }
}

/// A request must say one thing to do, and a value must be of one type.
fn check_one_of(
    members: &[Member<'_>],
    OneOf { group, of }: OneOf,
    name: &str,
    at: &At<'_>,
) -> Result<(), Refused> {
    let mut set = members
        .iter()
        .filter(|(key, node)| !node.is_null() && (of.is_empty() || of.contains(&key.as_ref())));
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
