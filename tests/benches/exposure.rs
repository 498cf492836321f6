//! `cargo bench -- exposure`: how long a row exists only on our disk.
//!
//! From the acknowledgement, when the client has read the 200, until the write that carries the row
//! has arrived whole at the stand-in for Google; both on the clock of this process. Events one at a
//! time, each after the one before was written and all is at rest: a few to each of several new
//! services, so that the quota as shipped holds none back. Then a burst over 64 connections, the quota as
//! shipped, and Google taking no time or 300 ms. `BENCH_EVENTS` (default 20,000) is the burst's size.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fake_google::FakeGoogle;

use crate::sender::{Sender, number_of, unassign_all};
use crate::server::{Kind, Running};

const TAB: &str = "Unassigned chats";
const CONNECTIONS: usize = 64;
/// What a new service writes at once, half of 50: its tabs and its first board take a few.
const AT_ONCE: usize = 25;
const SINGLES: usize = 20;
const SERVICES: usize = 15;
const WRITES_A_MINUTE: usize = 50;
const PATIENCE: Duration = Duration::from_secs(600);

/// Each write that brought rows, in order: its number among all writes, and the rows there are then.
type Landed = Arc<Mutex<Vec<(usize, usize)>>>;

/// What one part showed.
#[derive(Default)]
struct Figures {
    exposed_ms: Vec<f64>,
    writes: usize,
    rows_a_write_max: usize,
}

/// One event at a time, at rest, on this database: the median in milliseconds.
pub(crate) fn at_rest_on(database_url: &str) -> f64 {
    let google = FakeGoogle::start();
    let start = || Running::start_on_database(Kind::Service, &google, database_url);
    let mut exposed_ms = one_at_a_time_to(&google, start).exposed_ms;
    exposed_ms.sort_by(f64::total_cmp);
    exposed_ms[exposed_ms.len() / 2]
}

/// All of it, with a burst of so many.
pub(crate) fn run(burst: usize) {
    println!("| | events | p50 ms | p99 ms | longest ms | writes | rows a write at most |");
    println!("|---|---|---|---|---|---|---|");
    print_row("one at a time, at rest", &one_at_a_time());
    let mut rows_a_write_max = 0;
    for latency_ms in [0, 300] {
        let google = FakeGoogle::start();
        google.latency(Duration::from_millis(latency_ms));
        let figures = at_once(&google, burst);
        print_row(&format!("a burst, Google at {latency_ms} ms"), &figures);
        rows_a_write_max = figures.rows_a_write_max;
    }
    let writes = burst.div_ceil(rows_a_write_max);
    let forced_s = (writes - 1) / WRITES_A_MINUTE * 60;
    println!(
        "\nThe burst takes {writes} writes at least, and the quota as shipped lets {WRITES_A_MINUTE} leave \
         a minute: it forces the last row to wait {forced_s} s."
    );
}

fn one_at_a_time() -> Figures {
    let mut all = Figures::default();
    for _ in 0..SERVICES {
        let google = FakeGoogle::start();
        let figures = one_at_a_time_to(&google, || Running::start(Kind::Service, &google));
        all.exposed_ms.extend(figures.exposed_ms);
        all.writes += figures.writes;
        all.rows_a_write_max = all.rows_a_write_max.max(figures.rows_a_write_max);
    }
    all
}

/// A few events to a new service.
fn one_at_a_time_to(google: &FakeGoogle, start: impl FnOnce() -> Running) -> Figures {
    let (service, landed) = at_rest(google, start);
    let mut sender = Sender::to(&service.url);
    let mut acknowledged = Vec::new();
    for number in 0..SINGLES {
        acknowledged.push(sender.unassign(number));
        assert!(google.wait_for_rows(TAB, number + 1, PATIENCE));
        // Never in step with anything that goes round.
        std::thread::sleep(Duration::from_millis(200 + number as u64 * 37 % 200));
    }
    assert!(google.writes() <= AT_ONCE, "the quota holds events back that are at rest");
    figures(google, &landed, &acknowledged)
}

fn at_once(google: &FakeGoogle, count: usize) -> Figures {
    let (service, landed) = at_rest(google, || Running::start(Kind::Service, google));
    let acknowledged = unassign_all(&service.url, count, CONNECTIONS);
    assert!(google.wait_for_rows(TAB, count, PATIENCE));
    figures(google, &landed, &acknowledged)
}

/// A new service whose tabs are made and whose board is drawn.
fn at_rest(google: &FakeGoogle, start: impl FnOnce() -> Running) -> (Running, Landed) {
    let landed = Landed::default();
    note_writes(google, &landed);
    let service = start();
    let mut writes = 0;
    while writes == 0 || writes < google.writes() {
        writes = google.writes();
        std::thread::sleep(Duration::from_secs(1));
    }
    (service, landed)
}

/// Notes every write that brings rows, from now on.
fn note_writes(google: &FakeGoogle, landed: &Landed) {
    let landed = Arc::clone(landed);
    google.after_next_write_with("appendCells", move |google| {
        landed.lock().unwrap().push((google.writes(), google.row_count(TAB) - 1));
        note_writes(google, &landed);
    });
}

fn figures(google: &FakeGoogle, landed: &Landed, acknowledged: &[Instant]) -> Figures {
    let requests = google.requests();
    let arrived: Vec<Instant> =
        requests.iter().filter(|seen| seen.is_write()).map(|seen| seen.at).collect();
    let chats = google.column(TAB, "Chat ID");
    let landed = landed.lock().unwrap();
    let (mut exposed_ms, mut rows_before, mut rows_a_write_max) = (Vec::new(), 0, 0);
    for (write, rows) in landed.iter() {
        for chat in &chats[rows_before..*rows] {
            let acknowledged = acknowledged[number_of(chat)];
            let exposed = arrived[*write - 1].saturating_duration_since(acknowledged);
            exposed_ms.push(exposed.as_secs_f64() * 1_000.0);
        }
        rows_a_write_max = rows_a_write_max.max(rows - rows_before);
        rows_before = *rows;
    }
    assert_eq!(exposed_ms.len(), acknowledged.len(), "each row exactly once");
    Figures { exposed_ms, writes: landed.len(), rows_a_write_max }
}

fn print_row(name: &str, figures: &Figures) {
    let mut exposed_ms = figures.exposed_ms.clone();
    exposed_ms.sort_by(f64::total_cmp);
    let at =
        |percent: usize| exposed_ms[(exposed_ms.len() * percent / 100).min(exposed_ms.len() - 1)];
    println!(
        "| {name} | {} | {:.1} | {:.1} | {:.1} | {} | {} |",
        exposed_ms.len(),
        at(50),
        at(99),
        at(100),
        figures.writes,
        figures.rows_a_write_max
    );
}
