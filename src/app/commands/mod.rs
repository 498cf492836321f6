//! The commands: what was asked for is done, and ends with the exit code that the README documents.

mod check;
mod command_line;
mod connect;
mod journal;
mod set_aside;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

pub use crate::app::commands::command_line::{Command, Misuse};

use crate::app::{App, logging, shutdown};
use crate::causes::Causes;
use crate::config::{Config, Problems};
use crate::journal::Journal;

/// Exit code for wrong usage or settings.
const WRONG: u8 = 2;

/// Does what the arguments after the program's name ask for, and says why where it fails.
pub async fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match Command::parse(args) {
        Ok(command) => command,
        Err(misuse) => {
            tell(&misuse);
            return ExitCode::from(WRONG);
        }
    };
    let is_service = command == Command::Serve;
    done(command).await.unwrap_or_else(|error| {
        match is_service {
            true => logging::complain(&Causes(&*error)),
            false => tell(&Causes(&*error)),
        }
        if error.is::<Problems>() { ExitCode::from(WRONG) } else { ExitCode::FAILURE }
    })
}

/// For whoever typed the command, and so no line of a log.
fn tell(sentence: &dyn std::fmt::Display) {
    // There is nobody left to tell of a closed stream.
    _ = writeln!(std::io::stderr(), "{sentence}");
}

async fn done(command: Command) -> anyhow::Result<ExitCode> {
    // They need not be complete for Google.
    let config = Config::from_env;
    match command {
        Command::Say(text) => std::io::stdout().write_all(text.as_bytes())?,
        Command::Check { live } => return Ok(check::run(live).await),
        Command::Serve => serve(config()?).await?,
        Command::Connect { remove_duplicates } => {
            connect::run(&config()?, remove_duplicates).await?;
        }
        Command::Replay => journal::replay(&config()?).await?,
        Command::Forget { phone } => journal::forget(&config()?, &phone).await?,
        Command::SetAside(action) => set_aside::run(&config()?, action).await?,
        Command::Backup { file } => journal::backup(&config()?, &file).await?,
        Command::Restore { file, discard_pending } => {
            journal::restore(&config()?, &file, discard_pending)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = shutdown::requested()?;
    let dir = config.data_dir.clone();
    tokio::pin!(stop);
    // It may have to wait for its database.
    let Some(app) = App::start_unless(config, &mut stop).await? else { return Ok(()) };
    // From here on the directory is ours, and no restore under way.
    Journal::drop_unfinished_restore(&dir);
    app.run_until(stop).await
}
