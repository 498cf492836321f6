//! Which tabs a spreadsheet is to have, and what each one's id is kept under.

use jiff::tz::TimeZone;

use crate::chat::route::{MONTH, title_at};
use crate::forwarder::Options;
use crate::sheets::Purpose;

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
    let summary = options.summary_title.clone().map(|title| (Purpose::Summary, title));
    titles.map(|title| (Purpose::Log, title)).chain(others).chain(summary).collect()
}

/// What a tab's id is kept under.
pub fn tab_name(purpose: Purpose, title: &str) -> String {
    match purpose {
        Purpose::Log => format!("log {title}"),
        Purpose::Handovers => format!("handovers {title}"),
        Purpose::Board => format!("board {title}"),
        Purpose::Summary => format!("summary {title}"),
    }
}
