//! What an access token is for, and why there is none.

/// What a token is asked for: to read and write spreadsheets.
pub(super) const SCOPE: &[&str] = &["https://www.googleapis.com/auth/spreadsheets"];

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
    /// Not the JSON of a configuration for workload identity.
    #[error(
        "is not a configuration for workload identity as Google makes it (JSON with audience, \
         subject_token_type, token_url, service_account_impersonation_url, credential_source)"
    )]
    NotAConfiguration,
    /// The machine's own token comes from somewhere that we do not know.
    #[error(
        "has a credential_source that this version does not know: use one with a file or a url, or a key"
    )]
    CredentialSource,
    /// One of its addresses cannot be used.
    #[error("has an address that is no http or https address")]
    Addresses,
    /// Whose tokens they would be cannot be said.
    #[error(
        "has a service_account_impersonation_url that names no service account: make the configuration with \
         one, for a spreadsheet is shared with an e-mail address"
    )]
    ImpersonationUrl,
    /// Both at once are not possible.
    #[error("is no key, and in the name of a user (GOOGLE_IMPERSONATE) only a key can act")]
    NoKeyToImpersonate,
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

/// Whether this can stand in a header.
pub(super) fn is_a_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
