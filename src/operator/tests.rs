//! What the operator is shown is what happened, also when the clock jumps.

use std::time::Duration;

use secrecy::SecretString;

use crate::chat::time::UnixMs;
use crate::operator::{About, FRESH_MS, Finding, History, Minute, Operator};

const NOW: UnixMs = UnixMs(1_795_329_000_000);
const MINUTE_MS: i64 = 60_000;

fn total(calls: u64, errors: u64) -> Minute {
    Minute { calls, errors }
}

fn finding(what: &'static str, holds: bool) -> Finding {
    Finding { what, holds, sentence: String::new() }
}

fn operator() -> Operator {
    let webhook_secret = SecretString::from("opens-the-door-0001");
    Operator::new(About {
        account: None,
        spreadsheets: Vec::new(),
        webhook_secret,
        public_url: None,
        has_doubletick_key: false,
    })
}

#[test]
fn what_happened_stands_in_its_minute_for_an_hour() {
    let mut history = History::default();
    history.sample(NOW, total(2, 0), 0);
    history.sample(NOW.plus_ms(1_000), total(5, 1), 0);
    history.sample(NOW.plus_ms(2 * MINUTE_MS), total(6, 1), 0);
    let now = NOW.plus_ms(2 * MINUTE_MS);
    let hour = history.hour(now);
    assert_eq!((hour[57], hour[58], hour[59]), (total(5, 1), total(0, 0), total(1, 0)));
    let later = history.hour(NOW.plus_ms(59 * MINUTE_MS));
    assert_eq!((later[0], later[2]), (total(5, 1), total(1, 0)));
    history.sample(NOW.plus_ms(61 * MINUTE_MS), total(6, 1), 0);
    assert_eq!(history.hour(NOW.plus_ms(61 * MINUTE_MS))[0], total(1, 0));
    assert_eq!(history.hour(NOW.plus_ms(600 * MINUTE_MS)), [Minute::default(); 60]);
}

#[test]
fn a_clock_that_is_set_back_leaves_nothing_in_the_future() {
    let mut history = History::default();
    history.sample(NOW, total(2, 0), 0);
    let back = NOW.plus_ms(-600 * MINUTE_MS);
    history.sample(back, total(3, 0), 0);
    let hour = history.hour(back);
    assert_eq!(hour.iter().map(|minute| minute.calls).sum::<u64>(), 1);
    assert_eq!(hour[59], total(1, 0));
}

#[test]
fn only_rows_written_since_the_start_count_as_a_write() {
    let mut history = History::default();
    history.sample(NOW, total(0, 0), 7);
    assert_eq!(history.last_write_at(), None);
    history.sample(NOW.plus_ms(1), total(0, 0), 8);
    history.sample(NOW.plus_ms(2), total(0, 0), 8);
    assert_eq!(history.last_write_at(), Some(NOW.plus_ms(1)));
}

#[test]
fn a_look_replaces_what_was_found_before_line_by_line() {
    let operator = operator();
    operator.finish_check(vec![finding("token", true), finding("tabs", true)], NOW);
    assert!(operator.findings().all_hold());
    operator.record(finding("token", false));
    let during: Vec<bool> = operator.findings().list.iter().map(|finding| finding.holds).collect();
    assert_eq!(during, [false, true]);
    operator.finish_check(vec![finding("token", false)], NOW);
    assert_eq!(operator.findings().list, [finding("token", false)]);
}

/// What a check tries is left out behind what does not hold. So the page said that everything held as soon as that was
/// mended, before the rest was tried.
#[test]
fn nothing_holds_as_a_whole_before_all_of_it_was_tried_again() {
    let operator = operator();
    operator.finish_check(vec![finding("token", false)], NOW);
    operator.record(finding("token", true));
    assert!(!operator.findings().all_hold(), "the tabs were not tried");
    operator.record(finding("tabs", false));
    operator.finish_check(vec![finding("token", true), finding("tabs", false)], NOW);
    operator.record(finding("tabs", true));
    assert!(!operator.findings().all_hold());
    operator.finish_check(vec![finding("token", true), finding("tabs", true)], NOW);
    assert!(operator.findings().all_hold());
}

#[test]
fn what_was_found_is_fresh_for_a_while_and_never_in_the_future() {
    let operator = operator();
    assert!(!operator.findings().are_fresh(NOW));
    operator.finish_check(Vec::new(), NOW);
    assert!(operator.findings().are_fresh(NOW.plus_ms(FRESH_MS - 1)));
    assert!(!operator.findings().are_fresh(NOW.plus_ms(FRESH_MS)));
    assert!(!operator.findings().are_fresh(NOW.plus_ms(-1)));
}

#[tokio::test]
async fn whoever_wants_to_know_how_it_is_now_gets_a_look() {
    let operator = operator();
    let look = async {
        operator.check_requested().await;
        operator.finish_check(vec![finding("token", true)], NOW);
    };
    let patience = Duration::from_secs(20);
    let (findings, ()) = tokio::join!(operator.fresh_findings(NOW, patience), look);
    assert_eq!(findings.list, [finding("token", true)]);
    // Nobody looks any more, and nobody needs to.
    assert!(operator.fresh_findings(NOW, patience).await.all_hold());
}
