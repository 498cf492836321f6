//! Wrong secrets at the sign-in form: a few a minute from one address. Pure; `now` is a parameter.
//!
//! They are never counted all together: then one sender could keep everybody else out.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};

use crate::chat::time::UnixMs;

/// Most wrong secrets of one address in a minute.
const CLIENT_MAX: usize = 5;
const WINDOW_MS: i64 = 60_000;
/// Most that are remembered; beyond it the oldest are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// Whose tries are counted: an address, or of IPv6 the network (a /64) that one customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http::page) struct Client(IpAddr);

impl Client {
    /// Who sent a request, by its connection's other end and by Fly's header. Anybody can send that header.
    /// It is believed only of a private address, from which Fly's proxy comes.
    pub(in crate::http::page) fn of(peer: Option<IpAddr>, header: Option<&str>) -> Self {
        let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.to_canonical());
        let told = header.and_then(|told| told.trim().parse::<IpAddr>().ok());
        let believed = told.filter(|_| is_private(peer)).map(|told| told.to_canonical());
        Self(match believed.unwrap_or(peer) {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}

/// The wrong secrets of the last minute.
#[derive(Debug, Default)]
pub(in crate::http::page) struct Attempts(VecDeque<(UnixMs, Client)>);

impl Attempts {
    /// Milliseconds until this client may try again; 0 means now.
    pub(in crate::http::page) fn wait_ms(&mut self, client: Client, now: UnixMs) -> i64 {
        // What stands in the future was noted before the clock was set back.
        self.0.retain(|(at, _)| (0..WINDOW_MS).contains(&now.since_ms(*at)));
        let own: Vec<UnixMs> =
            self.0.iter().filter(|(_, who)| *who == client).map(|(at, _)| *at).collect();
        // The oldest that must be a minute old before there is room for one more.
        let first = own.len().checked_sub(CLIENT_MAX).map(|surplus| own[surplus]);
        first.map_or(0, |at| WINDOW_MS - now.since_ms(at))
    }

    pub(in crate::http::page) fn note(&mut self, client: Client, now: UnixMs) {
        if self.0.len() == REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now, client));
    }
}
