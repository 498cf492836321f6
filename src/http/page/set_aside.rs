//! Rows set aside, for the operator: tried again, or handed out whole.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::http::Shared;
use crate::http::door::Ready;
use crate::http::page::streamed::{CutOff, Source, Streamed};
use crate::http::page::{field, guarded, see, sent, session};
use crate::journal::export::{Export, Format};
use crate::progress::Progress;

/// Longest that whoever presses the button is kept waiting.
const RETRY_TIME_MAX: Duration = Duration::from_secs(5);

/// POST /set-aside/retry: one row by its number, or all.
pub(super) async fn retry(request: HttpRequest, payload: Payload, shared: Ready) -> HttpResponse {
    let body = match sent(&request, payload, &shared).await {
        Ok((_, body)) => body,
        Err(refusal) => return refusal,
    };
    let number = field(&body, "number").map(|number| number.parse());
    let Ok(number) = number.transpose() else { return see("/?said=nothing#how") };
    let progress = Progress::default();
    let retried = shared.journal.retry_set_aside(number, &progress);
    see(match tokio::time::timeout(RETRY_TIME_MAX, retried).await {
        Ok(Ok(retried)) if retried.rows > 0 => "/?said=retried#how",
        Ok(Ok(retried)) if retried.later == 0 => "/?said=nothing#how",
        Ok(_) => "/?said=later#how",
        // The database is away, or there are very many: it is done when it can be.
        Err(_) => "/?said=waiting#how",
    })
}

/// GET /set-aside.csv.
pub(super) async fn csv(request: HttpRequest, shared: Ready) -> HttpResponse {
    hand_out(&request, &shared, Format::Csv).await
}

/// GET /set-aside.json.
pub(super) async fn json(request: HttpRequest, shared: Ready) -> HttpResponse {
    hand_out(&request, &shared, Format::Json).await
}

async fn hand_out(request: &HttpRequest, shared: &Shared, format: Format) -> HttpResponse {
    if session(request, shared).await.is_none() {
        return see("/");
    }
    let (content_type, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "set-aside.csv"),
        Format::Json => ("application/json", "set-aside.json"),
    };
    guarded(StatusCode::OK)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .content_type(content_type)
        .body(Streamed::of(Export::new(shared.journal.clone(), format)))
}

impl Source for Export {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, CutOff> {
        let part = self.next_part().await.map_err(|_| CutOff)?;
        Ok(part.map(|part| (Bytes::from(part), self)))
    }
}
