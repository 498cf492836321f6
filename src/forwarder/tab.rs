//! Keeping an eye on the sheet: finding our tab, having it made, and looking again while idle.

use std::time::{Duration, Instant};

use crate::causes::Causes;
use crate::forwarder::{Forwarder, Next, Options};
use crate::journal::Journal;
use crate::sheets::{Later, Layout, Survey, Trouble, Wanted};

/// How often the layout is looked at while nothing is written, so that a row need not wait for it.
/// Two reads each, of Google's 60 a minute.
const LOOK_EVERY: Duration = Duration::from_secs(8);
/// Batches between two prunings of markers, and the longest time between them.
const PRUNE_EVERY_BATCHES: u32 = 200;
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

impl Forwarder {
    /// Waits for something to write, and keeps an eye on the layout meanwhile.
    pub(super) async fn idle(&mut self) {
        // Marked as seen before looking, so that an event in between is not missed.
        if self.pending.borrow_and_update().pending() > 0 {
            return;
        }
        let age = self.layout.as_ref().map_or(LOOK_EVERY, |(_, read_at)| read_at.elapsed());
        let (journal, sheets, options) = (&self.journal, &self.sheets, &self.options);
        let look = async {
            tokio::time::sleep(LOOK_EVERY.saturating_sub(age)).await;
            // Another process may have added rows: the watchers are told then.
            drop(journal.refresh().await);
            sheets.survey(&wanted(journal, options).await?).await
        };
        // A row does not wait for the look: it is dropped half-way, it only reads.
        let found = tokio::select! {
            changed = self.pending.changed() => {
                if changed.is_err() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                return;
            }
            found = look => found,
        };
        match found {
            Ok(Survey::Ready(layout)) => {
                self.noted(layout);
                self.succeeded();
            }
            Ok(Survey::Mend(_)) => self.layout = None,
            Err(trouble) => {
                let wait = self.troubled(trouble);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = self.pending.changed() => {}
                }
            }
        }
    }

    pub(super) async fn look(&self) -> Result<Survey, Trouble> {
        self.sheets.survey(&wanted(&self.journal, &self.options).await?).await
    }

    /// Finds our tab, making or binding it where needed.
    pub(super) async fn survey(&mut self) -> Next {
        match self.look().await {
            Ok(Survey::Ready(layout)) => {
                self.noted(layout);
                self.succeeded();
                Next::Step
            }
            Ok(Survey::Mend(mend)) => match self.turn().await {
                Err(wait) => Next::Wait(wait),
                Ok(()) => {
                    let what = mend.what;
                    match self.sheets.mend(mend).await {
                        Ok(()) => {
                            log::info!("{what}");
                            Next::Step
                        }
                        Err(trouble) => self.mend_failed(trouble).await,
                    }
                }
            },
            Err(trouble) => Next::Wait(self.troubled(trouble)),
        }
    }

    /// An id of ours in use means either that an earlier send was applied, which the next look
    /// tells, or that it is someone else's; then another id serves.
    async fn mend_failed(&mut self, trouble: Trouble) -> Next {
        if trouble == Trouble::Taken
            && self.failures > 0
            && let Err(error) = self.journal.redraw_tab_id().await
        {
            log::error!("cannot draw another tab id: {}", Causes(&*error));
        }
        Next::Wait(self.troubled(trouble))
    }

    pub(super) fn noted(&mut self, layout: Layout) {
        let before = self.layout.take().map(|(before, _)| before);
        if before.as_ref() != Some(&layout) {
            log::info!(columns = layout.columns.len(); "found the log tab and its columns");
            let missing = layout.missing();
            if !missing.is_empty() {
                log::warn!("columns that were deleted are not written: {}", missing.join(", "));
            }
            if jiff::tz::TimeZone::get(&layout.time_zone).is_err() {
                log::warn!("the spreadsheet's time zone is not known here: times are in UTC");
            }
        }
        self.layout = Some((layout, Instant::now()));
    }

    pub(super) fn prune_is_due(&self) -> bool {
        self.batches_unpruned >= PRUNE_EVERY_BATCHES
            || (self.batches_unpruned > 0 && self.pruned_at.elapsed() > PRUNE_EVERY)
    }

    /// Deletes markers that cannot matter any more. Only between batches.
    pub(super) async fn prune(&mut self) -> Next {
        let ours = match self.journal.marker_ids().await {
            Ok(ours) => ours,
            Err(_) => return Next::Idle,
        };
        let now_s = (self.options.now)().0 / 1_000;
        let pruned = match self.sheets.prunable(&ours, now_s).await {
            Ok(ids) if ids.is_empty() => Ok(0),
            Ok(ids) => match self.turn().await {
                Err(wait) => return Next::Wait(wait),
                Ok(()) => self.sheets.prune(&ids).await.map(|()| ids.len()),
            },
            Err(trouble) => Err(trouble),
        };
        self.batches_unpruned = 0;
        self.pruned_at = Instant::now();
        match pruned {
            Ok(0) => {}
            Ok(markers) => {
                self.markers_full = false;
                log::info!(markers; "pruned markers of batches long settled");
            }
            Err(_) => log::warn!("could not prune old markers; trying again later"),
        }
        Next::Step
    }
}

async fn wanted(journal: &Journal, options: &Options) -> Result<Wanted, Trouble> {
    let tab_id = journal.tab_id().await.map_err(|error| {
        log::error!("the journal does not answer, trying again: {}", Causes(&*error));
        Trouble::Passing(Later { why: "the journal does not answer".into(), after: None })
    })?;
    Ok(Wanted { title: options.sheet_name.clone(), tab_id, time_zone: options.time_zone.clone() })
}
