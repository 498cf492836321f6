//! Health and readiness: whether events can be taken, and how the sheet is. No personal data, no secret.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use crate::http::Shared;
use crate::http::door::{Door, Ready};
use crate::http::kept::Kept;

/// 200 while the process serves: also while it waits for its journal, and not from the moment it stops.
pub(super) async fn healthz(door: Data<Door>) -> HttpResponse {
    match door.is_stopping() {
        true => HttpResponse::ServiceUnavailable().json(json!({ "status": "stopping" })),
        false => HttpResponse::Ok().json(json!({ "status": "ok" })),
    }
}

/// 200 while events can be accepted. A broken sheet is told here, and is no reason to refuse events.
pub(super) async fn readyz(shared: Ready) -> HttpResponse {
    let sheet = shared.status.sheet();
    let tally = shared.journal.tally();
    let now = (shared.now)();
    let kept = Kept::ask(&shared, now).await;
    let sheets: Vec<Value> = shared
        .status
        .sheets()
        .iter()
        .map(|(name, state)| {
            json!({
                "name": name,
                "sheet": state.word(),
                "detail": state.sentence(),
                "warning": shared.status.warning(name),
            })
        })
        .collect();
    let (trouble, asking) = (trouble(&shared, &kept), shared.status.asking());
    let ready = trouble.is_none();
    let body = json!({
        "ready": ready,
        "sheet": sheet.word(),
        "detail": sheet.sentence(),
        "sheets": sheets,
        "journal": {
            "engine": shared.journal.engine(),
            "copies": kept.copies(),
            "taking": ready,
            "detail": trouble.unwrap_or_else(|| "events are taken".to_owned()),
            "warnings": shared.journal.warnings(),
        },
        "asking": { "state": asking.word(), "detail": asking.sentence() },
        "forwards": shared.status.forwards(),
        "alarm": shared.status.alarm(),
        "pending_rows": tally.pending(),
        "pending_handovers": tally.handovers_pending(),
        "oldest_pending_seconds": kept.oldest_pending_s(now),
        "set_aside_rows": tally.set_aside,
        "unrecognised": tally.unrecognised,
    });
    if ready {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}

/// Why no event can be taken, in a sentence.
fn trouble(shared: &Shared, kept: &Kept) -> Option<String> {
    let silent = || {
        matches!(kept, Kept::Failed).then(|| "the journal does not answer: see the log".to_owned())
    };
    shared.journal.condition().map(|condition| condition.to_string()).or_else(silent)
}
