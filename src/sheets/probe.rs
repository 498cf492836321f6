//! `check --live`: proves on the real spreadsheet what the design relies on and Google does not
//! document. Works on a scratch tab, which it removes again.

use serde_json::{Value, json};

use crate::sheets::client::Client;
use crate::sheets::outcome::{answered, settled};
use crate::sheets::plan::MARKER_KEY;
use crate::sheets::verdict::Verdict;
use crate::sheets::{Trouble, delete_metadata};

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
}

/// The scratch tab, and what is known to be in it.
struct Scratch<'a> {
    client: &'a Client,
    id: i32,
    title: String,
    rows: usize,
}

const FALLBACK: &str = "rows are found again by their Event ID instead";
const READ_BACK: &str = "keep filters and hidden rows out of the log tab";

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
        let marker = fastrand::i32(100_000_000..1_000_000_000);
        let first = self.write(json!([self.marker(marker), self.append("first")])).await?;
        self.rows += usize::from(first);
        let readable = self.marker_is_readable(marker).await?;
        let again = self.write(json!([self.marker(marker), self.append("again")])).await?;
        let fences = first && !again && self.stands_at_end("first").await?;
        let absent = self.write(json!([delete_metadata(marker - 1)])).await?;
        let below = self.under(self.dropdown_below(), "below").await?;
        let filter = self.under(self.filter(), "filter").await?;
        let hidden = self.under(self.hidden_rows(), "hidden").await?;
        let finding = |name, sentence, holds, else_| Finding { name, sentence, holds, else_ };
        Ok(vec![
            finding(
                "marker_fences",
                "a marker id used twice is refused and takes the whole batch with it",
                fences,
                FALLBACK,
            ),
            finding(
                "marker_readable",
                "a marker can be read right after the write",
                readable,
                FALLBACK,
            ),
            finding(
                "prune_absent",
                "deleting a marker that is not there is no error",
                absent,
                "a failed pruning is tried again later",
            ),
            finding(
                "append_below_dropdown",
                "rows land after the last row though a dropdown waits below",
                below,
                "keep dropdowns out of the empty rows below",
            ),
            finding("append_under_filter", "rows land while a filter is on", filter, READ_BACK),
            finding("append_past_hidden", "rows land while rows are hidden", hidden, READ_BACK),
        ])
    }

    async fn make(&mut self) -> Result<(), Trouble> {
        let made = self
            .write(json!([{ "addSheet": { "properties": {
                "sheetId": self.id,
                "title": self.title,
                "gridProperties": { "rowCount": 50, "columnCount": 2 },
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

    /// True when done, false when refused as a request.
    async fn write(&self, requests: Value) -> Result<bool, Trouble> {
        let body = json!({ "requests": requests }).to_string().into_bytes();
        let answer = answered(self.client.write("probe", body).await)?;
        match answer.verdict(self.client.account()) {
            Verdict::Refused(_) => Ok(false),
            _ => settled(self.client.account(), answer).map(|_| true),
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
            "rule": { "condition": { "type": "ONE_OF_LIST", "values": [
                { "userEnteredValue": "Waiting" }, { "userEnteredValue": "Done" } ] } },
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

    fn hidden_rows(&self) -> Value {
        json!({ "updateDimensionProperties": {
            "range": { "sheetId": self.id, "dimension": "ROWS", "startIndex": 1, "endIndex": 3 },
            "properties": { "hiddenByUser": true },
            "fields": "hiddenByUser",
        } })
    }
}
