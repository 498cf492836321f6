//! What is done from the command line beside the running service.

use fake_google::{Fault, Refusal};
use serde_json::{Value, json};

use crate::harness::{Clinic, Service, unassigned};

/// A service whose first row Google refuses for its content; gives the event's id.
async fn with_a_row_set_aside(clinic: &Clinic) -> (Service, String) {
    let service = clinic.open();
    service.settled().await;
    clinic.google.fail_next_write(Fault::Refuse(Refusal::CellTooLong400));
    let mut event = unassigned("chat_1");
    event["customerName"] = json!("Zoë, \"O’Brien\"");
    let answer = service.take(&event).await;
    service.drained().await;
    (service, answer["event_id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn rows_set_aside_are_listed_exported_and_tried_again_beside_the_service() {
    let clinic = Clinic::new();
    let (service, id) = with_a_row_set_aside(&clinic).await;
    let listed = clinic.run(&["set-aside", "list"]);
    assert!(listed.status.success(), "{}", listed.stderr);
    assert!(listed.stdout.starts_with(&id) && listed.stdout.contains("50,000 characters"));
    assert!(!listed.stdout.contains("Zoë") && !listed.stdout.contains("919111222333"));

    let exported = clinic.run(&["set-aside", "export"]).stdout;
    assert!(exported.starts_with("\u{feff}\"Event ID\",\"Row of\",\"Received at\","), "{exported}");
    assert!(exported.contains("\"Zoë, \"\"O’Brien\"\"\",\"'+919111222333\""), "{exported}");
    let exported: Value =
        serde_json::from_str(&clinic.run(&["set-aside", "export", "json"]).stdout).unwrap();
    assert_eq!(exported[0]["event_id"], json!(id));

    let unknown = clinic.run(&["set-aside", "retry", "elsewhere-1"]);
    assert_eq!(unknown.status.code(), Some(1));
    let retried = clinic.run(&["set-aside", "retry", &id]);
    assert!(retried.stdout.contains("pending again: 1"), "{}", retried.stdout);
    clinic.expect_rows(1);
    service.drained().await;
    let metrics = service.metrics().await;
    assert_eq!((metrics["written_total"], metrics["set_aside"]), (1.0, 0.0));
    assert!(clinic.run(&["set-aside", "list"]).stdout.contains("rows set aside: 0"));
}

/// The cells of the one data row of a CSV, as a spreadsheet program reads them.
fn cells(csv: &str) -> Vec<String> {
    let line = csv.lines().nth(1).unwrap().strip_prefix('"').unwrap().strip_suffix('"').unwrap();
    line.split("\",\"").map(|cell| cell.replace("\"\"", "\"")).collect()
}

#[tokio::test]
async fn a_spreadsheet_program_opens_the_export_without_changing_what_people_are_called() {
    let named = ["-1-2", "@SUM(A1)", "=HYPERLINK(\"x\")", "1/2", "'quoted'", "आरती शर्मा"];
    for (name, phone, chat) in
        named.iter().map(|name| (*name, "+91-9111222333", "00917")).chain([("Zoë", "١٢", "e5")])
    {
        let clinic = Clinic::new();
        let service = clinic.open();
        service.settled().await;
        clinic.google.fail_next_write(Fault::Refuse(Refusal::CellTooLong400));
        let mut event = unassigned(chat);
        event["customerName"] = json!(name);
        event["customerPhone"] = json!(phone);
        service.take(&event).await;
        service.drained().await;
        let exported = clinic.run(&["set-aside", "export"]).stdout;
        let plain: Value =
            serde_json::from_str(&clinic.run(&["set-aside", "export", "json"]).stdout).unwrap();
        let cells = cells(&exported);
        for (column, field) in
            [(6, "customer_name"), (7, "customer_phone"), (10, "waba_number"), (11, "chat_id")]
        {
            let (cell, text) = (&cells[column], plain[0][field].as_str().unwrap());
            assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), text, "the text is not given back");
            let is_left_alone =
                cell.starts_with(|first: char| first == '\'' || first.is_alphabetic());
            assert!(is_left_alone, "{cell} would be calculated");
        }
    }
}

#[tokio::test]
async fn a_backup_made_while_it_runs_starts_in_the_place_of_the_journal() {
    let clinic = Clinic::new();
    clinic.google.outage(true);
    let mut service = clinic.open();
    for n in 0..20 {
        service.take(&unassigned(&format!("chat_{n}"))).await;
    }
    let copy = tempfile::tempdir().unwrap();
    let file = copy.path().join("journal.sqlite3");
    let made = clinic.run(&["backup", file.to_str().unwrap()]);
    assert!(made.status.success(), "{}", made.stderr);
    let again = clinic.run(&["backup", file.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1), "an older backup is not written over");
    service.leaves_rows_behind();
    service.kill();

    clinic.google.heal();
    let clinic = clinic.with("DATA_DIR", copy.path().to_str().unwrap());
    let service = clinic.open();
    clinic.expect_rows(20);
    service.drained().await;
    assert_eq!(clinic.rows().len(), 20);
}
