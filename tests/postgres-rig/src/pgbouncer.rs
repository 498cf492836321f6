//! Debian's `PgBouncer` before a server, in transaction mode.

use std::fs;
use std::net::SocketAddr;

use tempfile::TempDir;

use crate::port::Port;
use crate::process::Process;
use crate::programs;
use crate::server::wait_until;
use crate::session::Session;

/// A pooler that gives a connection of the server to whoever has a transaction, for as long as that takes.
#[derive(Debug)]
pub struct PgBouncer {
    // Dropped in this order.
    _process: Process,
    _home: TempDir,
    port: Port,
}

impl PgBouncer {
    /// Starts one before the server at that address, with so many connections to each database.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub fn before(server: SocketAddr, connections: usize) -> Self {
        let program = programs::pooler().expect("PgBouncer is installed: see `pooler_installed`");
        let home = programs::home();
        let (port, path) = (Port::claim(), home.path().display());
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {}\nunix_socket_dir =\nauth_type = trust\nauth_file = {path}/users\n\
             pool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 200\n",
            server.ip(),
            server.port(),
            port.number()
        );
        let (file, log) = (home.path().join("settings"), home.path().join("log"));
        fs::write(&file, settings).expect("they can be written");
        fs::write(home.path().join("users"), "\"postgres\" \"\"\n").expect("they can be written");
        let mut words = programs::words(program);
        words.push(file.display().to_string());
        let process = Process::start(&words, &log, home.path());
        wait_until("PgBouncer does not start", || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            assert!(process.is_running(), "PgBouncer does not start:\n{said}");
            Session::connect(port.address(), "postgres").is_ok()
        });
        Self { _process: process, _home: home, port }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }
}
