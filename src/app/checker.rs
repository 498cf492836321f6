//! The checker: does the checks while somebody looks at the page.
//!
//! At most every ten seconds, so that it takes few of the calls that Google allows: twenty of 60 reads a
//! minute, and six writes, which our own ceiling leaves free. Once the service itself has written, or where
//! another instance does that, it tries no write at all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::app::checks::{self, Tried};
use crate::app::clock;
use crate::app::connecting::{Connecting, NUMBERS};
use crate::app::parts::Sheet;
use crate::journal::Journal;
use crate::operator::{FRESH_MS, Finding, Operator};
use crate::status::{SheetState, Status};

/// How often DoubleTick is asked what it sends, at most.
const ASK_DOUBLETICK_EVERY: Duration = Duration::from_secs(60);

/// Does the checks for the page.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) operator: Arc<Operator>,
    pub(super) status: Arc<Status>,
    pub(super) journal: Journal,
    /// What is wrong with the settings; then there is no spreadsheet.
    pub(super) faults: Vec<String>,
    pub(super) sheets: Vec<Sheet>,
    /// Where DoubleTick can be asked.
    pub(super) connecting: Option<Connecting>,
    pub(super) arrivals: Arrivals,
}

/// What DoubleTick said last of what it sends, and when it was asked.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Mutex<Option<(Instant, Vec<Finding>)>>);

impl Arrivals {
    fn fresh(&self) -> Option<Vec<Finding>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref().filter(|(at, _)| at.elapsed() < ASK_DOUBLETICK_EVERY);
        held.map(|(_, list)| list.clone())
    }

    fn note(&self, list: Option<Vec<Finding>>) {
        let held = list.map(|list| (Instant::now(), list));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

impl Checker {
    /// Checks and connects whenever it is asked to. Never ends.
    pub(super) async fn run(self) {
        tokio::join!(self.check(), self.connect());
    }

    async fn connect(&self) {
        loop {
            self.operator.connect_requested().await;
            let mut list = Vec::new();
            let mut report = checks::Report::to(|finding| list.push(finding));
            match (&self.connecting, self.operator.address()) {
                (Some(connecting), Some(base)) => connecting.connect(&base, &mut report).await,
                (None, _) => report.fails(NUMBERS, "set DOUBLETICK_API_KEY, then start again"),
                (_, None) => report.fails(
                    NUMBERS,
                    "DoubleTick cannot reach the address in your browser: set PUBLIC_URL to one that it can",
                ),
            }
            drop(report);
            self.arrivals.note(None);
            self.operator.finish_connect(list);
            self.operator.request_check();
        }
    }

    /// What DoubleTick sends us. It is asked once a minute at most.
    async fn look_at_arrivals(&self) -> Vec<Finding> {
        let (Some(connecting), Some(base)) = (&self.connecting, self.operator.address()) else {
            return Vec::new();
        };
        if let Some(list) = self.arrivals.fresh() {
            return list;
        }
        let mut list = Vec::new();
        connecting.look(&base, &mut checks::Report::to(|finding| list.push(finding))).await;
        self.arrivals.note(Some(list.clone()));
        list
    }

    async fn check(&self) {
        loop {
            self.operator.check_requested().await;
            let list = self.look().await;
            self.operator.finish_check(list, clock::now());
            tokio::time::sleep(Duration::from_millis(FRESH_MS.unsigned_abs())).await;
        }
    }

    async fn look(&self) -> Vec<Finding> {
        let mut list = Vec::new();
        let mut report = checks::Report::to(|finding: Finding| {
            self.operator.record(finding.clone());
            list.push(finding);
        });
        self.faults.iter().for_each(|fault| report.fails("settings", fault));
        for (number, sheet) in (1..).zip(&self.sheets) {
            match number {
                1 => {
                    report.holds("settings", "complete");
                    report.holds("key file", &sheet.client.whose());
                }
                _ => report.holds("spreadsheet", &sheet.options.name),
            }
            let wanted = checks::wanted(Some(&self.journal), &sheet.options).await;
            let (shading, name) = (sheet.options.board.shading, &sheet.options.name);
            let tried = if self.writes() { Tried::Nothing } else { Tried::Metadata };
            let is_fine = checks::check_google(&sheet.client, &wanted, shading, tried, &mut report);
            // What the checks are not about, the service has met itself.
            if is_fine.await
                && let Some(SheetState::Parked(advice)) = self.status.state(name)
            {
                report.fails("rows", &advice);
            }
        }
        if !self.sheets.is_empty() {
            checks::check_events(Some(&self.journal), &mut report);
        }
        drop(report);
        for finding in self.look_at_arrivals().await {
            self.operator.record(finding.clone());
            list.push(finding);
        }
        list
    }

    /// Whether another instance writes, and takes its turns for that; or something was written since the start,
    /// and the last call went well: the board is written every four minutes in any case.
    fn writes(&self) -> bool {
        let is_fine = self.status.google_calls.of(("append", "ok")) > 0
            && self.status.sheet() == SheetState::Delivering;
        !self.status.forwards() || is_fine
    }
}
