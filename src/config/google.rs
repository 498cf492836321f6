//! The settings for Google: which spreadsheet, and which key. A wrong value is named for what it is, because
//! people often paste the thing next to the one that they were asked for.

use std::io::ErrorKind;
use std::path::Path;

use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::config::env::RawEnv;
use crate::config::key_text;
use crate::config::{Problems, is_web_address};

/// The type of a configuration for workload identity.
const EXTERNAL: &str = "external_account";
/// Where a Fly machine asks for what it is to have.
const FLY_SOCKET: &str = "/.fly/api";

pub(super) fn google_key(raw: &RawEnv, problems: &mut Problems) -> SecretString {
    let (name, text) = match (&raw.google_credentials_json, &raw.google_application_credentials) {
        (Some(json), _) => ("GOOGLE_CREDENTIALS_JSON", Ok(json.clone())),
        (None, Some(path)) => ("GOOGLE_APPLICATION_CREDENTIALS", key_file(path.trim())),
        (None, None) => return without_a_key(raw, problems),
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
    let (needed, advice): (&[&str], _) = match field("type") {
        EXTERNAL => (
            &["audience", "subject_token_type", "token_url", "service_account_impersonation_url"],
            "use the configuration as Google made it, for a service account",
        ),
        _ => (&["client_email", "private_key", "token_uri"], "use a service account's key file"),
    };
    for name_of in needed {
        if field(name_of).trim().is_empty() {
            problems.add(name, &format!("lacks {name_of}: {advice}"));
        }
    }
    if field("type") == EXTERNAL && !fields.contains_key("credential_source") {
        problems.add(name, &format!("lacks credential_source: {advice}"));
    }
    if !field("token_uri").is_empty() && !is_web_address(field("token_uri")) {
        problems.add(name, "has a token_uri that is no http or https address");
    }
    SecretString::from(Value::Object(fields).to_string())
}

/// A Fly machine needs no key: what is set instead, in the form of a configuration for workload identity.
fn without_a_key(raw: &RawEnv, problems: &mut Problems) -> SecretString {
    let (provider, account) = (&raw.google_workload_provider, &raw.google_service_account);
    if provider.is_none() && account.is_none() {
        problems.add(
            "GOOGLE_APPLICATION_CREDENTIALS",
            "is missing: the path of the service account's key file (or set GOOGLE_CREDENTIALS_JSON to its \
             content, or on Fly GOOGLE_WORKLOAD_PROVIDER and GOOGLE_SERVICE_ACCOUNT)",
        );
        return SecretString::default();
    }
    let (provider, account) = (provider.as_deref().unwrap_or_default(), account.as_deref());
    let provider = provider.trim().trim_start_matches("https:").trim_start_matches("//");
    let provider = provider.trim_start_matches("iam.googleapis.com/");
    let parts: Vec<&str> = provider.split('/').collect();
    let is_provider = matches!(
        parts[..],
        ["projects", number, "locations", _, "workloadIdentityPools", pool, "providers", own]
            if number.bytes().all(|digit| digit.is_ascii_digit())
                && [number, pool, own].iter().all(|part| !part.is_empty())
    );
    if !is_provider || !provider.bytes().all(|byte| byte.is_ascii_graphic()) {
        problems.add(
            "GOOGLE_WORKLOAD_PROVIDER",
            "must be the provider's resource name, with the project's number: \
             projects/123456789012/locations/global/workloadIdentityPools/fly/providers/fly",
        );
    }
    let account = account.unwrap_or_default().trim();
    let is_account = account.ends_with(".gserviceaccount.com")
        && account.contains('@')
        && account.bytes().all(|byte| byte.is_ascii_graphic() && !b"/:?#".contains(&byte));
    if !is_account {
        problems.add(
            "GOOGLE_SERVICE_ACCOUNT",
            "must be the service account's e-mail address: name@project.iam.gserviceaccount.com",
        );
    }
    let configuration = json!({
        "type": EXTERNAL,
        "audience": format!("//iam.googleapis.com/{provider}"),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": format!(
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        ),
        "credential_source": { "fly_socket": FLY_SOCKET },
    });
    SecretString::from(configuration.to_string())
}

/// What else this is that Google gives out, and what to do.
fn other_kind(fields: &Map<String, Value>) -> Option<&'static str> {
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "authorized_user" => Some(
            "is a person's own login, as gcloud keeps it, and ends when they log out: make a service \
             account and use its key file",
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

/// The user in whose name the service account acts.
pub(super) fn user(text: Option<&str>, problems: &mut Problems) -> Option<String> {
    let user = text?.trim();
    let is_address = |text: &str| {
        let is_named =
            text.split_once('@').is_some_and(|(who, at)| !who.is_empty() && at.contains('.'));
        is_named && text.chars().all(|c| c.is_ascii_graphic())
    };
    if !is_address(user) {
        let expected = "must be the e-mail address of a user of your organisation";
        problems.add("GOOGLE_IMPERSONATE", expected);
    } else if user.ends_with(".gserviceaccount.com") {
        let expected =
            "must be a user and no service account: leave it out to act as the account itself";
        problems.add("GOOGLE_IMPERSONATE", expected);
    }
    Some(user.to_owned())
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

/// The id, also from an address in whichever form people paste it. The error says what was given instead.
pub(super) fn id_of(text: &str) -> Result<String, &'static str> {
    let is_around = |c: char| c.is_whitespace() || "'\"`<>“”‘’«»\u{feff}\u{200b}".contains(c);
    let text = text.trim_matches(is_around);
    if let Some(fault) = something_else(text) {
        return Err(fault);
    }
    let parameter = |name: &str| {
        let (_, query) = text.split_once('?')?;
        query.split(['&', '#']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    let after_d = text.split_once("/d/").map(|(_, rest)| rest);
    let id = match after_d.or_else(|| parameter("id")).or_else(|| parameter("key")) {
        Some(rest) => rest.split(['/', '?', '#', '&']).next().unwrap_or_default(),
        None => text,
    };
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if id.is_empty() || !id.chars().all(is_id) {
        return Err("must be the spreadsheet's address or the id in it");
    }
    Ok(id.to_owned())
}

/// What people give for a spreadsheet that is none, or none that can be written, and what to do.
fn something_else(text: &str) -> Option<&'static str> {
    let has = |part: &str| text.contains(part);
    Some(match () {
        () if has("/forms/") || has("forms.gle/") => {
            "is the address of a form: take that of the spreadsheet in which its answers are, or of another"
        }
        () if has("/d/e/") || has("/pubhtml") || text.starts_with("2PACX-") => {
            "is the address of a published copy, which nobody can write to: open the spreadsheet itself, and \
             take the address that the browser shows"
        }
        () if has("rtpof=true") => {
            "is an Excel file that is kept as Excel, which this service cannot write: open it, choose File > \
             Save as Google Sheets, and take the address of the new file"
        }
        () if has("/file/d/") => {
            "is the address of a file that Drive only shows: open it with Google Sheets (an Excel file first \
             with File > Save as Google Sheets), and take the address that the browser then shows"
        }
        () if has("/folders/") || has("/drive/") && !has("/d/") => {
            "is the address of a folder: open the spreadsheet in it, and take the address that the browser \
             then shows"
        }
        () if has("/document/") => "is the address of a document: take a spreadsheet's",
        () if has("/presentation/") => "is the address of a presentation: take a spreadsheet's",
        () => return None,
    })
}
