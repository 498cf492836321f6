//! `replay`, `forget` and `backup`: one-off work on the journal, also beside the running service.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::app::{limits, routes};
use crate::chat::recognise::{Recognised, recognise};
use crate::config::Config;
use crate::journal::{Journal, Refusal, Standing};

/// Feeds the bodies that nothing recognised to this version's recogniser.
///
/// # Errors
/// When the journal cannot be used; what was replayed so far stays so, and nothing is fed twice.
pub async fn replay(config: &Config) -> anyhow::Result<()> {
    let journal = Journal::open_beside(&config.data_dir, limits(config), routes(config))?;
    let (mut taken, mut resent, mut ignored, mut unrecognised) = (0, 0, 0, 0);
    for kept in journal.kept().await? {
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(&kept.body) else {
            unrecognised += 1;
            continue;
        };
        match recognise(&body, kept.announced.as_deref(), kept.received_at) {
            Recognised::Event(event) => match journal.accept_kept(*event, &kept).await {
                Ok(receipt) if receipt.standing() == Standing::Accepted => taken += 1,
                Ok(_) => resent += 1,
                Err(Refusal::Full) => {
                    anyhow::bail!(
                        "the journal is full: replay the rest when rows have been written"
                    )
                }
                Err(refusal) => return Err(refusal).context("cannot replay"),
            },
            Recognised::Ignored(_) => {
                journal.drop_kept(&kept).await?;
                ignored += 1;
            }
            Recognised::Unrecognised => unrecognised += 1,
        }
    }
    say(&format!(
        "{taken} accepted, {resent} known already, {ignored} not acted on, {unrecognised} still \
         unrecognised and kept"
    ))
}

/// Deletes what the journal knows of one patient.
///
/// # Errors
/// When that is no phone number, or the journal cannot be used.
pub async fn forget(config: &Config, phone: &str) -> anyhow::Result<()> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    anyhow::ensure!(digits.len() >= 5, "that is no phone number: give it with its country code");
    let journal = Journal::open_beside(&config.data_dir, limits(config), routes(config))?;
    let forgotten = journal.forget(&digits).await?;
    say(&format!(
        "deleted: {} records of the customer and their chats, {} unrecognised bodies, the content of \
         {} rows set aside",
        forgotten.records, forgotten.unrecognised, forgotten.set_aside
    ))?;
    if forgotten.pending > 0 {
        say(&format!(
            "{} rows are still on their way to the sheet, and are deleted here once written",
            forgotten.pending
        ))?;
    }
    say("the rows in the sheet are yours to edit; this program does not change them")
}

/// Copies the journal into a new file.
///
/// # Errors
/// When the journal cannot be used or the file not be made; no half of a copy is left.
pub async fn backup(config: &Config, file: &Path) -> anyhow::Result<()> {
    let journal = Journal::open_beside(&config.data_dir, limits(config), routes(config))?;
    journal.back_up(file).await?;
    let pending = journal.tally().pending();
    say(&format!("copied to {}, with about {pending} rows pending", file.display()))
}

fn say(sentence: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{sentence}")?;
    Ok(())
}
