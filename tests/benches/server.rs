//! A server under measurement: a process of its own, its CPU time and memory read from the system.

use std::io::{BufRead, BufReader, Read, Write};
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
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut running = Self::start_on(kind, google, dir.path());
        running.dir = Some(dir);
        running
    }

    /// Starts a server on this directory.
    pub(crate) fn start_on(kind: Kind, google: &FakeGoogle, dir: &Path) -> Self {
        let mut command = match kind {
            Kind::Service => Command::new(env!("CARGO_BIN_EXE_doubletick-sheets")),
            _ => Command::new(std::env::current_exe().unwrap()),
        };
        command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
        match kind {
            Kind::Echo => command.env("BENCH_ROLE", "echo"),
            Kind::Log => command.env("BENCH_ROLE", "log").env("BENCH_DIR", dir),
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
        loop {
            let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
            stream
                .write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            if answer.starts_with("HTTP/1.1 200") {
                return;
            }
        }
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
