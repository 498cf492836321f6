//! One address before several instances of an HTTP service, as a platform's proxy is: each request to the
//! next instance in turn, and where a connection is refused, to the one after it.
//!
//! A request that an instance has begun to read is never sent again. Only requests and answers with a
//! `Content-Length`, or without a body, are understood.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a request waits for an instance that takes connections.
const PATIENCE: Duration = Duration::from_secs(10);

/// The proxy, on a port of its own, until the process ends.
#[derive(Clone, Debug)]
pub struct Balancer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    instances: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
    /// How many requests found an instance that refused.
    refused: AtomicUsize,
}

/// Connections to instances that wait for the next request of the same client.
type Kept = HashMap<SocketAddr, BufReader<TcpStream>>;

/// A head and its body.
struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
    /// The sender closes the connection behind it.
    is_last: bool,
}

impl Balancer {
    /// Begins to listen; there are no instances yet.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serving.serve(client));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on requests go to this instance, too.
    pub fn add(&self, instance: SocketAddr) {
        lock(&self.shared.instances).push(instance);
    }

    /// No further request goes to this instance, as when the platform's check of its health fails.
    pub fn remove(&self, instance: SocketAddr) {
        lock(&self.shared.instances).retain(|other| *other != instance);
    }

    /// How often an instance refused a connection.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// All requests of one client.
    fn serve(&self, client: TcpStream) {
        drop(client.set_nodelay(true));
        let mut client = BufReader::new(client);
        let mut kept = Kept::new();
        while let Ok(request) = message(&mut client) {
            let answered = self.answer(&request, &mut kept);
            let answer = answered.map_or_else(
                |_| b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n".to_vec(),
                // What the instance does with its connection is not the client's affair.
                |answer| [without_connection(&answer.head), answer.body].concat(),
            );
            if client.get_mut().write_all(&answer).is_err() || request.is_last {
                return;
            }
        }
    }

    fn answer(&self, request: &Message, kept: &mut Kept) -> io::Result<Message> {
        let (address, mut instance) = self.connect(kept)?;
        instance.get_mut().write_all(&[&request.head[..], &request.body].concat())?;
        let answer = message(&mut instance)?;
        if !answer.is_last {
            kept.insert(address, instance);
        }
        Ok(answer)
    }

    /// A connection to the next instance that takes one.
    fn connect(&self, kept: &mut Kept) -> io::Result<(SocketAddr, BufReader<TcpStream>)> {
        let give_up = Instant::now() + PATIENCE;
        while Instant::now() < give_up {
            let instances = lock(&self.instances).clone();
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            for offset in 0..instances.len() {
                let address = instances[(turn + offset) % instances.len()];
                if let Some(instance) = kept.remove(&address).filter(is_open) {
                    return Ok((address, instance));
                }
                match TcpStream::connect_timeout(&address, Duration::from_secs(2)) {
                    Ok(instance) => {
                        instance.set_nodelay(true)?;
                        return Ok((address, BufReader::new(instance)));
                    }
                    Err(_) => self.refused.fetch_add(1, Ordering::SeqCst),
                };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

/// Whether the instance has not closed its end.
fn is_open(instance: &BufReader<TcpStream>) -> bool {
    let stream = instance.get_ref();
    let mut byte = [0];
    let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut byte));
    stream.set_nonblocking(false).is_ok()
        && looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// The next message of a stream.
fn message(stream: &mut BufReader<TcpStream>) -> io::Result<Message> {
    let (mut head, mut length, mut is_last) = (Vec::new(), 0, false);
    loop {
        let from = head.len();
        if stream.read_until(b'\n', &mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&head[from..]).to_ascii_lowercase();
        match line.trim_end().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
            Some(("connection", value)) => is_last = value.trim() == "close",
            Some(("transfer-encoding", _)) => return Err(io::ErrorKind::Unsupported.into()),
            Some(_) => {}
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Message { head, body, is_last })
}

/// A head without what it says of its own connection.
fn without_connection(head: &[u8]) -> Vec<u8> {
    let lines = head.split_inclusive(|byte| *byte == b'\n');
    let is_kept = |line: &&[u8]| !line.to_ascii_lowercase().starts_with(b"connection:");
    lines.filter(is_kept).collect::<Vec<_>>().concat()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
