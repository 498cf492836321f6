//! Requests that insert, delete, move and dress whole rows and columns.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::book::batch::fields;
use crate::book::range::{Area, GridRange};
use crate::book::{Book, Wrong};
use crate::grid::cell::Cell;
use crate::grid::shift::Shift;
use crate::grid::widen;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Dimension {
    #[default]
    #[serde(rename = "DIMENSION_UNSPECIFIED")]
    Unspecified,
    #[serde(rename = "ROWS")]
    Rows,
    #[serde(rename = "COLUMNS")]
    Columns,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DimensionRange {
    pub(super) sheet_id: i64,
    pub(super) dimension: Dimension,
    pub(super) start_index: Option<usize>,
    pub(super) end_index: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AppendDimension {
    sheet_id: i64,
    dimension: Dimension,
    length: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OnDimension {
    range: DimensionRange,
    inherit_from_before: bool,
    properties: Map<String, Value>,
    fields: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MoveDimension {
    source: DimensionRange,
    destination_index: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AutoResize {
    dimensions: DimensionRange,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OnRange {
    range: GridRange,
    shift_dimension: Dimension,
}

impl Dimension {
    pub(super) fn is_columns(self) -> Result<bool, Wrong> {
        match self {
            Self::Unspecified => Err("No dimension specified.".into()),
            Self::Rows => Ok(false),
            Self::Columns => Ok(true),
        }
    }
}

impl DimensionRange {
    /// The range within the tab: columns or rows, from, to.
    fn resolve(&self, book: &Book) -> Result<(bool, usize, usize), Wrong> {
        let columns = self.dimension.is_columns()?;
        let shape = &book.tab(self.sheet_id)?.shape;
        let (count, what) = if columns { (shape.columns, "column") } else { (shape.rows, "row") };
        let (start, end) = (self.start_index.unwrap_or(0), self.end_index.unwrap_or(count));
        if end > count || start >= end {
            return Err(format!(
                "Cannot use {what}s {start} to {end} on a sheet with only {count} {what}s."
            )
            .into());
        }
        Ok((columns, start, end))
    }
}

impl Book {
    pub(super) fn append_dimension(&mut self, request: &AppendDimension) -> Result<(), Wrong> {
        let columns = request.dimension.is_columns()?;
        if request.length == 0 {
            return Err("Length must be positive.".into());
        }
        let shape = &mut self.tab_mut(request.sheet_id)?.shape;
        *(if columns { &mut shape.columns } else { &mut shape.rows }) += request.length;
        self.refuse_too_many_cells()
    }

    pub(super) fn insert_dimension(&mut self, request: &OnDimension) -> Result<(), Wrong> {
        let range = &request.range;
        let columns = range.dimension.is_columns()?;
        let shape = &self.tab(range.sheet_id)?.shape;
        let count = if columns { shape.columns } else { shape.rows };
        let (Some(start), Some(end)) = (range.start_index, range.end_index) else {
            return Err("range must have a start and an end.".into());
        };
        if start >= end || start > count {
            return Err(format!(
                "range.startIndex[{start}] must not be past the end of the sheet."
            )
            .into());
        }
        if request.inherit_from_before && start == 0 {
            return Err("Cannot inherit from before the first row or column.".into());
        }
        self.shift(range.sheet_id, columns, Shift::Insert { at: start, count: end - start })?;
        self.refuse_too_many_cells()
    }

    pub(super) fn delete_dimension(&mut self, request: &OnDimension) -> Result<(), Wrong> {
        let (columns, start, end) = request.range.resolve(self)?;
        let shape = &self.tab(request.range.sheet_id)?.shape;
        let (count, what) = if columns { (shape.columns, "columns") } else { (shape.rows, "rows") };
        if end - start == count {
            return Err(format!("You can't delete all the {what} on the sheet.").into());
        }
        let frozen =
            shape.properties.get("gridProperties").and_then(|grid| grid["frozenRowCount"].as_u64());
        let frozen = frozen.and_then(|frozen| usize::try_from(frozen).ok()).unwrap_or_default();
        if !columns && frozen > 0 && start <= frozen && end == count {
            return Err("Sorry, it is not possible to delete all non-frozen rows.".into());
        }
        self.shift(request.range.sheet_id, columns, Shift::Delete { start, end })
    }

    pub(super) fn move_dimension(&mut self, request: &MoveDimension) -> Result<(), Wrong> {
        let (columns, start, end) = request.source.resolve(self)?;
        let to = request.destination_index;
        let shape = &self.tab(request.source.sheet_id)?.shape;
        if to > if columns { shape.columns } else { shape.rows } {
            return Err(format!("destinationIndex[{to}] is past the end of the sheet.").into());
        }
        if (start..=end).contains(&to) {
            return Err("The destination is within the source.".into());
        }
        self.shift(request.source.sheet_id, columns, Shift::Move { start, end, to })
    }

    /// Carries a shift to the cells and to all that points at rows or columns of the tab.
    pub(super) fn shift(&mut self, id: i64, columns: bool, shift: Shift) -> Result<(), Wrong> {
        let tab = self.tab(id)?;
        self.refuse_protected(tab, &tab.area())?;
        self.shift_unguarded(id, columns, shift);
        Ok(())
    }

    /// As a person does it, who may edit what we may not.
    pub(crate) fn shift_unguarded(&mut self, id: i64, columns: bool, shift: Shift) {
        let Ok(tab) = self.tab_mut(id) else { return };
        if columns {
            tab.grid.shift_columns(&shift);
        } else {
            tab.grid.shift_rows(&shift);
        }
        let shape = &mut tab.shape;
        let count = if columns { &mut shape.columns } else { &mut shape.rows };
        match shift {
            Shift::Insert { count: added, .. } => *count += added,
            Shift::Delete { start, end } => *count -= end - start,
            Shift::Move { .. } => {}
        }
        let properties =
            if columns { &mut shape.column_properties } else { &mut shape.row_properties };
        let moved = std::mem::take(properties).into_iter();
        *properties = moved
            .filter_map(|(index, value)| Some((shift.index(index)?, value)))
            .collect::<BTreeMap<_, _>>();
        shape.filter.take_if(|filter| !shift.grid_range(&mut filter["range"], columns));
        shape.filter_views.retain_mut(|view| shift.grid_range(&mut view["range"], columns));
        shape.merges.retain_mut(|range| shift.grid_range(range, columns));
        shape.tables.retain_mut(|table| shift.grid_range(&mut table["range"], columns));
        shape
            .protections
            .retain_mut(|protection| shift.grid_range(&mut protection.rule["range"], columns));
        for rule in &mut shape.conditionals {
            if let Some(ranges) = rule["ranges"].as_array_mut() {
                ranges.retain_mut(|range| shift.grid_range(range, columns));
            }
        }
        shape
            .conditionals
            .retain(|rule| rule["ranges"].as_array().is_some_and(|ranges| !ranges.is_empty()));
        self.shift_charts(id, columns, &shift);
        self.metadata.retain_mut(|metadata| metadata.place.shift(id, columns, &shift));
    }

    pub(super) fn update_dimensions(&mut self, request: &OnDimension) -> Result<(), Wrong> {
        let mask = fields(request.fields.as_deref(), "DimensionProperties")?;
        let (columns, start, end) = request.range.resolve(self)?;
        let tab = self.tab(request.range.sheet_id)?;
        self.refuse_protected(tab, &tab.area())?;
        let shape = &mut self.tab_mut(request.range.sheet_id)?.shape;
        let all = if columns { &mut shape.column_properties } else { &mut shape.row_properties };
        for index in start..end {
            mask.overwrite(all.entry(index).or_default(), &request.properties);
        }
        Ok(())
    }

    /// Widths are of no interest here; the request still has to be a possible one.
    pub(super) fn auto_resize(&mut self, request: &AutoResize) -> Result<(), Wrong> {
        request.dimensions.resolve(self).map(|_| ())
    }

    pub(super) fn insert_range(&mut self, request: &OnRange) -> Result<(), Wrong> {
        let (columns, area) = self.range_to_shift(request)?;
        let tab = self.tab_mut(request.range.sheet_id)?;
        // Cells pushed past the edge make the grid grow, as they do for Google.
        let (rows, wide) = (&mut tab.shape.rows, &mut tab.shape.columns);
        tab.grid.reshape(|grid| {
            if columns {
                for row in grid.iter_mut().take(area.rows.end).skip(area.rows.start) {
                    Shift::Insert { at: area.columns.start, count: area.columns.len() }
                        .apply(row, || Cell::EMPTY);
                    *wide = (*wide).max(row.len());
                }
                return;
            }
            for column in area.columns {
                let count = area.rows.len();
                let height = grid.len() + count;
                grid.resize_with(height, Vec::new);
                for row in (area.rows.start..height).rev() {
                    let from_above = row >= area.rows.end;
                    let cell = if from_above {
                        std::mem::take(widen(&mut grid[row - count], column))
                    } else {
                        Cell::EMPTY
                    };
                    *widen(&mut grid[row], column) = cell;
                }
                while grid.last().is_some_and(|row| row.iter().all(Cell::is_untouched)) {
                    grid.pop();
                }
            }
            *rows = (*rows).max(grid.len());
        });
        self.refuse_too_many_cells()
    }

    pub(super) fn delete_range(&mut self, request: &OnRange) -> Result<(), Wrong> {
        let (columns, area) = self.range_to_shift(request)?;
        let tab = self.tab_mut(request.range.sheet_id)?;
        tab.grid.reshape(|grid| {
            if columns {
                for row in grid.iter_mut().take(area.rows.end).skip(area.rows.start) {
                    Shift::Delete { start: area.columns.start, end: area.columns.end }
                        .apply(row, || Cell::EMPTY);
                }
                return;
            }
            for column in area.columns {
                for row in area.rows.start..grid.len() {
                    let below = grid.get_mut(row + area.rows.len());
                    let cell =
                        below.map(|below| std::mem::take(widen(below, column))).unwrap_or_default();
                    *widen(&mut grid[row], column) = cell;
                }
            }
        });
        Ok(())
    }

    fn range_to_shift(&self, request: &OnRange) -> Result<(bool, Area), Wrong> {
        let tab = self.tab(request.range.sheet_id)?;
        let area = request.range.area(tab)?;
        self.refuse_protected(tab, &tab.area())?;
        Ok((request.shift_dimension.is_columns()?, area))
    }
}
