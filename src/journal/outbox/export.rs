//! Rows set aside, handed out whole: CSV for people, JSON for programs. A page at a time.
//!
//! The separator is a comma whatever the country: a line `sep=;` would make Excel forget the encoding.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::outbox::set_aside::{SetAside, SetAsidePages};
use crate::journal::{Error, Journal};

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a spreadsheet program: commas, UTF-8 with a byte order mark, and a `'` before each text of others
    /// that one would calculate or write otherwise. Without one leading `'` it is the text as it was.
    Csv,
    /// An array of objects; every text as it is.
    Json,
}

/// An export under way.
#[derive(Debug)]
pub struct Export {
    pages: SetAsidePages,
    format: Format,
    rows: u64,
}

/// The columns, and the fields of the JSON.
const COLUMNS: [(&str, &str); 12] = [
    ("Event ID", "event_id"),
    ("Row of", "row_of"),
    ("Received at", "received_at"),
    ("Set aside at", "set_aside_at"),
    ("Reason", "reason"),
    ("Unassigned at", "unassigned_at"),
    ("Customer name", "customer_name"),
    ("Customer phone", "customer_phone"),
    ("Previous agent", "previous_agent"),
    ("Agent phone", "agent_phone"),
    ("WABA number", "waba_number"),
    ("Chat ID", "chat_id"),
];

/// So many columns from the left hold our own words and times, which every program leaves as they are.
const OURS: usize = 6;
/// Tells Excel that what follows is UTF-8; without it a name in Devanagari is beyond reading.
const MARK: &str = "\u{feff}";

impl Export {
    /// Begins one.
    pub fn new(journal: Journal, format: Format) -> Self {
        Self { pages: SetAsidePages::new(journal), format, rows: 0 }
    }

    /// The next part of the text; `None` when it was whole.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_part(&mut self) -> Result<Option<String>, Error> {
        let Some(rows) = self.pages.next().await? else { return Ok(None) };
        let mut part = match (self.format, self.rows) {
            (Format::Csv, 0) => {
                MARK.to_owned() + &csv(COLUMNS.map(|(column, _)| column.to_owned()))
            }
            (Format::Json, 0) => "[".to_owned(),
            _ => String::new(),
        };
        for row in &rows {
            let texts = texts(row);
            match self.format {
                Format::Csv => part += &csv(shielded(texts)),
                Format::Json => {
                    part += if self.rows == 0 { "\n" } else { ",\n" };
                    part += &object(texts).to_string();
                }
            }
            self.rows += 1;
        }
        if self.pages.are_over() && self.format == Format::Json {
            part += "\n]\n";
        }
        Ok(Some(part))
    }
}

fn texts(row: &SetAside) -> [String; COLUMNS.len()] {
    let entry = &row.entry;
    let text = |personal: &Personal| personal.reveal().to_owned();
    let time = |at: UnixMs| Timestamp::from_millisecond(at.0).unwrap_or_default().to_string();
    [
        entry.event_id.to_string(),
        if entry.handover.is_some() { "handovers" } else { "log" }.to_owned(),
        time(row.received_at),
        time(row.at),
        row.reason.clone(),
        time(entry.unassigned_at),
        text(&entry.customer_name),
        text(&entry.customer_phone),
        text(&entry.previous_agent),
        text(&entry.agent_phone),
        text(&entry.waba_number),
        text(&entry.chat_id),
    ]
}

fn object(texts: [String; COLUMNS.len()]) -> Value {
    COLUMNS.iter().zip(texts).map(|((_, field), text)| ((*field).to_owned(), json!(text))).collect()
}

/// The texts that come from others, with those shielded that a spreadsheet program would not leave as they
/// are: it calculates `-1-2` and `=A1`, shortens a phone number, and takes `1/2` for a date.
fn shielded(mut texts: [String; COLUMNS.len()]) -> [String; COLUMNS.len()] {
    for text in texts.iter_mut().skip(OURS) {
        if text.chars().next().is_some_and(|first| !first.is_alphabetic()) {
            text.insert(0, '\'');
        }
    }
    texts
}

/// One line (RFC 4180).
fn csv(texts: [String; COLUMNS.len()]) -> String {
    texts.map(|text| format!("\"{}\"", text.replace('"', "\"\""))).join(",") + "\r\n"
}
