//! The command line: what was asked for, and the exit code it ends with.

mod check;
mod connect;
mod journal;
mod set_aside;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::commands::set_aside::Action;
use crate::app::{App, logging, shutdown};
use crate::config::Config;
use crate::journal::Journal;
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
    /// Register our address at DoubleTick.
    Connect {
        /// Remove what is registered of it more than once instead.
        remove_duplicates: bool,
    },
    /// Feed the bodies that nothing recognised to this version's recogniser.
    Replay,
    /// Delete what the journal knows of the patient with this phone number.
    Forget {
        /// As it was typed.
        phone: String,
    },
    /// Do something about the rows that Google refused for their content.
    SetAside(Action),
    /// Copy the journal into a new file.
    Backup {
        /// Which must not exist yet; `-` is standard output.
        file: PathBuf,
    },
    /// Put a copy in the place of the journal.
    Restore {
        /// The copy.
        file: PathBuf,
        /// Also where rows of the journal would be lost.
        discard_pending: bool,
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
  doubletick-sheets connect        register this service's address at DoubleTick, and say what arrives
  doubletick-sheets connect --remove-duplicates   remove what is registered of it more than once
  doubletick-sheets replay         after an upgrade: feed it the bodies that nothing recognised before
  doubletick-sheets forget PHONE   delete what the journal knows of one patient, and say what
  doubletick-sheets set-aside list           which rows Google refused for their content, when and why
  doubletick-sheets set-aside retry [EVENT]  try them again: the one of that event, or all
  doubletick-sheets set-aside export [json]  print them, patients' data included, as CSV or JSON
  doubletick-sheets backup FILE    copy the journal, as of one moment, into a new file
  doubletick-sheets backup -       the same to standard output
  doubletick-sheets restore FILE   put such a copy in the place of the journal, while no service runs
  doubletick-sheets restore FILE --discard-pending   also where rows that are not in the sheet are lost by it
  doubletick-sheets --help | --version

All of these but restore also work beside the running service.

exit codes: 0 all went well; 1 something failed or a check does not hold; 2 wrong usage or settings
";

/// Exit code for wrong usage or settings.
const WRONG: u8 = 2;

/// Arguments that make no sense. Says how the command is used; never repeats what was typed, which may
/// hold a phone number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these arguments make no sense; usage:\n{usage}")]
pub struct Misuse {
    usage: String,
}

impl Misuse {
    /// The lines of the help on this command; all of them where there is no such command.
    fn of(command: &str) -> Self {
        let begin = format!("  doubletick-sheets {command} ");
        let lines = HELP.lines().filter(|line| !command.is_empty() && line.starts_with(&begin));
        let usage: Vec<&str> = lines.collect();
        if usage.is_empty() {
            return Self { usage: HELP.to_owned() };
        }
        Self { usage: usage.join("\n") }
    }
}

impl Command {
    /// Reads the arguments after the program's name.
    ///
    /// A word that begins with a dash is an option, and never a file's or anything else's name.
    ///
    /// # Errors
    /// [`Misuse`], with how it is used.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, Misuse> {
        let args: Vec<OsString> = args.into_iter().collect();
        let is_option =
            |arg: &&OsString| arg.to_str().is_some_and(|arg| arg.len() > 1 && arg.starts_with('-'));
        let (options, named): (Vec<&OsString>, Vec<&OsString>) = args.iter().partition(is_option);
        // What is no text is no word of ours; a file may be called so.
        let text = |arg: &OsString| arg.to_str().unwrap_or("\u{fffd}").to_owned();
        let options: Vec<String> = options.into_iter().map(text).collect();
        let words: Vec<String> = named.iter().copied().map(text).collect();
        let (options, words) = (as_strs(&options), as_strs(&words));
        if options.iter().any(|option| matches!(*option, "--help" | "-h"))
            || words.first() == Some(&"help")
        {
            return Ok(Self::Help);
        }
        let misuse = || Misuse::of(words.first().copied().unwrap_or_default());
        if words.iter().any(|word| word.trim().is_empty()) {
            return Err(misuse());
        }
        let file = || named.get(1).map(PathBuf::from).unwrap_or_default();
        match (words.as_slice(), options.as_slice()) {
            ([], []) => Ok(Self::Serve),
            (["check"], []) => Ok(Self::Check { live: false }),
            (["check"], ["--live"]) => Ok(Self::Check { live: true }),
            (["connect"], [] | ["--remove-duplicates"]) => {
                Ok(Self::Connect { remove_duplicates: !options.is_empty() })
            }
            (["replay"], []) => Ok(Self::Replay),
            (["forget", phone], []) => Ok(Self::Forget { phone: (*phone).to_owned() }),
            (["set-aside", "list"], []) => Ok(Self::SetAside(Action::List)),
            (["set-aside", "retry"], []) => Ok(Self::SetAside(Action::Retry(None))),
            (["set-aside", "retry", event], []) => {
                Ok(Self::SetAside(Action::Retry(Some((*event).to_owned()))))
            }
            (["set-aside", "export"] | ["set-aside", "export", "csv"], []) => {
                Ok(Self::SetAside(Action::Export(Format::Csv)))
            }
            (["set-aside", "export", "json"], []) => {
                Ok(Self::SetAside(Action::Export(Format::Json)))
            }
            (["backup", _], []) => Ok(Self::Backup { file: file() }),
            (["restore", _], [] | ["--discard-pending"]) => {
                Ok(Self::Restore { file: file(), discard_pending: !options.is_empty() })
            }
            ([], ["--version" | "-V"]) => Ok(Self::Version),
            _ => Err(misuse()),
        }
    }
}

fn as_strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Does what the arguments ask for.
///
/// # Errors
/// Whatever ended the service or kept it from starting, as one chain.
pub async fn run(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let command = match Command::parse(args) {
        Ok(command) => command,
        Err(misuse) => {
            logging::complain(&misuse);
            return Ok(ExitCode::from(WRONG));
        }
    };
    match command {
        Command::Serve => with_config(serve).await,
        Command::Check { live } => Ok(match check::run(live).await {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }),
        Command::Connect { remove_duplicates } => {
            with_config(async |config| connect::run(&config, remove_duplicates).await).await
        }
        Command::Replay => with_config(async |config| journal::replay(&config).await).await,
        Command::Forget { phone } => {
            with_config(async |config| journal::forget(&config, &phone).await).await
        }
        Command::SetAside(action) => {
            with_config(async |config| set_aside::run(&config, action).await).await
        }
        Command::Backup { file } => {
            with_config(async |config| journal::backup(&config, &file).await).await
        }
        Command::Restore { file, discard_pending } => {
            with_config(async |config| journal::restore(&config, &file, discard_pending)).await
        }
        Command::Help => said(HELP),
        Command::Version => said(concat!(env!("CARGO_PKG_VERSION"), "\n")),
    }
}

/// Does work that needs the settings. They need not be complete for Google.
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
    let dir = config.data_dir.clone();
    tokio::pin!(stop);
    // It may have to wait for its database.
    let Some(app) = App::start_unless(config, &mut stop).await? else { return Ok(()) };
    // From here on the directory is ours, and no restore under way.
    Journal::drop_unfinished_restore(&dir);
    app.run_until(stop).await
}

fn said(text: &str) -> anyhow::Result<ExitCode> {
    use std::io::Write;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
