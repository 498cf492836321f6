//! Without a key: the machine's own token, exchanged and turned into the service account's.

use std::time::Duration;

use fake_google::{FlySocket, WorkloadFault, WorkloadStep};
use serde_json::{Value, json};

use crate::harness::{Clinic, Service, unassigned};

const STEPS: [WorkloadStep; 3] =
    [WorkloadStep::OwnToken, WorkloadStep::Exchange, WorkloadStep::Impersonation];
/// What every token of the stand-in begins with, or contains.
const TOKENS: [&str; 3] = ["own-", "ya29.", "eyJ"];

/// A clinic on a Fly machine, and the machine's socket.
fn on_fly() -> (Clinic, FlySocket) {
    let clinic = Clinic::new();
    let path = clinic.dir.path().join("fly.sock");
    let socket = clinic.google.fly_socket(&path);
    let clinic = with_source(clinic, &json!({ "fly_socket": path }));
    (clinic, socket)
}

fn with_source(clinic: Clinic, source: &Value) -> Clinic {
    let configuration = clinic.google.workload_json(source);
    clinic.with("GOOGLE_CREDENTIALS_JSON", &configuration).with("RUST_LOG", "trace")
}

/// No token stands in what the service says of itself.
async fn expect_no_token(service: &Service) {
    let mut said = service.log();
    for path in ["/readyz", "/healthz", "/metrics", "/"] {
        said += &service.get(path).await.text().await.unwrap();
    }
    for token in TOKENS {
        assert!(!said.contains(token), "`{token}` in {said}");
    }
}

#[tokio::test]
async fn rows_are_written_without_a_key_through_errors_kills_and_tokens_that_live_seconds() {
    let (clinic, _socket) = on_fly();
    clinic.google.token_lifetime(Duration::from_secs(2));
    let mut service = clinic.open();
    service.wait_for_sheet("delivering").await;
    let faults = [
        WorkloadFault::Unavailable503,
        WorkloadFault::Garbled,
        WorkloadFault::Slow(Duration::from_millis(300)),
        WorkloadFault::Denied,
    ];
    let mut sent = Vec::new();
    for (number, step) in STEPS.into_iter().cycle().take(12).enumerate() {
        clinic.google.fail_next_step(step, faults[number / 3].clone());
        let chat = format!("chat_{number}");
        service.take(&unassigned(&chat)).await;
        sent.push(chat);
        if number % 5 == 4 {
            service.kill();
            service = clinic.open();
        }
        clinic.expect_rows(sent.len());
    }
    service.drained().await;
    let mut chats = clinic.chats();
    chats.sort();
    sent.sort();
    assert_eq!(chats, sent);
    expect_no_token(&service).await;
}

#[tokio::test]
async fn a_refusal_of_each_step_says_what_to_do_and_is_mended_by_itself() {
    let advice = [
        ("refused a token of its own", WorkloadStep::OwnToken),
        ("attribute condition", WorkloadStep::Exchange),
        ("roles/iam.workloadIdentityUser", WorkloadStep::Impersonation),
    ];
    for (words, step) in advice {
        let (clinic, _socket) = on_fly();
        for _ in 0..2 {
            clinic.google.fail_next_step(step, WorkloadFault::Denied);
        }
        let service = clinic.open();
        let said = service.wait_for_sheet("parked").await;
        assert!(said.contains(words), "{said}");
        service.take(&unassigned("chat_1")).await;
        clinic.expect_rows(1);
        service.drained().await;
        expect_no_token(&service).await;
    }
}

#[tokio::test]
async fn a_machine_without_the_socket_takes_events_and_says_so() {
    let clinic = Clinic::new();
    let path = clinic.dir.path().join("fly.sock");
    let clinic = with_source(clinic, &json!({ "fly_socket": path }));
    let service = clinic.open();
    assert!(service.wait_for_sheet("parked").await.contains("this machine has no"));
    service.take(&unassigned("chat_1")).await;
    let _socket = clinic.google.fly_socket(&path);
    clinic.expect_rows(1);
    service.drained().await;
}

#[tokio::test]
async fn the_machines_own_token_may_be_in_a_file_or_at_an_address() {
    let clinic = Clinic::new();
    let file = clinic.dir.path().join("token");
    std::fs::write(&file, format!("{}\n", clinic.google.own_token())).unwrap();
    let address = format!("{}/own-token", clinic.google.url());
    let format = json!({ "type": "json", "subject_token_field_name": "value" });
    let mut clinic = clinic;
    for (number, source) in [json!({ "file": file }), json!({ "url": address, "format": format })]
        .into_iter()
        .enumerate()
    {
        clinic = with_source(clinic, &source);
        let service = clinic.open();
        service.take(&unassigned(&format!("chat_{number}"))).await;
        clinic.expect_rows(number + 1);
        service.drained().await;
        let check = clinic.run(&["check"]);
        assert!(check.stdout.contains(&clinic.google.client_email()), "{}", check.stdout);
        expect_no_token(&service).await;
    }
}

/// One asks, and all wait for the answer.
#[tokio::test]
async fn a_token_is_asked_for_once_however_many_need_it() {
    let (clinic, _socket) = on_fly();
    let service = clinic.open();
    service.settled().await;
    for number in 0..20 {
        service.take(&unassigned(&format!("chat_{number}"))).await;
    }
    clinic.expect_rows(20);
    service.drained().await;
    let asked = clinic.google.requests();
    let asked = asked.iter().filter(|seen| seen.path.ends_with(":generateAccessToken")).count();
    assert_eq!(asked, 1);
}
