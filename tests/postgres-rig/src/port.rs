//! Ports that nobody else takes, also while nobody listens on them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below what Linux gives to those that ask for any port.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port of this machine that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    /// A name that one process of the machine can have, and that is gone with the process.
    _claim: UnixListener,
}

impl Port {
    /// # Panics
    /// When all are taken.
    pub(crate) fn claim() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        // Each process begins elsewhere, and no port is soon given again.
        let begin = std::process::id().wrapping_mul(7_919) % 100_000;
        let begin = begin + LAST.fetch_add(1, Ordering::Relaxed);
        let numbers = (0..COUNT).map(|offset| {
            FIRST + u16::try_from((begin + u32::from(offset)) % u32::from(COUNT)).unwrap_or(0)
        });
        let claim = |number: u16| {
            let name = format!("postgres-rig/port/{number}");
            let name = std::os::unix::net::SocketAddr::from_abstract_name(name).ok()?;
            let claim = UnixListener::bind_addr(&name).ok()?;
            let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
            is_free.then_some(Self { number, _claim: claim })
        };
        numbers.filter_map(claim).next().expect("a port is free")
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}
