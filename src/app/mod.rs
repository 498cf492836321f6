//! The app: wires the parts, starts them in order and stops them in order.
//!
//! Start: the data directory first, because without it nothing may be acknowledged; then the socket,
//! so that events are accepted while Google is still being reached, and also where the settings for
//! Google cannot be used: then the page at `/` says what to do. Stop, in this order: no new
//! connections; requests in flight are answered; the forwarder gets a bounded time for the write
//! under way; the journal closes. Killing the process instead loses nothing, it only takes the next
//! start a moment to find out what became of that write.

pub mod clock;
pub mod commands;
pub mod logging;
pub mod shutdown;
mod checker;
mod checks;
mod alarm_hook;
mod parts;
mod watch;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use anyhow::Context;
use tokio::task::JoinSet;

use crate::alarm::Alarm;
use crate::app::checker::Checker;
use crate::app::parts::{
    DEFAULT_SHEET, about, alarm_hook, directory, forwarders, limits, routes, sheets,
};
use crate::app::watch::Watch;
use crate::config::Config;
use crate::directory::Directory;
use crate::forwarder::Forwarder;
use crate::http::secret::Secrets;
use crate::http::{self, Shared};
use crate::journal::Journal;
use crate::operator::Operator;
use crate::status::{SheetState, Status};

/// How often records older than the retention are deleted.
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
    /// The first sentence of the chain says what cannot be used.
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

/// Runs all forwarders until the sender of `stop` is dropped; each then finishes what it is doing. Without
/// a spreadsheet there is nothing to do until then.
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
