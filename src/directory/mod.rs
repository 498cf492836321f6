//! The directory: asks DoubleTick who a customer is, where no event has told us.
//!
//! Works after the acknowledgement and before the row is sealed, a few lookups at a time, each with a
//! short time limit. Whatever goes wrong leaves the cell blank: the row waits two seconds at most, and
//! the journal sees to that, not we. A name found is remembered with the customer, so one lookup
//! serves all their chats; one not found is not asked for again for a while.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::{Journal, Unnamed};
use crate::outbound;
use crate::status::Status;

/// Lookups under way at once; DoubleTick publishes no limit.
const LOOKUPS_MAX: usize = 4;
/// A row waits two seconds at most, so an answer that comes later is of no use to it.
const TIMEOUT: Duration = Duration::from_millis(1_800);
/// How long a customer without a name is not asked for again.
const NAMELESS_FOR: Duration = Duration::from_secs(600);
/// How many of them are remembered; beyond it all are asked for again.
const NAMELESS_MAX: usize = 10_000;
/// Largest answer read.
const ANSWER_BYTES_MAX: usize = 256 * 1_024;

#[derive(Debug)]
pub(crate) struct Directory {
    asker: Arc<Asker>,
    journal: Journal,
    now: fn() -> UnixMs,
    nameless: HashMap<Personal, Instant>,
}

struct Asker {
    http: reqwest::Client,
    url: Url,
    key: HeaderValue,
    status: Arc<Status>,
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asker(<secret>)")
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SetUpFault {
    #[error("the key has characters that an HTTP header cannot carry")]
    Key,
    #[error("cannot set up TLS")]
    Tls(#[source] reqwest::Error),
}

impl Directory {
    pub(crate) fn new(
        api: &Url,
        key: &SecretString,
        journal: Journal,
        status: Arc<Status>,
        now: fn() -> UnixMs,
    ) -> Result<Self, SetUpFault> {
        // The key goes in as it is, without a scheme (DoubleTick, *Get Customer Details*).
        let mut key =
            HeaderValue::from_str(key.expose_secret().trim()).map_err(|_| SetUpFault::Key)?;
        key.set_sensitive(true);
        let builder = outbound::builder().connect_timeout(TIMEOUT).timeout(TIMEOUT);
        let mut url = api.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["customer", "details"]);
        }
        let asker = Asker { http: builder.build().map_err(SetUpFault::Tls)?, url, key, status };
        Ok(Self { asker: Arc::new(asker), journal, now, nameless: HashMap::new() })
    }

    /// Answers everyone who lacks a name. Ends only with the journal.
    pub(crate) async fn run(mut self, mut unnamed: mpsc::Receiver<Unnamed>) {
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                asked = unnamed.recv(), if under_way.len() < LOOKUPS_MAX => match asked {
                    Some(asked) if self.is_worth_asking(&asked) => {
                        let asker = Arc::clone(&self.asker);
                        under_way.spawn(async move {
                            let answer = asker.name_of(&asked.customer_id).await;
                            (asked, answer)
                        });
                    }
                    Some(asked) => self.answer(asked, None).await,
                    None => return,
                },
                Some(done) = under_way.join_next(), if !under_way.is_empty() => {
                    if let Ok((asked, answer)) = done {
                        if matches!(answer, Answer::Nameless) {
                            self.note_nameless(asked.customer_id.clone());
                        }
                        self.answer(asked, answer.name()).await;
                    }
                }
            }
        }
    }

    fn is_worth_asking(&self, asked: &Unnamed) -> bool {
        let lately = self.nameless.get(&asked.customer_id);
        asked.until > self.journal.clock((self.now)())
            && lately.is_none_or(|at| at.elapsed() > NAMELESS_FOR)
    }

    fn note_nameless(&mut self, customer_id: Personal) {
        if self.nameless.len() >= NAMELESS_MAX {
            self.nameless.clear();
        }
        self.nameless.insert(customer_id, Instant::now());
    }

    async fn answer(&self, asked: Unnamed, name: Option<Personal>) {
        if let Err(error) = self.journal.name(asked, name, (self.now)()).await {
            log::warn!("cannot note a customer's name, the row goes without: {error}");
        }
    }
}

/// What came of asking.
enum Answer {
    Named(Personal),
    /// DoubleTick knows no name.
    Nameless,
    /// It could not be asked: that says nothing of the customer, and the next row asks again.
    Failed,
}

impl Answer {
    fn name(self) -> Option<Personal> {
        match self {
            Self::Named(name) => Some(name),
            Self::Nameless | Self::Failed => None,
        }
    }
}

impl Asker {
    async fn name_of(&self, customer_id: &Personal) -> Answer {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("customerId", customer_id.reveal());
        let request = self.http.get(url).header(AUTHORIZATION, self.key.clone());
        let (outcome, answer) = match request.send().await {
            Err(_) => ("no_answer", Answer::Failed),
            Ok(answer) => match answer.status().as_u16() {
                200..=299 => match read(answer).await {
                    Some(body) => match name_in(&body) {
                        Some(name) => ("named", Answer::Named(name)),
                        None => ("nameless", Answer::Nameless),
                    },
                    None => ("no_answer", Answer::Failed),
                },
                401 | 403 => {
                    if self.status.lookups.of("key_refused") == 0 {
                        log::error!(
                            "DoubleTick does not accept DOUBLETICK_API_KEY, so names are left blank: \
                             set the key that DoubleTick shows under Settings > API"
                        );
                    }
                    ("key_refused", Answer::Failed)
                }
                404 => ("nameless", Answer::Nameless),
                _ => ("refused", Answer::Failed),
            },
        };
        self.status.lookups.add(outcome);
        answer
    }
}

/// The whole answer; `None` where it breaks off or is too large.
async fn read(mut answer: reqwest::Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return None;
        }
    }
    Some(body)
}

/// The name in an answer: `{"customer":{"name":…}}`.
fn name_in(body: &[u8]) -> Option<Personal> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let name = Personal::new(body.pointer("/customer/name")?.as_str()?);
    (!name.is_blank()).then_some(name)
}
