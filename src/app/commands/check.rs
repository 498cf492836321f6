//! `check`: tries everything a deployment needs and prints one line each; `--live` also tries, on a scratch
//! tab, what the design relies on and Google does not document.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::app::checks::{Report, Tried, check_events, check_google, wanted};
use crate::app::commands::WRONG;
use crate::app::connecting::{Connecting, NUMBERS};
use crate::app::opening::journal_beside;
use crate::app::parts::{caller, client, options, routes};
use crate::causes::Causes;
use crate::chat::listing::Mark;
use crate::config::Config;
use crate::http::WEBHOOK_PATH;
use crate::journal::{Journal, copies_in_words};
use crate::operator::Finding;
use crate::sheets::{Client, probe};
use crate::status::Status;

/// Prints the checks, and gives the exit code.
pub(super) async fn run(live: bool) -> ExitCode {
    let mut report = Report::to(print);
    match Config::from_env().and_then(Config::complete) {
        Ok(config) => check(&config, live, &mut report).await,
        Err(problems) => {
            for problem in problems.sentences() {
                report.fails("settings", problem);
            }
            return ExitCode::from(WRONG);
        }
    }
    if report.all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn check(config: &Config, live: bool, report: &mut Report<'_>) {
    report.holds("settings", "complete");
    config.warnings().iter().for_each(|warning| report.holds("settings", warning));
    let journal = check_journal(config, report).await;
    let routes = routes(config);
    for (number, spreadsheet_id) in (1..).zip(routes.spreadsheets()) {
        if number > 1 {
            report.holds("spreadsheet", &format!("number {number}, of ROUTES"));
        }
        let books = journal.as_ref().map(Journal::books).unwrap_or_default();
        let book = books.into_iter().find(|(id, _)| id == spreadsheet_id).map(|(_, book)| book);
        let options = options(config, String::new(), spreadsheet_id, book.unwrap_or_default());
        let sheets = match client(config, spreadsheet_id, Arc::new(Status::default())).await {
            Ok(sheets) => sheets,
            Err(error) => {
                report.fails("key file", &format!("{error:#}"));
                return;
            }
        };
        if number == 1 {
            report.holds("key file", &sheets.whose());
        }
        let wanted = wanted(journal.as_ref(), &options).await;
        let shading = options.board.shading;
        if check_google(&sheets, &wanted, shading, Tried::Cells, report).await && live {
            check_live(journal.as_ref(), &sheets, report).await;
        }
    }
    check_events(journal.as_ref(), report);
    check_arrivals(config, report).await;
    check_asking(config, report).await;
    check_address(config, report);
}

pub(super) fn print(finding: Finding) {
    let mark = if finding.holds { "ok" } else { "FAIL" };
    // A closed pipe is no reason to fail a check.
    _ = writeln!(std::io::stdout(), "{mark:<5} {:<22} {}", finding.what, finding.sentence);
}

/// The journal, beside the service if that is running.
async fn check_journal(config: &Config, report: &mut Report<'_>) -> Option<Journal> {
    let what = if config.database.is_some() { "database" } else { "journal directory" };
    let journal = match journal_beside(config).await {
        Ok(journal) => journal,
        Err(error) => {
            report.fails(what, &Causes(&*error).to_string());
            return None;
        }
    };
    let (place, pending) = (journal.place(), journal.tally().pending());
    let by_whom = if journal.is_beside() { ", in use by the running service" } else { "" };
    report.holds(what, &format!("{place}, {pending} rows pending{by_whom}"));
    if journal.is_shared() {
        match journal.copies().await {
            Ok(copies) => report.holds("a 200 means", copies_in_words(copies)),
            Err(error) => report.fails("a 200 means", &Causes(&error).to_string()),
        }
    }
    if let Err(error) = journal.verify().await {
        report.fails("journal", &format!("{} (in {place})", Causes(&error)));
    }
    Some(journal)
}

async fn check_live(journal: Option<&Journal>, sheets: &Client, report: &mut Report<'_>) {
    let findings = match probe::run(sheets).await {
        Ok(findings) => findings,
        Err(trouble) => {
            report.troubled("live", "", &trouble);
            return;
        }
    };
    for finding in findings {
        let not = || format!("NOT: {}; {}", finding.sentence, finding.else_);
        match (finding.holds, finding.matters) {
            (true, _) => report.holds(finding.name, finding.sentence),
            (false, true) => report.fails(finding.name, &not()),
            (false, false) => report.holds(finding.name, &not()),
        }
        let Some(journal) = journal else { continue };
        if let Err(error) = journal.note_fact(finding.name, finding.holds).await {
            report.fails(finding.name, &format!("cannot be recorded: {}", Causes(&error)));
        }
    }
}

/// What DoubleTick sends us, where it can be asked.
async fn check_arrivals(config: &Config, report: &mut Report<'_>) {
    match (Connecting::new(config), &config.public_url) {
        (None, _) => {}
        (Some(Err(fault)), _) => report.fails(NUMBERS, &fault.to_string()),
        (Some(Ok(_)), None) => {
            report.holds(
                NUMBERS,
                "not asked for: set PUBLIC_URL, the address that DoubleTick reaches",
            );
        }
        (Some(Ok(connecting)), Some(base)) => connecting.look(base, report).await,
    }
}

/// DoubleTick's list of who waits, where it can be asked: read once, and nothing made of it.
async fn check_asking(config: &Config, report: &mut Report<'_>) {
    let (Some(_), Some(caller)) = (config.ask_every, caller(config)) else { return };
    match caller.chats(Mark::default()).await {
        Ok(list) => {
            let sentence = format!("chats without an agent in DoubleTick: {}", list.waiting());
            report.holds("asking", &sentence);
        }
        Err(fault) => report.fails("asking", &format!("{fault}: try again in a minute")),
    }
}

/// The address to paste, without the secret: the terminal may be shared or logged.
fn check_address(config: &Config, report: &mut Report<'_>) {
    let length = config.webhook_secrets.first().map_or(0, |s| s.expose_secret().chars().count());
    let host = config.public_url.as_deref().unwrap_or("https://<your host>");
    report.holds(
        "webhook address",
        &format!(
            "{host}{WEBHOOK_PATH}/<WEBHOOK_SECRET> (locally port {}; the secret has \
             {length} characters)",
            config.port
        ),
    );
}
