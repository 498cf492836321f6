//! Field masks: `a.b,c` and `a(b,c)`, what they name, keep and overwrite.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Value};

use crate::schema::{Kind, Schema};

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Mask {
    /// Everything from here down.
    whole: bool,
    parts: BTreeMap<String, Mask>,
}

impl Mask {
    pub(crate) fn all() -> Self {
        Self { whole: true, parts: BTreeMap::new() }
    }

    /// The error is the part that could not be read.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut mask = Self::default();
        let mut chars = text.chars().peekable();
        mask.parse_list(&mut chars)?;
        match chars.next() {
            None => Ok(mask),
            Some(_) => Err(text.to_owned()),
        }
    }

    fn parse_list(&mut self, chars: &mut Peekable<Chars<'_>>) -> Result<(), String> {
        loop {
            self.parse_item(chars)?;
            if chars.next_if_eq(&',').is_none() {
                return Ok(());
            }
        }
    }

    fn parse_item(&mut self, chars: &mut Peekable<Chars<'_>>) -> Result<(), String> {
        let mut here = self;
        loop {
            let mut name = String::new();
            while let Some(char) =
                chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '*')
            {
                name.push(char);
            }
            match name.as_str() {
                "" => return Err(chars.collect()),
                "*" => here.whole = true,
                name => here = here.parts.entry(name.to_owned()).or_default(),
            }
            if chars.next_if(|c| *c == '.' || *c == '/').is_some() {
                continue;
            }
            if chars.next_if_eq(&'(').is_none() {
                here.whole = true;
                return Ok(());
            }
            here.parse_list(chars)?;
            return chars.next_if_eq(&')').map(|_| ()).ok_or_else(|| chars.collect());
        }
    }

    /// Whether every path exists in `kind`; the error is the first that does not.
    pub(crate) fn check(&self, schema: &Schema, kind: &Kind) -> Result<(), String> {
        for (name, mask) in &self.parts {
            let below = match kind {
                Kind::Object(id) => schema.shape(*id).get(name).ok_or_else(|| name.clone())?,
                Kind::Map(item) => item,
                Kind::Any => &Kind::Any,
                _ => return Err(name.clone()),
            };
            let below = if let Kind::List(item) = below { item } else { below };
            mask.check(schema, below).map_err(|path| format!("{name}.{path}"))?;
        }
        Ok(())
    }

    /// Whether anything at or below the dotted `path` is wanted, so that it need not be built if not.
    pub(crate) fn wants(&self, path: &str) -> bool {
        let mut here = self;
        for name in path.split('.') {
            if here.whole {
                return true;
            }
            let Some(below) = here.parts.get(name) else { return false };
            here = below;
        }
        true
    }

    /// What is left of a response under this mask.
    pub(crate) fn keep(&self, value: Value) -> Value {
        if self.whole {
            return value;
        }
        match value {
            Value::Array(items) => items.into_iter().map(|item| self.keep(item)).collect(),
            Value::Object(map) => map
                .into_iter()
                .filter_map(|(key, value)| Some((self.parts.get(&key)?.keep(value), key)))
                .map(|(value, key)| (key, value))
                .collect(),
            value => value,
        }
    }

    /// Writes the masked fields of `from` into `into`; a masked field that `from` lacks is cleared.
    pub(crate) fn overwrite(&self, into: &mut Map<String, Value>, from: &Map<String, Value>) {
        if self.whole {
            into.clone_from(from);
            return;
        }
        for (name, mask) in &self.parts {
            let new = from.get(name);
            if mask.whole || !new.is_none_or(Value::is_object) {
                match new {
                    Some(new) => into.insert(name.clone(), new.clone()),
                    None => into.remove(name),
                };
                continue;
            }
            let old = into.remove(name);
            let mut below = if let Some(Value::Object(old)) = old { old } else { Map::new() };
            let empty = Map::new();
            mask.overwrite(&mut below, new.and_then(Value::as_object).unwrap_or(&empty));
            if !below.is_empty() {
                into.insert(name.clone(), Value::Object(below));
            }
        }
    }

    /// The mask without the field `name`, and whether it was in it.
    pub(crate) fn split(&self, name: &str) -> (Self, bool) {
        let mut rest = self.clone();
        let had = rest.parts.remove(name).is_some() || self.whole;
        (rest, had)
    }

    pub(crate) fn names_nothing(&self) -> bool {
        !self.whole && self.parts.is_empty()
    }
}
