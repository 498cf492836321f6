//! The checker: goes through what `check` tries whenever the operator looks at the page.
//!
//! At most every ten seconds, so that it takes few of the calls that Google allows: twenty reads a
//! minute of 60, and six writes, which the ceiling below Google's leaves free; none at all while
//! rows are being written, which shows as much.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{check, clock};
use crate::causes::Causes;
use crate::chat::time::UnixMs;
use crate::journal::Journal;
use crate::operator::{FRESH_MS, Finding, Operator};
use crate::sheets::{Client, Wanted};
use crate::status::{SheetState, Status};

/// A write as old as this says nothing about now.
const WRITE_FRESH_MS: i64 = 600_000;

/// Looks for the operator.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) operator: Arc<Operator>,
    pub(super) status: Arc<Status>,
    pub(super) journal: Journal,
    /// What is wrong with the settings; then there is no client.
    pub(super) faults: Vec<String>,
    pub(super) sheets: Option<Arc<Client>>,
    pub(super) title: String,
    pub(super) time_zone: Option<String>,
}

impl Checker {
    /// Looks whenever it is asked. Never ends.
    pub(super) async fn run(self) {
        loop {
            self.operator.asked().await;
            let list = self.look().await;
            self.operator.looked(list, clock::now());
            tokio::time::sleep(Duration::from_millis(FRESH_MS.unsigned_abs())).await;
        }
    }

    async fn look(&self) -> Vec<Finding> {
        let mut list = Vec::new();
        let mut report = check::Report::to(|finding: Finding| {
            self.operator.found(finding.clone());
            list.push(finding);
        });
        match &self.sheets {
            None => self.faults.iter().for_each(|fault| report.fails("settings", fault)),
            Some(sheets) => {
                report.holds("settings", "complete");
                report.holds("key file", &format!("of {}", sheets.account()));
                match self.journal.tab_id().await {
                    Ok(tab_id) => {
                        let (title, time_zone) = (self.title.clone(), self.time_zone.clone());
                        let wanted = Wanted { title, tab_id, time_zone };
                        let by_writing = self.writes(clock::now());
                        check::check_google(sheets, &wanted, by_writing, &mut report).await;
                    }
                    Err(error) => report.fails("journal directory", &Causes(&*error).to_string()),
                }
            }
        }
        list
    }

    /// Whether rows are being written these minutes.
    fn writes(&self, now: UnixMs) -> bool {
        let last = self.operator.history().last_write_at();
        self.status.sheet() == SheetState::Delivering
            && last.is_some_and(|at| (0..WRITE_FRESH_MS).contains(&now.since_ms(at)))
    }
}
