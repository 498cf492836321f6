//! The [`Caller`]: makes our calls to DoubleTick about chats and customers, for all who ask.
//!
//! One key, one quota. A row waits for a name, so that a lookup goes out at once; whoever can wait goes a second
//! after whatever call was the last, and not before the end of a pause that DoubleTick asked any of us for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Response, Url};
use secrecy::SecretString;

use crate::outbound;

/// Between two calls of those who can wait; DoubleTick publishes no limit for these, and a second for others.
const APART: Duration = Duration::from_secs(1);
/// How long a pause is where DoubleTick does not say, and at most.
const PAUSE: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// Largest answer read; a page of a hundred chats takes some hundred kilobytes.
const ANSWER_BYTES_MAX: usize = 2 * 1_024 * 1_024;

/// Why a call gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallFault {
    #[error(
        "DoubleTick does not accept DOUBLETICK_API_KEY: set the key that it shows under Settings > API"
    )]
    Key,
    #[error("DoubleTick asks for a pause")]
    Pause,
    #[error("DoubleTick did not answer")]
    NoAnswer,
    #[error("DoubleTick answered with {0}")]
    Status(u16),
    #[error("DoubleTick's answer makes no sense")]
    Senseless,
}

/// Why no call can be made at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetUpFault {
    #[error("the key has characters that an HTTP header cannot carry")]
    Key,
    #[error("cannot set up TLS")]
    Tls(#[source] reqwest::Error),
}

/// Who calls; cheap to share.
pub(crate) struct Caller {
    http: reqwest::Client,
    api: Url,
    key: HeaderValue,
    pace: Mutex<Pace>,
    is_key_refused: AtomicBool,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Caller(<secret>)")
    }
}

#[derive(Debug, Default)]
struct Pace {
    last: Option<Instant>,
    paused_until: Option<Instant>,
}

impl Caller {
    /// Calls nobody yet.
    pub(crate) fn new(api: &Url, key: &SecretString) -> Result<Self, SetUpFault> {
        // The key goes in as it is, without a scheme (DoubleTick, *Get Customer Details*).
        let key = outbound::header(key).map_err(|_| SetUpFault::Key)?;
        let http = outbound::builder().build().map_err(SetUpFault::Tls)?;
        let (pace, is_key_refused) = (Mutex::default(), AtomicBool::new(false));
        Ok(Self { http, api: api.clone(), key, pace, is_key_refused })
    }

    /// Calls at once.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Vec<u8>, CallFault> {
        self.pace().last = Some(Instant::now());
        self.send(path, query, timeout).await
    }

    /// The same a second after the last call, whoever made it. A pause is not waited for.
    pub(crate) async fn get_in_turn(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Vec<u8>, CallFault> {
        while let Some(wait) = self.take_turn(Instant::now())? {
            tokio::time::sleep(wait).await;
        }
        self.send(path, query, timeout).await
    }

    /// Takes the turn to call now; or says after which time to try again.
    fn take_turn(&self, now: Instant) -> Result<Option<Duration>, CallFault> {
        let mut pace = self.pace();
        if pace.paused_until.is_some_and(|until| now < until) {
            return Err(CallFault::Pause);
        }
        let since = pace.last.map(|last| now.saturating_duration_since(last));
        let left = since.map(|since| APART.saturating_sub(since)).filter(|left| !left.is_zero());
        if left.is_none() {
            pace.last = Some(now);
        }
        Ok(left)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Vec<u8>, CallFault> {
        let mut url = outbound::below(&self.api, path);
        url.query_pairs_mut().extend_pairs(query);
        let request = self.http.get(url).header(AUTHORIZATION, self.key.clone()).timeout(timeout);
        let answer = request.send().await.map_err(|_| CallFault::NoAnswer)?;
        let is_refused = matches!(answer.status().as_u16(), 401 | 403);
        if is_refused && !self.is_key_refused.swap(true, Ordering::Relaxed) {
            log::error!(
                "{}: names are left blank until then, and DoubleTick is not asked who waits",
                CallFault::Key
            );
        }
        match answer.status().as_u16() {
            200..=299 => {
                self.is_key_refused.store(false, Ordering::Relaxed);
                read(answer).await
            }
            401 | 403 => Err(CallFault::Key),
            429 => {
                let told = outbound::retry_after(&answer);
                let pause = told.unwrap_or(PAUSE).clamp(APART, PAUSE_MAX);
                self.pace().paused_until = Some(Instant::now() + pause);
                Err(CallFault::Pause)
            }
            status => Err(CallFault::Status(status)),
        }
    }
}

/// The whole answer.
async fn read(mut answer: Response) -> Result<Vec<u8>, CallFault> {
    let body = outbound::body(&mut answer, ANSWER_BYTES_MAX).await;
    let body = body.map_err(|_| CallFault::NoAnswer)?;
    if body.len() <= ANSWER_BYTES_MAX { Ok(body) } else { Err(CallFault::Senseless) }
}
