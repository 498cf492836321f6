//! What it means that a service account cannot be acted as without a key, by the step at which it ends. Pure.
//!
//! The sentences are ours. Of the answers only the codes and reasons are read: their words name people and tokens.

use std::path::Path;

use serde::Deserialize;

use crate::sheets::grant::TokenTrouble;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refused {
    /// A word of the token exchange.
    error: serde_json::Value,
    error_description: String,
}

fn operator(sentence: impl Into<String>) -> TokenTrouble {
    TokenTrouble::Operator(sentence.into())
}

fn temporary(sentence: &str) -> TokenTrouble {
    TokenTrouble::Temporary(sentence.to_owned())
}

pub(super) fn no_file() -> TokenTrouble {
    operator(
        "the file with this machine's own token (credential_source) cannot be read, or holds no token: see that \
         it is there and that whoever writes it runs",
    )
}

pub(super) fn no_socket(path: &Path) -> TokenTrouble {
    operator(format!(
        "this machine has no {}, from which a Fly machine gets its token: elsewhere set GOOGLE_CREDENTIALS_JSON \
         to a key or to a configuration of its own instead of GOOGLE_WORKLOAD_PROVIDER",
        path.display()
    ))
}

pub(super) fn unreadable() -> TokenTrouble {
    temporary("an answer on the way to a token cannot be read")
}

/// Whether this machine was given its own token.
pub(super) fn own(status: u16) -> Result<(), TokenTrouble> {
    match status {
        200..=299 => Ok(()),
        408 | 429 | 500.. => {
            Err(temporary("the service for this machine's own token is out of order"))
        }
        status => Err(operator(format!(
            "this machine is refused a token of its own ({status}): see credential_source, or on Fly whether the \
             organisation may have tokens"
        ))),
    }
}

/// What a refusal of the token exchange means.
pub(super) fn not_exchanged(status: u16, body: &[u8]) -> TokenTrouble {
    let refused: Refused = serde_json::from_slice(body).unwrap_or_default();
    let says = |words: &str| refused.error_description.contains(words);
    match (status, refused.error.as_str().unwrap_or_default()) {
        (408 | 429 | 500.., _) => temporary("Google's token exchange is out of order"),
        (_, "invalid_target") => operator(
            "Google does not know the provider: check GOOGLE_WORKLOAD_PROVIDER, or the audience of the \
             configuration, and that neither the pool nor the provider is disabled",
        ),
        (_, "unauthorized_client") => operator(
            "Google trusts the provider, but not this machine: check the provider's attribute condition",
        ),
        (_, "invalid_grant") if says("audience") => operator(
            "Google does not accept this machine's token, for it was made for somebody else: leave the \
             provider's allowed audiences at the default",
        ),
        _ => operator(
            "Google does not accept this machine's token: check that the provider's issuer is the one that \
             vouches for it (on Fly https://oidc.fly.io/ and the organisation's name)",
        ),
    }
}

/// What it means that the service account's token is not given.
pub(super) fn not_impersonated(status: u16, body: &[u8], account: &str) -> TokenTrouble {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Envelope {
        error: Inner,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Inner {
        details: Vec<serde_json::Value>,
    }
    let told: Envelope = serde_json::from_slice(body).unwrap_or_default();
    let gives = |reason: &str| {
        told.error.details.iter().any(|detail| detail.get("reason").is_some_and(|it| it == reason))
    };
    match status {
        408 | 429 | 500.. => temporary("Google's service for short-lived tokens is out of order"),
        403 if gives("SERVICE_DISABLED") => operator(
            "the IAM Service Account Credentials API is not enabled in the project: enable it at \
             https://console.cloud.google.com/apis/library/iamcredentials.googleapis.com and wait a few minutes",
        ),
        404 => operator(format!(
            "there is no service account {account}: check GOOGLE_SERVICE_ACCOUNT, or the configuration"
        )),
        _ => operator(format!(
            "Google does not let this machine act as {account}: give the pool's principal the role Workload \
             Identity User (roles/iam.workloadIdentityUser) on that service account"
        )),
    }
}
