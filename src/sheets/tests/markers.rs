//! Which markers may go.

use std::ops::Range;

use crate::sheets::markers::{AGE_KEPT_S, AGE_MIN_S, COUNT_MAX, KEPT_MIN, SealedMarker, prunable};

const NOW_S: i64 = 1_795_329_000;
const OURS: Range<i32> = 1_000_000..1_100_000;

/// So many markers of ours, all of that age; the ids count up from the first of ours.
fn ours(count: usize, age_s: i64) -> Vec<SealedMarker> {
    (OURS.start..).take(count).map(|id| (id, NOW_S - age_s)).collect()
}

#[track_caller]
fn check(found: Vec<SealedMarker>, expected: usize) {
    let gone = prunable(found.clone(), &OURS, NOW_S);
    assert_eq!(gone.len(), expected);
    assert!(gone.iter().all(|id| found.iter().any(|(known, _)| known == id)));
}

#[test]
fn the_newest_markers_stay_whatever_their_age() {
    check(Vec::new(), 0);
    check(ours(1, 10 * AGE_KEPT_S), 0);
    check(ours(KEPT_MIN, 10 * AGE_KEPT_S), 0);
    check(ours(KEPT_MIN + 3, 10 * AGE_KEPT_S), 3);
}

#[test]
fn a_day_is_kept_where_there_is_room() {
    check(ours(COUNT_MAX, AGE_KEPT_S), 0);
    check(ours(COUNT_MAX, AGE_KEPT_S + 1), COUNT_MAX - KEPT_MIN);
}

#[test]
fn without_room_only_the_last_minutes_are_sacred() {
    check(ours(COUNT_MAX + 1, AGE_MIN_S + 1), COUNT_MAX + 1 - KEPT_MIN);
    check(ours(COUNT_MAX + 1, AGE_MIN_S), 0);
    check(ours(10 * COUNT_MAX, 0), 0);
}

#[test]
fn another_deployments_markers_stay_for_a_day_however_little_room_there_is() {
    let foreign = |age_s| -> Vec<SealedMarker> {
        (1..).take(2 * COUNT_MAX).map(|id| (id, NOW_S - age_s)).collect()
    };
    check(foreign(AGE_KEPT_S), 0);
    check(foreign(AGE_KEPT_S + 1), 2 * COUNT_MAX - KEPT_MIN);
}

#[test]
fn a_marker_from_the_future_stays() {
    check(ours(2 * COUNT_MAX, -3_600), 0);
}

#[test]
fn the_oldest_go_first_in_whatever_order_they_were_found() {
    let mut found = ours(KEPT_MIN, 60);
    found.insert(0, (9, NOW_S - 2 * AGE_KEPT_S));
    found.insert(30, (8, NOW_S - 3 * AGE_KEPT_S));
    let mut gone = prunable(found, &OURS, NOW_S);
    gone.sort_unstable();
    assert_eq!(gone, [8, 9]);
}
