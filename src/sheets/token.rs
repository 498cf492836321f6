//! The access token: one asker at a time, bounded in time, renewed when it is not accepted.
//!
//! `yup-oauth2` signs and caches. Around it stand the walls that it lacks: it never looks at the
//! HTTP status, so that a 500 with a JSON body becomes a token of nothing, cached for ever; it has
//! no time limit on bodies; it asks once for each caller; a bad `token_uri` makes it panic; and it
//! prints keys and tokens when it logs (see `app::logging` for that wall).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Uri;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use yup_oauth2::authenticator::DefaultAuthenticator;
use yup_oauth2::client::{DefaultHyperClientBuilder, HyperClientBuilder};
use yup_oauth2::{ServiceAccountAuthenticator, ServiceAccountKey};

const SCOPE: &[&str] = &["https://www.googleapis.com/auth/spreadsheets"];
/// Signing takes milliseconds and Google's token endpoint well under a second.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why a key cannot be used. The sentences name no part of the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// Not the JSON of a service-account key.
    #[error("is not a service account's key file (JSON with client_email, private_key, token_uri)")]
    NotAKey,
    /// Whose key it is cannot be said.
    #[error("has a client_email that is no e-mail address; use the file as Google made it")]
    ClientEmail,
    /// The token endpoint's address cannot be used.
    #[error("has a token_uri that is no http or https address")]
    TokenUri,
    /// The private key cannot be read.
    #[error("has a private_key that cannot be read; use the file as Google made it")]
    PrivateKey,
    /// Not the key's fault.
    #[error(
        "cannot be tried, for this machine has no CA certificates to know Google by: install its \
         package ca-certificates, or name a file of them in SSL_CERT_FILE"
    )]
    NoCertificates,
}

/// Why there is no token now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenTrouble {
    /// It will pass by itself.
    #[error("{0}")]
    Temporary(String),
    /// A human must act.
    #[error("{0}")]
    Operator(String),
}

/// A service account that can be asked for access tokens.
pub struct Token {
    authenticator: Mutex<DefaultAuthenticator>,
    account: String,
    /// In whose name it acts.
    user: Option<String>,
    stale: AtomicBool,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(<secret>)")
    }
}

impl Token {
    /// Reads the key; asks nobody yet.
    ///
    /// # Errors
    /// A [`KeyFault`] that completes the sentence "the key …".
    pub async fn new(key_json: &SecretString) -> Result<Self, KeyFault> {
        Self::in_the_name_of(None, key_json).await
    }

    /// The same, acting in the name of this user of the organisation (domain-wide delegation).
    ///
    /// # Errors
    /// As [`Token::new`].
    pub async fn in_the_name_of(
        user: Option<&str>,
        key_json: &SecretString,
    ) -> Result<Self, KeyFault> {
        let key: ServiceAccountKey =
            serde_json::from_str(key_json.expose_secret()).map_err(|_| KeyFault::NotAKey)?;
        // By the parser that the library uses: what that one refuses, the library panics about.
        let uri: Uri = key.token_uri.parse().map_err(|_| KeyFault::TokenUri)?;
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        if !matches!(uri.scheme_str(), Some("http" | "https")) || !has_host {
            return Err(KeyFault::TokenUri);
        }
        // Shown to people and logged.
        if !key.client_email.contains('@')
            || !key.client_email.chars().all(|c| c.is_ascii_graphic())
        {
            return Err(KeyFault::ClientEmail);
        }
        let account = key.client_email.clone();
        let client = DefaultHyperClientBuilder::default().with_timeout(TIMEOUT);
        let client = client.build_hyper_client().map_err(|_| KeyFault::NoCertificates)?;
        let mut builder = ServiceAccountAuthenticator::with_client(key, client);
        if let Some(user) = user {
            builder = builder.subject(user);
        }
        let authenticator = builder.build().await.map_err(|_| KeyFault::PrivateKey)?;
        let (authenticator, user) = (Mutex::new(authenticator), user.map(str::to_owned));
        Ok(Self { authenticator, account, user, stale: AtomicBool::new(false) })
    }

    /// The e-mail address that must be able to edit the spreadsheet: the service account's, or that of the user
    /// in whose name it acts.
    pub fn account(&self) -> &str {
        self.user.as_ref().unwrap_or(&self.account)
    }

    /// Whose tokens these are, for people.
    pub fn whose(&self) -> String {
        match &self.user {
            Some(user) => format!("of {}, in the name of {user}", self.account),
            None => format!("of {}", self.account),
        }
    }

    /// A token that was accepted last time, or a new one.
    ///
    /// # Errors
    /// [`TokenTrouble`]; nothing was sent to the Sheets API.
    pub async fn get(&self) -> Result<SecretString, TokenTrouble> {
        // Held while asking: whoever comes meanwhile finds the answer cached.
        let authenticator = self.authenticator.lock().await;
        if !self.stale.load(Ordering::Relaxed)
            && let Some(token) = self.ask(authenticator.token(SCOPE)).await?
        {
            return Ok(token);
        }
        match self.ask(authenticator.force_refreshed_token(SCOPE)).await? {
            Some(token) => {
                self.stale.store(false, Ordering::Relaxed);
                Ok(token)
            }
            None => {
                self.renew();
                Err(TokenTrouble::Temporary("Google's token endpoint gave no token".to_owned()))
            }
        }
    }

    async fn ask(
        &self,
        asking: impl Future<Output = Result<yup_oauth2::AccessToken, yup_oauth2::Error>>,
    ) -> Result<Option<SecretString>, TokenTrouble> {
        let temporary = |why: &str| Err(TokenTrouble::Temporary(why.to_owned()));
        match tokio::time::timeout(TIMEOUT, asking).await {
            Err(_) => temporary("Google's token endpoint does not answer"),
            Ok(Ok(token)) => {
                Ok(token.token().filter(|text| is_a_token(text)).map(SecretString::from))
            }
            Ok(Err(yup_oauth2::Error::AuthError(refused))) => {
                let code = refused.error.as_str();
                let description = refused.error_description.as_deref().unwrap_or_default();
                Err(refusal(code, description, self.user.as_deref()))
            }
            // The error's own text may quote the answer; its kind says enough.
            Ok(Err(yup_oauth2::Error::JSONError(_))) => {
                temporary("Google's token endpoint answered something unreadable")
            }
            Ok(Err(_)) => temporary("Google's token endpoint cannot be reached"),
        }
    }

    /// The token was not accepted: the next [`Token::get`] asks for a new one.
    pub fn renew(&self) {
        self.stale.store(true, Ordering::Relaxed);
    }
}

/// Whether this can stand in a header.
fn is_a_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What the token endpoint's refusal means. Its words are matched, never passed on.
pub(super) fn refusal(code: &str, description: &str, user: Option<&str>) -> TokenTrouble {
    let says = |words: &str| description.contains(words);
    let operator = |sentence: &str| TokenTrouble::Operator(sentence.to_owned());
    match (code, user) {
        ("unauthorized_client" | "access_denied" | "invalid_scope", Some(user)) => {
            operator(&format!(
                "Google does not let the service account act in the name of {user}: have an administrator open \
             admin.google.com, Security > API controls > Domain-wide delegation, and add the account's client_id \
             (it stands in the key file) with the scope {}",
                SCOPE[0]
            ))
        }
        ("invalid_grant", Some(user)) if says("Invalid email or User ID") => operator(&format!(
            "GOOGLE_IMPERSONATE is {user}, who is no user of the organisation: set it to one who is"
        )),
        _ => refusal_of_the_key(code, description),
    }
}

fn refusal_of_the_key(code: &str, description: &str) -> TokenTrouble {
    let says = |words: &str| description.contains(words);
    let operator = |sentence: &str| TokenTrouble::Operator(sentence.to_owned());
    match code {
        "invalid_grant" if says("reasonable timeframe") || says("clock skew") => {
            operator("Google finds this machine's clock wrong: set it right")
        }
        "invalid_grant" if says("Signature") => operator(
            "Google does not accept the key's signature: the key was deleted or replaced; make a \
             new key for the service account and set it in GOOGLE_APPLICATION_CREDENTIALS or \
             GOOGLE_CREDENTIALS_JSON",
        ),
        "invalid_grant" => operator(
            "the service account does not exist any more or is disabled: enable it, or make a new \
             one, share the spreadsheet with it and set its key",
        ),
        "invalid_scope"
        | "unauthorized_client"
        | "invalid_client"
        | "deleted_client"
        | "invalid_request"
        | "access_denied" => operator(
            "Google gives this key no access token: check that it is the key file of a service \
             account, unchanged",
        ),
        _ => TokenTrouble::Temporary("Google's token endpoint is out of order".into()),
    }
}
