//! Looking at the spreadsheet: finding our tabs, and having them made where they are lacking.

use std::time::{Duration, Instant};

use crate::causes::Causes;
use crate::forwarder::backoff::Failures;
use crate::forwarder::barred::PAUSE;
use crate::forwarder::seal::fullness;
use crate::forwarder::seen::Seen;
use crate::forwarder::{Forwarder, Next, tab_name, tabs_of};
use crate::sheets::zone::{known_time_zone, time_zone};
use crate::sheets::{Later, Layout, Purpose, Survey, Trouble, Wanted, WantedTab};
use crate::status::Place;

/// How old what only a survey tells may be when something is written: titles, sizes, the zone.
const SURVEY_AGE_MAX: Duration = Duration::from_secs(300);

impl Forwarder {
    /// Looks where our tabs are before something is written.
    pub(super) async fn look(&mut self) -> Result<Survey, Trouble> {
        self.look_with(SURVEY_AGE_MAX).await
    }

    /// The same, where it was not just looked.
    pub(super) async fn look_unless_seen(&mut self) -> Result<Survey, Trouble> {
        match &self.seen {
            Some(seen) if seen.is_fresh() => Ok(Survey::Ready(seen.layout.clone())),
            _ => self.look().await,
        }
    }

    /// Surveys the spreadsheet, whatever is known of it.
    pub(super) async fn look_anew(&mut self) -> Result<Survey, Trouble> {
        self.look_with(Duration::ZERO).await
    }

    /// Asks only whether all still is where it was, if the last survey is younger than this.
    pub(super) async fn look_with(&mut self, survey_age_max: Duration) -> Result<Survey, Trouble> {
        let wanted = self.wanted().await?;
        if let Some(seen) = &self.seen
            && seen.was_surveyed_within(survey_age_max)
            && !lacks_something(&seen.layout)
            && seen.wanted == wanted
            && self.sheets.is_as_before(&seen.layout).await?
        {
            let (layout, surveyed_at) = (seen.layout.clone(), seen.surveyed_at);
            let at = Some(Instant::now());
            self.noted(Seen { layout: layout.clone(), wanted, at, surveyed_at });
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
        let does_without = self.barred.does_without(Instant::now());
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
            Ok(Survey::Setup(setup)) => match self.take_write_slot().await {
                Err(wait) => Next::Wait(wait),
                Ok(()) => {
                    let (what, tabs) = (setup.what.clone(), setup.tabs.clone());
                    match self.sheets.set_up(setup).await {
                        Ok(()) => {
                            log::info!(sheet = self.options.name; "{what}");
                            Next::Step
                        }
                        Err(trouble) => self.setup_failed(&tabs, trouble).await,
                    }
                }
            },
            Err(trouble) => Next::Wait(self.troubled(trouble)),
        }
    }

    /// An id of ours in use means either that an earlier send was applied, which the next look
    /// tells, or that it is someone else's; then another id serves.
    async fn setup_failed(&mut self, tabs: &[WantedTab], trouble: Trouble) -> Next {
        let is_passing = matches!(trouble, Trouble::Passing(_));
        // Asked once more before it is believed; after that it is tried again every minute.
        let is_lasting = self.failures.any() || self.barred.did_without();
        if !is_passing && is_lasting && tabs.iter().all(|tab| tab.purpose != Purpose::Log) {
            let why = match trouble {
                Trouble::Operator(advice) => format!(": {advice}"),
                _ => String::new(),
            };
            self.warn_of(Some(format!("the board or the handovers tab cannot be made{why}")));
            self.barred.do_without(Instant::now() + PAUSE);
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
        let before = self.seen.take().map(|before| before.layout.without_sizes());
        if before.as_ref() != Some(&seen.layout.without_sizes()) {
            self.tell_of(&seen.layout);
        }
        let time_zone = seen.layout.time_zone.clone();
        self.zone_name = Some(time_zone.clone());
        let board_tab = seen.layout.tab(Purpose::Board).map(|tab| tab.sheet_id);
        self.status.set_place(&self.options.name, Place { time_zone, board_tab });
        self.seen = Some(seen);
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
}

/// Whether there is something that people are asked to change, and no metadata will tell when they have.
fn lacks_something(layout: &Layout) -> bool {
    !layout.left_out.is_empty()
        || layout.table_advice().is_some()
        || fullness(layout.cells).is_some()
}
