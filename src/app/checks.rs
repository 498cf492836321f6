//! What a deployment needs, tried in order and told line by line: to the terminal by `check`, or to the
//! operator's page while the service runs.
//!
//! A line that does not hold says what to do. Lines that need an earlier one are left out, so that the
//! first thing to mend stands out. Changes nothing in the spreadsheet but one piece of metadata made and
//! removed in the same request; cells are tried in requests that are refused as a whole.

use crate::forwarder::{Options, tab_name, tabs_of};
use crate::journal::Journal;
use crate::operator::Finding;
use crate::sheets::zone::{known_time_zone, time_zone};
use crate::sheets::{Client, Shading, Survey, Trouble, Wanted, WantedTab};

/// Where the lines go, and whether all of them hold.
pub(super) struct Report<'a> {
    pub(super) all_hold: bool,
    tell: Box<dyn FnMut(Finding) + 'a>,
}

impl<'a> Report<'a> {
    pub(super) fn to(tell: impl FnMut(Finding) + 'a) -> Self {
        Self { all_hold: true, tell: Box::new(tell) }
    }

    pub(super) fn holds(&mut self, what: &'static str, sentence: &str) {
        (self.tell)(Finding { what, holds: true, sentence: sentence.to_owned() });
    }

    pub(super) fn fails(&mut self, what: &'static str, sentence: &str) {
        self.all_hold = false;
        (self.tell)(Finding { what, holds: false, sentence: sentence.to_owned() });
    }

    /// A line that fails because Google refused something; `about` says what.
    pub(super) fn troubled(&mut self, what: &'static str, about: &str, trouble: &Trouble) {
        let sentence = match trouble {
            Trouble::Passing(later) => format!("{}; try again in a minute", later.why),
            Trouble::Operator(advice) => advice.clone(),
            Trouble::Taken => "an id chosen for it is in use; try again".to_owned(),
        };
        self.fails(what, &format!("{about}{sentence}"));
    }
}

/// The tabs that there should be; of a log that has one a month, this month's.
pub(super) async fn wanted(journal: Option<&Journal>, options: &Options) -> Wanted {
    let zone = time_zone(options.time_zone.as_deref().unwrap_or("UTC"));
    let mut tabs = Vec::new();
    for (purpose, title) in tabs_of(options, Some(&zone)) {
        let tab_id = match journal {
            Some(journal) => {
                journal.tab_id(options.book, &tab_name(purpose, &title)).await.unwrap_or_default()
            }
            None => 0,
        };
        tabs.push(WantedTab { purpose, title, tab_id });
    }
    Wanted { tabs, time_zone: options.time_zone.clone() }
}

/// Which events DoubleTick sends, as far as they have been seen: the board needs more than one.
pub(super) fn check_events(journal: Option<&Journal>, report: &mut Report<'_>) {
    let Some(tally) = journal.map(Journal::tally) else { return };
    let sentence = match (tally.accepted, tally.assigned_at()) {
        (0, None) => {
            "none seen yet; tick CHAT_UNASSIGNED, CHAT_ASSIGNED_TO_AGENT, CONVERSATION_OPENED and \
             CLOSE_CONVERSATION in DoubleTick"
        }
        (_, None) => {
            "no assignment was ever seen: tick CHAT_ASSIGNED_TO_AGENT and CLOSE_CONVERSATION in \
             DoubleTick, or lines leave the board only when DoubleTick is asked, or after BOARD_HOURS"
        }
        (_, Some(_)) => "assignments are seen, so the board is true",
    };
    report.holds("events", sentence);
}

/// What is tried in order to find out whether we may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// Nothing, because the service has just written.
    Nothing,
    /// A piece of metadata.
    Metadata,
    /// The same, and cells in each tab.
    Cells,
}

/// Everything at Google.
pub(super) async fn check_google(
    sheets: &Client,
    wanted: &Wanted,
    shading: Shading,
    tried: Tried,
    report: &mut Report<'_>,
) -> bool {
    if let Err(trouble) = sheets.check_token().await {
        report.fails("token", &trouble.to_string());
        return false;
    }
    report.holds("token", "given by Google");
    match sheets.title().await {
        Ok(title) => report.holds("spreadsheet reachable", &format!("`{title}`")),
        Err(trouble) => {
            report.troubled("spreadsheet reachable", "", &trouble);
            return false;
        }
    }
    let may_edit = match tried {
        Tried::Nothing => Ok(()),
        _ => sheets.try_edit(fastrand::i32(1..100_000_000)).await,
    };
    match may_edit {
        Ok(()) => report.holds("may edit", "yes"),
        Err(trouble) => {
            report.troubled("may edit", "", &trouble);
            return false;
        }
    }
    check_tabs(sheets, wanted, shading, tried, report).await
}

/// Our tabs and their columns.
async fn check_tabs(
    sheets: &Client,
    wanted: &Wanted,
    shading: Shading,
    tried: Tried,
    report: &mut Report<'_>,
) -> bool {
    match sheets.survey(wanted, shading).await {
        Ok(Survey::Ready(layout)) => {
            let titles = quoted(layout.tabs.iter().map(|tab| tab.title.as_str()));
            let zone = &layout.time_zone;
            match known_time_zone(zone) {
                Some(_) => report.holds("tabs", &format!("{titles}, times in {zone}")),
                None => report.fails(
                    "tabs",
                    &format!("{titles}; times in UTC, for the spreadsheet's zone `{zone}` is not known: set TIMEZONE"),
                ),
            }
            let columns: usize = layout.tabs.iter().map(|tab| tab.columns.len()).sum();
            report.holds("columns", &format!("{columns} bound"));
            for sentence in layout.left_out.iter().chain(&layout.table_advice()) {
                report.fails("tabs", sentence);
            }
            if let Some(unmade) = &layout.unmade {
                match sheets.setup_of(unmade, shading).await {
                    Ok(setup) => {
                        let titles = quoted(setup.tabs.iter().map(|tab| tab.title.as_str()));
                        report.holds("tabs", &format!("{titles} will be set up when no row waits"));
                    }
                    Err(trouble) => report.troubled("tabs", "", &trouble),
                }
            }
            for tab in layout.tabs.iter().filter(|_| tried == Tried::Cells) {
                let Err(trouble) = sheets.try_cells(tab).await else { continue };
                let tab = format!("the {} `{}` cannot be written: ", tab.purpose.name(), tab.title);
                report.troubled("tabs", &tab, &trouble);
            }
        }
        Ok(Survey::Setup(setup)) => {
            let titles = quoted(setup.tabs.iter().map(|tab| tab.title.as_str()));
            report.holds("tabs", &format!("{titles} will be set up at the first start"));
            report.holds("columns", "will be bound at the first start");
        }
        Err(trouble) => {
            report.troubled("tabs", "", &trouble);
            return false;
        }
    }
    true
}

fn quoted<'a>(titles: impl Iterator<Item = &'a str>) -> String {
    titles.map(|title| format!("`{title}`")).collect::<Vec<_>>().join(", ")
}
