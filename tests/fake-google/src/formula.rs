//! The few formulas that are worked out here: sums, differences and quotients of numbers and times, and
//! `IF` around them.
//!
//! A formula with anything else in it is not guessed at: it shows as its own text. References do not
//! move with what they refer to.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::a1;
use crate::book::Book;
use crate::book::tabs::Tab;
use crate::display;
use crate::grid::Grid;
use crate::grid::cell::{Cell, Entered};

/// How far a formula may refer to formulas; one that refers to itself ends here.
const DEPTH_MAX: usize = 8;

/// What Sheets shows where there is no result.
type Error = &'static str;

/// One look at a tab, in which every `NOW()` is the same moment.
#[derive(Debug)]
pub(crate) struct Recalculation<'b> {
    grid: &'b Grid,
    now: f64,
}

#[derive(Debug, PartialEq)]
enum Expression {
    Value(Entered),
    Now,
    Cell(usize, usize),
    Sum(Box<[Expression; 2]>),
    Difference(Box<[Expression; 2]>),
    Quotient(Box<[Expression; 2]>),
    Equal(Box<[Expression; 2]>),
    If(Box<[Expression; 3]>),
}

impl<'b> Recalculation<'b> {
    pub(crate) fn of(book: &Book, tab: &'b Tab) -> Self {
        Self { grid: &tab.grid, now: now_in(book.time_zone()) }
    }

    /// What the cell comes to: a formula's result, anything else as it was entered.
    pub(crate) fn result<'c>(&self, cell: &'c Cell) -> Cow<'c, Entered> {
        let result = self.result_at(cell, 0);
        result.unwrap_or_else(|error| Cow::Owned(Entered::Text(error.into())))
    }

    /// What the cell shows.
    pub(crate) fn display(&self, cell: &Cell) -> String {
        display::display(&self.result(cell), cell)
    }

    fn result_at<'c>(&self, cell: &'c Cell, depth: usize) -> Result<Cow<'c, Entered>, Error> {
        let Entered::Formula(text) = &cell.entered else { return Ok(Cow::Borrowed(&cell.entered)) };
        match parse(text) {
            Some(expression) => self.value(&expression, depth).map(Cow::Owned),
            None => Ok(Cow::Borrowed(&cell.entered)),
        }
    }

    fn value(&self, expression: &Expression, depth: usize) -> Result<Entered, Error> {
        Ok(match expression {
            Expression::Value(value) => value.clone(),
            Expression::Now => Entered::Number(self.now),
            Expression::Cell(..) if depth >= DEPTH_MAX => return Err("#REF!"),
            Expression::Cell(row, column) => {
                self.result_at(self.grid.cell(*row, *column), depth + 1)?.into_owned()
            }
            Expression::Sum(of) => Entered::Number(self.both(of, depth, |one, other| one + other)?),
            Expression::Difference(of) => {
                Entered::Number(self.both(of, depth, |one, other| one - other)?)
            }
            Expression::Quotient(of) => match self.both(of, depth, |one, other| one / other)? {
                quotient if quotient.is_finite() => Entered::Number(quotient),
                _ => return Err("#DIV/0!"),
            },
            Expression::Equal(of) => {
                Entered::Bool(are_equal(&self.value(&of[0], depth)?, &self.value(&of[1], depth)?))
            }
            Expression::If(of) => {
                let holds = number(&self.value(&of[0], depth)?)? != 0.0;
                self.value(if holds { &of[1] } else { &of[2] }, depth)?
            }
        })
    }
}

impl Recalculation<'_> {
    fn both(
        &self,
        of: &[Expression; 2],
        depth: usize,
        reckon: fn(f64, f64) -> f64,
    ) -> Result<f64, Error> {
        let (one, other) = (self.value(&of[0], depth)?, self.value(&of[1], depth)?);
        Ok(reckon(number(&one)?, number(&other)?))
    }
}

/// A blank counts as 0.
fn number(value: &Entered) -> Result<f64, Error> {
    match value {
        Entered::Number(number) => Ok(*number),
        Entered::Nothing => Ok(0.0),
        Entered::Bool(bool) => Ok(f64::from(u8::from(*bool))),
        Entered::Text(_) | Entered::Formula(_) => Err("#VALUE!"),
    }
}

/// A blank equals both 0 and no text; capitals make no difference.
fn are_equal(one: &Entered, other: &Entered) -> bool {
    match (one, other) {
        (Entered::Text(one), Entered::Text(other)) => one.to_lowercase() == other.to_lowercase(),
        (Entered::Nothing, Entered::Text(text)) | (Entered::Text(text), Entered::Nothing) => {
            text.is_empty()
        }
        (Entered::Nothing, Entered::Number(number))
        | (Entered::Number(number), Entered::Nothing) => *number == 0.0,
        (one, other) => one == other,
    }
}

/// The moment as a serial number: days since 1899-12-30 on the clocks of that zone.
fn now_in(zone: &str) -> f64 {
    let zone = TimeZone::get(zone).ok().or_else(|| custom(zone)).unwrap_or(TimeZone::UTC);
    let now = Timestamp::now();
    let since_1970 = now.as_duration().as_secs_f64() + f64::from(zone.to_offset(now).seconds());
    since_1970 / 86_400.0 + 25_569.0
}

/// A custom zone, such as `GMT-07:00`.
fn custom(zone: &str) -> Option<TimeZone> {
    let date = format!("2026-01-01T00:00{}", zone.strip_prefix("GMT")?);
    let pieces = jiff::fmt::temporal::Pieces::parse(&date).ok()?;
    pieces.to_numeric_offset().map(TimeZone::fixed)
}

fn parse(formula: &str) -> Option<Expression> {
    let mut reader = Reader { rest: formula.strip_prefix('=')? };
    let expression = reader.comparison()?;
    reader.rest.trim().is_empty().then_some(expression)
}

/// Reads from the left; none where something stands that it does not know.
struct Reader<'f> {
    rest: &'f str,
}

impl<'f> Reader<'f> {
    fn comparison(&mut self) -> Option<Expression> {
        let left = self.difference()?;
        if !self.eat("=") {
            return Some(left);
        }
        Some(Expression::Equal(Box::new([left, self.difference()?])))
    }

    fn difference(&mut self) -> Option<Expression> {
        let mut left = self.quotient()?;
        loop {
            if self.eat("-") {
                left = Expression::Difference(Box::new([left, self.quotient()?]));
            } else if self.eat("+") {
                left = Expression::Sum(Box::new([left, self.quotient()?]));
            } else {
                return Some(left);
            }
        }
    }

    fn quotient(&mut self) -> Option<Expression> {
        let mut left = self.operand()?;
        while self.eat("/") {
            left = Expression::Quotient(Box::new([left, self.operand()?]));
        }
        Some(left)
    }

    fn operand(&mut self) -> Option<Expression> {
        if self.eat("-") {
            let zero = Expression::Value(Entered::Number(0.0));
            return Some(Expression::Difference(Box::new([zero, self.operand()?])));
        }
        if self.eat("(") {
            let inner = self.comparison()?;
            return self.eat(")").then_some(inner);
        }
        if self.eat("NOW()") {
            return Some(Expression::Now);
        }
        if self.eat("IF(") {
            let condition = self.comparison()?;
            let then = self.eat(",").then(|| self.comparison())??;
            let otherwise = self.eat(",").then(|| self.comparison())??;
            return self.eat(")").then(|| Expression::If(Box::new([condition, then, otherwise])));
        }
        if self.eat("\"") {
            let (text, rest) = self.rest.split_once('"')?;
            self.rest = rest;
            // A doubled quote stands for a quote, and is more than is read here.
            let value = Entered::Text(text.into());
            return (!rest.starts_with('"')).then_some(Expression::Value(value));
        }
        let word = self.word();
        if let Ok(number) = word.parse::<f64>() {
            return Some(Expression::Value(Entered::Number(number)));
        }
        let (column, row) = a1::parse_corner(word)?;
        Some(Expression::Cell(row?, column?))
    }

    /// What could be a number or the name of a cell.
    fn word(&mut self) -> &'f str {
        let part = |char: char| char.is_ascii_alphanumeric() || matches!(char, '$' | '.');
        let end = self.rest.find(|char| !part(char)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn eat(&mut self, what: &str) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(what);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Recalculation, now_in};
    use crate::book::Book;
    use crate::grid::cell::{Cell, Entered};

    /// What a duration cell of that formula shows where B3 holds this.
    #[track_caller]
    fn check(formula: &str, b3: Entered, expected: &str) {
        let mut book = Book::new("id", "Asia/Kolkata", "robot@example.com");
        book.tabs[0].grid.cell_mut(2, 1).entered = b3;
        let format = json!({ "numberFormat": { "type": "TIME", "pattern": "[h]:mm" } });
        let mut cell = Cell::EMPTY;
        cell.entered = Entered::Formula(formula.into());
        cell.set_dress(&[("userEnteredFormat".to_owned(), format)].into_iter().collect());
        *book.tabs[0].grid.cell_mut(2, 0) = cell;
        let tab = &book.tabs[0];
        assert_eq!(Recalculation::of(&book, tab).display(tab.grid.cell(2, 0)), expected);
    }

    #[test]
    fn a_duration_runs_on_and_what_is_not_known_is_not_guessed() {
        let since = |hours: f64| Entered::Number(now_in("Asia/Kolkata") - hours / 24.0);
        let text = |text: &str| Entered::Text(text.into());
        check("=NOW()-B3", since(2.175), "2:10");
        check("=NOW() - $B$3", since(26.0), "26:00");
        check("=IF(B3=\"\",\"\",NOW()-B3)", since(0.51), "0:30");
        check("=IF(B3=\"\",\"\",NOW()-B3)", Entered::Nothing, "");
        check("=NOW()-B3", text("a name"), "#VALUE!");
        check("=A3-B3", Entered::Number(1.0), "#REF!");
        check("=B3-1.5-2", Entered::Number(4.0), "12:00");
        check("=SUM(B3:B9)", since(1.0), "=SUM(B3:B9)");
        check("=NOW()-B3*2", since(1.0), "=NOW()-B3*2");
        check("=HYPERLINK(\"http://x\",\"y\")", since(1.0), "=HYPERLINK(\"http://x\",\"y\")");
    }

    #[test]
    fn the_clock_is_that_of_the_spreadsheets_zone() {
        let ahead = (now_in("Asia/Kolkata") - now_in("Etc/UTC")) * 24.0;
        assert!((ahead - 5.5).abs() < 0.01, "{ahead}");
    }
}
