//! The app: wires the parts, starts them in order and stops them in order.
//!
//! Start: the data directory first, because without it nothing may be acknowledged; then the socket,
//! so that events are accepted while Google is still being reached, and also where the settings for
//! Google cannot be used: then the page at `/` says what to do. Stop, in this order: no new
//! connections; requests in flight are answered; the forwarder gets a bounded time for the write
//! under way; the journal closes. Killing the process instead loses nothing, it only takes the next
//! start a moment to find out what became of that write.

pub mod check;
pub mod clock;
pub mod command;
pub mod logging;
pub mod shutdown;
pub mod upkeep;
pub mod set_aside;
mod checker;
mod notify;
mod watch;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use anyhow::Context;
use reqwest::Url;
use tokio::sync::oneshot;

use crate::alarm::Alarm;
use crate::app::checker::Checker;
use crate::app::notify::Notify;
use crate::app::watch::Watch;
use crate::chat::memory::Rules;
use crate::config::Config;
use crate::directory::Directory;
use crate::forwarder::{Forwarder, Options};
use crate::http::secret::Secrets;
use crate::http::{self, Door};
use crate::journal::{Journal, Limits};
use crate::operator::{About, Operator, Spreadsheet};
use crate::sheets::Client;
use crate::sheets::token::Token;
use crate::status::{SheetState, Status};

const DAY_MS: i64 = 86_400_000;
/// What the one spreadsheet is called.
const SHEET: &str = "default";
/// How often what is older than the retention is swept out.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// A service that listens.
pub struct App {
    address: SocketAddr,
    server: Server,
    /// None where the settings for Google cannot be used.
    forwarder: Option<Forwarder>,
    directory: Option<Directory>,
    journal: Journal,
    operator: Arc<Operator>,
    checker: Checker,
    watch: Watch,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({})", self.address)
    }
}

impl App {
    /// Opens the journal and the socket. Events are accepted from here on; nothing is written to
    /// the sheet before [`App::run_until`].
    ///
    /// # Errors
    /// A chain whose first sentence says what cannot be used.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let journal = Journal::open(&config.data_dir, limits(&config))?;
        let status = Arc::new(Status::default());
        let mut faults = config.google_faults.clone();
        let sheets = match client(&config, Arc::clone(&status)).await {
            Ok(sheets) => Some(Arc::new(sheets)),
            Err(fault) => {
                if faults.is_empty() {
                    faults.push(format!("{fault:#}"));
                }
                let advice = format!("{fault:#}; then start again: until then rows are kept");
                log::error!(pending_rows = journal.tally().pending(); "{advice}");
                status.set_sheet(SHEET, SheetState::Parked(advice));
                None
            }
        };
        let forwarder = match &sheets {
            Some(sheets) => Some(forwarder(&config, &journal, Arc::clone(sheets), &status).await?),
            None => None,
        };
        let directory = directory(&config, &journal, &status)?;
        let operator = Arc::new(Operator::new(about(&config, sheets.as_deref())));
        let watch = Watch {
            operator: Arc::clone(&operator),
            status: Arc::clone(&status),
            journal: journal.clone(),
            alarm: Alarm::new(config.alarm_minutes),
            notify: match &config.alarm_webhook_url {
                Some(url) => Some(Notify::new(url).context("ALARM_WEBHOOK_URL cannot be used")?),
                None => None,
            },
        };
        let checker = Checker {
            operator: Arc::clone(&operator),
            status: Arc::clone(&status),
            journal: journal.clone(),
            faults,
            sheets,
            title: config.sheet_name.clone(),
            time_zone: config.time_zone.clone(),
        };
        let socket = SocketAddr::new(config.host, config.port);
        let listener = TcpListener::bind(socket).with_context(|| {
            format!("cannot listen on {socket}; set PORT to a free one and HOST to an own address")
        })?;
        let address = listener.local_addr()?;
        let secrets = Secrets::new(&config.webhook_secrets);
        let door = Door::new(
            journal.clone(),
            Arc::clone(&status),
            secrets,
            Arc::clone(&operator),
            clock::now,
        );
        let server = http::serve(listener, door).context("cannot serve HTTP")?;
        // The tests and the demo read the address from this line.
        log::info!(pending_rows = journal.tally().pending(); "listening on http://{address}");
        Ok(Self { address, server, forwarder, directory, journal, operator, checker, watch })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves and forwards until `stop` resolves, then stops in order.
    ///
    /// # Errors
    /// When a part ended that should not have.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { server, forwarder, directory, journal, operator, checker, watch, .. } = self;
        let handle = server.handle();
        let (stop_forwarder, forwarder_stopped) = oneshot::channel::<()>();
        let sweeper = sweep(&journal);
        let forwarding = forward(forwarder, async {
            // A dropped sender means the same as a sent word.
            _ = forwarder_stopped.await;
        });
        let naming = look_names_up(directory, &journal);
        let (checking, watching) = (checker.run(), watch.run());
        tokio::pin!(server, forwarding, sweeper, naming, checking, watching, stop);
        tokio::select! {
            ended = &mut server => {
                ended.context("the HTTP server failed")?;
                anyhow::bail!("the HTTP server ended by itself");
            }
            () = &mut forwarding => anyhow::bail!("the forwarder ended by itself"),
            () = &mut sweeper => anyhow::bail!("the sweeper ended by itself"),
            () = &mut naming => anyhow::bail!("the directory ended by itself"),
            () = &mut checking => anyhow::bail!("the checker ended by itself"),
            () = &mut watching => anyhow::bail!("the watch ended by itself"),
            () = &mut stop => {}
        }
        log::info!("stopping: no new events, finishing what is under way");
        operator.close();
        tokio::select! {
            // The forwarder goes on writing while requests in flight are answered.
            () = async { tokio::join!(handle.stop(true), &mut server).1.unwrap_or_default() } => {}
            () = &mut forwarding => {}
        }
        drop(stop_forwarder);
        forwarding.await;
        log::info!(pending_rows = journal.tally().pending(); "stopped");
        Ok(())
    }
}

async fn forwarder(
    config: &Config,
    journal: &Journal,
    sheets: Arc<Client>,
    status: &Arc<Status>,
) -> anyhow::Result<Forwarder> {
    let options = Options {
        name: SHEET.to_owned(),
        sheet_name: config.sheet_name.clone(),
        time_zone: config.time_zone.clone(),
        writes_per_minute_max: config.writes_per_minute_max,
        now: clock::now,
    };
    Ok(Forwarder::new(journal.clone(), sheets, Arc::clone(status), options).await?)
}

/// Forwards until `stop` resolves; without a spreadsheet there is nothing to do until then.
async fn forward(forwarder: Option<Forwarder>, stop: impl Future<Output = ()>) {
    match forwarder {
        Some(forwarder) => forwarder.run(stop).await,
        None => stop.await,
    }
}

/// Looks names up as long as the service runs; without a key there is nothing to do.
async fn look_names_up(directory: Option<Directory>, journal: &Journal) {
    match directory {
        Some(directory) => directory.run(journal.unnamed()).await,
        None => std::future::pending().await,
    }
}

/// Sweeps at the start and then every hour. Never ends.
async fn sweep(journal: &Journal) {
    loop {
        if let Err(error) = journal.sweep(clock::now()).await {
            log::warn!("cannot sweep what is older than the retention: {error}");
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

fn about(config: &Config, sheets: Option<&Client>) -> About {
    let id = Some(config.spreadsheet_id.clone()).filter(|id| !id.is_empty());
    About {
        account: sheets.map(|sheets| sheets.account().to_owned()),
        spreadsheets: id.map(|id| Spreadsheet { name: SHEET.to_owned(), id }).into_iter().collect(),
        webhook_secret: config.webhook_secrets.first().cloned().unwrap_or_default(),
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        pending_rows_max: config.pending_rows_max,
        rules: Rules {
            resend_window_ms: i64::from(config.dedupe_window_s) * 1_000,
            retention_ms: i64::from(config.retention_days) * DAY_MS,
        },
    }
}

fn directory(
    config: &Config,
    journal: &Journal,
    status: &Arc<Status>,
) -> anyhow::Result<Option<Directory>> {
    let Some(key) = &config.doubletick_api_key else { return Ok(None) };
    let api =
        Url::parse(&config.doubletick_api_url).context("DOUBLETICK_API_URL cannot be used")?;
    let made = Directory::new(&api, key, journal.clone(), Arc::clone(status), clock::now);
    made.map(Some).context("DOUBLETICK_API_KEY cannot be used")
}

/// A client of the configured spreadsheet; asks Google nothing yet.
async fn client(config: &Config, status: Arc<Status>) -> anyhow::Result<Client> {
    anyhow::ensure!(config.google_faults.is_empty(), config.google_faults.join("; "));
    // One crypto provider for the whole process; a second call finds it installed already.
    _ = rustls::crypto::ring::default_provider().install_default();
    let token = Token::new(&config.google_key).await.map_err(|fault| {
        anyhow::anyhow!(
            "the key in GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_CREDENTIALS_JSON {fault}"
        )
    })?;
    let api = Url::parse(&config.sheets_api_url).context("SHEETS_API_URL cannot be used")?;
    Client::new(&api, &config.spreadsheet_id, token, status)
        .context("cannot set up TLS; install the system's CA certificates (ca-certificates)")
}
