//! HTTP: the webhook that takes events, health and metrics, and the operator's page.
//!
//! Guarantees: the secret is compared before the body is read; a 2xx for an event is made only from
//! a receipt of the journal; nothing of a request is echoed or logged; requests wait for a journal that is not
//! open yet (`door`), and a stop loses none (`server`). Never talks to Google.

pub mod secret;
mod connection;
mod door;
mod health;
mod kept;
mod metrics;
mod page;
mod server;
mod webhook;
mod worker;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::chat::time::UnixMs;
pub use crate::http::door::Door;
use crate::http::door::Ready;
use crate::http::page::PageState;
use crate::http::secret::Secrets;
pub use crate::http::server::{Server, listen, serve};
use crate::http::webhook::UnrecognisedWarning;
use crate::journal::Journal;
use crate::operator::Operator;
use crate::status::Status;

/// The path under which events arrive; the secret follows it.
pub const WEBHOOK_PATH: &str = "/webhooks/doubletick";
/// How long requests in flight may take when the service stops, in seconds.
pub const STOP_BUDGET_S: u64 = 5;
/// How long a client may take over its request head.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);

/// The reason under which a request is counted that nearly had the webhook's address.
const WRONG_ADDRESS: &str = "wrong_address";
/// Characters that need no escape in an address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// How many parts of an address are compared with the secret.
const ADDRESS_PARTS_MAX: usize = 8;
/// What is said about them.
const MISDIRECTED: &str = "somebody sends to an address that is nearly the webhook's and is none of ours, \
     so those events are lost: paste the address that the page at / shows into DoubleTick";

/// What follows the host in the webhook's address. It holds the secret.
pub(crate) fn webhook_path(secret: &SecretString) -> String {
    format!("{WEBHOOK_PATH}/{}", utf8_percent_encode(secret.expose_secret(), PLAIN))
}

/// What the routes share.
#[derive(Debug)]
pub struct Shared {
    journal: Journal,
    status: Arc<Status>,
    secrets: Secrets,
    now: fn() -> UnixMs,
    page: PageState,
    unrecognised: UnrecognisedWarning,
}

impl Shared {
    pub(crate) fn new(
        journal: Journal,
        status: Arc<Status>,
        secrets: Secrets,
        page_secret: Option<Secrets>,
        operator: Arc<Operator>,
        now: fn() -> UnixMs,
    ) -> Self {
        let mut purpose = vec![b"sessions".as_slice()];
        let opens_page = page_secret.as_ref().unwrap_or(&secrets);
        purpose.extend(opens_page.fingerprints().iter().map(<[u8; 32]>::as_slice));
        let key = journal.key_for(&purpose);
        let page = PageState::new(operator, page_secret, &key);
        Self { journal, status, secrets, now, page, unrecognised: UnrecognisedWarning::default() }
    }
}

fn routes(service: &mut ServiceConfig) {
    service
        // A fixed path and what follows it: matching a pattern cost an eighth of a request's time.
        .service(web::scope(WEBHOOK_PATH).default_service(web::to(webhook::receive)))
        .service(readable("/healthz", health::healthz))
        .service(readable("/readyz", health::readyz))
        .service(readable("/metrics", metrics::metrics))
        .configure(page::routes)
        .default_service(web::to(not_found));
}

/// Something to look at, with GET; HEAD tells only that it is there.
fn readable<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    F::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    let other = || async {
        HttpResponse::MethodNotAllowed()
            .insert_header(("allow", "GET, HEAD"))
            .json(json!({ "error": "look at this with GET" }))
    };
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(other))
}

/// Any other address. One that was meant to be the webhook's is counted and warned of, because its events
/// are lost.
async fn not_found(request: HttpRequest, shared: Ready) -> HttpResponse {
    let path = request.path();
    let is_ours = path.to_ascii_lowercase().contains("doubletick")
        || path.split('/').take(ADDRESS_PARTS_MAX).any(|part| shared.secrets.opens(part));
    if request.method() == Method::POST && is_ours {
        if shared.status.refused.add(WRONG_ADDRESS) == 1 {
            log::warn!("{MISDIRECTED}");
        }
    } else {
        shared.status.refused.add("not_found");
    }
    HttpResponse::NotFound().json(json!({ "error": "there is nothing here" }))
}
