//! Health, readiness and metrics: what the service says of itself. No personal data, no secret.

use std::fmt::Write;

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use crate::http::Door;
use crate::status::ACK_BOUNDS_US;

/// 200 while the process serves.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// 200 when events can be accepted. A broken sheet is told, and no reason to refuse events.
pub(super) async fn readyz(door: Data<Door>) -> HttpResponse {
    let sheet = door.status.sheet();
    let tally = door.journal.tally();
    let oldest = oldest_pending_s(&door).await;
    let sheets: Vec<Value> = door
        .status
        .sheets()
        .iter()
        .map(|(name, state)| {
            json!({
                "name": name,
                "sheet": state.word(),
                "detail": state.sentence(),
                "warning": door.status.warning(name),
            })
        })
        .collect();
    let trouble = trouble(&door, oldest.is_some());
    let ready = trouble.is_none();
    let body = json!({
        "ready": ready,
        "sheet": sheet.word(),
        "detail": sheet.sentence(),
        "sheets": sheets,
        "journal": {
            "taking": ready,
            "detail": trouble.unwrap_or_else(|| "events are taken".to_owned()),
            "warnings": door.journal.warnings(),
        },
        "alarm": door.status.alarm(),
        "pending_rows": tally.pending(),
        "pending_handovers": tally.handovers_pending(),
        "oldest_pending_seconds": oldest.unwrap_or_default(),
        "set_aside_rows": tally.set_aside,
        "unrecognised": tally.unrecognised,
    });
    if ready {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}

/// Why no event can be taken, a sentence.
fn trouble(door: &Door, is_answering: bool) -> Option<String> {
    let silent = || (!is_answering).then(|| "the journal does not answer: see the log".to_owned());
    door.journal.condition().map(|condition| condition.to_string()).or_else(silent)
}

/// `None` when the journal does not answer.
async fn oldest_pending_s(door: &Door) -> Option<i64> {
    let oldest = door.journal.oldest_pending().await.ok()?;
    Some(oldest.map_or(0, |oldest| ((door.now)().since_ms(oldest) / 1_000).max(0)))
}

/// Prometheus text. accepted = written + pending + set aside, at any scrape: all four come from one
/// committed tally.
pub(super) async fn metrics(door: Data<Door>) -> HttpResponse {
    let tally = door.journal.tally();
    let mut page = Page(String::new());
    page.one("accepted_total", "counter", "Unassignments acknowledged as new.", tally.accepted);
    page.one("duplicate_total", "counter", "Resends recognised.", tally.duplicate);
    page.one("remembered_total", "counter", "Other events kept.", tally.remembered);
    page.one("unrecognised_total", "counter", "Bodies of no known shape.", tally.unrecognised);
    page.one("written_total", "counter", "Rows known to be in the sheet.", tally.written);
    page.one("pending", "gauge", "Rows still to be written.", tally.pending());
    page.one("set_aside", "gauge", "Rows refused for their content.", tally.set_aside);
    page.one("handovers_total", "counter", "Waits that ended.", tally.handovers);
    page.one(
        "handovers_written_total",
        "counter",
        "Handovers known to be in the sheet.",
        tally.handovers_written,
    );
    let pending = tally.handovers_pending();
    page.one("handovers_pending", "gauge", "Handovers still to be written.", pending);
    page.one(
        "handovers_set_aside",
        "gauge",
        "Handovers refused for their content.",
        tally.handovers_set_aside,
    );
    page.one("waiting", "gauge", "Chats that wait for an agent.", door.journal.waiting());
    let oldest = oldest_pending_s(&door).await.unwrap_or(-1);
    page.one("oldest_pending_seconds", "gauge", "Age of the oldest pending row.", oldest);
    let taking = u8::from(door.journal.condition().is_none());
    page.one("taking", "gauge", "1 while events can be taken.", taking);
    let alarm = u8::from(door.status.alarm().is_some());
    page.one("alarm", "gauge", "1 while a human must act or rows wait for too long.", alarm);
    page.head("ignored_total", "counter", "Events not acted on, by family.");
    for (family, count) in door.status.ignored() {
        page.line("ignored_total", &format!("{{family=\"{family}\"}}"), count);
    }
    page.head("refused_total", "counter", "Requests refused, by reason.");
    for (reason, count) in door.status.refused() {
        page.line("refused_total", &format!("{{reason=\"{reason}\"}}"), count);
    }
    page.head("name_lookups_total", "counter", "Lookups of customers' names, by outcome.");
    for (outcome, count) in door.status.lookups() {
        page.line("name_lookups_total", &format!("{{outcome=\"{outcome}\"}}"), count);
    }
    page.head("google_calls_total", "counter", "Calls to Google, by call and outcome.");
    for ((call, outcome), count) in door.status.google_calls() {
        let labels = format!("{{call=\"{call}\",outcome=\"{outcome}\"}}");
        page.line("google_calls_total", &labels, count);
    }
    page.head("sheet_state", "gauge", "1 for the state that the sheet is in.");
    page.line("sheet_state", &format!("{{state=\"{}\"}}", door.status.sheet().word()), 1);
    page.acks(&door);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(page.0)
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        _ = write!(
            self.0,
            "# HELP doubletick_sheets_{name} {help}\n# TYPE doubletick_sheets_{name} {kind}\n"
        );
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        _ = writeln!(self.0, "doubletick_sheets_{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        self.line(name, "", value);
    }

    fn acks(&mut self, door: &Door) {
        let (buckets, count, sum_us) = door.status.acks();
        self.head("ack_seconds", "histogram", "From the first byte of a request to its 2xx.");
        let mut below = 0;
        for (bound_us, bucket) in ACK_BOUNDS_US.iter().zip(buckets) {
            below += bucket;
            let labels = format!("{{le=\"{}\"}}", seconds(*bound_us));
            self.line("ack_seconds_bucket", &labels, below);
        }
        self.line("ack_seconds_bucket", "{le=\"+Inf\"}", count.max(below));
        self.line("ack_seconds_sum", "", seconds(sum_us));
        self.line("ack_seconds_count", "", count.max(below));
    }
}

fn seconds(us: u64) -> f64 {
    std::time::Duration::from_micros(us).as_secs_f64()
}
