//! The token endpoint: a signed assertion in, a bearer token out.
//!
//! The signature is not checked: the key is published with this crate. Everything else that Google would
//! refuse is refused.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::errors::Refused;
use crate::faults::TokenFault;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/spreadsheets";

const UNAUTHORIZED: &str = "Client is unauthorized to retrieve access tokens using this method, or client not \
                            authorized for any of the scopes requested.";
const CLOCK: &str = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
                     timeframe. Check your iat and exp values in the JWT claim.";

/// The tokens given out. Only their hashes are kept: what a caller sends is never at rest in clear.
#[derive(Debug)]
pub(crate) struct Tokens {
    valid_until: HashMap<u64, Instant>,
    /// Users in whose name the service account may act.
    pub(crate) delegates: HashSet<String>,
    pub(crate) lifetime: Duration,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            valid_until: HashMap::new(),
            delegates: HashSet::new(),
            lifetime: Duration::from_secs(3599),
        }
    }
}

impl Tokens {
    pub(crate) fn issue(&mut self) -> String {
        let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(40).collect();
        let token = format!("ya29.fake-{random}");
        self.valid_until.insert(hash(&token), Instant::now() + self.lifetime);
        token
    }

    pub(crate) fn accepts(&self, bearer: Option<&str>) -> bool {
        let until = bearer.and_then(|token| self.valid_until.get(&hash(token)));
        until.is_some_and(|until| Instant::now() < *until)
    }
}

pub(crate) fn hash(token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    scope: String,
    /// In whose name.
    sub: Option<String>,
    iat: i64,
    exp: i64,
}

/// Answers a form that asks for a token.
pub(crate) fn grant(
    tokens: &mut Tokens,
    form: &[(String, String)],
    token_url: &str,
    client_email: &str,
) -> Result<Value, Refused> {
    let field =
        |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match field("grant_type") {
        Some(GRANT) => {}
        Some(other) => {
            let message = format!("Invalid grant_type: {other}");
            return Err(malformed("unsupported_grant_type", &message));
        }
        None => {
            return Err(malformed("invalid_request", "Required parameter is missing: grant_type"));
        }
    }
    let parts: Vec<&str> = field("assertion").unwrap_or_default().split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return Err(malformed("invalid_grant", "Invalid JWT: it must have three parts."));
    };
    let header: Value = decode(header).unwrap_or_default();
    if header["alg"] != "RS256" || signature.is_empty() {
        return Err(malformed("invalid_grant", "Invalid JWT Signature."));
    }
    let Some(claims) = decode::<Claims>(claims) else {
        return Err(malformed("invalid_grant", "Invalid JWT: its claims cannot be read."));
    };
    if claims.iss != client_email {
        return Err(malformed("invalid_grant", "Invalid grant: account not found"));
    }
    if claims.aud != token_url {
        return Err(malformed("invalid_grant", "Invalid JWT: Failed audience check."));
    }
    if !claims.scope.split_whitespace().any(|scope| scope == SCOPE) {
        return Err(malformed(
            "invalid_scope",
            "Invalid OAuth scope or ID token audience provided.",
        ));
    }
    if claims.exp <= claims.iat || claims.exp - claims.iat > 3600 {
        return Err(malformed("invalid_grant", CLOCK));
    }
    if claims.sub.is_some_and(|user| !tokens.delegates.contains(&user)) {
        let body = json!({ "error": "unauthorized_client", "error_description": UNAUTHORIZED });
        return Err(Refused::json(401, &body));
    }
    let lifetime = tokens.lifetime.as_secs();
    Ok(json!({ "access_token": tokens.issue(), "expires_in": lifetime, "token_type": "Bearer" }))
}

fn oauth_error(error: &str, description: &str) -> Refused {
    Refused::json(400, &json!({ "error": error, "error_description": description }))
}

fn malformed(error: &str, description: &str) -> Refused {
    Refused { malformed: true, ..oauth_error(error, description) }
}

/// The answer of a fault that is an answer.
pub(crate) fn fault_answer(fault: &TokenFault) -> Option<Refused> {
    Some(match fault {
        TokenFault::InvalidGrantClock => oauth_error("invalid_grant", CLOCK),
        TokenFault::InvalidGrantSignature => oauth_error("invalid_grant", "Invalid JWT Signature."),
        TokenFault::AccountNotFound => {
            oauth_error("invalid_grant", "Invalid grant: account not found")
        }
        TokenFault::Json500 => Refused::json(500, &json!({ "error": { "code": 500 } })),
        TokenFault::EmptyObject => Refused::json(200, &json!({})),
        TokenFault::Html503 => Refused::html(503),
        TokenFault::Slow(_) | TokenFault::Reset | TokenFault::NoExpiry => return None,
    })
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&base64url(part)?).ok()
}

/// Base64 in the URL alphabet; padding is tolerated, for some clients send it.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for char in text.trim_end_matches('=').bytes() {
        let six = match char {
            b'A'..=b'Z' => char - b'A',
            b'a'..=b'z' => char - b'a' + 26,
            b'0'..=b'9' => char - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}
