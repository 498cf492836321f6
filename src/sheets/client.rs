//! One call to the Sheets API: token, time limits, counting. What an answer means is decided
//! elsewhere.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Url};
use secrecy::ExposeSecret;

use crate::outbound;
use crate::sheets::token::{Token, TokenTrouble};
use crate::sheets::verdict::{Answer, RETRY_AFTER_MAX, Verdict};
use crate::status::Status;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// A write may take Google up to 180 s (its own limit), so a shorter wait can leave an unknown
/// outcome behind. That costs nothing: the resend carries the same marker and at most one of the two
/// can be applied. A longer wait would hold up every row behind a connection that is only dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(45);
/// Largest answer read; ours are a few kilobytes, the Event ID column of a huge tab some megabytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// Nothing was sent to the Sheets API.
    NotSent(TokenTrouble),
    /// It may have been sent, received and done.
    Perhaps(String),
}

/// A spreadsheet at Google, and how to call about it.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    token: Token,
    spreadsheet: Url,
    status: Arc<Status>,
}

/// A call's name for the metrics, and its kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    /// Looks up properties, metadata or values.
    Read(&'static str),
    /// Changes something.
    Write(&'static str),
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
        let builder = outbound::builder(api)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(Duration::from_secs(15))
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
        let mut spreadsheet = api.clone();
        if let Ok(mut path) = spreadsheet.path_segments_mut() {
            path.pop_if_empty().extend(["v4", "spreadsheets", spreadsheet_id]);
        }
        Ok(Self { http: builder.build()?, token, spreadsheet, status })
    }

    /// The e-mail to share the spreadsheet with.
    pub fn account(&self) -> &str {
        self.token.account()
    }

    /// Asks for a token only, to see whether one is given.
    ///
    /// # Errors
    /// As [`Token::get`].
    pub async fn check_token(&self) -> Result<(), TokenTrouble> {
        self.token.get().await.map(drop)
    }

    /// A GET whose answer is needed; a token refused once is renewed and the call repeated.
    pub(super) async fn read(
        &self,
        name: &'static str,
        suffix: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer, NoAnswer> {
        let url = self.url(suffix, query);
        self.read_with(|| (Method::GET, url.clone(), None), name).await
    }

    /// A POST that only looks something up.
    pub(super) async fn look_up(
        &self,
        name: &'static str,
        suffix: &str,
        body: &serde_json::Value,
    ) -> Result<Answer, NoAnswer> {
        let (url, body) = (self.url(suffix, &[]), body.to_string().into_bytes());
        self.read_with(|| (Method::POST, url.clone(), Some(body.clone())), name).await
    }

    async fn read_with(
        &self,
        request: impl Fn() -> (Method, Url, Option<Vec<u8>>),
        name: &'static str,
    ) -> Result<Answer, NoAnswer> {
        let (method, url, body) = request();
        let answer = self.call(Call::Read(name), method, url, body).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let (method, url, body) = request();
        self.call(Call::Read(name), method, url, body).await
    }

    /// One `batchUpdate`, sent once. The answer is restricted to what we read of it.
    pub(super) async fn write(
        &self,
        name: &'static str,
        body: Vec<u8>,
    ) -> Result<Answer, NoAnswer> {
        let url = self.url(":batchUpdate", &[("fields", "spreadsheetId,replies")]);
        self.call(Call::Write(name), Method::POST, url, Some(body)).await
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
        let (name, timeout) = match call {
            Call::Read(name) => (name, READ_TIMEOUT),
            Call::Write(name) => (name, WRITE_TIMEOUT),
        };
        let token = self.token.get().await.map_err(|trouble| {
            self.status.count_google_call("token", "failed");
            NoAnswer::NotSent(trouble)
        })?;
        let mut request =
            self.http.request(method, url).bearer_auth(token.expose_secret()).timeout(timeout);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let outcome = receive(request).await;
        let label = match &outcome {
            Ok(answer) => outcome_label(answer.status),
            Err(_) => "no_answer",
        };
        self.status.count_google_call(name, label);
        let answer = outcome.map_err(|error| match error.is_connect() {
            true => NoAnswer::NotSent(TokenTrouble::Temporary("Google cannot be reached".into())),
            false => NoAnswer::Perhaps(explained(&error)),
        })?;
        if answer.verdict(self.account()) == Verdict::Unauthorised {
            self.token.renew();
        }
        Ok(answer)
    }
}

async fn receive(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let mut response = request.send().await?;
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            break;
        }
    }
    Ok(Answer { status: response.status().as_u16(), retry_after, body })
}

/// What went wrong on the way, without the address and what it may contain.
fn explained(error: &reqwest::Error) -> String {
    match error.is_timeout() {
        true => "Google did not answer in time".to_owned(),
        false => "the connection to Google broke off".to_owned(),
    }
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
