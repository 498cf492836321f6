//! How long to wait before trying again: pure, the randomness is a parameter.

use std::time::Duration;

/// First bound; doubles with each failure.
const BASE: Duration = Duration::from_millis(500);
/// Where seven of ten calls fail a batch needs several tries, so that each wait must be short.
const CAP: Duration = Duration::from_secs(4);
/// Where nothing at all has succeeded for [`SILENT_FROM`], nobody is helped by asking so often.
const CAP_WHERE_SILENT: Duration = Duration::from_secs(30);
const SILENT_FROM: Duration = Duration::from_secs(5 * 60);
const BROKEN_AFTER: Duration = Duration::from_secs(30 * 60);
/// Longest between two looks at whether an operator has mended something.
const PROBE_MAX: Duration = Duration::from_secs(60);
const PROBE_FIRST: Duration = Duration::from_secs(5);

/// The failures since the last success, by whether they pass by themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failures {
    passing: u32,
    operators: u32,
}

impl Failures {
    /// Whether something has failed since the last success.
    pub fn any(self) -> bool {
        self.count() > 0
    }

    /// How many there were.
    pub fn count(self) -> u32 {
        self.passing.saturating_add(self.operators)
    }

    /// Another that passes by itself; gives the wait: exponential with full jitter, so that many clients
    /// do not come back together. `random` is in [0, 1). Never less than Google asks for. `silent_for` is
    /// how long no call of anybody here has succeeded.
    pub fn passing(
        &mut self,
        silent_for: Duration,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Duration {
        self.passing = self.passing.saturating_add(1);
        let cap = if silent_for < SILENT_FROM { CAP } else { CAP_WHERE_SILENT };
        let bound = doubled(BASE, self.passing, cap);
        bound.mul_f64(random.clamp(0.0, 1.0)).max(retry_after.unwrap_or_default())
    }

    /// Another that a human must mend; gives the wait before looking again: short at first, then a minute.
    pub fn operators(&mut self) -> Duration {
        self.operators = self.operators.saturating_add(1);
        doubled(PROBE_FIRST, self.operators, PROBE_MAX)
    }
}

/// Whether a spreadsheet is taken to be broken, and not Google: nothing but errors of its own about it for so long,
/// while something else succeeded lately.
pub fn is_broken(only_errors_for: Duration, silent_for: Duration) -> bool {
    only_errors_for >= BROKEN_AFTER && silent_for < SILENT_FROM
}

fn doubled(first: Duration, times_from_one: u32, cap: Duration) -> Duration {
    let factor = 1_u32.checked_shl(times_from_one.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(cap)
}
