//! Starting, stopping and checking: plain sentences and exit codes.

use std::time::{Duration, Instant};

use crate::harness::{BOARD_TAB, Clinic, HANDOVERS_TAB, LOG_TAB, unassigned};

#[test]
fn all_faults_in_the_settings_are_named_at_once() {
    let clinic = Clinic::new()
        .without("SPREADSHEET_ID")
        .with("WEBHOOK_SECRET", "short")
        .with("PORT", "80x")
        .with("GOOGLE_CREDENTIALS_JSON", "{\"private_key\":\"MARKED\"}")
        .with("TIMEZONE", "Mars/Olympus");
    for args in [&[][..], &["check"]] {
        let ended = clinic.run(args);
        let said = ended.stdout + &ended.stderr;
        for name in
            ["SPREADSHEET_ID", "WEBHOOK_SECRET", "PORT", "GOOGLE_CREDENTIALS_JSON", "TIMEZONE"]
        {
            assert!(said.contains(name), "{name} is not named: {said}");
        }
        assert!(!said.contains("MARKED") && !said.contains("short\n") && !said.contains("80x"));
        assert_eq!(ended.status.code(), Some(2));
    }
}

/// What one process took without Google, the next one writes with it.
#[tokio::test]
async fn without_the_settings_for_google_events_are_taken_and_the_advice_is_said_once() {
    let clinic = Clinic::new().without("SPREADSHEET_ID").without("GOOGLE_CREDENTIALS_JSON");
    let mut service = clinic.open();
    assert_eq!(service.take(&unassigned("chat_1")).await["status"], "accepted");
    let advice = service.wait_for_sheet("parked").await;
    for name in ["SPREADSHEET_ID is missing", "GOOGLE_APPLICATION_CREDENTIALS is missing"] {
        assert!(advice.contains(name), "{advice}");
        assert_eq!(service.log().matches(name).count(), 1, "{}", service.log());
    }
    assert_eq!(service.get("/readyz").await.status().as_u16(), 200);
    service.leaves_rows_behind();
    assert!(service.stop("TERM").success());
    let (id, key) = (clinic.google.spreadsheet_id(), clinic.google.key_json());
    let clinic = clinic.with("SPREADSHEET_ID", &id).with("GOOGLE_CREDENTIALS_JSON", &key);
    let service = clinic.open();
    clinic.expect_rows(1);
    service.drained().await;
}

/// A client can only be built after TLS has been set up, and that was done only on Google's way: the
/// alarm's and DoubleTick's aborted the process, again and again.
#[tokio::test]
async fn every_optional_setting_works_without_the_settings_for_google() {
    let optional = |clinic: Clinic| {
        clinic
            .with("ALARM_WEBHOOK_URL", "https://127.0.0.1:9/hook")
            .with("DOUBLETICK_API_KEY", "key_1")
            .with("DOUBLETICK_API_URL", "https://127.0.0.1:9/")
            .with("ROUTES", "+919000000001=/North")
            .with("TIMEZONE", "Asia/Kolkata")
            .with("BOARD_HOURS", "1")
            .with("MAX_PENDING_ROWS", "10")
    };
    for clinic in [
        Clinic::new().without("SPREADSHEET_ID").without("GOOGLE_CREDENTIALS_JSON"),
        Clinic::new().with("SPREADSHEET_ID", " ").with("GOOGLE_CREDENTIALS_JSON", "{"),
        Clinic::new().with("SPREADSHEET_ID", "https://drive.google.com/drive/folders/1AbC"),
        Clinic::new().with("GOOGLE_CREDENTIALS_JSON", "null").with("SHEETS_API_URL", "https://x/"),
    ] {
        let mut service = optional(clinic).open();
        assert_eq!(service.take(&unassigned("chat_1")).await["status"], "accepted");
        service.wait_for_sheet("parked").await;
        service.leaves_rows_behind();
        assert!(service.stop("TERM").success());
    }
}

#[test]
fn an_odd_address_or_key_is_said_and_never_ends_it_otherwise_than_documented() {
    for odd in ["https:host/x", "http://ho{st/", "http://[::1", "https:\\/\\/x", "आ🙂", "a\tb"]
    {
        for name in ["ALARM_WEBHOOK_URL", "DOUBLETICK_API_KEY", "DOUBLETICK_API_URL"] {
            let clinic = Clinic::new().with(name, odd).with("SPREADSHEET_ID", "");
            let ended = clinic.with("DATA_DIR", "/proc/nowhere").run(&[]);
            let said = &ended.stderr;
            let documented = match ended.status.code() {
                Some(2) => said.contains(name),
                Some(1) => said.contains("DATA_DIR"),
                _ => false,
            };
            assert!(documented && !said.contains("panicked"), "{name}={odd}: {said}");
        }
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_said_by_its_field_and_events_are_taken() {
    let key = Clinic::new().google.key_json();
    let mut bad: serde_json::Value = serde_json::from_str(&key).unwrap();
    for (field, value) in [
        ("private_key", "-----BEGIN PRIVATE KEY-----\nnot one\n"),
        ("token_uri", "ht!tp://nowhere"),
    ] {
        bad[field] = value.into();
        let clinic = Clinic::new().with("GOOGLE_CREDENTIALS_JSON", &bad.to_string());
        let mut service = clinic.open();
        let advice = service.wait_for_sheet("parked").await;
        assert!(advice.contains(field) && !advice.contains(value), "{advice}");
        assert_eq!(service.take(&unassigned("chat_1")).await["status"], "accepted");
        service.leaves_rows_behind();
        let checked = clinic.run(&["check"]);
        assert!(!checked.status.success());
        assert!(checked.stdout.contains(field), "{}", checked.stdout);
        bad = serde_json::from_str(&key).unwrap();
    }
}

#[tokio::test]
async fn a_machine_without_ca_certificates_takes_events_and_says_what_it_lacks() {
    let clinic = Clinic::new()
        .with("SSL_CERT_FILE", "/nowhere/certificates.pem")
        .with("SSL_CERT_DIR", "/nowhere")
        .with("ALARM_WEBHOOK_URL", "https://hooks.example/services/1")
        .with("DOUBLETICK_API_KEY", "a-key");
    let mut service = clinic.open();
    let advice = service.wait_for_sheet("parked").await;
    assert!(advice.contains("ca-certificates") && !advice.contains("private_key"), "{advice}");
    assert_eq!(service.take(&unassigned("chat_1")).await["status"], "accepted");
    service.leaves_rows_behind();
    let checked = clinic.run(&["check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(checked.stdout.contains("ca-certificates"), "{}", checked.stdout);
}

/// The token endpoint is never called through a proxy, so nothing is.
#[tokio::test]
async fn a_proxy_in_the_environment_is_not_asked() {
    let clinic = Clinic::new();
    let elsewhere = clinic.google.url().replace("127.0.0.1", "0.0.0.0");
    let dead = "http://127.0.0.1:1";
    let clinic = clinic
        .with("SHEETS_API_URL", &elsewhere)
        .with("HTTP_PROXY", dead)
        .with("http_proxy", dead)
        .with("ALL_PROXY", dead);
    let service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
}

#[test]
fn a_second_process_on_the_same_directory_refuses_to_start() {
    let clinic = Clinic::new();
    let _service = clinic.open();
    let second = clinic.run(&[]);
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stderr.contains("in use by another"), "{}", second.stderr);
}

#[test]
fn a_directory_that_cannot_be_written_is_said_in_a_sentence() {
    let clinic = Clinic::new().with("DATA_DIR", "/proc/nowhere");
    let ended = clinic.run(&[]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("DATA_DIR"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_program_reads_the_log_line_by_line() {
    let clinic = Clinic::new().with("LOG_FORMAT", "json");
    let service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
    let log = service.log();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let wrote = lines.iter().find(|line| line["message"] == "wrote a batch").unwrap();
    assert_eq!((&wrote["level"], &wrote["rows"]), (&"INFO".into(), &1.into()));
    for line in &lines {
        for name in ["ts", "level", "target", "message"] {
            assert!(line[name].is_string(), "{line} lacks {name}");
        }
    }
    let ended = Clinic::new().with("LOG_FORMAT", "json").with("PORT", "x").run(&[]);
    let said: serde_json::Value = serde_json::from_str(ended.stderr.trim()).unwrap();
    assert!(said["message"].as_str().unwrap().contains("\n  PORT must be"), "{said}");
}

#[tokio::test]
async fn both_signals_stop_it_cleanly() {
    for signal in ["TERM", "INT"] {
        let clinic = Clinic::new();
        let service = clinic.open();
        service.take(&unassigned("chat_1")).await;
        service.drained().await;
        let started = Instant::now();
        assert!(service.stop(signal).success());
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn stopping_gives_the_write_under_way_its_chance() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    clinic.google.fail_next_write(fake_google::Fault::Slow(Duration::from_millis(800)));
    let writes = clinic.google.writes();
    service.take(&unassigned("chat_1")).await;
    while clinic.google.writes() == writes {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(service.stop("TERM").success());
    assert_eq!(clinic.rows().len(), 1);
    // Settled as well: the next start has nothing to do.
    let service = clinic.open();
    assert_eq!(service.metrics().await["pending"], 0.0);
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_it_stops() {
    use std::io::{Read, Write};
    let clinic = Clinic::new();
    let service = clinic.open();
    let body = unassigned("in flight").to_string();
    let (first, rest) = body.split_at(20);
    let path = service.webhook().split_once(&service.address.to_string()).unwrap().1.to_owned();
    let length = body.len();
    let mut stream = std::net::TcpStream::connect(service.address).unwrap();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{first}");
    stream.write_all(head.as_bytes()).unwrap();
    // Only when another request has been answered is the first one surely being served.
    service.get("/healthz").await;
    service.signal("TERM");
    while !service.log().contains("stopping") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert!(service.stop("TERM").success());
    let service = clinic.open();
    clinic.expect_rows(1);
    service.drained().await;
}

#[tokio::test]
async fn check_tells_line_by_line_and_names_the_account() {
    let clinic = Clinic::new();
    let good = clinic.run(&["check"]);
    assert!(good.status.success(), "{}", good.stdout);
    for word in [
        "settings",
        "key file",
        "journal directory",
        "token",
        "spreadsheet reachable",
        "may edit",
        "tabs",
        "columns",
        "webhook address",
        &clinic.google.client_email(),
    ] {
        assert!(good.stdout.contains(word), "{word} is missing: {}", good.stdout);
    }
    assert_eq!(clinic.google.tabs(), ["Sheet1"], "check made a tab");
    clinic.google.fail_all(fake_google::Refusal::NotShared403);
    let bad = clinic.run(&["check"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(bad.stdout.contains(&format!("share it with {}", clinic.google.client_email())));
}

#[tokio::test]
async fn check_names_the_tab_that_google_does_not_let_us_write_and_writes_nothing() {
    for says_which in [true, false] {
        let clinic = Clinic::new();
        let service = clinic.open();
        service.take(&unassigned("chat_1")).await;
        service.drained().await;
        clinic.google.refusals_name_their_request(says_which);
        for tab in [LOG_TAB, BOARD_TAB, HANDOVERS_TAB] {
            let fine = clinic.run(&["check"]);
            assert!(fine.status.success(), "{}", fine.stdout);
            clinic.google.staff().protect(tab);
            let checked = clinic.run(&["check"]);
            assert_eq!(checked.status.code(), Some(1), "{}", checked.stdout);
            let failed: Vec<&str> =
                checked.stdout.lines().filter(|line| line.starts_with("FAIL")).collect();
            let [line] = failed[..] else { panic!("{failed:?}") };
            assert!(line.contains(&format!("`{tab}` cannot be written")), "{line}");
            assert!(line.contains("protected range"), "{line}");
            clinic.google.staff().unprotect(tab);
        }
        assert_eq!(clinic.chats(), ["chat_1"]);
        assert!(!format!("{:?}", clinic.board()).contains("check"));
    }
}

#[tokio::test]
async fn check_live_proves_the_facts_beside_a_running_service_and_cleans_up() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    let ended = clinic.run(&["check", "--live"]);
    assert!(ended.status.success(), "{}", ended.stdout);
    for fact in [
        "marker_fences",
        "append_under_filter",
        "positions_told",
        "board_dressed",
        "append_below_table",
        "append_into_table",
    ] {
        assert!(ended.stdout.contains(fact), "{}", ended.stdout);
    }
    assert_eq!(clinic.google.tabs(), [BOARD_TAB, "Sheet1", LOG_TAB, HANDOVERS_TAB]);
    service.take(&unassigned("chat_1")).await;
    clinic.expect_rows(1);
    service.drained().await;
}

#[tokio::test]
async fn it_is_small_and_quick_to_start() {
    let clinic = Clinic::new();
    let started = Instant::now();
    let service = clinic.open();
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.process_id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    // A debug build on a loaded machine; the release build's figures stand in docs/speed.md.
    assert!(kilobytes < 40_000, "{kilobytes} kB resident");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?} to start", started.elapsed());
}
