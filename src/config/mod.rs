//! The settings: read once from the environment, validated all at once.
//!
//! All faults are reported together, each with the setting's full name and what was expected. A value is
//! never repeated. Only [`crate::app`] reads this; each part gets its own small options.

mod env;
mod google;
mod key_text;
mod routes;
mod secrets;
mod wait_alarm;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::SecretString;

use crate::config::env::RawEnv;
use crate::config::google::{google_key, spreadsheet_id, user};
pub use crate::config::routes::{HANDOVERS, Route};
use crate::config::secrets::{page_secret, webhook_secrets};
pub(crate) use crate::config::wait_alarm::WaitAlarm;

/// Google's address.
const SHEETS_API: &str = "https://sheets.googleapis.com/";
/// DoubleTick's address.
const DOUBLETICK_API: &str = "https://public.doubletick.io/";
const SHEET_NAME: &str = "Unassigned chats";
const BOARD_NAME: &str = "Unattended now";
const SUMMARY_NAME: &str = "Summary";
/// The one setting of which an empty value is one.
const MAY_BE_EMPTY: &str = "SUMMARY_NAME";
/// Google's limit of a tab's title, in characters.
const TITLE_CHARS_MAX: usize = 100;
/// Longest web address; a hook's has some hundred characters.
const ADDRESS_BYTES_MAX: usize = 4_096;

/// What Google allows a service account in a minute, where nobody had the quota raised; and far more than it gives.
const WRITES_PER_MINUTE: u32 = 60;
const WRITES_PER_MINUTE_MAX: u32 = 6_000;

/// Everything a deployment may set, valid. What each means stands in the README's table.
#[derive(Debug)]
pub struct Config {
    pub(crate) spreadsheet_id: String,
    /// The service account's key, or a configuration to act as it without one, as JSON.
    pub(crate) google_key: SecretString,
    /// The user in whose name the service account acts.
    pub(crate) google_impersonate: Option<String>,
    /// What is wrong with those above; empty when they can be used. Events are taken all the same.
    pub(crate) google_faults: Vec<String>,
    /// One, or two while one replaces the other.
    pub(crate) webhook_secrets: Vec<SecretString>,
    /// What opens the page, where that is not what opens the webhook.
    pub(crate) page_secret: Option<SecretString>,
    /// `{month}` in it stands for a tab each month.
    pub(crate) sheet_name: String,
    pub(crate) board_name: String,
    pub(crate) board_hours: u32,
    /// `None` where there is to be no such tab.
    pub(crate) summary_name: Option<String>,
    pub(crate) board_warn_minutes: u32,
    pub(crate) board_alert_minutes: u32,
    /// Where the rows of some of the clinic's numbers go; all others go to the spreadsheet above.
    pub(crate) routes: Vec<Route>,
    /// Where DoubleTick reaches us, without a slash at the end; `None` where nothing tells.
    pub(crate) public_url: Option<String>,
    pub(crate) host: IpAddr,
    /// 0 takes any free one.
    pub(crate) port: u16,
    pub(crate) data_dir: PathBuf,
    /// PostgreSQL, in place of the directory.
    pub(crate) database: Option<Database>,
    /// How long one of several instances forwards without saying that it is still there.
    pub(crate) lease_s: u32,
    /// `None` is the spreadsheet's own.
    pub(crate) time_zone: Option<String>,
    pub(crate) writes_per_minute_max: u32,
    pub(crate) pending_rows_max: u64,
    /// 0 is never.
    pub(crate) dedupe_window_s: u32,
    pub(crate) retention_days: u32,
    pub(crate) alarm_minutes: u32,
    /// A secret: anybody who knows the address can write there.
    pub(crate) alarm_webhook_url: Option<SecretString>,
    /// `None` is never.
    pub(crate) wait_alarm: Option<WaitAlarm>,
    pub(crate) sheets_api_url: String,
    /// How often DoubleTick is asked who waits, where it can be; `None` is never.
    pub(crate) ask_every: Option<Duration>,
    pub(crate) doubletick_api_key: Option<SecretString>,
    pub(crate) doubletick_api_url: String,
}

/// Where the journal is, when it is not in a directory.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "postgres"),
    expect(dead_code, reason = "only what is built with PostgreSQL reads where it is")
)]
pub(crate) struct Database {
    /// As libpq reads it; it holds a password.
    pub(crate) url: SecretString,
    /// A PEM file.
    pub(crate) certificates: Option<PathBuf>,
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
#[derive(Debug, Default, PartialEq, Eq, thiserror::Error)]
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

    /// One more: the setting, and what was expected of it.
    pub(crate) fn add(&mut self, name: &str, expected: &str) {
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
            let says_something = !value.trim().is_empty() || name == MAY_BE_EMPTY;
            !name.chars().any(char::is_lowercase) && says_something
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

    /// What is valid, but perhaps not meant so: a sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let is_raised = self.writes_per_minute_max > WRITES_PER_MINUTE;
        let sentence = format!(
            "MAX_WRITES_PER_MINUTE is above {WRITES_PER_MINUTE}, which is what Google allows a service account \
             unless the quota of its project was raised: where it was not, set it to 50"
        );
        is_raised.then_some(sentence).into_iter().chain(wait_alarm::warning(self)).collect()
    }

    fn validated(raw: RawEnv) -> Result<Self, Problems> {
        let (mut problems, mut google) = (Problems(Vec::new()), Problems(Vec::new()));
        let google_key = google_key(&raw, &mut google);
        let google_impersonate = user(raw.google_impersonate.as_deref(), &mut google);
        let spreadsheet_id = spreadsheet_id(raw.spreadsheet_id.as_deref(), &mut google);
        if LogFormat::read(raw.log_format.as_deref()).is_none() {
            problems.add("LOG_FORMAT", "must be text or json");
        }
        let webhook_secrets = webhook_secrets(raw.webhook_secret.as_deref(), &mut problems);
        let page_secret = page_secret(raw.page_secret.as_deref(), &webhook_secrets, &mut problems);
        let mut read = Reader(&mut problems);
        // A number's setting is called as its field is, in capitals.
        macro_rules! number {
            ($name:ident, $default:expr, $range:expr) => {
                read.number(stringify!($name), raw.$name, $default, $range)
            };
        }
        let config = Self {
            google_key,
            google_impersonate,
            webhook_secrets,
            page_secret,
            sheet_name: read.title("SHEET_NAME", raw.sheet_name, SHEET_NAME),
            board_name: read.title("BOARD_NAME", raw.board_name, BOARD_NAME),
            summary_name: read.summary(raw.summary_name),
            board_hours: number!(board_hours, 24, 1..=720),
            board_warn_minutes: number!(board_warn_minutes, 15, 1..=10_000),
            board_alert_minutes: number!(board_alert_minutes, 60, 1..=10_000),
            public_url: read.public_url(raw.public_url, raw.fly_app_name),
            host: read.host(raw.host),
            port: number!(port, 8080, 0..=u16::MAX),
            data_dir: PathBuf::from(raw.data_dir.unwrap_or_else(|| "./data".to_owned())),
            database: raw.database_url.map(|url| read.database(&url, raw.database_ca)),
            lease_s: number!(lease_seconds, 10, 2..=300),
            time_zone: read.time_zone(raw.timezone),
            writes_per_minute_max: number!(max_writes_per_minute, 50, 1..=WRITES_PER_MINUTE_MAX),
            pending_rows_max: number!(max_pending_rows, 1_000_000, 1..=1_000_000_000),
            dedupe_window_s: number!(dedupe_window_seconds, 120, 0..=86_400),
            retention_days: number!(retention_days, 30, 1..=3_650),
            alarm_minutes: number!(alarm_minutes, 10, 1..=10_080),
            alarm_webhook_url: raw
                .alarm_webhook_url
                .map(|url| SecretString::from(read.address("ALARM_WEBHOOK_URL", Some(url), ""))),
            wait_alarm: None,
            sheets_api_url: read.address("SHEETS_API_URL", raw.sheets_api_url, SHEETS_API),
            ask_every: read.ask_every(raw.ask_minutes, raw.ask_seconds),
            doubletick_api_key: raw.doubletick_api_key.map(|key| read.header(&key)),
            doubletick_api_url: read.address(
                "DOUBLETICK_API_URL",
                raw.doubletick_api_url,
                DOUBLETICK_API,
            ),
            routes: Vec::new(),
            spreadsheet_id,
            google_faults: Vec::new(),
        };
        let routes = routes::read(raw.routes.as_deref(), &config, &mut problems);
        let wait_alarm =
            wait_alarm::read(raw.wait_alarm_minutes, raw.wait_alarm_hours, &mut problems);
        if problems.0.is_empty() {
            return Ok(Self { routes, wait_alarm, google_faults: google.0, ..config });
        }
        problems.0.append(&mut google.0);
        Err(problems)
    }
}

/// Reads one setting each, and notes what is wrong.
struct Reader<'a>(&'a mut Problems);

impl Reader<'_> {
    fn number<T>(
        &mut self,
        name: &str,
        text: Option<String>,
        default: T,
        range: RangeInclusive<T>,
    ) -> T
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        let Some(text) = text else { return default };
        text.trim().parse().ok().filter(|number| range.contains(number)).unwrap_or_else(|| {
            let (min, max) = range.into_inner();
            self.0
                .add(&name.to_uppercase(), &format!("must be a whole number from {min} to {max}"));
            default
        })
    }

    /// A tab's title. `{month}` in it becomes seven characters, too.
    fn title(&mut self, name: &str, text: Option<String>, default: &str) -> String {
        let title = trimmed(text, default);
        if title.chars().count() > TITLE_CHARS_MAX {
            self.0.add(name, "must be at most 100 characters, as Google limits a title");
        }
        title
    }

    /// The summary's title, where there is to be one.
    fn summary(&mut self, text: Option<String>) -> Option<String> {
        let title = self.title(MAY_BE_EMPTY, text, SUMMARY_NAME);
        (!title.is_empty()).then_some(title)
    }

    fn address(&mut self, name: &str, text: Option<String>, default: &str) -> String {
        let address = trimmed(text, default);
        if !is_web_address(&address) {
            self.0.add(
                name,
                "must be an http or https address; write a host of other letters in its xn-- form",
            );
        }
        address
    }

    /// Where we can be reached: as told, or on Fly by the app's name.
    fn public_url(&mut self, url: Option<String>, fly_app: Option<String>) -> Option<String> {
        let is_name = |app: &String| app.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let Some(url) = url else {
            let app = fly_app.map(|app| app.trim().to_owned()).filter(is_name)?;
            return Some(format!("https://{app}.fly.dev"));
        };
        let url = self.address("PUBLIC_URL", Some(url), "");
        if url.contains(['?', '#']) {
            self.0.add("PUBLIC_URL", "must be an address without `?` and `#`");
        }
        Some(url.trim_end_matches('/').to_owned())
    }

    /// Two lists in a row are at least two minutes apart, but for tests.
    fn ask_every(&mut self, minutes: Option<String>, seconds: Option<String>) -> Option<Duration> {
        let minutes = self.number("ask_minutes", minutes, 5_u32, 0..=60);
        if minutes == 1 {
            self.0.add("ASK_MINUTES", "must be 0, for never, or from 2 to 60");
        }
        let seconds = self.number("ask_seconds", seconds, minutes * 60, 1..=3_600);
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// DoubleTick's key, which travels in a header.
    fn header(&mut self, key: &str) -> SecretString {
        if HeaderValue::from_str(key.trim()).is_err() {
            self.0.add(
                "DOUBLETICK_API_KEY",
                "has characters that no key has: copy it again from DoubleTick",
            );
        }
        SecretString::from(key.trim())
    }

    /// Where the database is. What else stands in its address is read where it is used.
    fn database(&mut self, url: &str, certificates: Option<String>) -> Database {
        if cfg!(not(feature = "postgres")) {
            self.0.add(
                "DATABASE_URL",
                "is set, and this program was built without PostgreSQL: build it with `--features postgres`, \
                 as the Dockerfile does, or unset it",
            );
        }
        let url = url.trim();
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            self.0
                .add("DATABASE_URL", "must look like postgres://user:password@host:5432/database");
        }
        let certificates = certificates.map(|file| PathBuf::from(file.trim()));
        if certificates.as_ref().is_some_and(|file| !file.is_file()) {
            self.0.add("DATABASE_CA", "must be the path of a PEM file");
        }
        Database { url: SecretString::from(url), certificates }
    }

    fn time_zone(&mut self, text: Option<String>) -> Option<String> {
        let zone = text.map(|zone| zone.trim().to_owned());
        if zone.as_ref().is_some_and(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
            self.0.add("TIMEZONE", "must be an IANA name such as Asia/Kolkata");
        }
        zone
    }

    fn host(&mut self, text: Option<String>) -> IpAddr {
        trimmed(text, "0.0.0.0").parse().unwrap_or_else(|_| {
            self.0.add("HOST", "must be an IP address such as 0.0.0.0 or 127.0.0.1");
            IpAddr::from([0, 0, 0, 0])
        })
    }
}

fn trimmed(text: Option<String>, default: &str) -> String {
    text.map_or_else(|| default.to_owned(), |text| text.trim().to_owned())
}

/// Whether an HTTP client can use this address. `Url` accepts hosts that the client refuses only later, so
/// the host's letters are checked here.
fn is_web_address(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_host = |host: &str| host.starts_with('[') || host.chars().all(is_plain);
    Url::parse(text.trim()).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(is_host)
            && url.as_str().len() <= ADDRESS_BYTES_MAX
    })
}
