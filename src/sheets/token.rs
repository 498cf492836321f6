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

pub use crate::sheets::grant::{KeyFault, TokenTrouble};

use crate::sheets::grant::{SCOPE, is_a_token};
use crate::sheets::workload::Workload;

/// Signing takes milliseconds and Google's token endpoint well under a second.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A service account that can be asked for access tokens.
pub struct Token {
    source: Mutex<Source>,
    account: String,
    /// In whose name it acts.
    user: Option<String>,
    stale: AtomicBool,
}

enum Source {
    Key(Box<DefaultAuthenticator>),
    Workload(Box<Workload>),
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
        if is_external(key_json) {
            if user.is_some() {
                return Err(KeyFault::NoKeyToImpersonate);
            }
            let (workload, account) = Workload::new(key_json)?;
            let source = Mutex::new(Source::Workload(Box::new(workload)));
            return Ok(Self { source, account, user: None, stale: AtomicBool::new(false) });
        }
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
        let source = Mutex::new(Source::Key(Box::new(authenticator)));
        let user = user.map(str::to_owned);
        Ok(Self { source, account, user, stale: AtomicBool::new(false) })
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
        let mut source = self.source.lock().await;
        let authenticator = match &mut *source {
            Source::Key(authenticator) => authenticator,
            Source::Workload(workload) => {
                let token = workload.get(self.stale.load(Ordering::Relaxed)).await?;
                self.stale.store(false, Ordering::Relaxed);
                return Ok(token);
            }
        };
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

/// Whether this is a configuration for workload identity, and no key.
fn is_external(json: &SecretString) -> bool {
    #[derive(serde::Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        kind: String,
    }
    let typed: Result<Typed, _> = serde_json::from_str(json.expose_secret());
    typed.is_ok_and(|typed| typed.kind == "external_account")
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
