//! The alarm is said once, again every hour, and once when it is over.

mod waits;

use crate::alarm::{Alarm, Condition, Notice, Observation, Reason};
use crate::chat::time::UnixMs;

const NOW: UnixMs = UnixMs(1_795_329_000_000);
const MINUTE_MS: i64 = 60_000;

fn at(minutes: i64) -> UnixMs {
    NOW.plus_ms(minutes * MINUTE_MS)
}

fn observation(sheet: Condition, oldest: Option<UnixMs>) -> Observation {
    let pending_rows = u64::from(oldest.is_some());
    let (journal, sentence) = (None, "share it".to_owned());
    Observation { pending_rows, oldest_pending: oldest, journal, sheet, sentence }
}

fn kind(word: Option<Notice>) -> &'static str {
    match word {
        None => "nothing",
        Some(Notice::On(Reason::Parked, _)) => "parked",
        Some(Notice::On(Reason::Overdue, _)) => "overdue",
        Some(Notice::On(Reason::Journal, _)) => "journal",
        Some(Notice::Still(_)) => "still",
        Some(Notice::Off(_)) => "off",
    }
}

/// Looks at these minutes at these sights; gives what was said.
fn said(looks: &[(i64, Condition, Option<UnixMs>)]) -> Vec<&'static str> {
    let mut alarm = Alarm::new(10);
    let mut look = |(minute, sheet, oldest): &(i64, Condition, Option<UnixMs>)| {
        kind(alarm.observe(&observation(*sheet, *oldest), at(*minute)))
    };
    looks.iter().map(&mut look).collect()
}

use Condition::{Delivering, Parked, Waiting};

#[test]
fn a_parked_sheet_is_told_once_then_hourly_and_once_when_it_is_over() {
    let looks = [
        (0, Delivering, None),
        (1, Parked, None),
        (2, Parked, None),
        (61, Parked, None),
        (62, Parked, None),
        (63, Delivering, None),
        (64, Delivering, None),
    ];
    assert_eq!(
        said(&looks),
        ["nothing", "parked", "nothing", "still", "nothing", "off", "nothing"]
    );
}

#[test]
fn rows_that_wait_for_too_long_are_told_whatever_the_sheet_says() {
    let waits = Some(at(0));
    let looks = [
        (9, Waiting, waits),
        (10, Waiting, waits),
        (11, Waiting, waits),
        (12, Delivering, waits),
        (13, Delivering, None),
    ];
    assert_eq!(said(&looks), ["nothing", "nothing", "overdue", "nothing", "off"]);
}

/// A machine that slept for an hour finds an old row when it wakes, and writes it.
#[test]
fn rows_that_are_old_for_one_look_only_alarm_nobody() {
    let looks =
        [(70, Delivering, Some(at(0))), (71, Delivering, None), (90, Delivering, Some(at(79)))];
    assert_eq!(said(&looks), ["nothing", "nothing", "nothing"]);
}

#[test]
fn an_alarm_that_wavers_is_one_alarm() {
    let looks = [
        (0, Parked, None),
        (1, Waiting, None),
        (2, Parked, None),
        (3, Waiting, None),
        (4, Delivering, None),
    ];
    assert_eq!(said(&looks), ["parked", "nothing", "nothing", "nothing", "off"]);
}

#[test]
fn a_clock_that_is_set_back_neither_alarms_nor_silences() {
    let looks = [(0, Delivering, Some(at(600))), (1, Parked, None), (-600, Parked, None)];
    assert_eq!(said(&looks), ["nothing", "parked", "still"]);
}

#[test]
fn the_sentence_says_how_many_for_how_long_and_what_to_do() {
    let mut alarm = Alarm::new(10);
    let observation = Observation { pending_rows: 12, ..observation(Parked, Some(at(0))) };
    let Some(Notice::On(Reason::Parked, sentence)) = alarm.observe(&observation, at(14)) else {
        panic!("it did not go on")
    };
    assert_eq!(sentence, "12 rows wait for the sheet, the oldest for 14 minutes: share it");
    assert!(alarm.is_on());
}

#[test]
fn a_journal_that_takes_nothing_is_an_alarm_whatever_the_sheet_does() {
    let mut alarm = Alarm::new(10);
    let full =
        Observation { journal: Some("the disk is full".into()), ..observation(Delivering, None) };
    let word = alarm.observe(&full, at(0));
    assert_eq!(
        word,
        Some(Notice::On(Reason::Journal, "no event can be taken: the disk is full".into()))
    );
    assert_eq!(kind(alarm.observe(&full, at(1))), "nothing");
    assert_eq!(kind(alarm.observe(&full, at(61))), "still");
    assert_eq!(kind(alarm.observe(&observation(Delivering, None), at(62))), "off");
}
