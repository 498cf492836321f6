//! The door: whether requests can be served already, and whether they still are.
//!
//! The server listens before the journal is open, since a sender may try only once: requests wait here until it
//! is, for a while. When the service stops, whoever is still waiting for an answer gets one in time.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse};
use serde_json::json;
use tokio::sync::watch;

use crate::http::Shared;

/// Longest that a request waits for the journal to be opened, as long as for one that is away.
const WAIT_MAX: Duration = Duration::from_secs(25);
/// When the service stops, whoever has no answer by then is told to come again.
const STOPPED_FOR_MAX: Duration = Duration::from_secs(2);
/// After how many seconds to come again, who was told so here.
const RETRY_AFTER_S: u32 = 5;

/// Where requests wait until they can be served. Cheap to share.
#[derive(Clone, Debug)]
pub struct Door(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: OnceLock<Arc<Shared>>,
    /// What is waited for, a sentence.
    waits_for: String,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open,
    Stopping,
}

/// What is to be done with a request before it is served.
#[derive(Debug)]
pub(super) enum Admission {
    Served,
    Waits,
    /// Told at once what is waited for: it asks how the service is.
    Told(String),
}

impl Door {
    /// A closed one, and what it waits for: a sentence that anybody may read.
    pub fn closed(waits_for: String) -> Self {
        let (state, _) = watch::channel(State::Closed);
        Self(Arc::new(Inner { shared: OnceLock::new(), waits_for, state }))
    }

    /// From now on requests are served, those first that wait. It is opened once.
    pub fn open(&self, shared: Shared) {
        if self.0.shared.set(Arc::new(shared)).is_ok() {
            self.0.state.send_if_modified(|state| {
                let is_closed = *state == State::Closed;
                if is_closed {
                    *state = State::Open;
                }
                is_closed
            });
        }
    }

    /// The service stops.
    pub(super) fn stop(&self) {
        self.0.state.send_replace(State::Stopping);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.0.state.borrow() == State::Stopping
    }

    /// What is to be done with a request for this path.
    pub(super) fn admission(&self, path: &str) -> Admission {
        if self.0.shared.get().is_some() {
            return Admission::Served;
        }
        match path {
            "/" | "/readyz" | "/metrics" => Admission::Told(self.0.waits_for.clone()),
            // These need nothing of what is shared.
            "/healthz" | "/page.css" | "/page.js" | "/icon.svg" => Admission::Served,
            _ => Admission::Waits,
        }
    }

    /// Waits until requests are served.
    ///
    /// # Errors
    /// An answer that says to come again, where that takes too long or the service stops.
    pub(super) async fn opened(&self) -> Result<(), Error> {
        let mut state = self.0.state.subscribe();
        let changed = state.wait_for(|state| *state != State::Closed);
        match tokio::time::timeout(WAIT_MAX, changed).await {
            Ok(Ok(state)) if *state == State::Open => Ok(()),
            _ => Err(refused()),
        }
    }

    /// What comes of it, unless the service stops meanwhile and it takes too long.
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let stopped = async {
            let mut state = self.0.state.subscribe();
            drop(state.wait_for(|state| *state == State::Stopping).await);
            tokio::time::sleep(STOPPED_FOR_MAX).await;
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = stopped => None,
        }
    }
}

fn refused() -> Error {
    let mut answer = HttpResponse::build(StatusCode::SERVICE_UNAVAILABLE);
    answer.insert_header((RETRY_AFTER, RETRY_AFTER_S.to_string()));
    let answer = answer.json(json!({ "error": "the event cannot be kept now, send it again" }));
    InternalError::from_response("not open yet", answer).into()
}

/// What the routes share, for a request that is served.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    shared: Arc<Shared>,
    pub(super) door: Data<Door>,
}

impl Deref for Ready {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl FromRequest for Ready {
    type Error = Error;
    type Future = std::future::Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let door = request.app_data::<Data<Door>>();
        let ready = door.and_then(|door| {
            let (shared, door) = (Arc::clone(door.0.shared.get()?), Data::clone(door));
            Some(Self { shared, door })
        });
        std::future::ready(ready.ok_or_else(refused))
    }
}
