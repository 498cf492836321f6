//! The address that alarms are posted to, until each is taken.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::chat::time::UnixMs;
use crate::outbound;

const TIMEOUT: Duration = Duration::from_secs(10);
/// How often one message is tried every few seconds. After that it is tried less often, for ever.
const TRIES_SOON: u32 = 20;
const TRY_LATER_MS: i64 = 5 * 60_000;
/// How often the log says that nobody can be told.
const SAY_AGAIN_MS: i64 = 3_600_000;
/// Most messages that wait: an alarm and its end.
const WAITING_MAX: usize = 2;

/// Where to post, and what was not taken there yet.
pub(super) struct AlarmHook {
    http: reqwest::Client,
    url: Url,
    waiting: VecDeque<String>,
    tries: u32,
    tried_at: Option<UnixMs>,
    /// When the log last said so.
    said_at: Option<UnixMs>,
}

impl std::fmt::Debug for AlarmHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address is a secret: anybody who knows it can write there.
        f.write_str("AlarmHook(<secret>)")
    }
}

impl AlarmHook {
    /// `None` where the address or this machine's TLS cannot be used.
    pub(super) fn new(address: &SecretString) -> Option<Self> {
        let url = Url::parse(address.expose_secret()).ok()?;
        let http = outbound::builder().connect_timeout(TIMEOUT).timeout(TIMEOUT).build().ok()?;
        Some(Self { http, url, waiting: VecDeque::new(), tries: 0, tried_at: None, said_at: None })
    }

    /// Posts this as soon as possible.
    pub(super) fn tell(&mut self, text: String) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(text);
        self.tries = 0;
    }

    /// Tries to post the first message that waits, if it is due.
    pub(super) async fn send(&mut self, now: UnixMs) {
        let Some(text) = self.waiting.front().cloned() else { return };
        if self.is_due(now) && self.post(&text, now).await {
            self.waiting.pop_front();
        }
    }

    /// Posts this now; whether it was taken.
    pub(super) async fn post(&mut self, text: &str, now: UnixMs) -> bool {
        let body = json!({ "text": format!("doubletick-sheets: {text}") }).to_string();
        let request = self.http.post(self.url.clone()).header("content-type", "application/json");
        let refused = match request.body(body).send().await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answers {}", answer.status())),
            Err(_) => Some("it does not answer".to_owned()),
        };
        self.tried_at = Some(now);
        let is_taken = refused.is_none();
        match refused {
            None => {
                self.tries = 0;
                if self.said_at.take().is_some() {
                    log::info!("ALARM_WEBHOOK_URL takes alarms again");
                }
            }
            Some(why) => {
                self.tries = self.tries.saturating_add(1);
                self.say(&why, now);
            }
        }
        is_taken
    }

    /// Whether something is to be tried again by now.
    pub(super) fn is_due(&self, now: UnixMs) -> bool {
        let since = self.tried_at.map(|at| now.since_ms(at));
        // A clock that was set back must not keep it silent.
        self.tries < TRIES_SOON || since.is_none_or(|ms| !(0..TRY_LATER_MS).contains(&ms))
    }

    /// Logs the first failure, and then every hour that nobody is told.
    fn say(&mut self, why: &str, now: UnixMs) {
        let since = self.said_at.map(|at| now.since_ms(at));
        if since.is_some_and(|ms| (0..SAY_AGAIN_MS).contains(&ms)) && self.tries != TRIES_SOON {
            return;
        }
        self.said_at = Some(now);
        match self.tries {
            ..TRIES_SOON => {
                log::warn!("ALARM_WEBHOOK_URL does not take the alarm ({why}); trying again");
            }
            _ => log::error!(
                "nobody is told of the alarm: ALARM_WEBHOOK_URL does not take it ({why}); set it to an \
                 address that does; until then it is tried every five minutes"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_795_329_000_000);

    /// It was given up after two minutes, for ever, and the hourly repeat with it.
    #[test]
    fn a_message_that_is_not_taken_is_tried_for_ever() {
        outbound::install_crypto();
        let mut notify = AlarmHook::new(&SecretString::from("http://127.0.0.1:9/")).unwrap();
        assert!(notify.is_due(NOW));
        (notify.tries, notify.tried_at) = (TRIES_SOON - 1, Some(NOW));
        assert!(notify.is_due(NOW.plus_ms(1)));
        notify.tries = TRIES_SOON;
        assert!(!notify.is_due(NOW.plus_ms(TRY_LATER_MS - 1)));
        assert!(notify.is_due(NOW.plus_ms(TRY_LATER_MS)));
        assert!(notify.is_due(NOW.plus_ms(-1)), "the clock was set back");
        notify.tries = u32::MAX;
        assert!(notify.is_due(NOW.plus_ms(24 * 3_600_000)));
        notify.tell("another".to_owned());
        assert!(notify.is_due(NOW), "a new one is tried at once");
    }
}
