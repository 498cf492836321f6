//! The server over real sockets: it listens before the journal is open, and stops without losing a request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::http::door::Door;
use crate::http::server::{Server, listen, serve};
use crate::http::tests::{SECRET, shared, unassigned};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn started(door: &Door) -> (SocketAddr, Server) {
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    (address, serve(listener, door).unwrap())
}

fn waiting() -> Door {
    Door::closed("waiting for the database at db.example".to_owned())
}

fn connected(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

fn event(chat: &str) -> String {
    let (path, body) = (format!("/webhooks/doubletick/{SECRET}"), unassigned(chat));
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// One answer, head and body.
fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connected(address);
    stream.write_all(request.as_bytes()).unwrap();
    answer(&mut stream)
}

/// Does what blocks beside the server, whose threads need ours for nothing.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[actix_web::test]
async fn before_the_journal_is_open_events_wait_and_everybody_is_told_for_what() {
    let door = waiting();
    let (address, server) = started(&door);
    let sender = std::thread::spawn(move || ask(address, &event("chat_1")));
    let told =
        beside(move || ["/healthz", "/readyz", "/"].map(|path| ask(address, &get(path)))).await;
    let [health, ready, page] = told;
    assert!(health.starts_with("http/1.1 200"), "{health}");
    for told in [ready, page] {
        assert!(told.starts_with("http/1.1 503"), "{told}");
        assert!(told.contains("waiting for the database at db.example"), "{told}");
    }
    assert!(!sender.is_finished(), "nothing can be kept yet");
    let (shared, _, _dir) = shared(100);
    door.open(shared);
    let kept = beside(move || sender.join().unwrap()).await;
    assert!(kept.starts_with("http/1.1 200") && kept.contains("accepted"), "{kept}");
    let ready = beside(move || ask(address, &get("/readyz"))).await;
    assert!(ready.starts_with("http/1.1 200"), "{ready}");
    server.stop().await;
}

#[actix_web::test]
async fn who_still_waits_when_the_service_stops_is_told_to_come_again() {
    let door = waiting();
    let (address, server) = started(&door);
    let sender = std::thread::spawn(move || ask(address, &event("chat_1")));
    // It is being served from here on, since the connections are taken in turns.
    beside(move || [(); 8].map(|()| ask(address, &get("/healthz")))).await;
    let began = Instant::now();
    server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let told = beside(move || sender.join().unwrap()).await;
    assert!(told.starts_with("http/1.1 503"), "{told}");
    assert!(told.contains("retry-after: 5"), "{told}");
}

#[actix_web::test]
async fn a_stop_answers_what_comes_on_connections_there_are_and_refuses_new_ones() {
    let door = waiting();
    let (shared, _, _dir) = shared(100);
    door.open(shared);
    let (address, server) = started(&door);
    let mut streams: Vec<TcpStream> = (0..4).map(|_| connected(address)).collect();
    let silent = connected(address);
    for stream in &mut streams {
        stream.write_all(get("/healthz").as_bytes()).unwrap();
    }
    let healthy = beside(move || {
        streams.iter_mut().for_each(|stream| assert!(answer(stream).starts_with("http/1.1 200")));
        streams
    });
    let mut streams = healthy.await;
    let stopped = actix_web::rt::spawn(server.stop());
    while !door.is_stopping() {
        tokio::task::yield_now().await;
    }
    let done = beside(move || {
        // Refused at once, not left waiting.
        while TcpStream::connect(address).is_ok() {}
        let mut kept = Vec::new();
        for (number, stream) in streams.iter_mut().enumerate().skip(1) {
            stream.write_all(event(&format!("chat_{number}")).as_bytes()).unwrap();
            kept.push(answer(stream));
        }
        streams[0].write_all(get("/healthz").as_bytes()).unwrap();
        (kept, answer(&mut streams[0]), streams, silent)
    });
    let (kept, health, streams, silent) = done.await;
    for kept in kept {
        assert!(kept.starts_with("http/1.1 200"), "{kept}");
        assert!(kept.contains("connection: close"), "{kept}");
    }
    assert!(health.starts_with("http/1.1 503"), "{health}");
    stopped.await.unwrap();
    // Closed politely: at an end, and not reset.
    for mut stream in streams.into_iter().chain([silent]) {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}
