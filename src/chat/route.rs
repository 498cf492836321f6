//! Where rows go: which spreadsheet and which log tab, by the clinic's WhatsApp number.
//!
//! A clinic of several branches has a number for each. Pure; what a destination means to Google is
//! not known here.

use jiff::tz::TimeZone;

use crate::chat::text::Personal;
use crate::chat::time::UnixMs;

/// What stands for the month in a log tab's title.
pub const MONTH: &str = "{month}";

/// The id of a spreadsheet that is yet to be told: rows wait for it.
pub const UNKNOWN: &str = "?";

/// A log tab of a spreadsheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The spreadsheet's id.
    pub spreadsheet: String,
    /// The log tab's title as configured, with [`MONTH`] where the month goes.
    pub title: String,
}

/// All destinations: one for each routed number, and one for the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    default: Destination,
    /// By the digits of the clinic's number.
    by_number: Vec<(String, Destination)>,
}

impl Routes {
    /// Everything goes to `default`, but for these numbers' rows.
    pub fn new(default: Destination, by_number: Vec<(String, Destination)>) -> Self {
        Self { default, by_number }
    }

    /// Where the rows of this number go.
    pub fn of(&self, waba_number: &Personal) -> &Destination {
        let digits = waba_number.digits();
        let routed = self.by_number.iter().find(|(number, _)| *number == digits);
        routed.map_or(&self.default, |(_, destination)| destination)
    }

    /// Every destination once, the default first.
    pub fn destinations(&self) -> Vec<&Destination> {
        let mut all = vec![&self.default];
        for (_, destination) in &self.by_number {
            if !all.contains(&destination) {
                all.push(destination);
            }
        }
        all
    }

    /// Whether every spreadsheet is known.
    pub fn are_whole(&self) -> bool {
        self.destinations().iter().all(|to| to.spreadsheet != UNKNOWN)
    }

    /// Every spreadsheet once, the default's first.
    pub fn spreadsheets(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for destination in self.destinations() {
            if !all.contains(&destination.spreadsheet.as_str()) {
                all.push(&destination.spreadsheet);
            }
        }
        all
    }
}

/// A title with the month that `at` lies in, as the calendars in `zone` show it: `2026-11`.
pub fn title_at(title: &str, at: UnixMs, zone: &TimeZone) -> String {
    if !title.contains(MONTH) {
        return title.to_owned();
    }
    let moment = at.in_zone(zone);
    title.replace(MONTH, &format!("{:04}-{:02}", moment.year(), moment.month()))
}
