//! The sentence above the board: who waits, how long, as of when, and what is wrong.

use jiff::tz::TimeZone;

use crate::chat::board::{Board, LINES_MAX, Line, lasting, too_long};
use crate::chat::tests::{Inbox, MINUTE_MS, NOW, RULES, unassigned};
use crate::chat::time::UnixMs;

/// 2026-11-22, 08:55 in India.
const MORNING: UnixMs = UnixMs(1_795_317_900_000);

fn india() -> TimeZone {
    TimeZone::get("Asia/Kolkata").unwrap()
}

/// Who has been waiting for so many minutes each, the longest first.
fn board(minutes: &[i64]) -> Board {
    let entry = Inbox::new(RULES).row(unassigned("chat_1"), NOW);
    let line = |minutes: &i64| {
        let mut entry = entry.clone();
        entry.unassigned_at = MORNING.plus_ms(-minutes * MINUTE_MS);
        Line { entry, drops: 1 }
    };
    let lines = minutes.iter().map(line).collect();
    Board { at: MORNING, waiting: minutes.len() as u64, lines, remarks: Vec::new() }
}

#[track_caller]
fn check(board: &Board, expected: &str) {
    assert_eq!(board.headline(&india()), expected);
}

#[test]
fn the_sentence_says_how_many_wait_how_long_and_as_of_when() {
    let three = board(&[130, 20, 1]);
    check(&three, "3 patients waiting · longest 2 h 10 min · updated 08:55, 22 Nov");
    check(&board(&[7]), "1 patient waiting · longest 7 min · updated 08:55, 22 Nov");
}

#[test]
fn an_empty_list_says_that_nobody_waits_and_as_of_when() {
    check(&board(&[]), "Nobody is waiting · updated 08:55, 22 Nov");
}

#[test]
fn the_time_is_that_of_the_clinics_clocks() {
    let headline = board(&[]).headline(&TimeZone::get("America/New_York").unwrap());
    assert_eq!(headline, "Nobody is waiting · updated 22:25, 21 Nov");
}

#[test]
fn what_is_wrong_stands_behind() {
    let mut wrong = board(&[5]);
    wrong.remarks = vec!["BEHIND: 7 rows".into(), "look at the log".into()];
    let expected = "1 patient waiting · longest 5 min · updated 08:55, 22 Nov · BEHIND: 7 rows · look at the log";
    check(&wrong, expected);
}

#[test]
fn of_more_than_there_is_room_for_it_is_said_how_many_are_shown() {
    let mut many = board(&vec![5; LINES_MAX]);
    check(&many, "1000 patients waiting · longest 5 min · updated 08:55, 22 Nov");
    many.waiting = 1_204;
    let expected = "1204 patients waiting · longest 5 min · updated 08:55, 22 Nov · \
                    only the 1000 who wait longest are shown";
    check(&many, expected);
}

#[test]
fn from_the_limit_on_it_is_said_how_many_wait_too_long() {
    let said = |minutes: &[i64], waiting| {
        too_long(&board(minutes).lines, waiting, 30 * MINUTE_MS, MORNING)
    };
    assert_eq!(said(&[], 0), None);
    assert_eq!(said(&[29, 0], 2), None);
    assert_eq!(said(&[130, 30, 29], 3).as_deref(), Some("TOO LONG: 2 for 30 min or longer"));
    // Not all are looked at, and those who are have all waited too long.
    assert_eq!(said(&[40, 31], 9).as_deref(), Some("TOO LONG: 2 or more for 30 min or longer"));
}

#[test]
fn durations_are_said_as_people_say_them() {
    for (seconds, expected) in [
        (-60, "0 min"),
        (0, "0 min"),
        (59, "0 min"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h 0 min"),
        (7_800, "2 h 10 min"),
        (180_000, "50 h 0 min"),
    ] {
        assert_eq!(lasting(seconds * 1_000), expected, "{seconds} s");
    }
}

/// It is kept with its batch, so that a batch that is sent again shows the same.
#[test]
fn a_board_is_read_back_as_it_was_written() {
    let board = board(&[5, 3]);
    let mut read: Board = serde_json::from_str(&serde_json::to_string(&board).unwrap()).unwrap();
    for (line, original) in read.lines.iter_mut().zip(&board.lines) {
        line.entry.event_id = original.entry.event_id.clone();
    }
    assert_eq!(read, board);
}
