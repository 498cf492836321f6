//! Filters, validation, conditional formats, protection and sorting.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::book::batch::fields;
use crate::book::range::GridRange;
use crate::book::tabs::Protection;
use crate::book::{Book, Wrong};
use crate::grid::Row;
use crate::grid::cell::{CHIP_COLOURS, Cell, Entered};
use crate::grid::widen;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SetFilter {
    filter: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OnSheet {
    sheet_id: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SetValidation {
    range: GridRange,
    rule: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SortRange {
    range: GridRange,
    sort_specs: Vec<SortSpec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SortSpec {
    dimension_index: usize,
    sort_order: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OnConditional {
    rule: Option<Value>,
    sheet_id: i64,
    index: usize,
    new_index: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OnProtection {
    protected_range: Map<String, Value>,
    protected_range_id: i64,
    fields: Option<String>,
}

impl Book {
    pub(super) fn set_basic_filter(&mut self, request: &SetFilter) -> Result<(), Wrong> {
        let range = self.checked_range(&request.filter["range"])?;
        self.tab_mut(range.sheet_id)?.shape.filter = Some(request.filter.clone());
        Ok(())
    }

    pub(super) fn clear_basic_filter(&mut self, request: &OnSheet) -> Result<(), Wrong> {
        self.tab_mut(request.sheet_id)?.shape.filter = None;
        Ok(())
    }

    fn checked_range(&self, range: &Value) -> Result<GridRange, Wrong> {
        let range: GridRange = serde_json::from_value(range.clone())
            .map_err(|_| Wrong::malformed("A range must be given, with no negative index."))?;
        range.area(self.tab(range.sheet_id)?)?;
        Ok(range)
    }

    pub(super) fn set_data_validation(&mut self, request: &SetValidation) -> Result<(), Wrong> {
        let tab = self.tab(request.range.sheet_id)?;
        let area = request.range.area(tab)?;
        self.refuse_protected(tab, &area)?;
        tab.refuse_typed(&area)?;
        let condition = request.rule.as_ref().map(|rule| &rule["condition"]);
        match condition.map(|condition| condition["type"].as_str().unwrap_or_default()) {
            Some("") => {
                return Err(Wrong::malformed("A data validation rule must have a condition."));
            }
            Some(kind @ ("BLANK" | "NOT_BLANK")) => {
                return Err(format!("{kind} is not supported for data validation.").into());
            }
            _ => {}
        }
        let tab = self.tab_mut(request.range.sheet_id)?;
        // Without a rule, only cells that exist can have one to lose.
        let end = if request.rule.is_some() { area.rows.end } else { tab.grid.rows().len() };
        for row in area.rows.start..end.min(area.rows.end) {
            let cells = tab.grid.row_mut(row);
            for column in area.columns.clone() {
                let cell = widen(cells, column);
                let mut dress = cell.dress();
                dress.remove(CHIP_COLOURS);
                match &request.rule {
                    Some(rule) => dress.insert("dataValidation".to_owned(), rule.clone()),
                    None => dress.remove("dataValidation"),
                };
                cell.set_dress(&dress);
            }
        }
        Ok(())
    }

    pub(super) fn sort_range(&mut self, request: &SortRange) -> Result<(), Wrong> {
        let tab = self.tab(request.range.sheet_id)?;
        let area = request.range.area(tab)?;
        self.refuse_protected(tab, &area)?;
        let tab = self.tab_mut(request.range.sheet_id)?;
        tab.grid.reshape(|grid| {
            let (start, end) = (area.rows.start.min(grid.len()), area.rows.end.min(grid.len()));
            let (from, to) = (area.columns.start, area.columns.end);
            let mut lines: Vec<Row> = grid[start..end]
                .iter_mut()
                .map(|row| {
                    row.resize_with(row.len().max(to), Cell::default);
                    row[from..to].iter_mut().map(std::mem::take).collect()
                })
                .collect();
            lines.sort_by(|one, other| {
                request.sort_specs.iter().fold(Ordering::Equal, |so_far, spec| {
                    let column = spec.dimension_index.saturating_sub(from).min(to - from - 1);
                    let descending = spec.sort_order == "DESCENDING";
                    so_far.then_with(|| in_order(&one[column], &other[column], descending))
                })
            });
            for (row, line) in grid[start..end].iter_mut().zip(lines) {
                row.splice(from..to, line);
            }
        });
        Ok(())
    }

    pub(super) fn add_conditional(&mut self, request: &OnConditional) -> Result<(), Wrong> {
        let rule = request.rule.clone().unwrap_or_default();
        let Some(first) = rule["ranges"].get(0) else {
            return Err(Wrong::malformed("A conditional format rule must have a range."));
        };
        let sheet = self.checked_range(first)?.sheet_id;
        let rules = &mut self.tab_mut(sheet)?.shape.conditionals;
        rules.insert(request.index.min(rules.len()), rule);
        Ok(())
    }

    /// The tab's rules, among which the one asked for is.
    fn conditionals_with(&mut self, request: &OnConditional) -> Result<&mut Vec<Value>, Wrong> {
        let rules = &mut self.tab_mut(request.sheet_id)?.shape.conditionals;
        if request.index >= rules.len() {
            return Err(format!(
                "No conditional format on sheet: {} at index: {}",
                request.sheet_id, request.index
            )
            .into());
        }
        Ok(rules)
    }

    pub(super) fn update_conditional(&mut self, request: &OnConditional) -> Result<Value, Wrong> {
        let rules = self.conditionals_with(request)?;
        let old = rules.remove(request.index);
        let new = request.rule.clone().unwrap_or_else(|| old.clone());
        let index =
            if request.rule.is_some() { request.index } else { request.new_index.min(rules.len()) };
        rules.insert(index, new.clone());
        Ok(json!({ "oldRule": old, "oldIndex": request.index, "newRule": new, "newIndex": index }))
    }

    pub(super) fn delete_conditional(&mut self, request: &OnConditional) -> Result<Value, Wrong> {
        let rules = self.conditionals_with(request)?;
        Ok(json!({ "rule": rules.remove(request.index) }))
    }

    pub(super) fn add_protection(&mut self, request: &OnProtection) -> Result<Value, Wrong> {
        let mut rule = request.protected_range.clone();
        let range = self.checked_range(rule.get("range").unwrap_or(&Value::Null))?;
        let id = rule.get("protectedRangeId").and_then(Value::as_i64);
        if let Some(id) = id
            && self.protection(id).is_some()
        {
            return Err(format!("A protected range with ID {id} already exists.").into());
        }
        rule.insert(
            "protectedRangeId".to_owned(),
            id.unwrap_or_else(|| fastrand::i32(1..).into()).into(),
        );
        rule.insert("requestingUserCanEdit".to_owned(), true.into());
        let rule = Value::Object(rule);
        let protection = Protection { rule: rule.clone(), ours: true };
        self.tab_mut(range.sheet_id)?.shape.protections.push(protection);
        Ok(json!({ "protectedRange": rule }))
    }

    fn protection(&mut self, id: i64) -> Option<&mut Protection> {
        let mut all = self.tabs.iter_mut().flat_map(|tab| &mut tab.shape.protections);
        all.find(|protection| protection.rule["protectedRangeId"] == id)
    }

    pub(super) fn update_protection(&mut self, request: &OnProtection) -> Result<(), Wrong> {
        let mask = fields(request.fields.as_deref(), "ProtectedRange")?;
        let id = request
            .protected_range
            .get("protectedRangeId")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let Some(Protection { rule: Value::Object(rule), ours: true }) = self.protection(id) else {
            return Err(format!("No protected range with ID: {id}").into());
        };
        mask.overwrite(rule, &request.protected_range);
        rule.insert("protectedRangeId".to_owned(), id.into());
        Ok(())
    }

    pub(super) fn delete_protection(&mut self, request: &OnProtection) -> Result<(), Wrong> {
        let id = request.protected_range_id;
        match self.protection(id) {
            None => return Err(format!("No protected range with ID: {id}").into()),
            Some(protection) if !protection.ours => return Err(crate::errors::PROTECTED.into()),
            Some(_) => {}
        }
        for tab in &mut self.tabs {
            tab.shape.protections.retain(|protection| protection.rule["protectedRangeId"] != id);
        }
        Ok(())
    }
}

/// Numbers before text before booleans; blanks last in either direction.
pub(crate) fn in_order(one: &Cell, other: &Cell, descending: bool) -> Ordering {
    let rank = |cell: &Cell| match cell.entered {
        Entered::Number(_) => 0,
        Entered::Text(_) | Entered::Formula(_) => 1,
        Entered::Bool(_) => 2,
        Entered::Nothing => 3,
    };
    let order = match (&one.entered, &other.entered) {
        (Entered::Nothing, _) | (_, Entered::Nothing) => return rank(one).cmp(&rank(other)),
        (Entered::Number(one), Entered::Number(other)) => one.total_cmp(other),
        (Entered::Text(one), Entered::Text(other)) => one.to_lowercase().cmp(&other.to_lowercase()),
        (Entered::Bool(one), Entered::Bool(other)) => one.cmp(other),
        _ => rank(one).cmp(&rank(other)),
    };
    if descending { order.reverse() } else { order }
}
