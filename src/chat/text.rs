//! Text about people: cleaned and bounded on the way in, invisible in every log.
//!
//! Guarantees that a [`Personal`] is trimmed, free of control characters, at most
//! [`FIELD_CHARS_MAX`] characters long, and that formatting it with `Debug` shows nothing of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, SmolStrBuilder};

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
    /// Trims, removes control characters and bounds the length; the word `null` is blank. Line breaks
    /// and tabs become blanks, or two words would become one.
    pub fn new(text: &str) -> Self {
        let trimmed = text.trim();
        // Nearly every text is clean and short already.
        if trimmed.len() <= FIELD_CHARS_MAX && !trimmed.chars().any(is_refused) {
            return Self::of(trimmed);
        }
        let mut visible = String::with_capacity(text.len());
        for c in text.chars() {
            match is_refused(c) {
                false => visible.push(c),
                true if c.is_whitespace() && !visible.ends_with(' ') => visible.push(' '),
                true => {}
            }
        }
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

    /// What makes two spellings of a phone number the same number; blank for what is none.
    pub fn digits(&self) -> SmolStr {
        if is_handle(&self.0) { SmolStr::default() } else { phone_digits(&self.0) }
    }

    /// What makes two spellings of one of the clinic's lines the same line: a phone number's digits, or
    /// the handle by which it goes on Instagram.
    pub fn line(&self) -> SmolStr {
        let is_handle = is_handle(&self.0);
        if is_handle { SmolStr::new(self.0.to_lowercase()) } else { phone_digits(&self.0) }
    }
}

/// Whether it is a name such as `@dr.mehta_2` and no phone number, though digits may be in it.
fn is_handle(text: &str) -> bool {
    let begins_with_letter =
        text.chars().find(|c| c.is_alphanumeric()).is_some_and(char::is_alphabetic);
    let is_address = text.contains(['+', '\u{FF0B}', ':']);
    text.contains(['@', '_']) || (begins_with_letter && !is_address)
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_blank() { "blank" } else { "<personal>" })
    }
}

/// The digits of a phone number in ASCII, as they follow a `+`: whatever script they are written in,
/// without the `00` that some write for the `+`, and without an extension.
pub fn phone_digits(text: &str) -> SmolStr {
    let mut digits = SmolStrBuilder::new();
    let mut has_begun = false;
    // `00` stands for the `+` only where there is none.
    let mut zeros_to_skip = if text.contains('+') { 0 } else { leading_zeros(text) };
    for c in text.chars() {
        match digit(c) {
            Some('0') if zeros_to_skip > 0 => zeros_to_skip -= 1,
            Some(digit) => {
                has_begun = true;
                digits.push(digit);
            }
            None if has_begun && begins_extension(c) => break,
            None => {}
        }
    }
    digits.finish()
}

/// Two, where a number begins so.
fn leading_zeros(text: &str) -> u8 {
    let mut digits = text.chars().filter_map(digit);
    if (digits.next(), digits.next()) == (Some('0'), Some('0')) { 2 } else { 0 }
}

/// `ext. 12`, `x12`, `#12`, `;ext=12`, `,,12`, and a second number behind a slash.
fn begins_extension(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '#' | ';' | ',' | '*' | '/' | '\u{FF03}' | '\u{FF1B}')
}

/// The zeros of the scripts that phones in India, the Gulf and East Asia write numbers with; nine more
/// digits follow each.
const ZEROS: [char; 12] = [
    '\u{0660}', // Arabic-Indic
    '\u{06F0}', // Persian and Urdu
    '\u{0966}', // Devanagari
    '\u{09E6}', // Bengali
    '\u{0A66}', // Gurmukhi
    '\u{0AE6}', // Gujarati
    '\u{0B66}', // Odia
    '\u{0BE6}', // Tamil
    '\u{0C66}', // Telugu
    '\u{0CE6}', // Kannada
    '\u{0D66}', // Malayalam
    '\u{FF10}', // fullwidth
];

fn digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    let value = |zero: &char| u32::from(c).checked_sub(u32::from(*zero)).filter(|n| *n < 10);
    ZEROS.iter().find_map(value).and_then(|value| char::from_digit(value, 10))
}

/// Characters that a cell cannot hold: controls, and the two code points that XML forbids.
fn is_refused(c: char) -> bool {
    c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}')
}
