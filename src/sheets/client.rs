//! One call to the Sheets API: token, time limits, counting. What an answer means is decided
//! elsewhere.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::outbound;
use crate::sheets::health::Health;
use crate::sheets::quota::{Kind, Quota};
use crate::sheets::token::{Token, TokenTrouble};
use crate::sheets::verdict::{Answer, RETRY_AFTER_MAX, Verdict};
use crate::sheets::wire::Spreadsheet;
use crate::status::Status;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the answer to what only reads is waited for: values may be many, the rest is a few kilobytes.
const READ_TIMEOUT: Duration = Duration::from_secs(8);
const VALUES_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the answer to a write is waited for.
///
/// Google may take up to 180 s (its own limit), so a shorter wait can leave an unknown outcome behind.
/// That costs nothing: the resend carries the same marker and at most one of the two can be applied. A
/// longer wait would hold up every row behind a connection that is only dead.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest answer read; ours are a few kilobytes, the Event ID column of a huge tab some megabytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The name of the call that reads cells.
pub(super) const VALUES: &str = "values";

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// Nothing was sent to the Sheets API.
    NotSent(TokenTrouble),
    /// Nothing was sent, because the quota of the minute is used up for so long.
    QuotaUsedUp(Duration),
    /// It may have been sent, received and done.
    Perhaps(String),
    /// The same, and nothing came within the time for it.
    TimedOut,
}

/// A spreadsheet at Google, and how to call about it.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    account: Arc<Account>,
    spreadsheet: Url,
    status: Arc<Status>,
    kept: Mutex<Option<(Spreadsheet, Instant)>>,
    health: Mutex<Health>,
}

/// What all spreadsheets of a service account share.
#[derive(Debug)]
struct Account {
    token: Token,
    quota: Mutex<Quota>,
}

impl Account {
    fn quota(&self) -> MutexGuard<'_, Quota> {
        locked(&self.quota)
    }
}

/// A panic elsewhere leaves what is in it as it was; it still counts.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call: its name for the metrics, whether it reads or writes, and how long its answer may take.
#[derive(Clone, Copy, Debug)]
struct Call {
    name: &'static str,
    kind: Kind,
    timeout: Duration,
}

impl Client {
    /// A client for one spreadsheet.
    ///
    /// # Errors
    /// When the TLS set-up of this machine cannot be used, usually for want of CA certificates.
    pub fn new(
        api: &Url,
        spreadsheet_id: &str,
        token: Token,
        status: Arc<Status>,
    ) -> Result<Self, reqwest::Error> {
        let builder = outbound::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(Duration::from_secs(15))
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
        let mut spreadsheet = api.clone();
        if let Ok(mut path) = spreadsheet.path_segments_mut() {
            path.pop_if_empty().extend(["v4", "spreadsheets", spreadsheet_id]);
        }
        let quota = Mutex::new(Quota::new(Instant::now()));
        let account = Arc::new(Account { token, quota });
        Ok(Self {
            http: builder.build()?,
            account,
            spreadsheet,
            status,
            kept: Mutex::default(),
            health: Mutex::default(),
        })
    }

    /// A client for another spreadsheet, for the same account.
    #[must_use]
    pub fn beside(&self, spreadsheet_id: &str) -> Self {
        let mut spreadsheet = self.spreadsheet.clone();
        if let Ok(mut path) = spreadsheet.path_segments_mut() {
            path.pop().push(spreadsheet_id);
        }
        let (account, status) = (Arc::clone(&self.account), Arc::clone(&self.status));
        Self {
            http: self.http.clone(),
            account,
            spreadsheet,
            status,
            kept: Mutex::default(),
            health: Mutex::default(),
        }
    }

    /// What a survey has read that broke off, and when.
    pub(super) fn kept(&self) -> MutexGuard<'_, Option<(Spreadsheet, Instant)>> {
        locked(&self.kept)
    }

    /// The e-mail to share the spreadsheet with.
    pub fn account(&self) -> &str {
        self.account.token.account()
    }

    /// Whose tokens it calls with, for people.
    pub fn whose(&self) -> String {
        self.account.token.whose()
    }

    /// How long until the quota lets another write leave; `None` for now.
    pub fn write_wait(&self) -> Option<Duration> {
        self.account.quota().wait(Kind::Write, Instant::now())
    }

    /// For how long no call of this account has succeeded, whatever the spreadsheet.
    pub fn silent_for(&self) -> Duration {
        self.account.quota().silent_for(Instant::now())
    }

    /// For how long Google has answered about this spreadsheet with nothing but errors of its own.
    pub fn only_errors_for(&self) -> Duration {
        locked(&self.health).only_errors_for(Instant::now())
    }

    #[cfg(test)]
    pub(crate) fn errors_age(&self, by: Duration) {
        locked(&self.health).ages(by);
    }

    /// Asks for a token only, to see whether one is given.
    ///
    /// # Errors
    /// As [`Token::get`].
    pub async fn check_token(&self) -> Result<(), TokenTrouble> {
        self.token().await.map(drop)
    }

    async fn token(&self) -> Result<SecretString, TokenTrouble> {
        let token = self.account.token.get().await;
        token.inspect_err(|_| _ = self.status.google_calls.add(("token", "failed")))
    }

    /// A GET whose answer is needed; a token refused once is renewed and the call repeated.
    pub(super) async fn read(
        &self,
        name: &'static str,
        suffix: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer, NoAnswer> {
        self.read_with(name, Method::GET, self.url(suffix, query), None).await
    }

    /// A POST that only looks something up.
    pub(super) async fn look_up(
        &self,
        name: &'static str,
        suffix: &str,
        body: &serde_json::Value,
    ) -> Result<Answer, NoAnswer> {
        let body = Some(body.to_string().into_bytes());
        self.read_with(name, Method::POST, self.url(suffix, &[]), body).await
    }

    async fn read_with(
        &self,
        name: &'static str,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, NoAnswer> {
        let timeout = if name == VALUES { VALUES_TIMEOUT } else { READ_TIMEOUT };
        let call = Call { name, kind: Kind::Read, timeout };
        let answer = self.call(call, method.clone(), url.clone(), body.clone()).await?;
        match answer.status {
            401 => self.call(call, method, url, body).await,
            _ => Ok(answer),
        }
    }

    /// One `batchUpdate`, sent once.
    pub(super) async fn write(
        &self,
        name: &'static str,
        body: Vec<u8>,
    ) -> Result<Answer, NoAnswer> {
        self.write_within(WRITE_TIMEOUT, name, body).await
    }

    /// The same, its answer waited for so long. The answer is restricted to what we read of it.
    pub(super) async fn write_within(
        &self,
        timeout: Duration,
        name: &'static str,
        body: Vec<u8>,
    ) -> Result<Answer, NoAnswer> {
        let url = self.url(":batchUpdate", &[("fields", "spreadsheetId,replies")]);
        let call = Call { name, kind: Kind::Write, timeout };
        self.call(call, Method::POST, url, Some(body)).await
    }

    /// `suffix` is what follows the spreadsheet's id: `:verb`, or segments that are each encoded.
    fn url(&self, suffix: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.spreadsheet.clone();
        if let Some(segments) = suffix.strip_prefix('/') {
            if let Ok(mut path) = url.path_segments_mut() {
                path.extend(segments.splitn(2, '/'));
            }
        } else {
            let path = format!("{}{suffix}", url.path());
            url.set_path(&path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn call(
        &self,
        call: Call,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, NoAnswer> {
        let Call { name, kind, timeout } = call;
        let wait = self.account.quota().wait(kind, Instant::now());
        if let Some(wait) = wait {
            return Err(NoAnswer::QuotaUsedUp(wait));
        }
        let token = self.token().await.map_err(NoAnswer::NotSent)?;
        let mut request =
            self.http.request(method, url).bearer_auth(token.expose_secret()).timeout(timeout);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        self.account.quota().called(kind, Instant::now());
        let outcome = receive(request).await;
        let label = match &outcome {
            Ok(answer) => outcome_label(answer.status),
            Err(_) => "no_answer",
        };
        self.status.google_calls.add((name, label));
        let mut answer = outcome.map_err(|error| {
            if error.is_connect() {
                NoAnswer::NotSent(TokenTrouble::Temporary("Google cannot be reached".into()))
            } else if error.is_timeout() {
                NoAnswer::TimedOut
            } else {
                // Without the address and what it may contain.
                NoAnswer::Perhaps("the connection to Google broke off".to_owned())
            }
        })?;
        locked(&self.health).answered(kind, answer.status, Instant::now());
        match answer.verdict(self.account()) {
            Verdict::Fine => self.account.quota().succeeded(kind, Instant::now()),
            Verdict::QuotaUsedUp { .. } => {
                let mut quota = self.account.quota();
                let wait = quota.used_up(kind, answer.retry_after, Instant::now());
                answer.retry_after = Some(wait);
            }
            Verdict::Unauthorised => self.account.token.renew(),
            _ => {}
        }
        Ok(answer)
    }
}

async fn receive(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let mut response = request.send().await?;
    let retry_after = outbound::retry_after(&response).map(|after| after.min(RETRY_AFTER_MAX));
    let body = outbound::body(&mut response, ANSWER_BYTES_MAX).await?;
    Ok(Answer { status: response.status().as_u16(), retry_after, body })
}

fn outcome_label(status: u16) -> &'static str {
    match status {
        200..=299 => "ok",
        400 => "bad_request",
        401 => "unauthorised",
        403 => "forbidden",
        404 => "not_found",
        429 => "quota",
        500..=599 => "server_error",
        _ => "other",
    }
}
