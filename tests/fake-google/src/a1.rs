//! A1 notation: `'T'!A2:C`, `'T'!J:J`, `'T'!1:1`, `T`, `A1`.

use crate::book::Book;
use crate::book::tabs::Tab;
use crate::errors::Refused;

/// A range with open edges as none; indexes from zero, ends excluded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) rows: (Option<usize>, Option<usize>),
    pub(crate) columns: (Option<usize>, Option<usize>),
}

impl Cut {
    pub(crate) fn rows_in(&self, count: usize) -> std::ops::Range<usize> {
        self.rows.0.unwrap_or(0)..self.rows.1.unwrap_or(count).min(count)
    }

    pub(crate) fn columns_in(&self, count: usize) -> std::ops::Range<usize> {
        self.columns.0.unwrap_or(0)..self.columns.1.unwrap_or(count).min(count)
    }
}

/// The tab and the part of it that the text names.
pub(crate) fn resolve<'b>(book: &'b Book, text: &str) -> Result<(&'b Tab, Cut), Refused> {
    let unreadable = || Refused::invalid(&format!("Unable to parse range: {text}"));
    let (title, cells) = split(text).ok_or_else(unreadable)?;
    let (tab, cut) = match (title, cells) {
        (Some(title), cells) => {
            let tab = book.tab_titled(&title).ok_or_else(unreadable)?;
            let cut = cells.map_or(Some(Cut::default()), parse_cells).ok_or_else(unreadable)?;
            (tab, cut)
        }
        // A bare word is the title of a tab before it is cells of the first tab.
        (None, cells) => {
            let cells = cells.unwrap_or_default();
            match (book.tab_titled(cells), parse_cells(cells)) {
                (Some(tab), _) => (tab, Cut::default()),
                (None, Some(cut)) => (book.tabs.first().ok_or_else(unreadable)?, cut),
                (None, None) => return Err(unreadable()),
            }
        }
    };
    let shape = &tab.shape;
    let past = |start: Option<usize>, end: Option<usize>, count: usize| {
        start.is_some_and(|start| start >= count) || end.is_some_and(|end| end > count)
    };
    if past(cut.rows.0, None, shape.rows) || past(cut.columns.0, cut.columns.1, shape.columns) {
        let (rows, columns) = (shape.rows, shape.columns);
        return Err(Refused::invalid(&format!(
            "Range ({text}) exceeds grid limits. Max rows: {rows}, max columns: {columns}"
        )));
    }
    Ok((tab, cut))
}

/// The title before `!`, unquoted, and the cells after it.
fn split(text: &str) -> Option<(Option<String>, Option<&str>)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        return Some(match text.rsplit_once('!') {
            Some((title, cells)) => (Some(title.to_owned()), Some(cells)),
            None => (None, Some(text)),
        });
    };
    let mut title = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('\'')?;
        title.push_str(part);
        match after.strip_prefix('\'') {
            Some(after) => {
                title.push('\'');
                rest = after;
            }
            None if after.is_empty() => return Some((Some(title), None)),
            None => return Some((Some(title), Some(after.strip_prefix('!')?))),
        }
    }
}

fn parse_cells(text: &str) -> Option<Cut> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let ((column, row), (last_column, last_row)) = (parse_corner(first)?, parse_corner(last)?);
    // `A2:C` is open downwards, `A1:3` to the right; `A:3` is neither.
    let order = |start: Option<usize>, end: Option<usize>| match (start, end) {
        (Some(start), Some(end)) => (Some(start.min(end)), Some(start.max(end) + 1)),
        (start, end) => (start, end.map(|end| end + 1)),
    };
    Some(Cut { rows: order(row, last_row), columns: order(column, last_column) })
}

/// `B3` as column and row; either may be missing.
pub(crate) fn parse_corner(text: &str) -> Option<(Option<usize>, Option<usize>)> {
    let text = text.replace('$', "");
    let digits = text.find(|char: char| char.is_ascii_digit()).unwrap_or(text.len());
    let (letters, digits) = text.split_at_checked(digits)?;
    if letters.len() > 3
        || !letters.chars().all(|char| char.is_ascii_alphabetic())
        || text.is_empty()
    {
        return None;
    }
    let row =
        if digits.is_empty() { None } else { Some(digits.parse::<usize>().ok()?.checked_sub(1)?) };
    let column = letters.bytes().fold(0, |column, letter| {
        column * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1
    });
    Some((column.checked_sub(1), row))
}

pub(crate) fn column_name(column: usize) -> String {
    let mut name = String::new();
    let mut left = column + 1;
    while left > 0 {
        let letter = u8::try_from((left - 1) % 26).unwrap_or_default();
        name.insert(0, char::from(b'A' + letter));
        left = (left - 1) / 26;
    }
    name
}

/// The range as Google writes it back: quoted only where it must be, edges closed.
pub(crate) fn write(tab: &Tab, cut: &Cut) -> String {
    let plain = tab.shape.title.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    let title = if plain && !tab.shape.title.starts_with(|char: char| char.is_ascii_digit()) {
        tab.shape.title.clone()
    } else {
        format!("'{}'", tab.shape.title.replace('\'', "''"))
    };
    let (rows, columns) = (cut.rows_in(tab.shape.rows), cut.columns_in(tab.shape.columns));
    let first = format!("{}{}", column_name(columns.start), rows.start + 1);
    let last = format!("{}{}", column_name(columns.end.saturating_sub(1)), rows.end);
    if first == last { format!("{title}!{first}") } else { format!("{title}!{first}:{last}") }
}
