//! Who may come in: the secret in the address or the `Authorization` header, and at the page the one in its form.
//!
//! DoubleTick lets its users configure that header and does not send it, so the address has to serve.
//! Secrets are compared in constant time, before the body is read.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

/// The secrets that are accepted: usually one, and two while one replaces the other.
pub struct Secrets(Vec<[u8; 32]>);

/// Proof that a request presented a secret.
#[derive(Debug)]
pub(super) struct Verified(());

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Accepts any of these.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        Self(secrets.into_iter().map(|secret| fingerprint(secret.expose_secret())).collect())
    }

    /// Verifies the secret in the address, or the one in the header where the address has none.
    pub(super) fn verify(&self, request: &HttpRequest) -> Option<Verified> {
        let behind = request.match_info().unprocessed();
        let presented = match behind.strip_prefix('/').unwrap_or(behind) {
            "" => bearer(request)?,
            secret => secret,
        };
        // The router leaves some characters of an address encoded; a secret may contain them.
        let decoded = percent_decode_str(presented).decode_utf8_lossy();
        let unslashed = presented.strip_suffix('/').unwrap_or(presented);
        let others = [&*decoded, unslashed].into_iter().filter(|other| *other != presented);
        let readings: Vec<[u8; 32]> =
            [presented].into_iter().chain(others).map(fingerprint).collect();
        self.hold_any(&readings).then_some(Verified(()))
    }

    /// Whether this is one of them.
    pub(super) fn opens(&self, presented: &str) -> bool {
        self.hold_any(&[fingerprint(presented)])
    }

    /// Hashes of the secrets, which change with them and do not reveal them.
    pub(super) fn fingerprints(&self) -> &[[u8; 32]] {
        &self.0
    }

    /// Compares all of them, so that the time it takes does not tell which one was close.
    fn hold_any(&self, readings: &[[u8; 32]]) -> bool {
        let pairs = self.0.iter().flat_map(|known| readings.iter().map(move |read| (known, read)));
        let any = pairs.fold(Choice::from(0), |any, (known, read)| any | known.ct_eq(read));
        bool::from(any)
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
}

/// A hash, so that secrets of any length are compared in the same time.
fn fingerprint(secret: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    bytes
}
