//! The cells of one tab, with a log of how to undo what a batch has done so far.
//!
//! A tab may hold a million rows, so a batch never copies the grid: every change first notes its inverse,
//! and a refused batch plays the notes backwards. Only the rare operations on whole columns note a copy.

pub(crate) mod cell;
pub(crate) mod shift;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::grid::cell::Cell;
use crate::grid::shift::Shift;

pub(crate) type Row = Vec<Cell>;

#[derive(Debug, Default)]
pub(crate) struct Grid {
    rows: Vec<Row>,
    undo: Vec<Undo>,
}

#[derive(Debug)]
enum Undo {
    Length(usize),
    Row(usize, Row),
    Removed(usize, Vec<Row>),
    Inserted(Range<usize>),
    Whole(Vec<Row>),
}

static EMPTY: Cell = Cell::EMPTY;

impl Grid {
    /// Rows that were ever written to; the tab may have more.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn cell(&self, row: usize, column: usize) -> &Cell {
        self.rows.get(row).and_then(|cells| cells.get(column)).unwrap_or(&EMPTY)
    }

    /// The number of rows down to the last one with data in any column.
    pub(crate) fn used_rows(&self) -> usize {
        let last = self.rows.iter().rposition(|row| row.iter().any(Cell::is_data));
        last.map_or(0, |last| last + 1)
    }

    /// The row to write to, made if it was never written before.
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut Row {
        if row < self.rows.len() {
            self.undo.push(Undo::Row(row, self.rows[row].clone()));
        } else {
            self.undo.push(Undo::Length(self.rows.len()));
            self.rows.resize_with(row + 1, Row::new);
        }
        &mut self.rows[row]
    }

    pub(crate) fn cell_mut(&mut self, row: usize, column: usize) -> &mut Cell {
        widen(self.row_mut(row), column)
    }

    /// Adds rows below the last written one.
    pub(crate) fn push_rows(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.undo.push(Undo::Length(self.rows.len()));
        self.rows.extend(rows);
    }

    pub(crate) fn shift_rows(&mut self, shift: &Shift) {
        match *shift {
            Shift::Insert { at, count } if at < self.rows.len() => {
                self.undo.push(Undo::Inserted(at..at + count));
                self.rows.splice(at..at, std::iter::repeat_with(Row::new).take(count));
            }
            Shift::Insert { .. } => {}
            Shift::Delete { start, end } => {
                let (start, end) = (start.min(self.rows.len()), end.min(self.rows.len()));
                let removed = self.rows.drain(start..end).collect();
                self.undo.push(Undo::Removed(start, removed));
            }
            Shift::Move { .. } => self.reshape(|rows| shift.apply(rows, Row::new)),
        }
    }

    pub(crate) fn shift_columns(&mut self, shift: &Shift) {
        self.reshape(|rows| {
            for row in rows {
                shift.apply(row, || Cell::EMPTY);
            }
        });
    }

    /// Any change, at the price of a copy of the grid.
    pub(crate) fn reshape(&mut self, change: impl FnOnce(&mut Vec<Row>)) {
        self.undo.push(Undo::Whole(self.rows.clone()));
        change(&mut self.rows);
    }

    pub(crate) fn commit(&mut self) {
        self.undo.clear();
    }

    pub(crate) fn roll_back(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Length(length) => self.rows.truncate(length),
                Undo::Row(at, row) => self.rows[at] = row,
                Undo::Inserted(range) => drop(self.rows.drain(range)),
                Undo::Whole(rows) => self.rows = rows,
                Undo::Removed(at, rows) => drop(self.rows.splice(at..at, rows)),
            }
        }
    }
}

/// The cell of a row, which grows to have it.
pub(crate) fn widen(row: &mut Row, column: usize) -> &mut Cell {
    if row.len() <= column {
        row.resize_with(column + 1, || Cell::EMPTY);
    }
    &mut row[column]
}
