//! DoubleTick's account: which webhooks and numbers it has, and the calls that change them.
//!
//! Each call has a time limit and none is made twice by itself: one whose answer is lost may have been
//! carried out, and the next one reads first. What makes no sense is an error, never an empty list.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Url};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::chat::text::phone_digits;
use crate::outbound;
use crate::registration::Webhook;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer read.
const ANSWER_BYTES_MAX: usize = 1_024 * 1_024;
/// Most webhooks and numbers believed.
const ITEMS_MAX: usize = 1_000;

/// Why DoubleTick could not be asked or told; each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(
        "DoubleTick does not accept DOUBLETICK_API_KEY: set the key that it shows under Settings > API"
    )]
    Key,
    #[error(
        "the owner of DOUBLETICK_API_KEY may not see or change what is registered: set the key of somebody \
         who may, such as an admin"
    )]
    Forbidden,
    #[error("DoubleTick asks for a pause: try again in a minute")]
    Pace,
    #[error("DoubleTick did not answer: try again in a minute")]
    NoAnswer,
    #[error(
        "DoubleTick answered with {0}: try again later, and see its status page if that goes on"
    )]
    Status(u16),
    #[error(
        "DoubleTick's answer makes no sense, so nothing more is changed: try again later, or register the \
         address by hand"
    )]
    Senseless,
    #[error("no client can be made; install the system's CA certificates (ca-certificates)")]
    Tls,
}

/// What DoubleTick refused of a webhook that it took otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    /// In digits.
    pub(crate) numbers: BTreeSet<String>,
    /// By the number's digits.
    pub(crate) events: BTreeSet<(String, String)>,
}

/// An account at DoubleTick, by its key.
pub(crate) struct Account {
    http: reqwest::Client,
    api: Url,
    key: HeaderValue,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account(<secret>)")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    webhook_id: String,
    url: String,
    #[serde(default)]
    name: Option<String>,
    event_types: Vec<String>,
    waba_numbers: Vec<String>,
}

#[derive(Deserialize)]
struct Channels {
    channels: Vec<Channel>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Channel {
    waba_number: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    /// It is there in every answer that means something.
    #[serde(rename = "validWebhooks")]
    _valid: Vec<Value>,
    #[serde(default)]
    invalid_webhooks: Vec<Pair>,
    #[serde(default)]
    invalid_waba_numbers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pair {
    waba_number: String,
    webhook_event_type: String,
}

impl Account {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// [`Trouble::Key`] where the key cannot be sent, [`Trouble::Tls`].
    pub(crate) fn new(api: &Url, key: &SecretString) -> Result<Self, Trouble> {
        let key = outbound::header(key).map_err(|_| Trouble::Key)?;
        let builder = outbound::builder().connect_timeout(TIMEOUT).timeout(TIMEOUT);
        let http = builder.build().map_err(|_| Trouble::Tls)?;
        Ok(Self { http, api: api.clone(), key })
    }

    /// All webhooks, whoever they lead to.
    ///
    /// # Errors
    /// Any [`Trouble`].
    pub(crate) async fn webhooks(&self) -> Result<Vec<Webhook>, Trouble> {
        let listed: Vec<Listed> = self.call(Method::GET, &["v2", "webhooks"], None).await?;
        let webhook = |it: Listed| Webhook {
            id: it.webhook_id,
            url: it.url,
            name: it.name.unwrap_or_default(),
            events: it.event_types.into_iter().collect(),
            numbers: digits(it.waba_numbers),
        };
        match listed.len() {
            0..=ITEMS_MAX => Ok(listed.into_iter().map(webhook).collect()),
            _ => Err(Trouble::Senseless),
        }
    }

    /// The clinic's numbers, in digits. A channel without a number is none.
    ///
    /// # Errors
    /// Any [`Trouble`].
    pub(crate) async fn numbers(&self) -> Result<BTreeSet<String>, Trouble> {
        let path = ["organization", "channel", "profile"];
        let Channels { channels } = self.call(Method::GET, &path, None).await?;
        match channels.len() {
            0..=ITEMS_MAX => Ok(digits(channels.into_iter().filter_map(|it| it.waba_number))),
            _ => Err(Trouble::Senseless),
        }
    }

    /// Registers a further webhook.
    ///
    /// # Errors
    /// Any [`Trouble`]; after [`Trouble::NoAnswer`] it may have been registered.
    pub(crate) async fn register(&self, webhook: &Webhook) -> Result<Refused, Trouble> {
        self.told(&["v2", "webhook", "register"], webhook).await
    }

    /// Makes the webhook of that id such as this.
    ///
    /// # Errors
    /// As [`Account::register`].
    pub(crate) async fn edit(&self, webhook: &Webhook) -> Result<Refused, Trouble> {
        self.told(&["v2", "webhook", &webhook.id], webhook).await
    }

    /// Removes the webhook of that id.
    ///
    /// # Errors
    /// As [`Account::register`].
    pub(crate) async fn remove(&self, webhook: &Webhook) -> Result<(), Trouble> {
        let body = json!({ "webhookId": webhook.id });
        self.send(Method::DELETE, &["v2", "webhook", "deregister"], Some(body)).await.map(drop)
    }

    async fn told(&self, path: &[&str], webhook: &Webhook) -> Result<Refused, Trouble> {
        let numbers: Vec<String> =
            webhook.numbers.iter().map(|number| format!("+{number}")).collect();
        let body = json!({
            "url": webhook.url, "method": "POST", "bodyFormat": "JSON", "retryOnTimeout": true,
            "name": webhook.name, "webhookEvents": webhook.events, "wabaNumbers": numbers,
        });
        let answered: Answered = self.call(Method::POST, path, Some(body)).await?;
        let pair = |it: Pair| (phone_digits(&it.waba_number).into(), it.webhook_event_type);
        Ok(Refused {
            numbers: digits(answered.invalid_waba_numbers),
            events: answered.invalid_webhooks.into_iter().map(pair).collect(),
        })
    }

    async fn call<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<T, Trouble> {
        let answer = self.send(method, path, body).await?;
        serde_json::from_slice(&answer).map_err(|_| Trouble::Senseless)
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<Vec<u8>, Trouble> {
        let url = outbound::below(&self.api, path);
        // The key goes in as it is, without a scheme.
        let mut request = self.http.request(method, url).header(AUTHORIZATION, self.key.clone());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut answer = request.send().await.map_err(|_| Trouble::NoAnswer)?;
        match answer.status().as_u16() {
            200..=299 => {}
            401 => return Err(Trouble::Key),
            403 => return Err(Trouble::Forbidden),
            429 => return Err(Trouble::Pace),
            status => return Err(Trouble::Status(status)),
        }
        let body = outbound::body(&mut answer, ANSWER_BYTES_MAX).await;
        let body = body.map_err(|_| Trouble::NoAnswer)?;
        if body.len() <= ANSWER_BYTES_MAX { Ok(body) } else { Err(Trouble::Senseless) }
    }
}

fn digits(numbers: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let digits = numbers.into_iter().map(|number| String::from(phone_digits(&number)));
    digits.filter(|number| !number.is_empty()).collect()
}
