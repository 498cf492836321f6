//! The alarm, from outside: in the log, on /readyz, in the metrics, and posted to where it is wanted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use doubletick_sheets::chat::memory::Rules;
use doubletick_sheets::chat::recognise::{Recognised, recognise};
use doubletick_sheets::chat::route::{Destination, Routes};
use doubletick_sheets::chat::time::UnixMs;
use doubletick_sheets::journal::{Journal, Limits};
use fake_google::Refusal;
use serde_json::Value;

use crate::harness::{Clinic, LOG_TAB, PATIENCE, Service, unassigned};

/// Where alarms are posted; keeps what it was told. Refuses the first of all.
pub(crate) struct Hook {
    pub(crate) url: String,
    told: Arc<Mutex<Vec<String>>>,
}

impl Hook {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/services/CANARY-HOOK", listener.local_addr().unwrap());
        let told = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&told);
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let mut reader = BufReader::new(stream);
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if let Some(told) = line.to_lowercase().strip_prefix("content-length:") {
                        length = told.trim().parse().unwrap();
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let status = if n == 0 { "500 Oops" } else { "200 OK" };
                if n > 0 {
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    noted.lock().unwrap().push(body["text"].as_str().unwrap().to_owned());
                }
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                reader.into_inner().write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, told }
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) async fn wait_for(&self, count: usize) -> Vec<String> {
        let give_up = Instant::now() + PATIENCE;
        while self.told().len() < count {
            assert!(Instant::now() < give_up, "{count} were to be told: {:?}", self.told());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.told()
    }
}

async fn wait_for_alarm(service: &Service, on: bool) -> Value {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let ready = service.ready().await;
        if ready["alarm"].is_string() == on {
            return ready;
        }
        assert!(Instant::now() < give_up, "the alarm is not {on}: {ready}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A journal with a row that came so many minutes ago.
#[expect(clippy::disallowed_methods, reason = "the row is to be old by the service's clock")]
async fn with_a_row_of(clinic: &Clinic, minutes: u64) {
    let then = SystemTime::now() - Duration::from_secs(60 * minutes);
    let then = then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let then = UnixMs(i64::try_from(then).unwrap());
    let rules = Rules { resend_window_ms: 0, retention_ms: 86_400_000 };
    let limits = Limits { pending_rows_max: 10, rules };
    let spreadsheet = clinic.google.spreadsheet_id();
    let routes = Routes::new(Destination { spreadsheet, title: LOG_TAB.to_owned() }, Vec::new());
    let journal = Journal::open(clinic.dir.path(), limits, routes).unwrap();
    let Recognised::Event(event) = recognise(&unassigned("chat_1"), None, then) else {
        panic!("not recognised")
    };
    drop(journal.accept(*event, then).await.unwrap());
}

#[tokio::test]
async fn rows_that_wait_for_too_long_are_told_once_and_so_is_the_end() {
    let hook = Hook::start();
    let clinic = Clinic::new().with("ALARM_MINUTES", "11").with("ALARM_WEBHOOK_URL", &hook.url);
    with_a_row_of(&clinic, 12).await;
    clinic.google.outage(true);
    let service = clinic.open();
    let ready = wait_for_alarm(&service, true).await;
    let alarm = ready["alarm"].as_str().unwrap();
    assert!(alarm.contains("1 row waits for the sheet, for 12 minutes"), "{alarm}");
    assert_eq!(ready["ready"], true, "events are taken all the same");
    assert_eq!(service.metrics().await["alarm"], 1.0);
    hook.wait_for(1).await;
    clinic.google.heal();
    clinic.expect_rows(1);
    wait_for_alarm(&service, false).await;
    let told = hook.wait_for(2).await;
    assert!(told[0].starts_with("doubletick-sheets: 1 row waits"), "{told:?}");
    assert!(told[1].contains("rows are written again"), "{told:?}");
    for words in told {
        assert!(!words.contains("919111222333") && !words.contains("chat_1"), "{words}");
    }
    let log = service.log();
    assert_eq!(log.matches("ERROR").count(), 1, "said once: {log}");
    assert!(!log.contains("CANARY-HOOK"), "{log}");
    service.drained().await;
}

#[tokio::test]
async fn a_parked_sheet_is_told_once_with_what_to_do_and_so_is_the_end() {
    let hook = Hook::start();
    let clinic = Clinic::new().with("ALARM_WEBHOOK_URL", &hook.url);
    clinic.google.fail_all(Refusal::NotShared403);
    let service = clinic.open();
    let ready = wait_for_alarm(&service, true).await;
    assert!(ready["alarm"].as_str().unwrap().contains("share it with"), "{ready}");
    hook.wait_for(1).await;
    clinic.google.heal();
    wait_for_alarm(&service, false).await;
    let told = hook.wait_for(2).await;
    assert!(told[0].contains(&clinic.google.client_email()), "{told:?}");
    let log = service.log();
    assert_eq!(log.matches("ERROR").count(), 1, "said once: {log}");
}

#[tokio::test]
async fn a_row_that_is_old_only_because_the_service_was_off_alarms_nobody() {
    let clinic = Clinic::new();
    with_a_row_of(&clinic, 600).await;
    let service = clinic.open();
    clinic.expect_rows(1);
    service.drained().await;
    assert!(service.ready().await["alarm"].is_null());
    assert!(!service.log().contains("ERROR"), "{}", service.log());
}
