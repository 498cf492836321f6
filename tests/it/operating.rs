//! What the operator is told, and that delivery resumes by itself after the mend.

use std::time::Duration;

use fake_google::{Fault, Refusal};

use crate::harness::{Clinic, LOG_TAB, unassigned};

/// Breaks the sheet, expects one sentence with these words on /readyz and in the log, mends it and
/// expects the row.
async fn parks_and_resumes(refusal: Refusal, words: &[&str]) {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    clinic.google.fail_all(refusal);
    service.take(&unassigned("chat_1")).await;
    let advice = service.wait_for_sheet("parked").await;
    let log = service.log();
    for word in words {
        let word = word.replace("{account}", &clinic.google.client_email());
        assert!(advice.contains(&word), "/readyz does not say {word}: {advice}");
        assert!(log.contains(&word), "the log does not say {word}: {log}");
    }
    assert_eq!(service.get("/readyz").await.status().as_u16(), 200, "events are still taken");
    clinic.google.heal();
    clinic.expect_rows(1);
    service.drained().await;
    service.wait_for_sheet("delivering").await;
    assert_eq!(log.matches("ERROR").count(), 1, "said once: {log}");
}

#[tokio::test]
async fn a_sheet_that_is_not_shared_is_said_and_resumed() {
    parks_and_resumes(Refusal::NotShared403, &["share it with {account} as Editor"]).await;
}

#[tokio::test]
async fn a_disabled_api_is_said_and_resumed() {
    parks_and_resumes(Refusal::ApiDisabled403, &["enable it", "console.cloud.google.com"]).await;
}

#[tokio::test]
async fn a_wrong_spreadsheet_is_said_and_resumed() {
    parks_and_resumes(Refusal::NotFound404, &["SPREADSHEET_ID", "{account}"]).await;
}

#[tokio::test]
async fn an_excel_file_is_said_and_resumed() {
    parks_and_resumes(Refusal::Xlsx400, &["Save as Google Sheets"]).await;
}

#[tokio::test]
async fn a_full_spreadsheet_is_said_and_resumed() {
    parks_and_resumes(Refusal::CellsLimit400, &["the spreadsheet is full"]).await;
}

#[tokio::test]
async fn a_protected_tab_is_said_and_resumed() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    clinic.google.staff().protect(LOG_TAB);
    service.take(&unassigned("chat_1")).await;
    let advice = service.wait_for_sheet("parked").await;
    assert!(advice.contains("protected range"), "{advice}");
    clinic.google.staff().unprotect(LOG_TAB);
    clinic.expect_rows(1);
    service.drained().await;
}

#[tokio::test]
async fn a_refusal_nobody_knows_parks_and_drops_nothing() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    let body = r#"{"error":{"code":400,"message":"Cell says MARKED-PATIENT","status":"X"}}"#;
    // With the board, and without it.
    for _ in 0..2 {
        clinic.google.fail_next_write(Fault::Refuse(Refusal::Custom(400, body.to_owned())));
    }
    service.take(&unassigned("chat_1")).await;
    let advice = service.wait_for_sheet("parked").await;
    assert!(!advice.contains("MARKED") && !service.log().contains("MARKED"));
    clinic.expect_rows(1);
    service.drained().await;
}

#[tokio::test]
async fn a_deleted_tab_is_made_again() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&unassigned("before")).await;
    clinic.expect_rows(1);
    service.drained().await;
    clinic.google.staff().delete_tab(LOG_TAB);
    service.take(&unassigned("after")).await;
    clinic.expect_rows(1);
    service.drained().await;
    assert_eq!(clinic.chats(), ["after"]);
}

#[tokio::test]
async fn the_counters_add_up_at_every_scrape() {
    let clinic = Clinic::new();
    clinic.google.latency(Duration::from_millis(30));
    let service = clinic.open();
    for n in 0..60 {
        service.take(&unassigned(&format!("chat_{}", n % 50))).await;
        let metrics = service.metrics().await;
        let of = |name: &str| metrics[name];
        assert_eq!(of("accepted_total"), of("written_total") + of("pending") + of("set_aside"));
    }
    clinic.expect_rows(50);
    service.drained().await;
    let metrics = service.metrics().await;
    assert_eq!((metrics["accepted_total"], metrics["duplicate_total"]), (50.0, 10.0));
    assert_eq!(metrics["ack_seconds_count"], 60.0);
    assert!(metrics["google_calls_total{call=\"append\",outcome=\"ok\"}"] >= 1.0);
    assert_eq!(metrics["oldest_pending_seconds"], 0.0);
}

#[tokio::test]
async fn an_event_that_comes_while_idle_leaves_within_a_tenth_of_a_second() {
    let clinic = Clinic::new();
    clinic.google.latency(Duration::from_millis(300));
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    let mut waits = Vec::new();
    for n in 0..5 {
        service.take(&unassigned(&format!("chat_{n}"))).await;
        let taken = std::time::Instant::now();
        clinic.expect_rows(n + 1);
        service.drained().await;
        let seen = clinic.google.requests();
        let write = seen.iter().rfind(|seen| seen.is_write()).unwrap();
        waits.push(write.at.saturating_duration_since(taken));
    }
    waits.sort();
    assert!(waits[2] < Duration::from_millis(100), "{waits:?}");
}

#[tokio::test]
async fn while_nothing_happens_it_rests_and_keeps_an_eye_on_the_sheet() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
    let before = clinic.google.requests().len();
    // It looks once a minute; time has to pass for that.
    tokio::time::sleep(Duration::from_secs(62)).await;
    let calls = clinic.google.requests().len() - before;
    assert!((1..=2).contains(&calls), "{calls} calls in an idle minute");
    let used = service.cpu_time();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = service.cpu_time() - used;
    assert!(used < Duration::from_millis(100), "{used:?} of CPU in an idle second");
}
