//! A key as people and their tools hand it on is the key; anything else is named for what it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use crate::config::key_text::fields;
use crate::config::tests::problem;

const PRIVATE_KEY: &str =
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg+/\nkqhkiG9w0BAQ==\n-----END PRIVATE KEY-----\n";

fn key_file() -> String {
    let key = json!({
        "type": "service_account",
        "client_email": "clinic@project.iam.gserviceaccount.com",
        "private_key": PRIVATE_KEY,
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    serde_json::to_string_pretty(&key).unwrap()
}

#[test]
fn a_key_is_taken_however_it_was_handed_on() {
    let whole = fields(&key_file()).unwrap();
    assert_eq!(whole["private_key"], PRIVATE_KEY);
    let file = key_file();
    let wrapped: Vec<String> = STANDARD
        .encode(&file)
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line).into())
        .collect();
    for (how, text) in [
        ("with a byte order mark", format!("\u{feff}{file}")),
        ("with blanks around it", format!("\n  {file}\r\n\n")),
        ("with the line breaks of Windows", file.replace('\n', "\r\n")),
        ("in single quotes", format!("'{file}'")),
        ("in double quotes", format!("\"{file}\"")),
        ("as a JSON text", serde_json::to_string(&file).unwrap()),
        ("with doubled backslashes", file.replace("\\n", "\\\\n")),
        ("with its line breaks written out", file.replace("\\n", "\n")),
        ("with those of Windows written out", file.replace("\\n", "\r\n")),
        ("in base64", STANDARD.encode(&file)),
        ("in base64 of several lines", wrapped.join("\n") + "\n"),
        ("in base64, with a byte order mark", STANDARD.encode(format!("\u{feff}{file}\n"))),
    ] {
        assert_eq!(fields(&text).as_ref(), Some(&whole), "{how}");
    }
}

#[test]
fn what_is_no_key_is_named_for_what_it_is() {
    for (given, what) in [
        (json!({ "type": "authorized_user", "refresh_token": "swordfish" }), "own login"),
        (json!({ "installed": { "client_secret": "swordfish" } }), "OAuth client"),
        (json!({ "web": { "client_secret": "swordfish" } }), "OAuth client"),
        (
            json!({ "type": "external_account", "audience": "swordfish", "subject_token_type": "x",
                "token_url": "https://x/", "service_account_impersonation_url": "https://x/" }),
            "lacks credential_source",
        ),
        (json!({ "private_key": "swordfish", "token_uri": "https://x/y" }), "client_email"),
        (json!(["swordfish"]), "not JSON"),
    ] {
        let sentence = problem(&[("GOOGLE_CREDENTIALS_JSON", &given.to_string())]);
        assert!(sentence.contains(what) && !sentence.contains("swordfish"), "{sentence}");
    }
}

proptest! {
    #[test]
    fn whatever_is_given_is_a_key_or_is_not_and_never_a_panic(text in "\\PC{0,60}|[\\{\"\\\\n':\\r\\n =A-z]{0,60}") {
        drop(fields(&text));
    }
}
