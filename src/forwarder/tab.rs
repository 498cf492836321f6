//! Keeping an eye on the sheet: finding our tabs, having them made, and looking again while idle.

use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use crate::causes::Causes;
use crate::chat::route::{MONTH, title_at};
use crate::forwarder::backoff::Failures;
use crate::forwarder::{Forwarder, Next, Options};
use crate::sheets::rows::{known_time_zone, time_zone};
use crate::sheets::{Later, Layout, Purpose, Survey, Trouble, Wanted, WantedTab};

/// How often the spreadsheet is looked at while nothing is written, of Google's 60 reads a minute; less
/// often where there are so many spreadsheets that they would use up half of them.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const READS_APART: Duration = Duration::from_secs(2);
/// How old a look may be when a batch is planned by it.
const LOOK_AGE_MAX: Duration = Duration::from_secs(5);
/// How old what only a survey tells may be then: titles, sizes, the zone.
const SURVEY_AGE_MAX: Duration = Duration::from_secs(300);
/// And how old while nothing is written.
const SURVEY_EVERY: Duration = Duration::from_secs(120);
/// How often it is looked whether another process has added rows.
const REFRESH_EVERY: Duration = Duration::from_secs(8);
/// Batches between two prunings of markers, and the longest time between them.
const PRUNE_EVERY_BATCHES: u32 = 200;
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
/// How long the log goes on without tabs that cannot be made.
const DO_WITHOUT: Duration = Duration::from_secs(60);

/// The spreadsheet as it was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) layout: Layout,
    /// What was looked for.
    wanted: Wanted,
    /// When it was last known to be so; `None` where something since casts doubt on it.
    at: Option<Instant>,
    /// When it was surveyed; `None` where that is to be done anew.
    surveyed_at: Option<Instant>,
}

impl Seen {
    /// It is looked at before the next write.
    pub(super) fn doubt(&mut self) {
        self.at = None;
    }

    /// The next look is a survey.
    pub(super) fn is_to_be_surveyed(&mut self) {
        self.surveyed_at = None;
    }

    /// Whether a write may be planned by it.
    pub(super) fn is_fresh(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() <= LOOK_AGE_MAX)
            && (!self.layout.has_prepared() || self.was_surveyed_within(LOOK_AGE_MAX))
    }

    fn was_surveyed_within(&self, age_max: Duration) -> bool {
        self.surveyed_at.is_some_and(|at| at.elapsed() < age_max)
    }

    #[cfg(test)]
    pub(super) fn ages(&mut self, by: Duration) {
        self.at = self.at.and_then(|at| at.checked_sub(by));
        self.surveyed_at = self.surveyed_at.and_then(|at| at.checked_sub(by));
    }
}

impl Forwarder {
    /// Waits for something to write, and keeps an eye on the spreadsheet meanwhile.
    pub(super) async fn idle(&mut self) {
        // Marked as seen before looking, so that an event in between is not missed.
        let book = self.options.book;
        let mut changes = self.changes.clone();
        let seen = changes.borrow_and_update().work(book);
        if seen.pending > 0 {
            return;
        }
        // A row does not wait for the look: it is dropped half-way, it only reads.
        // Whatever else is counted wakes nobody here.
        let changed = async {
            let changed = changes.wait_for(|counters| counters.work(book) != seen).await;
            changed.map(drop)
        };
        let found = tokio::select! {
            changed = changed => {
                if changed.is_err() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                return;
            }
            found = self.rest(seen.board_changes) => found,
        };
        match found {
            None => {}
            Some(Ok(Survey::Ready(_))) => self.succeeded(),
            Some(Ok(Survey::Mend(_))) => self.layout = None,
            Some(Err(trouble)) => {
                let wait = self.troubled(trouble);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = self.changes.changed() => {}
                }
            }
        }
    }

    /// Rests until it is time to look again, and does; or until the board is due.
    async fn rest(&mut self, board_changes: u64) -> Option<Result<Survey, Trouble>> {
        let books = u32::try_from(self.journal.books().len()).unwrap_or(u32::MAX);
        let every = LOOK_EVERY.max(READS_APART.saturating_mul(books));
        loop {
            let seen_at = self.layout.as_ref().and_then(|seen| seen.at);
            let seen_at = seen_at.map(|at| at.max(self.written_at.unwrap_or(at)));
            let left = seen_at.map_or(Duration::ZERO, |at| every.saturating_sub(at.elapsed()));
            if left.is_zero() {
                break;
            }
            let board_in = self.drawn.due_in(board_changes, (self.options.now)());
            // Due and not written: there was no room for it, or it is barred.
            let board_in = board_in.map(|wait| wait.max(Duration::from_secs(1)));
            if let Some(wait) = board_in.filter(|wait| *wait <= left.min(REFRESH_EVERY)) {
                tokio::time::sleep(wait).await;
                return None;
            }
            tokio::time::sleep(left.min(REFRESH_EVERY)).await;
            // Another process may have added rows: the watchers are told then.
            drop(self.journal.refresh().await);
        }
        let is_at_rest = self.drawn.is_at_rest((self.options.now)());
        Some(self.look_with(if is_at_rest { SURVEY_EVERY } else { Duration::MAX }).await)
    }

    /// Looks where our tabs are before something is written.
    pub(super) async fn look(&mut self) -> Result<Survey, Trouble> {
        let has_prepared = self.layout.as_ref().is_some_and(|seen| seen.layout.has_prepared());
        self.look_with(if has_prepared { LOOK_AGE_MAX } else { SURVEY_AGE_MAX }).await
    }

    /// The same, where it was not just looked.
    pub(super) async fn look_unless_seen(&mut self) -> Result<Survey, Trouble> {
        match &self.layout {
            Some(seen) if seen.is_fresh() => Ok(Survey::Ready(seen.layout.clone())),
            _ => self.look().await,
        }
    }

    /// Surveys the spreadsheet, whatever is known of it.
    pub(super) async fn look_anew(&mut self) -> Result<Survey, Trouble> {
        self.look_with(Duration::ZERO).await
    }

    /// Asks only whether all still is where it was, if the last survey is younger than this.
    async fn look_with(&mut self, survey_age_max: Duration) -> Result<Survey, Trouble> {
        let wanted = self.wanted().await?;
        if let Some(seen) = &self.layout
            && seen.was_surveyed_within(survey_age_max)
            && seen.wanted == wanted
            && self.sheets.is_as_before(&seen.layout).await?
        {
            let (layout, surveyed_at) = (seen.layout.clone(), seen.surveyed_at);
            self.noted(Seen {
                layout: layout.clone(),
                wanted,
                at: Some(Instant::now()),
                surveyed_at,
            });
            return Ok(Survey::Ready(layout));
        }
        let survey = self.sheets.survey(&wanted, self.options.board.shading).await?;
        if let Survey::Ready(layout) = &survey {
            let (layout, now) = (layout.clone(), Some(Instant::now()));
            self.noted(Seen { layout, wanted, at: now, surveyed_at: now });
        }
        Ok(survey)
    }

    /// The tabs that there should be now.
    async fn wanted(&self) -> Result<Wanted, Trouble> {
        let options = &self.options;
        // Without a look at the spreadsheet its zone is not known, and so neither is the month.
        let zone = options.time_zone.as_deref().or(self.zone_name.as_deref());
        let zone = zone.map(time_zone);
        let late = self.late_title.clone().map(|title| (Purpose::Log, title));
        let mut tabs: Vec<WantedTab> = Vec::new();
        let does_without = self.does_without_until.is_some_and(|until| Instant::now() < until);
        for (purpose, title) in late.into_iter().chain(tabs_of(options, zone.as_ref())) {
            if does_without && purpose != Purpose::Log {
                continue;
            }
            if tabs.iter().any(|tab| (tab.purpose, &tab.title) == (purpose, &title)) {
                continue;
            }
            let tab_id = self.journal.tab_id(options.book, &tab_name(purpose, &title)).await;
            let tab_id = tab_id.map_err(|error| {
                log::error!("the journal does not answer, trying again: {}", Causes(&error));
                Trouble::Passing(Later { why: "the journal does not answer".into(), after: None })
            })?;
            tabs.push(WantedTab { purpose, title, tab_id });
        }
        Ok(Wanted { tabs, time_zone: options.time_zone.clone() })
    }

    /// Finds our tab, making or binding it where needed.
    pub(super) async fn survey(&mut self) -> Next {
        match self.look().await {
            Ok(Survey::Ready(_)) => {
                self.succeeded();
                Next::Step
            }
            Ok(Survey::Mend(mend)) => match self.turn().await {
                Err(wait) => Next::Wait(wait),
                Ok(()) => {
                    let (what, tabs) = (mend.what.clone(), mend.tabs.clone());
                    match self.sheets.mend(mend).await {
                        Ok(()) => {
                            log::info!(sheet = self.options.name; "{what}");
                            Next::Step
                        }
                        Err(trouble) => self.mend_failed(&tabs, trouble).await,
                    }
                }
            },
            Err(trouble) => Next::Wait(self.troubled(trouble)),
        }
    }

    /// An id of ours in use means either that an earlier send was applied, which the next look
    /// tells, or that it is someone else's; then another id serves.
    async fn mend_failed(&mut self, tabs: &[WantedTab], trouble: Trouble) -> Next {
        let is_passing = matches!(trouble, Trouble::Passing(_));
        // Asked once more before it is believed; after that it is tried again every minute.
        let is_lasting = self.failures.any() || self.does_without_until.is_some();
        if !is_passing && is_lasting && tabs.iter().all(|tab| tab.purpose != Purpose::Log) {
            let why = match trouble {
                Trouble::Operator(advice) => format!(": {advice}"),
                _ => String::new(),
            };
            self.warn_of(Some(format!("the board or the handovers tab cannot be made{why}")));
            self.does_without_until = Some(Instant::now() + DO_WITHOUT);
            self.failures = Failures::default();
            return Next::Step;
        }
        if trouble == Trouble::Taken && self.failures.any() {
            for tab in tabs {
                let name = tab_name(tab.purpose, &tab.title);
                if let Err(error) = self.journal.redraw_tab_id(self.options.book, &name).await {
                    log::error!("cannot draw another tab id: {}", Causes(&error));
                }
            }
        }
        Next::Wait(self.troubled(trouble))
    }

    fn noted(&mut self, seen: Seen) {
        let before = self.layout.take().map(|before| before.layout.without_sizes());
        if before.as_ref() != Some(&seen.layout.without_sizes()) {
            self.tell_of(&seen.layout);
        }
        self.zone_name = Some(seen.layout.time_zone.clone());
        self.layout = Some(seen);
        let lack = self.lack.take();
        self.warn_of(lack);
    }

    /// Says what was found, once as long as it stays so.
    fn tell_of(&self, layout: &Layout) {
        for tab in &layout.tabs {
            let columns = tab.columns.len();
            log::info!(sheet = self.options.name, columns; "found the {:?} tab", tab.purpose);
            let missing = tab.missing();
            if !missing.is_empty() {
                let missing = missing.join(", ");
                log::warn!("columns that were deleted are not written: {missing}");
            }
        }
        if known_time_zone(&layout.time_zone).is_none() {
            log::warn!(
                "the spreadsheet's time zone is not known here: times are in UTC, set TIMEZONE"
            );
        }
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

/// The tabs of a spreadsheet at this moment, the most important first. Those of a month only where the
/// zone is known that says which month it is.
pub fn tabs_of(options: &Options, zone: Option<&TimeZone>) -> Vec<(Purpose, String)> {
    let now = (options.now)();
    let titles = options.log_titles.iter().filter_map(|title| match zone {
        Some(zone) => Some(title_at(title, now, zone)),
        None => Some(title.clone()).filter(|title| !title.contains(MONTH)),
    });
    let others = [
        (Purpose::Handovers, options.handovers_title.clone()),
        (Purpose::Board, options.board.title.clone()),
    ];
    titles.map(|title| (Purpose::Log, title)).chain(others).collect()
}

/// What a tab's id is kept under.
pub fn tab_name(purpose: Purpose, title: &str) -> String {
    match purpose {
        Purpose::Log => format!("log {title}"),
        Purpose::Handovers => format!("handovers {title}"),
        Purpose::Board => format!("board {title}"),
    }
}
