//! Tabs: their properties, and adding, changing and deleting them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::book::batch::fields;
use crate::book::range::Area;
use crate::book::{Book, Wrong};
use crate::grid::Grid;

const COLUMNS_MAX: usize = 18_278;

#[derive(Debug)]
pub(crate) struct Tab {
    pub(crate) id: i64,
    pub(crate) shape: Shape,
    pub(crate) grid: Grid,
}

/// All of a tab but its cells: small enough to copy before each batch.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) title: String,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// The other `SheetProperties`.
    pub(crate) properties: Map<String, Value>,
    /// `DimensionProperties` of rows and columns that were given any.
    pub(crate) row_properties: BTreeMap<usize, Map<String, Value>>,
    pub(crate) column_properties: BTreeMap<usize, Map<String, Value>>,
    pub(crate) filter: Option<Value>,
    pub(crate) filter_views: Vec<Value>,
    /// As `GridRange`s, always closed.
    pub(crate) merges: Vec<Value>,
    pub(crate) conditionals: Vec<Value>,
    pub(crate) protections: Vec<Protection>,
    /// As Google's `Table`s.
    pub(crate) tables: Vec<Value>,
    /// As Google's `EmbeddedChart`s, on the tab that they stand on.
    pub(crate) charts: Vec<Value>,
}

#[derive(Debug, Clone)]
pub(crate) struct Protection {
    pub(crate) rule: Value,
    /// Set through the API: whoever sets a protection may edit under it.
    pub(crate) ours: bool,
}

impl Shape {
    /// Makes every range on the tab name it by that id.
    fn point_at(&mut self, id: i64) {
        let point = |range: &mut Value| range["sheetId"] = id.into();
        let filters = self.filter.iter_mut().chain(&mut self.filter_views);
        filters.for_each(|filter| point(&mut filter["range"]));
        self.merges.iter_mut().for_each(point);
        self.tables.iter_mut().for_each(|table| point(&mut table["range"]));
        let rules = self.conditionals.iter_mut();
        rules.filter_map(|rule| rule["ranges"].as_array_mut()).flatten().for_each(point);
        self.point_charts_at(id);
        for Protection { rule, .. } in &mut self.protections {
            point(&mut rule["range"]);
            rule["unprotectedRanges"].as_array_mut().into_iter().flatten().for_each(point);
        }
    }
}

impl Tab {
    pub(crate) fn new(id: i64, title: &str, rows: usize, columns: usize) -> Self {
        let properties = Map::from_iter([("sheetType".to_owned(), json!("GRID"))]);
        let shape = Shape {
            title: title.to_owned(),
            rows,
            columns,
            properties,
            row_properties: BTreeMap::new(),
            column_properties: BTreeMap::new(),
            filter: None,
            filter_views: Vec::new(),
            merges: Vec::new(),
            conditionals: Vec::new(),
            protections: Vec::new(),
            tables: Vec::new(),
            charts: Vec::new(),
        };
        Self { id, shape, grid: Grid::default() }
    }

    /// A tab of the same content under another id.
    pub(crate) fn copy(&self, id: i64) -> Self {
        let mut shape = self.shape.clone();
        shape.point_at(id);
        let mut grid = Grid::default();
        grid.push_rows(self.grid.rows().iter().cloned());
        grid.commit();
        Self { id, shape, grid }
    }

    /// The whole of the tab, as an area.
    pub(super) fn area(&self) -> Area {
        Area { rows: 0..self.shape.rows, columns: 0..self.shape.columns }
    }

    /// The tab as Google's `SheetProperties`.
    pub(crate) fn properties(&self, index: usize) -> Map<String, Value> {
        let mut properties = self.shape.properties.clone();
        properties.insert("sheetId".to_owned(), self.id.into());
        properties.insert("title".to_owned(), self.shape.title.clone().into());
        properties.insert("index".to_owned(), index.into());
        let grid = properties.entry("gridProperties").or_insert_with(|| json!({}));
        grid["rowCount"] = self.shape.rows.into();
        grid["columnCount"] = self.shape.columns.into();
        properties
    }

    /// Takes what [`Tab::properties`] gave out, changed, and gives back the wished index.
    fn set_properties(&mut self, mut properties: Map<String, Value>) -> Result<usize, Wrong> {
        let count = |name: &str| properties["gridProperties"][name].as_u64().unwrap_or_default();
        let (rows, columns) = (count("rowCount"), count("columnCount"));
        let (Ok(rows), Ok(columns)) = (usize::try_from(rows), usize::try_from(columns)) else {
            return Err("Invalid grid size.".into());
        };
        if rows == 0 || columns == 0 {
            return Err("You can't delete all the rows or columns on the sheet.".into());
        }
        if columns > COLUMNS_MAX {
            return Err(format!("Sheets cannot have more than {COLUMNS_MAX} columns.").into());
        }
        let frozen = properties["gridProperties"]["frozenRowCount"].as_u64().unwrap_or_default();
        if usize::try_from(frozen).is_ok_and(|frozen| frozen >= rows) {
            return Err("You can't freeze all rows on the sheet.".into());
        }
        self.shape.rows = rows;
        self.shape.columns = columns;
        if let Some(Value::String(title)) = properties.remove("title") {
            self.shape.title = title;
        }
        let index = properties.remove("index").and_then(|index| index.as_u64()).unwrap_or_default();
        properties.remove("sheetId");
        if let Some(Value::Object(grid)) = properties.get_mut("gridProperties") {
            grid.retain(|name, _| name != "rowCount" && name != "columnCount");
        }
        self.shape.properties = properties;
        Ok(usize::try_from(index).unwrap_or_default())
    }

    /// Drops cells outside the tab after it shrank.
    fn trim(&mut self) {
        let (rows, columns) = (self.shape.rows, self.shape.columns);
        let outside =
            self.grid.rows().len() > rows || self.grid.rows().iter().any(|row| row.len() > columns);
        if outside {
            self.grid.reshape(|grid| {
                grid.truncate(rows);
                for row in grid {
                    row.truncate(columns);
                }
            });
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AddSheet {
    properties: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DeleteSheet {
    sheet_id: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateProperties {
    properties: Map<String, Value>,
    fields: Option<String>,
}

impl Book {
    pub(super) fn add_sheet(&mut self, request: &AddSheet) -> Result<Value, Wrong> {
        let wanted = &request.properties;
        let id = match wanted.get("sheetId").and_then(Value::as_i64) {
            Some(id) if id < 0 => return Err("Sheet IDs must be non-negative.".into()),
            Some(id) if self.tab(id).is_ok() => {
                return Err(format!(
                    "Cannot add sheet with ID: {id}, a sheet with that ID already exists."
                )
                .into());
            }
            Some(id) => id,
            None => i64::from(fastrand::i32(1..)),
        };
        let title = match wanted.get("title").and_then(Value::as_str) {
            Some(title) => title.to_owned(),
            None => (1..)
                .map(|number| format!("Sheet{number}"))
                .find(|title| self.tab_titled(title).is_none())
                .unwrap_or_default(),
        };
        self.refuse_title(&title, None)?;
        let mut tab = Tab::new(id, &title, 1000, 26);
        let mut properties = tab.properties(self.tabs.len());
        merge(&mut properties, wanted);
        let index = tab.set_properties(properties)?.min(self.tabs.len());
        self.tabs.insert(index, tab);
        self.refuse_too_many_cells()?;
        Ok(json!({ "properties": self.tabs[index].properties(index) }))
    }

    pub(super) fn delete_sheet(&mut self, request: &DeleteSheet) -> Result<(), Wrong> {
        let id = request.sheet_id;
        let Some(at) = self.tabs.iter().position(|tab| tab.id == id) else {
            return Err(format!("No sheet with id: {id}").into());
        };
        self.refuse_protected(&self.tabs[at], &self.tabs[at].area())?;
        if self.tabs.len() == 1 {
            return Err("You can't remove all the sheets in a document.".into());
        }
        self.remove_tab(at);
        Ok(())
    }

    /// Takes a tab out with all that is on it.
    pub(crate) fn remove_tab(&mut self, at: usize) {
        let tab = self.tabs.remove(at);
        self.metadata.retain(|metadata| metadata.place.sheet() != Some(tab.id));
        self.gone.push(tab);
    }

    pub(super) fn update_sheet_properties(
        &mut self,
        request: &UpdateProperties,
    ) -> Result<(), Wrong> {
        let mask = fields(request.fields.as_deref(), "SheetProperties")?;
        let id = request.properties.get("sheetId").and_then(Value::as_i64).unwrap_or_default();
        let Some(at) = self.tabs.iter().position(|tab| tab.id == id) else {
            return Err(format!("No sheet with id: {id}").into());
        };
        self.refuse_protected(&self.tabs[at], &self.tabs[at].area())?;
        let mut properties = self.tabs[at].properties(at);
        let before = properties.clone();
        mask.overwrite(&mut properties, &request.properties);
        // `*` names the read-only and the required members too; what was not sent stays.
        for name in ["sheetId", "title", "index", "sheetType", "gridProperties"] {
            if let (false, Some(old)) = (properties.contains_key(name), before.get(name)) {
                properties.insert(name.to_owned(), old.clone());
            }
        }
        for name in ["rowCount", "columnCount"] {
            if properties["gridProperties"][name].is_null() {
                properties["gridProperties"][name] = before["gridProperties"][name].clone();
            }
        }
        let title = properties["title"].as_str().unwrap_or_default().to_owned();
        self.refuse_title(&title, Some(id))?;
        let index = self.tabs[at].set_properties(properties)?;
        self.tabs[at].trim();
        let (rows, columns) = (self.tabs[at].shape.rows, self.tabs[at].shape.columns);
        self.metadata.retain(|metadata| metadata.place.fits(id, rows, columns));
        let tab = self.tabs.remove(at);
        self.tabs.insert(index.min(self.tabs.len()), tab);
        self.refuse_too_many_cells()
    }

    pub(super) fn update_properties(&mut self, request: &UpdateProperties) -> Result<(), Wrong> {
        let mask = fields(request.fields.as_deref(), "SpreadsheetProperties")?;
        mask.overwrite(&mut self.properties, &request.properties);
        Ok(())
    }

    fn refuse_title(&self, title: &str, own: Option<i64>) -> Result<(), Wrong> {
        if title.is_empty() {
            return Err("The sheet name cannot be empty.".into());
        }
        if title.chars().count() > 100 {
            return Err("The sheet name cannot be greater than 100 characters.".into());
        }
        match self.tab_titled(title) {
            Some(tab) if Some(tab.id) != own => Err(format!(
                "A sheet with the name \"{title}\" already exists. Please enter another name."
            )
            .into()),
            _ => Ok(()),
        }
    }
}

/// Lays `from` over `into`, object by object.
fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (name, new) in from {
        match (into.get_mut(name), new) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            _ => drop(into.insert(name.clone(), new.clone())),
        }
    }
}
