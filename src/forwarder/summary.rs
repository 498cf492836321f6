//! The summary: written when nothing else is to be, and never at the cost of rows.
//!
//! A row that comes while it is on its way waits a second at most. Of a write whose answer was lost or not waited
//! for it is not known whether it was applied: its marker is burnt before the next one, and not before rows.

use std::time::{Duration, Instant};

use crate::chat::summary::Summary;
use crate::chat::time::UnixMs;
use crate::forwarder::held::DOUBT;
use crate::forwarder::seen::Seen;
use crate::forwarder::{Forwarder, Next, ticket};
use crate::journal::{Error, Ticket};
use crate::sheets::zone::time_zone;
use crate::sheets::{Landing, Purpose, TabLayout, Trouble, Unmade};

/// How often it is looked whether it is to be written, and so how often it is at most.
const LOOK_EVERY_MS: i64 = 600_000;
/// How long a row waits for an answer that is on its way.
const GRACE: Duration = Duration::from_secs(1);
/// When it is tried again after a failure that passes.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// The same where a human must act.
const BARRED_FOR: Duration = Duration::from_secs(300);

/// What is known of the summary that stands in the sheet.
#[derive(Debug, Default)]
pub(super) struct WrittenSummary {
    /// When it was last looked whether it is to be written; `None` since the start, or since its tab was made.
    looked_at: Option<UnixMs>,
    /// What was written last.
    shows: Option<Summary>,
    /// A write of which it is not known whether it was applied.
    open: Option<ticket::Open>,
    /// Why it cannot be written or made, and what to do.
    pub(super) lack: Option<String>,
}

impl WrittenSummary {
    fn is_due(&self, now: UnixMs) -> bool {
        self.looked_at.is_none_or(|at| now.since_ms(at).abs() >= LOOK_EVERY_MS)
    }
}

impl Forwarder {
    /// Writes the summary where it is due and shows something else by now. For when no row is pending.
    pub(super) async fn summarise(&mut self) -> Result<Next, Error> {
        let (now, instant) = (self.now(), Instant::now());
        let Some(seen) = &self.seen else { return Ok(Next::Step) };
        let rests = self.options.summary_title.is_none()
            || self.barred.holds(Purpose::Summary, instant)
            || self.barred.log_was_refused()
            || !self.own_writes.has_room(now);
        if rests {
            return Ok(Next::Idle);
        }
        if let Some(unmade) = seen.layout.unmade.clone() {
            return Ok(self.make_summary(&unmade).await);
        }
        let tab = seen.layout.tab(Purpose::Summary).cloned();
        let Some(tab) = tab.filter(|_| self.summary.is_due(now)) else { return Ok(Next::Idle) };
        let zone_name = seen.layout.time_zone.clone();
        let is_fresh = seen.is_fresh();
        let book = self.options.book;
        let summary = self.journal.summary(book, time_zone(&zone_name), now).await?;
        if self.summary.shows.as_ref() == Some(&summary) {
            self.summary.looked_at = Some(now);
            return Ok(Next::Idle);
        }
        if !is_fresh {
            return Ok(self.survey().await);
        }
        if let Some(open) = self.summary.open.take() {
            self.settle_ticket(open).await;
            self.summary.open = self.open_ticket.take();
            if self.summary.open.is_some() {
                return Ok(self.summary_waits(RETRY_AFTER));
            }
        }
        let ticket = match self.traces().await?.marker {
            false => None,
            true => match self.take_ticket().await {
                Ok(ticket) => Some(ticket),
                Err(_) => return Ok(self.summary_waits(RETRY_AFTER)),
            },
        };
        if self.take_write_slot().await.is_err() {
            let waits = self.summary_waits(RETRY_AFTER);
            return Ok(match ticket {
                Some(ticket) => self.close_ticket(ticket).await,
                None => waits,
            });
        }
        Ok(self.send_summary((tab, zone_name), (summary, now), ticket).await)
    }

    async fn send_summary(
        &mut self,
        (tab, zone_name): (TabLayout, String),
        (summary, now): (Summary, UnixMs),
        ticket: Option<Ticket>,
    ) -> Next {
        let Ok(traces) = self.traces().await else { return self.summary_waits(RETRY_AFTER) };
        let marker = ticket.as_ref().and_then(ticket::marker);
        let (book, mut changes) = (self.options.book, self.changes.clone());
        let written = {
            let place = (&tab, zone_name.as_str());
            let sending =
                self.sheets.write_summary(place, (&summary, now), marker.as_ref(), traces);
            let row_waits = async {
                if changes.wait_for(|counters| counters.work(book).pending > 0).await.is_err() {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(GRACE).await;
            };
            tokio::select! {
                biased;
                written = sending => Some(written),
                () = row_waits => None,
            }
        };
        self.pruning.count_batch();
        let Some(Ok(landing)) = written else {
            let is_marked = ticket.is_some();
            self.summary.open = ticket.map(ticket::Open::sent);
            self.seen.as_mut().map(Seen::is_to_be_surveyed);
            return match written {
                Some(Err(Trouble::Operator(advice))) => {
                    let title = &tab.title;
                    self.summary_lacks(format!("the summary `{title}` cannot be written: {advice}"))
                }
                // Without a marker only time tells that it will not be applied any more.
                _ => self.summary_waits(if is_marked { RETRY_AFTER } else { DOUBT }),
            };
        };
        log::debug!(sheet = self.options.name; "wrote the summary");
        self.summary.looked_at = Some(now);
        self.summary.shows = (landing != Landing::Elsewhere).then_some(summary);
        if self.summary.shows.is_none() {
            // A column was moved in the very moment: it is written anew where the columns are now.
            self.summary.looked_at = None;
            self.seen.as_mut().map(Seen::doubt);
            self.barred.bar(Purpose::Summary, Instant::now() + RETRY_AFTER);
        }
        if self.summary.lack.take().is_some() {
            let lack = self.lack.take();
            self.warn_of(lack);
        }
        self.written_at = Some(Instant::now());
        self.succeeded();
        match ticket {
            Some(ticket) => self.close_ticket(ticket).await,
            None => Next::Step,
        }
    }

    /// Makes its tab, or binds the one that is there.
    async fn make_summary(&mut self, unmade: &Unmade) -> Next {
        let shading = self.options.board.shading;
        let setup = match self.sheets.setup_of(unmade, shading).await {
            Ok(setup) => setup,
            Err(trouble) => return self.summary_is_not_made(trouble).await,
        };
        if self.take_write_slot().await.is_err() {
            return self.summary_waits(RETRY_AFTER);
        }
        let what = setup.what.clone();
        match self.sheets.set_up(setup).await {
            Ok(()) => {
                log::info!(sheet = self.options.name; "{what}");
                self.summary =
                    WrittenSummary { open: self.summary.open.take(), ..WrittenSummary::default() };
                self.seen = None;
                Next::Step
            }
            Err(trouble) => self.summary_is_not_made(trouble).await,
        }
    }

    async fn summary_is_not_made(&mut self, trouble: Trouble) -> Next {
        self.seen.as_mut().map(Seen::is_to_be_surveyed);
        match trouble {
            Trouble::Passing(_) => self.summary_waits(RETRY_AFTER),
            Trouble::Operator(advice) => {
                self.summary_lacks(format!("the summary cannot be made: {advice}"))
            }
            // An earlier try was applied, which the next look tells; or it is someone else's, and then
            // another id serves.
            Trouble::Taken => {
                if self.summary.lack.is_some()
                    && let Some(title) = self.options.summary_title.clone()
                {
                    let name = crate::forwarder::tab_name(Purpose::Summary, &title);
                    drop(self.journal.redraw_tab_id(self.options.book, &name).await);
                }
                let sentence = "an id chosen for the summary is in use; trying another";
                self.summary_lacks(sentence.to_owned())
            }
        }
    }

    /// It is left alone for so long.
    fn summary_waits(&mut self, wait: Duration) -> Next {
        self.barred.bar(Purpose::Summary, Instant::now() + wait);
        Next::Idle
    }

    /// A human must act.
    fn summary_lacks(&mut self, sentence: String) -> Next {
        self.summary.lack = Some(sentence);
        let lack = self.lack.take();
        self.warn_of(lack);
        self.summary_waits(BARRED_FOR)
    }
}
