//! Keeping an open page up to date: server-sent events, each with the sections that have changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};

use crate::http::door::Ready;
use crate::http::page::render;
use crate::http::page::sign_in::session::Session;
use crate::http::page::streamed::{CutOff, Source, Streamed};
use crate::http::page::view::View;
use crate::http::page::{guarded, session};

/// How often we look whether anything has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Something is sent at least after so many looks, so that a proxy keeps the connection and we notice a
/// browser that is gone.
const SPEAK_EVERY: u32 = 15;
/// After how many looks a check is asked for again, once everything holds.
const TRY_EVERY: u32 = 60;
/// Most pages kept up to date at once.
const SEATS: usize = 16;

/// How many pages are being kept up to date.
#[derive(Debug, Default)]
pub(super) struct Seats(Arc<AtomicUsize>);

struct Seat(Arc<AtomicUsize>);

impl Seats {
    fn take(&self) -> Option<Seat> {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            (taken < SEATS).then_some(taken + 1)
        });
        taken.is_ok().then(|| Seat(Arc::clone(&self.0)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// GET /live: for a signed-in page, until the session ends or the service stops.
pub(super) async fn live(request: HttpRequest, shared: Ready) -> HttpResponse {
    let Some(session) = session(&request, &shared).await else {
        return guarded(StatusCode::UNAUTHORIZED).finish();
    };
    let Some(seat) = shared.page.live.take() else {
        let mut response = guarded(StatusCode::SERVICE_UNAVAILABLE);
        return response.insert_header((RETRY_AFTER, "30")).finish();
    };
    let source = Updates { shared, request, session, _seat: seat, told: BTreeMap::new(), looks: 0 };
    guarded(StatusCode::OK)
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/event-stream")
        .body(Streamed::of(source))
}

/// What has been told of each section so far.
struct Updates {
    shared: Ready,
    request: HttpRequest,
    session: Session,
    _seat: Seat,
    told: BTreeMap<&'static str, String>,
    looks: u32,
}

impl Source for Updates {
    /// Waits until there is something to say.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, CutOff> {
        let mut silent = 0;
        loop {
            if self.looks > 0 {
                let closed = self.shared.page.operator.closed();
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = closed => return Ok(None),
                }
            }
            if session(&self.request, &self.shared).await.is_none() {
                return Ok(None);
            }
            let news = self.look().await;
            silent += 1;
            if !news.is_empty() {
                let text = serde_json::to_string(&news).unwrap_or_default();
                return Ok(Some((Bytes::from(format!("data: {text}\n\n")), self)));
            }
            if silent >= SPEAK_EVERY {
                return Ok(Some((Bytes::from_static(b":\n\n"), self)));
            }
        }
    }
}

impl Updates {
    /// The sections that are not as they were told.
    async fn look(&mut self) -> BTreeMap<&'static str, String> {
        let operator = &self.shared.page.operator;
        let findings = operator.findings();
        if !findings.are_fresh((self.shared.now)())
            && (!findings.all_hold() || self.looks.is_multiple_of(TRY_EVERY))
        {
            operator.request_check();
        }
        self.looks = self.looks.wrapping_add(1).max(1);
        let view = View::gather(&self.shared).await;
        let mut sections = render::changing(&view, &self.shared, &self.session);
        sections.retain(|name, html| self.told.get(name) != Some(html));
        self.told.extend(sections.iter().map(|(name, html)| (*name, html.clone())));
        sections
    }
}
