//! The operator's page at `/`: setting up, how it is, and what can be done about it.
//!
//! Guarantees: without a session there is nothing but the sign-in form; no address holds a secret; only
//! forms that this page made are accepted; patients' data is only in what is exported on purpose. It
//! loads nothing from elsewhere and works without JavaScript, which only keeps it up to date.

mod live;
mod render;
mod set_aside;
mod sign_in;
mod streamed;
mod test_event;
mod view;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ContentType, LOCATION, SET_COOKIE};
use actix_web::web::{self, Bytes, Payload, ServiceConfig};
use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, HttpResponseBuilder, Resource, Responder,
};
use maud::Markup;

use crate::chat::time::UnixMs;
use crate::http::connection::Connection;
use crate::http::door::Ready;
use crate::http::kept::soon;
use crate::http::page::sign_in::attempts::Attempts;
use crate::http::page::sign_in::session::{Session, Sessions, host, is_from_here};
use crate::http::page::test_event::TestEvent;
use crate::http::page::view::View;
use crate::http::secret::Secrets;
use crate::http::{Shared, readable};
use crate::operator::Operator;

/// Nothing is loaded from elsewhere, nothing stands inline, and no site may put the page into a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Largest form read; the longest field is a secret.
const FORM_BYTES_MAX: usize = 4 * 1_024;
const FORM_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the page waits for a check. What comes later is shown later.
const LOOK_TIME_MAX: Duration = Duration::from_millis(1_500);
/// How long it waits for DoubleTick.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);

/// What names end with that only a network of its own knows.
const PRIVATE_NAMES: [&str; 6] = ["internal", "local", "localhost", "lan", "home", "test"];

/// What the page's handlers share.
#[derive(Debug)]
pub(super) struct PageState {
    operator: Arc<Operator>,
    /// What signs in; `None` where the webhook's secrets do.
    secret: Option<Secrets>,
    sessions: Sessions,
    attempts: Mutex<Attempts>,
    test_event: Mutex<Option<TestEvent>>,
    live: live::Seats,
}

impl PageState {
    pub(super) fn new(
        operator: Arc<Operator>,
        secret: Option<Secrets>,
        session_key: &[u8; 32],
    ) -> Self {
        Self {
            operator,
            secret,
            sessions: Sessions::new(session_key),
            attempts: Mutex::default(),
            test_event: Mutex::default(),
            live: live::Seats::default(),
        }
    }
}

/// What is held is valid also after a panic elsewhere.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn routes(service: &mut ServiceConfig) {
    service
        .service(readable("/", home))
        .service(form("/sign-in", sign_in::sign_in))
        .service(form("/sign-out", sign_in::sign_out))
        .service(form("/check", check))
        .service(form("/connect", connect))
        .service(form("/test", test_event::send))
        .service(form("/set-aside/retry", set_aside::retry))
        .service(readable("/set-aside.csv", set_aside::csv))
        .service(readable("/set-aside.json", set_aside::json))
        .service(web::resource("/live").route(web::get().to(live::live)));
    let files: [(&str, &str, &str); 3] = [
        ("/page.css", "text/css; charset=utf-8", include_str!("page.css")),
        ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
        ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ];
    for (path, content_type, text) in files {
        let file = move || async move {
            // Asked for anew by each page, so that page and files are of one version.
            let mut response = guarded(StatusCode::OK);
            response.insert_header((CACHE_CONTROL, "no-cache")).content_type(content_type);
            response.body(text)
        };
        service.service(readable(path, file));
    }
}

/// Where a form is sent: POST only.
fn form<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    F::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    let other = || async {
        guarded(StatusCode::METHOD_NOT_ALLOWED).insert_header(("allow", "POST")).finish()
    };
    web::resource(path).route(web::post().to(handler)).default_service(web::to(other))
}

/// GET /: the page, or the sign-in form.
async fn home(request: HttpRequest, shared: Ready) -> HttpResponse {
    let Some(session) = session(&request, &shared).await else {
        return sign_in::form(StatusCode::OK, &shared, sign_in::told(&request, &shared));
    };
    if sign_in::told(&request, &shared).is_some() {
        // It came true: the address must not say it again once the session is over.
        return see("/");
    }
    let operator = &shared.page.operator;
    note_address(&request, operator);
    operator.fresh_findings((shared.now)(), LOOK_TIME_MAX).await;
    let view = View::gather(&shared).await;
    let said = said(&request);
    show(StatusCode::OK, render::whole(&view, operator.about(), &shared, &session, &request, said))
}

/// What stands in the page's place while it waits for the journal.
pub(super) fn closed(sentence: &str) -> HttpResponse {
    show(StatusCode::SERVICE_UNAVAILABLE, sign_in::note(sentence))
}

/// POST /check: asks for a check.
async fn check(request: HttpRequest, payload: Payload, shared: Ready) -> HttpResponse {
    if let Err(refusal) = sent(&request, payload, &shared).await {
        return refusal;
    }
    shared.page.operator.request_check();
    see("/#set-up")
}

/// POST /connect: asks for the registration of our address at DoubleTick.
async fn connect(request: HttpRequest, payload: Payload, shared: Ready) -> HttpResponse {
    if let Err(refusal) = sent(&request, payload, &shared).await {
        return refusal;
    }
    note_address(&request, &shared.page.operator);
    shared.page.operator.connect(CONNECT_TIME_MAX).await;
    see("/#connect")
}

/// Where the browser reaches us by a name that all of the internet knows, DoubleTick does, too.
fn note_address(request: &HttpRequest, operator: &Operator) {
    let host = host(request);
    let name = host.split(':').next().unwrap_or_default();
    let is_public = name.rsplit_once('.').is_some_and(|(_, top)| {
        top.chars().all(|c| c.is_ascii_alphabetic()) && !PRIVATE_NAMES.contains(&top)
    });
    if is_public {
        operator.note_address(format!("https://{host}"));
    }
}

/// What the page says because of its address. Only these sentences can be put on it that way.
fn said(request: &HttpRequest) -> Option<&'static str> {
    match request.query_string() {
        "said=retried" => Some("Those rows are on their way again."),
        "said=later" => Some("Some rows could not be tried again yet. Try again in a minute."),
        "said=waiting" => Some(
            "The journal has not answered yet. Those rows may still go on their way: look again in a minute.",
        ),
        "said=nothing" => Some("There was nothing to try again."),
        "said=test" => Some("A test event is on its way already."),
        "said=full" => Some("No event can be taken now. The status says why."),
        _ => None,
    }
}

/// The session of a request, if it holds and was not ended, here or elsewhere. Where the journal does not answer, what it
/// said last counts.
async fn session(request: &HttpRequest, shared: &Shared) -> Option<Session> {
    let sessions = &shared.page.sessions;
    let session = sessions.of(request, clock(shared))?;
    if let Some(Ok(Some(until))) = soon(shared.journal.sessions_ended(session.slot())).await {
        sessions.end(session.slot(), until);
    }
    (!sessions.is_over(&session)).then_some(session)
}

/// The time that sessions are dated by: the same on every instance.
fn clock(shared: &Shared) -> UnixMs {
    shared.journal.clock((shared.now)())
}

/// A form that a signed-in operator sent from our page.
async fn sent(
    request: &HttpRequest,
    payload: Payload,
    shared: &Shared,
) -> Result<(Session, Bytes), HttpResponse> {
    let Some(session) = session(request, shared).await else {
        return Err(see("/"));
    };
    let body = read(request, payload).await?;
    match field(&body, "token") {
        Some(token) if shared.page.sessions.made(&token, &session) => Ok((session, body)),
        _ => Err(foreign()),
    }
}

/// The body of a form, if it comes from a page of ours.
async fn read(request: &HttpRequest, payload: Payload) -> Result<Bytes, HttpResponse> {
    if !is_from_here(request) {
        return Err(foreign());
    }
    let body = tokio::time::timeout(FORM_TIME_MAX, payload.to_bytes_limited(FORM_BYTES_MAX)).await;
    match body {
        Ok(Ok(Ok(body))) => {
            Connection::body_was_read(request);
            Ok(body)
        }
        _ => Err(show(StatusCode::BAD_REQUEST, sign_in::note("That form could not be read."))),
    }
}

fn foreign() -> HttpResponse {
    let sentence = "That form was not made by this page. Go back, load the page again and retry.";
    show(StatusCode::FORBIDDEN, sign_in::note(sentence))
}

fn field(body: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(body)
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.into_owned())
}

/// A page that must not be cached: it shows how things are now.
fn show(status: StatusCode, html: Markup) -> HttpResponse {
    let mut response = guarded(status);
    response.insert_header((CACHE_CONTROL, "no-store")).content_type(ContentType::html());
    response.body(html.into_string())
}

/// Sends the browser to another page, with GET.
fn see(path: &str) -> HttpResponse {
    guarded(StatusCode::SEE_OTHER).insert_header((LOCATION, path)).finish()
}

/// What every answer of the page has in common.
fn guarded(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header(("content-security-policy", POLICY))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("x-frame-options", "DENY"))
        .insert_header(("referrer-policy", "same-origin"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .insert_header(("cross-origin-resource-policy", "same-origin"));
    response
}

/// The same, with a cookie.
fn see_with(path: &str, cookie: Option<actix_web::http::header::HeaderValue>) -> HttpResponse {
    let mut response = see(path);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
