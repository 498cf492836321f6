//! Sessions: a cookie that proves that a secret was presented, and does not contain it.
//!
//! It says until when it holds, and carries a keyed hash of that. The key is derived from the journal's
//! own and from the secrets. So a restart signs nobody out, and a change of the secrets everybody. Every
//! form of the page carries a second hash, so that no other site can send one.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HOST, HeaderValue, ORIGIN};
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::chat::time::UnixMs;
use crate::http::connection::Connection;

/// How long a session holds: a working day.
const SESSION_S: i64 = 12 * 3_600;
const COOKIE_NAME: &str = "doubletick_sheets";

/// Issues sessions and recognises them.
pub(in crate::http::page) struct Sessions(hmac::Key);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(<secret>)")
    }
}

/// Proof that a request comes from somebody who signed in.
#[derive(Clone)]
pub(in crate::http::page) struct Session(String);

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(<secret>)")
    }
}

impl Sessions {
    pub(in crate::http::page) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    pub(in crate::http::page) fn issue(&self, now: UnixMs) -> Session {
        let until_s = now.0 / 1_000 + SESSION_S;
        let hash = self.hash("session", &until_s.to_string());
        Session(format!("{until_s}.{hash}"))
    }

    /// The session that a request carries, if it holds.
    pub(in crate::http::page) fn of(&self, request: &HttpRequest, now: UnixMs) -> Option<Session> {
        let cookies = request.headers().get_all(COOKIE).filter_map(|line| line.to_str().ok());
        let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|one| one.split_once('='));
        let value = pairs.into_iter().find(|(name, _)| name.trim() == COOKIE_NAME)?.1.trim();
        if !self.holds(value, now) {
            return None;
        }
        Connection::trust(request);
        Some(Session(value.to_owned()))
    }

    fn holds(&self, value: &str, now: UnixMs) -> bool {
        let Some((until, hash)) = value.split_once('.') else { return false };
        let is_ours = is_same(hash, &self.hash("session", until));
        let left_s = until.parse::<i64>().map_or(0, |until_s| until_s - now.0 / 1_000);
        is_ours && (1..=SESSION_S).contains(&left_s)
    }

    /// What every form of this session carries.
    pub(in crate::http::page) fn form_token(&self, session: &Session) -> String {
        self.hash("form", &session.0)
    }

    /// Whether a form was made for this session.
    pub(in crate::http::page) fn made(&self, token: &str, session: &Session) -> bool {
        is_same(token, &self.form_token(session))
    }

    fn hash(&self, purpose: &str, text: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{purpose} {text}").as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn is_same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

pub(in crate::http::page) fn signed_in(
    session: &Session,
    request: &HttpRequest,
) -> Option<HeaderValue> {
    cookie(&session.0, SESSION_S, request)
}

pub(in crate::http::page) fn signed_out(request: &HttpRequest) -> Option<HeaderValue> {
    cookie("", 0, request)
}

fn cookie(value: &str, seconds: i64, request: &HttpRequest) -> Option<HeaderValue> {
    // A browser keeps a Secure cookie from http addresses other than this machine's, where there is
    // no one to listen in.
    let secure = if is_loopback(request) { "" } else { "; Secure" };
    let text = format!(
        "{COOKIE_NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    HeaderValue::from_str(&text).ok()
}

/// The host that the browser asked for.
pub(in crate::http::page) fn host(request: &HttpRequest) -> &str {
    request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// Whether the browser runs on this machine.
pub(in crate::http::page) fn is_loopback(request: &HttpRequest) -> bool {
    let host = host(request);
    let name = host.strip_suffix(|c: char| c.is_ascii_digit()).map_or(host, |_| {
        host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name)
    });
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// Whether a form comes from a page of ours, as far as the browser says.
pub(in crate::http::page) fn is_from_here(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match header(ORIGIN.as_str()) {
        // A client that sends none is no browser, and has nobody's cookie.
        None => true,
        Some(origin) => origin.split_once("://").is_some_and(|(_, rest)| rest == host(request)),
    }
}
