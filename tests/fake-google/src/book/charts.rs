//! Charts: made of ranges, they follow their cells, and go with the tab that they stand on.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::book::range::GridRange;
use crate::book::tabs::Shape;
use crate::book::{Book, Wrong};
use crate::grid::shift::Shift;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AddChart {
    chart: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeleteObject {
    object_id: i64,
}

/// The ranges that a chart's domains and series are made of.
pub(crate) fn sources(chart: &mut Value) -> Vec<&mut Value> {
    let mut found = Vec::new();
    let Some(basic) = chart["spec"]["basicChart"].as_object_mut() else { return found };
    for (list, member) in basic.iter_mut() {
        let member_name = match list.as_str() {
            "domains" => "domain",
            "series" => "series",
            _ => continue,
        };
        for one in member.as_array_mut().into_iter().flatten() {
            let ranges = one[member_name]["sourceRange"]["sources"].as_array_mut();
            found.extend(ranges.into_iter().flatten());
        }
    }
    found
}

impl Book {
    pub(super) fn add_chart(&mut self, request: &AddChart) -> Result<Value, Wrong> {
        let mut chart = Value::Object(request.chart.clone());
        if !chart["spec"]["basicChart"].is_object() {
            return Err(Wrong::malformed("Must specify a chart spec that this stand-in draws."));
        }
        let series = chart["spec"]["basicChart"]["series"].as_array().map_or(0, Vec::len);
        if series == 0 {
            return Err("A basic chart must have at least one series.".into());
        }
        for range in sources(&mut chart) {
            let range = GridRange::from_json(range);
            range.area(self.tab(range.sheet_id)?)?;
        }
        let anchor = &chart["position"]["overlayPosition"]["anchorCell"];
        if !anchor.is_object() {
            return Err(Wrong::malformed("Must specify where on a sheet the chart stands."));
        }
        let index = |name: &str| anchor[name].as_u64().and_then(|at| usize::try_from(at).ok());
        let (row, column) = (index("rowIndex").unwrap_or(0), index("columnIndex").unwrap_or(0));
        let sheet = anchor["sheetId"].as_i64().unwrap_or_default();
        let shape = &self.tab(sheet)?.shape;
        if row >= shape.rows || column >= shape.columns {
            return Err("The anchor cell is outside of the grid.".into());
        }
        let id = chart["chartId"].as_i64().unwrap_or_else(|| fastrand::i32(1..).into());
        if self.charts().any(|other| other["chartId"] == id) {
            return Err(format!("An object with ID {id} already exists.").into());
        }
        chart["chartId"] = id.into();
        self.tab_mut(sheet)?.shape.charts.push(chart.clone());
        Ok(json!({ "chart": chart }))
    }

    pub(super) fn delete_object(&mut self, request: &DeleteObject) -> Result<(), Wrong> {
        let id = request.object_id;
        if self.charts().all(|chart| chart["chartId"] != id) {
            return Err(format!("No object with id: {id}").into());
        }
        let shapes = self.tabs.iter_mut().map(|tab| &mut tab.shape);
        shapes.for_each(|shape| shape.charts.retain(|chart| chart["chartId"] != id));
        Ok(())
    }

    fn charts(&self) -> impl Iterator<Item = &Value> {
        self.tabs.iter().flat_map(|tab| &tab.shape.charts)
    }

    /// What charts are made of goes where its cells go.
    pub(super) fn shift_charts(&mut self, id: i64, columns: bool, shift: &Shift) {
        for chart in self.tabs.iter_mut().flat_map(|tab| &mut tab.shape.charts) {
            for range in sources(chart) {
                if range["sheetId"].as_i64().unwrap_or_default() == id
                    && !shift.grid_range(range, columns)
                {
                    *range = Value::Null;
                }
            }
            let anchor = &mut chart["position"]["overlayPosition"]["anchorCell"];
            let name = if columns { "columnIndex" } else { "rowIndex" };
            let at = anchor[name].as_u64().and_then(|at| usize::try_from(at).ok());
            if anchor["sheetId"].as_i64().unwrap_or_default() == id
                && let Some(moved) = at.and_then(|at| shift.index(at))
            {
                anchor[name] = moved.into();
            }
        }
    }
}

impl Shape {
    /// The charts of a copy of the tab: of its own cells, and with ids of their own.
    pub(super) fn point_charts_at(&mut self, id: i64) {
        for chart in &mut self.charts {
            chart["chartId"] = fastrand::i32(1..).into();
            chart["position"]["overlayPosition"]["anchorCell"]["sheetId"] = id.into();
            sources(chart).into_iter().for_each(|range| range["sheetId"] = id.into());
        }
    }
}
