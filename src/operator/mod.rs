//! The operator: what the person in charge is shown, and what they ask for.
//!
//! The app fills it and the page shows it, so that neither needs to know the other. It holds no
//! patient's data, and one secret: the webhook's, which the page shows only to somebody who signed in.

mod history;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Notify, watch};

pub(crate) use crate::operator::history::{History, MINUTES, Minute, Told};

use crate::chat::time::UnixMs;

/// How long the results of a check are shown before it is done again. Each costs calls to Google.
pub(crate) const FRESH_MS: i64 = 10_000;

/// A spreadsheet that rows go to.
#[derive(Clone, Debug)]
pub(crate) struct Spreadsheet {
    pub(crate) name: String,
    pub(crate) id: String,
}

/// What does not change while the service runs.
#[derive(Debug)]
pub(crate) struct About {
    /// The e-mail to share the spreadsheet with; `None` without a key that can be used.
    pub(crate) account: Option<String>,
    /// Where the rows go.
    pub(crate) spreadsheets: Vec<Spreadsheet>,
    /// What the webhook's address ends with.
    pub(crate) webhook_secret: SecretString,
    /// Under which address DoubleTick reaches us, where the settings tell it.
    pub(crate) public_url: Option<String>,
    /// Whether our address can be registered at DoubleTick by us.
    pub(crate) has_doubletick_key: bool,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) what: &'static str,
    /// Whether it is as it should be.
    pub(crate) holds: bool,
    /// How it is; where it does not hold, what to do.
    pub(crate) sentence: String,
}

/// The results of the last check, in the order of trying.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// While a check is under way, the lines that it has not reached yet are those of the last one.
    pub(crate) list: Vec<Finding>,
    /// When the last check ended.
    pub(crate) checked_at: Option<UnixMs>,
    /// Whether everything held then.
    held: bool,
}

impl Findings {
    /// Whether a check was completed and everything held, and nothing was found since that does not. After one in which
    /// something did not hold, the next must be completed: what came behind that has no line yet.
    pub(crate) fn all_hold(&self) -> bool {
        self.held && self.list.iter().all(|finding| finding.holds)
    }

    /// Whether they can still be shown at `now`; not after the clock was set back.
    pub(crate) fn are_fresh(&self, now: UnixMs) -> bool {
        self.checked_at.is_some_and(|at| (0..FRESH_MS).contains(&now.since_ms(at)))
    }
}

/// What the operator is shown and asks for.
#[derive(Debug)]
pub(crate) struct Operator {
    about: About,
    findings: watch::Sender<Findings>,
    asked: Notify,
    history: Mutex<History>,
    /// Under which address the page was looked at.
    address: Mutex<Option<String>>,
    connect_asked: Notify,
    connected: watch::Sender<Vec<Finding>>,
    closing: watch::Sender<bool>,
}

impl Operator {
    pub(crate) fn new(about: About) -> Self {
        Self {
            about,
            findings: watch::Sender::default(),
            asked: Notify::new(),
            history: Mutex::default(),
            address: Mutex::default(),
            connect_asked: Notify::new(),
            connected: watch::Sender::default(),
            closing: watch::Sender::new(false),
        }
    }

    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    /// Asks for a check. Asking again before it has begun changes nothing.
    pub(crate) fn request_check(&self) {
        self.asked.notify_one();
    }

    /// Resolves when a check is asked for.
    pub(crate) async fn check_requested(&self) {
        self.asked.notified().await;
    }

    pub(crate) fn findings(&self) -> Findings {
        self.findings.borrow().clone()
    }

    /// The results of the last check. Where they are not fresh, a check is asked for and waited for.
    pub(crate) async fn fresh_findings(&self, now: UnixMs, patience: Duration) -> Findings {
        let mut seen = self.findings.subscribe();
        let before = self.findings().checked_at;
        if !self.findings().are_fresh(now) {
            self.request_check();
            let over = seen.wait_for(|findings| findings.checked_at != before);
            // The page shows what there is by then, and the rest when it comes.
            drop(tokio::time::timeout(patience, over).await);
        }
        self.findings()
    }

    /// Notes one result of the check that is under way.
    pub(crate) fn record(&self, finding: Finding) {
        self.findings.send_modify(|findings| {
            match findings.list.iter_mut().find(|known| known.what == finding.what) {
                Some(known) => *known = finding,
                None => findings.list.push(finding),
            }
        });
    }

    /// The check has ended, and these are all its results.
    pub(crate) fn finish_check(&self, list: Vec<Finding>, now: UnixMs) {
        let held = list.iter().all(|finding| finding.holds);
        self.findings.send_replace(Findings { list, checked_at: Some(now), held });
    }

    /// Notes under which address we were reached.
    pub(crate) fn note_address(&self, address: String) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// The address, without a path, under which DoubleTick reaches us, as far as it is known.
    pub(crate) fn address(&self) -> Option<String> {
        let noted = || self.address.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.about.public_url.clone().or_else(noted)
    }

    /// Asks for the registration of our address, and waits for what comes of it, no longer than so.
    pub(crate) async fn connect(&self, patience: Duration) {
        let mut seen = self.connected.subscribe();
        self.connect_asked.notify_one();
        drop(tokio::time::timeout(patience, seen.changed()).await);
    }

    /// Resolves when that is asked for.
    pub(crate) async fn connect_requested(&self) {
        self.connect_asked.notified().await;
    }

    /// What came of it.
    pub(crate) fn finish_connect(&self, list: Vec<Finding>) {
        self.connected.send_replace(list);
    }

    /// What came of the last registration that was asked for.
    pub(crate) fn connected(&self) -> Vec<Finding> {
        self.connected.borrow().clone()
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        // A panic elsewhere leaves the numbers as they were; they are still worth reading.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service stops, so pages that are kept up to date end.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves when the service stops.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as we do.
        _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }
}
