//! Where several processes share a journal: which of them are there, where the journal is, and on how many
//! machines a 200 is.

use crate::chat::time::UnixMs;
use crate::http::page::render::html::{Text, lasting, moment, spoken};
use crate::http::page::view::Shared;
use crate::journal::copies_in_words;
use crate::status::Instance;

/// Whoever was heard of within this time is simply there.
const RECENT_MS: i64 = 10_000;

/// The section's content.
pub(in crate::http::page) fn instances(shared: &Shared) -> String {
    let copies =
        shared.copies.map_or("unknown while the database does not answer", copies_in_words);
    let lines: String = shared.instances.iter().map(line).collect();
    let nobody = match shared.instances.iter().any(|instance| instance.forwards) {
        true => "",
        false => {
            "<p class=\"state wait\">No instance writes rows at this moment; another takes over.</p>"
        }
    };
    format!(
        "<p>The journal is {}. What was answered with 200 is {}.</p>{nobody}\
         <div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Instances\"><table><thead><tr>\
         <th scope=\"col\">Instance</th><th scope=\"col\">Version</th><th scope=\"col\">Since</th>\
         <th scope=\"col\">Heard of</th><th scope=\"col\">Does</th></tr></thead>\
         <tbody>{lines}</tbody></table></div>\
         <p class=\"hint\">Every instance takes events; one of them writes the rows of all.</p>",
        spoken(&shared.place),
        spoken(copies),
    )
}

fn line(instance: &Instance) -> String {
    let own = if instance.is_self { " (this one)" } else { "" };
    let does = match instance.forwards {
        true => "<span class=\"badge good\">forwards</span>",
        false => "takes events",
    };
    let heard = match instance.silent_ms {
        ..RECENT_MS => "just now".to_owned(),
        silent_ms => format!("{} ago", lasting(silent_ms / 1_000)),
    };
    format!(
        "<tr><th scope=\"row\"><code>{}</code>{own}</th><td>{}</td><td>{}</td><td>{heard}</td>\
         <td>{does}</td></tr>",
        Text(&instance.id),
        Text(&instance.version),
        moment(UnixMs(instance.started_at_ms)),
    )
}
