//! The server: accepts connections, spreads them over its workers, and stops without losing a request.
//!
//! Each worker is a thread that serves HTTP over watched connections ([`crate::http::connection`]), never more
//! of them than the machine can hold. To stop, all that the system has accepted for us is taken before the
//! socket is closed: whoever connects later is refused at once, and nobody is reset. Then every connection is
//! closed with its next answer, or when it stays silent for a moment.
//!
//! `actix-server` would drop what waits to be accepted, and requests that come on idle connections.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::http::door::Door;
use crate::http::worker::{self, Accepted};

/// Most connections at once, however many descriptors there are. Each may take some 150 KB of memory.
const CONNECTIONS_MAX: usize = 1_000;
/// Fewest, however few descriptors there are.
const CONNECTIONS_MIN: usize = 16;
/// How many more connections a worker takes while others are still being closed for them.
const GIVING_WAY_MAX: usize = 16;
/// How long nothing is accepted where the system has no room for more.
const PAUSE: Duration = Duration::from_millis(500);

/// How many connections the system holds until we accept them. When there are more, a client's first bytes
/// are lost and sent again a fifth of a second later. The usual 128 are too few for a burst.
const BACKLOG: u32 = 1_024;

/// Listens on an address.
///
/// # Errors
/// When it is taken, or none of this machine's.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// A server that serves.
#[derive(Debug)]
pub struct Server {
    door: Door,
    stop: watch::Sender<bool>,
    threads: usize,
    ended: mpsc::UnboundedReceiver<()>,
}

impl Server {
    /// Resolves when a part of it ended by itself.
    pub async fn ended(&mut self) {
        self.ended.recv().await;
    }

    /// Takes no more connections, and resolves when those that there are were answered and closed.
    pub async fn stop(mut self) {
        self.door.stop();
        self.stop.send_replace(true);
        for _ in 0..self.threads {
            self.ended.recv().await;
        }
    }
}

/// Serves the routes on a socket until the server is told to stop. Requests wait at the door until it is open.
///
/// # Errors
/// When the socket cannot be used, or no thread be started.
pub fn serve(listener: TcpListener, door: &Door) -> std::io::Result<Server> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let connections_max = connections_max(descriptors()) / threads;
    let (end, ended) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let mut workers = Vec::with_capacity(threads);
    for number in 0..threads {
        let (sender, inbox) = mpsc::unbounded_channel();
        let seats = Arc::new(Semaphore::new(connections_max + GIVING_WAY_MAX));
        workers.push(Worker { sender, seats });
        let door = door.clone();
        let work = move || worker::run(door, connections_max, inbox);
        thread(format!("http-{number}"), end.clone(), work)?;
    }
    thread("http-accept".to_owned(), end, move || accept(listener, workers, stopping))?;
    Ok(Server { door: door.clone(), stop, threads: threads + 1, ended })
}

/// Starts a thread that says when it ended, however that came about.
fn thread(
    name: String,
    end: mpsc::UnboundedSender<()>,
    work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
) -> std::io::Result<()> {
    struct End(mpsc::UnboundedSender<()>);
    impl Drop for End {
        fn drop(&mut self) {
            // Nobody may be there any more to hear it.
            _ = self.0.send(());
        }
    }
    let end = End(end);
    let work = move || {
        let _end = end;
        if let Err(error) = work() {
            log::error!("a part of the HTTP server failed: {error}");
        }
    };
    std::thread::Builder::new().name(name).spawn(work).map(drop)
}

/// A worker, as the acceptor sees it.
struct Worker {
    sender: mpsc::UnboundedSender<Accepted>,
    seats: Arc<Semaphore>,
}

impl Worker {
    fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }
}

/// Accepts until the server stops; then what the system has accepted already, and no more.
fn accept(
    listener: TcpListener,
    workers: Vec<Worker>,
    mut stopping: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => {}
            () = spread(&listener, &workers) => {}
        }
        listener.into_std()
    })?;
    let mut turns = workers.iter().cycle();
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        if let Some(worker) = turns.next() {
            drop(worker.sender.send((stream, None)));
        }
    }
    Ok(())
}

/// Gives each connection to the next worker that has a place for it. Never ends.
async fn spread(listener: &tokio::net::TcpListener, workers: &[Worker]) {
    let mut next = 0;
    loop {
        // The place first: nothing that was accepted waits in here when the server stops.
        let turns = (0..workers.len()).map(|step| (next + step) % workers.len());
        let free = turns.filter_map(|turn| Some((turn, workers[turn].seat()?))).next();
        let (turn, seat) = match free {
            Some((turn, seat)) => (turn, Some(seat)),
            // The next place is near: connections give way all the time.
            None => (next, Arc::clone(&workers[next].seats).acquire_owned().await.ok()),
        };
        match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => drop(workers[turn].sender.send((stream, seat))),
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                log::warn!("cannot accept connections, trying again: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
        next = (turn + 1) % workers.len();
    }
}

/// Whether it says nothing of the next connection.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionRefused | Kind::ConnectionAborted | Kind::ConnectionReset
    )
}

/// Half of the descriptors: the journal, the calls to Google and the server itself need some too.
fn connections_max(descriptors: usize) -> usize {
    (descriptors / 2).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
}

/// How many descriptors this process may have open; Linux tells it as a file.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = open_files.and_then(|limits| limits.split_whitespace().next());
    soft.and_then(|soft| soft.parse().ok()).unwrap_or(CONNECTIONS_MAX)
}
