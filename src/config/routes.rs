//! ROUTES: which of the clinic's numbers go to which spreadsheet and tab.
//!
//! `+919000000000=<spreadsheet>/<tab>`, several of them separated by commas, semicolons or line breaks.
//! Without an id the spreadsheet is that of `SPREADSHEET_ID`; without a tab the title is that of `SHEET_NAME`.

use crate::chat::text::phone_digits;
use crate::config::google::id_of;
use crate::config::{Config, Problems, TITLE_CHARS_MAX};

/// Title of the tab of the handovers, in every spreadsheet.
pub const HANDOVERS: &str = "Handovers";

/// Where the rows of one of the clinic's numbers go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The digits of the clinic's number.
    pub waba_digits: String,
    /// The spreadsheet's id.
    pub spreadsheet_id: String,
    /// Title of the log tab in it.
    pub title: String,
}

/// Reads the routes of a configuration that is otherwise complete.
pub(super) fn read(text: Option<&str>, config: &Config, problems: &mut Problems) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    let parts = text.unwrap_or_default().split([',', ';', '\n']).map(str::trim);
    for (number, part) in (1..).zip(parts.filter(|part| !part.is_empty())) {
        let Some(route) = route(part, &config.spreadsheet_id, &config.sheet_name) else {
            problems.add(
                "ROUTES",
                &format!(
                    "has an entry (the {number}.) that is not like +919000000000=<spreadsheet id>/<tab>"
                ),
            );
            continue;
        };
        if routes.iter().any(|known| known.waba_digits == route.waba_digits) {
            problems.add("ROUTES", &format!("names the same number twice (the {number}. entry)"));
        }
        routes.push(route);
    }
    refuse_clashes(&routes, config, problems);
    routes
}

fn route(part: &str, default_id: &str, default_title: &str) -> Option<Route> {
    let (number, place) = part.split_once('=')?;
    let is_number = |c: char| c.is_ascii_digit() || "+-() ".contains(c);
    let waba_digits = phone_digits(number).to_string();
    if waba_digits.is_empty() || !number.trim().chars().all(is_number) {
        return None;
    }
    // An address has slashes of its own, and no tab after it.
    let (spreadsheet, title) = match place.split_once('/') {
        Some((id, title)) if !place.contains("/d/") && !place.contains("://") => {
            (id.trim(), title.trim())
        }
        _ => (place.trim(), ""),
    };
    let spreadsheet_id = match spreadsheet {
        "" => default_id.to_owned(),
        text => id_of(text).ok()?,
    };
    let title = if title.is_empty() { default_title } else { title };
    let is_short = title.chars().count() <= TITLE_CHARS_MAX;
    is_short.then(|| Route { waba_digits, spreadsheet_id, title: title.to_owned() })
}

/// Two tabs of one spreadsheet cannot have the same title, and capitals make no difference to Google.
fn refuse_clashes(routes: &[Route], config: &Config, problems: &mut Problems) {
    let (default_id, sheet_name, board_name) =
        (&*config.spreadsheet_id, &*config.sheet_name, &*config.board_name);
    let is_same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let is_summary =
        |title: &str| config.summary_name.as_ref().is_some_and(|name| is_same(name, title));
    let is_taken =
        |title: &str| is_same(title, board_name) || is_same(title, HANDOVERS) || is_summary(title);
    if is_taken(sheet_name) {
        problems.add("SHEET_NAME", "must differ from BOARD_NAME, SUMMARY_NAME and Handovers");
    }
    if is_summary(HANDOVERS) || is_summary(board_name) {
        problems.add("SUMMARY_NAME", "must differ from BOARD_NAME and Handovers");
    }
    if is_same(board_name, HANDOVERS) {
        problems.add("BOARD_NAME", "must not be Handovers, which is another tab of ours");
    }
    if routes.iter().any(|route| is_taken(&route.title) && route.title != sheet_name) {
        problems.add("ROUTES", "must not name the tab of BOARD_NAME, SUMMARY_NAME or Handovers");
    }
    let default = (default_id, sheet_name);
    let places = routes.iter().map(|route| (route.spreadsheet_id.as_str(), route.title.as_str()));
    let places: Vec<(&str, &str)> = places.chain([default]).collect();
    let clash =
        |(a, b): (&(&str, &str), &(&str, &str))| a.0 == b.0 && a.1 != b.1 && is_same(a.1, b.1);
    if places.iter().any(|a| places.iter().any(|b| clash((a, b)))) {
        problems.add("ROUTES", "must not name tabs that differ only in their capitals");
    }
}
