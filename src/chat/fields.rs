//! One body as named fields, however it was dressed.
//!
//! Unwraps a one-element array and one level of `data` or `payload` (also when a form carries the
//! JSON as text), and reads a field as text whether it came as a string or a number. `null`, `""`,
//! the word `null` and an absent key all mean blank. Unknown keys are nobody's business here.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::chat::text::Personal;

/// The envelopes that are opened, one level deep.
const ENVELOPES: [&str; 2] = ["data", "payload"];

/// The fields of one body.
#[derive(Clone)]
pub struct Fields<'a> {
    fields: Cow<'a, Map<String, Value>>,
    /// A bit for each name's length and beginning: dozens of names are asked for, a few are there.
    shapes: u64,
    is_nested: bool,
}

impl<'a> Fields<'a> {
    /// Finds the object that carries the event; `None` where there is none.
    ///
    /// An envelope is opened only where the outer object names no chat itself. What the outer
    /// object says besides (such as an event's name) stays readable.
    pub fn of(body: &'a Value) -> Option<Self> {
        let Value::Object(outer) = only_element(body) else { return None };
        if IDENTIFYING.iter().filter_map(|key| outer.get(*key)).any(|value| !read(value).is_blank())
        {
            return Some(Self::new(Cow::Borrowed(outer)));
        }
        let opened = ENVELOPES.iter().find_map(|key| Some((*key, opened(outer.get(*key)?)?)));
        let Some((envelope, inner)) = opened else { return Some(Self::new(Cow::Borrowed(outer))) };
        let mut fields = outer.clone();
        fields.remove(envelope);
        fields.extend(inner);
        Some(Self::new(Cow::Owned(fields)))
    }

    fn new(fields: Cow<'a, Map<String, Value>>) -> Self {
        let shapes = fields.keys().fold(0, |shapes, name| shapes | shape(name));
        let is_nested = fields.values().any(Value::is_object);
        Self { fields, shapes, is_nested }
    }

    /// The first non-blank of these fields; a dot steps into an object (`contact.name`).
    pub fn text(&self, names: &[&str]) -> Personal {
        let told = names.iter().filter_map(|name| self.value(name));
        told.map(read).find(|text| !text.is_blank()).unwrap_or_default()
    }

    /// Whether any of these fields says something: text, a number, `true`, or anything nested.
    pub fn has(&self, names: &[&str]) -> bool {
        names.iter().filter_map(|name| self.value(name)).any(|value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            Value::Bool(true) => true,
            scalar => !read(scalar).is_blank(),
        })
    }

    /// The same fields always give the same bytes, whatever their order or spacing was.
    pub fn canonical(&self) -> Vec<u8> {
        // A map of JSON values always serialises.
        serde_json::to_vec(&*self.fields).unwrap_or_default()
    }

    fn value(&self, name: &str) -> Option<&Value> {
        match self.field(name) {
            None if self.is_nested => {
                let (outer, inner) = name.split_once('.')?;
                self.field(outer)?.get(inner)
            }
            found => found,
        }
    }

    fn field(&self, name: &str) -> Option<&Value> {
        if self.shapes & shape(name) == 0 { None } else { self.fields.get(name) }
    }
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fields({})", self.fields.len())
    }
}

/// What identifies a chat, the surest first.
pub(super) const IDENTIFYING: [&str; 3] = ["chatId", "dtCustomerId", "customerPhone"];

/// One of 64 bits.
fn shape(name: &str) -> u64 {
    let first = name.bytes().next().unwrap_or_default();
    1 << ((name.len() * 11 + usize::from(first)) % 64)
}

fn only_element(body: &Value) -> &Value {
    match body {
        Value::Array(items) if items.len() == 1 => &items[0],
        other => other,
    }
}

fn opened(envelope: &Value) -> Option<Map<String, Value>> {
    let inner = match envelope {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    match only_element(&inner) {
        Value::Object(fields) if !fields.is_empty() => Some(fields.clone()),
        _ => None,
    }
}

fn read(value: &Value) -> Personal {
    match value {
        Value::String(text) => Personal::new(text),
        // A number beyond 64 bits has lost digits in JSON already; what is left is still shown whole.
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_i64() && !number.is_u64() => {
                Personal::new(&format!("{float}"))
            }
            _ => Personal::new(&number.to_string()),
        },
        _ => Personal::default(),
    }
}
