//! Rows or columns inserted, deleted or moved, and where everything that points at them goes.

use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    Insert {
        at: usize,
        count: usize,
    },
    Delete {
        start: usize,
        end: usize,
    },
    /// `to` counts as Google's `destinationIndex` does: before anything is taken out.
    Move {
        start: usize,
        end: usize,
        to: usize,
    },
}

impl Shift {
    /// Where the row or column `index` is afterwards; none if it is gone.
    pub(crate) fn index(&self, index: usize) -> Option<usize> {
        match *self {
            Self::Insert { at, count } => Some(if index >= at { index + count } else { index }),
            Self::Delete { start, .. } if index < start => Some(index),
            Self::Delete { end, .. } if index < end => None,
            Self::Delete { start, end } => Some(index - (end - start)),
            Self::Move { start, end, to } => {
                let count = end - start;
                Some(match index {
                    index if (start..end).contains(&index) && to > start => index + to - end,
                    index if (start..end).contains(&index) => index - (start - to),
                    index if (end..to).contains(&index) => index - count,
                    index if (to..start).contains(&index) => index + count,
                    index => index,
                })
            }
        }
    }

    /// Where the range is afterwards; none if all of it is gone.
    pub(crate) fn range(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        match *self {
            Self::Insert { at, count } => {
                let moved = |edge: usize, inside: bool| if inside { edge + count } else { edge };
                Some((moved(start, start >= at), moved(end, end > at)))
            }
            Self::Delete { start: from, end: to } => {
                let moved =
                    |edge: usize| if edge > from { edge.max(to) - (to - from) } else { edge };
                let (start, end) = (moved(start), moved(end));
                (start < end).then_some((start, end))
            }
            // A range moves with its rows or columns only if all of it does.
            Self::Move { start: from, end: to, .. } if from <= start && end <= to => {
                self.index(start).map(|moved| (moved, moved + (end - start)))
            }
            Self::Move { .. } if end == start + 1 => {
                self.index(start).map(|moved| (moved, moved + 1))
            }
            Self::Move { .. } => Some((start, end)),
        }
    }

    /// Carries the shift out on a line that may be shorter than the grid is wide.
    pub(crate) fn apply<T>(&self, line: &mut Vec<T>, empty: impl Fn() -> T) {
        match *self {
            Self::Insert { at, count } if at < line.len() => {
                line.splice(at..at, std::iter::repeat_with(empty).take(count));
            }
            Self::Insert { .. } => {}
            Self::Delete { start, end } => {
                let (start, end) = (start.min(line.len()), end.min(line.len()));
                line.drain(start..end);
            }
            Self::Move { start, end, to } => {
                let least = end.max(to);
                if line.len() < least {
                    line.resize_with(least, empty);
                }
                if to > end {
                    line[start..to].rotate_left(end - start);
                } else if to < start {
                    line[to..end].rotate_right(end - start);
                }
            }
        }
    }

    /// Moves a `GridRange` in JSON form; false if nothing of it is left.
    pub(crate) fn grid_range(&self, range: &mut Value, columns: bool) -> bool {
        let (first, last) = if columns {
            ("startColumnIndex", "endColumnIndex")
        } else {
            ("startRowIndex", "endRowIndex")
        };
        let edge = |name: &str| range[name].as_u64().and_then(|edge| usize::try_from(edge).ok());
        let (start, end) = (edge(first), edge(last));
        if start.is_none() && end.is_none() {
            return true;
        }
        // An open end is far away, and stays open.
        const FAR: usize = usize::MAX / 2;
        let Some((new_start, new_end)) = self.range(start.unwrap_or(0), end.unwrap_or(FAR)) else {
            return false;
        };
        if start.is_some() {
            range[first] = new_start.into();
        }
        if end.is_some() {
            range[last] = new_end.into();
        }
        true
    }
}
