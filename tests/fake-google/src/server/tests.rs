//! Through the door: a token, a write, and the faults that only a socket can have.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{FakeGoogle, Fault, Refusal};

/// Sends one request on its own connection. Status 0 if no answer came.
fn send(google: &FakeGoogle, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
    let address = google.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).expect("it listens");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    let mut answer = Vec::new();
    // A cut connection may end in an error on either side of the exchange.
    drop(stream.write_all(request.as_bytes()));
    drop(stream.read_to_end(&mut answer));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

fn base64url(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let chunk = |bytes: &[u8]| -> String {
        let padded =
            (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(*bytes.get(at).unwrap_or(&0)));
        let letter = |at: usize| char::from(ALPHABET[(padded >> (18 - 6 * at) & 63) as usize]);
        (0..=bytes.len()).map(letter).collect()
    };
    text.as_bytes().chunks(3).map(chunk).collect()
}

fn token(google: &FakeGoogle) -> String {
    let url = google.url();
    let claims = json!({
        "iss": google.client_email(), "aud": format!("{url}/token"), "iat": 1000, "exp": 4600,
        "scope": "https://www.googleapis.com/auth/spreadsheets",
    });
    let (header, claims) =
        (base64url(r#"{"alg":"RS256","typ":"JWT"}"#), base64url(&claims.to_string()));
    let form = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={header}.{claims}.c2ln"
    );
    let (status, body) = send(google, "POST", "/token", "", &form);
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).expect("a token comes as JSON");
    answer["access_token"].as_str().expect("there is a token").to_owned()
}

fn append(google: &FakeGoogle, token: &str, text: &str) -> (u16, String) {
    let body = json!({ "requests": [{ "appendCells": {
        "sheetId": 0, "fields": "userEnteredValue",
        "rows": [{ "values": [{ "userEnteredValue": { "stringValue": text } }] }],
    } }] });
    let path = format!("/v4/spreadsheets/{}:batchUpdate", google.spreadsheet_id());
    send(google, "POST", &path, token, &body.to_string())
}

#[test]
fn only_a_token_that_is_still_good_opens_the_door() {
    let google = FakeGoogle::start();
    assert_eq!(append(&google, "made-up", "x").0, 401);
    google.token_lifetime(Duration::ZERO);
    assert_eq!(append(&google, &token(&google), "x").0, 401);
    google.token_lifetime(Duration::from_secs(60));
    assert_eq!(append(&google, &token(&google), "x").0, 200);
    assert_eq!(google.rows("Sheet1"), [["x"]]);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

#[test]
fn faults_strike_at_their_points() {
    let google = FakeGoogle::start();
    let token = token(&google);
    let strike = |fault: Fault, text: &str| {
        google.fail_next_write(fault);
        append(&google, &token, text)
    };
    assert_eq!(strike(Fault::LoseAnswer, "lost").0, 0);
    assert_eq!(strike(Fault::Reset, "never").0, 0);
    assert_eq!(strike(Fault::RefuseAfterApplying(503), "unavailable").0, 503);
    assert_eq!(strike(Fault::Refuse(Refusal::Quota429), "refused").0, 429);
    assert_eq!(strike(Fault::Slow(Duration::from_millis(5)), "slow").0, 200);
    let (status, half) = strike(Fault::HalfBody, "half");
    assert_eq!(status, 200);
    assert!(!half.is_empty() && serde_json::from_str::<Value>(&half).is_err(), "{half}");
    let (status, garbled) = strike(Fault::GarbledOk, "garbled");
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<Value>(&garbled).is_err());
    assert_eq!(strike(Fault::ApplyLate(Duration::from_millis(50)), "late").0, 0);
    assert!(google.wait_for_rows("Sheet1", 5, Duration::from_secs(5)));
    let expected = ["lost", "unavailable", "slow", "half", "garbled", "late"];
    assert_eq!(google.rows("Sheet1").concat(), expected);
    assert_eq!((google.writes(), google.writes_in_flight_max()), (8, 1));
}

#[test]
fn outages_quotas_and_unknown_addresses_are_answered_as_google_does() {
    let google = FakeGoogle::start();
    let token = token(&google);
    google.outage(true);
    assert_eq!(append(&google, &token, "x").0, 0);
    google.heal();
    google.fail_all(Refusal::NotShared403);
    assert_eq!(append(&google, &token, "x").0, 403);
    google.heal();
    google.quota(3, 1);
    assert_eq!(append(&google, &token, "x").0, 200);
    assert_eq!(append(&google, &token, "y").0, 200);
    let (status, body) = append(&google, &token, "z");
    assert_eq!(status, 429, "{body}");
    assert!(body.contains("Write requests per minute per user"));
    assert_eq!(send(&google, "GET", "/v4/spreadsheets/x/values/A1:append", &token, "").0, 404);
    assert_eq!(send(&google, "DELETE", "/v4/spreadsheets/x", &token, "").0, 404);
    assert_eq!(google.invalid_requests().len(), 1);
}

#[test]
fn what_staff_do_is_felt_through_the_door() {
    let google = FakeGoogle::start();
    let token = token(&google);
    assert_eq!(append(&google, &token, "name").0, 200);
    google.staff().protect("Sheet1");
    let (status, body) = append(&google, &token, "refused");
    assert_eq!(status, 400);
    assert!(body.contains("You are trying to edit a protected cell or object."), "{body}");
    google.staff().unprotect("Sheet1");
    google.staff().insert_column("Sheet1", 0, "notes");
    for name in ["b", "a"] {
        assert_eq!(append(&google, &token, name).0, 200);
    }
    google.staff().sort("Sheet1", 0);
    assert_eq!(google.column("Sheet1", "notes"), ["a", "b"]);
    google.staff().move_column("Sheet1", 0, 1);
    assert_eq!(google.rows("Sheet1")[0], ["name", "notes"]);
    google.staff().rename_tab("Sheet1", "Log");
    google.staff().add_tab("Other", &[&["x"]]);
    google.staff().delete_tab("Log");
    assert_eq!(append(&google, &token, "nowhere").0, 400);
    assert_eq!(google.tabs(), ["Other"]);
}

#[test]
fn people_can_act_in_the_very_middle_of_a_write() {
    let google = FakeGoogle::start();
    let token = token(&google);
    google.before_next_write_with("createDeveloperMetadata", |_| panic!("no write has one"));
    google.after_next_write_with("appendCells", |google| {
        assert_eq!(google.rows("Sheet1"), [["a"]]);
        google.staff().insert_column("Sheet1", 0, "after");
    });
    assert_eq!(append(&google, &token, "a").0, 200);
    assert_eq!(google.rows("Sheet1"), [["after", "a"]]);
}

#[test]
fn what_people_do_before_a_write_is_applied_changes_where_it_lands() {
    let google = FakeGoogle::start();
    let token = token(&google);
    google.before_next_write_with("appendCells", |google| {
        google.staff().insert_column("Sheet1", 0, "before");
    });
    google.fail_next_write(Fault::Refuse(Refusal::Internal500));
    assert_eq!(append(&google, &token, "a").0, 500);
    assert_eq!(google.rows("Sheet1"), Vec::<Vec<String>>::new(), "it was never applied");
    assert_eq!(append(&google, &token, "a").0, 200);
    assert_eq!(append(&google, &token, "b").0, 200);
    assert_eq!(google.rows("Sheet1"), [["before"], ["a"], ["b"]]);
}

#[test]
fn a_kind_of_request_that_google_takes_no_more_takes_its_batch_with_it() {
    let google = FakeGoogle::start();
    let token = token(&google);
    google.refuse_writes_with("appendCells");
    let (status, body) = append(&google, &token, "a");
    assert_eq!(status, 400);
    assert!(body.contains("Invalid requests[0].appendCells"), "{body}");
    google.refuse_writes_with("updateDeveloperMetadata");
    assert_eq!(append(&google, &token, "a").0, 200);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}
