//! Starts the real binary beside a stand-in for Google, and speaks the domain to both.
//!
//! A test that ends with rows still pending fails unless it said [`Service::leaves_rows_behind`], and
//! so does one after which Google has seen an invalid request or two writes at once.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use fake_google::FakeGoogle;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const SECRET: &str = "a-secret-of-the-tests";
pub(crate) const LOG_TAB: &str = "Unassigned chats";
pub(crate) const BOARD_TAB: &str = "Unattended now";
pub(crate) const HANDOVERS_TAB: &str = "Handovers";
/// Long enough for a loaded machine; a test that waits so long fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A clinic: its spreadsheet at Google, its data directory, its settings.
pub(crate) struct Clinic {
    pub(crate) google: FakeGoogle,
    pub(crate) dir: TempDir,
    /// Whether a process was killed, or another took over from it: Google may then still have been at its
    /// last write when the next one came.
    may_overlap: Arc<AtomicBool>,
    settings: BTreeMap<String, String>,
    descriptors_max: Option<usize>,
}

/// The service, running.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
    http: Client,
    google: FakeGoogle,
    may_overlap: Arc<AtomicBool>,
    /// Spreadsheets are written beside each other, each one write at a time.
    has_routes: bool,
    /// Somebody looks at the page, and the checks behind it try to write too.
    is_looked_at: AtomicBool,
    may_leave_rows: bool,
}

/// What a run that ended by itself left behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Clinic {
    pub(crate) fn new() -> Self {
        let google = FakeGoogle::start();
        let dir = tempfile::tempdir().unwrap();
        let settings = [
            ("SPREADSHEET_ID", google.spreadsheet_id()),
            ("GOOGLE_CREDENTIALS_JSON", google.key_json()),
            ("SHEETS_API_URL", google.url()),
            ("WEBHOOK_SECRET", SECRET.to_owned()),
            ("DATA_DIR", dir.path().display().to_string()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", "0".to_owned()),
            // What a test counts or makes fail is a write for what it does; the tests of `summary` have one.
            ("SUMMARY_NAME", String::new()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
        Self { google, dir, may_overlap: Arc::default(), settings, descriptors_max: None }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.settings.remove(name);
        self
    }

    /// Several instances are to run, which take over from each other.
    pub(crate) fn of_several(self) -> Self {
        self.may_overlap.store(true, Ordering::Relaxed);
        self
    }

    /// The service may have so many files and connections open at once.
    pub(crate) fn with_descriptors(mut self, max: usize) -> Self {
        self.descriptors_max = Some(max);
        self
    }

    /// The program with these arguments, not started yet.
    pub(crate) fn command(&self, args: &[impl AsRef<OsStr>]) -> Command {
        let program = env!("CARGO_BIN_EXE_doubletick-sheets");
        let mut command = match self.descriptors_max {
            None => Command::new(program),
            Some(max) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!("ulimit -n {max}; exec \"$0\" \"$@\""), program]);
                shell
            }
        };
        command.args(args).env_clear().envs(&self.settings);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        ended(&mut self.command(args))
    }

    /// The same where relative paths are the data directory's.
    pub(crate) fn run_in_its_directory(&self, args: &[impl AsRef<OsStr>]) -> Ended {
        ended(self.command(args).current_dir(self.dir.path()))
    }

    /// Starts the service and waits until it listens.
    pub(crate) fn open(&self) -> Service {
        self.start(&mut self.command(&[""; 0]))
    }

    /// The same of a command that was changed.
    pub(crate) fn start(&self, command: &mut Command) -> Service {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let (heard, address) = std::sync::mpsc::channel();
        let written = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // The service says its address in this line.
                if let Some((_, rest)) = line.split_once("listening on http://") {
                    let address = rest.split([' ', '"']).next().unwrap_or_default();
                    heard.send(address.parse().ok()).unwrap_or_default();
                }
                let mut written = written.lock().unwrap();
                written.push_str(&line);
                written.push('\n');
            }
        });
        let Some(address) = address.recv_timeout(PATIENCE).ok().flatten() else {
            drop(child.kill());
            panic!("the service did not start:\n{}", log.lock().unwrap());
        };
        Service {
            child,
            address,
            log,
            http: http(),
            google: self.google.clone(),
            may_overlap: Arc::clone(&self.may_overlap),
            has_routes: self.settings.contains_key("ROUTES"),
            is_looked_at: AtomicBool::default(),
            may_leave_rows: false,
        }
    }

    /// The data rows of the log tab.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        self.google.rows(LOG_TAB).into_iter().skip(1).collect()
    }

    /// The chat ids of the log's rows, from the top.
    pub(crate) fn chats(&self) -> Vec<String> {
        self.google.column(LOG_TAB, "Chat ID")
    }

    #[track_caller]
    pub(crate) fn expect_rows(&self, count: usize) {
        let came = self.google.wait_for_rows(LOG_TAB, count, PATIENCE);
        assert!(came, "{} of {count} rows came", self.rows().len());
    }

    /// The sentence above the board.
    pub(crate) fn headline(&self) -> String {
        let is_there = self.google.tabs().iter().any(|tab| tab == BOARD_TAB);
        let rows = if is_there { self.google.rows(BOARD_TAB) } else { Vec::new() };
        rows.first().and_then(|row| row.first()).cloned().unwrap_or_default()
    }

    /// The lines of the board.
    pub(crate) fn board(&self) -> Vec<Vec<String>> {
        self.google.rows(BOARD_TAB).into_iter().skip(2).collect()
    }

    /// Waits until the sentence above the board contains this.
    pub(crate) async fn wait_for_headline(&self, text: &str) {
        let give_up = Instant::now() + PATIENCE;
        while !self.headline().contains(text) {
            assert!(Instant::now() < give_up, "the board says: {}", self.headline());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The data directory's files, as bytes.
    pub(crate) fn files(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.dir.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { status: output.status, stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// A client that keeps connections, with a limit on every wait.
pub(crate) fn http() -> Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        rustls::crypto::ring::default_provider().install_default().unwrap();
    });
    // A client may open a connection that it does not need at once, and on one that sends nothing for ten seconds
    // the service answers so and closes it: such a one must not be used a moment later.
    let idle_max = Duration::from_secs(5);
    Client::builder().no_proxy().timeout(PATIENCE).pool_idle_timeout(idle_max).build().unwrap()
}

/// A chat loses its agent.
pub(crate) fn unassigned(chat: &str) -> Value {
    json!({
        "chatId": chat,
        "customerPhone": "+919111222333",
        "wabaNumber": "+919000000000",
        "dtCustomerId": format!("customer_{chat}"),
    })
}

impl Service {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn webhook(&self) -> String {
        self.url(&format!("/webhooks/doubletick/{SECRET}"))
    }

    /// Posts a body of any kind as DoubleTick would.
    pub(crate) async fn post(
        &self,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let request = self.http.post(self.webhook()).header("content-type", content_type);
        request.body(body).send().await.unwrap()
    }

    /// Posts an event that must be taken; gives the answer's words.
    pub(crate) async fn take(&self, event: &Value) -> Value {
        let answer = self.post("application/json", event.to_string()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    pub(crate) async fn ready(&self) -> Value {
        self.get("/readyz").await.json().await.unwrap()
    }

    /// Waits until the sheet is in this state; gives what it says.
    pub(crate) async fn wait_for_sheet(&self, state: &str) -> String {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let ready = self.ready().await;
            if ready["sheet"] == state {
                return ready["detail"].as_str().unwrap().to_owned();
            }
            assert!(Instant::now() < give_up, "the sheet did not become {state}: {ready}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All metrics by their names, labels included.
    pub(crate) async fn metrics(&self) -> BTreeMap<String, f64> {
        let page = self.get("/metrics").await.text().await.unwrap();
        let read = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.trim_start_matches("doubletick_sheets_").to_owned(), value.parse().ok()?))
        };
        page.lines().filter(|line| !line.starts_with('#')).filter_map(read).collect()
    }

    /// Waits until the tabs are made and the board is written, so that whatever is written from here on
    /// is for what the test does.
    pub(crate) async fn settled(&self) {
        let give_up = Instant::now() + PATIENCE;
        let written = "google_calls_total{call=\"append\",outcome=\"ok\"}";
        while !self.metrics().await.contains_key(written) {
            assert!(Instant::now() < give_up, "the board was not written");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until nothing is pending.
    pub(crate) async fn drained(&self) {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let metrics = self.metrics().await;
            if metrics["pending"] + metrics["handovers_pending"] == 0.0 {
                break;
            }
            assert!(Instant::now() < give_up, "rows are still pending");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time used so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // After the name in brackets; fields 14 and 15 are user and system time, in hundredths.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |field: usize| fields[field - 3].parse::<u64>().unwrap();
        Duration::from_millis(10 * (ticks(14) + ticks(15)))
    }

    /// From now on the page's checks may write beside the forwarder.
    pub(crate) fn is_looked_at(&self) {
        self.is_looked_at.store(true, Ordering::Relaxed);
    }

    /// This test ends before all rows are written, on purpose.
    pub(crate) fn leaves_rows_behind(&mut self) {
        self.may_leave_rows = true;
    }

    /// kill -9, in the middle of whatever it does.
    pub(crate) fn kill(self) {
        self.stop("KILL");
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn stop(mut self, signal: &str) -> ExitStatus {
        self.may_leave_rows = true;
        if self.child.try_wait().unwrap().is_none() {
            self.signal(signal);
        }
        self.child.wait().unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        if signal == "KILL" {
            self.may_overlap.store(true, Ordering::Relaxed);
        }
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(sent.unwrap().success());
    }

    fn pending(&self) -> Option<f64> {
        // On a thread of its own: in a destructor a runtime may be running on this one.
        let url = self.url("/metrics");
        let page = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async { http().get(url).send().await.ok()?.text().await.ok() })
        });
        let page = page.join().ok()??;
        page.lines().find_map(|line| line.strip_prefix("doubletick_sheets_pending ")?.parse().ok())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let pending = if self.may_leave_rows { None } else { self.pending() };
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            log::error!("the service's log:\n{}", self.log());
            return;
        }
        assert!(
            self.may_leave_rows || pending == Some(0.0),
            "the test ended with rows pending: {pending:?}\n{}",
            self.log()
        );
        assert_eq!(self.google.invalid_requests(), Vec::<String>::new());
        let may_overlap = self.may_overlap.load(Ordering::Relaxed);
        let in_flight = self.google.writes_in_flight_max();
        let is_looked_at = self.is_looked_at.load(Ordering::Relaxed);
        let may_overlap = may_overlap || self.has_routes || is_looked_at;
        assert!(may_overlap || in_flight <= 1, "{in_flight} writes were in flight at once");
    }
}
