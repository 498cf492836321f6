//! `set-aside`: the rows that Google refused, from the command line; also beside the running service.

use std::io::Write;

use jiff::Timestamp;

use crate::app::commands::command_line::Action;
use crate::app::commands::journal::known_journal;
use crate::app::progress::{Unit, Work, shown};
use crate::config::Config;
use crate::journal::export::Export;
use crate::journal::{Journal, SetAsidePages};
use crate::progress::Progress;

pub(super) async fn run(config: &Config, action: Action) -> anyhow::Result<()> {
    let journal = known_journal(config).await?;
    match action {
        Action::List => list(&journal).await,
        Action::Retry { event } => retry(&journal, event.as_deref()).await,
        Action::Export { format } => {
            let mut export = Export::new(journal, format);
            while let Some(part) = export.next_part().await? {
                std::io::stdout().write_all(part.as_bytes())?;
            }
            Ok(())
        }
    }
}

async fn list(journal: &Journal) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut pages = SetAsidePages::new(journal.clone());
    while let Some(rows) = pages.next().await? {
        for row in rows {
            let at = Timestamp::from_millisecond(row.at.0).unwrap_or_default();
            writeln!(out, "{}  {at:.0}  {}", row.entry.event_id, row.reason)?;
        }
    }
    let tally = journal.tally();
    writeln!(out, "rows set aside: {}", tally.set_aside + tally.handovers_set_aside)?;
    Ok(())
}

/// An event is named by its id, as in the list and in the answer to its sender.
async fn retry(journal: &Journal, event: Option<&str>) -> anyhow::Result<()> {
    let number = match event {
        None => None,
        Some(id) => {
            let number = id.rsplit('-').next().and_then(|number| number.parse().ok());
            let row = match number {
                Some(number @ 1..) => journal.set_aside_after(number - 1, 1).await?.pop(),
                _ => None,
            };
            let known = row.filter(|row| row.entry.event_id.to_string() == id);
            anyhow::ensure!(known.is_some(), "no row of that event is set aside");
            number
        }
    };
    let tally = journal.tally();
    let work = Work {
        name: "taking rows back among the pending",
        unit: Unit::Things("rows"),
        total: Some(number.map_or(tally.set_aside + tally.handovers_set_aside, |_| 1)),
    };
    let progress = Progress::default();
    let retrying = journal.retry_set_aside(number, &progress);
    let retried = shown(work, || Some(progress.done()), retrying).await?;
    let mut out = std::io::stdout();
    writeln!(out, "pending again: {}", retried.rows)?;
    if retried.later > 0 {
        writeln!(
            out,
            "left for now, since a batch is under way around them, the journal is full, or this version \
             cannot read them: {}; try again in a minute",
            retried.later
        )?;
    }
    if retried.forgotten > 0 {
        writeln!(out, "left, since their patient was forgotten: {}", retried.forgotten)?;
    }
    Ok(())
}
