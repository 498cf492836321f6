//! Hours of the day: how they are written, and when the clocks show them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::chat::hours::{Hours, HoursFault};
use crate::chat::time::UnixMs;

fn hours(text: &str) -> Hours {
    Hours::read(text).unwrap()
}

fn moment(text: &str, zone: &TimeZone) -> UnixMs {
    let civil: DateTime = text.parse().unwrap();
    UnixMs(zone.to_timestamp(civil).unwrap().as_millisecond())
}

#[track_caller]
fn check(text: &str, inside: &[&str], outside: &[&str]) {
    let zone = TimeZone::get("Asia/Kolkata").unwrap();
    let at = |time: &&str| moment(&format!("2026-11-26T{time}"), &zone);
    for time in inside {
        assert!(hours(text).hold_at(at(time), &zone), "{time} is in {text}");
    }
    for time in outside {
        assert!(!hours(text).hold_at(at(time), &zone), "{time} is not in {text}");
    }
}

#[test]
fn hours_begin_with_their_first_minute_and_end_before_their_last() {
    check("08:00-20:00", &["08:00:00", "19:59:59"], &["07:59:59", "20:00:00", "00:00:00"]);
    check(
        "20:00-08:00",
        &["20:00:00", "23:59:59", "00:00:00", "07:59:59"],
        &["08:00:00", "19:59:59"],
    );
    check(
        "8:00-12:30, 13:15-24:00",
        &["08:00:00", "12:29:59", "13:15:00", "23:59:59"],
        &["12:30:00", "13:14:59", "00:00:00"],
    );
    check("00:00-24:00", &["00:00:00", "12:00:00", "23:59:59"], &[]);
    check("22:00–00:00", &["22:00:00", "23:59:59"], &["00:00:00", "21:59:59"]);
}

#[test]
fn what_is_no_hours_is_said_by_its_place() {
    for text in [
        "",
        "8-20",
        "08:00",
        "08:00-20:60",
        "08:00-24:01",
        "08:00-",
        "08:0-20:00",
        "-1:00-2:00",
        "08:00-20:00,",
    ] {
        let number = text.split(',').count();
        assert_eq!(Hours::read(text), Err(HoursFault::Unlike(number)), "{text}");
    }
    for text in ["08:00-08:00", "24:00-08:00", "24:00-24:00", "00:00-00:00"] {
        assert_eq!(Hours::read(text), Err(HoursFault::Empty(1)), "{text}");
    }
    assert_eq!(Hours::read("08:00-09:00, 10:00-10:00"), Err(HoursFault::Empty(2)));
}

/// In Berlin clocks go from 2:00 to 3:00 on the 29th of March 2026, and from 3:00 to 2:00 on the 25th of October.
#[test]
fn on_the_days_when_clocks_are_changed_what_they_show_counts() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let inside = |text: &str, from: &str, minutes: i64| {
        let from = moment(from, &zone);
        let at = |minute: i64| hours(text).hold_at(from.plus_ms(minute * 60_000), &zone);
        (0..minutes).filter(|minute| at(*minute)).count()
    };
    for (day, hours_of_day) in [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)] {
        let midnight = format!("{day}T00:00:00");
        assert_eq!(inside("08:00-20:00", &midnight, hours_of_day * 60), 12 * 60, "{day}");
        assert_eq!(
            inside("00:00-24:00", &midnight, hours_of_day * 60),
            usize::try_from(hours_of_day * 60).unwrap()
        );
    }
    assert_eq!(inside("02:00-03:00", "2026-03-29T00:00:00", 23 * 60), 0, "there is no such hour");
    assert_eq!(inside("02:00-03:00", "2026-10-25T00:00:00", 25 * 60), 120, "it is there twice");
}

proptest! {
    /// Each minute of the day is in a stretch, or in the one from its end to its beginning, and never in both.
    #[test]
    fn what_is_not_within_hours_is_within_the_others(from in 0..1440_i64, until in 0..1440_i64, minute in 0..1440_i64) {
        prop_assume!(from != until);
        let time = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let stretch = |from, until| hours(&format!("{}-{}", time(from), time(until)));
        let at = UnixMs(1_795_305_600_000 + minute * 60_000);
        let (this, other) = (stretch(from, until), stretch(until, from));
        prop_assert_ne!(this.hold_at(at, &TimeZone::UTC), other.hold_at(at, &TimeZone::UTC));
    }
}
