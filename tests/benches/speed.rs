//! `cargo bench`: the real webhook, durable, beside what the machine can do at best.
//!
//! Measured in one run, interleaved, medians with their spread: a bare echo of the same body; the same
//! handler before an append-only file with group commit and fdatasync; and the service as it is shipped,
//! its forwarder draining into the stand-in for Google. Each server is a process of its own, so that its
//! CPU time and memory are its own too. The load comes from wrk, found on the PATH
//! (`apt-get install wrk`).
//!
//! `cargo bench -- 64` measures at 64 connections only; `cargo bench -- backlog` a million rows that wait
//! instead, `cargo bench -- exposure` how long a row exists only on our disk, `cargo bench -- small` what
//! the service takes at rest, `cargo bench -- rest` how often it calls Google then, and `cargo bench -- storm`
//! how long rows take where most of Google's answers are lost or wrong. `cargo bench -- postgres` measures the
//! service on PostgreSQL, and `cargo bench -- failovers` is the long run of several instances while they and the
//! database fail over again and again.
//!
//! `BENCH_SECONDS` (default 4) is the length of a run, `BENCH_ROUNDS` (default 3) how often each is run.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed benchmark")]
#![expect(clippy::disallowed_methods, reason = "a benchmark has settings of its own")]

mod backlog;
mod exposure;
mod failovers;
mod load;
mod postgres;
mod rivals;
mod sender;
mod server;
mod small;
mod storm;

use std::time::Duration;

use fake_google::FakeGoogle;

use crate::load::{Figures, Load};
use crate::server::{Kind, Running};

/// What is measured, and what it is called in the table.
const CASES: [(&str, Kind, Load, u64); 6] = [
    ("echo", Kind::Echo, Load::Unassigned, 0),
    ("log + fdatasync", Kind::Log, Load::Unassigned, 0),
    ("service", Kind::Service, Load::Unassigned, 0),
    ("service, Google at 300 ms", Kind::Service, Load::Unassigned, 300),
    ("echo, four events", Kind::Echo, Load::Mixed, 0),
    ("service, four events", Kind::Service, Load::Mixed, 0),
];
const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];

fn main() {
    if let Ok(role) = std::env::var("BENCH_ROLE") {
        return rivals::serve(&role);
    }
    // `cargo bench` passes a flag of its own, and `cargo test --benches` only wants to know it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let number = |name, default| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    if std::env::args().any(|argument| argument == "backlog") {
        return backlog::run(number("BENCH_ROWS", 1_000_000));
    }
    if std::env::args().any(|argument| argument == "exposure") {
        return exposure::run(usize::try_from(number("BENCH_EVENTS", 20_000)).unwrap());
    }
    if std::env::args().any(|argument| argument == "small") {
        return small::run();
    }
    if std::env::args().any(|argument| argument == "storm") {
        return storm::run(number("BENCH_SEED", 7), number("BENCH_ROUNDS", 1));
    }
    if std::env::args().any(|argument| argument == "failovers") {
        return failovers::run(number("BENCH_FAILOVERS", 200), number("BENCH_EVENTS", 200_000));
    }
    if std::env::args().any(|argument| argument == "rest") {
        return storm::rest();
    }
    let (seconds, rounds) = (number("BENCH_SECONDS", 4), number("BENCH_ROUNDS", 3));
    if !load::is_there() {
        println!("wrk is not on the PATH; on Debian: apt-get install wrk");
        std::process::exit(1);
    }
    if std::env::args().any(|argument| argument == "postgres") {
        return postgres::run(64, seconds, rounds, number("BENCH_FLUSH_MS", 0));
    }
    println!(
        "{rounds} rounds of {seconds} s each, interleaved; medians, in brackets least and most\n"
    );
    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    for connections in if asked.is_empty() { CONNECTIONS.to_vec() } else { asked } {
        let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); CASES.len()];
        for _ in 0..rounds {
            for (index, (_, kind, load, latency_ms)) in CASES.iter().enumerate() {
                let google = FakeGoogle::start();
                google.latency(Duration::from_millis(*latency_ms));
                let server = Running::start(*kind, &google);
                if *load == Load::Mixed && *kind == Kind::Service {
                    load::introduce(&server);
                }
                runs[index].push(load::run(&server, *load, connections, seconds));
            }
        }
        print_table(connections, &runs);
    }
}

fn print_table(connections: usize, runs: &[Vec<Figures>]) {
    println!("{connections} connections\n");
    println!(
        "| | requests/s | of the echo | of the log | p50 µs | p99 µs | p99.9 µs | CPU µs a request | \
         peak MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let rate = |index: usize| median(&runs[index], |run| run.requests_per_s);
    for (index, (name, _, load, _)) in CASES.iter().enumerate() {
        let of = |figure: fn(&Figures) -> f64| median(&runs[index], figure);
        let rates = || runs[index].iter().map(|run| run.requests_per_s);
        let (least, most) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
        let echo = rate(if *load == Load::Mixed { 4 } else { 0 });
        println!(
            "| {name} | {:.0} ({least:.0}–{most:.0}) | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.1} | \
             {:.1} |",
            rate(index),
            rate(index) / echo,
            rate(index) / rate(1),
            of(|run| run.p50_us),
            of(|run| run.p99_us),
            of(|run| run.p999_us),
            of(|run| run.cpu_us_a_request),
            of(|run| run.peak_mb),
        );
    }
    println!();
}

fn median(runs: &[Figures], figure: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
