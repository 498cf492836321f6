//! `replay`, `forget`, `backup` and `restore`: one-off work on the journal; all but the last also beside the
//! running service.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::Context;

use crate::app::opening::journal_beside;
use crate::app::progress::{Unit, Work, shown};
use crate::chat::recognise::{Recognised, recognise};
use crate::chat::text::phone_digits;
use crate::config::Config;
use crate::journal::{Journal, Refusal, Standing, Unrecognised};
use crate::progress::Progress;

/// Feeds the bodies that nothing recognised to this version's recogniser.
pub(super) async fn replay(config: &Config) -> anyhow::Result<()> {
    let journal = known_journal(config).await?;
    let bodies = journal.unrecognised().await?;
    let work = Work {
        name: "reading again what was not recognised",
        unit: Unit::Things("bodies"),
        total: Some(bodies.len() as u64),
    };
    let progress = Progress::default();
    let replaying = replay_all(&journal, bodies, &progress);
    say(&shown(work, || Some(progress.done()), replaying).await?)
}

/// Gives what became of them.
async fn replay_all(
    journal: &Journal,
    bodies: Vec<Unrecognised>,
    progress: &Progress,
) -> anyhow::Result<String> {
    let (mut taken, mut resent, mut ignored, mut unrecognised) = (0, 0, 0, 0);
    for kept in bodies {
        progress.add(1);
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(&kept.body) else {
            unrecognised += 1;
            continue;
        };
        match recognise(&body, kept.announced.as_deref(), kept.received_at) {
            Recognised::Event(event) => match journal.accept_unrecognised(*event, &kept).await {
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
                journal.drop_unrecognised(&kept).await?;
                ignored += 1;
            }
            Recognised::Unrecognised => unrecognised += 1,
        }
    }
    Ok(format!(
        "{taken} accepted, {resent} known already, {ignored} not acted on, {unrecognised} still \
         unrecognised and kept"
    ))
}

/// Deletes what the journal knows of one patient.
pub(super) async fn forget(config: &Config, phone: &str) -> anyhow::Result<()> {
    let digits = phone_digits(phone);
    anyhow::ensure!(digits.len() >= 5, "that is no phone number: give it with its country code");
    let journal = known_journal(config).await?;
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
    if forgotten.lingers {
        say(
            "traces of it stay in the log behind the database until the program that reads the journal (a \
             backup, a replica, an open shell) lets go of it; the service then removes them by itself",
        )?;
    }
    say("the rows in the sheet are yours to edit; this program does not change them")
}

/// Copies the journal into a new file, or to standard output.
pub(super) async fn backup(config: &Config, file: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.database.is_none(),
        "the journal is on PostgreSQL: back the database up as a whole, by pg_dump or the way of its host"
    );
    let journal = known_journal(config).await?;
    if file == Path::new("-") {
        return print_copy(config, &journal).await;
    }
    copy(config, &journal, file).await?;
    let pending = journal.tally().pending();
    say(&format!("copied to {}, with about {pending} rows pending", file.display()))
}

/// Writes a copy to standard output. Nothing of it stays on the disk: the file that SQLite fills is removed
/// before its first byte is handed out.
async fn print_copy(config: &Config, journal: &Journal) -> anyhow::Result<()> {
    anyhow::ensure!(
        !std::io::stdout().is_terminal(),
        "a copy is no text for a screen: send it to a file, as in `backup - > copy.sqlite3`"
    );
    let name = format!("doubletick-sheets-{:016x}.sqlite3", fastrand::u64(..));
    let file = std::env::temp_dir().join(name);
    copy(config, journal, &file).await?;
    let copied = File::open(&file);
    std::fs::remove_file(&file).context("cannot remove the copy on its way")?;
    let mut copied = copied.context("cannot hand the copy out")?;
    let work = Work {
        name: "handing the copy out",
        unit: Unit::Bytes,
        total: copied.metadata().map(|file| file.len()).ok(),
    };
    let progress = Progress::default();
    let mut out = Counted { out: std::io::stdout(), progress: progress.clone() };
    let printing = tokio::task::spawn_blocking(move || {
        std::io::copy(&mut copied, &mut out)?;
        out.flush()
    });
    let printed = shown(work, || Some(progress.done()), printing).await;
    printed.map_err(std::io::Error::other).flatten().context("cannot hand the copy out")
}

/// Copies the journal into a new file, which grows meanwhile.
async fn copy(config: &Config, journal: &Journal, file: &Path) -> anyhow::Result<()> {
    let work = Work {
        name: "copying the journal",
        unit: Unit::Bytes,
        total: Journal::bytes_in(&config.data_dir),
    };
    let done = || std::fs::metadata(file).map(|file| file.len()).ok();
    Ok(shown(work, done, journal.back_up(file)).await?)
}

/// Counts what is written through it.
struct Counted<W> {
    out: W,
    progress: Progress,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.progress.add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Puts a copy in the place of the journal, while no service runs.
pub(super) fn restore(config: &Config, file: &Path, discard_pending: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.database.is_none(),
        "the journal is on PostgreSQL: restore the database as a whole, by pg_restore or the way of its \
         host, while no instance runs"
    );
    let restored = Journal::restore(&config.data_dir, file, discard_pending)?;
    say(&format!(
        "restored: {} rows are pending, {} set aside; now start the service. Pending rows that were written \
         after the copy was made come a second time, under the same Event IDs",
        restored.pending, restored.set_aside
    ))
}

/// Opens the journal, also beside the running service. It is never made here: with a wrong `DATA_DIR` it
/// would look like an empty journal.
pub(super) async fn known_journal(config: &Config) -> anyhow::Result<Journal> {
    let dir = &config.data_dir;
    anyhow::ensure!(
        config.database.is_some() || Journal::is_in(dir),
        "there is no journal in {}; set DATA_DIR as the service has it",
        dir.display()
    );
    journal_beside(config).await
}

fn say(sentence: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{sentence}")?;
    Ok(())
}
