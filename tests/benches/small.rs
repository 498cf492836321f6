//! `cargo bench -- small`: how little the service takes: the binary, memory at rest, the start, crates.
//!
//! Memory is what is resident two seconds after the service is ready, no event ever seen. A start is
//! the time from just before the process is made until the answer to its first event is read: on a
//! directory without anything, and on one in which 100,000 rows wait, left by a process that was killed
//! while Google could not be reached.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fake_google::FakeGoogle;

use crate::sender::{Sender, unassign_all};
use crate::server::{Kind, Running};

const PENDING: usize = 100_000;
const STARTS: usize = 11;
const CONNECTIONS: usize = 64;

/// All of it.
pub(crate) fn run() {
    println!("| | median | least | most |");
    println!("|---|---|---|---|");
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_doubletick-sheets")).unwrap();
    println!("| binary, MB | {:.2} | | |", binary.len() as f64 / 1e6);
    let google = FakeGoogle::start();
    print_row("memory at rest, MB", (0..STARTS).map(|_| at_rest_mb(&google)).collect());
    let started_ms = |_| start_ms(&google, empty().path(), 0);
    print_row("start on nothing, ms", (0..STARTS).map(started_ms).collect());
    let full = empty();
    google.outage(true);
    let filling = Running::start_on(Kind::Service, &google, full.path());
    unassign_all(&filling.url, PENDING, CONNECTIONS);
    drop(filling);
    let started_ms = |start| start_ms(&google, full.path(), PENDING + start);
    print_row("start on 100,000 rows, ms", (0..STARTS).map(started_ms).collect());
    println!("| crates it is made of | {} | | |", crates());
}

fn empty() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn at_rest_mb(google: &FakeGoogle) -> f64 {
    let service = Running::start(Kind::Service, google);
    service.wait_until_ready();
    std::thread::sleep(Duration::from_secs(2));
    service.resident_mb()
}

/// Until the event of a chat of this number is acknowledged.
fn start_ms(google: &FakeGoogle, dir: &Path, number: usize) -> f64 {
    let started = Instant::now();
    let service = Running::start_on(Kind::Service, google, dir);
    let acknowledged = Sender::to(&service.url).unassign(number);
    acknowledged.duration_since(started).as_secs_f64() * 1_000.0
}

/// All crates below ours that a build for this machine needs, those that only run while building too.
fn crates() -> usize {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "-e", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(tree.stdout).unwrap();
    // A name and a version; what follows says where it comes from, or that it was listed before.
    let of = |line: &str| line.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
    let all: BTreeSet<Vec<String>> = text.lines().map(of).collect();
    all.len() - 1
}

fn print_row(name: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (least, most) = (values[0], values[values.len() - 1]);
    println!("| {name} | {:.1} | {least:.1} | {most:.1} |", values[values.len() / 2]);
}
