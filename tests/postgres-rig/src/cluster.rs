//! A server with databases, or two of them of which one takes over from the other.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::server::{Durability, Server, wait_until};

/// The name under which the standby is waited for.
const STANDBY: &str = "s1";

/// One server, or a primary with its synchronous standby.
#[derive(Debug)]
pub struct Cluster {
    servers: Vec<Server>,
    /// Which of them is the primary.
    primary: AtomicUsize,
}

/// An empty database that nobody else uses. It is dropped with this.
#[derive(Debug)]
pub struct Database<'c> {
    cluster: &'c Cluster,
    name: String,
}

impl Cluster {
    /// The one server of this process, for tests that only want a database. It does not wait for the disk.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Cluster> = LazyLock::new(|| Cluster::single(Durability::Hurried));
        &SHARED
    }

    /// One server.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn single(durability: Durability) -> Self {
        Self { servers: vec![Server::start(durability)], primary: AtomicUsize::new(0) }
    }

    /// A primary whose commits wait for a standby.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn replicated(durability: Durability) -> Self {
        let servers = vec![Server::start(durability), Server::without_data(durability)];
        let cluster = Self { servers, primary: AtomicUsize::new(0) };
        cluster.replicate();
        cluster
    }

    /// The server that takes writes.
    pub fn primary(&self) -> &Server {
        &self.servers[self.primary.load(Ordering::SeqCst)]
    }

    /// The other one.
    ///
    /// # Panics
    /// When there is but one server.
    pub fn standby(&self) -> &Server {
        &self.servers[1 - self.primary.load(Ordering::SeqCst)]
    }

    /// Where the servers listen, always in the same order, with nothing in between.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(Server::address).collect()
    }

    /// The standby becomes the primary, whatever has become of the primary before. It waits for no standby of
    /// its own until [`Self::replicate`].
    ///
    /// # Panics
    /// When it cannot be promoted.
    pub fn promote(&self) {
        self.standby().promote();
        self.primary.fetch_xor(1, Ordering::SeqCst);
    }

    /// Makes the other server the synchronous standby, with a new copy of everything; returns when commits
    /// wait for it.
    ///
    /// # Panics
    /// When it does not follow.
    pub fn replicate(&self) {
        let (primary, standby) = (self.primary(), self.standby());
        standby.follow(primary, STANDBY);
        primary.set("synchronous_standby_names", &format!("ANY 1 ({STANDBY})"));
        let mut session = primary.session("postgres");
        let is_waited_for = "SELECT count(*) FROM pg_stat_replication \
                             WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')";
        wait_until("the standby does not follow", || {
            session.value(is_waited_for).is_ok_and(|count| count == "1")
        });
    }

    /// A new database, empty.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn database(&self) -> Database<'_> {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let name = format!("rig_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.primary().sql(&format!("CREATE DATABASE {name}"));
        Database { cluster: self, name }
    }
}

impl Database<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address, with nothing in between: of every server where there are two.
    pub fn url(&self) -> String {
        self.url_at(&self.cluster.addresses())
    }

    /// Its address at proxies or poolers.
    pub fn url_at(&self, addresses: &[SocketAddr]) -> String {
        let hosts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let writes = if hosts.len() > 1 { "&target_session_attrs=read-write" } else { "" };
        format!("postgres://postgres@{}/{}?sslmode=disable{writes}", hosts.join(","), self.name)
    }

    /// A connection to it on the primary, with nothing in between.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn session(&self) -> crate::session::Session {
        self.cluster.primary().session(&self.name)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // The server may be gone already; then so is this.
        let drop_it = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let session =
            crate::session::Session::connect(self.cluster.primary().address(), "postgres");
        drop(session.and_then(|mut session| session.query(&drop_it)));
    }
}
