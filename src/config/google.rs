//! The settings for Google: which spreadsheet, and which key. A wrong value is named for what it is, because
//! people often paste the thing next to the one that they were asked for.

use std::io::ErrorKind;
use std::path::Path;

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::config::env::RawEnv;
use crate::config::key_text;
use crate::config::{Problems, is_web_address};

pub(super) fn google_key(raw: &RawEnv, problems: &mut Problems) -> SecretString {
    let (name, text) = match (&raw.google_credentials_json, &raw.google_application_credentials) {
        (Some(json), _) => ("GOOGLE_CREDENTIALS_JSON", Ok(json.clone())),
        (None, Some(path)) => ("GOOGLE_APPLICATION_CREDENTIALS", key_file(path.trim())),
        (None, None) => {
            problems.add(
                "GOOGLE_APPLICATION_CREDENTIALS",
                "is missing: the path of the service account's key file (or set \
                 GOOGLE_CREDENTIALS_JSON to its content)",
            );
            return SecretString::default();
        }
    };
    let text = match text {
        Ok(text) => text,
        Err(fault) => {
            problems.add(name, fault);
            return SecretString::default();
        }
    };
    if name == "GOOGLE_CREDENTIALS_JSON" && Path::new(text.trim()).is_file() {
        problems.add(
            name,
            "is the path of a file: set GOOGLE_APPLICATION_CREDENTIALS to it instead, or this to \
             what is in the file",
        );
        return SecretString::default();
    }
    let Some(fields) = key_text::fields(&text) else {
        problems.add(name, "is not JSON: use the key file as Google made it");
        return SecretString::default();
    };
    if let Some(fault) = other_kind(&fields) {
        problems.add(name, fault);
        return SecretString::default();
    }
    let field = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    for name_of in ["client_email", "private_key", "token_uri"] {
        if field(name_of).trim().is_empty() {
            problems.add(name, &format!("lacks {name_of}: use a service account's key file"));
        }
    }
    if !field("token_uri").is_empty() && !is_web_address(field("token_uri")) {
        problems.add(name, "has a token_uri that is no http or https address");
    }
    SecretString::from(Value::Object(fields).to_string())
}

/// What else this is that Google gives out, and what to do.
fn other_kind(fields: &Map<String, Value>) -> Option<&'static str> {
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "authorized_user" => Some(
            "is a person's own login, as gcloud keeps it, and ends when they log out: make a service \
             account and use its key file",
        ),
        "external_account" => Some(
            "is a configuration for workload identity, which this version cannot use: use a service \
             account's key file",
        ),
        _ if fields.contains_key("installed") || fields.contains_key("web") => Some(
            "is an OAuth client, which asks a person to log in: make a service account and use its key \
             file",
        ),
        _ => None,
    }
}

/// What is in the key file, or what is wrong with its path.
fn key_file(path: &str) -> Result<String, &'static str> {
    if path.starts_with('{') {
        return Err("holds the key itself, and should hold the path of its file: set \
                    GOOGLE_CREDENTIALS_JSON to the key instead");
    }
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "names a file that is not there",
        ErrorKind::PermissionDenied => "names a file that this user may not read",
        ErrorKind::IsADirectory => "names a directory: give the path of the key file in it",
        ErrorKind::InvalidData => {
            "names a file that is no text: use the key file as Google made it"
        }
        _ => "names a file that cannot be read",
    })
}

pub(super) fn spreadsheet_id(text: Option<&str>, problems: &mut Problems) -> String {
    let Some(text) = text else {
        problems.add("SPREADSHEET_ID", "is missing: the spreadsheet's address or the id in it");
        return String::new();
    };
    id_of(text).unwrap_or_else(|fault| {
        problems.add("SPREADSHEET_ID", fault);
        String::new()
    })
}

/// The id, also from the address that the browser shows. The error says what was given instead.
pub(super) fn id_of(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let id = match text.split_once("/d/") {
        Some((_, rest)) => rest.split(['/', '?', '#']).next().unwrap_or_default(),
        None => text,
    };
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let has = |part: &str| text.contains(part);
    if has("/d/e/") || has("/pubhtml") {
        return Err("is the address of a published copy, which nobody can write to: open the \
                    spreadsheet itself, and take the address that the browser shows");
    }
    if has("/folders/") || has("/drive/") && !has("/d/") {
        return Err(
            "is the address of a folder: open the spreadsheet in it, and take the address \
                    that the browser then shows",
        );
    }
    if has("open?id=") {
        return Err("is a link that opens a file of any kind: open it, and take the address that \
                    the browser then shows");
    }
    if has("/document/d/") || has("/presentation/d/") || has("/forms/d/") {
        return Err("is the address of a document, a presentation or a form: take a spreadsheet's");
    }
    if id.is_empty() || !id.chars().all(is_id) {
        return Err("must be the spreadsheet's address or the id in it");
    }
    Ok(id.to_owned())
}
