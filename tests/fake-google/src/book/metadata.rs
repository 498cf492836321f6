//! Developer metadata: unique ids, bounded storage, and staying with what it was put on.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::a1;
use crate::book::batch::fields;
use crate::book::dimensions::{Dimension, DimensionRange};
use crate::book::{Book, Wrong};
use crate::errors;
use crate::grid::shift::Shift;

/// Characters of keys and values, for the spreadsheet itself and for each tab.
const STORAGE_MAX: usize = 30_000;

#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    visibility: String,
    pub(crate) place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Spreadsheet,
    Sheet(i64),
    Row(i64, usize),
    Column(i64, usize),
}

impl Place {
    pub(crate) fn sheet(self) -> Option<i64> {
        match self {
            Self::Spreadsheet => None,
            Self::Sheet(sheet) | Self::Row(sheet, _) | Self::Column(sheet, _) => Some(sheet),
        }
    }

    /// The same place on another tab.
    pub(crate) fn on(self, sheet: i64) -> Self {
        match self {
            Self::Spreadsheet => self,
            Self::Sheet(_) => Self::Sheet(sheet),
            Self::Row(_, row) => Self::Row(sheet, row),
            Self::Column(_, column) => Self::Column(sheet, column),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Spreadsheet => "SPREADSHEET",
            Self::Sheet(_) => "SHEET",
            Self::Row(..) => "ROW",
            Self::Column(..) => "COLUMN",
        }
    }

    fn to_json(self) -> Value {
        let line = |sheet: i64, dimension: &str, index: usize| json!({ "sheetId": sheet, "dimension": dimension, "startIndex": index, "endIndex": index + 1 });
        let mut place = json!({ "locationType": self.kind() });
        match self {
            Self::Spreadsheet => place["spreadsheet"] = true.into(),
            Self::Sheet(sheet) => place["sheetId"] = sheet.into(),
            Self::Row(sheet, row) => place["dimensionRange"] = line(sheet, "ROWS", row),
            Self::Column(sheet, column) => place["dimensionRange"] = line(sheet, "COLUMNS", column),
        }
        place
    }

    /// Whether it is still there after the tab was cut to that size.
    pub(super) fn fits(self, cut: i64, rows: usize, columns: usize) -> bool {
        match self {
            Self::Row(sheet, row) => sheet != cut || row < rows,
            Self::Column(sheet, column) => sheet != cut || column < columns,
            Self::Spreadsheet | Self::Sheet(_) => true,
        }
    }

    /// Moves along with a row or column; false if that is gone.
    pub(super) fn shift(&mut self, id: i64, columns: bool, shift: &Shift) -> bool {
        let index = match self {
            Self::Row(sheet, row) if *sheet == id && !columns => row,
            Self::Column(sheet, column) if *sheet == id && columns => column,
            _ => return true,
        };
        let moved = shift.index(*index);
        *index = moved.unwrap_or_default();
        moved.is_some()
    }

    /// Whether one of the two is the other or lies on it.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Spreadsheet, _) | (_, Self::Spreadsheet) => true,
            (Self::Row(a, row), Self::Row(b, other)) => a == b && row == other,
            (Self::Column(a, column), Self::Column(b, other)) => a == b && column == other,
            _ => self.sheet() == other.sheet(),
        }
    }
}

impl Metadata {
    pub(crate) fn to_json(&self) -> Value {
        let mut metadata = json!({
            "metadataId": self.id,
            "metadataKey": self.key,
            "location": self.place.to_json(),
            "visibility": self.visibility,
        });
        if let Some(value) = &self.value {
            metadata["metadataValue"] = value.as_str().into();
        }
        metadata
    }

    fn size(&self) -> usize {
        self.key.chars().count() + self.value.as_ref().map_or(0, |value| value.chars().count())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CreateMetadata {
    developer_metadata: Wanted,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wanted {
    metadata_id: Option<i64>,
    metadata_key: String,
    metadata_value: Option<String>,
    visibility: String,
    location: Location,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Location {
    spreadsheet: Option<bool>,
    sheet_id: Option<i64>,
    dimension_range: Option<DimensionRange>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UpdateMetadata {
    data_filters: Vec<DataFilter>,
    developer_metadata: Map<String, Value>,
    fields: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeleteMetadata {
    data_filter: DataFilter,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DataFilter {
    developer_metadata_lookup: Option<Lookup>,
    a1_range: Option<String>,
    grid_range: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Lookup {
    metadata_id: Option<i64>,
    metadata_key: Option<String>,
    metadata_value: Option<String>,
    visibility: Option<String>,
    location_type: Option<String>,
    location_matching_strategy: Option<String>,
    metadata_location: Option<Location>,
}

impl Book {
    pub(crate) fn metadata_by_id(&self, id: i64) -> Option<&Metadata> {
        self.metadata.iter().find(|metadata| metadata.id == id)
    }

    fn place(&self, location: &Location) -> Result<Place, Wrong> {
        if location.spreadsheet == Some(true) {
            return Ok(Place::Spreadsheet);
        }
        if let Some(sheet) = location.sheet_id {
            return self.tab(sheet).map(|tab| Place::Sheet(tab.id));
        }
        let Some(range) = &location.dimension_range else {
            return Err("No location specified for the developer metadata.".into());
        };
        let shape = &self.tab(range.sheet_id)?.shape;
        let columns = range.dimension.is_columns()?;
        let start = range.start_index.unwrap_or(0);
        let count = if columns { shape.columns } else { shape.rows };
        if range.end_index != Some(start + 1) || start >= count {
            return Err("Developer metadata must be on a single row or column of the sheet.".into());
        }
        Ok(match range.dimension {
            Dimension::Columns => Place::Column(range.sheet_id, start),
            _ => Place::Row(range.sheet_id, start),
        })
    }

    pub(super) fn create_metadata(&mut self, request: &CreateMetadata) -> Result<Value, Wrong> {
        let wanted = &request.developer_metadata;
        let id = match wanted.metadata_id {
            Some(id) if id <= 0 => {
                return Err(Wrong::malformed("The metadata ID must be positive."));
            }
            Some(id) if self.metadata_by_id(id).is_some() => {
                return Err(format!(
                    "Cannot add developer metadata with ID [{id}] because developer metadata with that ID \
                     already exists."
                )
                .into());
            }
            Some(id) => id,
            None => i64::from(fastrand::i32(1..)),
        };
        if wanted.metadata_key.is_empty() {
            return Err(Wrong::malformed("Developer metadata must have a key."));
        }
        if !matches!(wanted.visibility.as_str(), "DOCUMENT" | "PROJECT") {
            return Err(Wrong::malformed("Developer metadata must have a visibility."));
        }
        let metadata = Metadata {
            id,
            key: wanted.metadata_key.clone(),
            value: wanted.metadata_value.clone(),
            visibility: wanted.visibility.clone(),
            place: self.place(&wanted.location)?,
        };
        let reply = json!({ "developerMetadata": metadata.to_json() });
        self.metadata.push(metadata);
        self.refuse_full_storage()?;
        Ok(reply)
    }

    fn refuse_full_storage(&self) -> Result<(), Wrong> {
        let sheets = self.tabs.iter().map(|tab| Some(tab.id));
        for owner in sheets.chain([None]) {
            let here = self.metadata.iter().filter(|metadata| metadata.place.sheet() == owner);
            if here.map(Metadata::size).sum::<usize>() > STORAGE_MAX {
                return Err(errors::METADATA_FULL.into());
            }
        }
        Ok(())
    }

    /// Says of all that were updated where they are at this point of the batch. Nothing to update is no
    /// error here; what Google makes of it is not documented.
    pub(super) fn update_metadata(&mut self, request: &UpdateMetadata) -> Result<Value, Wrong> {
        let mask = fields(request.fields.as_deref(), "DeveloperMetadata")?;
        let mut updated = Vec::new();
        for at in 0..self.metadata.len() {
            if !request.data_filters.iter().any(|filter| self.selects(filter, &self.metadata[at])) {
                continue;
            }
            let Value::Object(mut metadata) = self.metadata[at].to_json() else { continue };
            mask.overwrite(&mut metadata, &request.developer_metadata);
            let wanted: Wanted = serde_json::from_value(Value::Object(metadata))
                .map_err(|error| Wrong::malformed(error.to_string()))?;
            if wanted.metadata_key.is_empty() || wanted.visibility.is_empty() {
                return Err(Wrong::malformed(
                    "Developer metadata must have a key and a visibility.",
                ));
            }
            let place = self.place(&wanted.location)?;
            let entry = &mut self.metadata[at];
            entry.key = wanted.metadata_key;
            entry.value = wanted.metadata_value;
            entry.visibility = wanted.visibility;
            entry.place = place;
            updated.push(entry.to_json());
        }
        self.refuse_full_storage()?;
        // An empty list is left out of Google's JSON.
        Ok(if updated.is_empty() { json!({}) } else { json!({ "developerMetadata": updated }) })
    }

    /// Nothing to delete is no error.
    pub(super) fn delete_metadata(&mut self, request: &DeleteMetadata) -> Result<Value, Wrong> {
        let all = std::mem::take(&mut self.metadata);
        let (gone, kept): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|metadata| self.selects(&request.data_filter, metadata));
        self.metadata = kept;
        let deleted: Vec<Value> = gone.iter().map(Metadata::to_json).collect();
        Ok(if deleted.is_empty() {
            json!({})
        } else {
            json!({ "deletedDeveloperMetadata": deleted })
        })
    }

    /// Whether the filter selects the entry. A filter that says nothing selects nothing.
    pub(crate) fn selects(&self, filter: &DataFilter, metadata: &Metadata) -> bool {
        if let Some(lookup) = &filter.developer_metadata_lookup {
            return self.looks_up(lookup, metadata);
        }
        let sheet = match (&filter.a1_range, &filter.grid_range) {
            (Some(text), _) => a1::resolve(self, text).map(|(tab, _)| tab.id).ok(),
            (None, Some(range)) => Some(range["sheetId"].as_i64().unwrap_or_default()),
            (None, None) => None,
        };
        sheet.is_some() && metadata.place.sheet() == sheet
    }

    fn looks_up(&self, lookup: &Lookup, metadata: &Metadata) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|text| text == found)
        };
        let place = lookup.metadata_location.as_ref().map(|location| self.place(location));
        let exact = lookup.location_matching_strategy.as_deref() == Some("EXACT_LOCATION");
        lookup.metadata_id.is_none_or(|id| id == metadata.id)
            && is(&lookup.metadata_key, &metadata.key)
            && is(&lookup.metadata_value, metadata.value.as_deref().unwrap_or_default())
            && is(&lookup.visibility, &metadata.visibility)
            && is(&lookup.location_type, metadata.place.kind())
            && place.is_none_or(|place| {
                place.is_ok_and(|place| {
                    if exact { place == metadata.place } else { place.meets(metadata.place) }
                })
            })
    }
}
