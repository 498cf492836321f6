//! A connection, and how long it may be held.
//!
//! Guarantees: a request head that does not come whole is not waited for. A connection that was answered
//! before its body was read is closed after two seconds or 256 KiB. There is a largest number of
//! connections; beyond it the one that has been silent for longest makes room: first those that never
//! presented a secret, last those whose body is still coming. A request with the secret whose body has come
//! is never cut off.
//!
//! `actix-http` reads a refused chunked body to its end, however long that is, and limits only the first
//! request head of a connection. So these limits are kept below it, on the stream.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::HttpRequest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may take over a request head. The first one's is also watched by the server,
/// which answers it with 408.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an idle connection is kept. Senders and proxies close theirs earlier, so we do not close one at
/// the moment at which an event is sent on it.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// How long a client may leave an answer unread.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// How long we read on after an early answer. A connection that is closed with bytes unread is reset,
/// and the client might lose the answer.
const LINGER_TIME_MAX: Duration = Duration::from_secs(2);
/// When the service stops: how long a client has for its next request, whose answer closes the connection; and
/// for its first.
const SILENT_TIME_MAX: Duration = Duration::from_secs(1);
const FIRST_TIME_MAX: Duration = Duration::from_secs(2);
/// And how much we read on.
const LINGER_BYTES_MAX: usize = 256 * 1_024;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its client is sending the head of a request.
    Head,
    /// A request is being answered.
    Serving,
    /// Between two requests.
    Idle,
    /// Answered before the body was read.
    Lingering,
    /// To be closed now.
    Over,
}

/// One connection, as its stream and its requests know it. It stays on the thread of its worker.
pub(super) struct Connection {
    phase: Cell<Phase>,
    /// When the phase ends by itself.
    due: Cell<Option<Instant>>,
    last_active: Cell<Instant>,
    /// Whether a request on it presented the secret.
    is_trusted: Cell<bool>,
    has_unread_body: Cell<bool>,
    /// Whether it is closed after the next answer, for the service stops.
    is_draining: Cell<bool>,
    lingered_bytes: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Connection {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            phase: Cell::new(Phase::Head),
            due: Cell::new(Some(now + HEAD_TIME_MAX)),
            last_active: Cell::new(now),
            is_trusted: Cell::new(false),
            has_unread_body: Cell::new(false),
            is_draining: Cell::new(false),
            lingered_bytes: Cell::new(0),
            waker: RefCell::default(),
        }
    }

    /// The connection that a request came on; none in tests that call a handler directly.
    pub(super) fn of(request: &HttpRequest) -> Option<&Self> {
        request.conn_data::<Rc<Self>>().map(|connection| &**connection)
    }

    /// A request is being served from here on.
    pub(super) fn begins(&self, has_body: bool) {
        self.enter(Phase::Serving, None);
        self.has_unread_body.set(has_body);
    }

    /// The request on it presented the secret, or a session that began with it.
    pub(super) fn trust(request: &HttpRequest) {
        if let Some(connection) = Self::of(request) {
            connection.is_trusted.set(true);
        }
    }

    /// The body of the request was read to its end.
    pub(super) fn body_was_read(request: &HttpRequest) {
        if let Some(connection) = Self::of(request) {
            connection.has_unread_body.set(false);
        }
    }

    /// The request is answered. True where the connection is closed after the answer, because the
    /// rest of the body would have to be read for the next request, or the service stops.
    pub(super) fn ends(&self) -> bool {
        let has_unread_body = self.has_unread_body.get();
        match has_unread_body {
            true => {
                self.enter(Phase::Lingering, Some(LINGER_TIME_MAX));
                // While a request is served nothing ends by itself, so no timer is running.
                self.wake();
            }
            // The server closes an idle connection itself, a moment before.
            false => self.enter(Phase::Idle, Some(KEEP_ALIVE + HEAD_TIME_MAX)),
        }
        has_unread_body || self.is_draining.get()
    }

    /// The service stops: the next answer closes it, or its silence. What has come is read before.
    fn drain(&self) {
        self.is_draining.set(true);
        let time_max = match self.phase.get() {
            Phase::Head => FIRST_TIME_MAX,
            Phase::Idle => SILENT_TIME_MAX,
            Phase::Serving | Phase::Lingering | Phase::Over => return,
        };
        let due = Instant::now() + time_max;
        self.due.set(Some(self.due.get().map_or(due, |before| before.min(due))));
        self.wake();
    }

    fn enter(&self, phase: Phase, time_max: Option<Duration>) {
        if self.phase.get() == Phase::Over {
            return;
        }
        let now = Instant::now();
        self.phase.set(phase);
        self.due.set(time_max.map(|time| now + time));
        self.last_active.set(now);
    }

    /// Makes room for another one.
    fn give_way(&self) {
        self.phase.set(Phase::Over);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The lowest gives way first; `None` never does.
    fn standing(&self) -> Option<u8> {
        match (self.is_trusted.get(), self.phase.get()) {
            (_, Phase::Over) => None,
            (false, _) => Some(0),
            (true, Phase::Serving) => self.has_unread_body.get().then_some(2),
            (true, _) => Some(1),
        }
    }

    fn note_read(&self, bytes: usize) {
        self.last_active.set(Instant::now());
        match self.phase.get() {
            Phase::Idle if bytes > 0 => self.enter(Phase::Head, Some(HEAD_TIME_MAX)),
            Phase::Lingering => {
                self.lingered_bytes.set(self.lingered_bytes.get() + bytes);
                if self.lingered_bytes.get() > LINGER_BYTES_MAX {
                    self.phase.set(Phase::Over);
                }
            }
            _ => {}
        }
    }

    /// A streamed answer goes on after its request was served. Its last part may be written after the service
    /// began to stop.
    fn note_written(&self) {
        if self.phase.get() == Phase::Idle {
            let time_max = match self.is_draining.get() {
                true => SILENT_TIME_MAX,
                false => KEEP_ALIVE + HEAD_TIME_MAX,
            };
            self.enter(Phase::Idle, Some(time_max));
        }
    }
}

/// The connections of one worker.
#[derive(Clone)]
pub(super) struct Connections(Rc<Shared>);

struct Shared {
    max: usize,
    next_id: Cell<u64>,
    open: RefCell<HashMap<u64, Rc<Connection>>>,
    is_draining: Cell<bool>,
}

impl Connections {
    pub(super) fn new(max: usize) -> Self {
        let (next_id, open, is_draining) = Default::default();
        Self(Rc::new(Shared { max, next_id, open, is_draining }))
    }

    /// The service stops: all are closed, each after its next answer.
    pub(super) fn drain(&self) {
        self.0.is_draining.set(true);
        self.0.open.borrow().values().for_each(|connection| connection.drain());
    }

    /// Watches over a connection that was just accepted.
    pub(super) fn watch(&self, stream: TcpStream) -> Watched {
        let mut open = self.0.open.borrow_mut();
        if open.len() >= self.0.max
            && let Some(yielding) = yielding(open.values())
        {
            yielding.give_way();
        }
        let (id, connection) = (self.0.next_id.get(), Rc::new(Connection::new()));
        self.0.next_id.set(id + 1);
        if self.0.is_draining.get() {
            connection.drain();
        }
        open.insert(id, Rc::clone(&connection));
        drop(open);
        let (read_timer, write_timer) = (Timer::default(), Timer::default());
        let connections = self.clone();
        Watched {
            stream,
            connection,
            connections,
            id,
            read_timer,
            write_timer,
            blocked_since: None,
        }
    }
}

/// Which one gives way.
fn yielding<'a>(open: impl Iterator<Item = &'a Rc<Connection>>) -> Option<&'a Rc<Connection>> {
    open.filter(|connection| connection.standing().is_some())
        .min_by_key(|connection| (connection.standing(), connection.last_active.get()))
}

/// A stream that ends when its connection has been held for too long.
pub(super) struct Watched {
    stream: TcpStream,
    connection: Rc<Connection>,
    connections: Connections,
    id: u64,
    read_timer: Timer,
    write_timer: Timer,
    blocked_since: Option<Instant>,
}

impl Watched {
    pub(super) fn connection(&self) -> Rc<Connection> {
        Rc::clone(&self.connection)
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched({})", self.id)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.connections.0.open.borrow_mut().remove(&self.id);
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        if this.connection.phase.get() == Phase::Over {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                this.connection.note_read(buffer.filled().len() - before);
                Poll::Ready(read)
            }
            Poll::Pending if this.read_timer.is_over(this.connection.due.get(), context) => {
                this.connection.phase.set(Phase::Over);
                // As if the client had hung up.
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                let mut waker = this.connection.waker.borrow_mut();
                if !waker.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
                    *waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Watched {
    /// The result of a write, or an error where it has been blocked for too long.
    fn written<T>(
        &mut self,
        written: Poll<std::io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<T>> {
        if written.is_ready() {
            self.blocked_since = None;
            self.connection.note_written();
            return written;
        }
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        let is_over = self.connection.phase.get() == Phase::Over
            || self.write_timer.is_over(Some(since + WRITE_TIME_MAX), context);
        match is_over {
            true => Poll::Ready(Err(Error::from(ErrorKind::TimedOut))),
            false => Poll::Pending,
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(written, context)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A deadline that is put off with each request. The timer is set again only when it fires: that is cheaper
/// than setting it with each request.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn is_over(&mut self, due: Option<Instant>, context: &mut Context<'_>) -> bool {
        let Some(due) = due else { return false };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= due {
                return true;
            }
            sleep.as_mut().reset(due);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_ends_after_the_service_began_to_stop_does_not_hold_it_up() {
        let connection = Connection::new();
        connection.begins(false);
        assert!(!connection.ends(), "the answer began before");
        connection.note_written();
        assert!(connection.due.get() > Some(Instant::now() + SILENT_TIME_MAX));
        connection.drain();
        connection.note_written();
        assert!(connection.due.get() <= Some(Instant::now() + SILENT_TIME_MAX));
    }
}
