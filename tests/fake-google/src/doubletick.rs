//! DoubleTick, as far as an address is registered there: its channels, and the webhooks of the account.
//!
//! As documented, and as seen of it: registering adds a webhook even where the same one exists, lists are
//! answered with 201, numbers are shown without a `+`, and neither the method nor the choice to be called
//! again after a timeout is shown.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::rt::System;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

/// The key that is accepted, raw in the header.
const KEY: &str = "key_of-the-tests";

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubleTickFault {
    /// None: it goes through.
    Nothing,
    /// Nothing is done.
    Status(u16),
    /// It is done, and the answer says that it was not.
    DoneAnd502,
    /// 200 with an error inside; nothing is done.
    ErrorInside,
    /// A list of which the types are not the documented ones.
    WrongTypes,
    /// The answer ends in the middle.
    Cut,
}

#[derive(Debug, Default)]
struct State {
    numbers: Vec<String>,
    refused: Vec<String>,
    webhooks: Vec<Value>,
    calls: Vec<String>,
    faults: VecDeque<DoubleTickFault>,
    made: usize,
}

/// It stops when this is dropped.
#[derive(Debug)]
pub struct FakeDoubleTick {
    url: String,
    state: Arc<Mutex<State>>,
    server: ServerHandle,
}

impl Drop for FakeDoubleTick {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeDoubleTick {
    /// An account with these channels, in digits.
    pub fn start(numbers: &[&str]) -> Self {
        let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
        let state = Arc::new(Mutex::new(State { numbers, ..State::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (tell, told) = mpsc::channel();
        let shared = Arc::clone(&state);
        let serve = move || {
            System::new().block_on(async move {
                let app = move || {
                    let shared = web::Data::from(Arc::clone(&shared));
                    App::new().app_data(shared).default_service(web::to(answer))
                };
                let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0);
                let server = server.listen(listener).expect("a bound socket can be listened on");
                let server = server.run();
                tell.send(server.handle()).expect("the starter waits for the handle");
                server.await
            })
        };
        std::thread::spawn(serve);
        Self { url, state, server: told.recv().expect("the server starts") }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key that it accepts.
    pub fn key(&self) -> &'static str {
        KEY
    }

    /// It takes no webhooks for that number.
    pub fn refuse_number(&self, number: &str) {
        locked(&self.state).refused.push(number.to_owned());
    }

    /// What happens to the next calls that have no fault yet, one each.
    pub fn fail_next(&self, faults: &[DoubleTickFault]) {
        locked(&self.state).faults.extend(faults);
    }

    /// A person fills in the form.
    pub fn add_webhook(&self, url: &str, name: &str, events: &[&str], numbers: &[&str]) {
        let mut state = locked(&self.state);
        let webhook = json!({ "url": url, "name": name, "webhookEvents": events });
        let numbers: Vec<String> = numbers.iter().map(|number| (*number).to_owned()).collect();
        state.add(&webhook, &numbers, None);
    }

    /// The webhooks as they are, with what is not shown of them.
    pub fn webhooks(&self) -> Vec<Value> {
        locked(&self.state).webhooks.clone()
    }

    /// What changed something, or tried to: method and path.
    pub fn changes(&self) -> Vec<String> {
        let calls = locked(&self.state).calls.clone();
        calls.into_iter().filter(|call| !call.starts_with("GET")).collect()
    }
}

impl State {
    fn add(&mut self, asked: &Value, numbers: &[String], id: Option<&str>) {
        let id = id.map_or_else(
            || {
                self.made += 1;
                format!("webhook_{}", self.made)
            },
            str::to_owned,
        );
        let webhook = json!({
            "webhookId": id, "url": asked["url"], "eventTypes": asked["webhookEvents"],
            "wabaNumbers": numbers, "integrationCount": 1, "createdBy": "admin",
            "name": asked["name"], "retryOnTimeout": asked["retryOnTimeout"],
        });
        match self.webhooks.iter_mut().find(|known| known["webhookId"] == id) {
            Some(known) => *known = webhook,
            None => self.webhooks.push(webhook),
        }
    }

    /// Registers, or edits the webhook of that id.
    fn register(&mut self, asked: &Value, id: Option<&str>) -> (u16, Value) {
        let texts = |name: &str| -> Option<Vec<String>> {
            let items = asked[name].as_array()?.iter();
            items.map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let (Some(events), Some(numbers)) = (texts("webhookEvents"), texts("wabaNumbers")) else {
            return bad_request();
        };
        let is_known = |id: &str| self.webhooks.iter().any(|known| known["webhookId"] == id);
        let is_whole = ["url", "method", "name"].iter().all(|name| asked[*name].is_string());
        let is_long = |number: &String| (10..=15).contains(&number.len());
        if !is_whole || !numbers.iter().all(is_long) || id.is_some_and(|id| !is_known(id)) {
            return bad_request();
        }
        let digits = |number: &String| number.trim_start_matches('+').to_owned();
        let (bad, good): (Vec<String>, Vec<String>) = numbers
            .iter()
            .map(digits)
            .partition(|number| self.refused.contains(number) || !self.numbers.contains(number));
        self.add(asked, &good, id);
        let pair = |number: &String, event: &String| json!({ "wabaNumber": number, "webhookEventType": event });
        let valid: Vec<Value> = good
            .iter()
            .flat_map(|number| events.iter().map(move |event| pair(number, event)))
            .collect();
        (201, json!({ "validWebhooks": valid, "invalidWebhooks": [], "invalidWabaNumbers": bad }))
    }

    fn answer(&mut self, method: &str, path: &str, asked: &Value) -> (u16, Value) {
        match (method, path) {
            ("GET", "/organization/channel/profile") => {
                let mut channels: Vec<Value> = self
                    .numbers
                    .iter()
                    .map(|number| json!({ "channelId": "intg_1", "wabaNumber": number, "status": "CONNECTED" }))
                    .collect();
                // One that has no number yet.
                channels
                    .push(json!({ "channelId": "intg_2", "wabaNumber": null, "profile": null }));
                (200, json!({ "count": channels.len(), "channels": channels }))
            }
            ("GET", "/v2/webhooks") => {
                let mut shown = self.webhooks.clone();
                shown.iter_mut().filter_map(Value::as_object_mut).for_each(|webhook| {
                    webhook.remove("retryOnTimeout");
                });
                (201, Value::Array(shown))
            }
            ("POST", "/v2/webhook/register") => self.register(asked, None),
            ("DELETE", "/v2/webhook/deregister") => {
                self.webhooks.retain(|webhook| webhook["webhookId"] != asked["webhookId"]);
                (201, json!({}))
            }
            ("POST", path) if let Some(id) = path.strip_prefix("/v2/webhook/") => {
                self.register(asked, Some(id))
            }
            _ => (404, json!({ "statusCode": 404, "message": "Not Found" })),
        }
    }
}

fn bad_request() -> (u16, Value) {
    (400, json!({ "statusCode": 400, "message": "Bad Request", "error": "Error Text" }))
}

async fn answer(
    request: HttpRequest,
    body: web::Bytes,
    state: web::Data<Mutex<State>>,
) -> HttpResponse {
    let key = request.headers().get("authorization").and_then(|key| key.to_str().ok());
    let (status, answer) = if key != Some(KEY) {
        (401, json!({ "statusCode": 401, "message": "Invalid public api key" }))
    } else {
        let asked = serde_json::from_slice(&body).unwrap_or_default();
        let (method, path) = (request.method().as_str(), request.path());
        let mut state = locked(&state);
        state.calls.push(format!("{method} {path}"));
        match state.faults.pop_front() {
            Some(DoubleTickFault::Status(status)) => (status, json!({ "statusCode": status })),
            Some(DoubleTickFault::DoneAnd502) => {
                state.answer(method, path, &asked);
                (502, json!({}))
            }
            Some(DoubleTickFault::ErrorInside) => (200, bad_request().1),
            Some(DoubleTickFault::WrongTypes) => {
                let one =
                    json!({ "webhookId": 7, "url": null, "eventTypes": "ALL", "wabaNumbers": {} });
                (200, json!([one]))
            }
            Some(DoubleTickFault::Cut) => {
                let (_, whole) = state.answer(method, path, &asked);
                let text = whole.to_string();
                return HttpResponse::Ok().body(text[..text.len() / 2].to_owned());
            }
            Some(DoubleTickFault::Nothing) | None => state.answer(method, path, &asked),
        }
    };
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK)).json(answer)
}
