//! The operator: what the person in charge is shown, and what they ask for.
//!
//! The meeting point of those who look (the app: at Google, at the clock) and the page that shows.
//! Neither knows the other. Holds no patient's data; of secrets only the one that the page shows to
//! whoever has presented it.

mod history;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Notify, watch};

pub use crate::operator::history::{History, MINUTES, Minute};

use crate::chat::time::UnixMs;

/// For so long what was found out counts as it is now; looking costs calls to Google.
pub const FRESH_MS: i64 = 10_000;

/// A spreadsheet that rows go to.
#[derive(Clone, Debug)]
pub struct Spreadsheet {
    /// What it is called here.
    pub name: String,
    /// What Google knows it by.
    pub id: String,
}

/// What does not change while the service runs.
#[derive(Debug)]
pub struct About {
    /// The e-mail to share the spreadsheet with; `None` without a key that can be used.
    pub account: Option<String>,
    /// Where the rows go.
    pub spreadsheets: Vec<Spreadsheet>,
    /// What the webhook's address ends with.
    pub webhook_secret: SecretString,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// Whether it is as it should be.
    pub holds: bool,
    /// How it is; where it does not hold, what to do.
    pub sentence: String,
}

/// What was found out last, in the order of trying.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// What was tried. While a look is under way, what it has not come to is of the look before.
    pub list: Vec<Finding>,
    /// When the last look was over.
    pub looked_at: Option<UnixMs>,
}

impl Findings {
    /// Whether a look was completed and everything held.
    pub fn all_hold(&self) -> bool {
        self.looked_at.is_some() && self.list.iter().all(|finding| finding.holds)
    }

    /// Whether they count as how it is at `now`; not after the clock was set back either.
    pub fn are_fresh(&self, now: UnixMs) -> bool {
        self.looked_at.is_some_and(|at| (0..FRESH_MS).contains(&now.since_ms(at)))
    }
}

/// What the operator is shown and asks for.
#[derive(Debug)]
pub struct Operator {
    about: About,
    findings: watch::Sender<Findings>,
    asked: Notify,
    history: Mutex<History>,
    closing: watch::Sender<bool>,
}

impl Operator {
    /// Nothing was tried yet.
    pub fn new(about: About) -> Self {
        Self {
            about,
            findings: watch::Sender::default(),
            asked: Notify::new(),
            history: Mutex::default(),
            closing: watch::Sender::new(false),
        }
    }

    /// What does not change.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Asks for a look at everything. Asking again before it has begun changes nothing.
    pub fn request_check(&self) {
        self.asked.notify_one();
    }

    /// Resolves when a look is asked for.
    pub async fn check_requested(&self) {
        self.asked.notified().await;
    }

    /// What was found out last.
    pub fn findings(&self) -> Findings {
        self.findings.borrow().clone()
    }

    /// What was found out last; where that is not fresh, a look is asked for and waited for.
    pub async fn fresh_findings(&self, now: UnixMs, patience: Duration) -> Findings {
        let mut seen = self.findings.subscribe();
        let before = self.findings().looked_at;
        if !self.findings().are_fresh(now) {
            self.request_check();
            let over = seen.wait_for(|findings| findings.looked_at != before);
            // Whoever looks is shown what there is, and the rest when it comes.
            drop(tokio::time::timeout(patience, over).await);
        }
        self.findings()
    }

    /// Notes one thing that was tried just now.
    pub fn record(&self, finding: Finding) {
        self.findings.send_modify(|findings| {
            match findings.list.iter_mut().find(|known| known.what == finding.what) {
                Some(known) => *known = finding,
                None => findings.list.push(finding),
            }
        });
    }

    /// The look is over, and this is all that was tried.
    pub fn finish_check(&self, list: Vec<Finding>, now: UnixMs) {
        self.findings.send_replace(Findings { list, looked_at: Some(now) });
    }

    /// What happened in the last hour.
    pub fn history(&self) -> MutexGuard<'_, History> {
        // A panic elsewhere leaves the numbers as they were; they are still worth reading.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service stops: pages that are kept up to date end.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves when the service stops.
    pub async fn closed(&self) {
        // The sender lives as long as we do.
        _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }
}
