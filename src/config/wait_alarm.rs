//! `WAIT_ALARM_MINUTES` and `WAIT_ALARM_HOURS`: when somebody is told of patients who wait too long.

use crate::chat::hours::Hours;
use crate::config::{Config, Problems, Reader};

const HOURS: &str = "08:00-20:00";
/// A week.
const MINUTES_MAX: u32 = 10_080;

/// When a patient waits too long, and when somebody is there to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WaitAlarm {
    pub(crate) minutes: u32,
    pub(crate) hours: Hours,
}

/// `None` where nobody is to be told. The hours are looked through in any case.
pub(super) fn read(
    minutes: Option<String>,
    hours: Option<String>,
    problems: &mut Problems,
) -> Option<WaitAlarm> {
    let hours = Hours::read(hours.as_deref().unwrap_or(HOURS)).map_err(|fault| {
        problems.add("WAIT_ALARM_HOURS", &fault.to_string());
    });
    let minutes = minutes?;
    let read = Reader(problems).number("wait_alarm_minutes", Some(minutes), 1, 1..=MINUTES_MAX);
    Some(WaitAlarm { minutes: read, hours: hours.ok()? })
}

/// A sentence where only the board can tell of them.
pub(super) fn warning(config: &Config) -> Option<String> {
    let nobody_is_told = config.wait_alarm.is_some() && config.alarm_webhook_url.is_none();
    nobody_is_told.then(|| {
        "WAIT_ALARM_MINUTES is set and ALARM_WEBHOOK_URL is not: only the board's first line tells of patients \
         who wait too long, and nobody is called"
            .to_owned()
    })
}
