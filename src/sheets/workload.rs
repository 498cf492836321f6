//! A service account without a key: whoever a third party vouches for may act as it.
//!
//! ```text
//! the machine's own token (a file, an address, or Fly's socket)
//!   ──▶ Google's token exchange: a federated token, for whom the provider trusts
//!   ──▶ Google's service for short-lived tokens: the service account's, for who may act as it
//! ```
//!
//! `yup-oauth2` knows two of the three ways to the first token, and of none of the three steps how it was refused;
//! so all of them are made here. Nothing of a token or of an answer is shown or kept but the last token.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::DATE;
use reqwest::{RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::outbound;
use crate::sheets::grant::{KeyFault, SCOPE, TokenTrouble, is_a_token};
use crate::sheets::vouching;

/// How long each of the three steps may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Largest answer read: a token is some kilobytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// A token is renewed so long before it ends, and one that lives shortly after four fifths of its life.
const RENEWED_BEFORE: Duration = Duration::from_secs(120);
/// What is asked for, and what is believed where Google does not say.
const LIFETIME: Duration = Duration::from_secs(3_600);
const LIFETIME_UNSAID: Duration = Duration::from_secs(300);
/// What the federated token is for: the third step.
const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A service account that is acted as without a key.
pub(super) struct Workload {
    http: reqwest::Client,
    /// To Fly's socket, where the machine's own token comes from there.
    socket: Option<reqwest::Client>,
    configuration: Configuration,
    held: Option<Held>,
}

/// The last token.
struct Held {
    token: SecretString,
    renewed_at: Instant,
    ends_at: Instant,
}

/// What Google calls a credential configuration file.
#[derive(Deserialize)]
struct Configuration {
    audience: String,
    subject_token_type: String,
    token_url: String,
    service_account_impersonation_url: String,
    credential_source: Source,
}

/// Where the machine's own token comes from.
#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    File {
        file: PathBuf,
        #[serde(default)]
        format: Format,
    },
    Url {
        url: String,
        #[serde(default)]
        headers: std::collections::HashMap<String, String>,
        #[serde(default)]
        format: Format,
    },
    /// Fly's, in the words of this program.
    Fly {
        fly_socket: PathBuf,
    },
    Other(IgnoredAny),
}

/// Where in the text the token stands.
#[derive(Default, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Format {
    #[default]
    Text,
    Json {
        subject_token_field_name: String,
    },
}

impl Format {
    fn token(&self, text: &str) -> Option<SecretString> {
        let token = match self {
            Self::Text => text.trim().to_owned(),
            Self::Json { subject_token_field_name: name } => {
                let object: Value = serde_json::from_str(text).ok()?;
                object.get(name)?.as_str()?.trim().to_owned()
            }
        };
        is_a_token(&token).then(|| SecretString::from(token))
    }
}

/// An answer, as far as it matters.
struct Told {
    status: u16,
    body: Vec<u8>,
    /// Google's own clock, where it says.
    at: Option<Timestamp>,
}

impl Told {
    fn is_fine(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Workload {
    /// Reads the configuration; asks nobody yet. Gives the service account's e-mail address as well.
    pub(super) fn new(json: &SecretString) -> Result<(Self, String), KeyFault> {
        let configuration: Configuration =
            serde_json::from_str(json.expose_secret()).map_err(|_| KeyFault::NotAConfiguration)?;
        let mut addresses =
            vec![&configuration.token_url, &configuration.service_account_impersonation_url];
        match &configuration.credential_source {
            Source::Other(_) => return Err(KeyFault::CredentialSource),
            Source::Url { url, .. } => addresses.push(url),
            Source::File { .. } | Source::Fly { .. } => {}
        }
        let is_address = |text: &&String| {
            Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        if !addresses.iter().all(is_address) {
            return Err(KeyFault::Addresses);
        }
        let account = account(&configuration.service_account_impersonation_url);
        let account = account.ok_or(KeyFault::ImpersonationUrl)?.to_owned();
        let client = || outbound::builder().timeout(TIMEOUT);
        let built = |client: reqwest::ClientBuilder| client.build();
        let socket = match &configuration.credential_source {
            Source::Fly { fly_socket } => Some(built(client().unix_socket(fly_socket.clone()))),
            _ => None,
        };
        let socket = socket.transpose().map_err(|_| KeyFault::NoCertificates)?;
        let http = built(client()).map_err(|_| KeyFault::NoCertificates)?;
        Ok((Self { http, socket, configuration, held: None }, account))
    }

    /// The token of last time as long as it is good, or a new one; a new one in any case where the last was not
    /// accepted.
    pub(super) async fn get(&mut self, is_stale: bool) -> Result<SecretString, TokenTrouble> {
        let now = Instant::now();
        if let Some(held) = self.held.as_ref().filter(|held| !is_stale && now < held.renewed_at) {
            return Ok(held.token.clone());
        }
        match self.ask().await {
            Ok((token, lifetime)) => {
                let early = RENEWED_BEFORE.min(lifetime / 5);
                let renewed_at = now + lifetime.saturating_sub(early);
                self.held =
                    Some(Held { token: token.clone(), renewed_at, ends_at: now + lifetime });
                Ok(token)
            }
            // It was asked in good time: what there is may still serve.
            Err(trouble) => match &self.held {
                Some(held) if !is_stale && Instant::now() < held.ends_at => Ok(held.token.clone()),
                _ => Err(trouble),
            },
        }
    }

    /// All three steps.
    async fn ask(&self) -> Result<(SecretString, Duration), TokenTrouble> {
        let subject = self.subject().await?;
        let federated = self.exchanged(&subject).await?;
        self.impersonated(&federated).await
    }

    /// The machine's own token.
    async fn subject(&self) -> Result<SecretString, TokenTrouble> {
        match &self.configuration.credential_source {
            Source::File { file, format } => {
                // Read each time: whoever writes it writes a new one in time.
                let text = tokio::fs::read_to_string(file).await.unwrap_or_default();
                format.token(&text).ok_or_else(vouching::no_file)
            }
            Source::Url { url, headers, format } => {
                let request = headers
                    .iter()
                    .fold(self.http.get(url), |request, (name, value)| request.header(name, value));
                let told = told(request, "the address of this machine's own token").await?;
                vouching::own(told.status)?;
                let text = String::from_utf8_lossy(&told.body);
                format.token(&text).ok_or_else(vouching::unreadable)
            }
            Source::Fly { fly_socket } => {
                if !fly_socket.exists() {
                    return Err(vouching::no_socket(fly_socket));
                }
                let Some(socket) = &self.socket else { return Err(vouching::unreadable()) };
                // The provider's default: its own name, as an address.
                let body = json!({ "aud": format!("https:{}", self.configuration.audience) });
                let request = socket.post("http://localhost/v1/tokens/oidc").json(&body);
                let told = told(request, "Fly's service for tokens").await?;
                vouching::own(told.status)?;
                let text = String::from_utf8_lossy(&told.body);
                Format::Text.token(&text).ok_or_else(vouching::unreadable)
            }
            Source::Other(_) => Err(vouching::unreadable()),
        }
    }

    /// The federated token for it.
    async fn exchanged(&self, subject: &SecretString) -> Result<SecretString, TokenTrouble> {
        #[derive(Deserialize)]
        struct Exchanged {
            access_token: String,
        }
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .append_pair("audience", &self.configuration.audience)
            .append_pair("scope", PLATFORM)
            .append_pair("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")
            .append_pair("subject_token_type", &self.configuration.subject_token_type)
            .append_pair("subject_token", subject.expose_secret())
            .finish();
        let request = self.http.post(&self.configuration.token_url);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let told = told(request, "Google's token exchange").await?;
        if !told.is_fine() {
            return Err(vouching::not_exchanged(told.status, &told.body));
        }
        let exchanged: Option<Exchanged> = serde_json::from_slice(&told.body).ok();
        let token = exchanged.map(|it| it.access_token).filter(|token| is_a_token(token));
        token.map(SecretString::from).ok_or_else(vouching::unreadable)
    }

    /// The service account's token, and how long it lives.
    async fn impersonated(
        &self,
        federated: &SecretString,
    ) -> Result<(SecretString, Duration), TokenTrouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Impersonated {
            access_token: String,
            #[serde(default)]
            expire_time: String,
        }
        let url = &self.configuration.service_account_impersonation_url;
        let body = json!({ "scope": SCOPE, "lifetime": format!("{}s", LIFETIME.as_secs()) });
        let request = self.http.post(url).bearer_auth(federated.expose_secret()).json(&body);
        let told = told(request, "Google's service for short-lived tokens").await?;
        if !told.is_fine() {
            let account = account(url).unwrap_or_default();
            return Err(vouching::not_impersonated(told.status, &told.body, account));
        }
        let made: Option<Impersonated> = serde_json::from_slice(&told.body).ok();
        let made = made.filter(|made| is_a_token(&made.access_token));
        let made = made.ok_or_else(vouching::unreadable)?;
        // By Google's clock at both ends: this machine's may be wrong.
        let ends_at: Option<Timestamp> = made.expire_time.parse().ok();
        let lifetime = ends_at
            .zip(told.at)
            .and_then(|(ends_at, at)| Duration::try_from(ends_at.duration_since(at)).ok());
        let lifetime = lifetime.unwrap_or(LIFETIME_UNSAID).min(LIFETIME);
        Ok((SecretString::from(made.access_token), lifetime))
    }
}

/// The service account's e-mail address in the address that gives its tokens.
fn account(url: &str) -> Option<&str> {
    let (_, rest) = url.rsplit_once("/serviceAccounts/")?;
    let account = rest.strip_suffix(":generateAccessToken")?;
    let is_address = account.contains('@') && account.chars().all(|c| c.is_ascii_graphic());
    is_address.then_some(account)
}

/// Makes a call. That there is no answer passes by itself.
async fn told(request: RequestBuilder, whom: &str) -> Result<Told, TokenTrouble> {
    let failed = |error: reqwest::Error| {
        TokenTrouble::Temporary(match error.is_timeout() {
            true => format!("{whom} does not answer"),
            false => format!("{whom} cannot be reached"),
        })
    };
    let mut response = request.send().await.map_err(failed)?;
    let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
    let at = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|at| at.timestamp());
    let status = response.status().as_u16();
    let body = outbound::body(&mut response, ANSWER_BYTES_MAX).await.map_err(failed)?;
    Ok(Told { status, body, at })
}
