//! What every page is made of: its frame, our sentences, numbers and times as people read them.

use maud::{DOCTYPE, Markup, html};

use crate::chat::time::UnixMs;

/// A sentence of ours as HTML. It may be written for a terminal: what stands between backticks is quoted.
pub(in crate::http::page) fn spoken(sentence: &str) -> Markup {
    html! {
        @for (place, part) in sentence.split('`').enumerate() {
            @if place % 2 == 0 { (part) } @else { q { (part) } }
        }
    }
}

/// 1234567 as 1,234,567.
pub(in crate::http::page) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 row`, `2 rows`.
pub(in crate::http::page) fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A duration, in the one or two units that matter.
pub(in crate::http::page) fn lasting(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A moment, in UTC.
pub(in crate::http::page) fn moment(at: UnixMs) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A whole page around its content. `head` is what only this page needs there, `frame` what tells whether it is still
/// the page that an open one would be now.
pub(in crate::http::page) fn page(head: &Markup, frame: Option<&str>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "doubletick-sheets" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/page.css";
                (head)
            }
            body data-frame=[frame] { (content) }
        }
    }
}
