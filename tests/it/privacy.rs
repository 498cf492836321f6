//! No name, number, secret, token or key outside the sheet: not in a log at any level, not on a page,
//! not in an answer, and not on the disk once delivered.

use std::time::{Duration, Instant};

use fake_google::{Fault, Refusal, TokenFault};
use serde_json::json;

use crate::harness::{Clinic, PATIENCE, SECRET, http};

const NAME: &str = "CanaryName";
const PHONE: &str = "77001234567";
const CHAT: &str = "CanaryChat";
const AGENT: &str = "CanaryAgent";

#[track_caller]
fn assert_silent(place: &str, text: &str) {
    for canary in [NAME, PHONE, CHAT, AGENT, SECRET, "PRIVATE KEY", "Bearer ", "eyJ", "ya29"] {
        let shown = text.lines().find(|line| line.contains(canary));
        assert_eq!(shown, None, "{place} shows {canary}");
    }
}

#[tokio::test]
async fn nothing_personal_and_no_secret_shows_anywhere() {
    let clinic = Clinic::new().with(
        "RUST_LOG",
        "trace,yup_oauth2=trace,yup_oauth2::service_account=trace,hyper=trace,reqwest=trace",
    );
    clinic.google.fail_next_token(TokenFault::Json500);
    clinic.google.fail_next_token(TokenFault::InvalidGrantClock);
    clinic.google.fail_next_write(Fault::LoseAnswer);
    clinic.google.fail_next_write(Fault::Refuse(Refusal::Custom(
        400,
        json!({ "error": { "code": 400, "message": format!("bad cell {NAME} {PHONE}") } })
            .to_string(),
    )));
    clinic.google.fail_next_write(Fault::Refuse(Refusal::Expired401));
    let service = clinic.open();
    let mut answers = String::new();
    let events = [
        json!({ "chatId": CHAT, "assignedUserName": AGENT, "assignedUserPhone": PHONE }),
        json!({ "chatId": CHAT, "customerPhone": PHONE, "customerName": NAME }),
        json!({ "chatId": CHAT, "customerPhone": PHONE, "customerName": NAME }),
        json!({ "event": "UNHEARD_OF", "x": [NAME, PHONE, CHAT, AGENT] }),
        json!({ "tagAdded": true, "customerName": NAME }),
    ];
    for event in events {
        answers += &service.take(&event).await.to_string();
    }
    let broken = format!("{{\"{NAME}\":\"{PHONE}");
    answers += &service.post("application/json", broken.clone()).await.text().await.unwrap();
    answers += &service.post(&format!("x/{NAME}"), broken).await.text().await.unwrap();
    let wrong = service.url(&format!("/webhooks/doubletick/{NAME}?event={PHONE}"));
    answers += &http().post(wrong).send().await.unwrap().text().await.unwrap();
    clinic.expect_rows(1);
    service.drained().await;
    answers += &service.get("/metrics").await.text().await.unwrap();
    answers += &service.ready().await.to_string();
    answers += &service.get(&format!("/{NAME}")).await.text().await.unwrap();
    assert_silent("an answer", &answers);
    let log = service.log();
    assert!(log.contains("wrote a batch"), "the log was not at work");
    assert_silent("the log", &log);
    assert!(service.stop("TERM").success());
}

#[tokio::test]
async fn what_is_delivered_of_someone_who_does_not_wait_any_more_is_gone_from_the_disk() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    clinic.google.outage(true);
    let event = json!({ "chatId": CHAT, "customerPhone": PHONE, "customerName": NAME });
    service.take(&event).await;
    let on_disk = |clinic: &Clinic| String::from_utf8_lossy(&clinic.files()).contains(NAME);
    assert!(on_disk(&clinic), "acknowledged and not on disk");
    service.take(&json!({ "chatId": CHAT, "assignedUserName": "Asha Nair" })).await;
    clinic.google.heal();
    clinic.expect_rows(1);
    service.drained().await;
    let give_up = Instant::now() + PATIENCE;
    while on_disk(&clinic) {
        assert!(Instant::now() < give_up, "delivered and still on disk");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(service.stop("TERM").success());
    assert!(!on_disk(&clinic), "stopped and still on disk");
}
