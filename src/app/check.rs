//! `check`: tries everything a deployment needs, in order, and tells it line by line: to the terminal,
//! or to the page while the service runs.
//!
//! A line that does not hold says what to do. Lines that need an earlier one are left out, so that the
//! first thing to mend stands out. Changes nothing in the spreadsheet but one piece of metadata made and
//! removed in the same request; cells are tried in requests that are refused as a whole. `--live` also
//! uses a scratch tab.

use std::io::Write;
use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::app::{client, limits, options, routes};
use crate::causes::Causes;
use crate::config::Config;
use crate::forwarder::{Options, tab_name, tabs_of};
use crate::http::WEBHOOK_PATH;
use crate::journal::Journal;
use crate::operator::Finding;
use crate::sheets::zone::{known_time_zone, time_zone};
use crate::sheets::{Client, Shading, Survey, Trouble, Wanted, WantedTab, probe};
use crate::status::Status;

/// Prints the checks; true when all hold.
pub async fn run(live: bool) -> bool {
    let mut report = Report::to(print);
    let config = match Config::from_env().and_then(Config::complete) {
        Ok(config) => config,
        Err(problems) => {
            for problem in problems.sentences() {
                report.fails("settings", problem);
            }
            return false;
        }
    };
    report.holds("settings", "complete");
    let journal = check_journal(&config, &mut report).await;
    let routes = routes(&config);
    for (number, spreadsheet_id) in (1..).zip(routes.spreadsheets()) {
        if number > 1 {
            report.holds("spreadsheet", &format!("number {number}, of ROUTES"));
        }
        let books = journal.as_ref().map(Journal::books).unwrap_or_default();
        let book = books.into_iter().find(|(id, _)| id == spreadsheet_id).map(|(_, book)| book);
        let options = options(&config, String::new(), spreadsheet_id, book.unwrap_or_default());
        let sheets = match client(&config, spreadsheet_id, Arc::new(Status::default())).await {
            Ok(sheets) => sheets,
            Err(error) => {
                report.fails("key file", &format!("{error:#}"));
                return false;
            }
        };
        if number == 1 {
            report.holds("key file", &format!("of {}", sheets.account()));
        }
        let wanted = wanted(journal.as_ref(), &options).await;
        let shading = options.board.shading;
        if check_google(&sheets, &wanted, shading, Tried::Cells, &mut report).await && live {
            check_live(journal.as_ref(), &sheets, &mut report).await;
        }
    }
    check_events(journal.as_ref(), &mut report);
    check_address(&config, &mut report);
    report.holds
}

/// Where the lines go, and whether all of them held.
pub(super) struct Report<F> {
    holds: bool,
    tell: F,
}

fn print(finding: Finding) {
    let mark = if finding.holds { "ok" } else { "FAIL" };
    // A closed pipe is no reason to fail a check.
    _ = writeln!(std::io::stdout(), "{mark:<5} {:<22} {}", finding.what, finding.sentence);
}

impl<F: FnMut(Finding)> Report<F> {
    pub(super) fn to(tell: F) -> Self {
        Self { holds: true, tell }
    }

    pub(super) fn holds(&mut self, what: &'static str, sentence: &str) {
        (self.tell)(Finding { what, holds: true, sentence: sentence.to_owned() });
    }

    pub(super) fn fails(&mut self, what: &'static str, sentence: &str) {
        self.holds = false;
        (self.tell)(Finding { what, holds: false, sentence: sentence.to_owned() });
    }

    /// Of what is said in `about`.
    fn troubled(&mut self, what: &'static str, about: &str, trouble: &Trouble) {
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
pub(super) fn check_events(journal: Option<&Journal>, report: &mut Report<impl FnMut(Finding)>) {
    let Some(tally) = journal.map(Journal::tally) else { return };
    let sentence = match (tally.accepted, tally.assigned_at()) {
        (0, None) => {
            "none seen yet; tick CHAT_UNASSIGNED, CHAT_ASSIGNED_TO_AGENT, CONVERSATION_OPENED and \
             CLOSE_CONVERSATION in DoubleTick"
        }
        (_, None) => {
            "no assignment was ever seen: tick CHAT_ASSIGNED_TO_AGENT and CLOSE_CONVERSATION in \
             DoubleTick, or lines leave the board only after BOARD_HOURS"
        }
        (_, Some(_)) => "assignments are seen, so the board is true",
    };
    report.holds("events", sentence);
}

/// The journal, beside the service if that is running.
async fn check_journal(
    config: &Config,
    report: &mut Report<impl FnMut(Finding)>,
) -> Option<Journal> {
    let dir = config.data_dir.display();
    match Journal::open_beside(&config.data_dir, limits(config), routes(config)) {
        Ok(journal) => {
            let pending = journal.tally().pending();
            let by_whom = if journal.is_beside() { ", in use by the running service" } else { "" };
            report.holds("journal directory", &format!("{dir}, {pending} rows pending{by_whom}"));
            if let Err(error) = journal.verify().await {
                report.fails("journal", &format!("{} (in {dir})", Causes(&error)));
            }
            Some(journal)
        }
        Err(error) => {
            report.fails("journal directory", &Causes(&error).to_string());
            None
        }
    }
}

/// How it is found out whether we may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// Not tried: the service has just written.
    Nothing,
    /// By a piece of metadata.
    Metadata,
    /// By that, and by cells in each tab.
    Cells,
}

/// Everything at Google.
pub(super) async fn check_google(
    sheets: &Client,
    wanted: &Wanted,
    shading: Shading,
    tried: Tried,
    report: &mut Report<impl FnMut(Finding)>,
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
    match sheets.survey(wanted, shading).await {
        Ok(Survey::Ready(layout)) => {
            let titles: Vec<String> =
                layout.tabs.iter().map(|tab| format!("`{}`", tab.title)).collect();
            let (titles, zone) = (titles.join(", "), &layout.time_zone);
            match known_time_zone(zone) {
                Some(_) => report.holds("tabs", &format!("{titles}, times in {zone}")),
                None => report.fails(
                    "tabs",
                    &format!("{titles}; times in UTC, for the spreadsheet's zone `{zone}` is not known: set TIMEZONE"),
                ),
            }
            let columns: usize = layout.tabs.iter().map(|tab| tab.columns.len()).sum();
            report.holds("columns", &format!("{columns} bound"));
            for sentence in &layout.left_out {
                report.fails("tabs", sentence);
            }
            for tab in layout.tabs.iter().filter(|_| tried == Tried::Cells) {
                let Err(trouble) = sheets.try_cells(tab).await else { continue };
                let tab = format!("the {} `{}` cannot be written: ", tab.purpose.name(), tab.title);
                report.troubled("tabs", &tab, &trouble);
            }
        }
        Ok(Survey::Mend(mend)) => {
            let titles: Vec<String> =
                mend.tabs.iter().map(|tab| format!("`{}`", tab.title)).collect();
            let titles = titles.join(", ");
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

async fn check_live(
    journal: Option<&Journal>,
    sheets: &Client,
    report: &mut Report<impl FnMut(Finding)>,
) {
    let findings = match probe::run(sheets).await {
        Ok(findings) => findings,
        Err(trouble) => {
            report.troubled("live", "", &trouble);
            return;
        }
    };
    for finding in findings {
        match finding.holds {
            true => report.holds(finding.name, finding.sentence),
            false => {
                report
                    .fails(finding.name, &format!("NOT: {}; {}", finding.sentence, finding.else_));
            }
        }
        let Some(journal) = journal else { continue };
        if let Err(error) = journal.note_fact(finding.name, finding.holds).await {
            report.fails(finding.name, &format!("cannot be recorded: {}", Causes(&error)));
        }
    }
}

/// The address to paste, without the secret: the terminal may be shared or logged.
fn check_address(config: &Config, report: &mut Report<impl FnMut(Finding)>) {
    let length = config.webhook_secrets.first().map_or(0, |s| s.expose_secret().chars().count());
    report.holds(
        "webhook address",
        &format!(
            "https://<your host>{WEBHOOK_PATH}/<WEBHOOK_SECRET> (locally port {}; the secret has \
             {length} characters)",
            config.port
        ),
    );
}
