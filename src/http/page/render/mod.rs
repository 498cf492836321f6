//! The sections of the page: how it is, in numbers and sentences.

pub(in crate::http::page) mod chart;
pub(in crate::http::page) mod html;
mod instances;
mod setup;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::HttpRequest;
use maud::{Markup, PreEscaped, html};
use secrecy::ExposeSecret;

use crate::http::Shared;
use crate::http::kept::Kept;
use crate::http::page::render::chart::chart;
use crate::http::page::render::html::{counted, grouped, lasting, moment, page, spoken};
use crate::http::page::render::instances::instances;
use crate::http::page::sign_in::session::Session;
use crate::http::page::view::View;
use crate::journal::SetAside;
use crate::operator::About;
use crate::status::{AskingState, SheetState};

/// The whole page.
pub(in crate::http::page) fn whole(
    view: &View,
    about: &About,
    shared: &Shared,
    session: &Session,
    request: &HttpRequest,
    said: Option<&str>,
) -> Markup {
    let token = shared.page.sessions.form_token(session);
    let mut parts = changing(view, shared, session);
    let mut part = |name: &'static str| {
        let html = PreEscaped(parts.remove(name).unwrap_or_default());
        html! { div id=(name) { (html) } }
    };
    let headline = part("headline");
    let connected = shared.page.operator.connected();
    let steps = setup::steps(about, request, &token, &part("checks"), &part("arrival"), &connected);
    let status = html! {
        (section("how", "How it is", &html! { (part("numbers")) (part("aside")) }))
        (section("calls", "Calls to Google", &part("google")))
        (section("sheet", "The spreadsheet", &html! { (part("sheets")) p { (setup::links(about)) } }))
        @if view.shared.is_some() { (section("several", "Instances", &part("instances"))) }
    };
    let content = html! {
        header {
            h1 { "doubletick-sheets" }
            form method="post" action="/sign-out" {
                (setup::hidden(&token))
                button.quiet { "Sign out" }
            }
        }
        main {
            p.note.bad #away role="status" hidden {
                "The service does not answer. What is shown is how it was before."
            }
            (headline)
            @if let Some(sentence) = said { p.note role="status" { (sentence) } }
            // What is still to be set up comes first; afterwards it is folded away.
            @if view.is_set_up() {
                (status)
                details.fold #set-up { summary { h2 { "Set up, check and test" } } (steps) }
            } @else {
                section #set-up aria-labelledby="setting-up" {
                    h2 #setting-up { "From nothing to the first row" }
                    (steps)
                }
                (status)
            }
        }
        footer {
            "Version " (env!("CARGO_PKG_VERSION")) ". No patient's data is shown on this page."
        }
    };
    // Without JavaScript the page loads itself again, but not so often that nobody can read what they unfolded; and
    // what was said is not said again. With it, it is kept up to date.
    let again = if said.is_some() { "30; url=/" } else { "30" };
    let head = html! {
        noscript { meta http-equiv="refresh" content=(again); }
        script src="/page.js" defer {}
    };
    page(&head, Some(&frame(about)), &content)
}

/// Another one where what does not change while the service runs has changed.
fn frame(about: &About) -> String {
    let mut hasher = DefaultHasher::new();
    let spreadsheets = about.spreadsheets.iter().map(|sheet| (&sheet.name, &sheet.id));
    (env!("CARGO_PKG_VERSION"), &about.account, spreadsheets.collect::<Vec<_>>()).hash(&mut hasher);
    (about.webhook_secret.expose_secret(), &about.public_url, about.has_doubletick_key)
        .hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            (content)
        }
    }
}

/// The parts that change while the page is open, by the id of their place.
pub(in crate::http::page) fn changing(
    view: &View,
    shared: &Shared,
    session: &Session,
) -> BTreeMap<&'static str, String> {
    let token = shared.page.sessions.form_token(session);
    [
        ("frame", html! { (frame(shared.page.operator.about())) }),
        ("headline", headline(view)),
        ("numbers", numbers(view)),
        ("aside", aside(view, &token)),
        ("google", chart(&view.hour)),
        ("sheets", sheets(view)),
        ("checks", setup::checks(&view.findings)),
        ("arrival", setup::arrival(view)),
        ("instances", view.shared.as_ref().map(instances).unwrap_or_default()),
    ]
    .map(|(name, part)| (name, part.into_string()))
    .into()
}

/// How it is, in one sentence.
fn headline(view: &View) -> Markup {
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
        SheetState::Delivering if view.tally.accepted == 0 => (
            "good",
            "Ready: the first unassigned chat becomes the first row. Next are steps 3 and 4 below."
                .to_owned(),
        ),
        SheetState::Delivering if view.is_tried_only() => (
            "good",
            "The test row is in the sheet. If DoubleTick was not told yet, that is next: step 3 below."
                .to_owned(),
        ),
        SheetState::Delivering => {
            ("good", "All is well: every unassigned chat is in the sheet.".to_owned())
        }
    };
    html! { p.state.(kind) { (spoken(&sentence)) } }
}

fn numbers(view: &View) -> Markup {
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
    html! {
        dl.tiles {
            @for (name, value) in tiles { div { dt { (name) } dd { (value) } } }
        }
        p.hint { "Accepted = written + pending + set aside." }
        (asking(view))
    }
}

/// What came of asking DoubleTick who waits.
fn asking(view: &View) -> Markup {
    if let Some(trouble) = view.asking.trouble() {
        return html! { p.state.wait { (spoken(trouble)) } };
    }
    let at = view.tally.asked_at().filter(|_| view.asking == AskingState::Asking);
    let Some(at) = at else { return html! { p.hint { (spoken(view.asking.sentence())) } } };
    html! {
        p.hint {
            "DoubleTick was asked " (lasting(view.seconds_since(at))) " ago who waits."
            @if view.tally.found + view.tally.found_ends > 0 {
                " What no event told was found that way: " (counted(view.tally.found, "row")) ", and the end of "
                (counted(view.tally.found_ends, "wait")) "."
            } @else {
                " Nothing had to be found that way yet: all of it was told by events."
            }
            @if view.unheard > 0 {
                " It also lists " (counted(view.unheard, "chat")) " without an agent of which no event ever told."
            }
        }
    }
}

/// The rows set aside: which, when and why, and never what is in them.
fn aside(view: &View, token: &str) -> Markup {
    if view.aside_rows == 0 {
        return Markup::default();
    }
    let more = view.aside_rows.saturating_sub(view.set_aside.len() as u64);
    html! {
        h3 { "Rows set aside" }
        p {
            "Google refused " (counted(view.aside_rows, "row")) " for what is in them; the rest went on. \
             Export them to see them, and retry them once the cause is gone."
        }
        .wide tabindex="0" role="region" aria-label="Rows set aside" {
            table {
                thead {
                    tr {
                        @for head in ["Event", "When", "Why"] { th scope="col" { (head) } }
                        th scope="col" { span.unseen { "Retry" } }
                    }
                }
                tbody {
                    @for row in &view.set_aside { (aside_line(row, token)) }
                }
            }
        }
        @if more > 0 { p.hint { "And " (counted(more, "more row")) "." } }
        .row {
            form method="post" action="/set-aside/retry" {
                (setup::hidden(token))
                button { "Retry all" }
            }
            a href="/set-aside.csv" download { "Export as CSV" }
            " "
            a href="/set-aside.json" download { "Export as JSON" }
        }
        p.hint { "The exports hold patients' names and numbers." }
    }
}

fn aside_line(row: &SetAside, token: &str) -> Markup {
    let id = row.entry.event_id.to_string();
    html! {
        tr {
            th scope="row" { code { (id) } }
            td { (moment(row.at)) }
            td { (row.reason) }
            td {
                form method="post" action="/set-aside/retry" {
                    (setup::hidden(token))
                    input type="hidden" name="number" value=(row.entry.event_id.number);
                    button.quiet aria-label={"Retry " (id)} { "Retry" }
                }
            }
        }
    }
}

fn sheets(view: &View) -> Markup {
    let only = [(String::new(), view.sheet.clone())];
    let all = if view.sheets.is_empty() { &only } else { view.sheets.as_slice() };
    html! {
        @for (name, state) in all {
            p {
                @if all.len() > 1 { strong { (name) } " " }
                (sheet(state))
            }
        }
        @for warning in &view.warnings { p.state.wait { (spoken(warning)) } }
    }
}

fn sheet(state: &SheetState) -> Markup {
    let (kind, sentence) = match state {
        SheetState::Delivering => ("good", state.sentence()),
        SheetState::Connecting | SheetState::Retrying(_) => ("wait", state.sentence()),
        SheetState::Parked(advice) => ("bad", advice.as_str()),
    };
    html! { span.badge.(kind) { (state.word()) } " " (spoken(sentence)) }
}
