//! The waiting: how long after a failure, and how many writes in a minute.

use std::time::Duration;

use proptest::prelude::*;

use crate::chat::time::UnixMs;
use crate::forwarder::backoff::{Failures, is_broken};
use crate::forwarder::pace::{Pace, WINDOW_MS};

const MINUTE_MS: i64 = 60_000;
const NOW: UnixMs = UnixMs(1_795_329_000_000);

const FIVE_MINUTES: Duration = Duration::from_secs(300);
const LATELY: Duration = Duration::from_secs(299);

/// The wait after so many failures in a row that pass by themselves.
fn delay(failures: u32, silent_for: Duration, asked_s: Option<u64>, random: f64) -> Duration {
    let mut so_far = Failures::default();
    for _ in 1..failures {
        so_far.passing(silent_for, None, random);
    }
    so_far.passing(silent_for, asked_s.map(Duration::from_secs), random)
}

#[track_caller]
fn check_delay(failures: u32, asked_s: Option<u64>, random: f64, expected_ms: u64) {
    let waited = delay(failures, LATELY, asked_s, random);
    assert_eq!(waited, Duration::from_millis(expected_ms));
}

#[test]
fn a_wait_after_a_failure_doubles_up_to_four_seconds() {
    let bounds: Vec<u128> =
        (1..=6).map(|failures| delay(failures, LATELY, None, 1.0).as_millis()).collect();
    assert_eq!(bounds, [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
}

/// A storm in which most calls fail is no outage: there some succeed.
#[test]
fn only_where_nothing_has_succeeded_for_five_minutes_a_wait_may_be_half_a_minute() {
    for (failures, silent_for, expected_s) in
        [(100, LATELY, 4), (100, FIVE_MINUTES, 30), (2, FIVE_MINUTES, 1)]
    {
        let waited = delay(failures, silent_for, None, 1.0);
        assert_eq!(waited, Duration::from_secs(expected_s), "{failures}, {silent_for:?}");
    }
}

#[test]
fn a_wait_after_a_failure_is_drawn_from_nothing_up_to_the_bound() {
    check_delay(5, None, 0.0, 0);
    check_delay(5, None, 0.25, 1_000);
    check_delay(5, None, 0.5, 2_000);
}

#[test]
fn no_number_of_failures_is_too_large_to_wait_after() {
    let mut failures = Failures::default();
    for _ in 0..100 {
        assert!(failures.passing(FIVE_MINUTES, None, 1.0) <= Duration::from_secs(30));
        assert!(failures.operators() <= Duration::from_secs(60));
    }
}

#[test]
fn what_google_asks_to_wait_is_the_least_we_wait() {
    check_delay(1, Some(30), 0.9, 30_000);
    check_delay(8, Some(1), 0.5, 2_000);
    check_delay(40, Some(300), 1.0, 300_000);
}

/// Failures that pass say nothing of how long a human has had to act.
#[test]
fn whether_a_human_has_acted_is_looked_at_soon_and_then_once_a_minute() {
    let mut failures = Failures::default();
    let mut wait = || {
        failures.passing(LATELY, None, 1.0);
        failures.operators().as_secs()
    };
    let waits: Vec<u64> = (1..=6).map(|_| wait()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
}

#[test]
fn the_first_write_after_a_quiet_minute_leaves_at_once() {
    for writes_max in [1, 2, 50, u32::MAX] {
        assert_eq!(Pace::new(writes_max, Vec::new()).wait_ms(NOW, false), 0);
        let mut pace = Pace::new(writes_max, vec![NOW.plus_ms(-WINDOW_MS)]);
        assert_eq!(pace.wait_ms(NOW, false), 0);
        pace.note(NOW);
        assert_eq!(pace.wait_ms(NOW.plus_ms(WINDOW_MS), false), 0);
    }
}

#[test]
fn a_quiet_inbox_is_written_event_by_event() {
    let mut pace = Pace::new(50, Vec::new());
    for write in 0..25 {
        let now = NOW.plus_ms(write * 125);
        assert_eq!(pace.wait_ms(now, false), 0, "write {write}");
        pace.note(now);
    }
}

#[test]
fn a_row_does_not_wait_for_a_clock_that_was_set_back() {
    let mut pace = Pace::new(50, Vec::new());
    pace.note(NOW);
    let mut now = NOW.plus_ms(-30_000);
    assert_eq!(pace.wait_ms(now, false), 0);
    pace.note(now);
    now = NOW.plus_ms(-20_000);
    assert_eq!(pace.wait_ms(now, false), 0);
}

#[test]
fn a_burst_is_gathered_into_few_writes_that_leave_soon() {
    let left = send_all(&mut Pace::new(50, Vec::new()), NOW, &[(0, false); 25]);
    assert!(left.windows(2).all(|pair| pair[1] - pair[0] <= 125), "{left:?}");
    let in_half_a_second = left.iter().filter(|at| **at < NOW.0 + 500).count();
    assert_eq!(in_half_a_second, 14);
}

#[test]
fn a_ceiling_of_none_still_lets_one_write_a_minute_leave() {
    let mut pace = Pace::new(0, Vec::new());
    assert_eq!(pace.wait_ms(NOW, true), 0);
    pace.note(NOW);
    assert_eq!(pace.wait_ms(NOW, true), WINDOW_MS);
}

#[test]
fn a_full_batch_waits_for_the_ceiling_only() {
    let mut pace = Pace::new(4, Vec::new());
    for _ in 0..3 {
        pace.note(NOW);
    }
    assert!(pace.wait_ms(NOW, false) > 0);
    assert_eq!(pace.wait_ms(NOW, true), 0);
    pace.note(NOW);
    assert_eq!(pace.wait_ms(NOW, true), WINDOW_MS);
}

#[test]
fn writes_of_before_a_restart_count() {
    let mut before = Pace::new(3, Vec::new());
    let sent: Vec<UnixMs> = (0..3).map(|at| NOW.plus_ms(at)).collect();
    for at in &sent {
        before.note(*at);
    }
    let later = NOW.plus_ms(1_000);
    let after = Pace::new(3, sent);
    assert_eq!(after.wait_ms(later, true), before.wait_ms(later, true));
    assert_eq!(after.wait_ms(later, true), WINDOW_MS - 1_000);
}

/// How many writes may leave at once in the middle of a minute, of a share of 50.
#[track_caller]
fn check_share(among: usize, expected: usize) {
    let mut pace = Pace::new(50, Vec::new());
    pace.share(50, among);
    let mut left = 0;
    while pace.wait_ms(NOW, true) == 0 {
        pace.note(NOW);
        left += 1;
    }
    assert_eq!(left, expected, "among {among}");
}

#[test]
fn spreadsheets_that_have_something_to_write_share_the_minute() {
    check_share(0, 50);
    check_share(1, 50);
    check_share(2, 25);
    check_share(3, 17);
    check_share(50, 1);
    check_share(1_000, 1);
}

#[test]
fn a_share_grows_again_when_the_others_are_done() {
    let mut pace = Pace::new(50, Vec::new());
    pace.share(50, 2);
    for _ in 0..25 {
        pace.note(NOW);
    }
    assert!(pace.wait_ms(NOW, true) > 0);
    pace.share(50, 1);
    assert_eq!(pace.wait_ms(NOW, true), 0);
}

#[test]
fn what_can_wait_has_room_while_less_than_half_of_a_minutes_writes_have_left() {
    let mut pace = Pace::new(4, Vec::new());
    for expected in [true, true, false, false] {
        assert_eq!(pace.has_room(NOW), expected);
        pace.note(NOW);
    }
    assert!(!pace.has_room(NOW.plus_ms(WINDOW_MS - 1)));
    assert!(pace.has_room(NOW.plus_ms(WINDOW_MS)));
    // One write a minute leaves room for one.
    let mut pace = Pace::new(1, Vec::new());
    assert!(pace.has_room(NOW));
    pace.note(NOW);
    assert!(!pace.has_room(NOW));
}

/// One try to write: when it comes after the one before, and whether a full batch waits.
fn attempts() -> impl Strategy<Value = Vec<(i64, bool)>> {
    let gap = prop_oneof![Just(0), 0..50_i64, 0..3_000_i64, 0..90_000_i64];
    prop::collection::vec((gap, any::<bool>()), 1..200)
}

/// Lets every write leave as soon as the pace allows; gives the moments at which they left.
fn send_all(pace: &mut Pace, from: UnixMs, attempts: &[(i64, bool)]) -> Vec<i64> {
    let mut now = from;
    let mut left = Vec::new();
    for (gap_ms, is_full) in attempts {
        now = now.plus_ms(*gap_ms);
        now = now.plus_ms(pace.wait_ms(now, *is_full));
        assert_eq!(pace.wait_ms(now, *is_full), 0, "a wait that is over must be enough");
        pace.note(now);
        left.push(now.0);
    }
    left
}

/// The most of these ascending moments within any minute.
fn most_in_a_minute(moments: &[i64]) -> usize {
    let within =
        |first: &i64| moments.iter().filter(|at| (0..=MINUTE_MS).contains(&(**at - first))).count();
    moments.iter().map(within).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_minute_ever_sees_more_writes_than_the_ceiling(
        writes_max in 1..60_u32,
        attempts in attempts(),
    ) {
        let left = send_all(&mut Pace::new(writes_max, Vec::new()), NOW, &attempts);
        prop_assert!(most_in_a_minute(&left) <= writes_max as usize);
    }

    #[test]
    fn a_busy_inbox_never_stands_still_for_long(writes_max in 1..100_u32) {
        // Something is always waiting, but never a full batch.
        let left = send_all(&mut Pace::new(writes_max, Vec::new()), NOW, &[(0, false); 250]);
        let longest = left.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        // Whole milliseconds leave a few over at the end of a minute.
        prop_assert!(longest <= 2 * WINDOW_MS / i64::from(writes_max) + 100, "{longest} ms");
        prop_assert!(most_in_a_minute(&left) <= writes_max as usize);
    }

    #[test]
    fn a_clock_set_back_or_forward_breaks_the_ceiling_for_one_minute_at_most(
        writes_max in 1..60_u32,
        before in attempts(),
        jump_ms in prop_oneof![-120_000..120_000_i64, -400_000_000..400_000_000_i64],
        after in attempts(),
    ) {
        let mut pace = Pace::new(writes_max, Vec::new());
        let first = send_all(&mut pace, NOW, &before);
        let jumped = UnixMs(first.last().copied().unwrap_or(NOW.0)).plus_ms(jump_ms);
        prop_assert!(pace.wait_ms(jumped, true) <= 2 * WINDOW_MS, "no one waits for an hour");
        prop_assert!(pace.wait_ms(jumped, false) <= 2 * WINDOW_MS, "no one waits for an hour");
        // Those that left before the jump may seem to be still to come, and count once more then.
        let mut now = jumped;
        while pace.wait_ms(now, true) > 0 {
            now = now.plus_ms(pace.wait_ms(now, true));
        }
        prop_assert!(now.since_ms(jumped) <= 3 * WINDOW_MS);
        pace.note(now);
        // Among those that left after the jump the clock tells the truth again.
        let mut second = vec![now.0];
        for (gap_ms, is_full) in &after {
            now = now.plus_ms(*gap_ms);
            now = now.plus_ms(pace.wait_ms(now, *is_full));
            pace.note(now);
            second.push(now.0);
        }
        prop_assert!(most_in_a_minute(&second) <= writes_max as usize);
    }
}

#[test]
fn half_an_hour_of_errors_is_googles_own_where_nothing_works() {
    let (minute, half_an_hour) = (Duration::from_secs(60), Duration::from_secs(1_800));
    assert!(is_broken(half_an_hour, minute));
    assert!(!is_broken(half_an_hour - minute, minute));
    assert!(!is_broken(half_an_hour, 5 * minute));
}

/// Where the quota was raised, a busy minute holds no row back for long.
#[test]
fn a_raised_quota_makes_no_write_gather_longer() {
    for writes_max in [50, 60, 600, 6_000] {
        let sent = vec![NOW; writes_max as usize / 2 - 1];
        let wait_ms = Pace::new(writes_max, sent).wait_ms(NOW, false);
        assert!((100..=125).contains(&wait_ms), "{writes_max}: {wait_ms} ms");
    }
}
