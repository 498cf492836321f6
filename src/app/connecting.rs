//! Connecting: registers our address at DoubleTick, and says of each number whether its events arrive there.
//!
//! What is there is read first, and again afterwards: what is said is what DoubleTick has then. Nothing of
//! other addresses is ever touched. The secret of the address is in none of the sentences.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::app::checks::Report;
use crate::config::Config;
use crate::http::{WEBHOOK_PATH, webhook_path};
use crate::registration::{Account, Arrival, EVENTS, Refused, Step, Trouble, Webhook};
use crate::registration::{arrivals, plan};

/// What the lines on each number are called.
pub(super) const NUMBERS: &str = "events by number";
const CONNECT: &str = "connect";

/// What connecting needs.
#[derive(Debug)]
pub(super) struct Connecting {
    account: Account,
    /// The one to register first, then those that are still accepted.
    secrets: Vec<SecretString>,
}

/// What DoubleTick has.
struct Known {
    ours: Vec<Webhook>,
    /// Other hosts to which our secret is sent: other names of this service, or what it once was.
    elsewhere: BTreeSet<String>,
    numbers: BTreeSet<String>,
}

impl Connecting {
    /// `None` without a key.
    pub(super) fn new(config: &Config) -> Option<Result<Self, Trouble>> {
        let key = config.doubletick_api_key.as_ref()?;
        let api = Url::parse(&config.doubletick_api_url).ok()?;
        let secrets = config.webhook_secrets.clone();
        Some(Account::new(&api, key).map(|account| Self { account, secrets }))
    }

    /// Says of each number what arrives at `base`, the address under which we can be reached.
    pub(super) async fn look(&self, base: &str, report: &mut Report<'_>) {
        match self.known(base).await {
            Ok(known) => self.tell(&known, report),
            Err(trouble) => report.fails(NUMBERS, &trouble.to_string()),
        }
    }

    /// Makes the four events of all numbers arrive there, and says what came of it.
    pub(super) async fn connect(&self, base: &str, report: &mut Report<'_>) {
        if let Err(trouble) = self.try_connect(base, report).await {
            report.fails(CONNECT, &trouble.to_string());
        }
    }

    async fn try_connect(&self, base: &str, report: &mut Report<'_>) -> Result<(), Trouble> {
        let known = self.known(base).await?;
        // It may be a second name of ours, and then everything would come twice.
        if !known.elsewhere.is_empty() {
            self.tell(&known, report);
            return Ok(());
        }
        let url = self.url(base);
        let steps = plan(&known.ours, &known.numbers, &url, |it| self.is_older(base, it)).steps;
        if steps.is_empty() && !known.numbers.is_empty() {
            report.holds(CONNECT, "registered already; nothing was changed");
        }
        let is_changed = !steps.is_empty();
        for step in steps {
            let (refused, done) = match &step {
                Step::Register(webhook) => (self.account.register(webhook).await?, "registered"),
                Step::Edit(webhook) => (self.account.edit(webhook).await?, "changed"),
            };
            let (Step::Register(webhook) | Step::Edit(webhook)) = step;
            let numbers = webhook.numbers.difference(&refused.numbers).count();
            report.holds(CONNECT, &format!("{done}, for {numbers} numbers"));
            tell_refused(&refused, report);
        }
        let known = if is_changed { self.known(base).await? } else { known };
        self.tell(&known, report);
        Ok(())
    }

    /// Removes the webhooks of our address without which the others deliver the same. Each is said before.
    pub(super) async fn remove_duplicates(&self, base: &str, report: &mut Report<'_>) {
        if let Err(trouble) = self.try_remove(base, report).await {
            report.fails(CONNECT, &trouble.to_string());
        }
    }

    async fn try_remove(&self, base: &str, report: &mut Report<'_>) -> Result<(), Trouble> {
        let known = self.known(base).await?;
        let redundant = self.redundant(base, &known);
        if redundant.is_empty() {
            report.holds(CONNECT, "no duplicates; nothing was removed");
        }
        for webhook in &redundant {
            report.holds(CONNECT, &format!("removing {}", described(webhook)));
            self.account.remove(webhook).await?;
        }
        let known = if redundant.is_empty() { known } else { self.known(base).await? };
        self.tell(&known, report);
        Ok(())
    }

    async fn known(&self, base: &str) -> Result<Known, Trouble> {
        let (ours, others): (Vec<Webhook>, Vec<Webhook>) = self
            .account
            .webhooks()
            .await?
            .into_iter()
            .partition(|webhook| self.secret_of(base, webhook).is_some());
        let elsewhere = others.iter().filter_map(|webhook| {
            let url = Url::parse(&webhook.url).ok()?;
            let there = url.origin().ascii_serialization();
            self.secret_of(&there, webhook).map(|_| there)
        });
        let elsewhere = elsewhere.collect();
        Ok(Known { ours, elsewhere, numbers: self.account.numbers().await? })
    }

    fn redundant(&self, base: &str, known: &Known) -> Vec<Webhook> {
        plan(&known.ours, &known.numbers, &self.url(base), |it| self.is_older(base, it)).redundant
    }

    fn tell(&self, known: &Known, report: &mut Report<'_>) {
        if known.numbers.is_empty() {
            report.fails(
                NUMBERS,
                "DoubleTick shows no WhatsApp number to the owner of DOUBLETICK_API_KEY: set the key of \
                 somebody to whom all channels are assigned",
            );
        }
        for there in &known.elsewhere {
            report.fails(
                NUMBERS,
                &format!(
                    "DoubleTick sends to {there} with the secret of this service: if that is its address, \
                     set PUBLIC_URL to it; if not, delete that webhook in DoubleTick; then connect"
                ),
            );
        }
        for arrival in arrivals(&known.ours, &known.numbers) {
            tell_arrival(&arrival, report);
        }
    }

    fn url(&self, base: &str) -> String {
        let path = self.secrets.first().map(webhook_path).unwrap_or_default();
        format!("{base}{path}")
    }

    /// Which of our secrets it leads to us with; `None` where it leads elsewhere.
    fn secret_of(&self, base: &str, webhook: &Webhook) -> Option<usize> {
        let (base, url) = (Url::parse(base).ok()?, Url::parse(&webhook.url).ok()?);
        if base.origin() != url.origin() {
            return None;
        }
        let path = percent_decode_str(url.path()).decode_utf8_lossy();
        let before = percent_decode_str(base.path().trim_end_matches('/')).decode_utf8_lossy();
        let secret = path.strip_prefix(&*before)?.strip_prefix(WEBHOOK_PATH)?.strip_prefix('/')?;
        let is_it = |known: &SecretString| {
            let known = known.expose_secret();
            known == secret || secret.strip_suffix('/') == Some(known)
        };
        self.secrets.iter().position(is_it)
    }

    fn is_older(&self, base: &str, webhook: &Webhook) -> bool {
        self.secret_of(base, webhook).is_some_and(|which| which > 0)
    }
}

/// By which a person finds it in DoubleTick's list. The address has the secret.
fn described(webhook: &Webhook) -> String {
    let Webhook { id, name, events, numbers, .. } = webhook;
    let (events, numbers) = (Vec::from_iter(events.clone()), numbers.len());
    format!("`{name}` ({id}): {} of {numbers} numbers", events.join(", "))
}

fn tell_refused(refused: &Refused, report: &mut Report<'_>) {
    for number in &refused.numbers {
        report.fails(
            CONNECT,
            &format!(
                "DoubleTick refuses the number +{number}: look under Settings > Channels whether it is \
                 connected, then connect again"
            ),
        );
    }
    for (number, event) in &refused.events {
        report.fails(
            CONNECT,
            &format!(
                "DoubleTick refuses {event} of +{number}: ask its support, then connect again"
            ),
        );
    }
}

fn tell_arrival(arrival: &Arrival, report: &mut Report<'_>) {
    let Arrival { number, missing, doubled } = arrival;
    if missing.is_empty() && doubled.is_empty() {
        report.holds(NUMBERS, &format!("+{number}: all four arrive, once each"));
    }
    if missing.len() == EVENTS.len() {
        report.fails(NUMBERS, &format!("+{number}: nothing arrives: {HOW_TO_CONNECT}"));
    } else if !missing.is_empty() {
        let missing = missing.join(", ");
        report.fails(NUMBERS, &format!("+{number}: {missing} do not arrive: {HOW_TO_CONNECT}"));
    }
    if !doubled.is_empty() {
        let doubled = doubled.join(", ");
        report.fails(
            NUMBERS,
            &format!(
                "+{number}: {doubled} arrive more than once: run `doubletick-sheets connect \
                 --remove-duplicates`, or untick what is too much in DoubleTick"
            ),
        );
    }
}

const HOW_TO_CONNECT: &str = "press Connect on the page, or run `doubletick-sheets connect`";
