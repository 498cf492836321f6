//! Stopping: what was begun is answered, nobody is reset, and a restart under load loses no request. And
//! starting where the database does not answer.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Clinic, PATIENCE, SECRET, unassigned};

/// Nobody listens on port 1.
const NO_DATABASE: &str = "postgres://nobody@127.0.0.1:1/nothing";
const SENDERS: usize = 8;
const RESTARTS: usize = 4;

/// A sender that keeps its connection for as long as it is let, and comes again only where it is refused.
struct Sender {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Sender {
    fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    fn connected(&self) -> TcpStream {
        let give_up = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(self.address) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    return stream;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}"),
            }
            assert!(Instant::now() < give_up, "nobody listens any more");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends an event; fails where there is no answer, or it was not taken.
    fn send(&mut self, chat: &str) {
        let mut stream = self.stream.take().unwrap_or_else(|| self.connected());
        stream.write_all(request(chat).as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 4_096];
        while !answer.ends_with(b"}") {
            let bytes = stream.read(&mut piece).unwrap();
            assert!(bytes > 0, "closed without an answer");
            answer.extend_from_slice(&piece[..bytes]);
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("accepted"), "{answer}");
        if !answer.to_lowercase().contains("connection: close") {
            self.stream = Some(stream);
        }
    }
}

/// An event, as it travels.
fn request(chat: &str) -> String {
    let body = unassigned(chat).to_string();
    format!(
        "POST /webhooks/doubletick/{SECRET} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A port that nobody else has.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn restarts_under_load_lose_no_request() {
    let clinic = Clinic::new().with("PORT", &free_port().to_string());
    let mut service = clinic.open();
    let (address, is_over) = (service.address, Arc::new(AtomicBool::new(false)));
    let senders: Vec<_> = (0..SENDERS)
        .map(|number| {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                let (mut sender, mut sent) = (Sender::new(address), 0);
                while !is_over.load(Ordering::Relaxed) {
                    sender.send(&format!("chat_{number}_{sent}"));
                    sent += 1;
                    thread::sleep(Duration::from_millis(1));
                }
                sent
            })
        })
        .collect();
    for _ in 0..RESTARTS {
        // Each instance is under load for a moment.
        let taken = service.metrics().await["accepted_total"];
        while service.metrics().await["accepted_total"] < taken + 100.0 {
            assert!(!senders.iter().any(thread::JoinHandle::is_finished), "a sender failed");
        }
        assert!(service.stop("TERM").success());
        service = clinic.open();
    }
    is_over.store(true, Ordering::Relaxed);
    let sent: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
    assert_eq!(service.metrics().await["accepted_total"], sent as f64);
    service.leaves_rows_behind();
}

#[tokio::test]
async fn a_service_that_nobody_uses_stops_at_once() {
    let clinic = Clinic::new();
    let service = clinic.open();
    service.settled().await;
    let began = Instant::now();
    assert!(service.stop("TERM").success());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn while_the_database_does_not_answer_events_are_held_and_a_stop_says_to_come_again() {
    let clinic = Clinic::new().with("DATABASE_URL", NO_DATABASE);
    let service = clinic.open();
    let mut held = TcpStream::connect(service.address).unwrap();
    held.set_read_timeout(Some(PATIENCE)).unwrap();
    held.write_all(request("chat_1").as_bytes()).unwrap();
    assert_eq!(service.get("/healthz").await.status(), 200);
    for path in ["/readyz", "/"] {
        let told = service.get(path).await;
        assert_eq!(told.status(), 503, "{path}");
        assert!(told.text().await.unwrap().contains("the database does not answer"), "{path}");
    }
    held.set_nonblocking(true).unwrap();
    assert_eq!(held.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "it is held");
    held.set_nonblocking(false).unwrap();
    assert!(service.stop("TERM").success());
    let mut answer = String::new();
    held.read_to_string(&mut answer).unwrap();
    let answer = answer.to_lowercase();
    assert!(answer.starts_with("http/1.1 503") && answer.contains("retry-after: 5"), "{answer}");
}
