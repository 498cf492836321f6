//! Rows set aside, for the operator: tried again, or handed out whole.

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

/// POST /set-aside/retry: one row by its number, or all.
pub(super) async fn retry(request: HttpRequest, payload: Payload, shared: Ready) -> HttpResponse {
    let body = match sent(&request, payload, &shared).await {
        Ok((_, body)) => body,
        Err(refusal) => return refusal,
    };
    let number = field(&body, "number").map(|number| number.parse());
    let Ok(number) = number.transpose() else { return see("/?said=nothing#how") };
    see(match shared.journal.retry_set_aside(number, &Progress::default()).await {
        Ok(retried) if retried.rows > 0 => "/?said=retried#how",
        Ok(retried) if retried.later == 0 => "/?said=nothing#how",
        Ok(_) | Err(_) => "/?said=later#how",
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
