//! The summary in cells: a sentence, the labels (which are left as people have them), and three lists side by
//! side. Written as a whole, in a request of its own; only our columns are written.

use std::borrow::Cow;

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::chat::summary::Summary;
use crate::chat::time::UnixMs;
use crate::sheets::cells::{Cell, Entered, Row};
use crate::sheets::client::Client;
use crate::sheets::column::{Column, Purpose};
use crate::sheets::deliver::Confirmation;
use crate::sheets::layout::{COLUMN_KEY, TabLayout, columns_of};
use crate::sheets::outcome::{Landing, Trouble, answered, later, settled};
use crate::sheets::plan::{Marker, Traces};
use crate::sheets::request::where_they_are;
use crate::sheets::zone::time_zone;

/// The first line's row, from 0.
const FIRST: u32 = Purpose::Summary.header_row() + 1;
/// What stands for an agent whose name nobody told.
const NOT_KNOWN: &str = "(not known)";
/// Days from the sheet's day zero to 1970-01-01.
const EPOCH_DAYS: f64 = 25_569.0;

impl Client {
    /// Writes the summary as of `at`, with one write, by the clocks of the zone of this name. It begins with its
    /// marker, where there can be one, and is refused once that is burnt.
    ///
    /// # Errors
    /// [`Trouble`]; it may have been applied or may yet be.
    pub async fn write_summary(
        &self,
        (tab, zone_name): (&TabLayout, &str),
        (summary, at): (&Summary, UnixMs),
        marker: Option<&Marker>,
        traces: Traces,
    ) -> Result<Landing, Trouble> {
        let sentence = summary.headline(at, &time_zone(zone_name));
        let marked = marker.map(|marker| json!({ "createDeveloperMetadata": marker.request() }));
        let asked = traces
            .positions
            .then(|| json!({ "updateDeveloperMetadata": where_they_are(COLUMN_KEY) }));
        let before = marked.into_iter().chain(asked);
        let requests: Vec<Value> = before.chain(updates(tab, summary, &sentence)).collect();
        let body = json!({ "requests": requests }).to_string().into_bytes();
        let answer = settled(self.account(), answered(self.write("summary", body).await)?)?;
        let confirmation = Confirmation::of(&answer)
            .filter(|told| marker.is_none_or(|marker| told.made(marker.id)));
        let Some(confirmation) = confirmation else {
            return Err(Trouble::Passing(later("Google's answer cannot be read".to_owned())));
        };
        let Some(told) = confirmation.told() else { return Ok(Landing::Unknown) };
        let columns = columns_of(tab.sheet_id, Purpose::Summary, told);
        Ok(if columns == tab.columns { Landing::InPlace } else { Landing::Elsewhere })
    }
}

/// The requests that make the tab show this.
fn updates(tab: &TabLayout, summary: &Summary, sentence: &str) -> Vec<Value> {
    let Summary { days, agents, hours, .. } = summary;
    let lines = days.len().max(agents.len()).max(hours.len());
    let lines_needed = u32::try_from(lines).unwrap_or(u32::MAX);
    let lacking = (FIRST + lines_needed).saturating_sub(tab.grid.row_count);
    let longer = (lacking > 0).then(|| {
        json!({ "appendDimension": {
            "sheetId": tab.sheet_id, "dimension": "ROWS", "length": lacking
        } })
    });
    let mut sentence = Some(sentence);
    let mut updates: Vec<Value> = longer.into_iter().collect();
    // Between two runs of neighbours stand columns of people's own, or nothing.
    for run in tab.columns.chunk_by(|(_, one), (_, next)| one + 1 == *next) {
        let first = sentence.take().map(|text| Row { values: vec![Cell::text(text)] });
        updates.push(update(tab, run, (0, Some(1)), json!(Vec::from_iter(first))));
        let row = |line: usize| Row {
            values: run.iter().map(|(column, _)| cell(*column, summary, line)).collect(),
        };
        let rows: Vec<Row<'_>> = (0..lines).map(row).collect();
        updates.push(update(tab, run, (FIRST, None), json!(rows)));
    }
    updates
}

/// An `updateCells` of these columns, from a row on; what is not in `rows` is cleared.
fn update(
    tab: &TabLayout,
    run: &[(Column, u32)],
    (first, end): (u32, Option<u32>),
    rows: Value,
) -> Value {
    let mut range = json!({
        "sheetId": tab.sheet_id,
        "startRowIndex": first,
        "startColumnIndex": run.first().map_or(0, |(_, index)| *index),
        "endColumnIndex": run.last().map_or(0, |(_, index)| index + 1),
    });
    if let Some(end) = end {
        range["endRowIndex"] = end.into();
    }
    json!({ "updateCells": { "range": range, "rows": rows, "fields": "userEnteredValue" } })
}

/// What stands in a column of this line of its list.
fn cell(column: Column, summary: &Summary, line: usize) -> Cell<'_> {
    let day = summary.days.get(line);
    let agent = summary.agents.get(line);
    let hour = summary.hours.get(line);
    let value = match column {
        Column::Day => day.map(|day| Entered::Number(serial(day.date))),
        Column::DayDropped => day.map(|day| count(day.dropped)),
        Column::DayTaken => day.map(|day| count(day.taken)),
        Column::DayClosed => day.map(|day| count(day.closed)),
        Column::DayMedian => day.and_then(|day| day.median_wait).map(Entered::Number),
        Column::DayLongest => {
            day.and_then(|day| day.longest_wait).map(|minutes| Entered::Number(minutes.into()))
        }
        Column::Agent => agent.map(|agent| {
            let name = if agent.name.is_blank() { NOT_KNOWN } else { agent.name.reveal() };
            Entered::Text(name.into())
        }),
        Column::AgentDropped => agent.map(|agent| count(agent.dropped)),
        Column::AgentTaken => agent.map(|agent| count(agent.taken)),
        Column::AgentMedian => agent.and_then(|agent| agent.median_wait).map(Entered::Number),
        Column::Hour => hour.map(|_| Entered::Text(Cow::Owned(format!("{line:02}:00")))),
        Column::HourDropped => hour.map(|dropped| count(*dropped)),
        _ => None,
    };
    value.map_or_else(Cell::default, Cell::of)
}

fn count(count: u64) -> Entered<'static> {
    #[expect(clippy::cast_precision_loss, reason = "nobody counts beyond 2^52")]
    let number = count as f64;
    Entered::Number(number)
}

/// A date as a sheet stores it.
fn serial(date: Date) -> f64 {
    let days = date.since(Date::constant(1970, 1, 1)).map_or(0, |span| span.get_days());
    f64::from(days) + EPOCH_DAYS
}
