//! The webhook: verify, bound, parse, keep, and only then answer 200.
//!
//! Nothing here talks to Google, and nothing of a body is echoed or logged. Where the sender hangs up, the
//! handler is dropped half-way. That loses nothing: what the journal was given it keeps, and a resend is
//! recognised.

pub(in crate::http) mod body;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use actix_web::http::header::{ACCEPT_ENCODING, ALLOW, ContentType, HeaderValue, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use crate::chat::recognise::{Recognised, recognise};
use crate::http::Shared;
use crate::http::connection::Connection;
use crate::http::door::Ready;
use crate::http::webhook::body::Fault;
use crate::journal::{Receipt, Refusal, Standing};

/// After how many seconds a refused sender should try again.
const RETRY_AFTER_S: u32 = 5;
/// The same where the journal is full: it takes a minute's writes at least to make room.
const RETRY_AFTER_FULL_S: u32 = 60;

/// Longest event name that is looked at.
const EVENT_NAME_CHARS_MAX: usize = 100;

/// Takes one event, with POST.
pub(in crate::http) async fn receive(
    request: HttpRequest,
    payload: Payload,
    shared: Ready,
) -> HttpResponse {
    let started = Instant::now();
    if request.method() != Method::POST {
        return wrong_method(&shared);
    }
    let Some(verified) = shared.secrets.verify(&request) else {
        shared.status.refused.add("secret");
        return refusal(StatusCode::UNAUTHORIZED, "the secret is missing or wrong");
    };
    Connection::trust(&request);
    let value = match body::read(&verified, &request, payload).await {
        Ok(bytes) => body::parse(&request, bytes).await,
        Err(fault) => Err(fault),
    };
    let response = match value {
        Ok(value) => take(&shared, value, announced(&request)).await,
        Err(fault) => refuse_body(&shared, &fault),
    };
    if response.status().is_success() {
        shared.status.acks.observe(started.elapsed());
    }
    response
}

fn wrong_method(shared: &Shared) -> HttpResponse {
    shared.status.refused.add("method");
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "send events with POST");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

async fn take(shared: &Ready, value: Value, announced: Option<String>) -> HttpResponse {
    let now = (shared.now)();
    match recognise(&value, announced.as_deref(), now) {
        Recognised::Event(event) => {
            match shared.door.unless_stopped(shared.journal.accept(*event, now)).await {
                Some(Ok(receipt)) => acknowledged(&receipt),
                Some(Err(refusal)) => unavailable(shared, &refusal),
                None => stopped(shared),
            }
        }
        Recognised::Ignored(family) => {
            shared.status.ignored.add(family);
            let reason = format!("{family} events are not acted on");
            HttpResponse::Ok().json(json!({ "status": "ignored", "reason": reason }))
        }
        Recognised::Unrecognised => {
            let body = value.to_string().into_bytes();
            let kept = shared.journal.keep_unrecognised(body, announced, now);
            match shared.door.unless_stopped(kept).await {
                Some(Ok(())) => {
                    shared.unrecognised.warn();
                    HttpResponse::Ok().json(json!({ "status": "unrecognised" }))
                }
                Some(Err(refusal)) => unavailable(shared, &refusal),
                None => stopped(shared),
            }
        }
    }
}

/// The only 2xx for an event. It can be called only with a receipt of the journal.
fn acknowledged(receipt: &Receipt) -> HttpResponse {
    let status = match receipt.standing() {
        Standing::Accepted => "accepted",
        Standing::Duplicate => "duplicate",
    };
    // Neither of the two needs escaping.
    let answer = format!("{{\"status\":\"{status}\",\"event_id\":\"{}\"}}", receipt.event_id());
    HttpResponse::Ok().content_type(ContentType::json()).body(answer)
}

fn unavailable(shared: &Shared, refused: &Refusal) -> HttpResponse {
    let (reason, seconds) = match refused {
        Refusal::Full => ("full", RETRY_AFTER_FULL_S),
        Refusal::Failed(_) => ("journal", RETRY_AFTER_S),
    };
    log::debug!("refused an event: {refused}");
    come_again(shared, reason, seconds)
}

/// The service stops before the journal has answered. What it was given it may still keep; a resend is
/// recognised then.
fn stopped(shared: &Shared) -> HttpResponse {
    come_again(shared, "stopping", RETRY_AFTER_S)
}

fn come_again(shared: &Shared, reason: &'static str, seconds: u32) -> HttpResponse {
    shared.status.refused.add(reason);
    let mut response =
        refusal(StatusCode::SERVICE_UNAVAILABLE, "the event cannot be kept now, send it again");
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

fn refuse_body(shared: &Shared, fault: &Fault) -> HttpResponse {
    let (status, reason) = match fault {
        Fault::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "size"),
        Fault::TooSlow => (StatusCode::REQUEST_TIMEOUT, "slow"),
        Fault::Compressed => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding"),
        _ => (StatusCode::BAD_REQUEST, "body"),
    };
    shared.status.refused.add(reason);
    let mut response = refusal(status, &fault.to_string());
    if matches!(fault, Fault::Compressed) {
        // How a sender is told what it may use (RFC 7694).
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    response
}

fn refusal(status: StatusCode, sentence: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "error": sentence }))
}

/// The event's name in the address, `?event=…`.
fn announced(request: &HttpRequest) -> Option<String> {
    form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(name, _)| name == "event")
        .map(|(_, value)| value.chars().take(EVENT_NAME_CHARS_MAX).collect())
}

/// Warns of unrecognised bodies, once a minute at most.
#[derive(Debug, Default)]
pub(in crate::http) struct UnrecognisedWarning(Mutex<(Option<Instant>, u64)>);

impl UnrecognisedWarning {
    fn warn(&self) {
        let mut held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (last, unsaid) = &mut *held;
        *unsaid += 1;
        if last.is_none_or(|last| last.elapsed() > Duration::from_secs(60)) {
            log::warn!(
                bodies = *unsaid;
                "received bodies of no shape that this version knows; they are kept for a later one"
            );
            (*last, *unsaid) = (Some(Instant::now()), 0);
        }
    }
}
