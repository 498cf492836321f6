//! Setting up, step by step: share, check, tell DoubleTick, test.

use actix_web::HttpRequest;

use crate::http::page::render::html::{Text, lasting, spoken};
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

/// What to do before there is an address to share with: a key, or none where the organisation forbids keys, as those
/// made since May 2024 do by default.
const WITHOUT_ACCOUNT: &str = "<p>The address to share it with appears here once the service account is set, in one of \
    two ways:</p>\n<ul><li><strong>With a key</strong>, which is simplest: make one in the \
    <a href=\"https://console.cloud.google.com/iam-admin/serviceaccounts\" target=\"_blank\" \
    rel=\"noopener noreferrer\">Google Cloud console</a> under <em>Keys › Add key › JSON</em>, and set \
    <code>GOOGLE_CREDENTIALS_JSON</code> to the file's content.</li>\n<li><strong>Without a key</strong>, where your \
    organisation forbids them, on Fly: make a \
    <a href=\"https://console.cloud.google.com/iam-admin/workload-identity-pools\" target=\"_blank\" \
    rel=\"noopener noreferrer\">workload identity pool</a> with an OpenID Connect provider of the issuer \
    <code>https://oidc.fly.io/</code> and your Fly organisation's name, give it the role <em>Workload Identity \
    User</em> on the service account, and set <code>GOOGLE_WORKLOAD_PROVIDER</code> and \
    <code>GOOGLE_SERVICE_ACCOUNT</code>. The README has the commands under <em>Without a key</em>.</li></ul>\n";

/// All steps around the parts that change.
pub(in crate::http::page) fn steps(
    about: &About,
    request: &HttpRequest,
    token: &str,
    checks: &str,
    arrival: &str,
    connected: &[Finding],
) -> String {
    let hidden = hidden(token);
    let events: String = EVENTS
        .iter()
        .map(|(event, what_for)| format!("<li><strong>{event}</strong>: {what_for}</li>"))
        .collect();
    format!(
        "<ol class=\"steps\" role=\"list\">\n<li><h3>Share the spreadsheet</h3>\n{}</li>\n\
         <li><h3>See that everything holds</h3>\n{checks}\
         <form method=\"post\" action=\"/check\">{hidden}<button class=\"quiet\">Check again</button>\
         </form></li>\n\
         <li><h3>Tell DoubleTick</h3>\n{}<p>In DoubleTick open <em>Settings › Webhooks › New Webhook</em>, \
         paste this address, and tick these events:</p>{}<ul>{events}</ul></li>\n\
         <li><h3>Send a test event</h3>\n<p>Writes one row that says that it is a test, the way of any \
         other. Delete it in the sheet when you have seen it.</p>\
         <form method=\"post\" action=\"/test\" id=\"test\">{hidden}<button>Send a test event</button></form>\
         {arrival}</li>\n</ol>\n",
        sharing(about),
        connecting(about, &hidden, connected),
        address(about, request),
    )
}

fn sharing(about: &About) -> String {
    let link: String = links(about);
    match &about.account {
        Some(account) => format!(
            "<p>Open the spreadsheet, press <em>Share</em>, and add this address as <em>Editor</em>:</p>{}\
             <p>{link}</p>",
            copied("account", "the e-mail address", account)
        ),
        None => format!("{WITHOUT_ACCOUNT}<p>{link}</p>"),
    }
}

/// The address with the secret, folded so that nobody reads it by chance.
fn address(about: &About, request: &HttpRequest) -> String {
    let path = webhook_path(&about.webhook_secret);
    if let Some(base) = &about.public_url {
        return folded(&format!("{base}{path}"));
    }
    let (scheme, note) = match is_loopback(request) {
        true => (
            "http",
            "<p class=\"hint\">This is this machine's own address, which DoubleTick cannot reach: give it \
             your public one, with the same end.</p>",
        ),
        false => ("https", ""),
    };
    format!("{}{note}", folded(&format!("{scheme}://{}{path}", host(request))))
}

fn folded(url: &str) -> String {
    format!(
        "<details class=\"secret\"><summary>Show the address. It contains the secret.</summary>{}</details>",
        copied("address", "the webhook address", url)
    )
}

/// The button that registers the address by itself, and what came of pressing it.
fn connecting(about: &About, hidden: &str, connected: &[Finding]) -> String {
    if !about.has_doubletick_key {
        return String::new();
    }
    let lines: String = connected.iter().map(|it| found(&one_line, it.what, it)).collect();
    format!(
        "<p>Press this, and the address is registered for all of your numbers, with the four events. \
         Pressing it again changes nothing.</p>\
         <form method=\"post\" action=\"/connect\" id=\"connect\">{hidden}<button>Connect</button></form>\
         <ul class=\"checks\" role=\"list\">{lines}</ul><p>Or do it by hand:</p>"
    )
}

/// The results of the last check.
pub(in crate::http::page) fn checks(findings: &Findings) -> String {
    let line = one_line;
    let mut lines = String::new();
    for (what, label) in CHECKS {
        let mut tried = findings.list.iter().filter(|finding| finding.what == what).peekable();
        if tried.peek().is_none() {
            lines += &line(label, "unknown", "not tried", "");
        }
        tried.for_each(|finding| lines += &found(&line, label, finding));
    }
    let others = findings.list.iter().filter(|it| CHECKS.iter().all(|(what, _)| *what != it.what));
    others.for_each(|finding| lines += &found(&line, finding.what, finding));
    let over = match findings.checked_at {
        None => "<p class=\"hint\">Being tried now.</p>",
        Some(_) if findings.all_hold() => "<p class=\"hint\">Everything holds.</p>",
        Some(_) => {
            "<p class=\"hint\">It is tried again by itself while this page is open; rows follow within a \
             minute of the mend. Settings are read at the start: restart the service after changing \
             them.</p>"
        }
    };
    format!("<ul class=\"checks\" role=\"list\">{lines}</ul>{over}")
}

fn one_line(label: &str, kind: &str, word: &str, sentence: &str) -> String {
    format!(
        "<li class=\"{kind}\"><span class=\"unseen\">{word}: </span><strong>{label}</strong> \
         <span class=\"said\">{}</span></li>",
        spoken(sentence)
    )
}

fn found(line: &dyn Fn(&str, &str, &str, &str) -> String, label: &str, it: &Finding) -> String {
    match it.holds {
        true => line(label, "good", "done", &it.sentence),
        false => line(label, "bad", "to do", &it.sentence),
    }
}

/// What became of the test event.
pub(in crate::http::page) fn arrival(view: &View) -> String {
    let Some(test) = &view.test_event else { return String::new() };
    let id = &test.event_id;
    match test.ended {
        None => format!(
            "<p class=\"state wait\">The test event <code>{id}</code> is on its way for {}.</p>",
            lasting(view.seconds_since(test.sent_at))
        ),
        Some((Whereabouts::SetAside, _)) => {
            format!("<p class=\"state bad\">Google refused the test row <code>{id}</code>.</p>")
        }
        Some((_, at)) => {
            let after = match at.since_ms(test.sent_at).max(0) {
                ms @ ..1_000 => format!("{ms} ms"),
                ms => lasting(ms / 1_000),
            };
            format!(
                "<p class=\"state good\">The test row <code>{id}</code> arrived after {after}.</p>"
            )
        }
    }
}

/// The field of a form that proves that this page made it.
pub(in crate::http::page) fn hidden(token: &str) -> String {
    format!("<input type=\"hidden\" name=\"token\" value=\"{token}\">")
}

/// A link to every spreadsheet; where there are several, each by its name.
pub(in crate::http::page) fn links(about: &About) -> String {
    let name = |sheet: &Spreadsheet| match about.spreadsheets.len() {
        1 => "the spreadsheet".to_owned(),
        _ => sheet.name.clone(),
    };
    let link = |sheet: &Spreadsheet| {
        format!(
            "<a href=\"https://docs.google.com/spreadsheets/d/{}/edit\" target=\"_blank\" \
             rel=\"noopener noreferrer\">Open {}</a>",
            Text(&sheet.id),
            Text(&name(sheet))
        )
    };
    about.spreadsheets.iter().map(link).collect::<Vec<_>>().join(" ")
}

/// A text to be copied; the button needs JavaScript, selecting does not.
fn copied(id: &str, what: &str, text: &str) -> String {
    format!(
        "<div class=\"copy\"><code id=\"{id}\">{}</code>\
         <button type=\"button\" class=\"quiet\" data-copy=\"{id}\" aria-label=\"Copy {what}\" \
         hidden>Copy</button></div>",
        Text(text)
    )
}
