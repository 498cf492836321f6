//! One PostgreSQL: started, stopped, killed and paused as a test wants it.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::port::Port;
use crate::process::{PATIENCE, Process};
use crate::programs;
use crate::session::{Rows, Session};
use crate::template;

/// Whether what is committed is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Flushed,
    /// The disk is not waited for: for tests that never cut the power.
    Hurried,
}

/// A server of the tests' own, on a port of 127.0.0.1 that it keeps. It trusts everybody as `postgres`.
#[derive(Debug)]
pub struct Server {
    // Dropped in this order: the program before its directory.
    process: Mutex<Option<Process>>,
    home: TempDir,
    port: Port,
    durability: Durability,
}

impl Server {
    /// A new server that runs.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn start(durability: Durability) -> Self {
        let server = Self::without_data(durability);
        template::copy_to(&server.data());
        server.configure(&[("wal_level", "replica"), ("max_wal_senders", "8")]);
        server.resume_from_disk();
        server
    }

    /// A home and a port, and nothing that could run.
    pub(crate) fn without_data(durability: Durability) -> Self {
        let (home, port) = (programs::home(), Port::claim());
        Self { process: Mutex::default(), home, port, durability }
    }

    /// Makes it a standby of that server, whatever it was: with its data of now, under that name.
    pub(crate) fn follow(&self, primary: &Self, name: &str) {
        self.kill();
        let data = self.data().display().to_string();
        drop(fs::remove_dir_all(&data));
        let from = format!(
            "host=127.0.0.1 port={} user=postgres application_name={name}",
            primary.port.number()
        );
        programs::run(
            "pg_basebackup",
            &["-D", &data, "-d", &from, "-R", "-X", "stream", "-c", "fast", "--no-sync"],
        );
        self.configure(&[]);
        self.resume_from_disk();
    }

    /// The directory of all that is its own.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    fn log(&self) -> PathBuf {
        self.home().join("log")
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Settings of this server, and more; the last one of a name counts.
    fn configure(&self, more: &[(&str, &str)]) {
        let port = self.port.number().to_string();
        let is_flushed = if self.durability == Durability::Flushed { "on" } else { "off" };
        let settings = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port),
            ("unix_socket_directories", ""),
            ("fsync", is_flushed),
            ("max_connections", "200"),
            ("shared_buffers", "64MB"),
            ("wal_keep_size", "256MB"),
            // A standby that is gone is let go soon, and comes back soon.
            ("wal_sender_timeout", "10s"),
            ("wal_retrieve_retry_interval", "200ms"),
            ("hot_standby", "on"),
            // What a standby has from its primary is not its own.
            ("synchronous_standby_names", ""),
        ];
        for (name, value) in settings.iter().chain(more) {
            self.write_setting(name, value);
        }
    }

    fn write_setting(&self, name: &str, value: &str) {
        let file = self.data().join("postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(file).expect("it has settings");
        writeln!(file, "{name} = '{value}'").expect("they can be changed");
    }

    /// Where it listens, with nothing in between.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// A connection to one of its databases, with nothing in between.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn session(&self, database: &str) -> Session {
        Session::connect(self.address(), database).expect("the server answers")
    }

    /// Runs statements as the server's owner; gives the rows.
    ///
    /// # Panics
    /// When they fail.
    pub fn sql(&self, sql: &str) -> Rows {
        self.session("postgres").query(sql).expect("the server does it")
    }

    /// Changes a setting that needs no new start, and waits until it holds.
    ///
    /// # Panics
    /// When it is not taken.
    pub fn set(&self, name: &str, value: &str) {
        self.write_setting(name, value);
        if let Some(process) = &*self.process() {
            process.signal("HUP");
        }
        let mut session = self.session("postgres");
        let show = format!("SELECT current_setting('{name}')");
        wait_until("a setting is not taken", || session.value(&show).is_ok_and(|is| is == value));
    }

    /// Starts it again on what is on its disk.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume_from_disk(&self) {
        let program = programs::folder().expect("it was found before").join("postgres");
        let mut words = programs::words(&program);
        words.extend(["-D".to_owned(), self.data().display().to_string()]);
        let started = Process::start(&words, &self.log(), self.home());
        let give_up = Instant::now() + PATIENCE;
        while Session::connect(self.address(), "postgres").is_err() {
            let is_hopeless = !started.is_running() || Instant::now() > give_up;
            assert!(!is_hopeless, "PostgreSQL does not start:\n{}", read(&self.log()));
            std::thread::sleep(Duration::from_millis(5));
        }
        *self.process() = Some(started);
    }

    /// Stops it as an administrator does: clients are sent away, all is written.
    pub fn stop(&self) {
        if let Some(process) = self.process().take() {
            process.signal("INT");
            process.ended();
        }
    }

    /// Kills it with all that belongs to it, at once.
    pub fn kill(&self) {
        drop(self.process().take());
    }

    /// Stops and starts it.
    pub fn restart(&self) {
        self.stop();
        self.resume_from_disk();
    }

    /// Halts all of it where it stands; connections stay.
    pub fn pause(&self) {
        if let Some(process) = &*self.process() {
            process.signal_all("STOP");
        }
    }

    /// It goes on.
    pub fn go_on(&self) {
        if let Some(process) = &*self.process() {
            process.signal_all("CONT");
        }
    }

    /// Makes the standby the primary; returns when it takes writes.
    pub(crate) fn promote(&self) {
        self.sql("SELECT pg_promote()");
        let mut session = self.session("postgres");
        wait_until("a standby is not promoted", || {
            session.value("SELECT pg_is_in_recovery()").is_ok_and(|is| is == "f")
        });
    }
}

/// # Panics
/// With these words when it does not come true.
pub(crate) fn wait_until(complaint: &str, mut is_true: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < give_up, "{complaint}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}
