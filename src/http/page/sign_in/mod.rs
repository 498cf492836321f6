//! Signing in: with one of the webhook's secrets, or with the page's where it has its own.

pub(in crate::http::page) mod attempts;
pub(in crate::http::page) mod session;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use crate::chat::time::UnixMs;
use crate::http::Shared;
use crate::http::door::Ready;
use crate::http::kept::soon;
use crate::http::page::render::html::page;
use crate::http::page::sign_in::attempts::Client;
use crate::http::page::{clock, field, locked, read, see, see_with, sent, show};

/// POST /sign-in: a session for a secret.
pub(in crate::http::page) async fn sign_in(
    request: HttpRequest,
    payload: Payload,
    shared: Ready,
) -> HttpResponse {
    let body = match read(&request, payload).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let now = (shared.now)();
    // Looked at first, and however many wrong ones came before it.
    let secrets = shared.page.secret.as_ref().unwrap_or(&shared.secrets);
    if !secrets.opens(field(&body, "secret").unwrap_or_default().trim()) {
        return refuse(&shared, client(&request), now);
    }
    let session = shared.page.sessions.issue(clock(&shared));
    see_with("/?from=sign-in", session::signed_in(&session, &request))
}

/// POST /sign-out: the session is over, here at once, elsewhere and for good once the journal has it.
pub(in crate::http::page) async fn sign_out(
    request: HttpRequest,
    payload: Payload,
    shared: Ready,
) -> HttpResponse {
    let session = match sent(&request, payload, &shared).await {
        Ok((session, _)) => session,
        Err(refusal) => return refusal,
    };
    let (slot, until) = (session.slot(), session.end(clock(&shared)));
    shared.page.sessions.end(slot, until);
    let path = match soon(shared.journal.end_sessions(slot, until)).await {
        Some(Ok(())) => "/?from=sign-out",
        _ => "/?from=sign-out-here",
    };
    see_with(path, session::signed_out(&request))
}

fn refuse(shared: &Shared, client: Client, now: UnixMs) -> HttpResponse {
    let mut attempts = locked(&shared.page.attempts);
    let wait_ms = attempts.wait_ms(client, now);
    if wait_ms > 0 {
        shared.status.refused.add("sign_in_rate");
        let sentence = "Too many wrong secrets. Wait a minute, then try again.";
        let mut response = form(StatusCode::TOO_MANY_REQUESTS, shared, Some(Told::Bad(sentence)));
        let seconds = wait_ms.unsigned_abs().div_ceil(1_000);
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
        return response;
    }
    attempts.note(client, now);
    shared.status.refused.add("sign_in");
    // Told by the page that follows, which can be loaded again without sending the form again.
    see("/?from=wrong")
}

fn client(request: &HttpRequest) -> Client {
    let told = request.headers().get("fly-client-ip").and_then(|client| client.to_str().ok());
    Client::of(request.peer_addr().map(|peer| peer.ip()), told)
}

/// What to say above the form. Somebody who has just signed in and has no session has a browser that did
/// not keep the cookie.
pub(in crate::http::page) fn told(request: &HttpRequest, shared: &Shared) -> Option<Told> {
    Some(match request.query_string() {
        "from=wrong" => Told::Bad(match shared.page.secret {
            None => "That is not the webhook secret.",
            Some(_) => "That is not the page's secret.",
        }),
        "from=sign-in" => Told::Bad(
            "Your browser did not keep the sign-in. Open this page with https, or on the machine \
             itself as localhost, and allow its cookie.",
        ),
        "from=sign-out" => Told::Good("You are signed out."),
        "from=sign-out-here" => Told::Bad(
            "You are signed out here. The journal did not take it yet, so a copy of your session \
             could still be used at another instance, or here after a restart.",
        ),
        _ => return None,
    })
}

/// A sentence above the form.
pub(in crate::http::page) enum Told {
    Good(&'static str),
    Bad(&'static str),
}

/// The form, with a sentence where there is something to say.
pub(in crate::http::page) fn form(
    status: StatusCode,
    shared: &Shared,
    told: Option<Told>,
) -> HttpResponse {
    let has_own = shared.page.secret.is_some();
    let content = html! {
        main.narrow {
            h1 { "doubletick-sheets" }
            p {
                "Every WhatsApp chat that loses its agent becomes one row in your Google Sheet. This page \
                 sets it up and shows how it is."
            }
            @match told {
                Some(Told::Good(sentence)) => p.note role="status" { (sentence) },
                Some(Told::Bad(sentence)) => p.note.bad role="alert" { (sentence) },
                None => {},
            }
            form method="post" action="/sign-in" {
                label for="secret" { (if has_own { "Secret of this page" } else { "Webhook secret" }) }
                input #secret name="secret" type="password" required autofocus
                    autocomplete="current-password" aria-describedby="hint";
                p.hint #hint {
                    @if has_own {
                        "The " code { "PAGE_SECRET" } " that was set when the service was deployed. The \
                         webhook's secret does not open this page."
                    } @else {
                        "The " code { "WEBHOOK_SECRET" } " that was set when the service was deployed. It \
                         is also the end of the webhook address in DoubleTick."
                    }
                }
                button type="submit" { "Sign in" }
            }
        }
    };
    show(status, page(&Markup::default(), None, &content))
}

/// A page with one sentence.
pub(in crate::http::page) fn note(sentence: &str) -> Markup {
    let content = html! {
        main.narrow {
            h1 { "doubletick-sheets" }
            p.note.bad { (sentence) }
            p { a href="/" { "Back to the page" } }
        }
    };
    page(&Markup::default(), None, &content)
}
