//! Time zones by the names that Google gives them.

use jiff::tz::{Offset, TimeZone};

/// The zone of that name. An unknown one is UTC: `check` and the start say so.
pub fn time_zone(name: &str) -> TimeZone {
    known_time_zone(name).unwrap_or(TimeZone::UTC)
}

/// The zone of that name: IANA's, or one of Google's custom ones, `GMT+05:30`.
pub fn known_time_zone(name: &str) -> Option<TimeZone> {
    if let Ok(zone) = TimeZone::get(name) {
        return Some(zone);
    }
    let rest = name.strip_prefix("GMT").or_else(|| name.strip_prefix("UTC"))?;
    let (sign, rest) = match rest.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, rest.strip_prefix('-')?),
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let number = |text: &str, max: i32| {
        let is_number =
            (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number: &i32| is_number && *number <= max)
    };
    let seconds = (number(hours, 23)? * 60 + number(minutes, 59)?) * 60;
    Some(TimeZone::fixed(Offset::from_seconds(sign * seconds).ok()?))
}
