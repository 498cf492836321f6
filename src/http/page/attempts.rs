//! Wrong secrets at the sign-in form: so many a minute and no more. Pure; `now` is a parameter.

use std::collections::VecDeque;

use crate::chat::time::UnixMs;

/// Most wrong secrets of one client in a minute, and of all together.
const CLIENT_MAX: usize = 5;
const ALL_MAX: usize = 60;
const WINDOW_MS: i64 = 60_000;

/// The wrong secrets of the last minute.
#[derive(Debug, Default)]
pub(super) struct Attempts(VecDeque<(UnixMs, String)>);

impl Attempts {
    /// Milliseconds until this client may try again; 0 for now.
    pub(super) fn wait_ms(&mut self, client: &str, now: UnixMs) -> i64 {
        // What stands in the future was noted before the clock was set back.
        self.0.retain(|(at, _)| (0..WINDOW_MS).contains(&now.since_ms(*at)));
        let times = |own: bool| -> Vec<UnixMs> {
            self.0.iter().filter(|(_, who)| !own || who == client).map(|(at, _)| *at).collect()
        };
        // The oldest that must be a minute old before there is room for one more.
        let first = |times: Vec<UnixMs>, most: usize| {
            times.len().checked_sub(most).map(|surplus| times[surplus])
        };
        let (all, own) = (first(times(false), ALL_MAX), first(times(true), CLIENT_MAX));
        let wait_ms = |at: UnixMs| WINDOW_MS - now.since_ms(at);
        [all, own].into_iter().flatten().map(wait_ms).max().unwrap_or(0)
    }

    /// Notes a wrong secret.
    pub(super) fn note(&mut self, client: &str, now: UnixMs) {
        self.0.push_back((now, client.to_owned()));
    }
}
