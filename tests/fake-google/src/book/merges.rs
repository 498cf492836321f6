//! Merged cells: one value over many, which Google keeps in the first.

use std::ops::Range;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::book::range::{Area, GridRange};
use crate::book::{Book, Wrong};
use crate::grid::cell::Entered;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Merge {
    range: GridRange,
    merge_type: String,
}

impl Book {
    /// Values that are not in the first cell of a merge are gone.
    pub(super) fn merge_cells(&mut self, request: &Merge) -> Result<(), Wrong> {
        let area = self.unmerge(request)?;
        let line = |rows: Range<usize>, columns: Range<usize>| Area { rows, columns };
        let parts: Vec<Area> = match request.merge_type.as_str() {
            "MERGE_ROWS" => area.rows.map(|row| line(row..row + 1, area.columns.clone())).collect(),
            "MERGE_COLUMNS" => {
                area.columns.map(|column| line(area.rows.clone(), column..column + 1)).collect()
            }
            _ => vec![area],
        };
        let tab = self.tab_mut(request.range.sheet_id)?;
        for part in parts.iter().filter(|part| part.rows.len() * part.columns.len() > 1) {
            let written = part.rows.start..part.rows.end.min(tab.grid.rows().len());
            for row in written {
                let cells = tab.grid.row_mut(row).iter_mut().enumerate();
                for (column, cell) in cells.filter(|(column, _)| part.columns.contains(column)) {
                    if (row, column) != (part.rows.start, part.columns.start) {
                        cell.entered = Entered::Nothing;
                    }
                }
            }
            tab.shape.merges.push(part.to_json(tab.id));
        }
        Ok(())
    }

    pub(super) fn unmerge_cells(&mut self, request: &Merge) -> Result<(), Wrong> {
        self.unmerge(request).map(drop)
    }

    /// Takes apart the merges within the range; one that reaches out of it is in the way.
    fn unmerge(&mut self, request: &Merge) -> Result<Area, Wrong> {
        let tab = self.tab(request.range.sheet_id)?;
        let area = request.range.area(tab)?;
        self.refuse_protected(tab, &area)?;
        let of = |merge: &Value| GridRange::from_json(merge).closed(0, 0);
        for merge in &tab.shape.merges {
            let merged = of(merge);
            // In the words of Google's editor; those of the API are not documented.
            if merged.meets(&area) && !area.contains(&merged) {
                return Err(
                    "You must select all cells in a merged range to merge or unmerge them.".into(),
                );
            }
        }
        let apart = |merge: &&Value| !area.contains(&of(merge));
        let kept = tab.shape.merges.iter().filter(apart).cloned().collect();
        self.tab_mut(request.range.sheet_id)?.shape.merges = kept;
        Ok(area)
    }
}

impl Area {
    fn to_json(&self, sheet: i64) -> Value {
        json!({
            "sheetId": sheet,
            "startRowIndex": self.rows.start, "endRowIndex": self.rows.end,
            "startColumnIndex": self.columns.start, "endColumnIndex": self.columns.end,
        })
    }
}
