//! `check --live`: proves on the real spreadsheet what the design relies on and Google does not
//! document. Works on a scratch tab, which it removes again.

use serde_json::{Value, json};

use crate::sheets::client::Client;
use crate::sheets::column::Column;
use crate::sheets::deliver::Confirmation;
use crate::sheets::outcome::{answered, settled};
use crate::sheets::plan::MARKER_KEY;
use crate::sheets::request::where_they_are;
use crate::sheets::setup::{columns, dress_board};
use crate::sheets::verdict::{Answer, Verdict};
use crate::sheets::{Shading, Trouble, delete_metadata};

/// One fact, tried.
#[derive(Debug)]
pub struct Finding {
    /// Under which it is recorded.
    pub name: &'static str,
    /// What was to be shown.
    pub sentence: &'static str,
    /// Whether it was.
    pub holds: bool,
    /// What the service does where it does not hold.
    pub else_: &'static str,
    /// Whether something is to be mended where it does not hold: what is only to be known is no fault.
    pub matters: bool,
}

/// The scratch tab, and what is known to be in it.
struct Scratch<'a> {
    client: &'a Client,
    id: i32,
    title: String,
    rows: usize,
}

/// Rows of the scratch tab.
const ROWS: usize = 50;
const FALLBACK: &str = "rows are found again by their Event ID instead";
const READ_BACK: &str = "keep filters and hidden rows out of the log tab";
const NEVER_MADE: &str = "the board and the handovers are not made, and rows go to the log alone";
const NOT_DRAWN: &str = "the board is left out";
/// Of a column of the scratch tab; the service looks for other keys.
const COLUMN_KEY: &str = "dts.probe";

/// Tries every fact. The scratch tab is removed whatever happens in between.
///
/// # Errors
/// [`Trouble`] when the spreadsheet cannot be worked on at all.
pub async fn run(client: &Client) -> Result<Vec<Finding>, Trouble> {
    let id = fastrand::i32(1_000..100_000_000);
    let title = format!("scratch {id} (safe to delete)");
    let mut scratch = Scratch { client, id, title, rows: 0 };
    // Where the answer to making it is lost, it may be there all the same.
    let findings = match scratch.make().await {
        Ok(()) => scratch.findings().await,
        Err(trouble) => Err(trouble),
    };
    let removed = scratch.write(json!([{ "deleteSheet": { "sheetId": id } }])).await;
    let findings = findings?;
    if !removed? {
        return Err(Trouble::Operator(format!("delete the tab `{}` by hand", scratch.title)));
    }
    Ok(findings)
}

impl Scratch<'_> {
    async fn findings(&mut self) -> Result<Vec<Finding>, Trouble> {
        let mut findings = Vec::from(self.of_markers().await?);
        findings.extend(self.of_appending().await?);
        findings.extend(self.of_tables().await?);
        findings.extend(self.of_the_board().await?);
        findings.push(self.of_the_end().await?);
        Ok(findings)
    }

    async fn of_markers(&mut self) -> Result<[Finding; 4], Trouble> {
        let marker = fastrand::i32(100_000_000..1_000_000_000);
        let first = self.write(json!([self.marker(marker), self.append("first")])).await?;
        self.rows += usize::from(first);
        let readable = self.marker_is_readable(marker).await?;
        let again = self.write(json!([self.marker(marker), self.append("again")])).await?;
        let fences = first && !again && self.stands_at_end("first").await?;
        Ok([
            Finding {
                name: "marker_fences",
                sentence: "a marker id used twice is refused and takes the whole batch with it",
                holds: fences,
                else_: FALLBACK,
                matters: true,
            },
            Finding {
                name: "marker_readable",
                sentence: "a marker can be read right after the write",
                holds: readable,
                else_: FALLBACK,
                matters: true,
            },
            Finding {
                name: "prune_absent",
                sentence: "deleting a marker that is not there is no error",
                holds: self.write(json!([delete_metadata(marker - 1)])).await?,
                else_: "a failed pruning is tried again later",
                matters: true,
            },
            Finding {
                name: "positions_told",
                sentence: "a write is told where columns are at its moment",
                holds: self.tells_where_a_column_is().await?,
                else_: "each write is looked after instead",
                matters: true,
            },
        ])
    }

    async fn of_appending(&mut self) -> Result<[Finding; 3], Trouble> {
        Ok([
            Finding {
                name: "append_below_dropdown",
                sentence: "rows land after the last row though a dropdown waits below",
                holds: self.under(self.dropdown_below(), "below").await?,
                else_: "keep dropdowns out of the empty rows below",
                matters: true,
            },
            Finding {
                name: "append_under_filter",
                sentence: "rows land while a filter is on",
                holds: self.under(self.filter(), "filter").await?,
                else_: READ_BACK,
                matters: true,
            },
            Finding {
                name: "append_past_hidden",
                sentence: "rows land while rows are hidden",
                holds: self.under(self.hidden_rows(), "hidden").await?,
                else_: READ_BACK,
                matters: true,
            },
        ])
    }

    /// Appends to the tab and to the table that was made of it. Where none can be made, nobody can have one there.
    async fn of_tables(&mut self) -> Result<Vec<Finding>, Trouble> {
        let table = json!({ "addTable": { "table": {
            "name": format!("scratch_{}", self.id),
            "range": { "sheetId": self.id, "startRowIndex": 0, "endRowIndex": self.rows,
                       "startColumnIndex": 0, "endColumnIndex": 2 },
        } } });
        let clear = json!({ "clearBasicFilter": { "sheetId": self.id } });
        let Some(made) = self.answer(json!([clear, table])).await? else { return Ok(Vec::new()) };
        let below = self.write(json!([self.append("tab")])).await?;
        self.rows += usize::from(below);
        let below = below && self.stands_at_end("tab").await?;
        let made: Value = serde_json::from_slice(&made.body).unwrap_or_default();
        let id = made.pointer("/replies/1/addTable/table/tableId").cloned().unwrap_or_default();
        let mut append = self.append("table");
        append["appendCells"]["tableId"] = id;
        let column = match self.write(json!([append])).await? {
            true => self.client.values(&self.title, "A:A", "COLUMNS").await?,
            false => Vec::new(),
        };
        Ok(vec![
            Finding {
                name: "append_below_table",
                sentence: "rows land below a table",
                holds: below,
                else_: "open the table's menu and choose Revert to unformatted data",
                matters: true,
            },
            Finding {
                name: "append_into_table",
                sentence: "rows appended to a table are kept",
                holds: column.iter().flatten().any(|text| text == "table"),
                else_: "rows are appended to the tab, below the table",
                matters: false,
            },
        ])
    }

    /// Last: its line would stand below all rows.
    async fn of_the_board(&self) -> Result<[Finding; 2], Trouble> {
        let shading = Shading { warn_minutes: 15, alert_minutes: 60 };
        let dress = dress_board(self.id, &[(Column::Waiting, 1)], shading);
        Ok([
            Finding {
                name: "board_dressed",
                sentence: "a tab takes colours by waiting time and a warning to who changes it",
                holds: self.write(Value::from(dress)).await?,
                else_: NEVER_MADE,
                matters: true,
            },
            Finding {
                name: "board_drawn",
                sentence: "lines are written with formulas, and what stood below them is cleared",
                holds: self.draws_over_what_was_there().await?,
                else_: NOT_DRAWN,
                matters: true,
            },
        ])
    }

    /// Beyond the last row there was: whether what Google adds is like what was there.
    async fn of_the_end(&self) -> Result<Finding, Trouble> {
        let range = json!({ "sheetId": self.id, "startRowIndex": 1, "startColumnIndex": 0,
                            "endColumnIndex": 1 });
        let dropdown = json!({ "setDataValidation": { "range": range, "rule": dropdown() } });
        let rows =
            vec![json!({ "values": [{ "userEnteredValue": { "stringValue": "end" } }] }); 15];
        let append = json!({ "appendCells": {
            "sheetId": self.id, "rows": rows, "fields": "userEnteredValue",
        } });
        let is_done = self.write(json!([dropdown])).await? && self.write(json!([append])).await?;
        let range = format!("'{}'!A{}:A{}", self.title, ROWS + 1, ROWS + 1);
        let fields = "sheets(data(rowData(values(dataValidation))))";
        let query = [("ranges", range.as_str()), ("fields", fields)];
        let rule = "/sheets/0/data/0/rowData/0/values/0/dataValidation";
        let follows = match is_done {
            true => {
                let found: Value =
                    self.client.parsed(self.client.read("probe", "", &query).await)?;
                found.pointer(rule).is_some()
            }
            false => false,
        };
        Ok(Finding {
            name: "dropdown_follows",
            sentence: "rows beyond the last of a tab get the dropdowns of those before",
            holds: follows,
            else_: "they come without: copy the dropdown down by hand where it is missed",
            matters: false,
        })
    }

    async fn make(&self) -> Result<(), Trouble> {
        let made = self
            .write(json!([{ "addSheet": { "properties": {
                "sheetId": self.id,
                "title": self.title,
                "gridProperties": { "rowCount": ROWS, "columnCount": 2 },
            } } }]))
            .await?;
        if made { Ok(()) } else { Err(Trouble::Taken) }
    }

    /// Does something to the tab, appends a row and sees whether it came to stand last.
    async fn under(&mut self, condition: Value, text: &str) -> Result<bool, Trouble> {
        if !self.write(json!([condition])).await? || !self.write(json!([self.append(text)])).await?
        {
            return Ok(false);
        }
        self.rows += 1;
        self.stands_at_end(text).await
    }

    async fn stands_at_end(&self, text: &str) -> Result<bool, Trouble> {
        let column = self.client.values(&self.title, "A:A", "COLUMNS").await?;
        let column = column.into_iter().next().unwrap_or_default();
        Ok(column.len() == self.rows && column.last().is_some_and(|last| last == text))
    }

    async fn marker_is_readable(&self, id: i32) -> Result<bool, Trouble> {
        let suffix = format!("/developerMetadata/{id}");
        let answer = answered(self.client.read("marker", &suffix, &[]).await)?;
        match answer.status {
            404 if answer.names_metadata() => Ok(false),
            _ => settled(self.client.account(), answer).map(|_| true),
        }
    }

    async fn tells_where_a_column_is(&self) -> Result<bool, Trouble> {
        let bind = json!({ "createDeveloperMetadata": { "developerMetadata": {
            "metadataKey": COLUMN_KEY,
            "metadataValue": "probe",
            "location": { "dimensionRange": columns(self.id, 1) },
            "visibility": "DOCUMENT",
        } } });
        let ask = json!({ "updateDeveloperMetadata": where_they_are(COLUMN_KEY) });
        let answer = self.answer(json!([bind, ask])).await?;
        let confirmation = answer.as_ref().and_then(Confirmation::of);
        let told = confirmation.as_ref().and_then(Confirmation::told);
        let column = told.and_then(|told| told.first()?.location.dimension_range.as_ref());
        Ok(column.is_some_and(|column| column.start_index == 1))
    }

    /// Of two lines where one is drawn one stays.
    async fn draws_over_what_was_there(&self) -> Result<bool, Trouble> {
        let line = |row: u32| {
            json!({ "values": [{
                "userEnteredValue": { "formulaValue": format!("=NOW()-A{row}") },
                "userEnteredFormat": { "numberFormat": Column::Waiting.number_format() },
            }] })
        };
        let (two, one) = (self.lines(json!([line(41), line(42)])), self.lines(json!([line(41)])));
        let is_drawn = self.write(json!([two])).await? && self.write(json!([one])).await?;
        let column = self.client.values(&self.title, "B41:B50", "COLUMNS").await?;
        let shown = column.into_iter().flatten().filter(|cell| !cell.is_empty()).count();
        Ok(is_drawn && shown == 1)
    }

    /// True when done, false when refused as a request.
    async fn write(&self, requests: Value) -> Result<bool, Trouble> {
        Ok(self.answer(requests).await?.is_some())
    }

    /// What Google answers when it is done, `None` when it is refused as a request.
    async fn answer(&self, requests: Value) -> Result<Option<Answer>, Trouble> {
        let body = json!({ "requests": requests }).to_string().into_bytes();
        let answer = answered(self.client.write("probe", body).await)?;
        match answer.verdict(self.client.account()) {
            Verdict::Refused(_) => Ok(None),
            _ => settled(self.client.account(), answer).map(Some),
        }
    }

    fn marker(&self, id: i32) -> Value {
        json!({ "createDeveloperMetadata": { "developerMetadata": {
            "metadataId": id,
            "metadataKey": MARKER_KEY,
            "metadataValue": "probe",
            "location": { "sheetId": self.id },
            "visibility": "DOCUMENT",
        } } })
    }

    fn append(&self, text: &str) -> Value {
        json!({ "appendCells": {
            "sheetId": self.id,
            "rows": [{ "values": [{ "userEnteredValue": { "stringValue": text } }] }],
            "fields": "userEnteredValue",
        } })
    }

    fn dropdown_below(&self) -> Value {
        json!({ "setDataValidation": {
            "range": { "sheetId": self.id, "startRowIndex": 20, "endRowIndex": 30,
                       "startColumnIndex": 1, "endColumnIndex": 2 },
            "rule": dropdown(),
        } })
    }

    /// A filter that hides every row there is.
    fn filter(&self) -> Value {
        json!({ "setBasicFilter": { "filter": {
            "range": { "sheetId": self.id, "startRowIndex": 0, "startColumnIndex": 0,
                       "endColumnIndex": 2 },
            "criteria": { "0": { "hiddenValues": ["first", "below"] } },
        } } })
    }

    /// Lines written over whatever stands there, and cleared to the end of the tab, as a board is.
    fn lines(&self, rows: Value) -> Value {
        json!({ "updateCells": {
            "range": { "sheetId": self.id, "startRowIndex": 40,
                       "startColumnIndex": 1, "endColumnIndex": 2 },
            "rows": rows,
            "fields": "userEnteredValue,userEnteredFormat.numberFormat",
        } })
    }

    fn hidden_rows(&self) -> Value {
        json!({ "updateDimensionProperties": {
            "range": { "sheetId": self.id, "dimension": "ROWS", "startIndex": 1, "endIndex": 3 },
            "properties": { "hiddenByUser": true },
            "fields": "hiddenByUser",
        } })
    }
}

fn dropdown() -> Value {
    json!({ "condition": { "type": "ONE_OF_LIST", "values": [
        { "userEnteredValue": "Waiting" }, { "userEnteredValue": "Done" } ] } })
}
