//! The clock: the one place where the time of day is read.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::chat::time::UnixMs;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> UnixMs {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
