//! The command line: what was asked for, and the exit code it ends with.

use std::process::ExitCode;

use crate::app::{App, check, logging, shutdown, upkeep};
use crate::config::Config;

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
  doubletick-sheets --help | --version

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
        Some(command @ (Command::Serve | Command::Replay | Command::Forget { .. })) => {
            let config = match Config::from_env() {
                Ok(config) => config,
                Err(problems) => {
                    logging::complain(&problems);
                    return Ok(ExitCode::from(WRONG));
                }
            };
            match command {
                Command::Replay => upkeep::replay(&config).await?,
                Command::Forget { phone } => upkeep::forget(&config, &phone).await?,
                _ => {
                    let stop = shutdown::requested()?;
                    App::start(config).await?.run_until(stop).await?;
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Check { live }) => Ok(match check::run(live).await {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }),
        Some(Command::Help) => said(HELP, ExitCode::SUCCESS),
        Some(Command::Version) => said(concat!(env!("CARGO_PKG_VERSION"), "\n"), ExitCode::SUCCESS),
        None => {
            logging::complain(&"these arguments make no sense; see doubletick-sheets --help");
            Ok(ExitCode::from(WRONG))
        }
    }
}

fn said(text: &str, code: ExitCode) -> anyhow::Result<ExitCode> {
    use std::io::Write;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(code)
}
