//! Google's real answers, each with what it means. The wording is Google's; only the numbers and
//! names of projects are made up.

use std::time::Duration;

use serde_json::json;

use crate::sheets::outcome::{refused, settled};
use crate::sheets::verdict::{Answer, Fault, Verdict};
use crate::sheets::{Refused, Trouble};

const ACCOUNT: &str = "writer@example-project.iam.gserviceaccount.com";
/// Stands for what a refusal may quote of a cell.
const QUOTED: &str = "Asha Rao +919876543210";

const HTML: &str = "<!DOCTYPE html>\n<html lang=en>\n<title>Error 502 (Server Error)!!1</title>\n\
                    <p><b>502.</b> <ins>That’s an error.</ins>\n<p>Please try again in 30 seconds.";

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer { status, retry_after: None, body: body.into() }
}

fn google_says(code: u16, status: &str, message: &str) -> String {
    json!({ "error": { "code": code, "message": message, "status": status } }).to_string()
}

fn google_explains(code: u16, message: &str, reason: &str) -> String {
    json!({ "error": { "code": code, "message": message, "status": "PERMISSION_DENIED", "details": [
        { "@type": "type.googleapis.com/google.rpc.Help", "links": [{ "url": "https://x" }] },
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
          "domain": "googleapis.com", "metadata": { "service": "sheets.googleapis.com" } },
    ] } })
    .to_string()
}

#[track_caller]
fn check_400(message: &str, expected: &Fault) {
    let status = match message.contains("not supported for this document") {
        true => "FAILED_PRECONDITION",
        false => "INVALID_ARGUMENT",
    };
    let verdict = answer(400, google_says(400, status, message)).verdict(ACCOUNT);
    assert_eq!(verdict, Verdict::Refused(expected.clone()), "{message}");
}

/// The operator is told something that contains these words.
#[track_caller]
fn check_advice(status: u16, body: impl Into<Vec<u8>>, words: &str) {
    let advice = match answer(status, body).verdict(ACCOUNT) {
        Verdict::Operator(advice) | Verdict::Refused(Fault::Operator(advice)) => advice,
        other => panic!("{status} is for the operator, not {other:?}"),
    };
    assert!(advice.contains(words), "{advice}");
}

#[track_caller]
fn check_comes_again(status: u16, body: impl Into<Vec<u8>>) {
    let (why, after) = match answer(status, body).verdict(ACCOUNT) {
        Verdict::QuotaUsedUp { why, after } if status == 429 || status == 403 => (why, after),
        Verdict::ComeAgain { why, after } => (why, after),
        other => panic!("{status} passes by itself: {other:?}"),
    };
    assert!(why.contains(&status.to_string()), "{why}");
    assert_eq!(after, None);
}

#[test]
fn a_2xx_is_fine_whatever_its_body() {
    for status in [200, 204, 299] {
        assert_eq!(answer(status, "nonsense").verdict(ACCOUNT), Verdict::Fine);
    }
}

#[test]
fn every_400_that_google_is_known_to_send_has_its_meaning() {
    check_400(
        "Invalid requests[0].createDeveloperMetadata: Cannot add developer metadata with ID \
         [1620000007] because developer metadata with that ID already exists.",
        &Fault::Taken,
    );
    check_400(
        "Invalid requests[0].addSheet: A sheet with the name \"Unassigned chats\" already exists. \
         Please enter another name.",
        &Fault::Taken,
    );
    check_400(
        "Invalid requests[0].createDeveloperMetadata: Adding the requested developer metadata \
         would exceed the allowed storage limit",
        &Fault::MarkersFull,
    );
    check_400("Invalid requests[1].appendCells: No grid with id: 42", &Fault::TabGone);
    check_400(
        "Invalid requests[1].updateDeveloperMetadata: Internal error",
        &Fault::PositionsUntold,
    );
    check_400(
        "Invalid requests[1].appendCells: Attempting to write column: 26, beyond the last requested \
         column of: 25",
        &Fault::Narrow,
    );
    check_400(
        "Invalid requests[1].appendCells: Your input contains more than the maximum of 50000 \
         characters in a single cell.",
        &Fault::Row("a cell would exceed 50,000 characters"),
    );
    check_400("Unable to parse range: NoSuchTab!A1", &Fault::TabGone);
    check_400("Request payload size exceeds the limit: 10485760 bytes.", &Fault::TooLarge);
    check_400("Cannot exceed 100000 requests in a single batch.", &Fault::TooLarge);
}

#[test]
fn a_400_that_a_human_must_mend_says_how() {
    let body = |message: &str| google_says(400, "INVALID_ARGUMENT", message);
    for limit in ["10000000", "20000000", "25,000,000"] {
        let cells = format!(
            "Invalid requests[1].appendCells: This action would increase the number of cells in the \
             workbook above the limit of {limit} cells."
        );
        check_advice(400, body(&cells), "the spreadsheet is full");
    }
    let protected = "Invalid requests[1].appendCells: You are trying to edit a protected cell or \
                     object. Please contact the spreadsheet owner to remove protection if you need \
                     to edit.";
    check_advice(400, body(protected), "protected range");
    let xlsx = google_says(
        400,
        "FAILED_PRECONDITION",
        "This operation is not supported for this document",
    );
    check_advice(400, xlsx, "Save as Google Sheets");
}

#[test]
fn a_400_that_nobody_knows_is_told_by_its_class_alone() {
    let says = |status: &str| google_says(400, status, &format!("Never heard of: {QUOTED}"));
    let known =
        ["INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"].map(|it| (says(it), it));
    let unknown = ["", HTML, "{", "null", "[]", r#"{"error":"invalid"}"#].map(str::to_owned);
    let unknown = unknown.into_iter().chain([says(QUOTED)]).map(|body| (body, "no class"));
    for (body, words) in known.into_iter().chain(unknown) {
        let Verdict::Refused(Fault::Unknown(class)) = answer(400, body.as_str()).verdict(ACCOUNT)
        else {
            panic!("{body}")
        };
        assert!(class.contains(words), "{class}");
        let Err(Trouble::Operator(advice)) = settled(ACCOUNT, answer(400, body)) else { panic!() };
        assert!(advice.contains("nothing is lost"), "{advice}");
    }
}

#[test]
fn a_401_wants_another_token() {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, \
                   login cookie or other valid authentication credential. See \
                   https://developers.google.com/identity/sign-in/web/devconsole-project.";
    for body in [google_says(401, "UNAUTHENTICATED", message), String::new(), HTML.to_owned()] {
        assert_eq!(answer(401, body).verdict(ACCOUNT), Verdict::Unauthorised);
    }
}

#[test]
fn each_403_has_its_own_advice() {
    let not_shared = google_says(403, "PERMISSION_DENIED", "The caller does not have permission");
    check_advice(403, not_shared, &format!("share it with {ACCOUNT} as Editor"));
    check_advice(403, "", &format!("share it with {ACCOUNT} as Editor"));
    let disabled = "Google Sheets API has not been used in project 675429720490 before or it is \
                    disabled. Enable it by visiting https://console.developers.google.com/apis/api/\
                    sheets.googleapis.com/overview?project=675429720490 then retry.";
    check_advice(403, google_explains(403, disabled, "SERVICE_DISABLED"), "is not enabled");
    check_advice(403, google_says(403, "PERMISSION_DENIED", disabled), "is not enabled");
    let scopes = "Request had insufficient authentication scopes.";
    let scopes = google_explains(403, scopes, "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    check_advice(403, scopes, "spreadsheets scope");
    let says = |message: &str| google_says(403, "PERMISSION_DENIED", message);
    let explains = |reason: &str| google_explains(403, "Permission denied.", reason);
    check_advice(
        403,
        says("Permission denied: Consumer 'project:7' has been suspended."),
        "suspended",
    );
    check_advice(403, explains("CONSUMER_SUSPENDED"), "suspended");
    check_advice(403, explains("ACCOUNT_STATE_INVALID"), "disabled");
    check_advice(403, explains("BILLING_DISABLED"), "billing");
    let billing =
        "This API method requires billing to be enabled. Please enable billing on project #7.";
    check_advice(403, says(billing), "billing");
    let vpc =
        "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: x";
    check_advice(403, says(vpc), "policy of the organisation");
    check_advice(403, explains("SECURITY_POLICY_VIOLATED"), "policy of the organisation");
    check_advice(403, says("The user's Drive storage quota has been exceeded."), "storage");
    check_advice(403, says("The caller does not have permission"), "refuses to share it outside");
    for other in [vpc, billing, "The user's Drive storage quota has been exceeded."] {
        let Verdict::Operator(advice) = answer(403, says(other)).verdict(ACCOUNT) else { panic!() };
        assert!(!advice.contains("as Editor"), "{advice}");
    }
}

#[test]
fn a_403_for_speed_passes_by_itself() {
    for reason in ["RATE_LIMIT_EXCEEDED", "rate_limit_exceeded", "USER_RATE_LIMIT_EXCEEDED"] {
        check_comes_again(403, google_explains(403, "Quota exceeded for quota metric", reason));
    }
}

#[test]
fn a_404_names_all_that_it_can_mean() {
    let body = google_says(404, "NOT_FOUND", "Requested entity was not found.");
    check_advice(404, body.as_str(), "SPREADSHEET_ID");
    check_advice(404, body.as_str(), "bin");
    check_advice(404, body, ACCOUNT);
}

#[test]
fn a_404_about_metadata_is_told_from_one_about_the_spreadsheet() {
    let absent = google_says(404, "NOT_FOUND", "No developer metadata with ID 1620000007.");
    assert!(answer(404, absent).names_metadata());
    let spreadsheet = google_says(404, "NOT_FOUND", "Requested entity was not found.");
    assert!(!answer(404, spreadsheet).names_metadata());
    assert!(!answer(404, HTML).names_metadata());
}

#[test]
fn whatever_may_have_been_applied_is_come_back_to() {
    let quota = json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message":
        "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute per \
         user' of service 'sheets.googleapis.com' for consumer 'project_number:675429720490'.",
        "details": [
            { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED" }
        ] } });
    check_comes_again(429, quota.to_string());
    check_comes_again(429, HTML);
    check_comes_again(500, google_says(500, "INTERNAL", "Internal error encountered."));
    let unavailable = "The service is currently unavailable.";
    check_comes_again(503, google_says(503, "UNAVAILABLE", unavailable));
    for status in [408, 409, 500, 502, 503, 504, 599] {
        check_comes_again(status, HTML);
        check_comes_again(status, "");
    }
}

#[test]
fn what_google_asks_to_wait_is_passed_on() {
    let after = Some(Duration::from_secs(7));
    for status in [429, 503] {
        let verdict = Answer { status, retry_after: after, body: Vec::new() }.verdict(ACCOUNT);
        let (Verdict::ComeAgain { after: told, .. } | Verdict::QuotaUsedUp { after: told, .. }) =
            verdict
        else {
            panic!("{status} passes by itself: {verdict:?}")
        };
        assert_eq!(told, after);
    }
}

#[test]
fn too_large_is_too_large_whoever_says_it() {
    assert_eq!(answer(413, HTML).verdict(ACCOUNT), Verdict::Refused(Fault::TooLarge));
    assert_eq!(answer(413, "").verdict(ACCOUNT), Verdict::Refused(Fault::TooLarge));
}

#[test]
fn a_status_that_google_does_not_use_is_for_the_operator() {
    for status in [0, 100, 302, 402, 405, 410, 418, 451, 600] {
        check_advice(status, HTML, "SHEETS_API_URL");
    }
}

/// All sentences that a person could get to see of an answer.
fn sentences(status: u16, body: &str) -> String {
    let verdict = answer(status, body).verdict(ACCOUNT);
    let trouble = settled(ACCOUNT, answer(status, body)).err();
    let refusal = match &verdict {
        Verdict::Refused(fault) => Some(refused(fault.clone(), None)),
        _ => None,
    };
    format!("{verdict:?} {trouble:?} {refusal:?}")
}

#[test]
fn nothing_of_googles_own_words_is_passed_on() {
    let known = [
        "already exists",
        "maximum of 50000 characters",
        "Request payload size exceeds",
        "metadata would exceed the allowed storage",
        "No grid with id: 1",
        "beyond the last requested column of: 1",
        "above the limit of 20000000 cells",
        "protected cell or object",
        "not supported for this document",
        "it is disabled",
        "nothing that we know",
    ];
    for status in (200..600).chain([0, 100, 999]) {
        for message in known {
            let message = format!("Invalid value {QUOTED}: {message} {QUOTED}");
            let bodies = [
                google_says(status, QUOTED, &message),
                google_explains(status, &message, "SERVICE_DISABLED"),
                google_explains(status, &message, QUOTED),
                format!("<p>{message}"),
            ];
            for body in bodies {
                let told = sentences(status, &body);
                assert!(!told.contains("Asha") && !told.contains("98765"), "{status}: {told}");
            }
        }
    }
}

#[test]
fn a_mend_that_was_refused_is_looked_at_again_or_shown_to_a_human() {
    let body = |message: &str| google_says(400, "INVALID_ARGUMENT", message);
    let trouble = |message: &str| settled(ACCOUNT, answer(400, body(message))).unwrap_err();
    assert_eq!(trouble("with that ID already exists."), Trouble::Taken);
    assert!(matches!(trouble("No grid with id: 42"), Trouble::Passing(_)));
    assert!(matches!(trouble("protected cell or object"), Trouble::Operator(_)));
    let expired = settled(ACCOUNT, answer(401, "")).unwrap_err();
    assert!(matches!(expired, Trouble::Passing(_)));
}

#[test]
fn each_fault_of_a_batch_keeps_its_name() {
    for (fault, expected) in [
        (Fault::Row("too long"), Refused::Row("too long")),
        (Fault::TooLarge, Refused::TooLarge),
        (Fault::TabGone, Refused::TabGone),
        (Fault::Narrow, Refused::Reshaped),
        (Fault::MarkersFull, Refused::MarkersFull),
        (Fault::Taken, Refused::MarkerForeign),
        (Fault::PositionsUntold, Refused::PositionsUntold),
        // Of a 400 it is not known which tab it is about.
        (Fault::Operator("act".into()), Refused::Part(None, "act".into())),
    ] {
        assert_eq!(refused(fault, None), expected);
    }
}
