//! Moments: how a body writes them, and how a sheet counts them.
//!
//! No clock is read here; `now` is always a parameter.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

/// How far the clock may be set back without something seeming to come from the past.
pub(super) const CLOCK_SLACK_MS: i64 = 60_000;

/// 2015-01-01 UTC: no chat on WhatsApp Business is older.
const EARLIEST: UnixMs = UnixMs(1_420_070_400_000);
const DAY_MS: i64 = 86_400_000;
/// Epoch values below this are seconds: as milliseconds they would lie before 1973.
const MILLISECONDS_FROM: f64 = 1e11;
/// Days from the sheet's day zero, 1899-12-30, to 1970-01-01.
const SHEET_EPOCH_DAYS: f64 = 25_569.0;

impl UnixMs {
    /// The same moment, this many milliseconds later.
    #[must_use]
    pub fn plus_ms(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to here; negative when the clock was set back in between.
    pub fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment as the clocks and calendars in `zone` show it.
    pub fn in_zone(self, zone: &TimeZone) -> Zoned {
        self.timestamp().to_zoned(zone.clone())
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or_default()
    }

    /// How many seconds the clocks in `zone` are ahead of UTC at this moment.
    pub fn ahead_s(self, zone: &TimeZone) -> i64 {
        zone.to_offset(self.timestamp()).seconds().into()
    }

    /// Days since 1899-12-30 as the clocks in `zone` show them, to the second: how a sheet stores
    /// a date-time. (Google, *Date and time values*: "serial number" format, local to the zone.)
    pub fn serial_in(self, zone: &TimeZone) -> f64 {
        let local_seconds = self.timestamp().as_second() + self.ahead_s(zone);
        #[expect(clippy::cast_precision_loss, reason = "seconds stay far below 2^52")]
        let days = local_seconds as f64 / 86_400.0;
        days + SHEET_EPOCH_DAYS
    }
}

/// Reads ISO 8601 with an offset, or epoch seconds or milliseconds.
///
/// Blank, unreadable, before 2015 or more than a day after `now` gives `None`. So does a time
/// without an offset: it could be any zone's, and a wrong time is worse than the time of receipt.
pub fn parse(text: &str, now: UnixMs) -> Option<UnixMs> {
    if text.is_empty() {
        return None;
    }
    let moment = match text.parse::<f64>() {
        Ok(number) if number.abs() < MILLISECONDS_FROM => number * 1_000.0,
        Ok(number) => number,
        Err(_) => {
            let moment = text.parse::<Timestamp>().ok()?.as_millisecond();
            return within_reason(UnixMs(moment), now);
        }
    };
    if !moment.is_finite() || moment.abs() > 1e15 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded to 1e15 above")]
    within_reason(UnixMs(moment as i64), now)
}

fn within_reason(moment: UnixMs, now: UnixMs) -> Option<UnixMs> {
    (EARLIEST..=now.plus_ms(DAY_MS)).contains(&moment).then_some(moment)
}
