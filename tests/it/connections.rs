//! Connections: nobody holds one for long, and nobody keeps the others out by holding many.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::harness::{Clinic, SECRET, Service, http, unassigned};

/// A connection is gone within so long after its last byte.
const HELD_MAX: Duration = Duration::from_secs(30);
/// Descriptors of the service; far fewer than connections that are held.
const DESCRIPTORS: usize = 256;
const HELD: usize = 400;

const CHUNKED: &str = "host: x\r\ntransfer-encoding: chunked\r\n\r\n";

/// Connects and sends this; `None` where it was closed meanwhile.
fn hold(address: SocketAddr, bytes: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(bytes).ok()?;
    Some(stream)
}

/// Reads until the other side closes; gives the answer. Fails when it does not close in time.
#[track_caller]
fn closed(mut stream: TcpStream, within: Duration) -> String {
    let give_up = Instant::now() + within;
    let mut answer = Vec::new();
    loop {
        let left = give_up.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "held: {}", String::from_utf8_lossy(&answer));
        stream.set_read_timeout(Some(left)).unwrap();
        let mut piece = [0; 4_096];
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&piece[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// What to send so that a connection stays open where nobody looks after it.
fn kinds() -> [(&'static str, String); 6] {
    [
        ("401", format!("POST /webhooks/doubletick/wrong HTTP/1.1\r\n{CHUNKED}")),
        ("404", format!("POST /nowhere HTTP/1.1\r\n{CHUNKED}")),
        ("200", format!("GET /healthz HTTP/1.1\r\n{CHUNKED}")),
        ("408", format!("POST /webhooks/doubletick/{SECRET} HTTP/1.1\r\n{CHUNKED}")),
        ("303", format!("POST /check HTTP/1.1\r\n{CHUNKED}")),
        // The server limits the first head of a connection, and only that one.
        ("200", "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /heal".to_owned()),
    ]
}

/// The last kind is idle to the server, and kept as long as idle ones are.
fn timed_kinds() -> impl Iterator<Item = (&'static str, String)> {
    kinds().into_iter().take(5)
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_closes_the_connection() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let held: Vec<_> = timed_kinds()
        .map(|(status, bytes)| (status, hold(service.address, bytes.as_bytes()).unwrap()))
        .collect();
    for (status, stream) in held {
        let answer = closed(stream, HELD_MAX);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_second_head_that_does_not_come_whole_is_not_waited_for() {
    let clinic = Clinic::new();
    let service = clinic.open();
    let mut stream = hold(service.address, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    stream.write_all(b"GET /heal").unwrap();
    closed(stream, HELD_MAX);
}

/// It used to be read on for as long as it came: gigabytes in seconds.
#[tokio::test]
async fn a_body_without_an_end_is_not_read_on_after_the_answer() {
    let clinic = Clinic::new();
    let service = clinic.open();
    for (_, head) in timed_kinds() {
        let mut stream = hold(service.address, head.as_bytes()).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
        let chunk = [b"2000\r\n".to_vec(), vec![b'x'; 8_192], b"\r\n".to_vec()].concat();
        let mut sent = 0;
        while sent < 64 << 20 && stream.write_all(&chunk).is_ok() {
            sent += chunk.len();
        }
        // What the system buffers on both sides is more than what is read.
        assert!(sent < 32 << 20, "{sent} bytes were taken of {head}");
    }
}

/// Fast clients send the whole body before they look at the answer, and must get it.
#[tokio::test]
async fn a_refused_body_that_ends_is_answered_and_not_reset() {
    let clinic = Clinic::new();
    let service = clinic.open();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(service.address).unwrap();
        let head = format!("POST /webhooks/doubletick/{SECRET} HTTP/1.1\r\n{CHUNKED}");
        stream.write_all(head.as_bytes()).unwrap();
        for _ in 0..12 {
            stream
                .write_all(&[b"2000\r\n".to_vec(), vec![b'x'; 8_192], b"\r\n".to_vec()].concat())
                .unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        let answer = closed(stream, HELD_MAX);
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
}

/// How long real webhooks take, each on a connection of its own.
async fn slowest(service: &Service) -> Duration {
    let mut slowest = Duration::ZERO;
    for n in 0..20 {
        let started = Instant::now();
        let request = http().post(service.webhook()).header("content-type", "application/json");
        let answer = request.body(unassigned(&format!("chat_{n}")).to_string()).send().await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
        slowest = slowest.max(started.elapsed());
    }
    slowest
}

#[tokio::test]
async fn many_held_connections_keep_no_webhook_out() {
    let clinic = Clinic::new().with_descriptors(DESCRIPTORS);
    let service = clinic.open();
    service.settled().await;
    for (status, bytes) in kinds() {
        let held: Vec<_> =
            (0..HELD).filter_map(|_| hold(service.address, bytes.as_bytes())).collect();
        let slowest = slowest(&service).await;
        // A debug build, beside other tests; what was found took minutes.
        assert!(slowest < Duration::from_secs(1), "{slowest:?} behind {} of {status}", held.len());
        let open = std::fs::read_dir(format!("/proc/{}/fd", service.process_id())).unwrap().count();
        assert!(open < DESCRIPTORS * 4 / 5, "{open} descriptors of {DESCRIPTORS} are open");
    }
    clinic.expect_rows(20);
    service.drained().await;
}

/// An event that is being sent is not cut off, however many come after it without the secret.
#[tokio::test]
async fn a_request_with_the_secret_does_not_give_way_to_strangers() {
    let clinic = Clinic::new().with_descriptors(DESCRIPTORS);
    let service = clinic.open();
    let body = unassigned("chat_slow").to_string();
    let (first, rest) = body.split_at(20);
    let length = body.len();
    let head = format!(
        "POST /webhooks/doubletick/{SECRET} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut slow = hold(service.address, format!("{head}{first}").as_bytes()).unwrap();
    // Answered only after the slow one's head has been read: on as many connections as there are workers.
    slowest(&service).await;
    let (_, bytes) = &kinds()[0];
    let held: Vec<_> = (0..HELD).filter_map(|_| hold(service.address, bytes.as_bytes())).collect();
    slow.write_all(rest.as_bytes()).unwrap();
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(held);
    clinic.expect_rows(21);
    service.drained().await;
}
