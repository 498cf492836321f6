//! The app: wires the parts, starts them in order and stops them in order.
//!
//! Start: the data directory first, because without it nothing may be acknowledged; then the socket,
//! so that events are accepted while Google is still being reached, and also where the settings for
//! Google cannot be used: then the page at `/` says what to do. A database is waited for with the
//! socket open already, and requests held. Stop, in this order: no new connections; requests in
//! flight are answered; the forwarder gets a bounded time for the write under way; the journal
//! closes. Killing the process instead loses nothing, it only takes the next start a moment to find
//! out what became of that write.

pub mod clock;
pub mod commands;
pub mod logging;
pub mod shutdown;
mod checker;
mod checks;
mod connecting;
mod listening;
mod alarm_hook;
mod duty;
mod opening;
mod parts;
mod progress;
mod report;
mod wait_alarm;
mod watch;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::alarm::Alarm;
use crate::app::checker::{Arrivals, Checker};
use crate::app::duty::Duty;
use crate::app::listening::Listening;
use crate::app::opening::journal;
use crate::app::parts::{
    DEFAULT_SHEET, about, alarm_hook, asking, caller, connecting, sheets, wait_watch,
};
use crate::app::watch::Watch;
use crate::config::Config;
use crate::directory::Directory;
use crate::http::secret::Secrets;
use crate::http::{Server, Shared};
use crate::journal::Journal;
use crate::operator::Operator;
use crate::status::{SheetState, Status};

/// A service that listens.
pub struct App {
    address: SocketAddr,
    server: Server,
    duty: Duty,
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
        let started = Self::start_unless(config, std::future::pending()).await?;
        started.context("the service was stopped before it had started")
    }

    /// The same, unless `stop` resolves before: a database that does not answer is waited for, and events are
    /// held meanwhile.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_unless(
        config: Config,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<Option<Self>> {
        config.warnings().iter().for_each(|warning| log::warn!("{warning}"));
        // In a directory nothing may be taken before that is ours, and then at once.
        let early = match config.database {
            Some(_) => Some(Listening::on(&config)?),
            None => None,
        };
        let waits = || early.iter().for_each(Listening::say_that_events_are_held);
        let journal = tokio::select! {
            journal = journal(&config, waits) => journal?,
            () = stop => {
                if let Some(Listening { server, .. }) = early {
                    server.stop().await;
                }
                return Ok(None);
            }
        };
        Self::over(config, journal, early).await.map(Some)
    }

    /// The service over its journal.
    async fn over(
        config: Config,
        journal: Journal,
        early: Option<Listening>,
    ) -> anyhow::Result<Self> {
        let started_at = clock::now();
        let status = Arc::new(Status::default());
        let mut faults = config.google_faults.clone();
        let mut parked = None;
        let sheets = match sheets(&config, &journal, &status).await {
            Ok(sheets) => sheets,
            Err(fault) => {
                if faults.is_empty() {
                    faults.push(format!("{fault:#}"));
                }
                let advice = format!("{fault:#}; then start again: until then rows are kept");
                log::error!(pending_rows = journal.tally().pending(); "{advice}");
                status.set_sheet(DEFAULT_SHEET, SheetState::Parked(advice.clone()));
                parked = Some(advice);
                Vec::new()
            }
        };
        let operator = Arc::new(Operator::new(about(&config, &journal, &sheets)));
        let caller = caller(&config);
        let duty = Duty {
            asking: asking(&config, caller.as_ref(), &status),
            journal: journal.clone(),
            status: Arc::clone(&status),
            operator: Arc::clone(&operator),
            sheets: sheets.clone(),
            wait_watch: wait_watch(&config, &journal, &status),
            parked,
            lease: Duration::from_secs(u64::from(config.lease_s)),
            started_at,
        };
        let directory = caller
            .map(|caller| Directory::new(caller, journal.clone(), Arc::clone(&status), clock::now));
        let watch = Watch {
            operator: Arc::clone(&operator),
            status: Arc::clone(&status),
            journal: journal.clone(),
            alarm: Alarm::new(config.alarm_minutes),
            alarm_hook: config.alarm_webhook_url.as_ref().and_then(alarm_hook),
            is_speaker: false,
        };
        let checker = Checker {
            operator: Arc::clone(&operator),
            status: Arc::clone(&status),
            journal: journal.clone(),
            faults,
            sheets,
            connecting: connecting(&config),
            arrivals: Arrivals::default(),
        };
        let listening = early.map_or_else(|| Listening::on(&config), Ok)?;
        let Listening { address, server, door } = listening;
        let secrets = Secrets::new(&config.webhook_secrets);
        let page_secret = config.page_secret.as_ref().map(|secret| Secrets::new([secret]));
        let shared = Shared::new(
            journal.clone(),
            Arc::clone(&status),
            secrets,
            page_secret,
            Arc::clone(&operator),
            clock::now,
        );
        door.open(shared);
        // The tests and the demo read the address from this line.
        log::info!(pending_rows = journal.tally().pending(); "listening on http://{address}");
        Ok(Self { address, server, duty, directory, journal, operator, checker, watch })
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
        let Self { mut server, duty, directory, journal, operator, checker, watch, .. } = self;
        let (stop_duty, stopped) = tokio::sync::watch::channel(());
        let forwarding = duty.run(stopped);
        let naming = look_names_up(directory, &journal);
        let (checking, watching) = (checker.run(), watch.run());
        tokio::pin!(forwarding, naming, checking, watching, stop);
        tokio::select! {
            () = server.ended() => anyhow::bail!("the HTTP server ended by itself"),
            () = &mut forwarding => anyhow::bail!("a forwarder ended by itself"),
            () = &mut naming => anyhow::bail!("the directory ended by itself"),
            () = &mut checking => anyhow::bail!("the checker ended by itself"),
            () = &mut watching => anyhow::bail!("the watch ended by itself"),
            () = &mut stop => {}
        }
        log::info!("stopping: no new events, finishing what is under way");
        operator.close();
        let answering = server.stop();
        tokio::pin!(answering);
        if journal.is_shared() {
            // Another instance is to take over at once, whoever is still being answered here.
            drop(stop_duty);
            tokio::join!(answering, forwarding);
        } else {
            tokio::select! {
                // The forwarders go on writing while requests in flight are answered.
                () = &mut answering => {}
                () = &mut forwarding => {}
            }
            drop(stop_duty);
            forwarding.await;
        }
        log::info!(pending_rows = journal.tally().pending(); "stopped");
        Ok(())
    }
}

/// Looks names up as long as the service runs; without a key there is nothing to do.
async fn look_names_up(directory: Option<Directory>, journal: &Journal) {
    match directory {
        Some(directory) => directory.run(journal.unnamed()).await,
        None => std::future::pending().await,
    }
}
