//! HTML: escaped texts, numbers and times as people read them, and the frame of every page.

use std::fmt;

use crate::chat::time::UnixMs;

/// Escapes a text for HTML, also for an attribute's value.
pub(in crate::http::page) struct Text<'a>(pub(in crate::http::page) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (before, from) = rest.split_at(at);
            f.write_str(before)?;
            let mut behind = from.chars();
            f.write_str(match behind.next() {
                Some('&') => "&amp;",
                Some('<') => "&lt;",
                Some('>') => "&gt;",
                Some('"') => "&quot;",
                _ => "&#39;",
            })?;
            rest = behind.as_str();
        }
        f.write_str(rest)
    }
}

/// A sentence of ours as HTML. It may be written for a terminal: what stands between backticks is quoted.
pub(in crate::http::page) fn spoken(sentence: &str) -> String {
    let part = |(place, part): (usize, &str)| match place % 2 {
        0 => Text(part).to_string(),
        _ => format!("<q>{}</q>", Text(part)),
    };
    sentence.split('`').enumerate().map(part).collect()
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

/// A whole page around its content. `head` is what only this page needs there.
pub(in crate::http::page) fn page(head: &str, content: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>doubletick-sheets</title>\n\
         <link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"/page.css\">\n{head}</head>\n<body>\n{content}</body>\n</html>\n"
    )
}
