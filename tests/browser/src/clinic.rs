//! A clinic: its spreadsheet at Google, its settings, and the service, in this process, always at one address.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use doubletick_sheets::app::App;
use doubletick_sheets::config::Config;
use fake_google::{FakeDoubleTick, FakeGoogle};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::driver::client_is_ready;

pub(crate) const SECRET: &str = "a-secret-of-the-tests";
pub(crate) const LOG_TAB: &str = "Unassigned chats";
/// Long enough for a loaded machine; a test that waits so long fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Clinic {
    pub(crate) google: FakeGoogle,
    _dir: TempDir,
    settings: BTreeMap<&'static str, String>,
}

/// The service, running.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
            // What a test makes fail is a write for what it does.
            ("SUMMARY_NAME", String::new()),
        ];
        Self { google, _dir: dir, settings: settings.into() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.insert(name, value.to_owned());
        self
    }

    /// It may ask DoubleTick, which knows where it is.
    pub(crate) fn with_doubletick(mut self, doubletick: &FakeDoubleTick) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a port is free").port();
        self.settings.extend([
            ("DOUBLETICK_API_KEY", doubletick.key().to_owned()),
            ("DOUBLETICK_API_URL", doubletick.url().to_owned()),
            ("PUBLIC_URL", format!("http://127.0.0.1:{port}")),
            ("PORT", port.to_string()),
        ]);
        self
    }

    /// Starts the service. From the second time on at the address of the first.
    pub(crate) fn open(&mut self, without: &[&str]) -> Service {
        let settings = self.settings.iter().filter(|(name, _)| !without.contains(name));
        let settings: Vec<(String, String)> =
            settings.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let serve = async move {
                let app = App::start(Config::from_vars(settings)?).await?;
                tell.send(app.address())?;
                app.run_until(async { drop(stopped.await) }).await
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(serve).unwrap();
        });
        let address = told.recv().expect("the service starts");
        self.settings.insert("PORT", address.port().to_string());
        Service { address, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn rows(&self) -> usize {
        self.google.rows(LOG_TAB).len().saturating_sub(1)
    }
}

impl Service {
    /// An event that must be taken.
    pub(crate) async fn take(&self, event: &Value) {
        let url = format!("http://{}/webhooks/doubletick/{SECRET}", self.address);
        let answer = http().post(url).body(event.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// Waits until the tabs are made and the board is written, so that whatever is written from here on is for what
    /// the test does.
    pub(crate) async fn settled(&self) {
        let give_up = Instant::now() + PATIENCE;
        let written = "google_calls_total{call=\"append\",outcome=\"ok\"}";
        let url = format!("http://{}/metrics", self.address);
        let metrics = async || http().get(&url).send().await.unwrap().text().await.unwrap();
        while !metrics().await.contains(written) {
            assert!(Instant::now() < give_up, "the board was not written");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the service failed");
    }
}

fn http() -> reqwest::Client {
    client_is_ready();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// A chat loses its agent.
pub(crate) fn unassigned(chat: &str) -> Value {
    json!({ "chatId": chat, "customerPhone": "+919111222333", "wabaNumber": "+919000000000" })
}

/// Waits until it holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "it does not happen that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
