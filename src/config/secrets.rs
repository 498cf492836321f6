//! The secrets that others present to us: the webhook's, and the page's where it has its own.

use secrecy::{ExposeSecret, SecretString};

use crate::config::Problems;

/// Shortest secret: 16 random letters and digits are beyond guessing.
const SECRET_CHARS_MIN: usize = 16;
/// The demo's secret once stood in the repository, so everybody knows it.
const DEMO_SECRET: &str = "demo-secret-0123456789";

const WEBHOOK: &str = "WEBHOOK_SECRET";
const PAGE: &str = "PAGE_SECRET";
const TOO_SHORT: &str = "must be at least 16 characters";
const GUESSABLE: &str =
    "must not be the demo's nor one character repeated: make one with openssl rand -hex 24";
const SPACES: &str = "must not contain spaces";

/// One, or two while one replaces the other.
pub(super) fn webhook_secrets(text: Option<&str>, problems: &mut Problems) -> Vec<SecretString> {
    let Some(text) = text else {
        problems.add(WEBHOOK, "is missing: at least 16 characters that nobody can guess");
        return Vec::new();
    };
    let secrets: Vec<&str> =
        text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
    if secrets.is_empty() || secrets.iter().any(|secret| is_short(secret)) {
        problems.add(
            WEBHOOK,
            match text.contains(',') {
                true => {
                    "must be at least 16 characters on each side of a comma: commas separate \
                     secrets, so none can be part of one"
                }
                false => TOO_SHORT,
            },
        );
    } else if secrets.iter().any(|secret| is_guessable(secret)) {
        problems.add(WEBHOOK, GUESSABLE);
    }
    if secrets.iter().any(|secret| has_spaces(secret)) {
        problems.add(WEBHOOK, SPACES);
    }
    secrets.into_iter().map(SecretString::from).collect()
}

/// What opens the page in place of those.
pub(super) fn page_secret(
    text: Option<&str>,
    webhook_secrets: &[SecretString],
    problems: &mut Problems,
) -> Option<SecretString> {
    let secret = text?.trim();
    let is_webhooks = webhook_secrets.iter().any(|other| other.expose_secret() == secret);
    let fault = if is_webhooks {
        Some(
            "must differ from WEBHOOK_SECRET: it is there so that the webhook's does not open the page",
        )
    } else if secret.contains(',') {
        Some("must be one secret, without a comma")
    } else if is_short(secret) {
        Some(TOO_SHORT)
    } else if is_guessable(secret) {
        Some(GUESSABLE)
    } else if has_spaces(secret) {
        Some(SPACES)
    } else {
        None
    };
    if let Some(fault) = fault {
        problems.add(PAGE, fault);
    }
    Some(SecretString::from(secret))
}

fn is_short(secret: &str) -> bool {
    secret.chars().count() < SECRET_CHARS_MIN
}

fn has_spaces(secret: &str) -> bool {
    secret.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn is_guessable(secret: &str) -> bool {
    let mut letters = secret.chars();
    let first = letters.next();
    secret == DEMO_SECRET || letters.all(|letter| Some(letter) == first)
}
