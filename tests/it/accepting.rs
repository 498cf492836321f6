//! What is taken, what is refused, and what an answer means.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Clinic, SECRET, Service, http, unassigned};

async fn status_of(service: &Service, content_type: &str, body: impl Into<reqwest::Body>) -> u16 {
    service.post(content_type, body).await.status().as_u16()
}

#[tokio::test]
async fn every_dress_of_the_same_event_becomes_a_row() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let of = |chat: &str| unassigned(chat).to_string();
    let form = |chat: &str| format!("chatId={chat}&customerPhone=%2B919111222333&wabaNumber=null");
    let multipart =
        "--b\r\ncontent-disposition: form-data; name=\"chatId\"\r\n\r\nmultipart\r\n--b--\r\n";
    let dresses: [(&str, String); 9] = [
        ("application/json", of("json")),
        ("text/plain", of("plain")),
        ("", of("untyped")),
        ("application/x-www-form-urlencoded", of("json in a form's type")),
        ("application/json", format!("[{}]", of("array"))),
        ("application/json", json!({ "data": unassigned("data") }).to_string()),
        ("application/json", json!({ "payload": unassigned("payload"), "x": 1 }).to_string()),
        ("application/x-www-form-urlencoded", form("form")),
        ("multipart/form-data; boundary=b", multipart.to_owned()),
    ];
    let count = dresses.len();
    for (content_type, body) in dresses {
        let answer = service.post(content_type, body).await;
        let words: Value = answer.json().await.unwrap();
        assert_eq!(words["status"], "accepted", "{content_type}");
        assert!(!words["event_id"].as_str().unwrap().is_empty());
    }
    clinic.expect_rows(count);
    service.drained().await;
    let chats = clinic.chats();
    assert!(chats.contains(&"form".to_owned()) && chats.contains(&"multipart".to_owned()));
}

#[tokio::test]
async fn any_one_of_the_three_ids_is_enough_and_numbers_are_texts() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&json!({ "chatId": 12345678901234567_u64, "customerPhone": null })).await;
    let named = |mut body: Value| {
        body["event"] = json!("CHAT_UNASSIGNED");
        body
    };
    service.take(&named(json!({ "dtCustomerId": "customer_1", "wabaNumber": "" }))).await;
    service.take(&named(json!({ "customerPhone": 919111222333_u64, "chatId": "null" }))).await;
    clinic.expect_rows(3);
    service.drained().await;
    assert_eq!(clinic.google.column("Unassigned chats", "Chat ID")[0], "12345678901234567");
    let rows = clinic.rows();
    assert_eq!(rows[2][2], "919111222333");
    let nobody = service.take(&json!({ "wabaNumber": "+919000000000" })).await;
    assert_eq!(nobody["status"], "unrecognised");
    // Without a name it could be any event of that customer.
    let nameless = service.take(&json!({ "dtCustomerId": "customer_2" })).await;
    assert_eq!(nameless["status"], "unrecognised");
    assert!(service.log().contains("bodies of no shape"), "{}", service.log());
    assert_eq!(service.metrics().await["unrecognised_total"], 2.0);
    // And the patient's words are not kept, whoever passes them on.
    let raw = json!({ "object": "whatsapp_business_account", "entry": [{ "text": "in pain" }] });
    assert_eq!(service.take(&raw).await["status"], "ignored");
    assert_eq!(service.metrics().await["unrecognised_total"], 2.0);
}

#[tokio::test]
async fn a_resend_is_the_first_event_and_adds_no_row() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let first = service.take(&unassigned("chat_1")).await;
    let again = service.take(&unassigned("chat_1")).await;
    assert_eq!((&again["status"], &again["event_id"]), (&json!("duplicate"), &first["event_id"]));
    service.drained().await;
    service.kill();
    let service = clinic.open();
    let after_a_crash = service.take(&unassigned("chat_1")).await;
    assert_eq!(after_a_crash["status"], "duplicate");
    assert_eq!(after_a_crash["event_id"], first["event_id"]);
    service.drained().await;
    assert_eq!(clinic.rows().len(), 1);
}

#[tokio::test]
async fn taken_and_dropped_again_within_the_window_is_two_rows() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.take(&unassigned("chat_1")).await;
    service
        .take(&json!({ "chatId": "chat_1", "assignedUserId": "u", "assignedUserName": "Asha",
                       "assignedUserPhone": "+91980", "customerPhone": "+919111222333",
                       "dtCustomerId": "customer_chat_1", "message": { "text": "x" } }))
        .await;
    let second = service.take(&unassigned("chat_1")).await;
    assert_eq!(second["status"], "accepted");
    clinic.expect_rows(2);
    service.drained().await;
}

#[tokio::test]
async fn a_body_with_its_own_time_is_the_same_event_whatever_came_between() {
    let clinic = Clinic::new().with("DEDUPE_WINDOW_SECONDS", "0");
    let service = clinic.open();
    let mut timed = unassigned("chat_1");
    timed["timestamp"] = json!("2026-06-10T08:30:00.000Z");
    let first = service.take(&timed).await;
    service.take(&unassigned("chat_1")).await;
    let again = service.take(&timed).await;
    assert_eq!((&again["status"], &again["event_id"]), (&json!("duplicate"), &first["event_id"]));
    clinic.expect_rows(2);
    service.drained().await;
    // 08:30 in London's winter is 14:00 in the spreadsheet's zone.
    assert_eq!(clinic.rows()[0][0], "2026-06-10 14:00:00");
}

#[tokio::test]
async fn only_who_knows_the_secret_comes_in() {
    let clinic = Clinic::new().with("WEBHOOK_SECRET", &format!("{SECRET},another-secret-of-tests"));
    let service = clinic.open();
    let post = |path: &str, bearer: Option<&str>| {
        let mut request = http().post(service.url(path)).body(unassigned("chat_1").to_string());
        if let Some(bearer) = bearer {
            request = request.header("authorization", bearer);
        }
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let path = "/webhooks/doubletick";
    assert_eq!(post(path, None).await, 401);
    assert_eq!(post(&format!("{path}/"), None).await, 401);
    assert_eq!(post(&format!("{path}/wrong-secret-of-tests"), None).await, 401);
    assert_eq!(post(&format!("{path}/{SECRET}x"), None).await, 401);
    assert_eq!(post(path, Some("Bearer wrong")).await, 401);
    assert_eq!(post(path, Some(&format!("Basic {SECRET}"))).await, 401);
    assert_eq!(post(&format!("{path}/wrong"), Some(&format!("Bearer {SECRET}"))).await, 401);
    assert_eq!(post(path, Some(&format!("Bearer {SECRET}"))).await, 200);
    assert_eq!(post(&format!("{path}/another-secret-of-tests"), None).await, 200);
    assert_eq!(post(&format!("{path}/{SECRET}/"), None).await, 200);
    assert_eq!(post(&format!("{path}/{SECRET}?event=CHAT_UNASSIGNED"), None).await, 200);
    service.drained().await;
    assert_eq!(clinic.rows().len(), 1);
    assert_eq!(service.metrics().await["refused_total{reason=\"secret\"}"], 7.0);
}

#[tokio::test]
async fn the_secret_is_compared_before_the_body_is_read() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let mut stream = TcpStream::connect(service.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The body never comes; the answer does.
    let head = "POST /webhooks/doubletick/wrong HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[tokio::test]
async fn bad_input_gets_the_right_answer_and_echoes_nothing() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let marked = "MARKED-INPUT";
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let json_type = "application/json";
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        (json_type, format!("{{\"{marked}\": ").into(), 400),
        (json_type, marked.into(), 400),
        (json_type, Vec::new(), 400),
        (json_type, deep.into(), 400),
        (json_type, [b"{\"chatId\":\"".as_slice(), &[0xff, 0xfe], b"\"}"].concat(), 400),
        ("text/csv", marked.into(), 400),
        ("multipart/form-data", marked.into(), 400),
        ("multipart/form-data; boundary=b", format!("--b\r\n{marked}").into(), 400),
        (json_type, format!("{{\"a\":\"{}\"}}", marked.repeat(6_000)).into(), 413),
        (json_type, format!("{{\"x\":\"{marked}\"}}").into(), 200),
        (json_type, format!("[\"{marked}\", 2]").into(), 200),
        (json_type, "null".into(), 200),
    ];
    for (content_type, body, expected) in cases {
        let answer = service.post(content_type, body.clone()).await;
        let status = answer.status().as_u16();
        let words = answer.text().await.unwrap();
        let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(status, expected, "{start}: {words}");
        assert!(!words.contains(marked), "echoed: {words}");
    }
    for method in [reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::DELETE] {
        let answer = http().request(method, service.webhook()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        let of = |method| http().request(method, service.url(path)).send();
        assert_eq!(of(reqwest::Method::HEAD).await.unwrap().status(), StatusCode::OK);
        let posted = of(reqwest::Method::POST).await.unwrap();
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(service.get("/nothing").await.status(), StatusCode::NOT_FOUND);
    assert!(!service.log().contains(marked));
    service.take(&unassigned("still fine")).await;
    clinic.expect_rows(1);
    service.drained().await;
}

#[tokio::test]
async fn a_body_without_a_length_is_bounded_too() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let mut stream = TcpStream::connect(service.address).unwrap();
    let path = format!("/webhooks/doubletick/{SECRET}");
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..8 {
        // The service may have answered and closed already.
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn slow_clients_do_not_stop_good_ones() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let path = format!("/webhooks/doubletick/{SECRET}");
    let half = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{{\"cha");
    let slow: Vec<TcpStream> = (0..300)
        .map(|n| {
            let mut stream = TcpStream::connect(service.address).unwrap();
            let part = if n % 2 == 0 { half.as_bytes() } else { b"POST /web" };
            stream.write_all(part).unwrap();
            stream
        })
        .collect();
    let answered = tokio::time::timeout(Duration::from_secs(5), async {
        for n in 0..20 {
            service.take(&unassigned(&format!("good_{n}"))).await;
        }
    });
    answered.await.unwrap();
    drop(slow);
    clinic.expect_rows(20);
    service.drained().await;
}

#[tokio::test]
async fn a_full_journal_refuses_with_a_time_to_come_back() {
    let clinic = Clinic::new().with("MAX_PENDING_ROWS", "3");
    clinic.google.outage(true);
    let service = clinic.open();
    for n in 0..3 {
        service.take(&unassigned(&format!("chat_{n}"))).await;
    }
    let answer = service.post("application/json", unassigned("chat_9").to_string()).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(service.get("/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.take(&unassigned("chat_2")).await["status"], "duplicate");
    clinic.google.heal();
    clinic.expect_rows(3);
    service.drained().await;
    assert_eq!(service.take(&unassigned("chat_9")).await["status"], "accepted");
    clinic.expect_rows(4);
    service.drained().await;
}

#[tokio::test]
async fn events_that_say_nothing_of_who_waits_are_ignored_without_a_write() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let events = [
        (json!({ "event": "ASSIGNED_AGENT_STATUS_CHANGED", "status": "OFFLINE" }), "agent_status"),
        (json!({ "event": "CALL_ENDED", "callId": "1", "chatId": "chat_1" }), "call"),
        (json!({ "from": "9191", "to": "9190", "messageId": "m", "text": "hello" }), "message"),
        (json!({ "tagAdded": true, "customerPhone": "+919111222333" }), "tag"),
    ];
    for (event, family) in events {
        let words = service.take(&event).await;
        assert_eq!(words["status"], "ignored", "{event}");
        let counted = format!("ignored_total{{family=\"{family}\"}}");
        assert_eq!(service.metrics().await[&counted], 1.0);
    }
    assert_eq!(status_of(&service, "application/json", r#"{"event":"NEW_THING"}"#).await, 200);
    let metrics = service.metrics().await;
    assert_eq!((metrics["accepted_total"], metrics["unrecognised_total"]), (0.0, 1.0));
}

#[tokio::test]
async fn a_secret_may_contain_anything_that_can_be_encoded() {
    let clinic = Clinic::new().with("WEBHOOK_SECRET", "s3cret/with+odd=and%20more?&");
    let service = clinic.open();
    let encoded = "s3cret%2Fwith%2Bodd%3Dand%2520more%3F%26";
    let url = service.url(&format!("/webhooks/doubletick/{encoded}"));
    let answer = http().post(url).body(unassigned("chat_1").to_string()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    service.drained().await;
}

#[tokio::test]
async fn noise_from_strangers_alarms_nobody() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let noises: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nx y: z\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET /\x00 HTTP/9.9\r\n\r\n",
    ];
    for noise in noises {
        let mut stream = TcpStream::connect(service.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(noise).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // However it ends, it ends.
        drop(stream.read_to_end(&mut Vec::new()));
    }
    assert_eq!(service.get("/healthz").await.status(), StatusCode::OK);
    assert!(!service.log().contains("ERROR"), "{}", service.log());
}

#[tokio::test]
async fn a_compressed_body_is_refused_with_what_to_do() {
    let clinic = Clinic::new();
    let service = clinic.open();
    for coding in ["gzip", "deflate", "br", "identity, gzip"] {
        let request = http().post(service.webhook()).header("content-encoding", coding);
        let answer = request.body(unassigned("chat_1").to_string()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(answer.headers()["accept-encoding"], "identity");
        let told = answer.text().await.unwrap();
        assert!(told.contains("without Content-Encoding"), "{told}");
    }
    let request = http().post(service.webhook()).header("content-encoding", "identity");
    let answer = request.body(unassigned("chat_1").to_string()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(service.metrics().await["refused_total{reason=\"encoding\"}"], 4.0);
    clinic.expect_rows(1);
    service.drained().await;
}

#[tokio::test]
async fn events_sent_to_a_wrong_address_are_counted_and_said_once() {
    let clinic = Clinic::new();
    let service = clinic.open();
    for path in [
        &format!("//webhooks/doubletick/{SECRET}"),
        &format!("/webhook/doubletick/{SECRET}"),
        &format!("/webhooks/{SECRET}"),
        &format!("/Webhooks/DoubleTick/{SECRET}"),
    ] {
        let answer = http().post(service.url(path)).body("{}").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    http().post(service.url("/wp-login.php")).body("x").send().await.unwrap();
    let metrics = service.metrics().await;
    assert_eq!(metrics["refused_total{reason=\"wrong_address\"}"], 4.0);
    assert_eq!(metrics["refused_total{reason=\"not_found\"}"], 1.0);
    let log = service.log();
    assert_eq!(log.matches("nearly the webhook's").count(), 1, "{log}");
    assert!(!log.contains(SECRET), "{log}");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.build().unwrap();
    let form = format!("secret={SECRET}");
    let request = client.post(service.url("/sign-in"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(form).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    let page = client.get(service.url("/")).header("cookie", cookie).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("(4 since the start)"), "{page}");
}
