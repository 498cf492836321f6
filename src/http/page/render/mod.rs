//! The sections of the page: how it is, in numbers and sentences.

pub(in crate::http::page) mod chart;
pub(in crate::http::page) mod html;
mod instances;
mod setup;

use std::collections::BTreeMap;

use actix_web::HttpRequest;

use crate::http::Shared;
use crate::http::kept::Kept;
use crate::http::page::render::chart::chart;
use crate::http::page::render::html::{Text, counted, grouped, lasting, moment, page, spoken};
use crate::http::page::render::instances::instances;
use crate::http::page::sign_in::session::Session;
use crate::http::page::view::View;
use crate::operator::About;
use crate::status::SheetState;

/// Without JavaScript the page loads itself again; with it, it is kept up to date.
const HEAD: &str = "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n\
                    <script src=\"/page.js\" defer></script>\n";

/// The whole page.
pub(in crate::http::page) fn whole(
    view: &View,
    about: &About,
    shared: &Shared,
    session: &Session,
    request: &HttpRequest,
    said: Option<&str>,
) -> String {
    let token = shared.page.sessions.form_token(session);
    let parts = changing(view, shared, session);
    let part = |name: &str| {
        let html = parts.get(name).map(String::as_str).unwrap_or_default();
        format!("<div id=\"{name}\">{html}</div>\n")
    };
    let said = said.map_or_else(String::new, |sentence| {
        format!("<p class=\"note\" role=\"status\">{}</p>\n", Text(sentence))
    });
    let shared_by = match view.shared {
        None => String::new(),
        Some(_) => format!(
            "<section aria-labelledby=\"several\">\n<h2 id=\"several\">Instances</h2>\n{}</section>\n",
            part("instances")
        ),
    };
    let status = format!(
        "<section aria-labelledby=\"how\">\n<h2 id=\"how\">How it is</h2>\n{}{}</section>\n\
         <section aria-labelledby=\"calls\">\n<h2 id=\"calls\">Calls to Google</h2>\n{}</section>\n\
         <section aria-labelledby=\"sheet\">\n<h2 id=\"sheet\">The spreadsheet</h2>\n{}<p>{}</p></section>\n\
         {shared_by}",
        part("numbers"),
        part("aside"),
        part("google"),
        part("sheets"),
        setup::links(about),
    );
    let steps = setup::steps(
        about,
        request,
        &token,
        &part("checks"),
        &part("arrival"),
        &shared.page.operator.connected(),
    );
    // What is still to be set up comes first; afterwards it is folded away.
    let body = match view.is_set_up() {
        true => format!(
            "{status}<details class=\"fold\" id=\"set-up\"><summary><h2>Set up, check and test</h2>\
             </summary>\n{steps}</details>\n"
        ),
        false => format!(
            "<section id=\"set-up\" aria-labelledby=\"setting-up\">\n\
             <h2 id=\"setting-up\">From nothing to the first row</h2>\n{steps}</section>\n{status}"
        ),
    };
    let content = format!(
        "<header>\n<h1>doubletick-sheets</h1>\n\
         <form method=\"post\" action=\"/sign-out\">{}<button class=\"quiet\">Sign out</button></form>\n\
         </header>\n<main>\n<div id=\"headline\" role=\"status\">{}</div>\n{said}{body}</main>\n\
         <footer>Version {}. No patient's data is shown on this page.</footer>\n",
        setup::hidden(&token),
        parts.get("headline").map(String::as_str).unwrap_or_default(),
        env!("CARGO_PKG_VERSION"),
    );
    page(HEAD, &content)
}

/// The parts that change while the page is open, by the id of their place.
pub(in crate::http::page) fn changing(
    view: &View,
    shared: &Shared,
    session: &Session,
) -> BTreeMap<&'static str, String> {
    let token = shared.page.sessions.form_token(session);
    [
        ("headline", headline(view)),
        ("numbers", numbers(view)),
        ("aside", aside(view, &token)),
        ("google", chart(&view.hour)),
        ("sheets", sheets(view)),
        ("checks", setup::checks(&view.findings)),
        ("arrival", setup::arrival(view)),
        ("instances", view.shared.as_ref().map(instances).unwrap_or_default()),
    ]
    .into()
}

/// How it is, in one sentence.
fn headline(view: &View) -> String {
    let kept = match view.tally.pending() {
        0 => "Events are taken and kept until it can.".to_owned(),
        rows => format!("{} kept until it can; more events are taken.", counted(rows, "row")),
    };
    let (kind, sentence) = match &view.sheet {
        _ if let Some(condition) = &view.condition => {
            ("bad", format!("No event can be taken. {condition}."))
        }
        _ if matches!(view.kept, Kept::Failed) => {
            ("bad", "The journal does not answer: events are refused. See the log.".to_owned())
        }
        SheetState::Parked(advice) => {
            ("bad", format!("The sheet cannot be written. {kept} What to do: {advice}."))
        }
        _ if view.alarm.is_some() => {
            ("bad", "Rows have been waiting for too long: see below how the sheet is.".to_owned())
        }
        SheetState::Retrying(why) => {
            ("wait", format!("Google does not take rows just now: {why}. Nothing is lost."))
        }
        _ if view.findings.checked_at.is_some() && !view.findings.all_hold() => {
            ("wait", "Something does not hold: the set-up below says what to do.".to_owned())
        }
        SheetState::Connecting => ("wait", "The spreadsheet is being reached.".to_owned()),
        SheetState::Delivering if view.tally.pending() > 0 => {
            ("good", "Rows are on their way to the sheet.".to_owned())
        }
        SheetState::Delivering if view.aside_rows > 0 => {
            ("wait", "Rows are written, but some were set aside: see below.".to_owned())
        }
        SheetState::Delivering if view.tally.accepted == 0 => {
            ("good", "Ready: the first unassigned chat becomes the first row.".to_owned())
        }
        SheetState::Delivering => {
            ("good", "All is well: every unassigned chat is in the sheet.".to_owned())
        }
    };
    format!("<p class=\"state {kind}\">{}</p>", spoken(&sentence))
}

fn numbers(view: &View) -> String {
    let tally = view.tally;
    let oldest = match view.kept {
        Kept::Known { oldest_pending: Some(at), .. } => lasting(view.seconds_since(at)),
        Kept::Known { oldest_pending: None, .. } => "none waits".to_owned(),
        Kept::Late | Kept::Failed => "unknown".to_owned(),
    };
    let last = match view.last_write_at {
        Some(at) => format!("{} ago", lasting(view.seconds_since(at))),
        None => "none since the start".to_owned(),
    };
    let tiles = [
        ("Waiting for an agent", grouped(view.waiting)),
        ("Accepted", grouped(tally.accepted)),
        ("Written", grouped(tally.written)),
        ("Pending", grouped(tally.pending())),
        ("Set aside", grouped(tally.set_aside)),
        ("Unrecognised", grouped(tally.unrecognised)),
        ("Oldest pending", oldest),
        ("Last write", last),
    ];
    let tiles: String = tiles
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"))
        .collect();
    format!(
        "<dl class=\"tiles\">{tiles}</dl><p class=\"hint\">Accepted = written + pending + set aside.</p>"
    )
}

/// The rows set aside: which, when and why, and never what is in them.
fn aside(view: &View, token: &str) -> String {
    if view.aside_rows == 0 {
        return String::new();
    }
    let hidden = setup::hidden(token);
    let rows: String = view
        .set_aside
        .iter()
        .map(|row| {
            let id = row.entry.event_id.to_string();
            format!(
                "<tr><th scope=\"row\"><code>{id}</code></th><td>{}</td><td>{}</td><td>\
                 <form method=\"post\" action=\"/set-aside/retry\">{hidden}\
                 <input type=\"hidden\" name=\"number\" value=\"{}\">\
                 <button class=\"quiet\" aria-label=\"Retry {id}\">Retry</button></form></td></tr>",
                moment(row.at),
                Text(&row.reason),
                row.entry.event_id.number
            )
        })
        .collect();
    let more = match view.aside_rows.saturating_sub(view.set_aside.len() as u64) {
        0 => String::new(),
        more => format!("<p class=\"hint\">And {}.</p>", counted(more, "more row")),
    };
    format!(
        "<h3>Rows set aside</h3><p>Google refused {} for what is in them; the rest went on. Export them \
         to see them, and retry them once the cause is gone.</p>\
         <div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Rows set aside\"><table><thead><tr><th scope=\"col\">Event</th><th scope=\"col\">When</th>\
         <th scope=\"col\">Why</th><th scope=\"col\"><span class=\"unseen\">Retry</span></th></tr></thead>\
         <tbody>{rows}</tbody></table></div>{more}\
         <div class=\"row\"><form method=\"post\" action=\"/set-aside/retry\">{hidden}\
         <button>Retry all</button></form>\
         <a href=\"/set-aside.csv\" download>Export as CSV</a> \
         <a href=\"/set-aside.json\" download>Export as JSON</a></div>\
         <p class=\"hint\">The exports hold patients' names and numbers.</p>",
        counted(view.aside_rows, "row")
    )
}

fn sheets(view: &View) -> String {
    let line = |(name, state): &(String, SheetState)| {
        let (kind, sentence) = match state {
            SheetState::Delivering => ("good", state.sentence()),
            SheetState::Connecting | SheetState::Retrying(_) => ("wait", state.sentence()),
            SheetState::Parked(advice) => ("bad", advice.as_str()),
        };
        let name = if view.sheets.len() > 1 {
            format!("<strong>{}</strong> ", Text(name))
        } else {
            String::new()
        };
        format!(
            "<p>{name}<span class=\"badge {kind}\">{}</span> {}</p>",
            state.word(),
            spoken(sentence)
        )
    };
    let mut lines: String = match view.sheets.is_empty() {
        true => line(&(String::new(), view.sheet.clone())),
        false => view.sheets.iter().map(line).collect(),
    };
    for warning in &view.warnings {
        lines += &format!("<p class=\"state wait\">{}</p>", spoken(warning));
    }
    lines
}
