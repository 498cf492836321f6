//! Where things go when rows and columns are inserted, deleted and moved.

use crate::grid::Grid;
use crate::grid::cell::Cell;
use crate::grid::shift::Shift;

/// The shift of a line and the shift of an index into it must agree.
#[test]
fn what_is_on_a_column_goes_where_the_column_goes() {
    let shifts = [
        Shift::Insert { at: 2, count: 2 },
        Shift::Delete { start: 1, end: 3 },
        Shift::Move { start: 1, end: 3, to: 5 },
        Shift::Move { start: 3, end: 5, to: 0 },
    ];
    for shift in shifts {
        let mut line: Vec<Option<usize>> = (0..6).map(Some).collect();
        shift.apply(&mut line, || None);
        for index in 0..6 {
            let found = line.iter().position(|item| *item == Some(index));
            assert_eq!(shift.index(index), found, "{index} under {shift:?}");
        }
    }
}

#[test]
fn ranges_grow_shrink_and_vanish() {
    assert_eq!(Shift::Insert { at: 2, count: 1 }.range(1, 3), Some((1, 4)));
    assert_eq!(Shift::Insert { at: 3, count: 1 }.range(1, 3), Some((1, 3)));
    assert_eq!(Shift::Delete { start: 0, end: 2 }.range(1, 3), Some((0, 1)));
    assert_eq!(Shift::Delete { start: 1, end: 3 }.range(1, 3), None);
}

#[test]
fn rolling_back_restores_every_kind_of_change() {
    let row = |text: &str| vec![Cell::text(text), Cell::text("x")];
    let mut grid = Grid::default();
    grid.push_rows([row("a"), row("b"), row("c")]);
    grid.commit();
    let before = format!("{:?}", grid.rows());

    grid.push_rows([row("d")]);
    grid.cell_mut(0, 0).entered = Cell::text("changed").entered;
    grid.shift_rows(&Shift::Insert { at: 1, count: 2 });
    grid.shift_columns(&Shift::Move { start: 0, end: 1, to: 2 });
    grid.shift_rows(&Shift::Delete { start: 0, end: 2 });
    grid.cell_mut(20, 3).entered = Cell::text("far").entered;
    grid.roll_back();
    assert_eq!(format!("{:?}", grid.rows()), before);
}
