//! Text about people: cleaned and bounded on the way in, invisible in every log.
//!
//! Guarantees that a [`Personal`] is trimmed, free of control characters, at most
//! [`FIELD_CHARS_MAX`] characters long, and that formatting it with `Debug` shows nothing of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Longest text kept of any one field, in characters.
///
/// Google refuses a cell of more than 50,000 characters and takes the whole batch down with it;
/// no name or number of a person comes near this bound.
pub const FIELD_CHARS_MAX: usize = 1_000;

/// A name, a number or an id of a person or a chat. Blank means: we do not know.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal(SmolStr);

impl Personal {
    /// Trims, removes control characters and bounds the length; the word `null` is blank.
    pub fn new(text: &str) -> Self {
        let trimmed = text.trim();
        // Nearly every text is clean and short already.
        if trimmed.len() <= FIELD_CHARS_MAX && !trimmed.chars().any(is_refused) {
            return Self::of(trimmed);
        }
        let visible: String = text.chars().filter(|c| !is_refused(*c)).collect();
        let bounded: String = visible.trim().chars().take(FIELD_CHARS_MAX).collect();
        Self::of(bounded.trim_end())
    }

    fn of(clean: &str) -> Self {
        Self(if clean == "null" { SmolStr::default() } else { SmolStr::new(clean) })
    }

    /// Whether nothing is known.
    pub fn is_blank(&self) -> bool {
        self.0.is_empty()
    }

    /// This text, or the other one where this is blank.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        if self.is_blank() { other.clone() } else { self.clone() }
    }

    /// The text itself: for the sheet and for comparison, never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Only the ASCII digits: what makes two spellings of a phone number the same number.
    pub fn digits(&self) -> SmolStr {
        self.0.chars().filter(char::is_ascii_digit).collect()
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_blank() { "blank" } else { "<personal>" })
    }
}

/// Characters that a cell cannot hold: controls, and the two code points that XML forbids.
fn is_refused(c: char) -> bool {
    c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}')
}
