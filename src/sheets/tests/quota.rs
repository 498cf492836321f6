//! The quota of the minute, as all callers of one account share it.

use std::time::{Duration, Instant};

use fake_google::{FakeGoogle, Fault, Refusal};

use crate::sheets::Trouble;
use crate::sheets::health::Health;
use crate::sheets::quota::{Kind, Quota};
use crate::sheets::tests::client;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn where_we_used_the_minute_up_it_goes_on_when_the_oldest_call_is_a_minute_old() {
    let start = Instant::now();
    let mut quota = Quota::new(start);
    for n in 0..57 {
        quota.called(Kind::Write, start + Duration::from_millis(100 * n));
    }
    let refused = start + seconds(10);
    assert_eq!(quota.used_up(Kind::Write, None, refused), seconds(51));
    assert_eq!(quota.wait(Kind::Write, start + seconds(60)), Some(seconds(1)));
    assert_eq!(quota.wait(Kind::Write, start + seconds(61)), None);
    // Reads are counted for themselves.
    assert_eq!(quota.wait(Kind::Read, refused), None);
}

#[test]
fn where_others_used_it_up_it_is_asked_soon_and_then_once_a_minute() {
    let mut now = Instant::now();
    let mut quota = Quota::new(now);
    let mut waits = Vec::new();
    for _ in 0..8 {
        quota.called(Kind::Write, now);
        let wait = quota.used_up(Kind::Write, None, now);
        waits.push(wait.as_secs());
        now += wait;
        assert_eq!(quota.wait(Kind::Write, now), None, "a wait that is over must be enough");
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 61, 61]);
    quota.succeeded(Kind::Write, now);
    assert_eq!(quota.used_up(Kind::Write, None, now), seconds(1), "one success begins anew");
}

#[test]
fn nobody_calls_before_google_says() {
    let now = Instant::now();
    let mut quota = Quota::new(now);
    assert_eq!(quota.used_up(Kind::Read, Some(seconds(20)), now), seconds(20));
    assert_eq!(quota.used_up(Kind::Read, None, now), seconds(2));
    assert_eq!(quota.wait(Kind::Read, now), Some(seconds(20)), "the longer one counts");
}

#[test]
fn one_success_anywhere_shows_that_google_is_alive() {
    let start = Instant::now();
    let mut quota = Quota::new(start);
    assert_eq!(quota.silent_for(start + seconds(400)), seconds(400));
    quota.succeeded(Kind::Read, start + seconds(400));
    assert_eq!(quota.silent_for(start + seconds(401)), seconds(1));
}

/// What one spreadsheet was told all of them keep to.
#[tokio::test]
async fn all_spreadsheets_of_an_account_keep_to_the_same_quota() {
    let google = FakeGoogle::start();
    google.add_spreadsheet("second", "Etc/UTC");
    let first = client(&google).await;
    let second = first.beside("second");
    google.fail_next_write(Fault::Refuse(Refusal::Quota429RetryAfter(60)));
    assert!(matches!(first.try_edit(1).await, Err(Trouble::Passing(_))));
    let calls = google.writes();
    for client in [&first, &second] {
        assert!(client.write_wait().is_some_and(|wait| wait > seconds(50)));
        let Err(Trouble::Passing(later)) = client.try_edit(1).await else { panic!("no trouble") };
        assert!(later.after.is_some_and(|wait| wait > seconds(50)), "{later:?}");
    }
    assert_eq!(google.writes(), calls, "none of them is sent");
    // To read is another quota, and nothing holds it up.
    assert!(second.title().await.is_ok());
}

#[test]
fn a_spreadsheet_is_ill_since_the_first_of_errors_that_nothing_else_came_between() {
    let (mut health, start) = (Health::default(), Instant::now());
    let at = |minutes: u64| start + Duration::from_secs(60 * minutes);
    assert_eq!(health.only_errors_for(at(0)), Duration::ZERO);
    health.answered(Kind::Write, 503, at(0));
    health.answered(Kind::Write, 500, at(20));
    health.answered(Kind::Read, 200, at(25));
    assert_eq!(
        health.only_errors_for(at(30)),
        Duration::from_secs(1_800),
        "reads are another story"
    );
    for status in [200, 400, 403, 404, 429] {
        health.answered(Kind::Write, 502, at(30));
        health.answered(Kind::Write, status, at(31));
        assert_eq!(health.only_errors_for(at(32)), Duration::ZERO, "{status}");
    }
    health.answered(Kind::Read, 503, at(33));
    assert_eq!(health.only_errors_for(at(34)), Duration::from_secs(60));
}
