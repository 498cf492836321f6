//! What goes together: as many of the oldest rows as fit, for one tab.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::chat::entry::Entry;
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::forwarder::pick::{Measure, Pick, Stop, pick};
use crate::sheets::cells::bytes_of;

const MUCH: Measure =
    Measure { rows_max: 10, bytes_max: usize::MAX, bytes_more: 3, with_handovers: true };
/// The last second of October.
const OCTOBER: UnixMs = UnixMs(1_793_491_199_000);

fn row(at: UnixMs) -> Entry {
    Entry { unassigned_at: at, chat_id: Personal::new("chat"), ..Entry::default() }
}

fn picked(log: &[Entry], handovers: &[Entry], measure: Measure) -> Pick {
    pick(Some("Log {month}"), log, handovers, &measure, &TimeZone::UTC)
}

#[test]
fn no_more_bytes_than_may_be_but_always_one_row() {
    let rows = [row(OCTOBER), row(OCTOBER), row(OCTOBER), row(OCTOBER)];
    let one = bytes_of(&rows[0]) + MUCH.bytes_more;
    for (bytes_max, taken, why) in [
        (0, 1, Stop::Bytes),
        (one, 1, Stop::Bytes),
        (2 * one, 2, Stop::Bytes),
        (4 * one - 1, 3, Stop::Bytes),
        (4 * one, 4, Stop::NoMore),
    ] {
        let pick = picked(&rows, &[], Measure { bytes_max, ..MUCH });
        assert_eq!((pick.log, pick.why), (taken, why), "{bytes_max} bytes");
    }
}

#[test]
fn never_the_rows_of_two_months() {
    let november = OCTOBER.plus_ms(1_000);
    let rows = [row(OCTOBER), row(OCTOBER), row(november), row(OCTOBER)];
    let first = picked(&rows, &[], MUCH);
    assert_eq!((first.title.as_deref(), first.log), (Some("Log 2026-10"), 2));
    assert_eq!(first.why, Stop::AnotherTab);
    let second = picked(&rows[2..], &[], MUCH);
    assert_eq!((second.title.as_deref(), second.log), (Some("Log 2026-11"), 1));
}

#[test]
fn handovers_take_what_room_is_left() {
    let rows = [row(OCTOBER), row(OCTOBER), row(OCTOBER)];
    let all = picked(&rows, &rows, MUCH);
    assert_eq!((all.log, all.handovers, all.why), (3, 3, Stop::NoMore));
    let four = picked(&rows, &rows, Measure { rows_max: 4, ..MUCH });
    assert_eq!((four.log, four.handovers), (3, 1));
    let two = picked(&rows, &rows, Measure { rows_max: 2, ..MUCH });
    assert_eq!((two.log, two.handovers, two.why), (2, 0, Stop::Rows));
    let without = picked(&rows, &rows, Measure { with_handovers: false, ..MUCH });
    assert_eq!((without.log, without.handovers), (3, 0));
    let alone = picked(&[], &rows, MUCH);
    assert_eq!((alone.title, alone.log, alone.handovers), (None, 0, 3));
}

proptest! {
    #[test]
    fn a_pick_fits_and_could_not_be_one_row_longer(
        rows in 0..20_usize,
        rows_max in 1..20_usize,
        bytes_max in 0..40_000_usize,
    ) {
        let rows: Vec<Entry> = (0..rows).map(|_| row(OCTOBER)).collect();
        let pick = picked(&rows, &[], Measure { rows_max, bytes_max, ..MUCH });
        let bytes = |count: usize| -> usize {
            rows[..count].iter().map(|row| bytes_of(row) + MUCH.bytes_more).sum()
        };
        prop_assert!(pick.log <= rows_max);
        prop_assert!(pick.log <= 1 || bytes(pick.log) <= bytes_max);
        let is_longest = pick.log == rows.len()
            || pick.log == rows_max
            || bytes(pick.log + 1) > bytes_max;
        prop_assert!(is_longest);
    }
}
