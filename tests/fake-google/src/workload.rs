//! Acting as the service account without a key: the machine's own token over a socket, its exchange for a
//! federated one, and the account's own token for that.

use std::collections::{HashMap, VecDeque};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::{App, HttpResponse, HttpServer, web};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::FakeGoogle;
use crate::errors::Refused;
use crate::state::{Seen, Shared, State};
use crate::token::{SCOPE, hash};

/// The provider that vouches for the machine.
const AUDIENCE: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/fly/providers/fly";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Fly's tokens live ten minutes.
const OWN_LIFETIME: Duration = Duration::from_secs(600);

/// One of the three steps to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkloadStep {
    OwnToken,
    Exchange,
    Impersonation,
}

/// What happens to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadFault {
    /// Refused in Google's words, or Fly's.
    Denied,
    Unavailable503,
    /// 200 with something that is no token.
    Garbled,
    Slow(Duration),
}

/// The tokens given out, by their hashes.
#[derive(Debug, Default)]
pub(crate) struct Workload {
    /// For whom, and until when.
    own: HashMap<u64, (String, Instant)>,
    federated: HashMap<u64, Instant>,
    faults: HashMap<WorkloadStep, VecDeque<WorkloadFault>>,
}

/// A socket as a Fly machine has one; it is closed when this is dropped.
#[derive(Debug)]
pub struct FlySocket(ServerHandle);

impl Drop for FlySocket {
    fn drop(&mut self) {
        drop(self.0.stop(false));
    }
}

impl FakeGoogle {
    /// Opens a socket that gives a machine its own token.
    pub fn fly_socket(&self, path: &Path) -> FlySocket {
        let listener = UnixListener::bind(path).expect("the path is free");
        let shared = Arc::clone(&self.shared);
        let (tell, told) = mpsc::channel();
        let serve = move || {
            System::new().block_on(async move {
                let app = move || {
                    App::new()
                        .app_data(web::Data::from(Arc::clone(&shared)))
                        .route("/v1/tokens/oidc", web::post().to(own_token))
                };
                let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0);
                let server =
                    server.listen_uds(listener).expect("a bound socket can be listened on");
                let server = server.run();
                tell.send(server.handle()).expect("the starter waits for the handle");
                server.await
            })
        };
        std::thread::spawn(serve);
        FlySocket(told.recv().expect("the server starts"))
    }

    /// A configuration to act as the service account, with the machine's own token from there.
    pub fn workload_json(&self, credential_source: &Value) -> String {
        let (url, account) = (self.url(), self.client_email());
        let configuration = json!({
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": JWT,
            "token_url": format!("{url}/v1/token"),
            "service_account_impersonation_url":
                format!("{url}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"),
            "credential_source": credential_source,
        });
        configuration.to_string()
    }

    /// A token of the machine's own, as a third party gives it.
    pub fn own_token(&self) -> String {
        self.shared.lock().workload.own_token(&format!("https:{AUDIENCE}"))
    }

    /// What happens to the next step of that kind that has no fault yet.
    pub fn fail_next_step(&self, step: WorkloadStep, fault: WorkloadFault) {
        self.shared.lock().workload.faults.entry(step).or_default().push_back(fault);
    }
}

impl Workload {
    fn own_token(&mut self, audience: &str) -> String {
        let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(40).collect();
        let token = format!("eyJmYWtl.own-{random}.c2ln");
        let until = Instant::now() + OWN_LIFETIME;
        self.own.insert(hash(&token), (audience.to_owned(), until));
        token
    }

    fn fault(&mut self, step: WorkloadStep) -> Option<WorkloadFault> {
        self.faults.get_mut(&step)?.pop_front()
    }
}

async fn own_token(body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let fault = shared.lock().workload.fault(WorkloadStep::OwnToken);
    let seen = Seen {
        method: "POST".to_owned(),
        path: "/v1/tokens/oidc".to_owned(),
        query: String::new(),
        at: Instant::now(),
        status: None,
        body_bytes: body.len(),
    };
    shared.lock().note(seen);
    match fault {
        Some(WorkloadFault::Denied) => return HttpResponse::Forbidden().body("not for this app"),
        Some(WorkloadFault::Unavailable503) => return HttpResponse::ServiceUnavailable().finish(),
        Some(WorkloadFault::Garbled) => return HttpResponse::Ok().body("no token, sorry"),
        Some(WorkloadFault::Slow(wait)) => tokio::time::sleep(wait).await,
        None => {}
    }
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let audience = asked["aud"].as_str().unwrap_or_default();
    HttpResponse::Ok().body(shared.lock().workload.own_token(audience))
}

/// What the other two steps give; `None` where this is none of them.
pub(crate) async fn answer(
    shared: &Shared,
    path: &str,
    bearer: Option<&str>,
    body: &[u8],
) -> Option<Result<Value, Refused>> {
    let of_account =
        format!("/v1/projects/-/serviceAccounts/{}:generateAccessToken", shared.client_email);
    let step = match path {
        "/v1/token" => WorkloadStep::Exchange,
        path if path == of_account => WorkloadStep::Impersonation,
        _ => return None,
    };
    let fault = shared.lock().workload.fault(step);
    match fault {
        Some(WorkloadFault::Denied) => return Some(Err(denied(step))),
        Some(WorkloadFault::Unavailable503) => return Some(Err(Refused::unavailable())),
        Some(WorkloadFault::Garbled) => return Some(Ok(json!({ "access_token": 7 }))),
        Some(WorkloadFault::Slow(wait)) => tokio::time::sleep(wait).await,
        None => {}
    }
    let state = &mut *shared.lock();
    Some(match step {
        WorkloadStep::Impersonation => impersonated(state, bearer, body),
        _ => exchanged(&mut state.workload, body),
    })
}

/// Both quote what must not be passed on.
fn denied(step: WorkloadStep) -> Refused {
    match step {
        WorkloadStep::Impersonation => Refused::new(
            403,
            "PERMISSION_DENIED",
            "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        ),
        _ => oauth(
            "unauthorized_client",
            "The given credential is rejected by the attribute condition.",
        ),
    }
}

fn oauth(error: &str, description: &str) -> Refused {
    Refused::json(400, &json!({ "error": error, "error_description": description }))
}

fn exchanged(workload: &mut Workload, body: &[u8]) -> Result<Value, Refused> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let form = web::Query::<Vec<(String, String)>>::from_query(text);
    let form = form.map(web::Query::into_inner).unwrap_or_default();
    let field = |name: &str| {
        let found = form.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let malformed = |what: &str| Refused { malformed: true, ..oauth("invalid_request", what) };
    for (name, expected) in [
        ("grant_type", GRANT),
        ("subject_token_type", JWT),
        ("requested_token_type", ACCESS_TOKEN),
        ("scope", PLATFORM),
    ] {
        if field(name) != expected {
            return Err(malformed(&format!("Invalid value for \"{name}\".")));
        }
    }
    if field("audience") != AUDIENCE {
        return Err(oauth(
            "invalid_target",
            "The target service indicated by the \"audience\" is invalid.",
        ));
    }
    let Some((audience, until)) = workload.own.get(&hash(field("subject_token"))) else {
        return Err(oauth(
            "invalid_grant",
            "The ID Token cannot be parsed or its signature is invalid.",
        ));
    };
    if *until <= Instant::now() {
        return Err(oauth("invalid_grant", "ID Token has expired."));
    }
    if *audience != format!("https:{AUDIENCE}") {
        return Err(oauth(
            "invalid_grant",
            "The audience in ID Token does not match the expected audience.",
        ));
    }
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(40).collect();
    let token = format!("ya29.federated-{random}");
    workload.federated.insert(hash(&token), Instant::now() + Duration::from_secs(3_600));
    Ok(json!({
        "access_token": token, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
        "expires_in": 3_600,
    }))
}

fn impersonated(state: &mut State, bearer: Option<&str>, body: &[u8]) -> Result<Value, Refused> {
    let until = bearer.and_then(|token| state.workload.federated.get(&hash(token)));
    if until.is_none_or(|until| *until <= Instant::now()) {
        return Err(Refused::unauthenticated());
    }
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    if asked["scope"] != json!([SCOPE]) || asked["lifetime"] != "3600s" {
        let what = "Invalid scope or lifetime.";
        return Err(Refused { malformed: true, ..Refused::invalid(what) });
    }
    let lifetime = state.tokens.lifetime;
    let expire_time = Timestamp::now() + lifetime;
    Ok(json!({ "accessToken": state.tokens.issue(), "expireTime": expire_time.to_string() }))
}
