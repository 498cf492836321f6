//! Telling the outside of an alarm: one POST when it goes on, one when it is over.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::outbound;

const TIMEOUT: Duration = Duration::from_secs(10);
/// How often one message is tried; the looks are seconds apart.
const TRIES_MAX: u32 = 20;
/// Most messages that wait: an alarm and its end.
const WAITING_MAX: usize = 2;

/// Whom to tell, and what they were not told yet.
pub(super) struct Notify {
    http: reqwest::Client,
    url: Url,
    waiting: VecDeque<String>,
    tries: u32,
}

impl std::fmt::Debug for Notify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Whoever knows the address may write there.
        f.write_str("Notify(<secret>)")
    }
}

impl Notify {
    /// `None` where the address or this machine's TLS cannot be used.
    pub(super) fn new(address: &SecretString) -> Option<Self> {
        let url = Url::parse(address.expose_secret()).ok()?;
        let http = outbound::builder().connect_timeout(TIMEOUT).timeout(TIMEOUT).build().ok()?;
        Some(Self { http, url, waiting: VecDeque::new(), tries: 0 })
    }

    /// Has this told as soon as it can be.
    pub(super) fn tell(&mut self, text: String) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
            self.tries = 0;
        }
        self.waiting.push_back(text);
    }

    /// Tries to tell the first that waits.
    pub(super) async fn send(&mut self) {
        let Some(text) = self.waiting.front() else { return };
        let body = json!({ "text": format!("doubletick-sheets: {text}") }).to_string();
        let request = self.http.post(self.url.clone()).header("content-type", "application/json");
        let is_told = match request.body(body).send().await {
            Ok(answer) => answer.status().is_success(),
            Err(_) => false,
        };
        self.tries += 1;
        if !is_told && self.tries == 1 {
            log::warn!("ALARM_WEBHOOK_URL does not take the alarm; trying again");
        }
        if is_told || self.tries >= TRIES_MAX {
            self.waiting.pop_front();
            self.tries = 0;
        }
    }
}
