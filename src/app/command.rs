//! The command line: what was asked for, and the exit code it ends with.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::set_aside::Wish;
use crate::app::{App, check, logging, set_aside, shutdown, upkeep};
use crate::config::Config;
use crate::journal::export::Format;

/// What the program can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Receive and forward until told to stop.
    Serve,
    /// Try everything a deployment needs, print one line each.
    Check {
        /// Also prove on the real spreadsheet what Google does not document.
        live: bool,
    },
    /// Feed the bodies that nothing recognised to this version's recogniser.
    Replay,
    /// Delete what the journal knows of the patient with this phone number.
    Forget {
        /// As it was typed.
        phone: String,
    },
    /// Do something about the rows that Google refused for their content.
    SetAside(Wish),
    /// Copy the journal into a new file.
    Backup {
        /// Which must not exist yet.
        file: PathBuf,
    },
    /// Print how to use it.
    Help,
    /// Print which version it is.
    Version,
}

/// What `--help` prints.
pub const HELP: &str = "\
Every unassigned DoubleTick chat becomes exactly one row in a Google Sheet.

usage:
  doubletick-sheets                serve; settings come from the environment (see README.md)
  doubletick-sheets check          try everything a deployment needs, one line each
  doubletick-sheets check --live   also prove on the spreadsheet, on a scratch tab that is removed,
                                   what the design relies on and Google does not document
  doubletick-sheets replay         after an upgrade: feed it the bodies that nothing recognised before
  doubletick-sheets forget PHONE   delete what the journal knows of one patient, and say what
  doubletick-sheets set-aside list           which rows Google refused for their content, when and why
  doubletick-sheets set-aside retry [EVENT]  try them again: the one of that event, or all
  doubletick-sheets set-aside export [json]  print them, patients' data included, as CSV or JSON
  doubletick-sheets backup FILE    copy the journal, as of one moment, into a new file
  doubletick-sheets --help | --version

All of these also work beside the running service.

exit codes: 0 all went well; 1 something failed or a check does not hold; 2 wrong usage or settings
";

/// Exit code for wrong usage or settings.
const WRONG: u8 = 2;

impl Command {
    /// Reads the arguments after the program's name; `None` when they make no sense.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Option<Self> {
        let args: Vec<String> = args.into_iter().collect();
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => Some(Self::Serve),
            ["check"] => Some(Self::Check { live: false }),
            ["check", "--live"] => Some(Self::Check { live: true }),
            ["replay"] => Some(Self::Replay),
            ["forget", phone] => Some(Self::Forget { phone: (*phone).to_owned() }),
            ["set-aside", "list"] => Some(Self::SetAside(Wish::List)),
            ["set-aside", "retry"] => Some(Self::SetAside(Wish::Retry(None))),
            ["set-aside", "retry", event] => {
                Some(Self::SetAside(Wish::Retry(Some((*event).to_owned()))))
            }
            ["set-aside", "export"] | ["set-aside", "export", "csv"] => {
                Some(Self::SetAside(Wish::Export(Format::Csv)))
            }
            ["set-aside", "export", "json"] => Some(Self::SetAside(Wish::Export(Format::Json))),
            ["backup", file] => Some(Self::Backup { file: PathBuf::from(file) }),
            ["--help" | "-h" | "help"] => Some(Self::Help),
            ["--version" | "-V"] => Some(Self::Version),
            _ => None,
        }
    }
}

/// Does what the arguments ask for.
///
/// # Errors
/// Whatever ended the service or kept it from starting, as one chain.
pub async fn run(args: impl IntoIterator<Item = String>) -> anyhow::Result<ExitCode> {
    match Command::parse(args) {
        Some(Command::Serve) => with_config(serve).await,
        Some(Command::Check { live }) => Ok(match check::run(live).await {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }),
        Some(Command::Replay) => with_config(async |config| upkeep::replay(&config).await).await,
        Some(Command::Forget { phone }) => {
            with_config(async |config| upkeep::forget(&config, &phone).await).await
        }
        Some(Command::SetAside(wish)) => {
            with_config(async |config| set_aside::run(&config, wish).await).await
        }
        Some(Command::Backup { file }) => {
            with_config(async |config| upkeep::backup(&config, &file).await).await
        }
        Some(Command::Help) => said(HELP),
        Some(Command::Version) => said(concat!(env!("CARGO_PKG_VERSION"), "\n")),
        None => {
            logging::complain(&"these arguments make no sense; see doubletick-sheets --help");
            Ok(ExitCode::from(WRONG))
        }
    }
}

/// Does what needs the settings, where they can be used; of those for Google it sees to itself.
async fn with_config(
    work: impl AsyncFnOnce(Config) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    match Config::from_env() {
        Ok(config) => work(config).await.map(|()| ExitCode::SUCCESS),
        Err(problems) => {
            logging::complain(&problems);
            Ok(ExitCode::from(WRONG))
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = shutdown::requested()?;
    App::start(config).await?.run_until(stop).await
}

fn said(text: &str) -> anyhow::Result<ExitCode> {
    use std::io::Write;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
