//! No name, number, secret, token or key outside the sheet: not in a log at any level, not on a page,
//! not in an answer, and not on the disk once delivered. Every kind of event, error and crash is tried
//! with marked ones.

use std::time::{Duration, Instant};

use fake_google::{DoubleTickFault, FakeDoubleTick, Fault, Refusal, TokenFault};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Clinic, Ended, PATIENCE, SECRET, Service, http, unassigned};

/// Only in unassignments: gone with the row.
const NAME: &str = "CanaryName";
const PHONE: &str = "77001234567";
const CHAT: &str = "CanaryChat";
/// Remembered of the chat and the customer, for as long as the retention lasts.
const AGENT: &str = "CanaryAgent";
const KNOWN: &str = "CanaryKnown";
/// Secrets of others.
const API_KEY: &str = "key_of-the-tests";
const HOOK: &str = "CanaryHook";
const PAGE_SECRET: &str = "CanaryPageSecret";
/// The beginning of the spreadsheet's id, which opens it where it is shared by link.
const SPREADSHEET: &str = "1FakeqX9";
/// Everything, of all libraries, by every way of asking for it.
const TRACE: &str =
    "trace,yup_oauth2=trace,yup_oauth2::service_account=trace,hyper=trace,reqwest=trace";

/// What must not be seen. The key's own text is marked by how every such key begins.
const CANARIES: [&str; 15] = [
    NAME,
    PHONE,
    CHAT,
    AGENT,
    KNOWN,
    API_KEY,
    HOOK,
    PAGE_SECRET,
    SECRET,
    "PRIVATE KEY",
    "MIIEv",
    "Bearer ",
    "eyJ",
    "ya29",
    SPREADSHEET,
];

#[track_caller]
fn assert_silent(place: &str, text: &str) {
    for canary in CANARIES {
        let shown = text.lines().find(|line| line.contains(canary));
        assert_eq!(shown, None, "{place} shows {canary}");
    }
}

fn clinic() -> Clinic {
    // Nobody answers there: an error with the address in it is what it is for.
    let hook = format!("http://127.0.0.1:1/{HOOK}");
    let clinic = Clinic::new().with("RUST_LOG", TRACE).with("ALARM_WEBHOOK_URL", &hook);
    clinic.with("PAGE_SECRET", PAGE_SECRET)
}

/// A chat of ours loses its agent.
fn marked(n: usize) -> Value {
    json!({ "chatId": format!("{CHAT}-{n}"), "customerPhone": PHONE, "customerName": NAME })
}

/// It gets another one: nobody waits there any more.
fn taken(n: usize) -> Value {
    json!({ "chatId": format!("{CHAT}-{n}"), "assignedUserId": "u", "assignedUserName": "Nurse" })
}

fn assert_ended_silent(what: &str, ended: &Ended) {
    assert_silent(what, &ended.stdout);
    assert_silent(what, &ended.stderr);
}

/// The log, of which is known that it was at work.
#[track_caller]
fn assert_log_silent(service: &Service) {
    let log = service.log();
    assert!(log.contains("listening on"), "the log was not at work: {log}");
    assert_silent("the log", &log);
}

async fn text_of(answer: reqwest::Response) -> String {
    let headers = format!("{:?}\n", answer.headers());
    headers + &answer.text().await.unwrap()
}

#[tokio::test]
async fn no_event_and_no_bad_request_shows_in_a_log_or_an_answer() {
    let clinic = clinic().without("SUMMARY_NAME");
    let service = clinic.open();
    let mut answers = String::new();
    let of = |more: Value| {
        let mut event = json!({ "chatId": CHAT, "customerPhone": PHONE, "customerName": KNOWN });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let events = [
        of(json!({ "assignedUserId": "u", "assignedUserName": AGENT, "assignedUserPhone": PHONE,
                   "message": { "text": NAME } })),
        of(json!({ "dtCustomerId": CHAT, "conversationOpened": true })),
        marked(0),
        marked(0),
        json!([marked(1)]),
        json!({ "data": marked(2) }),
        of(json!({ "dtCustomerId": CHAT, "conversationClosed": true })),
        json!({ "event": "UNHEARD_OF", "x": [NAME, PHONE, CHAT, AGENT] }),
        json!({ "event": NAME, "chatId": CHAT }),
        json!({ "tagAdded": true, "customerName": NAME }),
        json!({ "event": "CALL_ENDED", "customerPhone": PHONE, "recording": NAME }),
        json!({ "from": PHONE, "to": PHONE, "messageId": CHAT, "text": NAME }),
        json!([NAME, PHONE]),
        json!(NAME),
    ];
    for event in events {
        answers += &text_of(service.post("application/json", event.to_string()).await).await;
    }
    let json_type = "application/json";
    let bad: [(&str, Vec<u8>); 9] = [
        (json_type, format!("{{\"{NAME}\":\"{PHONE}").into()),
        (json_type, format!("{{\"chatId\":\"{CHAT}\\ud83d\",\"customerName\":{NAME}}}").into()),
        (json_type, [NAME.as_bytes(), &[0xff, 0xfe]].concat()),
        (json_type, format!("{}\"{NAME}\"", "[".repeat(9_000)).into()),
        (json_type, NAME.repeat(9_000).into()),
        (&format!("x/{NAME}"), NAME.into()),
        (
            "application/x-www-form-urlencoded",
            format!("chatId={CHAT}-3&customerName={NAME}").into(),
        ),
        (&format!("multipart/form-data; boundary={NAME}"), format!("--{NAME}\r\n{PHONE}").into()),
        ("multipart/form-data", NAME.into()),
    ];
    for (content_type, body) in bad {
        answers += &text_of(service.post(content_type, body).await).await;
    }
    for path in [
        format!("/webhooks/doubletick/{NAME}?event={PHONE}"),
        format!("/webhooks/doubletick?secret={SECRET}"),
        format!("/{NAME}/{SECRET}?{PHONE}"),
        format!("/sign-in?secret={SECRET}"),
    ] {
        for method in [reqwest::Method::POST, reqwest::Method::GET, reqwest::Method::PUT] {
            let request = http().request(method, service.url(&path));
            let request = request.bearer_auth(format!("{NAME}{SECRET}")).body(NAME);
            answers += &text_of(request.send().await.unwrap()).await;
        }
    }
    let secret_and_event = format!("{}?event={NAME}", service.webhook());
    let answer = http().post(secret_and_event).body(marked(4).to_string()).send().await.unwrap();
    answers += &text_of(answer).await;
    clinic.expect_rows(5);
    service.drained().await;
    for path in ["/metrics", "/readyz", "/healthz", "/"] {
        answers += &text_of(service.get(path).await).await;
    }
    assert_silent("an answer", &answers);
    assert!(service.log().contains("wrote a batch"), "the log was not at work");
    assert_log_silent(&service);
    assert!(service.stop("TERM").success());
}

#[tokio::test]
async fn the_operators_pages_show_no_patient_and_the_secret_in_one_place_only() {
    let clinic = clinic();
    let service = clinic.open();
    service.settled().await;
    clinic.google.fail_next_write(Fault::Refuse(Refusal::CellTooLong400));
    service.take(&marked(0)).await;
    service.drained().await;
    clinic.google.fail_all(Refusal::NotShared403);
    service.take(&marked(1)).await;
    service.take(&json!({ "event": "UNHEARD_OF", "x": [NAME, PHONE, CHAT, AGENT] })).await;
    drop(http());
    let browser = reqwest::Client::builder().no_proxy().timeout(PATIENCE).redirect(Policy::none());
    let browser = browser.build().unwrap();
    let sign_in = |secret: &str| {
        let request = browser.post(service.url("/sign-in"));
        request.body(format!("secret={secret}")).send()
    };
    for wrong in [NAME, SECRET] {
        assert_silent("a refused sign-in", &text_of(sign_in(wrong).await.unwrap()).await);
    }
    let answer = sign_in(PAGE_SECRET).await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert_silent("the cookie", cookie);
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let get = |path: &str| browser.get(service.url(path)).header("cookie", &cookie).send();
    let page = text_of(get("/").await.unwrap()).await;
    assert!(page.contains("Rows set aside") && page.contains("<dt>Pending</dt><dd>1</dd>"));
    let (before, rest) = page.split_once("<code id=\"address\">").unwrap();
    let (address, after) = rest.split_once("</code>").unwrap();
    assert!(address.ends_with(SECRET));
    // The operator is given the way to the spreadsheet, twice.
    let way = format!("/spreadsheets/d/{}/edit", clinic.google.spreadsheet_id());
    assert_eq!(page.matches(&way).count(), 2);
    assert_silent("the page", &before.replace(&way, ""));
    assert_silent("the page", &after.replace(&way, ""));
    let mut live = get("/live").await.unwrap();
    let event = live.chunk().await.unwrap().unwrap();
    assert_silent("the live page", std::str::from_utf8(&event).unwrap());
    // The export is the one place where the row itself is shown, and only to who is signed in.
    assert!(get("/set-aside.csv").await.unwrap().text().await.unwrap().contains(NAME));
    assert_silent("a stranger's export", &text_of(service.get("/set-aside.csv").await).await);
    let give_up = Instant::now() + PATIENCE;
    while !service.log().contains("does not take the alarm") {
        assert!(Instant::now() < give_up, "nobody was alarmed: {}", service.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(service.ready().await["alarm"].is_string());
    assert_silent("the alarm", &service.ready().await.to_string());
    assert_log_silent(&service);
    let value = cookie.split_once('=').unwrap().1;
    assert!(!service.log().contains(value), "the log shows a session");

    for args in [&["check"][..], &["set-aside", "list"], &["forget", PHONE], &["replay"]] {
        assert_ended_silent(args[0], &clinic.run(args));
    }
    clinic.google.heal();
    service.drained().await;
}

/// Clinics of their own, a few at a time: each is a process and a stand-in for Google.
#[derive(Default)]
struct Trials(JoinSet<String>);

impl Trials {
    const AT_ONCE: usize = 6;

    /// Begins another; gives what was told in one that had to end for it.
    async fn begin(&mut self, trial: impl Future<Output = String> + Send + 'static) -> String {
        let ended = match self.0.len() {
            Self::AT_ONCE.. => self.0.join_next().await,
            _ => None,
        };
        self.0.spawn(trial);
        ended.map_or_else(String::new, Result::unwrap)
    }

    /// What was told in all that are left.
    async fn end(self) -> String {
        self.0.join_all().await.concat()
    }
}

/// Google's own words may quote what was sent to it.
fn quoting(status: u16) -> Refusal {
    let message = format!("Invalid value: {NAME} {PHONE} {CHAT} Bearer ya29.x");
    Refusal::Custom(status, json!({ "error": { "code": status, "message": message } }).to_string())
}

#[tokio::test]
async fn nothing_that_google_answers_shows_in_a_log_or_on_a_page() {
    let mut faults = vec![
        Fault::LoseAnswer,
        Fault::ApplyLate(Duration::from_millis(100)),
        Fault::RefuseAfterApplying(500),
        Fault::Slow(Duration::from_millis(100)),
        Fault::Reset,
        Fault::HalfBody,
        Fault::Html(502),
        Fault::GarbledOk,
    ];
    let refusals = [
        Refusal::Internal500,
        Refusal::Unavailable503,
        Refusal::Quota429RetryAfter(1),
        Refusal::NotShared403,
        Refusal::ApiDisabled403,
        Refusal::NotFound404,
        Refusal::Protected400,
        Refusal::Xlsx400,
        Refusal::Expired401,
        Refusal::CellsLimit400,
        Refusal::CellTooLong400,
    ];
    let quotes = [400, 401, 403, 404, 409, 412, 418, 429, 500, 503].map(quoting);
    faults.extend(refusals.into_iter().chain(quotes).map(Fault::Refuse));
    let mut trials = Trials::default();
    for (n, fault) in faults.into_iter().enumerate() {
        let told = trials.begin(async move {
            let clinic = clinic();
            let mut service = clinic.open();
            service.settled().await;
            clinic.google.fail_next_read(Fault::Refuse(quoting(500)));
            clinic.google.fail_next_write(fault);
            service.take(&marked(n)).await;
            let give_up = Instant::now() + PATIENCE;
            loop {
                // Whatever became of the write is said by then: it is known, or tried again.
                let ready = service.ready().await;
                if ready["sheet"] != "delivering" || ready["pending_rows"] == 0 {
                    break;
                }
                assert!(Instant::now() < give_up, "nothing became of it");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let told = service.ready().await.to_string() + &service.log();
            service.leaves_rows_behind();
            told
        });
        assert_silent("what is told of a write", &told.await);
    }
    for fault in [
        TokenFault::InvalidGrantClock,
        TokenFault::InvalidGrantSignature,
        TokenFault::AccountNotFound,
        TokenFault::Json500,
        TokenFault::EmptyObject,
        TokenFault::Html503,
        TokenFault::Reset,
        TokenFault::NoExpiry,
    ] {
        let told = trials.begin(async move {
            let clinic = clinic();
            clinic.google.fail_next_token(fault);
            let mut service = clinic.open();
            service.take(&marked(0)).await;
            let give_up = Instant::now() + PATIENCE;
            while service.ready().await["sheet"] == "connecting" {
                assert!(Instant::now() < give_up, "no token was asked for");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            service.leaves_rows_behind();
            service.ready().await.to_string() + &service.log()
        });
        assert_silent("what is told of a token", &told.await);
    }
    assert_silent("what is told of Google", &trials.end().await);
}

#[tokio::test]
async fn nothing_that_doubletick_answers_shows_in_a_log() {
    let named: &str = r#"{"customer":{"name":"CanaryName","phone":"77001234567"}}"#;
    let mut trials = JoinSet::new();
    for (status, body) in [
        (200, named),
        (200, "{\"customer\":\"CanaryName"),
        (401, "CanaryName key_of-the-tests"),
        (404, named),
        (500, "<html>CanaryName</html>"),
    ] {
        trials.spawn(async move {
            let doubletick = FakeDoubleTick::start(&["919000000000"]);
            doubletick.fail_details(DoubleTickFault::Says(status, body));
            let clinic = clinic()
                .with("DOUBLETICK_API_URL", doubletick.url())
                .with("DOUBLETICK_API_KEY", API_KEY);
            let service = clinic.open();
            let mut event = unassigned(CHAT);
            event["dtCustomerId"] = json!(KNOWN);
            service.take(&event).await;
            clinic.expect_rows(1);
            service.drained().await;
            let metrics = service.get("/metrics").await.text().await.unwrap();
            assert!(metrics.contains("name_lookups_total{"), "nobody was asked: {metrics}");
            metrics + &service.log()
        });
    }
    while let Some(told) = trials.join_next().await {
        assert_silent("what is told of DoubleTick", &told.unwrap());
    }
}

/// The list of chats holds whatever patients wrote last, too.
#[tokio::test]
async fn nothing_that_doubleticks_list_holds_shows_in_a_log_or_on_the_disk() {
    use DoubleTickFault::{Cut, ErrorInside, Nothing, WrongTypes};
    let doubletick = FakeDoubleTick::start(&["919000000000"]);
    doubletick.chat_arrives(CHAT, NAME, PHONE, "919000000000");
    doubletick.chat_arrives("other", NAME, "77001234568", "919000000000");
    doubletick.assign("other", AGENT, "77001234569");
    doubletick.fail_next_lists(&[Cut, Nothing, ErrorInside, Nothing, WrongTypes]);
    let clinic = clinic()
        .with("DOUBLETICK_API_URL", doubletick.url())
        .with("DOUBLETICK_API_KEY", API_KEY)
        .with("ASK_SECONDS", "1");
    let service = clinic.open();
    let give_up = Instant::now() + PATIENCE;
    while doubletick.requests("/chats").len() < 8 {
        assert!(Instant::now() < give_up, "DoubleTick was not asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    clinic.wait_for_headline("1 more chat without an agent").await;
    let pages =
        [service.ready().await.to_string(), service.get("/metrics").await.text().await.unwrap()];
    assert_silent("what is told of the list", &(pages.concat() + &service.log()));
    let (log, files) = (service.log(), clinic.files());
    for words in ["words-of-a-patient", "7700123456"] {
        assert!(!log.contains(words), "the log shows {words}");
        let is_kept = files.windows(words.len()).any(|bytes| bytes == words.as_bytes());
        assert!(!is_kept, "the disk holds {words}");
    }
}

#[tokio::test]
async fn no_crash_and_no_start_that_fails_shows_anything() {
    let clinic = clinic().without("SUMMARY_NAME");
    let mut service = clinic.open();
    service.wait_for_sheet("delivering").await;
    clinic.google.outage(true);
    for n in 0..5 {
        service.take(&marked(n)).await;
    }
    service.leaves_rows_behind();
    let before = service.log();
    service.kill();
    assert_silent("the log before the crash", &before);
    let service = clinic.open();
    assert_ended_silent("a second process", &clinic.run(&[]));
    clinic.google.heal();
    clinic.expect_rows(5);
    service.drained().await;
    assert_log_silent(&service);
    assert!(service.stop("TERM").success());

    let garbage = format!("{NAME} {PHONE}").repeat(500);
    std::fs::write(clinic.dir.path().join("journal.sqlite3"), garbage).unwrap();
    let ended = clinic.run(&[]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert_ended_silent("a damaged journal", &ended);
    for name in [
        "SPREADSHEET_ID",
        "GOOGLE_CREDENTIALS_JSON",
        "TIMEZONE",
        "PORT",
        "HOST",
        "ALARM_WEBHOOK_URL",
        "SHEETS_API_URL",
        "DOUBLETICK_API_URL",
        "LOG_FORMAT",
    ] {
        let wrong = self::clinic().with(name, &format!("{NAME} / {API_KEY}"));
        assert_ended_silent(name, &wrong.run(&["check"]));
    }
    let wrong = self::clinic().with("WEBHOOK_SECRET", "CanaryName");
    assert_ended_silent("WEBHOOK_SECRET", &wrong.run(&[]));
}

#[tokio::test]
async fn what_is_delivered_of_someone_who_waits_no_more_is_gone_from_the_disk() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.wait_for_sheet("delivering").await;
    clinic.google.outage(true);
    service.take(&marked(0)).await;
    let on_disk = |clinic: &Clinic| {
        let files = clinic.files();
        [NAME, PHONE, CHAT]
            .into_iter()
            .find(|canary| files.windows(canary.len()).any(|bytes| bytes == canary.as_bytes()))
    };
    assert!(on_disk(&clinic).is_some(), "acknowledged and not on disk");
    // Who waits stays on the disk as long as on the board.
    service.take(&taken(0)).await;
    clinic.google.heal();
    clinic.expect_rows(1);
    service.drained().await;
    gone(&clinic, on_disk).await;
    assert!(service.stop("TERM").success());
    assert_eq!(on_disk(&clinic), None, "stopped and still on disk");

    // Set aside it is still there, and gone when it was tried again and written.
    let service = clinic.open();
    service.settled().await;
    clinic.google.fail_next_write(Fault::Refuse(Refusal::CellTooLong400));
    service.take(&marked(1)).await;
    service.drained().await;
    service.take(&taken(1)).await;
    assert!(on_disk(&clinic).is_some(), "set aside and not on disk");
    assert!(clinic.run(&["set-aside", "retry"]).status.success());
    clinic.expect_rows(2);
    service.drained().await;
    gone(&clinic, on_disk).await;
    assert!(service.stop("TERM").success());
    assert_eq!(on_disk(&clinic), None, "stopped and still on disk");
}

async fn gone(clinic: &Clinic, on_disk: impl Fn(&Clinic) -> Option<&'static str>) {
    let give_up = Instant::now() + PATIENCE;
    while on_disk(clinic).is_some() {
        assert!(Instant::now() < give_up, "delivered and still on disk");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
