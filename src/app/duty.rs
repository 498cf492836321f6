//! The duty: what must be done once however many instances there are: forwarding, upkeep, alarms, asking
//! DoubleTick.
//!
//! Where the journal is in a directory, this process does it from start to stop. On a database it waits for the
//! lease, does it for as long as the lease lasts, and stops before it ends. Every few seconds it tells the others
//! that it is there, and how the spreadsheets are; the others show that as their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::app::clock;
use crate::app::parts::{DEFAULT_SHEET, Sheet, formers, forwarders};
use crate::app::report::Report;
use crate::app::wait_alarm::WaitWatch;
use crate::asking::Asking;
use crate::causes::Causes;
use crate::chat::time::UnixMs;
use crate::forwarder::{Former, Forwarder};
use crate::journal::{Held, Journal, Term};
use crate::operator::Operator;
use crate::status::{SheetState, Status};

/// How often records older than the retention are deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);
/// How often it is looked whether the lease is free.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a step under way may take when this instance stops and another is to take over. What it was
/// sending is found out by the other.
const RESIGN_AFTER: Duration = Duration::from_millis(500);
/// This much before the lease ends its owner stops.
const MARGIN: Duration = Duration::from_secs(1);

/// What is done once, and what it needs.
#[derive(Debug)]
pub(super) struct Duty {
    pub(super) journal: Journal,
    pub(super) status: Arc<Status>,
    pub(super) operator: Arc<Operator>,
    pub(super) sheets: Vec<Sheet>,
    /// Where DoubleTick can be asked who waits.
    pub(super) asking: Option<Asking>,
    /// Who is told of patients who wait too long, where anybody is.
    pub(super) wait_watch: Option<WaitWatch>,
    /// Why there is no spreadsheet, where that is so.
    pub(super) parked: Option<String>,
    /// How long the lease is.
    pub(super) lease: Duration,
    pub(super) started_at: UnixMs,
}

/// Those who write: to the spreadsheets that are configured, and what is left for others.
type Parts = (Vec<Forwarder>, Vec<Former>);

/// How a term ended.
enum Ended {
    /// The service stops, or a part of the work ended by itself.
    Over,
    /// Another instance may have taken over.
    Lost,
}

impl Duty {
    /// Does it until the sender of `stop` is dropped. Ends earlier only where a part of it failed.
    pub(super) async fn run(self, stop: Receiver<()>) {
        if !self.journal.is_shared() {
            self.status.set_forwards(true);
            let Ok(parts) = self.forwarders(&self.journal).await else { return };
            return self.work(&self.journal, parts, &stop).await;
        }
        loop {
            let held = tokio::select! {
                held = self.wait_for_lease() => held,
                () = stopped(&stop) => return,
            };
            log::info!("this instance forwards from now on");
            self.status.set_forwards(true);
            let ended = self.serve(held, &stop).await;
            self.status.set_forwards(false);
            match ended {
                Ended::Over => return self.resign(held.term).await,
                Ended::Lost => log::warn!("this instance forwards no more: its lease is over"),
            }
        }
    }

    async fn forwarders(&self, journal: &Journal) -> Result<Parts, ()> {
        let taken_up = async {
            let forwarders = forwarders(&self.sheets, journal, &self.status).await?;
            Ok::<_, anyhow::Error>((forwarders, formers(&self.sheets, journal).await?))
        };
        taken_up.await.map_err(|error| {
            log::error!("cannot take up what is to be written: {error:#}");
        })
    }

    /// All of it, until the sender of `stop` is dropped or a part of it failed.
    async fn work(&self, journal: &Journal, parts: Parts, stop: &Receiver<()>) {
        tokio::select! {
            () = forward(parts, stop) => {}
            () = sweep(journal) => {}
            () = self.watch_waits(journal) => {}
            () = self.ask(journal) => {}
        }
    }

    async fn ask(&self, journal: &Journal) {
        match &self.asking {
            Some(asking) => asking.run(journal).await,
            None => std::future::pending().await,
        }
    }

    async fn watch_waits(&self, journal: &Journal) {
        match &self.wait_watch {
            Some(watch) => watch.run(journal).await,
            None => std::future::pending().await,
        }
    }

    /// One term, from its beginning to its end.
    async fn serve(&self, held: Held, stop: &Receiver<()>) -> Ended {
        let journal = self.journal.in_term(held.term);
        if let Some(advice) = &self.parked {
            // What the instance before could write this one cannot.
            let parked = SheetState::Parked(advice.clone());
            self.status.follow(vec![(DEFAULT_SHEET.to_owned(), parked, None)]);
        }
        let work = async {
            let parts = loop {
                match self.forwarders(&journal).await {
                    Ok(parts) => break parts,
                    Err(()) => sleep(LOOK_EVERY).await,
                }
            };
            self.work(&journal, parts, stop).await;
        };
        tokio::pin!(work);
        tokio::select! {
            () = &mut work => return Ended::Over,
            () = self.keep(held) => return Ended::Lost,
            () = stopped(stop) => {}
        }
        drop(timeout(RESIGN_AFTER, work).await);
        Ended::Over
    }

    /// Waits until this instance owns the lease. Tells the others meanwhile that it is there.
    async fn wait_for_lease(&self) -> Held {
        loop {
            if let Some(held) = self.beat().await {
                return held;
            }
            let told = Instant::now();
            while told.elapsed() < self.lease / 3 {
                sleep(LOOK_EVERY).await;
                if self.journal.is_unowned().await.unwrap_or(false) {
                    break;
                }
            }
        }
    }

    /// Makes the lease longer for as long as that succeeds in time; returns when it may have ended.
    async fn keep(&self, first: Held) {
        let mut last = Lasting::from(&first, self.lease);
        loop {
            let next = sleep(self.lease / 3);
            tokio::select! {
                () = next => {}
                () = last.over() => return,
            }
            let renewed = tokio::select! {
                renewed = self.beat() => renewed,
                () = last.over() => return,
            };
            match renewed {
                Some(held) if held.term == first.term => {
                    last = Lasting::from(&held, self.lease);
                }
                // The database is away: the lease may last all the same.
                None if self.journal.condition().is_some() => {}
                _ => return,
            }
        }
    }

    /// Says that this instance is there, and takes or keeps the lease. `None` where it is another's, or the
    /// database does not answer.
    async fn beat(&self) -> Option<Held> {
        let report = {
            let history = self.operator.history();
            Report::of(&self.status, &history, self.started_at).to_json()
        };
        let held = self.journal.beat(report, self.lease).await;
        if let Err(error) = &held {
            log::debug!("cannot tell the other instances: {}", Causes(error));
        }
        self.look_at_others().await;
        held.ok().flatten()
    }

    /// Notes who else is there, and how the spreadsheets are as their owner says.
    async fn look_at_others(&self) {
        let Ok(fellows) = self.journal.fellows().await else { return };
        Report::note(&fellows, &self.status, &mut self.operator.history());
    }

    async fn resign(&self, term: Term) {
        match timeout(MARGIN, self.journal.resign(term)).await {
            Ok(Ok(())) => log::info!("another instance may forward now"),
            _ => log::info!("the lease could not be given back, and ends by itself"),
        }
    }
}

/// Until when a lease may be relied on without asking: from the attempt that got it, by a clock that is never
/// set and by one that goes on while the machine sleeps.
struct Lasting {
    until: Instant,
    until_ms: UnixMs,
}

impl Lasting {
    fn from(held: &Held, length: Duration) -> Self {
        let margin = MARGIN.min(length / 4);
        let left = (length - margin).saturating_sub(held.since.elapsed());
        let left_ms = i64::try_from(left.as_millis()).unwrap_or_default();
        Self { until: Instant::now() + left, until_ms: clock::now().plus_ms(left_ms) }
    }

    async fn over(&self) {
        while Instant::now() < self.until && clock::now() < self.until_ms {
            sleep(LOOK_EVERY.min(self.until.saturating_duration_since(Instant::now()))).await;
        }
    }
}

/// Resolves when the sender of `stop` is gone: nothing is ever sent.
async fn stopped(stop: &Receiver<()>) {
    _ = stop.clone().changed().await;
}

/// Runs all forwarders until the sender of `stop` is dropped; each then finishes what it is doing. Without
/// a spreadsheet there is nothing to do until then. What became of a batch to a former spreadsheet can be found out
/// in another life as well.
async fn forward((forwarders, formers): Parts, stop: &Receiver<()>) {
    let until_stopped = |stop: Receiver<()>| async move { stopped(&stop).await };
    let mut running = JoinSet::new();
    running.spawn(until_stopped(stop.clone()));
    for former in formers {
        let stop = stop.clone();
        running.spawn(async move {
            tokio::select! {
                () = former.run() => stopped(&stop).await,
                () = stopped(&stop) => {}
            }
        });
    }
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

/// Sweeps at the start and then every hour. Never ends.
async fn sweep(journal: &Journal) {
    loop {
        if let Err(error) = journal.sweep(clock::now()).await {
            log::warn!("cannot sweep what is older than the retention: {error}");
        }
        sleep(SWEEP_EVERY).await;
    }
}
