//! Ranges as requests give them, and what protection says about them.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;

use crate::book::tabs::Tab;
use crate::book::{Book, Wrong};
use crate::errors;

/// A missing `sheetId` is 0, as everywhere in Google's JSON; missing edges are open.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GridRange {
    pub(super) sheet_id: i64,
    start_row_index: Option<usize>,
    end_row_index: Option<usize>,
    start_column_index: Option<usize>,
    end_column_index: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl GridRange {
    /// The range with its open edges closed by the size of the tab.
    pub(super) fn area(&self, tab: &Tab) -> Result<Area, Wrong> {
        let shape = &tab.shape;
        let area = self.closed(shape.rows, shape.columns);
        if area.rows.end > shape.rows || area.columns.end > shape.columns {
            let (rows, columns) = (shape.rows, shape.columns);
            return Err(format!(
                "Range exceeds grid limits. Max rows: {rows}, max columns: {columns}"
            )
            .into());
        }
        if area.rows.is_empty() || area.columns.is_empty() {
            return Err("The range is empty.".into());
        }
        Ok(area)
    }

    pub(super) fn closed(&self, rows: usize, columns: usize) -> Area {
        Area {
            rows: self.start_row_index.unwrap_or(0)..self.end_row_index.unwrap_or(rows),
            columns: self.start_column_index.unwrap_or(0)..self.end_column_index.unwrap_or(columns),
        }
    }

    pub(super) fn from_json(range: &Value) -> Self {
        serde_json::from_value(range.clone()).unwrap_or_default()
    }
}

impl Area {
    pub(super) fn meets(&self, other: &Self) -> bool {
        let meet = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
        meet(&self.rows, &other.rows) && meet(&self.columns, &other.columns)
    }

    pub(super) fn contains(&self, other: &Self) -> bool {
        let within = |a: &Range<usize>, b: &Range<usize>| a.start <= b.start && b.end <= a.end;
        within(&self.rows, &other.rows) && within(&self.columns, &other.columns)
    }
}

impl Book {
    pub(super) fn refuse_protected(&self, tab: &Tab, area: &Area) -> Result<(), Wrong> {
        // Protection with open edges also covers rows that an append is about to make.
        const FAR: usize = usize::MAX;
        let closed = |range: &Value| GridRange::from_json(range).closed(FAR, FAR);
        for protection in &tab.shape.protections {
            let rule = &protection.rule;
            let listed = |name: &Value| name.as_str() == Some(&self.editor);
            let editor =
                rule["editors"]["users"].as_array().is_some_and(|users| users.iter().any(listed));
            let free = rule["unprotectedRanges"].as_array().into_iter().flatten();
            let open = protection.ours
                || rule["warningOnly"] == true
                || editor
                || !closed(&rule["range"]).meets(area)
                || free.into_iter().any(|range| closed(range).contains(area));
            if !open {
                return Err(errors::PROTECTED.into());
            }
        }
        Ok(())
    }
}
