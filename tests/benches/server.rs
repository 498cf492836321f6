//! A server under measurement: a process of its own, its CPU time and memory read from the system.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fake_google::FakeGoogle;
use tempfile::TempDir;

const SECRET: &str = "a-secret-of-the-bench";

/// Which server.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Echo,
    Log,
    /// Bodies as they come into one table of a database, all that wait in one `INSERT … SELECT unnest`.
    Unnest,
    Service,
}

/// A server that listens; killed when dropped.
pub(crate) struct Running {
    child: Child,
    address: String,
    pub(crate) url: String,
    dir: Option<TempDir>,
}

impl Running {
    /// Starts a server in a directory of its own, on the disk of the target directory.
    pub(crate) fn start(kind: Kind, google: &FakeGoogle) -> Self {
        Self::start_with(kind, google, &[])
    }

    /// Starts a server on this database.
    pub(crate) fn start_on_database(kind: Kind, google: &FakeGoogle, url: &str) -> Self {
        Self::start_with(kind, google, &[("DATABASE_URL", url)])
    }

    /// The same with more settings.
    pub(crate) fn start_with(kind: Kind, google: &FakeGoogle, settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut running = Self::start_in(kind, google, dir.path(), settings);
        running.dir = Some(dir);
        running
    }

    /// Starts a server on this directory.
    pub(crate) fn start_on(kind: Kind, google: &FakeGoogle, dir: &Path) -> Self {
        Self::start_in(kind, google, dir, &[])
    }

    fn start_in(kind: Kind, google: &FakeGoogle, dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = match kind {
            Kind::Service => Command::new(env!("CARGO_BIN_EXE_doubletick-sheets")),
            _ => Command::new(std::env::current_exe().unwrap()),
        };
        command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
        match kind {
            Kind::Echo => command.env("BENCH_ROLE", "echo"),
            Kind::Log => command.env("BENCH_ROLE", "log").env("BENCH_DIR", dir),
            Kind::Unnest => command.env("BENCH_ROLE", "unnest"),
            Kind::Service => command
                .env("SPREADSHEET_ID", google.spreadsheet_id())
                .env("GOOGLE_CREDENTIALS_JSON", google.key_json())
                .env("SHEETS_API_URL", google.url())
                .env("WEBHOOK_SECRET", SECRET)
                .env("DATA_DIR", dir)
                .env("HOST", "127.0.0.1")
                .env("PORT", "0")
                .env("MAX_PENDING_ROWS", "100000000"),
        };
        command.envs(settings.iter().copied());
        let mut child = command.spawn().unwrap();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let (heard, address) = std::sync::mpsc::channel();
        for stream in streams {
            let heard = heard.clone();
            // Read to the end, so that the server never waits for us.
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if let Some((_, rest)) = line.split_once("listening on http://") {
                        let address = rest.split(' ').next().unwrap_or_default().to_owned();
                        heard.send(address).unwrap_or_default();
                    }
                }
            });
        }
        let address = address.recv().unwrap();
        let url = format!("http://{address}/webhooks/doubletick/{SECRET}");
        Self { child, address, url, dir: None }
    }

    /// Waits until events can be accepted.
    pub(crate) fn wait_until_ready(&self) {
        while !self.get("/readyz").starts_with("HTTP/1.1 200") {}
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.parse().unwrap()
    }

    /// The way to the webhook on any instance.
    pub(crate) fn path(&self) -> &str {
        self.url.split_once(&self.address).unwrap().1
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(sent.unwrap().success());
    }

    /// The page of this path.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A number of /metrics.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let page = self.get("/metrics");
        let name = format!("doubletick_sheets_{name} ");
        page.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap()
    }

    /// CPU time used so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // After the name in brackets; fields 14 and 15 are user and system time, in hundredths.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |field: usize| fields[field - 3].parse::<f64>().unwrap();
        (ticks(14) + ticks(15)) * 10_000.0
    }

    /// Most memory ever resident, in megabytes.
    pub(crate) fn peak_mb(&self) -> f64 {
        self.memory_mb("VmHWM:")
    }

    /// Memory resident now, in megabytes.
    pub(crate) fn resident_mb(&self) -> f64 {
        self.memory_mb("VmRSS:")
    }

    fn memory_mb(&self, which: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1_024.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
