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
pub struct Fields<'a>(Cow<'a, Map<String, Value>>);

impl<'a> Fields<'a> {
    /// Finds the object that carries the event; `None` where there is none.
    ///
    /// An envelope is opened only where the outer object names no chat itself. What the outer
    /// object says besides (such as an event's name) stays readable.
    pub fn of(body: &'a Value) -> Option<Self> {
        let Value::Object(outer) = only_element(body) else { return None };
        if IDENTIFYING.iter().any(|key| !read(outer.get(*key)).is_blank()) {
            return Some(Self(Cow::Borrowed(outer)));
        }
        let opened = ENVELOPES.iter().find_map(|key| Some((*key, opened(outer.get(*key)?)?)));
        let Some((envelope, inner)) = opened else { return Some(Self(Cow::Borrowed(outer))) };
        let mut fields = outer.clone();
        fields.remove(envelope);
        fields.extend(inner);
        Some(Self(Cow::Owned(fields)))
    }

    /// The first non-blank of these fields; a dot steps into an object (`contact.name`).
    pub fn text(&self, names: &[&str]) -> Personal {
        names
            .iter()
            .map(|name| read(self.value(name)))
            .find(|text| !text.is_blank())
            .unwrap_or_default()
    }

    /// Whether any of these fields says something: text, a number, `true`, or anything nested.
    pub fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| match self.value(name) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(fields)) => !fields.is_empty(),
            Some(Value::Bool(true)) => true,
            scalar => !read(scalar).is_blank(),
        })
    }

    /// The same fields always give the same bytes, whatever their order or spacing was.
    pub fn canonical(&self) -> Vec<u8> {
        // A map of JSON values always serialises.
        serde_json::to_vec(&*self.0).unwrap_or_default()
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| {
            let (outer, inner) = name.split_once('.')?;
            self.0.get(outer)?.get(inner)
        })
    }
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fields({})", self.0.len())
    }
}

/// What identifies a chat, the surest first.
pub(super) const IDENTIFYING: [&str; 3] = ["chatId", "dtCustomerId", "customerPhone"];

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

fn read(value: Option<&Value>) -> Personal {
    match value {
        Some(Value::String(text)) => Personal::new(text),
        // A number beyond 64 bits has lost digits in JSON already; what is left is still shown whole.
        Some(Value::Number(number)) => match number.as_f64() {
            Some(float) if !number.is_i64() && !number.is_u64() => {
                Personal::new(&format!("{float}"))
            }
            _ => Personal::new(&number.to_string()),
        },
        _ => Personal::default(),
    }
}
