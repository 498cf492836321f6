//! The checker: does the checks while somebody looks at the page.
//!
//! At most every ten seconds, so that it takes few of the calls that Google allows: twenty of 60 reads a
//! minute, and six writes, which our own ceiling leaves free. Once the service itself has written, or where
//! another instance does that, it tries no write at all.

use std::sync::Arc;
use std::time::Duration;

use crate::app::checks::{self, Tried};
use crate::app::clock;
use crate::app::parts::Sheet;
use crate::journal::Journal;
use crate::operator::{FRESH_MS, Finding, Operator};
use crate::status::{SheetState, Status};

/// Does the checks for the page.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) operator: Arc<Operator>,
    pub(super) status: Arc<Status>,
    pub(super) journal: Journal,
    /// What is wrong with the settings; then there is no spreadsheet.
    pub(super) faults: Vec<String>,
    pub(super) sheets: Vec<Sheet>,
}

impl Checker {
    /// Checks whenever it is asked to. Never ends.
    pub(super) async fn run(self) {
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
