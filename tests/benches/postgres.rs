//! `cargo bench -- postgres`: the service on PostgreSQL, one and three instances, beside a bare group commit.
//!
//! The bare one is the same HTTP server; it puts the same bodies, as they come, into one table of the same
//! server, all that wait in one `INSERT … SELECT unnest` and one commit, and does nothing else. Once on a
//! PostgreSQL alone, once with a synchronous standby on the same disk and the same processors. Interleaved,
//! medians of `BENCH_ROUNDS` rounds of `BENCH_SECONDS`. Then how long a row waits at rest, from the 200 until its
//! write has left. With `BENCH_FLUSH_MS` the primary takes so long over every flush, as disks elsewhere do.

use fake_google::FakeGoogle;
use postgres_rig::{Cluster, Durability};

use crate::exposure;
use crate::load::{self, Figures};
use crate::median;
use crate::server::{Kind, Running};

/// What is measured, with how many instances.
const CASES: [(&str, Kind, usize); 3] = [
    ("bare unnest", Kind::Unnest, 1),
    ("service, one instance", Kind::Service, 1),
    ("service, three instances", Kind::Service, 3),
];

/// All of it, over so many connections; each flush takes `flush_ms` longer than the disk does.
pub(crate) fn run(connections: usize, seconds: u64, rounds: u64, flush_ms: u64) {
    let alone = Cluster::single(Durability::Flushed);
    let replicated = Cluster::replicated(Durability::Flushed);
    let clusters = [("alone", &alone), ("with a synchronous standby", &replicated)];
    for (_, cluster) in clusters {
        let primary = cluster.primary();
        // Whoever flushes sleeps first, whether or not anybody else is about to commit.
        primary.sql(&format!("ALTER SYSTEM SET commit_delay = {}", flush_ms * 1_000));
        primary.sql("ALTER SYSTEM SET commit_siblings = 0");
        primary.sql("SELECT pg_reload_conf()");
    }
    let mut runs = vec![Vec::new(); clusters.len() * CASES.len()];
    for _ in 0..rounds {
        let all = clusters.iter().flat_map(|cluster| CASES.map(|case| (cluster, case)));
        for (((_, cluster), (_, kind, instances)), runs) in all.zip(&mut runs) {
            runs.push(measured(cluster, kind, instances, connections, seconds));
        }
    }
    println!("{connections} connections, {flush_ms} ms added to each flush\n");
    println!("| PostgreSQL | | requests/s | of the bare | of alone | p50 µs | p99 µs | peak MB |");
    println!("|---|---|---|---|---|---|---|---|");
    let rate = |at: usize| median(&runs[at], |run| run.requests_per_s);
    for (at, runs) in runs.iter().enumerate() {
        let (cluster, case) = (at / CASES.len(), at % CASES.len());
        let of = |figure: fn(&Figures) -> f64| median(runs, figure);
        println!(
            "| {} | {} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} | {:.1} |",
            clusters[cluster].0,
            CASES[case].0,
            rate(at),
            rate(at) / rate(cluster * CASES.len()),
            rate(at) / rate(case),
            of(|run| run.p50_us),
            of(|run| run.p99_us),
            of(|run| run.peak_mb),
        );
    }
    println!();
    for (name, cluster) in clusters {
        let database = cluster.database();
        let p50_ms = exposure::at_rest_on(&database.url());
        println!("{name}: at rest {p50_ms:.0} ms from the 200 until the write has left (median)");
    }
}

fn measured(
    cluster: &Cluster,
    kind: Kind,
    instances: usize,
    connections: usize,
    seconds: u64,
) -> Figures {
    let (google, database) = (FakeGoogle::start(), cluster.database());
    let start = |_| Running::start_on_database(kind, &google, &database.url());
    let servers: Vec<Running> = (0..instances).map(start).collect();
    load::run_all(&servers, connections, seconds)
}
