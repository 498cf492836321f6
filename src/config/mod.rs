//! The settings: read once from the environment, validated all at once.
//!
//! Every fault is reported together, each by the setting's full name and with what was expected; a
//! value is never echoed. Only [`crate::app`] reads this; each part gets its own small options.

mod env;
mod google;
mod key_text;
mod routes;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::SecretString;

use crate::config::env::RawEnv;
use crate::config::google::{google_key, spreadsheet_id};
pub use crate::config::routes::{HANDOVERS, Route};

/// Google's address.
const SHEETS_API: &str = "https://sheets.googleapis.com/";
/// DoubleTick's address.
const DOUBLETICK_API: &str = "https://public.doubletick.io/";
/// Shortest secret: 16 random letters and digits are beyond guessing.
const SECRET_CHARS_MIN: usize = 16;
const SHEET_NAME: &str = "Unassigned chats";
const BOARD_NAME: &str = "Unattended now";
/// Google's limit of a tab's title, in characters.
const TITLE_CHARS_MAX: usize = 100;
const NO_WEB_ADDRESS: &str =
    "must be an http or https address; write a host of other letters in its xn-- form";
/// Longest web address; a hook's has some hundred characters.
const ADDRESS_BYTES_MAX: usize = 4_096;
/// The demo's secret once stood in the repository, so everybody knows it.
const DEMO_SECRET: &str = "demo-secret-0123456789";
/// Google allows a service account 60 writes a minute.
const WRITES_PER_MINUTE_MAX: u32 = 60;

/// Everything a deployment may set, valid.
#[derive(Debug)]
pub struct Config {
    /// Id of the spreadsheet.
    pub spreadsheet_id: String,
    /// The service account's key, as JSON.
    pub google_key: SecretString,
    /// What is wrong with the two above; empty when they can be used. Events are taken all the same.
    pub google_faults: Vec<String>,
    /// What opens the webhook: one, or two while one replaces the other.
    pub webhook_secrets: Vec<SecretString>,
    /// Title of the log tab; `{month}` in it stands for a tab each month.
    pub sheet_name: String,
    /// Title of the tab of who waits now.
    pub board_name: String,
    /// When a line leaves the board where no assignment is ever heard of, in hours.
    pub board_hours: u32,
    /// From how many minutes of waiting on a line is amber.
    pub board_warn_minutes: u32,
    /// From how many minutes of waiting on a line is red.
    pub board_alert_minutes: u32,
    /// Where the rows of some of the clinic's numbers go; all others go to the spreadsheet above.
    pub routes: Vec<Route>,
    /// Where to listen; port 0 takes any free one.
    pub host: IpAddr,
    /// Where to listen.
    pub port: u16,
    /// Holds the journal.
    pub data_dir: PathBuf,
    /// IANA name; `None` is the spreadsheet's own.
    pub time_zone: Option<String>,
    /// Ceiling over any 60 s.
    pub writes_per_minute_max: u32,
    /// Beyond so many pending rows events are refused.
    pub pending_rows_max: u64,
    /// How long an identical body counts as a resend, in seconds; 0 is never.
    pub dedupe_window_s: u32,
    /// How long what we know of a quiet chat is kept.
    pub retention_days: u32,
    /// How long a row may wait before the alarm goes on.
    pub alarm_minutes: u32,
    /// Where it is told; whoever knows the address may write there.
    pub alarm_webhook_url: Option<SecretString>,
    /// Base address of the Sheets API.
    pub sheets_api_url: String,
    /// DoubleTick's key, to look up names with.
    pub doubletick_api_key: Option<SecretString>,
    /// Base address of DoubleTick's API.
    pub doubletick_api_url: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: a sentence and key=value.
    #[default]
    Text,
    /// For programs: an object a line.
    Json,
}

impl LogFormat {
    /// Reads the environment. A fault is reported with the others, by [`Config::from_env`], as text.
    pub fn from_env() -> Self {
        let format = std::env::var_os("LOG_FORMAT").and_then(|format| format.into_string().ok());
        Self::read(format.as_deref()).unwrap_or_default()
    }

    fn read(text: Option<&str>) -> Option<Self> {
        match text.map(str::trim) {
            None | Some("" | "text") => Some(Self::Text),
            Some("json") => Some(Self::Json),
            Some(_) => None,
        }
    }
}

/// All that is wrong with the settings.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings cannot be used:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl Problems {
    /// One sentence each.
    pub fn sentences(&self) -> &[String] {
        &self.0
    }

    fn add(&mut self, name: &str, expected: &str) {
        self.0.push(format!("{name} {expected}"));
    }
}

impl Config {
    /// Reads the environment. What is wrong for Google only is no error yet: [`Config::complete`].
    ///
    /// # Errors
    /// All [`Problems`] at once.
    pub fn from_env() -> Result<Self, Problems> {
        // A variable that is not UTF-8 is none of ours, or as good as absent.
        Self::from_vars(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// Reads pairs of name and value, as the environment has them.
    ///
    /// # Errors
    /// All [`Problems`] at once.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, Problems> {
        // envy takes `port` for PORT and would refuse to have both.
        let set = vars.into_iter().filter(|(name, value)| {
            !name.chars().any(char::is_lowercase) && !value.trim().is_empty()
        });
        // Only texts are read, each once, so envy has nothing to refuse.
        let raw: RawEnv = envy::from_iter(set).unwrap_or_default();
        Self::validated(raw)
    }

    /// The same, where it can be used for Google as well.
    ///
    /// # Errors
    /// What is wrong with the settings for Google.
    pub fn complete(self) -> Result<Self, Problems> {
        if self.google_faults.is_empty() { Ok(self) } else { Err(Problems(self.google_faults)) }
    }

    fn validated(raw: RawEnv) -> Result<Self, Problems> {
        let mut problems = Problems(Vec::new());
        let mut google = Problems(Vec::new());
        let google_key = google_key(&raw, &mut google);
        let webhook_secrets = webhook_secrets(raw.webhook_secret.as_deref(), &mut problems);
        let spreadsheet_id = spreadsheet_id(raw.spreadsheet_id.as_deref(), &mut google);
        let time_zone = raw.timezone.map(|zone| zone.trim().to_owned());
        if time_zone.as_ref().is_some_and(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
            problems.add("TIMEZONE", "must be an IANA name such as Asia/Kolkata");
        }
        let sheet_name = title("SHEET_NAME", raw.sheet_name, SHEET_NAME, &mut problems);
        let board_name = title("BOARD_NAME", raw.board_name, BOARD_NAME, &mut problems);
        let routes =
            routes::read(raw.routes.as_deref(), &spreadsheet_id, &sheet_name, &mut problems);
        routes::refuse_clashes(&routes, &spreadsheet_id, &sheet_name, &board_name, &mut problems);
        let sheets_api_url =
            web_address("SHEETS_API_URL", raw.sheets_api_url, SHEETS_API, &mut problems);
        let doubletick_api_url = web_address(
            "DOUBLETICK_API_URL",
            raw.doubletick_api_url,
            DOUBLETICK_API,
            &mut problems,
        );
        let alarm_webhook_url = raw.alarm_webhook_url.map(|url| url.trim().to_owned());
        if alarm_webhook_url.as_ref().is_some_and(|url| !is_web_address(url)) {
            problems.add("ALARM_WEBHOOK_URL", NO_WEB_ADDRESS);
        }
        let doubletick_api_key = raw.doubletick_api_key.map(|key| key.trim().to_owned());
        if doubletick_api_key.as_ref().is_some_and(|key| HeaderValue::from_str(key).is_err()) {
            problems.add(
                "DOUBLETICK_API_KEY",
                "has characters that no key has: copy it again from DoubleTick",
            );
        }
        if LogFormat::read(raw.log_format.as_deref()).is_none() {
            problems.add("LOG_FORMAT", "must be text or json");
        }
        let mut numbers = Numbers(&mut problems);
        let port = numbers.read("PORT", raw.port, 8080, 0, u16::MAX);
        let writes_per_minute_max = numbers.read(
            "MAX_WRITES_PER_MINUTE",
            raw.max_writes_per_minute,
            50,
            1,
            WRITES_PER_MINUTE_MAX,
        );
        let pending_rows_max =
            numbers.read("MAX_PENDING_ROWS", raw.max_pending_rows, 1_000_000, 1, 1_000_000_000);
        let dedupe_window_s =
            numbers.read("DEDUPE_WINDOW_SECONDS", raw.dedupe_window_seconds, 120, 0, 86_400);
        let retention_days = numbers.read("RETENTION_DAYS", raw.retention_days, 30, 1, 3_650);
        let board_hours = numbers.read("BOARD_HOURS", raw.board_hours, 24, 1, 720);
        let board_warn_minutes =
            numbers.read("BOARD_WARN_MINUTES", raw.board_warn_minutes, 15, 1, 10_000);
        let board_alert_minutes =
            numbers.read("BOARD_ALERT_MINUTES", raw.board_alert_minutes, 60, 1, 10_000);
        let alarm_minutes = numbers.read("ALARM_MINUTES", raw.alarm_minutes, 10, 1, 10_080);
        let host = raw.host.unwrap_or_else(|| "0.0.0.0".to_owned());
        let host = host.trim().parse().unwrap_or_else(|_| {
            problems.add("HOST", "must be an IP address such as 0.0.0.0 or 127.0.0.1");
            IpAddr::from([0, 0, 0, 0])
        });
        if !problems.0.is_empty() {
            problems.0.append(&mut google.0);
            return Err(problems);
        }
        Ok(Self {
            spreadsheet_id,
            google_key,
            google_faults: google.0,
            webhook_secrets,
            sheet_name,
            board_name,
            board_hours,
            board_warn_minutes,
            board_alert_minutes,
            routes,
            host,
            port,
            data_dir: PathBuf::from(raw.data_dir.unwrap_or_else(|| "./data".to_owned())),
            time_zone,
            writes_per_minute_max,
            pending_rows_max,
            dedupe_window_s,
            retention_days,
            alarm_minutes,
            alarm_webhook_url: alarm_webhook_url.map(SecretString::from),
            sheets_api_url,
            doubletick_api_key: doubletick_api_key.map(SecretString::from),
            doubletick_api_url,
        })
    }
}

/// A tab's title. In place of a month stand seven characters, as its name has.
fn title(name: &str, text: Option<String>, default: &str, problems: &mut Problems) -> String {
    let title = text.map_or_else(|| default.to_owned(), |text| text.trim().to_owned());
    if title.chars().count() > TITLE_CHARS_MAX {
        problems.add(name, "must be at most 100 characters, as Google limits a title");
    }
    title
}

struct Numbers<'a>(&'a mut Problems);

impl Numbers<'_> {
    fn read<T>(&mut self, name: &str, text: Option<String>, default: T, min: T, max: T) -> T
    where
        T: FromStr + PartialOrd + fmt::Display + Copy,
    {
        let Some(text) = text else { return default };
        match text.trim().parse() {
            Ok(number) if number >= min && number <= max => number,
            _ => {
                self.0.add(name, &format!("must be a whole number from {min} to {max}"));
                default
            }
        }
    }
}

fn webhook_secrets(text: Option<&str>, problems: &mut Problems) -> Vec<SecretString> {
    let Some(text) = text else {
        problems.add("WEBHOOK_SECRET", "is missing: at least 16 characters that nobody can guess");
        return Vec::new();
    };
    let secrets: Vec<&str> =
        text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
    let is_short = |secret: &&str| secret.chars().count() < SECRET_CHARS_MIN;
    if secrets.is_empty() || secrets.iter().any(is_short) {
        problems.add(
            "WEBHOOK_SECRET",
            match text.contains(',') {
                true => {
                    "must be at least 16 characters on each side of a comma: commas separate \
                     secrets, so none can be part of one"
                }
                false => "must be at least 16 characters",
            },
        );
    } else if secrets.iter().any(|secret| is_guessable(secret)) {
        problems.add(
            "WEBHOOK_SECRET",
            "must not be the demo's nor one character repeated: make one with openssl rand -hex 24",
        );
    }
    if secrets.iter().any(|secret| secret.chars().any(|c| c.is_whitespace() || c.is_control())) {
        problems.add("WEBHOOK_SECRET", "must not contain spaces");
    }
    secrets.into_iter().map(SecretString::from).collect()
}

fn is_guessable(secret: &str) -> bool {
    let mut letters = secret.chars();
    let first = letters.next();
    secret == DEMO_SECRET || letters.all(|letter| Some(letter) == first)
}

fn web_address(name: &str, text: Option<String>, default: &str, problems: &mut Problems) -> String {
    let address = text.map_or_else(|| default.to_owned(), |text| text.trim().to_owned());
    if !is_web_address(&address) {
        problems.add(name, NO_WEB_ADDRESS);
    }
    address
}

/// Whether every part of ours can use it. The parser of addresses takes hosts that the parser of
/// requests refuses later, so the host's letters are looked at here.
fn is_web_address(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_host = |host: &str| host.starts_with('[') || host.chars().all(is_plain);
    Url::parse(text.trim()).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(is_host)
            && url.as_str().len() <= ADDRESS_BYTES_MAX
    })
}
