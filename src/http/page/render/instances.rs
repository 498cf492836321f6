//! Where several processes share a journal: which of them are there, where the journal is, and on how many
//! machines a 200 is.

use maud::{Markup, html};

use crate::chat::time::UnixMs;
use crate::http::page::render::html::{lasting, moment, spoken};
use crate::http::page::view::Shared;
use crate::journal::copies_in_words;
use crate::status::Instance;

/// Whoever was heard of within this time is simply there.
const RECENT_MS: i64 = 10_000;

/// The section's content.
pub(in crate::http::page) fn instances(shared: &Shared) -> Markup {
    let copies =
        shared.copies.map_or("unknown while the database does not answer", copies_in_words);
    html! {
        p {
            "The journal is " (spoken(&shared.place)) ". What was answered with 200 is "
            (spoken(copies)) "."
        }
        @if !shared.instances.iter().any(|instance| instance.forwards) {
            p.state.wait { "No instance writes rows at this moment; another takes over." }
        }
        .wide tabindex="0" role="region" aria-label="Instances" {
            table {
                thead {
                    tr {
                        @for head in ["Instance", "Version", "Since", "Heard of", "Does"] {
                            th scope="col" { (head) }
                        }
                    }
                }
                tbody {
                    @for instance in &shared.instances { (line(instance)) }
                }
            }
        }
        p.hint { "Every instance takes events; one of them writes the rows of all." }
    }
}

fn line(instance: &Instance) -> Markup {
    let heard = match instance.silent_ms {
        ..RECENT_MS => "just now".to_owned(),
        silent_ms => format!("{} ago", lasting(silent_ms / 1_000)),
    };
    html! {
        tr {
            th scope="row" {
                code { (instance.id) }
                @if instance.is_self { " (this one)" }
            }
            td { (instance.version) }
            td { (moment(UnixMs(instance.started_at_ms))) }
            td { (heard) }
            td {
                @if instance.forwards { span.badge.good { "forwards" } } @else { "takes events" }
            }
        }
    }
}
