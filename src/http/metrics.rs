//! Metrics, as Prometheus reads them. No personal data, no secret.
//!
//! Written by hand, because no encoder keeps the format as scrapers know it: `prometheus-client` drops `_total` from a
//! counter's `# TYPE`, `prometheus` refuses a counter that has no label yet, and others do the counting themselves.

use std::fmt::{Display, Write};
use std::time::Duration;

use actix_web::HttpResponse;

use crate::histogram::{BOUNDS_US, Histogram};
use crate::http::door::Ready;
use crate::http::kept::Kept;
use crate::status::Counters;

/// GET /metrics. At any scrape accepted = written + pending + set aside: all four come from one
/// committed tally.
pub(super) async fn metrics(shared: Ready) -> HttpResponse {
    let (tally, status) = (shared.journal.tally(), &shared.status);
    let now = (shared.now)();
    let oldest = Kept::ask(&shared, now).await.oldest_pending_s(now).unwrap_or(-1);
    let taking = i64::from(shared.journal.condition().is_none());
    let alarm = i64::from(status.alarm().is_some());
    let forwards = i64::from(status.forwards());
    let asked_at_s = tally.asked_at().map_or(0, |at| at.0 / 1_000);
    let mut text = Exposition(String::new());
    for (name, help, value) in [
        ("accepted_total", "Unassignments acknowledged as new.", tally.accepted),
        ("duplicate_total", "Resends recognised.", tally.duplicate),
        ("remembered_total", "Other events kept.", tally.remembered),
        ("unrecognised_total", "Bodies of no known shape.", tally.unrecognised),
        ("written_total", "Rows known to be in the sheet.", tally.written),
        ("pending", "Rows still to be written.", tally.pending()),
        ("set_aside", "Rows refused for their content.", tally.set_aside),
        ("handovers_total", "Waits that ended.", tally.handovers),
        ("handovers_written_total", "Handovers known to be in the sheet.", tally.handovers_written),
        ("handovers_pending", "Handovers still to be written.", tally.handovers_pending()),
        ("handovers_set_aside", "Handovers refused for their content.", tally.handovers_set_aside),
        ("waiting", "Chats that wait for an agent.", shared.journal.waiting()),
        ("found_total", "Rows of which no event told, found by asking DoubleTick.", tally.found),
        ("found_ends_total", "Waits of whose end no event told, found so.", tally.found_ends),
        (
            "unheard",
            "Chats without an agent, never heard of, in its list.",
            shared.journal.unheard(),
        ),
    ] {
        text.metric(name, help, value);
    }
    for (name, help, value) in [
        ("oldest_pending_seconds", "Age of the oldest pending row; -1 if not known.", oldest),
        ("taking", "1 while events can be taken.", taking),
        ("alarm", "1 while a human must act or rows wait for too long.", alarm),
        ("forwards", "1 on the instance that writes the rows.", forwards),
        ("asked_timestamp_seconds", "When its list was last read whole; 0 for never.", asked_at_s),
    ] {
        text.metric(name, help, value);
    }
    text.counters("ignored_total", "Events not acted on, by family.", &status.ignored, |family| {
        format!("family=\"{family}\"")
    });
    text.counters("refused_total", "Requests refused, by reason.", &status.refused, |reason| {
        format!("reason=\"{reason}\"")
    });
    let help = "Lookups of customers' names, by outcome.";
    text.counters("name_lookups_total", help, &status.lookups, |outcome| {
        format!("outcome=\"{outcome}\"")
    });
    let help = "Calls to Google, by call and outcome.";
    text.counters("google_calls_total", help, &status.google_calls, |(call, outcome)| {
        format!("call=\"{call}\",outcome=\"{outcome}\"")
    });
    text.head("sheet_state", "gauge", "1 for the state that the sheet is in.");
    text.line("sheet_state", &format!("{{state=\"{}\"}}", status.sheet().word()), 1);
    text.head("asking_state", "gauge", "1 for the state that asking DoubleTick is in.");
    text.line("asking_state", &format!("{{state=\"{}\"}}", status.asking().word()), 1);
    let help = "From the first byte of a request to its 2xx.";
    text.histogram("ack_seconds", help, &status.acks);
    let help = "Commits of this instance, each of all that waited for it.";
    text.histogram("commit_seconds", help, shared.journal.commits());
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text.0)
}

/// Prometheus' text format. Writing to a string does not fail.
struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let name = format!("doubletick_sheets_{name}");
        _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl Display) {
        _ = writeln!(self.0, "doubletick_sheets_{name}{labels} {value}");
    }

    /// What only rises is called a total, as Prometheus advises.
    fn metric(&mut self, name: &str, help: &str, value: impl Display) {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        self.head(name, kind, help);
        self.line(name, "", value);
    }

    fn counters<K: Copy + Ord>(
        &mut self,
        name: &str,
        help: &str,
        counters: &Counters<K>,
        labels: impl Fn(K) -> String,
    ) {
        self.head(name, "counter", help);
        for (kind, count) in counters.all() {
            self.line(name, &format!("{{{}}}", labels(kind)), count);
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let seconds = |us| Duration::from_micros(us).as_secs_f64();
        let (buckets, count, sum_us) = histogram.read();
        self.head(name, "histogram", help);
        let mut below = 0;
        for (bound_us, bucket) in BOUNDS_US.iter().zip(buckets) {
            below += bucket;
            let labels = format!("{{le=\"{}\"}}", seconds(*bound_us));
            self.line(&format!("{name}_bucket"), &labels, below);
        }
        self.line(&format!("{name}_bucket"), "{le=\"+Inf\"}", count.max(below));
        self.line(&format!("{name}_sum"), "", seconds(sum_us));
        self.line(&format!("{name}_count"), "", count.max(below));
    }
}
