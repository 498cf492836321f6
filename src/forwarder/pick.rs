//! How many of the oldest rows go together. Pure: the journal finds them, the sheet says how large each is.

use jiff::tz::TimeZone;

use crate::chat::entry::Entry;
use crate::chat::route::title_at;
use crate::sheets::cells::bytes_of;

/// How much goes into a batch at most.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Most rows.
    pub rows_max: usize,
    /// Most bytes on the wire.
    pub bytes_max: usize,
    /// Bytes that every row takes besides its own cells.
    pub bytes_more: usize,
    /// Whether handovers go along.
    pub with_handovers: bool,
}

/// Why no more rows of the log go along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// There were no more.
    NoMore,
    /// As many as may go together.
    Rows,
    /// The request would be too large.
    Bytes,
    /// The next one is for another tab: of another month.
    AnotherTab,
}

/// What goes together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The title of the log tab at the moment of its rows; `None` without rows of the log.
    pub title: Option<String>,
    /// So many of the first rows of the log.
    pub log: usize,
    /// So many of the first handovers.
    pub handovers: usize,
    /// Why not more of the log.
    pub why: Stop,
}

/// Picks the first rows that fit and belong to one tab; a single row always fits. `configured` is what the
/// log tab is called in the settings, `zone` says which month it is.
pub fn pick(
    configured: Option<&str>,
    log: &[Entry],
    handovers: &[Entry],
    measure: &Measure,
    zone: &TimeZone,
) -> Pick {
    let title_of =
        |entry: &Entry| configured.map(|title| title_at(title, entry.unassigned_at, zone));
    let title = log.first().and_then(title_of);
    let mut bytes = 0;
    let mut fits = |taken: usize, entry: &Entry| {
        bytes += bytes_of(entry) + measure.bytes_more;
        taken == 0 || bytes <= measure.bytes_max
    };
    let (mut taken, mut why) = (0, Stop::NoMore);
    for entry in log {
        why = match () {
            () if taken == measure.rows_max => Stop::Rows,
            () if title_of(entry) != title => Stop::AnotherTab,
            () if !fits(taken, entry) => Stop::Bytes,
            () => {
                taken += 1;
                continue;
            }
        };
        break;
    }
    if taken == log.len() {
        why = Stop::NoMore;
    }
    let room = if measure.with_handovers { measure.rows_max - taken } else { 0 };
    let mut handed = 0;
    for entry in handovers.iter().take(room) {
        if !fits(handed, entry) {
            break;
        }
        handed += 1;
    }
    Pick { title, log: taken, handovers: handed, why }
}
