//! A key's text as it arrives: through shells, dashboards and editors, each of which changes it in its own way.
//!
//! Accepted are a byte order mark, blanks and quotes around it, line breaks of Windows, line breaks that became
//! real ones or doubled backslashes, and the whole file in base64. Nothing is guessed: what is read is a JSON
//! object in the end, or it is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// The key's fields, out of text as people paste it; `None` where it is no JSON object, however it is read.
pub(super) fn fields(text: &str) -> Option<Map<String, Value>> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut fields = object(text).or_else(|| object(&unquoted(text)?)).or_else(|| {
        let decoded = String::from_utf8(STANDARD.decode(without_blanks(text)).ok()?).ok()?;
        object(decoded.trim_start_matches('\u{feff}').trim())
    })?;
    if let Some(Value::String(key)) = fields.get_mut("private_key") {
        *key = private_key(key);
    }
    Some(fields)
}

/// The object that this is, also where line breaks inside its texts have become real ones.
fn object(text: &str) -> Option<Map<String, Value>> {
    if !text.starts_with('{') {
        return None;
    }
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&with_breaks_written(text))).ok()
}

/// What stands between quotes: of a shell, or of JSON that holds JSON.
fn unquoted(text: &str) -> Option<String> {
    if let Ok(inner) = serde_json::from_str::<String>(text) {
        return Some(inner.trim().to_owned());
    }
    let inner =
        ['\'', '"'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))?;
    Some(inner.trim().to_owned())
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace()).collect()
}

/// Line breaks inside of texts as JSON wants them written.
fn with_breaks_written(text: &str) -> String {
    let (mut written, mut is_inside, mut is_escaped) =
        (String::with_capacity(text.len()), false, false);
    for letter in text.chars() {
        match letter {
            '\n' if is_inside => written.push_str("\\n"),
            '\r' if is_inside => {}
            letter => written.push(letter),
        }
        is_inside ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
    }
    written
}

/// The private key with its lines as lines.
fn private_key(text: &str) -> String {
    let lines = text.replace("\\r", "").replace("\\n", "\n").replace('\r', "");
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}
