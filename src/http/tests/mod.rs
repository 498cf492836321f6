//! The door's promises: who comes in, which bodies are read, and what each is answered.

mod body;
mod door;

use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{Bytes, Data};
use actix_web::{App, http};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chat::memory::Rules;
use crate::chat::route::{Destination, Routes};
use crate::chat::time::UnixMs;
use crate::http::door::Door;
use crate::http::secret::Secrets;
use crate::http::webhook::body::BODY_BYTES_MAX;
use crate::http::{Shared, WEBHOOK_PATH, routes};
use crate::journal::{Journal, Limits};
use crate::operator::{About, Operator};
use crate::status::{SheetState, Status};

const SECRET: &str = "opens-the-door-0001";
/// Stands for what patients write: no answer may repeat it.
const CANARY: &str = "c4n4ry";
const NOW: UnixMs = UnixMs(1_782_901_800_000);

/// The routes over a journal of its own.
struct House {
    door: Door,
    status: Arc<Status>,
    _dir: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: http::header::HeaderMap,
    text: String,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

/// What the routes share, over a journal of its own.
fn shared(pending_rows_max: u64) -> (Shared, Arc<Status>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let rules = Rules { resend_window_ms: 120_000, retention_ms: 86_400_000 };
    let place = Destination { spreadsheet: "1spreadsheet".into(), title: "Log".into() };
    let limits = Limits { pending_rows_max, rules };
    let journal = Journal::open(dir.path(), limits, Routes::new(place, Vec::new())).unwrap();
    let secrets = [SecretString::from(SECRET), SecretString::from("with/slash+plus=")];
    let secrets = Secrets::new(&secrets);
    let about = About {
        account: Some("robot@clinic.example".to_owned()),
        spreadsheets: Vec::new(),
        webhook_secret: SecretString::from(SECRET),
        public_url: None,
        has_doubletick_key: false,
    };
    let operator = Arc::new(Operator::new(about));
    let status = Arc::new(Status::default());
    let shared = Shared::new(journal, Arc::clone(&status), secrets, None, operator, || NOW);
    (shared, status, dir)
}

impl House {
    fn new() -> Self {
        Self::with_room_for(1_000)
    }

    fn with_room_for(pending_rows_max: u64) -> Self {
        let (shared, status, dir) = shared(pending_rows_max);
        let door = Door::closed("starting".to_owned());
        door.open(shared);
        Self { door, status, _dir: dir }
    }

    async fn call(&self, request: TestRequest) -> Answer {
        let app = App::new().app_data(Data::new(self.door.clone())).configure(routes);
        let app = init_service(app).await;
        let response = call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body()).await.unwrap();
        Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// An event from a sender who knows the secret.
    async fn send(&self, body: impl Into<Bytes>) -> Answer {
        self.call(at(&format!("/{SECRET}")).set_payload(body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(TestRequest::get().uri(path)).await
    }

    async fn metric(&self, line: &str) -> bool {
        let line = format!("doubletick_sheets_{line}");
        self.get("/metrics").await.text.lines().any(|shown| shown == line)
    }
}

/// A request for the webhook, from this part of its address on.
fn at(rest: &str) -> TestRequest {
    TestRequest::post().uri(&format!("{WEBHOOK_PATH}{rest}"))
}

fn unassigned(chat: &str) -> String {
    json!({ "chatId": chat, "customerPhone": "+919111222333", "customerName": CANARY }).to_string()
}

fn multipart(fields: &[(&str, &str)]) -> String {
    let parts = fields.iter().map(|(name, value)| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    });
    parts.collect::<String>() + "--edge--\r\n"
}

#[actix_web::test]
async fn the_secret_in_the_address_opens_the_door() {
    let house = House::new();
    let answer = house.send(unassigned("chat_1")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["status"], "accepted");
    assert!(answer.json()["event_id"].as_str().unwrap().ends_with("-1"), "{}", answer.text);
}

#[actix_web::test]
async fn a_secret_with_the_characters_of_base64_opens_the_door() {
    let house = House::new();
    let answer = house.call(at("/with/slash+plus=").set_payload(unassigned("chat_1"))).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_bearers_secret_opens_the_door_where_the_address_has_none() {
    let house = House::new();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = at("").insert_header((AUTHORIZATION, format!("{scheme} {SECRET}")));
        let answer = house.call(request.set_payload(unassigned(scheme))).await;
        assert_eq!(answer.status, StatusCode::OK, "{scheme}");
    }
    let request = at("/wrong").insert_header((AUTHORIZATION, format!("Bearer {SECRET}")));
    let answer = house.call(request.set_payload(unassigned("chat_1"))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a wrong secret is not made up for");
}

#[actix_web::test]
async fn without_the_secret_nobody_comes_in() {
    let house = House::new();
    let wrong = [
        at(""),
        at("/wrong"),
        at(&format!("/{SECRET}x")),
        at(&format!("/{}", SECRET.to_uppercase())),
        at(&format!("/x/{SECRET}")),
        at(&format!("?secret={SECRET}")),
        at("").insert_header((AUTHORIZATION, "Bearer wrong")),
        at("").insert_header((AUTHORIZATION, "Bearer ")),
        at("").insert_header((AUTHORIZATION, format!("Basic {SECRET}"))),
        at("").insert_header((AUTHORIZATION, SECRET)),
    ];
    let count = wrong.len();
    for request in wrong {
        let answer = house.call(request.set_payload(unassigned("chat_1"))).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(!answer.text.contains(SECRET) && !answer.text.contains(CANARY), "{}", answer.text);
    }
    assert!(house.metric(&format!("refused_total{{reason=\"secret\"}} {count}")).await);
    assert!(house.metric("accepted_total 0").await);
}

#[actix_web::test]
async fn a_wrong_secret_is_refused_before_the_body_is_looked_at() {
    let house = House::new();
    let answer = house.call(at("/wrong").set_payload(vec![0xff; BODY_BYTES_MAX + 1])).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_resend_is_answered_with_the_first_ones_id() {
    let house = House::new();
    let first = house.send(unassigned("chat_1")).await.json();
    let spaced = unassigned("chat_1").replace(',', " ,\n");
    let again = house.send(spaced).await.json();
    assert_eq!(again["status"], "duplicate");
    assert_eq!(again["event_id"], first["event_id"]);
    assert!(house.metric("accepted_total 1").await);
    assert!(house.metric("duplicate_total 1").await);
}

#[actix_web::test]
async fn an_event_that_we_do_not_act_on_is_answered_with_the_reason() {
    let house = House::new();
    let body = json!({ "event": "CALL_MISSED", "chatId": "chat_1", "customerName": CANARY });
    let answer = house.send(body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let expected = json!({ "status": "ignored", "reason": "call events are not acted on" });
    assert_eq!(answer.json(), expected);
    assert!(house.metric("ignored_total{family=\"call\"} 1").await);
}

#[actix_web::test]
async fn a_body_of_no_known_shape_is_kept_and_counted() {
    let house = House::new();
    for body in [json!({ "hello": CANARY }), json!([1, 2]), json!(CANARY), json!(null)] {
        let answer = house.send(body.to_string()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, json!({ "status": "unrecognised" }))
        );
    }
    assert!(house.metric("unrecognised_total 4").await);
}

#[actix_web::test]
async fn the_address_may_name_the_event() {
    let house = House::new();
    let send = async |query: &str, body: &str| {
        let request = at(&format!("/{SECRET}?{query}")).set_payload(body.to_owned());
        house.call(request).await.json()["status"].as_str().unwrap().to_owned()
    };
    let message = json!({ "from": "91", "to": "92", "dtCustomerId": "customer_1" }).to_string();
    assert_eq!(send("", &message).await, "ignored");
    assert_eq!(send("event=CHAT_UNASSIGNED", &message).await, "accepted");
    assert_eq!(send("a=b&event=chat%2Dassigned_to_agent", &message).await, "accepted");
    assert_eq!(send("event=CALL_ENDED", &unassigned("chat_1")).await, "ignored");
    assert_eq!(send("event=UNKNOWN", &unassigned("chat_1")).await, "accepted");
}

#[actix_web::test]
async fn forms_become_events_too() {
    let house = House::new();
    let form = at(&format!("/{SECRET}"))
        .insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded"));
    let answer = house.call(form.set_payload("chatId=c&customerPhone=null&wabaNumber=%2B91")).await;
    assert_eq!(answer.json()["status"], "accepted");

    let parts = at(&format!("/{SECRET}"));
    let parts = parts.insert_header((CONTENT_TYPE, "multipart/form-data; boundary=edge"));
    let wrapped = multipart(&[("payload", "{\"chatId\":\"d\"}")]);
    assert_eq!(house.call(parts.set_payload(wrapped)).await.json()["status"], "accepted");
    assert!(house.metric("accepted_total 2").await);
}

#[actix_web::test]
async fn a_body_is_read_up_to_64_kib_and_no_further() {
    let house = House::new();
    let padded = |bytes: usize| {
        let body = unassigned("chat_1");
        body.clone() + &" ".repeat(bytes - body.len())
    };
    assert_eq!(house.send(padded(64 * 1024)).await.status, StatusCode::OK);
    for announced in [None, Some(64 * 1024 + 1)] {
        let mut request = at(&format!("/{SECRET}")).set_payload(padded(64 * 1024 + 1));
        if let Some(length) = announced {
            request = request.insert_header((http::header::CONTENT_LENGTH, length));
        }
        let answer = house.call(request).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(!answer.text.contains(CANARY), "{}", answer.text);
    }
    assert!(house.metric("refused_total{reason=\"size\"} 2").await);
    assert!(house.metric("accepted_total 1").await);
}

#[actix_web::test]
async fn a_bad_body_is_told_what_is_wrong_without_hearing_it_back() {
    let house = House::new();
    let mut bodies: Vec<Vec<u8>> = [
        format!("{{\"chatId\":\"{CANARY}"),
        format!("{{\"{CANARY}\": oops}}"),
        format!("{CANARY}=1"),
        format!("{}\"{CANARY}\"{}", "[".repeat(5_000), "]".repeat(5_000)),
        String::new(),
    ]
    .map(String::into_bytes)
    .into();
    bodies.push([CANARY.as_bytes(), b"\xff\xfe"].concat());
    let count = bodies.len();
    for body in bodies {
        let answer = house.send(body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(!answer.text.contains(CANARY), "{}", answer.text);
        assert!(answer.json()["error"].as_str().unwrap().starts_with("the body is"));
    }
    assert!(house.metric(&format!("refused_total{{reason=\"body\"}} {count}")).await);
}

#[actix_web::test]
async fn no_answer_repeats_what_a_patient_wrote() {
    let house = House::new();
    let named = json!({ "event": CANARY, "chatId": CANARY }).to_string();
    for body in [unassigned(CANARY), unassigned(CANARY), named] {
        let answer = house.call(at(&format!("/{SECRET}?event={CANARY}")).set_payload(body)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.text.contains(CANARY), "{}", answer.text);
    }
    for path in ["/metrics", "/readyz", "/healthz", "/c4n4ry"] {
        let shown = house.get(path).await.text;
        assert!(!shown.contains(CANARY) && !shown.contains("919111222333"), "{path}: {shown}");
    }
}

#[actix_web::test]
async fn events_come_with_post_only() {
    let house = House::new();
    for method in [http::Method::GET, http::Method::PUT, http::Method::DELETE, http::Method::PATCH]
    {
        for path in [WEBHOOK_PATH.to_owned(), format!("{WEBHOOK_PATH}/{SECRET}")] {
            let answer = house.call(TestRequest::default().method(method.clone()).uri(&path)).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(answer.headers.get(ALLOW).unwrap(), "POST");
        }
    }
    assert_eq!(house.get("/nothing").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/webhooks").await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn a_full_journal_refuses_rows_says_when_to_come_again_and_still_knows_resends() {
    let house = House::with_room_for(1);
    let first = house.send(unassigned("chat_1")).await.json();
    let answer = house.send(unassigned("chat_2")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers.get(RETRY_AFTER).unwrap(), "60");
    assert!(house.metric("refused_total{reason=\"full\"} 1").await);
    assert_eq!(house.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);

    let again = house.send(unassigned("chat_1")).await.json();
    assert_eq!((&again["status"], &again["event_id"]), (&json!("duplicate"), &first["event_id"]));
    let opened = json!({ "dtCustomerId": "c", "conversationOpened": true }).to_string();
    assert_eq!(house.send(opened).await.json()["status"], "accepted", "it takes no room");
}

#[actix_web::test]
async fn a_broken_sheet_is_told_and_no_reason_to_refuse_events() {
    let house = House::new();
    assert_eq!(house.get("/healthz").await.status, StatusCode::OK);
    house.status.set_sheet("default", SheetState::Parked("share the sheet".to_owned()));
    house.send(unassigned("chat_1")).await;
    let answer = house.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::OK);
    let ready = answer.json();
    assert_eq!((&ready["ready"], &ready["sheet"]), (&json!(true), &json!("parked")));
    assert_eq!((&ready["detail"], &ready["pending_rows"]), (&json!("share the sheet"), &json!(1)));
}

#[actix_web::test]
async fn the_metrics_add_up() {
    let house = House::new();
    for chat in ["chat_1", "chat_2", "chat_2"] {
        house.send(unassigned(chat)).await;
    }
    for line in
        ["accepted_total 2", "written_total 0", "pending 2", "set_aside 0", "ack_seconds_count 3"]
    {
        assert!(house.metric(line).await, "{line}");
    }
}

#[test]
fn secrets_show_only_how_many_they_are() {
    let secrets = Secrets::new(&[SecretString::from(SECRET)]);
    assert_eq!(format!("{secrets:?}"), "Secrets(1)");
}
