//! The HTTP edge: from a request to a call, from an outcome to an answer or a cut connection.

mod calls;
mod methods;
#[cfg(test)]
mod tests;
mod wire;

use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL};
use actix_web::rt::{self, System};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;

use crate::FakeGoogle;
use crate::errors::Refused;
use crate::faults::TokenFault;
use crate::server::wire::Wire;
use crate::state::{Seen, Shared};
use crate::token;
use crate::view;
use crate::workload;

/// The most Google accepts, by its own error.
const BODY_BYTES_MAX: usize = 10_485_760;

/// What a request comes to.
enum Outcome {
    Ok(Value),
    Refused(Refused),
    /// No answer at all.
    Cut,
    /// The start of a good answer, then nothing.
    Half(Value),
    /// 200 and nonsense.
    Garbled,
}

/// What was asked, owned, so that it can outlive a caller who goes away.
struct Asked {
    method: String,
    path: String,
    query: String,
    bearer: Option<String>,
    body: web::Bytes,
}

impl Asked {
    fn query(&self) -> Vec<(String, String)> {
        pairs(&self.query)
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    web::Query::from_query(text).map(web::Query::into_inner).unwrap_or_default()
}

/// Serves on a thread of its own until the handle says stop.
pub(crate) fn start(listener: TcpListener, shared: Arc<Shared>) -> ServerHandle {
    let (tell, told) = mpsc::channel();
    let serve = move || {
        System::new().block_on(async move {
            let door = Arc::clone(&shared);
            let server = HttpServer::new(move || {
                App::new()
                    .app_data(web::Data::from(Arc::clone(&shared)))
                    .default_service(web::to(answer))
            })
            .on_connect(move |io, data| wire::keep(io, data, &door))
            .workers(2)
            .disable_signals()
            .shutdown_timeout(0)
            .listen(listener)
            .expect("a bound socket can be listened on")
            .run();
            tell.send(server.handle()).expect("the starter waits for the handle");
            server.await
        })
    };
    std::thread::Builder::new()
        .name("fake-google".to_owned())
        .spawn(serve)
        .expect("a thread can be started");
    told.recv().expect("the server starts")
}

async fn answer(
    request: HttpRequest,
    payload: web::Payload,
    shared: web::Data<Shared>,
) -> HttpResponse {
    let path = request.uri().path().to_owned();
    let query = request.query_string().to_owned();
    match (request.method().as_str(), path.as_str()) {
        ("GET", "/") => {
            return HttpResponse::Ok().content_type("text/html; charset=utf-8").body(view::PAGE);
        }
        ("GET", "/favicon.ico") => return HttpResponse::NoContent().finish(),
        ("GET", "/view.json") => {
            let view = view::json(shared.lock().book(&shared.spreadsheet_id));
            return HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(view);
        }
        _ => {}
    }
    if shared.lock().script.outage || request.conn_data::<Wire>().is_some_and(Wire::is_cut) {
        return wire::cut(request.conn_data::<Wire>());
    }
    let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let method = request.method().as_str().to_owned();
    let body = payload.to_bytes_limited(BODY_BYTES_MAX).await;
    let seen = Seen {
        method: method.clone(),
        path: path.clone(),
        query: query.clone(),
        at: Instant::now(),
        status: None,
        body_bytes: body
            .as_ref()
            .map_or(BODY_BYTES_MAX, |body| body.as_ref().map_or(0, web::Bytes::len)),
    };
    let place = shared.lock().note(seen);
    let outcome = match body {
        // A task of its own: what has reached Google is applied even if the caller hangs up meanwhile.
        Ok(Ok(body)) => {
            let asked = Asked { method, path, query, bearer, body };
            let work = rt::spawn(outcome(Arc::clone(&shared), asked));
            work.await.unwrap_or(Outcome::Cut)
        }
        Ok(Err(_)) => Outcome::Cut,
        Err(_) => Outcome::Refused(Refused::invalid(&format!(
            "Request payload size exceeds the limit: {BODY_BYTES_MAX} bytes."
        ))),
    };
    let status = match &outcome {
        Outcome::Ok(_) | Outcome::Half(_) | Outcome::Garbled => Some(200),
        Outcome::Refused(refused) => Some(refused.status),
        Outcome::Cut => None,
    };
    shared.lock().note_end(place, status);
    write(outcome, request.conn_data::<Wire>())
}

async fn outcome(shared: Arc<Shared>, asked: Asked) -> Outcome {
    let outcome = match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/token") => give_token(&shared, &asked).await,
        ("POST", path) if path.starts_with("/v1/") => {
            match workload::answer(&shared, path, asked.bearer.as_deref(), &asked.body).await {
                Some(Ok(answer)) => Outcome::Ok(answer),
                Some(Err(refused)) => Outcome::Refused(refused),
                None => Outcome::Refused(Refused { malformed: true, ..Refused::html(404) }),
            }
        }
        ("GET", "/own-token") => {
            let token = FakeGoogle::seen_from_inside(&shared).own_token();
            Outcome::Ok(serde_json::json!({ "value": token }))
        }
        _ => match calls::Call::parse(&asked) {
            Some(call) => call.outcome(&shared, &asked).await,
            None => Outcome::Refused(Refused { malformed: true, ..Refused::html(404) }),
        },
    };
    if let Outcome::Refused(refused) = &outcome
        && refused.malformed
    {
        let line =
            format!("{} {} -> {}: {}", asked.method, asked.path, refused.status, refused.body);
        shared.lock().invalid.push(line);
    }
    outcome
}

async fn give_token(shared: &Shared, asked: &Asked) -> Outcome {
    let fault = shared.lock().script.tokens.pop_front();
    match &fault {
        Some(TokenFault::Reset) => return Outcome::Cut,
        Some(TokenFault::Slow(wait)) => tokio::time::sleep(*wait).await,
        _ => {}
    }
    if let Some(answer) = fault.as_ref().and_then(token::fault_answer) {
        return Outcome::Refused(answer);
    }
    let form = pairs(std::str::from_utf8(&asked.body).unwrap_or_default());
    let token_url = format!("{}/token", shared.url);
    match token::grant(&mut shared.lock().tokens, &form, &token_url, &shared.client_email) {
        Err(refused) => Outcome::Refused(refused),
        Ok(mut answer) => {
            if let (Some(TokenFault::NoExpiry), Some(answer)) = (fault, answer.as_object_mut()) {
                answer.remove("expires_in");
            }
            Outcome::Ok(answer)
        }
    }
}

fn write(outcome: Outcome, wire: Option<&Wire>) -> HttpResponse {
    match outcome {
        Outcome::Ok(value) => HttpResponse::Ok().json(value),
        Outcome::Garbled => HttpResponse::Ok()
            .content_type("application/json; charset=UTF-8")
            .body("{\"replies\": [{\u{fffd}"),
        Outcome::Refused(refused) => {
            let status =
                StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = HttpResponse::build(status);
            response.content_type(refused.content_type);
            for header in refused.headers {
                response.insert_header(header);
            }
            response.body(refused.body)
        }
        Outcome::Cut => wire::cut(wire),
        Outcome::Half(value) => wire::cut_half_way(wire, &value.to_string()),
    }
}
