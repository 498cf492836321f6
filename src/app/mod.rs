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
mod alarm_hook;
mod watch;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::Server;
use anyhow::Context;
use reqwest::Url;
use secrecy::SecretString;
use tokio::task::JoinSet;

use crate::alarm::Alarm;
use crate::app::alarm_hook::AlarmHook;
use crate::app::checker::Checker;
use crate::app::watch::Watch;
use crate::causes::Causes;
use crate::chat::memory::Rules;
use crate::chat::route::{Destination, Routes, UNKNOWN};
use crate::config::{Config, HANDOVERS};
use crate::directory::Directory;
use crate::forwarder::pace::Pace;
use crate::forwarder::{BoardOptions, Forwarder, Options};
use crate::http::secret::Secrets;
use crate::http::{self, Shared};
use crate::journal::{BookId, Journal, Limits};
use crate::operator::{About, Operator, Spreadsheet};
use crate::outbound;
use crate::sheets::token::Token;
use crate::sheets::{Client, Shading};
use crate::status::{SheetState, Status};

const DAY_MS: i64 = 86_400_000;
/// What the spreadsheet of the settings is called; the others are numbered.
const DEFAULT_SHEET: &str = "default";
/// What a client says that cannot be built.
const NO_TLS: &str = "cannot set up TLS; install the system's CA certificates (ca-certificates)";
/// How often what is older than the retention is swept out.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// A service that listens.
pub struct App {
    address: SocketAddr,
    server: Server,
    /// One for each spreadsheet; none where the settings for Google cannot be used.
    forwarders: Vec<Forwarder>,
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
        let journal = Journal::open(&config.data_dir, limits(&config), routes(&config))?;
        let status = Arc::new(Status::default());
        let mut faults = config.google_faults.clone();
        let sheets = match sheets(&config, &journal, &status).await {
            Ok(sheets) => sheets,
            Err(fault) => {
                if faults.is_empty() {
                    faults.push(format!("{fault:#}"));
                }
                let advice = format!("{fault:#}; then start again: until then rows are kept");
                log::error!(pending_rows = journal.tally().pending(); "{advice}");
                status.set_sheet(DEFAULT_SHEET, SheetState::Parked(advice));
                Vec::new()
            }
        };
        let forwarders = forwarders(&sheets, &journal, &status).await?;
        let directory = directory(&config, &journal, &status);
        let operator = Arc::new(Operator::new(about(&config, &journal, &sheets)));
        let watch = Watch {
            operator: Arc::clone(&operator),
            status: Arc::clone(&status),
            journal: journal.clone(),
            alarm: Alarm::new(config.alarm_minutes),
            alarm_hook: config.alarm_webhook_url.as_ref().and_then(alarm_hook),
        };
        let checker = Checker {
            operator: Arc::clone(&operator),
            status: Arc::clone(&status),
            journal: journal.clone(),
            faults,
            sheets,
        };
        let socket = SocketAddr::new(config.host, config.port);
        let listener = http::listen(socket).with_context(|| {
            format!("cannot listen on {socket}; set PORT to a free one and HOST to an own address")
        })?;
        let address = listener.local_addr()?;
        let secrets = Secrets::new(&config.webhook_secrets);
        let shared = Shared::new(
            journal.clone(),
            Arc::clone(&status),
            secrets,
            Arc::clone(&operator),
            clock::now,
        );
        let server = http::serve(listener, shared).context("cannot serve HTTP")?;
        // The tests and the demo read the address from this line.
        log::info!(pending_rows = journal.tally().pending(); "listening on http://{address}");
        Ok(Self { address, server, forwarders, directory, journal, operator, checker, watch })
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
        let Self { server, forwarders, directory, journal, operator, checker, watch, .. } = self;
        let handle = server.handle();
        let (stop_forwarders, stopped) = tokio::sync::watch::channel(());
        let sweeper = sweep(&journal);
        let forwarding = forward(forwarders, &stopped);
        let naming = look_names_up(directory, &journal);
        let (checking, watching) = (checker.run(), watch.run());
        tokio::pin!(server, forwarding, sweeper, naming, checking, watching, stop);
        tokio::select! {
            ended = &mut server => {
                ended.context("the HTTP server failed")?;
                anyhow::bail!("the HTTP server ended by itself");
            }
            () = &mut forwarding => anyhow::bail!("a forwarder ended by itself"),
            () = &mut sweeper => anyhow::bail!("the sweeper ended by itself"),
            () = &mut naming => anyhow::bail!("the directory ended by itself"),
            () = &mut checking => anyhow::bail!("the checker ended by itself"),
            () = &mut watching => anyhow::bail!("the watch ended by itself"),
            () = &mut stop => {}
        }
        log::info!("stopping: no new events, finishing what is under way");
        operator.close();
        tokio::select! {
            // The forwarders go on writing while requests in flight are answered.
            () = async { tokio::join!(handle.stop(true), &mut server).1.unwrap_or_default() } => {}
            () = &mut forwarding => {}
        }
        drop(stop_forwarders);
        forwarding.await;
        log::info!(pending_rows = journal.tally().pending(); "stopped");
        Ok(())
    }
}

/// Runs all forwarders until the sender of `stop` is dropped and each has finished what it is at.
/// Without a spreadsheet there is nothing to do until then.
async fn forward(forwarders: Vec<Forwarder>, stop: &tokio::sync::watch::Receiver<()>) {
    let until_stopped = |mut stop: tokio::sync::watch::Receiver<()>| async move {
        // Nothing is ever sent: that the sender is gone is the word.
        _ = stop.changed().await;
    };
    let mut running = JoinSet::new();
    running.spawn(until_stopped(stop.clone()));
    for forwarder in forwarders {
        running.spawn(forwarder.run(until_stopped(stop.clone())));
    }
    // The first that ends by itself ends the service; at the stop all end.
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            log::error!("a forwarder failed: {error}");
        }
        if stop.has_changed().is_ok() {
            return;
        }
    }
}

/// A spreadsheet that rows go to, and how.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) client: Arc<Client>,
    pub(super) options: Options,
}

/// The spreadsheets that are configured, the default first.
async fn sheets(
    config: &Config,
    journal: &Journal,
    status: &Arc<Status>,
) -> anyhow::Result<Vec<Sheet>> {
    let mut sheets: Vec<Sheet> = Vec::new();
    for (number, (spreadsheet_id, book)) in (1..).zip(journal.books()) {
        let client = match sheets.first() {
            Some(first) => first.client.beside(&spreadsheet_id),
            None => client(config, &spreadsheet_id, Arc::clone(status)).await?,
        };
        let options = options(config, sheet_name(number), &spreadsheet_id, book);
        sheets.push(Sheet { client: Arc::new(client), options });
    }
    Ok(sheets)
}

/// One forwarder for each spreadsheet; all of them share the quota.
async fn forwarders(
    sheets: &[Sheet],
    journal: &Journal,
    status: &Arc<Status>,
) -> anyhow::Result<Vec<Forwarder>> {
    let Some(first) = sheets.first() else { return Ok(Vec::new()) };
    let writes = Pace::new(first.options.writes_per_minute_max, journal.sent().await?);
    let writes = Arc::new(Mutex::new(writes));
    let mut forwarders = Vec::new();
    for Sheet { client, options } in sheets {
        let (client, status) = (Arc::clone(client), Arc::clone(status));
        let (journal, writes) = (journal.clone(), Arc::clone(&writes));
        forwarders.push(Forwarder::new(journal, client, status, writes, options.clone()).await?);
    }
    Ok(forwarders)
}

fn options(config: &Config, name: String, spreadsheet_id: &str, book: BookId) -> Options {
    let routes = routes(config);
    let here = routes.destinations().into_iter().filter(|to| to.spreadsheet == spreadsheet_id);
    Options {
        name,
        book,
        log_titles: here.map(|to| to.title.clone()).collect(),
        handovers_title: HANDOVERS.to_owned(),
        board: BoardOptions {
            title: config.board_name.clone(),
            hours_max: config.board_hours,
            shading: Shading {
                warn_minutes: config.board_warn_minutes,
                alert_minutes: config.board_alert_minutes,
            },
        },
        time_zone: config.time_zone.clone(),
        writes_per_minute_max: config.writes_per_minute_max,
        now: clock::now,
    }
}

fn routes(config: &Config) -> Routes {
    let to = |spreadsheet: &str, title: &str| Destination {
        spreadsheet: if spreadsheet.is_empty() { UNKNOWN } else { spreadsheet }.to_owned(),
        title: title.to_owned(),
    };
    let by_number = config
        .routes
        .iter()
        .map(|route| (route.waba_digits.clone(), to(&route.spreadsheet_id, &route.title)));
    Routes::new(to(&config.spreadsheet_id, &config.sheet_name), by_number.collect())
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

fn about(config: &Config, journal: &Journal, sheets: &[Sheet]) -> About {
    let named = (1..).zip(journal.books()).map(|(number, (id, _))| {
        let name = sheet_name(number);
        Spreadsheet { name, id }
    });
    About {
        account: sheets.first().map(|sheet| sheet.client.account().to_owned()),
        spreadsheets: named.filter(|sheet| sheet.id != UNKNOWN).collect(),
        webhook_secret: config.webhook_secrets.first().cloned().unwrap_or_default(),
    }
}

/// What a spreadsheet is called: not its id, which opens it where it is shared by link.
fn sheet_name(number: usize) -> String {
    match number {
        1 => DEFAULT_SHEET.to_owned(),
        number => format!("spreadsheet {number}"),
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

/// Who looks names up. Events are taken without as well, so what is wrong is only said.
fn directory(config: &Config, journal: &Journal, status: &Arc<Status>) -> Option<Directory> {
    let key = config.doubletick_api_key.as_ref()?;
    let api = Url::parse(&config.doubletick_api_url).ok()?;
    let made = Directory::new(&api, key, journal.clone(), Arc::clone(status), clock::now);
    made.inspect_err(|fault| log::error!("no names can be looked up: {}", Causes(fault))).ok()
}

/// Who posts the alarm; the same holds here.
fn alarm_hook(url: &SecretString) -> Option<AlarmHook> {
    let made = AlarmHook::new(url);
    if made.is_none() {
        log::error!("no alarm can be posted to ALARM_WEBHOOK_URL: {NO_TLS}");
    }
    made
}

/// A client of a spreadsheet; asks Google nothing yet.
async fn client(
    config: &Config,
    spreadsheet_id: &str,
    status: Arc<Status>,
) -> anyhow::Result<Client> {
    anyhow::ensure!(config.google_faults.is_empty(), config.google_faults.join("; "));
    outbound::install_crypto();
    let token = Token::new(&config.google_key).await.map_err(|fault| {
        anyhow::anyhow!(
            "the key in GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_CREDENTIALS_JSON {fault}"
        )
    })?;
    let api = Url::parse(&config.sheets_api_url).context("SHEETS_API_URL cannot be used")?;
    Client::new(&api, spreadsheet_id, token, status).context(NO_TLS)
}
