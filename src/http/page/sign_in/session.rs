//! Sessions: a cookie that proves that a secret was presented, and does not contain it.
//!
//! It says until when it holds, and carries a keyed hash of that. The key is derived from the journal's
//! own and from the secrets. So a restart signs nobody out, and a change of the secrets everybody. Every
//! form of the page carries a second hash, so that no other site can send one.
//!
//! A session that was signed out is refused, though its cookie was copied: the journal tells every process
//! ([`crate::journal::Journal::end_sessions`]), and each remembers what it was told last.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HOST, HeaderValue, ORIGIN};
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::chat::time::UnixMs;
use crate::http::connection::Connection;

/// How long a session holds: a working day.
const SESSION_MS: i64 = 12 * 3_600_000;
/// How far the clock of another process may be ahead of ours.
const AHEAD_MS: i64 = 60_000;
/// How many slots there are: as many as a byte of the hash can tell.
const SLOTS: usize = 256;
const COOKIE_NAME: &str = "doubletick_sheets";

/// Issues sessions and recognises them.
pub(in crate::http::page) struct Sessions {
    key: hmac::Key,
    /// Of each slot, until when those issued in it are over, as far as it is known here.
    ended: [AtomicI64; SLOTS],
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(<secret>)")
    }
}

/// Proof that a request comes from somebody who signed in.
#[derive(Clone)]
pub(in crate::http::page) struct Session {
    /// What the cookie holds.
    value: String,
    issued_at: UnixMs,
    slot: u8,
}

impl Session {
    pub(in crate::http::page) fn slot(&self) -> u8 {
        self.slot
    }

    /// Until when those of its slot are to be ended, so that it is over at `now` by whatever clock it was issued.
    pub(in crate::http::page) fn end(&self, now: UnixMs) -> UnixMs {
        self.issued_at.max(now)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(<secret>)")
    }
}

impl Sessions {
    pub(in crate::http::page) fn new(key: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        Self { key, ended: std::array::from_fn(|_| AtomicI64::new(i64::MIN)) }
    }

    pub(in crate::http::page) fn issue(&self, now: UnixMs) -> Session {
        let until_ms = now.0 + SESSION_MS;
        let hash = self.hash("session", &until_ms.to_string());
        Session { value: format!("{until_ms}.{hash}"), issued_at: now, slot: slot(&hash) }
    }

    /// The session that a request carries, if it holds and is not known to be over.
    pub(in crate::http::page) fn of(&self, request: &HttpRequest, now: UnixMs) -> Option<Session> {
        let cookies = request.headers().get_all(COOKIE).filter_map(|line| line.to_str().ok());
        let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|one| one.split_once('='));
        let value = pairs.into_iter().find(|(name, _)| name.trim() == COOKIE_NAME)?.1.trim();
        let session = self.read(value, now)?;
        Connection::trust(request);
        (!self.is_over(&session)).then_some(session)
    }

    fn read(&self, value: &str, now: UnixMs) -> Option<Session> {
        let (until, hash) = value.split_once('.')?;
        if !is_same(hash, &self.hash("session", until)) {
            return None;
        }
        let until = UnixMs(until.parse().ok()?);
        let holds = (1..=SESSION_MS + AHEAD_MS).contains(&until.since_ms(now));
        let issued_at = until.plus_ms(-SESSION_MS);
        holds.then(|| Session { value: value.to_owned(), issued_at, slot: slot(hash) })
    }

    /// Notes that those of a slot that were issued until then are over.
    pub(in crate::http::page) fn end(&self, slot: u8, until: UnixMs) {
        self.ended[usize::from(slot)].fetch_max(until.0, Ordering::Relaxed);
    }

    /// Whether it was ended, as far as it is known here.
    pub(in crate::http::page) fn is_over(&self, session: &Session) -> bool {
        session.issued_at.0 <= self.ended[usize::from(session.slot)].load(Ordering::Relaxed)
    }

    /// What every form of this session carries.
    pub(in crate::http::page) fn form_token(&self, session: &Session) -> String {
        self.hash("form", &session.value)
    }

    /// Whether a form was made for this session.
    pub(in crate::http::page) fn made(&self, token: &str, session: &Session) -> bool {
        is_same(token, &self.form_token(session))
    }

    fn hash(&self, purpose: &str, text: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{purpose} {text}").as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The slot that a session falls into, by its hash.
fn slot(hash: &str) -> u8 {
    hash.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

fn is_same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

pub(in crate::http::page) fn signed_in(
    session: &Session,
    request: &HttpRequest,
) -> Option<HeaderValue> {
    cookie(&session.value, SESSION_MS / 1_000, request)
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
