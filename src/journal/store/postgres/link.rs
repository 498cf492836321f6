//! One connection to the database, made when it is needed and made anew when it was lost.
//!
//! It is driven on the thread that uses it, and every call has a deadline: a server that is cut off does not
//! answer at all. After a failure the next host is tried first, since an old primary that was cut off from
//! the others still says that it takes writes. No statement is prepared by name and nothing is set for a
//! session, so that a pooler may give every transaction another connection.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};

use crate::causes::Causes;
use crate::journal::store::Fault;
use crate::journal::store::postgres::address::Address;
use crate::journal::store::postgres::tls::{Encrypted, Tls, TlsFault};

/// Longest that making a connection may take, all of it.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long one host may give no answer before the next is tried beside it.
const NEXT_HOST_AFTER: Duration = Duration::from_millis(300);
/// How long after its refusal a host is asked again, while another gives no answer.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Longest that a call may take. Waiting for a lock is shorter.
pub(super) const CALL_MAX: Duration = Duration::from_secs(6);

/// What the database or the way to it said, without what stands in the tables.
#[derive(Debug, thiserror::Error)]
pub(super) enum Said {
    /// The server's own word.
    #[error("PostgreSQL says {code}{}{message}", if message.is_empty() { "" } else { ": " })]
    Server { code: String, message: String },
    /// Nobody answered in time.
    #[error("no answer within {} s", .0.as_secs())]
    Silence(Duration),
    /// The connection was not made or is lost.
    #[error(transparent)]
    Connection(tokio_postgres::Error),
    /// The transaction's own connection is gone, and the transaction with it.
    #[error("the connection was lost in the middle of a transaction")]
    Lost,
    /// The system has none, and is not fit to serve.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// It cannot be encrypted.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// An answer is not what was asked for.
    #[error("the answer cannot be read")]
    Unreadable(#[source] tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Said {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(word) => Self::server(word),
            None if error.is_closed() || is_about_connection(&error) => Self::Connection(error),
            None => Self::Unreadable(error),
        }
    }
}

/// Whether it is about the way to the server, and not about a value.
fn is_about_connection(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    error.to_string().contains("connect")
}

impl Said {
    /// Words about data may quote it: of those only the code is kept, and no detail of any.
    fn server(word: &DbError) -> Self {
        let code = word.code().code();
        let quotes_data = code.starts_with("22") || code.starts_with("23");
        let message = if quotes_data { String::new() } else { word.message().to_owned() };
        Self::Server { code: code.to_owned(), message }
    }

    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Server { code, .. } => Some(code),
            _ => None,
        }
    }

    /// What a human would have to change before a connection can be made. The library has errors of its own for
    /// few of them, and only its words tell the others apart.
    pub(super) fn complaint(&self) -> Complaint {
        match self {
            Self::Server { code, .. } => match code.as_str() {
                "42501" => Complaint::Rights,
                "25006" => Complaint::ReadOnly,
                "3D000" => Complaint::NoDatabase,
                code if code.starts_with("28") => Complaint::Login,
                _ => Complaint::Other,
            },
            Self::Tls(_) => Complaint::NoCertificates,
            Self::Connection(error) => {
                let causes = Causes(error).to_string();
                let has = |words: &str| causes.contains(words);
                match () {
                    () if is_about_certificate(error) => Complaint::Distrust,
                    () if has("does not support TLS") => Complaint::NoTls,
                    () if has("does not allow writes") => Complaint::ReadOnly,
                    () if has("password missing") || has("user missing") => Complaint::Login,
                    () => Complaint::Other,
                }
            }
            _ => Complaint::Other,
        }
    }
}

/// What keeps us from a database, as far as somebody can do something about it here or there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    /// The user may not.
    Rights,
    /// It takes no writes.
    ReadOnly,
    /// The user, the password, or from where.
    Login,
    /// No database of that name.
    NoDatabase,
    /// It speaks no TLS.
    NoTls,
    /// Its certificate is not trusted.
    Distrust,
    /// Those that we are to trust cannot be read.
    NoCertificates,
    /// Anything else; it may be over by itself.
    Other,
}

/// Whether the handshake was ended by us.
fn is_about_certificate(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) {
            return true;
        }
        source = cause.source();
    }
    false
}

impl From<Said> for Fault {
    fn from(said: Said) -> Self {
        let class = match &said {
            Said::Server { code, .. } => code.as_str(),
            _ => "08000",
        };
        match class {
            "53100" => Self::DiskFull,
            _ if class.starts_with("XX00") && class != "XX000" => Self::Damaged(Arc::new(said)),
            // The connection, a server that stops or only reads, a lock, too many connections, a
            // transaction that is to be tried again.
            "25006" | "25P03" | "55P03" => Self::Away(Arc::new(said)),
            _ if ["08", "57", "53", "40", "28"].iter().any(|at| class.starts_with(at)) => {
                Self::Away(Arc::new(said))
            }
            _ => Self::Failed(Arc::new(said)),
        }
    }
}

struct Session {
    client: Client,
    /// Moves what is sent and received, and ends with the session.
    _driver: JoinSet<()>,
    noticed: Arc<AtomicBool>,
}

/// The way to the database, for one thread at a time.
pub(super) struct Link {
    runtime: Option<Runtime>,
    address: Arc<Address>,
    /// The host to begin with.
    first: Cell<usize>,
    session: RefCell<Option<Session>>,
    /// Whether a transaction is under way: what belongs to it must not go over another connection.
    is_pinned: Cell<bool>,
}

impl Link {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// Where the system gives no event queue.
    pub(super) fn new(address: Arc<Address>) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        Ok(Self {
            runtime: Some(runtime),
            address,
            first: Cell::new(0),
            session: RefCell::default(),
            is_pinned: Cell::new(false),
        })
    }

    /// Does something over the connection, within [`CALL_MAX`].
    pub(super) fn run<T>(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Said> {
        self.run_within(CALL_MAX, work)
    }

    /// The same within a time. After silence or a lost connection the next call makes another.
    pub(super) fn run_within<T>(
        &self,
        time_max: Duration,
        work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Said> {
        let Some(runtime) = &self.runtime else { return Err(Said::Silence(Duration::ZERO)) };
        runtime.block_on(async {
            let session = match self.session.take() {
                Some(session) if !session.client.is_closed() => session,
                _ if self.is_pinned.get() => return Err(Said::Lost),
                _ => self.connect().await?,
            };
            let done = timeout(time_max, work(&session.client)).await;
            let said = match done {
                Ok(Ok(value)) => {
                    self.session.replace(Some(session));
                    return Ok(value);
                }
                Ok(Err(error)) => Said::from(error),
                Err(_) => Said::Silence(time_max),
            };
            let is_away = matches!(said, Said::Silence(_) | Said::Connection(_))
                || said.code().is_some_and(|code| code == "25006" || code.starts_with("57P"));
            if is_away {
                self.first.set(self.first.get() + 1);
            } else {
                self.session.replace(Some(session));
            }
            Err(said)
        })
    }

    /// From now on until told otherwise only this connection will do.
    pub(super) fn pin(&self, is_pinned: bool) {
        self.is_pinned.set(is_pinned);
    }

    /// Whether there is a connection that was not seen to be lost.
    pub(super) fn is_connected(&self) -> bool {
        self.session.borrow().as_ref().is_some_and(|session| !session.client.is_closed())
    }

    /// Lets go of the connection.
    pub(super) fn disconnect(&self) {
        self.session.take();
    }

    /// Whether the server said something unasked since this was last called.
    pub(super) fn take_notice(&self) -> bool {
        let session = self.session.borrow();
        session.as_ref().is_some_and(|session| session.noticed.swap(false, Ordering::Relaxed))
    }

    /// Tries the hosts in turn. One that gives no answer is waited for, but the next are tried meanwhile, again
    /// and again: the host that went silent may be the very one that another is about to take over from.
    async fn connect(&self) -> Result<Session, Said> {
        let count = self.address.servers.len();
        let first = self.first.get();
        let mut hosts = (0..count).map(|step| (first + step) % count);
        let attempt = |at, wait| connect_to(Arc::clone(&self.address), at, wait);
        let (mut attempts, mut last) = (JoinSet::new(), Said::Silence(CONNECT_MAX));
        // Hosts that have neither answered nor been silent for long enough.
        let mut untold = count;
        while untold > 0 {
            let next = hosts.next();
            if let Some(at) = next {
                attempts.spawn(attempt(at, Duration::ZERO));
            }
            let wait = if next.is_some() { NEXT_HOST_AFTER } else { CONNECT_MAX };
            match timeout(wait, attempts.join_next()).await {
                Ok(Some(Ok((at, _, Ok(session))))) => {
                    self.first.set(at);
                    return Ok(session);
                }
                Ok(Some(Ok((at, waited, Err(said))))) => {
                    last = said;
                    untold -= usize::from(waited.is_zero());
                    attempts.spawn(attempt(at, TRY_AGAIN_AFTER));
                }
                Ok(Some(Err(_)) | None) => return Err(last),
                Err(_) => {}
            }
        }
        Err(last)
    }
}

/// Connects to the host of this number after a wait; gives both back.
async fn connect_to(
    address: Arc<Address>,
    at: usize,
    wait: Duration,
) -> (usize, Duration, Result<Session, Said>) {
    tokio::time::sleep(wait).await;
    let connecting = async {
        let server = &address.servers[at];
        let tls = Tls::new(&address, server.proof)?;
        let (client, connection) = server.config.connect(tls).await.map_err(refused)?;
        let noticed = Arc::new(AtomicBool::new(false));
        let mut driver = JoinSet::new();
        driver.spawn(drive(connection, Arc::clone(&noticed)));
        Ok(Session { client, _driver: driver, noticed })
    };
    let connected = timeout(CONNECT_MAX, connecting).await;
    (at, wait, connected.unwrap_or(Err(Said::Silence(CONNECT_MAX))))
}

/// Why no connection was made. A host that only reads is told apart by the library's own words alone.
fn refused(error: tokio_postgres::Error) -> Said {
    match error.as_db_error() {
        Some(word) => Said::server(word),
        None => Said::Connection(error),
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.session.take();
        if let Some(runtime) = self.runtime.take() {
            // The last handle may go where nothing may block.
            runtime.shutdown_background();
        }
    }
}

async fn drive(mut connection: Connection<Socket, Encrypted>, noticed: Arc<AtomicBool>) {
    while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => {
                noticed.store(true, Ordering::Relaxed);
                log::debug!("PostgreSQL gives notice of {}", notice.code().code());
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}
