//! The command line: what it may say, and what is answered where it says something else.
//!
//! Nothing of what was typed is repeated: it may hold a patient's phone number.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use crate::journal::export::Format;

/// The program's name.
const NAME: &str = env!("CARGO_PKG_NAME");

const NOTES: &str = "\
Without a command it serves. Settings come from the environment; the README lists them.
All commands but `restore` also work beside the running service.";

const EXIT_CODES: &str = "Exit codes: 0 all went well; 1 something failed or a check does not hold; 2 wrong usage or settings";

#[derive(Debug, Parser)]
#[command(name = NAME, version, about, after_help = format!("{NOTES}\n\n{EXIT_CODES}"))]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the program can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Receive and forward until told to stop.
    #[command(skip)]
    Serve,
    /// Print this, which is the help or the version, and do nothing else.
    #[command(skip)]
    Say(String),
    /// Try everything a deployment needs, one line each, and write nothing into the sheet.
    #[command(after_help = EXIT_CODES)]
    Check {
        /// Also prove on the spreadsheet, on a scratch tab that is removed, what Google does not document.
        #[arg(long)]
        live: bool,
    },
    /// Register this service's address at DoubleTick, and say what arrives.
    #[command(after_help = EXIT_CODES)]
    Connect {
        /// Remove what is registered of it more than once instead.
        #[arg(long)]
        remove_duplicates: bool,
    },
    /// After an upgrade: read the bodies again that an older version did not recognise.
    #[command(after_help = EXIT_CODES)]
    Replay,
    /// Delete what the journal knows of one patient, and say what.
    #[command(after_help = EXIT_CODES)]
    Forget {
        /// The patient's phone number, with its country code.
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        phone: String,
    },
    /// The rows that Google refused for what is in them: list, export or retry them.
    #[command(subcommand, arg_required_else_help = false, disable_help_subcommand = true)]
    #[command(after_help = EXIT_CODES)]
    SetAside(Action),
    /// Copy the journal, as of one moment, into a new file.
    #[command(after_help = EXIT_CODES)]
    Backup {
        /// The file, which must not exist yet; `-` is standard output.
        file: PathBuf,
    },
    /// Put a copy in the place of the journal, while no service runs.
    #[command(after_help = EXIT_CODES)]
    Restore {
        /// The copy.
        file: PathBuf,
        /// Also where rows that are not in the sheet are lost by it.
        #[arg(long)]
        discard_pending: bool,
    },
}

/// What to do with rows set aside.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Action {
    /// Say which, when and why; not what is in them.
    #[command(after_help = EXIT_CODES)]
    List,
    /// Try them again: the one of an event, or all.
    #[command(after_help = EXIT_CODES)]
    Retry {
        /// The event's id, as `list` prints it.
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        event: Option<String>,
    },
    /// Print them whole, patients' data included.
    #[command(after_help = EXIT_CODES)]
    Export {
        /// CSV for people, JSON for programs.
        #[arg(value_parser = format(), default_value = "csv")]
        format: Format,
    },
}

/// Arguments that make no sense: what is wrong with them, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}\n{usage}\n`{command} --help` says more")]
pub struct Misuse {
    sentence: String,
    usage: String,
    command: String,
}

impl Misuse {
    fn of(args: &[OsString], fault: &clap::Error) -> Self {
        let mut named = named(args);
        Self {
            sentence: sentence(fault),
            usage: named.render_usage().to_string(),
            command: named.get_bin_name().unwrap_or(NAME).to_owned(),
        }
    }
}

impl Command {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// [`Misuse`], with how it is used.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, Misuse> {
        let args: Vec<OsString> = args.into_iter().collect();
        let all = std::iter::once(NAME.into()).chain(args.iter().cloned());
        match CommandLine::try_parse_from(all) {
            Ok(read) => Ok(read.command.unwrap_or(Self::Serve)),
            Err(told)
                if matches!(told.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
            {
                Ok(Self::Say(told.to_string()))
            }
            Err(fault) => Err(Misuse::of(&args, &fault)),
        }
    }
}

/// Reads the format of an export.
fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["csv", "json"]).map(|format| match format.as_str() {
        "json" => Format::Json,
        _ => Format::Csv,
    })
}

/// What is wrong, without what was typed.
fn sentence(fault: &clap::Error) -> String {
    let text = |kind| fault.get(kind).map(ToString::to_string).unwrap_or_default();
    let of = text(ContextKind::InvalidArg);
    let wrong = match fault.kind() {
        ErrorKind::InvalidSubcommand => "there is no such command".to_owned(),
        ErrorKind::UnknownArgument if of.starts_with('-') => "there is no such option".to_owned(),
        ErrorKind::UnknownArgument => "there is a word too many".to_owned(),
        ErrorKind::MissingRequiredArgument => format!("{of} is missing"),
        ErrorKind::MissingSubcommand => {
            format!("one of these words is missing: {}", text(ContextKind::ValidSubcommand))
        }
        ErrorKind::InvalidValue => match fault.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(valid)) if !valid.is_empty() => {
                format!("{of} must be one of these words: {}", valid.join(", "))
            }
            _ => format!("{of} is empty"),
        },
        ErrorKind::ArgumentConflict => format!("{of} is there twice"),
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        _ => "these arguments make no sense".to_owned(),
    };
    match suggestion(fault) {
        Some(meant) => format!("{wrong}; did you mean `{meant}`?"),
        None => wrong,
    }
}

/// The word of ours that is most like what was typed.
fn suggestion(fault: &clap::Error) -> Option<&str> {
    [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg].into_iter().find_map(|kind| {
        match fault.get(kind)? {
            ContextValue::String(word) => Some(word.as_str()),
            // The most like one is the last.
            ContextValue::Strings(words) => words.last().map(String::as_str),
            _ => None,
        }
    })
}

/// The command that the arguments name; the program, where they name none.
fn named(args: &[OsString]) -> clap::Command {
    let mut program = CommandLine::command();
    program.build();
    let named = args.iter().try_fold(&program, |command, arg| match command.find_subcommand(arg) {
        Some(command) => ControlFlow::Continue(command),
        None => ControlFlow::Break(command),
    });
    let (ControlFlow::Continue(command) | ControlFlow::Break(command)) = named;
    command.clone()
}
