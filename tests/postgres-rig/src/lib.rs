//! Real PostgreSQL for tests, without containers: servers of the tests' own, a synchronous standby, and what
//! can go wrong between a client and them.
//!
//! ```text
//! Cluster          a server, or a primary with its synchronous standby; databases on it; failing over
//!   ├─ Server      one PostgreSQL: start, stop, kill, pause
//!   │    ├─ programs   where PostgreSQL's programs are, and as whom they run
//!   │    ├─ template   the data of a new server, made once a process
//!   │    ├─ process    a program that ends with the tests, whatever becomes of them
//!   │    └─ port       ports that nobody else takes meanwhile
//!   └─ Session     the plainest of clients
//! Proxy            between a client and a server: refuses, resets, swallows the answer to a COMMIT, …
//! Balancer         before instances of an HTTP service: the next one where a connection is refused
//! PgBouncer        the pooler, in transaction mode
//! ```
//!
//! What it promises: no server and no directory outlives the process that began it, not even after `kill -9`;
//! tests that run beside each other never meet in a port or a database; data is flushed to the disk unless a
//! test says otherwise. What it leaves to others: what is asked of the database.

mod balancer;
mod cluster;
mod pgbouncer;
mod port;
mod process;
mod programs;
mod proxy;
mod server;
mod session;
mod template;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::sync::Once;

pub use crate::balancer::Balancer;
pub use crate::cluster::{Cluster, Database};
pub use crate::pgbouncer::PgBouncer;
pub use crate::proxy::Proxy;
pub use crate::server::{Durability, Server};
pub use crate::session::{Rows, Session};

/// Whether PostgreSQL is there. Where it is not, that is said once a process, past the test harness, which
/// would keep it to itself; and where `CI` is `true`, the test fails.
///
/// # Panics
/// When it is missing and `CI` is `true`.
pub fn installed() -> bool {
    is_there(
        programs::folder().is_some(),
        "PostgreSQL (14 or later)",
        "on PATH or in /usr/lib/postgresql",
    )
}

/// The same of `PgBouncer`.
///
/// # Panics
/// When it is missing and `CI` is `true`.
pub fn pooler_installed() -> bool {
    installed()
        && is_there(programs::pooler().is_some(), "PgBouncer", "on PATH, in /usr/sbin or /usr/bin")
}

fn is_there(found: bool, program: &str, places: &str) -> bool {
    if found {
        return true;
    }
    let missing = format!(
        "NOT RUN: the tests that need {program}, which was not found {places}. They prove what several \
         machines promise. To run them: apt-get install postgresql pgbouncer"
    );
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
    static SAID: Once = Once::new();
    // What is printed by `eprintln!` is shown of failed tests only.
    SAID.call_once(|| drop(writeln!(std::io::stderr(), "\n{missing}\n")));
    false
}
