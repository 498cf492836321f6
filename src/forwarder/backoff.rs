//! How long to wait before trying again: pure, the randomness is a parameter.

use std::time::Duration;

/// First bound; doubles with each failure.
const BASE: Duration = Duration::from_millis(500);
/// No wait of ours is longer.
const CAP: Duration = Duration::from_secs(64);
/// Longest between two looks at whether an operator has mended something.
const PROBE_MAX: Duration = Duration::from_secs(60);
const PROBE_FIRST: Duration = Duration::from_secs(5);

/// The wait after the `failures`-th failure in a row (from 1): exponential with full jitter, so that
/// many clients do not come back together. `random` is in [0, 1). Never less than Google asks for.
pub fn delay(failures: u32, retry_after: Option<Duration>, random: f64) -> Duration {
    let bound = doubled(BASE, failures, CAP);
    bound.mul_f64(random.clamp(0.0, 1.0)).max(retry_after.unwrap_or_default())
}

/// The wait before looking again whether a human has acted: soon at first, then once a minute.
pub fn probe(failures: u32) -> Duration {
    doubled(PROBE_FIRST, failures, PROBE_MAX)
}

fn doubled(first: Duration, times_from_one: u32, cap: Duration) -> Duration {
    let factor = 1_u32.checked_shl(times_from_one.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(cap)
}
