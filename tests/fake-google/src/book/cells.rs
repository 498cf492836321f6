//! Requests that write cells.

use std::ops::Range;

use crate::book::batch::fields;
use crate::book::range::{Area, GridRange};
use crate::book::{Book, Wrong};
use crate::grid::cell::Brush;
use crate::grid::{Row, widen};
use crate::json::Node;

impl Book {
    /// Writes below the last row that has data in any column, always from column A on.
    pub(super) fn append_cells(&mut self, request: &Node<'_>) -> Result<(), Wrong> {
        let mask = fields(request.get("fields").and_then(Node::text), "CellData")?;
        let rows = request.get("rows").map_or(&[][..], Node::list);
        if let Some(table) = request.get("tableId").and_then(Node::text) {
            return self.append_to_table(table, rows.len());
        }
        let id = sheet_id(request);
        let tab = self.tab(id)?;
        let start = tab.grid.used_rows();
        let width = rows.iter().map(|row| values(row).len()).max().unwrap_or_default();
        refuse_past("column", width, tab.shape.columns)?;
        self.refuse_protected(tab, &Area { rows: start..start + rows.len(), columns: 0..width })?;

        let tab = self.tab_mut(id)?;
        tab.shape.rows = tab.shape.rows.max(start + rows.len());
        let mut brush = Brush::new(&mask);
        // Rows that exist but are blank may be dressed already; those below them are made at one go.
        let written = tab.grid.rows().len().saturating_sub(start).min(rows.len());
        for (offset, row) in rows[..written].iter().enumerate() {
            paint(&mut brush, tab.grid.row_mut(start + offset), 0, values(row))?;
        }
        let mut new = Vec::with_capacity(rows.len() - written);
        for row in &rows[written..] {
            let mut cells = Row::with_capacity(values(row).len());
            paint(&mut brush, &mut cells, 0, values(row))?;
            new.push(cells);
        }
        if !new.is_empty() {
            tab.grid.push_rows(new);
        }
        self.refuse_too_many_cells()
    }

    pub(super) fn update_cells(&mut self, request: &Node<'_>) -> Result<(), Wrong> {
        let mask = fields(request.get("fields").and_then(Node::text), "CellData")?;
        let rows = request.get("rows").map_or(&[][..], Node::list);
        let width = rows.iter().map(|row| values(row).len()).max().unwrap_or_default();
        let (id, area, fills) = self.area_to_update(request, rows.len(), width)?;
        self.refuse_protected(self.tab(id)?, &area)?;

        let tab = self.tab_mut(id)?;
        let mut brush = Brush::new(&mask);
        for (offset, row) in area.rows.clone().enumerate() {
            let data = rows.get(offset).map_or(&[][..], values);
            // Rows that were never written to need no clearing.
            if data.is_empty() && (!fills || row >= tab.grid.rows().len()) {
                continue;
            }
            let cells = tab.grid.row_mut(row);
            paint(&mut brush, cells, area.columns.start, data)?;
            let rest = area.columns.start + data.len()..area.columns.end.min(cells.len());
            for column in if fills { rest } else { 0..0 } {
                brush.paint(&mut cells[column], column, None)?;
            }
        }
        Ok(())
    }

    /// What an `updateCells` writes to, and whether cells it has no data for are cleared: so with `range`,
    /// not with `start`.
    fn area_to_update(
        &self,
        request: &Node<'_>,
        height: usize,
        width: usize,
    ) -> Result<(i64, Area, bool), Wrong> {
        if let Some(range) = request.get("range") {
            let range: GridRange = serde_json::from_value(range.to_value())
                .map_err(|error| Wrong::malformed(error.to_string()))?;
            let area = range.area(self.tab(range.sheet_id)?)?;
            if height > area.rows.len() || width > area.columns.len() {
                return Err("Data doesn't fit in the given range.".into());
            }
            return Ok((range.sheet_id, area, true));
        }
        let Some(start) = request.get("start") else {
            return Err(Wrong::malformed("Either start or range must be set."));
        };
        let index = |name: &str| match start.get(name) {
            Some(Node::Number(number)) => {
                number.as_u64().and_then(|number| usize::try_from(number).ok())
            }
            _ => Some(0),
        };
        let (Some(row), Some(column)) = (index("rowIndex"), index("columnIndex")) else {
            return Err(Wrong::malformed("start has a negative index."));
        };
        let id = sheet_id(start);
        let shape = &self.tab(id)?.shape;
        refuse_past("row", row + height, shape.rows)?;
        refuse_past("column", column + width, shape.columns)?;
        Ok((id, Area { rows: row..row + height, columns: column..column + width }, false))
    }

    pub(super) fn repeat_cell(&mut self, request: &Node<'_>) -> Result<(), Wrong> {
        let mask = fields(request.get("fields").and_then(Node::text), "CellData")?;
        let range = request.get("range").ok_or_else(|| Wrong::malformed("No range specified."))?;
        let range: GridRange = serde_json::from_value(range.to_value())
            .map_err(|error| Wrong::malformed(error.to_string()))?;
        let area = range.area(self.tab(range.sheet_id)?)?;
        self.refuse_protected(self.tab(range.sheet_id)?, &area)?;
        if self.typed_columns_take_no_formats {
            let tab = self.tab(range.sheet_id)?;
            tab.refuse_typed(&Area { rows: 0..usize::MAX, columns: area.columns.clone() })?;
        }
        let tab = self.tab_mut(range.sheet_id)?;
        let mut brush = Brush::new(&mask);
        for row in area.rows {
            let cells = tab.grid.row_mut(row);
            for column in area.columns.clone() {
                brush.paint(widen(cells, column), column, request.get("cell"))?;
            }
        }
        Ok(())
    }
}

fn sheet_id(node: &Node<'_>) -> i64 {
    if let Some(Node::Number(id)) = node.get("sheetId") {
        id.as_i64().unwrap_or_default()
    } else {
        0
    }
}

fn values<'n, 'a>(row: &'n Node<'a>) -> &'n [Node<'a>] {
    row.get("values").map_or(&[][..], Node::list)
}

fn paint<'a>(
    brush: &mut Brush<'a>,
    cells: &mut Row,
    from: usize,
    data: &'a [Node<'a>],
) -> Result<(), Wrong> {
    let columns: Range<usize> = from..from + data.len();
    for (column, data) in columns.zip(data) {
        brush.paint(widen(cells, column), column, Some(data))?;
    }
    Ok(())
}

fn refuse_past(what: &str, end: usize, count: usize) -> Result<(), Wrong> {
    if end <= count {
        return Ok(());
    }
    let last = count - 1;
    Err(format!("Attempting to write {what}: {count}, beyond the last requested {what} of: {last}")
        .into())
}
