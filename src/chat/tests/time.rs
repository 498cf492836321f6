//! Times as bodies write them and as a sheet counts them.

use jiff::tz::TimeZone;

use crate::chat::tests::{DAY_MS, NOW};
use crate::chat::time::{UnixMs, parse};

#[track_caller]
fn check(text: &str, expected: Option<i64>) {
    assert_eq!(parse(text, NOW).map(|moment| moment.0), expected, "{text:?}");
}

#[test]
fn iso_times_are_read_with_their_offset() {
    check("2026-07-01T10:30:00Z", Some(NOW.0));
    check("2026-07-01T10:30:00.250Z", Some(NOW.0 + 250));
    check("2026-07-01T16:00:00+05:30", Some(NOW.0));
    check("2026-07-01T06:30:00-04:00", Some(NOW.0));
    check("2026-07-01 16:00:00+05:30", Some(NOW.0));
    check("2026-07-02T00:15:00+14:00", Some(NOW.0 - 900_000));
}

#[test]
fn epoch_times_are_read_in_seconds_and_milliseconds() {
    check("1782901800", Some(NOW.0));
    check("1782901800.5", Some(NOW.0 + 500));
    check("1782901800000", Some(NOW.0));
    check("1782901800250", Some(NOW.0 + 250));
}

#[test]
fn a_time_without_an_offset_could_be_any_zones() {
    check("2026-07-01T10:30:00", None);
    check("2026-07-01 10:30", None);
    check("2026-07-01", None);
    check("01/07/2026 10:30", None);
    check("10:30", None);
}

#[test]
fn only_times_between_2015_and_a_day_ahead_are_believed() {
    check("2015-01-01T00:00:00Z", Some(1_420_070_400_000));
    check("1420070400", Some(1_420_070_400_000));
    check("2014-12-31T23:59:59.999Z", None);
    check("1420070399", None);
    check("0", None);
    check("-1782901800", None);
    check(&(NOW.0 + DAY_MS).to_string(), Some(NOW.0 + DAY_MS));
    check(&(NOW.0 + DAY_MS + 1).to_string(), None);
    check("2026-07-02T10:30:01Z", None);
    check("9999-12-31T23:59:59Z", None);
}

#[test]
fn what_is_no_time_is_none() {
    for text in ["", "now", "null", "NaN", "inf", "-inf", "1e400", "1e15", "2026-13-01T00:00:00Z"] {
        check(text, None);
    }
}

/// The expected values are counted by hand: days from 1899-12-30 to the local date, and the seconds
/// since local midnight.
#[test]
fn a_serial_number_shows_the_clocks_of_its_zone() {
    let check = |milliseconds: i64, zone: &str, days: u32, seconds: u32| {
        let expected = f64::from(days) + f64::from(seconds) / 86_400.0;
        let serial = UnixMs(milliseconds).serial_in(&TimeZone::get(zone).unwrap());
        assert!((serial - expected).abs() * 86_400.0 < 0.001, "{zone}: {serial}, not {expected}");
    };
    check(NOW.0, "UTC", 46_204, 37_800);
    check(NOW.0, "Asia/Kolkata", 46_204, 57_600);
    // Midnight in Kolkata is half past six the evening before in UTC.
    check(1_782_930_600_000, "Asia/Kolkata", 46_205, 0);
    // Winter and summer in New York.
    check(1_768_521_599_000, "America/New_York", 46_037, 68_399);
    check(1_784_159_999_000, "America/New_York", 46_218, 71_999);
    // The second before Berlin's clocks go forward, and the next one.
    check(1_774_745_999_000, "Europe/Berlin", 46_110, 7_199);
    check(1_774_746_000_000, "Europe/Berlin", 46_110, 10_800);
    // The second before they go back, and the next one.
    check(1_792_889_999_000, "Europe/Berlin", 46_320, 10_799);
    check(1_792_890_000_000, "Europe/Berlin", 46_320, 7_200);
    // A leap day.
    check(1_709_208_000_000, "UTC", 45_351, 43_200);
}

#[test]
fn a_serial_number_counts_whole_seconds() {
    let zone = TimeZone::UTC;
    let (whole, late) = (NOW.serial_in(&zone), NOW.plus_ms(999).serial_in(&zone));
    assert!((whole - late).abs() < f64::EPSILON);
}
