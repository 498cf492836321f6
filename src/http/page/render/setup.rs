//! Setting up, step by step: share, check, tell DoubleTick, test.

use actix_web::HttpRequest;
use maud::{Markup, html};

use crate::http::page::render::html::{lasting, spoken};
use crate::http::page::sign_in::session::{host, is_loopback};
use crate::http::page::view::View;
use crate::http::webhook_path;
use crate::journal::Whereabouts;
use crate::operator::{About, Finding, Findings, Spreadsheet};

/// The checks in their order, and what each is called here.
const CHECKS: [(&str, &str); 8] = [
    ("settings", "Settings"),
    ("key file", "Key of the service account"),
    ("token", "Access to Google"),
    ("spreadsheet reachable", "Spreadsheet"),
    ("may edit", "Right to edit it"),
    ("tabs", "Tabs"),
    ("columns", "Columns"),
    ("events", "Events from DoubleTick"),
];

/// The events to tick in DoubleTick, and what each is for.
const EVENTS: [(&str, &str); 4] = [
    ("Chat Unassigned", "becomes a row"),
    ("Chat Assigned to Agent", "tells who had the chat"),
    ("Conversation Opened", "tells the customer's name"),
    ("Close Conversation", "takes a line off the board"),
];

/// All steps around the parts that change.
pub(in crate::http::page) fn steps(
    about: &About,
    request: &HttpRequest,
    token: &str,
    checks: &Markup,
    arrival: &Markup,
    connected: &[Finding],
) -> Markup {
    html! {
        ol.steps role="list" {
            li { h3 { "Share the spreadsheet" } (sharing(about)) }
            li {
                h3 { "See that everything holds" }
                (checks)
                form method="post" action="/check" {
                    (hidden(token))
                    button.quiet { "Check again" }
                }
            }
            li {
                h3 { "Tell DoubleTick" }
                @if about.has_doubletick_key { (connecting(token, connected)) }
                p {
                    "In DoubleTick open " em { "Settings › Webhooks › New Webhook" }
                    ", paste this address, and tick these events:"
                }
                (address(about, request))
                ul {
                    @for (event, what_for) in EVENTS { li { strong { (event) } ": " (what_for) } }
                }
            }
            li {
                h3 { "Send a test event" }
                p {
                    "Writes one row that says that it is a test, the way of any other. Delete it in the \
                     sheet when you have seen it."
                }
                form #test method="post" action="/test" {
                    (hidden(token))
                    button { "Send a test event" }
                }
                (arrival)
            }
        }
    }
}

fn sharing(about: &About) -> Markup {
    html! {
        @if let Some(account) = &about.account {
            p {
                "Open the spreadsheet, press " em { "Share" } ", and add this address as "
                em { "Editor" } ":"
            }
            (copied("account", "the e-mail address", account))
        } @else {
            (without_account())
        }
        @if about.spreadsheets.is_empty() {
            p {
                "Set " code { "SPREADSHEET_ID" } " to the address of your spreadsheet, as the browser shows \
                 it. Any will do; the tabs are made in it."
            }
        } @else {
            p { (links(about)) }
        }
    }
}

/// What to do before there is an address to share with: a key, or none where the organisation forbids keys, as
/// those made since May 2024 do by default.
fn without_account() -> Markup {
    html! {
        p {
            "The address to share it with appears here once the service account is set, in one of two ways:"
        }
        ul {
            li {
                strong { "With a key" } ", which is simplest: make one in the "
                (elsewhere("https://console.cloud.google.com/iam-admin/serviceaccounts", "Google Cloud console"))
                " under " em { "Keys › Add key › JSON" } ", and set " code { "GOOGLE_CREDENTIALS_JSON" }
                " to the file's content."
            }
            li {
                strong { "Without a key" } ", where your organisation forbids them, on Fly: make a "
                (elsewhere(
                    "https://console.cloud.google.com/iam-admin/workload-identity-pools",
                    "workload identity pool",
                ))
                " with an OpenID Connect provider of the issuer " code { "https://oidc.fly.io/" }
                " and your Fly organisation's name, give it the role " em { "Workload Identity User" }
                " on the service account, and set " code { "GOOGLE_WORKLOAD_PROVIDER" } " and "
                code { "GOOGLE_SERVICE_ACCOUNT" } ". The repository has the commands in "
                code { "docs/google-access.md" } "."
            }
        }
    }
}

/// The address with the secret, folded so that nobody reads it by chance.
fn address(about: &About, request: &HttpRequest) -> Markup {
    let path = webhook_path(&about.webhook_secret);
    let is_private = about.public_url.is_none() && is_loopback(request);
    let url = match &about.public_url {
        Some(base) => format!("{base}{path}"),
        None if is_private => format!("http://{}{path}", host(request)),
        None => format!("https://{}{path}", host(request)),
    };
    html! {
        details.secret {
            summary { "Show the address. It contains the secret." }
            (copied("address", "the webhook address", &url))
        }
        @if is_private {
            p.hint {
                "This is this machine's own address, which DoubleTick cannot reach: give it your public \
                 one, with the same end."
            }
        }
    }
}

/// The button that registers the address by itself, and what came of pressing it.
fn connecting(token: &str, connected: &[Finding]) -> Markup {
    html! {
        p {
            "Press this, and the address is registered for all of your numbers, with the four events. \
             Pressing it again changes nothing."
        }
        form #connect method="post" action="/connect" {
            (hidden(token))
            button { "Connect" }
        }
        ul.checks role="list" {
            @for finding in connected { (found(finding.what, finding)) }
        }
        p { "Or do it by hand:" }
    }
}

/// The results of the last check.
pub(in crate::http::page) fn checks(findings: &Findings) -> Markup {
    let of = |what: &'static str| findings.list.iter().filter(move |finding| finding.what == what);
    let others = findings.list.iter().filter(|it| CHECKS.iter().all(|(what, _)| *what != it.what));
    html! {
        ul.checks role="list" {
            @for (what, label) in CHECKS {
                @if of(what).next().is_none() { (line(label, "unknown", "not tried", "")) }
                @for finding in of(what) { (found(label, finding)) }
            }
            @for finding in others { (found(&begun(finding.what), finding)) }
        }
        p.hint {
            @if findings.checked_at.is_none() {
                "Being tried now."
            } @else if findings.all_hold() {
                "Everything holds."
            } @else {
                "It is tried again by itself while this page is open; rows follow within a minute of the \
                 mend. Settings are read at the start: restart the service after changing them; "
                code { "fly secrets set" } " does that by itself."
            }
        }
    }
}

fn line(label: &str, kind: &str, word: &str, sentence: &str) -> Markup {
    html! {
        li class=(kind) {
            span.unseen { (word) ": " }
            strong { (label) }
            " "
            span.said { (spoken(sentence)) }
        }
    }
}

fn found(label: &str, it: &Finding) -> Markup {
    match it.holds {
        true => line(label, "good", "done", &it.sentence),
        false => line(label, "bad", "to do", &it.sentence),
    }
}

/// A name with a capital letter.
fn begun(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// What became of the test event.
pub(in crate::http::page) fn arrival(view: &View) -> Markup {
    let Some(test) = &view.test_event else { return Markup::default() };
    let id = html! { code { (test.event_id) } };
    match test.ended {
        None => html! {
            p.state.wait {
                "The test event " (id) " is on its way for "
                (lasting(view.seconds_since(test.sent_at))) "."
            }
        },
        Some((Whereabouts::SetAside, _)) => html! {
            p.state.bad { "Google refused the test row " (id) "." }
        },
        Some((_, at)) => {
            let after = match at.since_ms(test.sent_at).max(0) {
                ms @ ..1_000 => format!("{ms} ms"),
                ms => lasting(ms / 1_000),
            };
            html! { p.state.good { "The test row " (id) " arrived after " (after) "." } }
        }
    }
}

/// The field of a form that proves that this page made it.
pub(in crate::http::page) fn hidden(token: &str) -> Markup {
    html! { input type="hidden" name="token" value=(token); }
}

/// A link to every spreadsheet; where there are several, each by its name.
pub(in crate::http::page) fn links(about: &About) -> Markup {
    let name = |sheet: &Spreadsheet| match about.spreadsheets.len() {
        1 => "Open the spreadsheet".to_owned(),
        _ => format!("Open {}", sheet.name),
    };
    let url =
        |sheet: &Spreadsheet| format!("https://docs.google.com/spreadsheets/d/{}/edit", sheet.id);
    html! {
        @for sheet in &about.spreadsheets { (elsewhere(&url(sheet), &name(sheet))) " " }
    }
}

/// A link that leaves this page open.
fn elsewhere(url: &str, words: &str) -> Markup {
    html! { a href=(url) target="_blank" rel="noopener noreferrer" { (words) } }
}

/// A text to be copied; the button needs JavaScript, selecting does not.
fn copied(id: &str, what: &str, text: &str) -> Markup {
    html! {
        .copy {
            code id=(id) { (text) }
            button.quiet type="button" data-copy=(id) aria-label={"Copy " (what)} hidden { "Copy" }
        }
    }
}
