//! The spreadsheet and the key: what serves, and what was given instead of it.

use std::path::Path;

use secrecy::ExposeSecret;

use crate::config::tests::{ID, KEY, check_refused, is_the_key, problem, read, valid};

#[test]
fn the_spreadsheet_is_given_by_id_or_by_the_address_in_the_browser() {
    for given in [
        ID.to_owned(),
        format!("  {ID}\n"),
        format!("https://docs.google.com/spreadsheets/d/{ID}"),
        format!("https://docs.google.com/spreadsheets/d/{ID}/edit?gid=0#gid=0"),
        format!("https://docs.google.com/spreadsheets/u/1/d/{ID}/edit"),
        format!("docs.google.com/spreadsheets/d/{ID}?usp=sharing"),
        format!("https://docs.google.com/spreadsheets/d/{ID}#gid=7"),
        format!("https://docs.google.com/a/clinic.example/spreadsheets/d/{ID}/edit#gid=0"),
        format!("https://docs.google.com/spreadsheets/d/{ID}/edit?usp=drive_link&ouid=1"),
        format!("https://docs.google.com/spreadsheets/d/{ID}/export?format=csv&gid=0"),
        format!("https://docs.google.com/spreadsheets/d/{ID}/htmlview?gid=7#gid=7"),
        format!("https://docs.google.com/spreadsheets/d/{ID}/preview"),
        format!("https://drive.google.com/open?id={ID}&usp=drive_fs"),
        format!("https://drive.google.com/open?usp=drive_fs&id={ID}"),
        format!("https://drive.google.com/u/1/open?id={ID}#top"),
        format!("https://docs.google.com/spreadsheet/ccc?key={ID}#gid=0"),
        format!("\"https://docs.google.com/spreadsheets/d/{ID}/edit\""),
        format!("'{ID}'"),
        format!("“{ID}”"),
        format!("<https://docs.google.com/spreadsheets/d/{ID}/edit> "),
        format!("\u{feff}{ID}\u{200b}"),
    ] {
        assert_eq!(valid(&[("SPREADSHEET_ID", &given)]).spreadsheet_id, ID, "{given:?}");
    }
    for given in [
        "https://docs.google.com/spreadsheets",
        "https://docs.google.com/spreadsheets/u/1/",
        "https://drive.google.com/open?usp=x",
        "https://x/d/",
        "My sheet",
        "a/b",
        "ä",
        "''",
    ] {
        check_refused("SPREADSHEET_ID", given);
    }
}

#[test]
fn an_address_of_something_else_is_named_for_what_it_is() {
    for (address, what) in [
        ("https://docs.google.com/spreadsheets/d/e/2PACX-1vQabcd/pubhtml", "published"),
        ("https://docs.google.com/spreadsheets/d/e/2PACX-1vQabcd/pub?output=csv", "published"),
        ("https://drive.google.com/drive/folders/1AbCdEf?usp=sharing", "folder"),
        ("https://drive.google.com/drive/u/0/my-drive", "folder"),
        ("2PACX-1vQabcd", "published"),
        (
            "https://docs.google.com/spreadsheets/d/1AbC/edit?usp=sharing&rtpof=true&sd=true",
            "Excel",
        ),
        ("https://drive.google.com/file/d/1AbCdEf/view?usp=sharing", "Drive only shows"),
        ("https://docs.google.com/document/d/1AbCdEf/edit", "a document"),
        ("https://docs.google.com/document/u/1/d/1AbCdEf/edit", "a document"),
        ("https://docs.google.com/presentation/d/1AbCdEf/edit", "a presentation"),
        ("https://docs.google.com/forms/d/1AbCdEf/edit", "a form"),
        ("https://docs.google.com/forms/d/e/1FAIpQL/viewform", "a form"),
        ("https://forms.gle/1AbCdEf", "a form"),
    ] {
        let sentence = problem(&[("SPREADSHEET_ID", address)]);
        assert!(sentence.contains(what) && !sentence.contains("1AbC"), "{address}: {sentence}");
    }
}

#[test]
fn the_key_and_the_path_of_its_file_are_told_apart() {
    let key_as_path =
        problem(&[("GOOGLE_CREDENTIALS_JSON", ""), ("GOOGLE_APPLICATION_CREDENTIALS", KEY)]);
    assert!(key_as_path.contains("set GOOGLE_CREDENTIALS_JSON to the key"), "{key_as_path}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.json");
    std::fs::write(&file, KEY).unwrap();
    let path_as_key = problem(&[("GOOGLE_CREDENTIALS_JSON", file.to_str().unwrap())]);
    assert!(path_as_key.contains("set GOOGLE_APPLICATION_CREDENTIALS"), "{path_as_key}");
    let directory = problem(&[
        ("GOOGLE_CREDENTIALS_JSON", ""),
        ("GOOGLE_APPLICATION_CREDENTIALS", dir.path().to_str().unwrap()),
    ]);
    assert!(directory.contains("names a directory"), "{directory}");
}

#[test]
fn a_key_file_lacking_a_field_is_refused_by_the_fields_name() {
    for field in ["client_email", "private_key", "token_uri"] {
        for nothing in [None, Some(serde_json::Value::Null), Some("".into()), Some(" ".into())] {
            let mut key: serde_json::Value = serde_json::from_str(KEY).unwrap();
            match nothing {
                None => drop(key.as_object_mut().unwrap().remove(field)),
                Some(nothing) => key[field] = nothing,
            }
            let problems = read(&[("GOOGLE_CREDENTIALS_JSON", &key.to_string())]).unwrap_err();
            let expected = format!("GOOGLE_CREDENTIALS_JSON lacks {field}:");
            assert!(problems.sentences()[0].starts_with(&expected), "{problems}");
        }
    }
    let client = r#"{"installed":{"client_id":"x","client_secret":"y"}}"#;
    let problems = read(&[("GOOGLE_CREDENTIALS_JSON", client)]).unwrap_err();
    assert!(problems.sentences()[0].contains("is an OAuth client"), "{problems}");
}

#[test]
fn a_token_address_that_is_none_is_refused() {
    for uri in ["oauth2.googleapis.com/token", "ftp://x/token", "https://"] {
        let mut key: serde_json::Value = serde_json::from_str(KEY).unwrap();
        key["token_uri"] = uri.into();
        let sentence = problem(&[("GOOGLE_CREDENTIALS_JSON", &key.to_string())]);
        assert!(sentence.contains("token_uri"), "{sentence}");
    }
}

#[test]
fn the_key_is_read_from_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.json");
    std::fs::write(&file, KEY).unwrap();
    let from_file = |path: &Path| {
        read(&[
            ("GOOGLE_CREDENTIALS_JSON", ""),
            ("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap()),
        ])
    };
    assert!(is_the_key(&from_file(&file).unwrap()));

    let absent = from_file(&dir.path().join("absent")).unwrap_err();
    assert!(absent.sentences()[0].starts_with("GOOGLE_APPLICATION_CREDENTIALS names a file"));
    std::fs::write(&file, "not a key").unwrap();
    let garbage = from_file(&file).unwrap_err();
    assert!(garbage.sentences()[0].starts_with("GOOGLE_APPLICATION_CREDENTIALS is not JSON"));
}

#[test]
fn whom_to_act_for_is_a_user_by_the_email_address() {
    assert_eq!(valid(&[]).google_impersonate, None);
    let config = valid(&[("GOOGLE_IMPERSONATE", " desk@clinic.example\n")]);
    assert_eq!(config.google_impersonate.as_deref(), Some("desk@clinic.example"));
    for given in ["desk", "desk@", "@clinic.example", "a b@clinic.example", "désk@clinic.example"]
    {
        check_refused("GOOGLE_IMPERSONATE", given);
    }
    let account = problem(&[("GOOGLE_IMPERSONATE", "x@y.iam.gserviceaccount.com")]);
    assert!(account.contains("no service account"), "{account}");
}

const PROVIDER: &str =
    "projects/123456789012/locations/global/workloadIdentityPools/fly/providers/own";
const ACCOUNT: &str = "writer@example-project.iam.gserviceaccount.com";

/// The settings of a Fly machine without a key.
fn without_a_key<'a>(provider: &'a str, account: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("GOOGLE_CREDENTIALS_JSON", ""),
        ("GOOGLE_WORKLOAD_PROVIDER", provider),
        ("GOOGLE_SERVICE_ACCOUNT", account),
    ]
}

#[test]
fn a_fly_machine_needs_no_key() {
    for prefix in ["", "//iam.googleapis.com/", "https://iam.googleapis.com/"] {
        let config = valid(&without_a_key(&format!("{prefix}{PROVIDER}"), ACCOUNT));
        let made: serde_json::Value =
            serde_json::from_str(config.google_key.expose_secret()).unwrap();
        assert_eq!(made["audience"], format!("//iam.googleapis.com/{PROVIDER}"));
        assert_eq!(made["token_url"], "https://sts.googleapis.com/v1/token");
        let url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/\
                   writer@example-project.iam.gserviceaccount.com:generateAccessToken";
        assert_eq!(made["service_account_impersonation_url"], url);
        assert_eq!(made["credential_source"]["fly_socket"], "/.fly/api");
    }
    for provider in
        ["", "fly", "projects/x/locations/global/workloadIdentityPools/a/providers/b", ACCOUNT]
    {
        let sentence = problem(&without_a_key(provider, ACCOUNT));
        assert!(sentence.starts_with("GOOGLE_WORKLOAD_PROVIDER must be"), "{sentence}");
    }
    for account in ["", "writer", "desk@clinic.example", "a/b@x.iam.gserviceaccount.com"] {
        let sentence = problem(&without_a_key(PROVIDER, account));
        assert!(sentence.starts_with("GOOGLE_SERVICE_ACCOUNT must be"), "{sentence}");
    }
    // A key that is there is used.
    let with_key = [("GOOGLE_WORKLOAD_PROVIDER", PROVIDER), ("GOOGLE_SERVICE_ACCOUNT", ACCOUNT)];
    assert!(is_the_key(&valid(&with_key)));
}

#[test]
fn a_configuration_for_workload_identity_is_taken_whole() {
    let whole = serde_json::json!({
        "type": "external_account", "audience": "//iam", "subject_token_type": "jwt",
        "token_url": "https://sts.example/", "service_account_impersonation_url": "https://iam.example/",
        "credential_source": { "file": "/token" },
    });
    valid(&[("GOOGLE_CREDENTIALS_JSON", &whole.to_string())]);
    for field in whole.as_object().unwrap().keys().filter(|field| *field != "type") {
        let mut lacking = whole.clone();
        lacking.as_object_mut().unwrap().remove(field);
        let sentence = problem(&[("GOOGLE_CREDENTIALS_JSON", &lacking.to_string())]);
        assert!(sentence.contains(&format!("lacks {field}")), "{sentence}");
    }
}
