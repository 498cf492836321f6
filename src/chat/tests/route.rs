//! Where rows go: by the clinic's number, and by the month.

use jiff::tz::TimeZone;

use crate::chat::route::{Destination, Routes, title_at};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;

fn to(spreadsheet: &str, title: &str) -> Destination {
    Destination { spreadsheet: spreadsheet.into(), title: title.into() }
}

/// Two branches in a spreadsheet of their own, one beside the default.
fn routes() -> Routes {
    let by_number = vec![
        ("919000000001".to_owned(), to("other", "North")),
        ("919000000002".to_owned(), to("other", "South")),
        ("919000000003".to_owned(), to("default", "East")),
        ("919000000004".to_owned(), to("other", "North")),
    ];
    Routes::new(to("default", "Log"), by_number)
}

#[track_caller]
fn check(waba_number: &str, expected: Destination) {
    assert_eq!(*routes().of(&Personal::new(waba_number)), expected);
}

#[test]
fn a_number_is_known_however_it_is_spelt() {
    for spelt in ["919000000001", "+919000000001", "+91 90000-00001", "(91) 9000 000 001"] {
        check(spelt, to("other", "North"));
    }
    check("+919000000002", to("other", "South"));
    check("+919000000003", to("default", "East"));
}

#[test]
fn whatever_is_not_routed_goes_to_the_default() {
    for other in ["", "+919000000009", "9000000001", "clinic", "+9190000000011"] {
        check(other, to("default", "Log"));
    }
}

#[test]
fn each_destination_and_each_spreadsheet_is_named_once_the_default_first() {
    let expected =
        [to("default", "Log"), to("other", "North"), to("other", "South"), to("default", "East")];
    assert_eq!(routes().destinations(), expected.iter().collect::<Vec<_>>());
    assert_eq!(routes().spreadsheets(), ["default", "other"]);
}

#[track_caller]
fn check_month(at: &str, zone: &str, expected: &str) {
    let at = UnixMs(at.parse::<jiff::Timestamp>().unwrap().as_millisecond());
    let title = title_at("Chats {month}", at, &TimeZone::get(zone).unwrap());
    assert_eq!(title, expected, "{at:?} in {zone}");
}

#[test]
fn the_month_turns_at_midnight_of_the_sheets_own_zone() {
    check_month("2026-11-30T18:29:59.999Z", "Asia/Kolkata", "Chats 2026-11");
    check_month("2026-11-30T18:30:00Z", "Asia/Kolkata", "Chats 2026-12");
    check_month("2026-11-30T23:59:59Z", "Etc/UTC", "Chats 2026-11");
    check_month("2026-12-01T00:00:00Z", "Etc/UTC", "Chats 2026-12");
    check_month("2026-12-01T00:00:00Z", "America/New_York", "Chats 2026-11");
    check_month("2026-12-31T18:30:00Z", "Asia/Kolkata", "Chats 2027-01");
}

#[test]
fn a_title_without_a_month_stays_as_it_is() {
    for title in ["Log", "", "{year}", "{Month}", "{month"] {
        assert_eq!(title_at(title, UnixMs(0), &TimeZone::UTC), title);
    }
    assert_eq!(title_at("{month}/{month}", UnixMs(0), &TimeZone::UTC), "1970-01/1970-01");
}
