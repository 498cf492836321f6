//! ROUTES: which number goes where, and what is wrong with it, without ever saying what it says.

use crate::config::Route;
use crate::config::tests::{ID, check_refused, problem, read, valid};

const OTHER: &str = "2xYz-OtherSpreadsheet_0123456789";

/// Each number's spreadsheet and tab.
#[track_caller]
fn check(routes: &str, expected: &[(&str, &str, &str)]) {
    let route = |(digits, id, title): &(&str, &str, &str)| Route {
        waba_digits: (*digits).to_owned(),
        spreadsheet_id: (*id).to_owned(),
        title: (*title).to_owned(),
    };
    let expected: Vec<Route> = expected.iter().map(route).collect();
    assert_eq!(valid(&[("ROUTES", routes)]).routes, expected, "{routes}");
}

#[test]
fn a_number_goes_to_a_spreadsheet_and_a_tab() {
    check(&format!("+919000000001={OTHER}/North"), &[("919000000001", OTHER, "North")]);
    check(&format!("00919000000001={OTHER}/North"), &[("919000000001", OTHER, "North")]);
    check(&format!(" +91 90000-00001 = {OTHER} / North "), &[("919000000001", OTHER, "North")]);
}

#[test]
fn what_is_left_out_is_as_by_default() {
    check("919000000001=/North", &[("919000000001", ID, "North")]);
    check(&format!("919000000001={OTHER}"), &[("919000000001", OTHER, "Unassigned chats")]);
    check(&format!("919000000001={OTHER}/"), &[("919000000001", OTHER, "Unassigned chats")]);
    let config = valid(&[("SHEET_NAME", "Log"), ("ROUTES", &format!("1={OTHER}"))]);
    assert_eq!(config.routes[0].title, "Log");
}

#[test]
fn several_are_separated_by_commas_semicolons_or_line_breaks() {
    let expected = [("1", ID, "A"), ("2", ID, "B"), ("3", OTHER, "C")];
    for separator in [",", ";", "\n", " , ", ",\n", ";;", "\r\n"] {
        let third = format!("3={OTHER}/C");
        check(&["1=/A", "2=/B", &third].join(separator), &expected);
    }
    check("1=/A,", &[("1", ID, "A")]);
}

#[test]
fn a_spreadsheet_may_be_given_by_its_address() {
    let address = format!("https://docs.google.com/spreadsheets/d/{OTHER}/edit?gid=0#gid=0");
    check(&format!("919000000001={address}"), &[("919000000001", OTHER, "Unassigned chats")]);
    let opened = format!("https://drive.google.com/open?id={OTHER}&usp=drive_fs");
    check(&format!("1={opened}"), &[("1", OTHER, "Unassigned chats")]);
}

#[test]
fn a_title_may_have_slashes_and_a_month() {
    check("1=/North/South", &[("1", ID, "North/South")]);
    check("1=/North {month}", &[("1", ID, "North {month}")]);
}

#[test]
fn an_entry_that_cannot_be_read_is_named_by_its_place() {
    for (routes, place) in [
        ("north=/North", "1."),
        ("+91900", "1."),
        ("=/North", "1."),
        ("1=not an id/North", "1."),
        ("1=/A,,x=/B", "2."),
    ] {
        let sentence = problem(&[("ROUTES", routes)]);
        assert!(sentence.starts_with("ROUTES ") && sentence.contains(place), "{sentence}");
    }
    check_refused("ROUTES", &format!("1=/{}", "x".repeat(101)));
}

#[test]
fn all_faults_of_the_routes_are_told_at_once() {
    let problems = read(&[("ROUTES", "x=/A, 1=/B, y=/C")]).map(|_| "valid").unwrap_err();
    assert_eq!(problems.sentences().len(), 2, "{problems}");
}

#[test]
fn one_number_cannot_go_to_two_places() {
    check_refused("ROUTES", "+91 900=/A, 91900=/B");
}

#[test]
fn a_log_cannot_have_the_title_of_another_tab_of_ours() {
    check_refused("ROUTES", "1=/Handovers");
    check_refused("ROUTES", "1=/Unattended now");
    check_refused("ROUTES", &format!("1={OTHER}/Unattended now"));
    check_refused("SHEET_NAME", "Handovers");
    check_refused("SHEET_NAME", "Unattended now");
    check_refused("BOARD_NAME", "Handovers");
    check_refused("SHEET_NAME", "Summary");
    check_refused("ROUTES", "1=/Summary");
    check_refused("SUMMARY_NAME", "Handovers");
    check_refused("SUMMARY_NAME", "unattended now");
    valid(&[("SUMMARY_NAME", ""), ("SHEET_NAME", "Summary")]);
    valid(&[("BOARD_NAME", "Now"), ("ROUTES", "1=/Unattended now")]);
}

/// Google tells titles apart without regard to capitals, and so two tabs could never be made.
#[test]
fn titles_that_differ_only_in_their_capitals_clash() {
    check_refused("SHEET_NAME", "unattended NOW");
    check_refused("BOARD_NAME", "handovers");
    check_refused("ROUTES", "1=/HANDOVERS");
    check_refused("ROUTES", "1=/North, 2=/NORTH");
    check_refused("ROUTES", "1=/UNASSIGNED chats");
    valid(&[("ROUTES", &format!("1=/North, 2={OTHER}/NORTH"))]);
    valid(&[("ROUTES", "1=/North, 2=/North")]);
}

#[test]
fn nothing_of_a_route_is_ever_echoed() {
    let canary = "c4n4ry";
    for routes in ["1=c4n4ry c4n4ry/x", "c4n4ry=/x", "1=/c4n4ry,1=/c4n4ry", "c4n4ry"] {
        let problems = read(&[("ROUTES", routes)]).map(|_| "valid").unwrap_err();
        assert!(!format!("{problems} {problems:?}").contains(canary), "{problems}");
    }
}
