//! What lies between a client and a server, and everything that can go wrong there.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;

use crate::port::Port;

pub(crate) mod commits;

use crate::proxy::commits::{Commits, is_answered};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Delay(Duration),
    /// Nobody listens.
    Refuse,
    /// Whatever is sent stays on the way, in both directions; connections stay open.
    Blackhole,
    /// The proxy is gone.
    Closed,
}

/// A proxy before a server, on a port that it keeps.
pub struct Proxy {
    shared: Arc<Shared>,
}

struct State {
    mode: Mode,
    is_listening: bool,
}

struct Shared {
    port: Port,
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
    /// Every connection, by a number.
    open: Mutex<HashMap<usize, Arc<Connection>>>,
    /// How many answers to COMMIT are still to be lost, and how many were.
    to_swallow: AtomicUsize,
    swallowed: AtomicUsize,
}

/// A client's connection and the one that goes on to the server.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    is_cut: AtomicBool,
    /// The answer to a COMMIT is on its way, and will not arrive.
    is_swallowing: AtomicBool,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({} before {})", self.address(), self.shared.server)
    }
}

impl Proxy {
    /// Begins to pass on what comes for a server.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn before(server: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            port: Port::claim(),
            server,
            state: Mutex::new(State { mode: Mode::Pass, is_listening: false }),
            changed: Condvar::new(),
            open: Mutex::default(),
            to_swallow: AtomicUsize::new(0),
            swallowed: AtomicUsize::new(0),
        });
        let listening = Arc::clone(&shared);
        std::thread::spawn(move || listening.listen());
        shared.turn(Mode::Pass);
        Self { shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.port.address()
    }

    /// Everything passes, also what was held back by [`Self::blackhole`].
    pub fn pass(&self) {
        self.shared.turn(Mode::Pass);
    }

    /// Everything passes so much later, in each direction.
    pub fn delay(&self, by: Duration) {
        self.shared.turn(Mode::Delay(by));
    }

    /// Connections are reset, and new ones refused.
    pub fn refuse(&self) {
        self.shared.turn(Mode::Refuse);
        self.reset();
    }

    /// Nothing passes any more, and nobody is told.
    pub fn blackhole(&self) {
        self.shared.turn(Mode::Blackhole);
    }

    /// Resets all connections that there are; new ones are taken.
    pub fn reset(&self) {
        for (_, connection) in lock(&self.shared.open).drain() {
            connection.cut();
        }
    }

    /// The next so many times that a client commits, the COMMIT reaches the server and is carried out, and
    /// the client's connection is reset in place of the answer. Only of connections without TLS.
    pub fn swallow_commits(&self, count: usize) {
        self.shared.to_swallow.store(count, Ordering::SeqCst);
    }

    /// How many answers to COMMIT were swallowed.
    pub fn swallowed(&self) -> usize {
        self.shared.swallowed.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.turn(Mode::Closed);
        self.reset();
    }
}

impl Shared {
    /// Changes the mode; returns when it holds.
    fn turn(&self, mode: Mode) {
        let listens = !matches!(mode, Mode::Refuse | Mode::Closed);
        let mut state = lock(&self.state);
        state.mode = mode;
        self.changed.notify_all();
        if !listens && state.is_listening {
            // The listener waits for somebody to come.
            drop(TcpStream::connect(self.port.address()));
        }
        while state.is_listening != listens {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn listen(self: &Arc<Self>) {
        let mut listener = None;
        for number in 0.. {
            let mut state = lock(&self.state);
            while matches!(state.mode, Mode::Refuse | Mode::Closed) {
                listener = None;
                state.is_listening = false;
                self.changed.notify_all();
                if state.mode == Mode::Closed {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let listening = listener.get_or_insert_with(|| {
                TcpListener::bind(self.port.address()).expect("nobody else has the port")
            });
            state.is_listening = true;
            self.changed.notify_all();
            drop(state);
            let client = listening.accept();
            let is_taken = !matches!(lock(&self.state).mode, Mode::Refuse | Mode::Closed);
            if let (Ok((client, _)), true) = (client, is_taken) {
                let connection = Arc::clone(self);
                std::thread::spawn(move || connection.serve(number, client));
            }
        }
    }

    /// Waits as long as nothing passes; false when the proxy is gone.
    fn passes(&self) -> bool {
        let mut state = lock(&self.state);
        while state.mode == Mode::Blackhole {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mode = state.mode;
        drop(state);
        if let Mode::Delay(by) = mode {
            std::thread::sleep(by);
        }
        mode != Mode::Closed
    }

    fn serve(self: &Arc<Self>, number: usize, client: TcpStream) {
        if !self.passes() {
            return;
        }
        let Ok(server) = TcpStream::connect_timeout(&self.server, Duration::from_secs(10)) else {
            return reset(&client);
        };
        drop((client.set_nodelay(true), server.set_nodelay(true)));
        let (is_cut, is_swallowing) = (AtomicBool::new(false), AtomicBool::new(false));
        let connection = Arc::new(Connection { client, server, is_cut, is_swallowing });
        lock(&self.open).insert(number, Arc::clone(&connection));
        let (shared, way_there) = (Arc::clone(self), Arc::clone(&connection));
        let there = std::thread::spawn(move || shared.to_server(&way_there));
        self.to_client(&connection);
        drop(there.join());
        lock(&self.open).remove(&number);
    }

    fn to_server(&self, connection: &Connection) {
        let Connection { client, server, .. } = connection;
        let (mut client, mut server) = (client, server);
        let mut commits = Commits::default();
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            if commits.come(&buffer[..count]) && take_one(&self.to_swallow) {
                connection.is_swallowing.store(true, Ordering::SeqCst);
            }
            let passes = self.passes() && !connection.is_cut();
            if !passes || server.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        if !connection.is_cut() {
            drop(server.shutdown(Shutdown::Write));
        }
    }

    fn to_client(&self, connection: &Connection) {
        let Connection { client, server, .. } = connection;
        let (mut client, mut server) = (client, server);
        let mut buffer = vec![0; 64 * 1024];
        let mut swallowed = Vec::new();
        while let Ok(count @ 1..) = server.read(&mut buffer) {
            if connection.is_swallowing.load(Ordering::SeqCst) {
                swallowed.extend_from_slice(&buffer[..count]);
                if is_answered(&swallowed) {
                    self.swallowed.fetch_add(1, Ordering::SeqCst);
                    connection.cut();
                    break;
                }
                continue;
            }
            let passes = self.passes() && !connection.is_cut();
            if !passes || client.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // The other direction ends, too.
        drop((client.shutdown(Shutdown::Read), server.shutdown(Shutdown::Read)));
    }
}

impl Connection {
    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::SeqCst)
    }

    /// Resets it, for both sides to see at once. Nothing passes from here on.
    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        reset(&self.client);
        reset(&self.server);
    }
}

/// The stream is reset when it is closed, and whoever reads from it wakes up to close it.
fn reset(stream: &TcpStream) {
    drop(SockRef::from(stream).set_linger(Some(Duration::ZERO)));
    drop(stream.shutdown(Shutdown::Read));
}

/// Takes one of those that are left.
fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
