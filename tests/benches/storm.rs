//! `cargo bench -- storm`: how long rows take through a storm at Google's; `cargo bench -- rest`: how many
//! calls are made while nothing happens.
//!
//! Two storms, each over reads and writes alike: one in which answers are lost, writes applied late, and
//! calls refused and cut; and one in which answers are cut short, no JSON, HTML of a proxy's, or never
//! come. Both are to be through three minutes after the last event was acknowledged.

use std::time::{Duration, Instant};

use fake_google::{FakeGoogle, Storm};

use crate::sender::{Sender, unassign_all};
use crate::server::{Kind, Running};

const TAB: &str = "Unassigned chats";
const EVENTS: usize = 3_440;
const PROMISED: Duration = Duration::from_secs(180);

/// Both storms, with this seed and those after it.
pub(crate) fn run(seed: u64, rounds: u64) {
    for seed in seed..seed + rounds {
        let late_by = (Duration::from_millis(200), Duration::from_secs(20));
        through(
            "answers lost, applied late, refused",
            Storm {
                seed,
                lost_answer: 0.3,
                applied_late: 0.1,
                late_by,
                internal_500: 0.1,
                unavailable_503: 0.1,
                quota_429: 0.1,
                reset: 0.05,
                on_reads: true,
                ..Storm::default()
            },
        );
        through(
            "answers cut, HTML, stalls",
            Storm {
                seed,
                half_body: 0.25,
                garbled: 0.1,
                html: 0.2,
                stalled: 0.15,
                on_reads: true,
                ..Storm::default()
            },
        );
    }
}

fn through(name: &str, storm: Storm) {
    let google = FakeGoogle::start();
    let service = Running::start(Kind::Service, &google);
    service.wait_until_ready();
    // Two writes make the tabs, and a third the first board.
    while google.writes() < 3 {
        std::thread::sleep(Duration::from_millis(10));
    }
    google.storm(storm.clone());
    let acknowledged = unassign_all(&service.url, EVENTS, 8);
    let last = acknowledged.into_iter().max().unwrap();
    let came = google.wait_for_rows(TAB, EVENTS, 4 * PROMISED);
    let (taken, rows) = (last.elapsed(), google.row_count(TAB).saturating_sub(1));
    println!(
        "{name} (seed {}): {rows} of {EVENTS} rows {:.0} s after the last event",
        storm.seed,
        taken.as_secs_f64()
    );
    assert!(came && rows == EVENTS && taken < PROMISED, "promised are {PROMISED:?}");
}

/// The calls of three minutes, after one that was quiet.
pub(crate) fn rest() {
    let google = FakeGoogle::start();
    let service = Running::start(Kind::Service, &google);
    service.wait_until_ready();
    Sender::to(&service.url).unassign(0);
    assert!(google.wait_for_rows(TAB, 1, PROMISED), "no row came");
    let minute = Duration::from_secs(60);
    let start = Instant::now() + minute;
    std::thread::sleep(10 * minute);
    let calls: Vec<Duration> = google
        .requests()
        .into_iter()
        .filter(|seen| seen.path.starts_with("/v4/"))
        .filter_map(|seen| seen.at.checked_duration_since(start))
        .collect();
    let within =
        |from: &Duration| calls.iter().filter(|at| (*from..*from + minute).contains(*at)).count();
    let most = calls.iter().map(within).max().unwrap_or(0);
    println!("{} calls in nine minutes at rest, {most} in any one minute at most", calls.len());
    println!(
        "seconds after the first quiet minute: {:.1?}",
        calls.iter().map(Duration::as_secs_f64).collect::<Vec<_>>()
    );
    assert!(most <= 2, "at most two a minute are promised");
}
