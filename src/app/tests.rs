//! Whatever is typed into the settings: never a panic, and no part that cannot be made.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use crate::app::parts::{alarm_hook, caller, client, limits, options, routes};
use crate::config::Config;
use crate::http::secret::Secrets;
use crate::journal::BookId;
use crate::sheets::zone::time_zone;
use crate::status::Status;

const SECRET: &str = "opens-the-door-0001";
const ID: &str = "1AbC_dEf-GhIjKlMnOpQrStUvWxYz0123456789abcdE";

/// What every setting may be given by mistake; `None` is not at all.
const ODD: [Option<&str>; 16] = [
    None,
    Some(""),
    Some(" \t"),
    Some("0"),
    Some("-1"),
    Some("99999999999999999999"),
    Some("{"),
    Some("null"),
    Some("a\nb\tc"),
    Some("https:host/x"),
    Some("http://ho{st/"),
    Some("http://[::1"),
    Some("https:\\/\\/x"),
    Some("%zz%"),
    Some("=,;/"),
    Some("आ🙂\u{202e}"),
];

/// Each setting with a value that can be used.
fn good() -> Vec<(&'static str, String)> {
    static KEY: LazyLock<String> = LazyLock::new(|| fake_google::FakeGoogle::start().key_json());
    [
        ("SPREADSHEET_ID", ID),
        ("GOOGLE_CREDENTIALS_JSON", &KEY),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json"),
        ("WEBHOOK_SECRET", SECRET),
        ("PAGE_SECRET", "opens-the-page-0001"),
        ("SHEET_NAME", "Log {month}"),
        ("BOARD_NAME", "Now"),
        ("BOARD_WARN_MINUTES", "5"),
        ("BOARD_ALERT_MINUTES", "1"),
        ("BOARD_HOURS", "48"),
        ("ROUTES", "+919000000001=/North"),
        ("PORT", "0"),
        ("HOST", "::1"),
        ("DATA_DIR", "/tmp"),
        ("TIMEZONE", "Asia/Kolkata"),
        ("MAX_WRITES_PER_MINUTE", "60"),
        ("MAX_PENDING_ROWS", "1"),
        ("DEDUPE_WINDOW_SECONDS", "0"),
        ("RETENTION_DAYS", "3650"),
        ("ALARM_MINUTES", "1"),
        ("ALARM_WEBHOOK_URL", "https://hooks.example/T0/secret"),
        ("DOUBLETICK_API_KEY", "key_1"),
        ("DOUBLETICK_API_URL", "http://127.0.0.1:9/"),
        ("SHEETS_API_URL", "http://127.0.0.1:9/"),
        ("LOG_FORMAT", "json"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// Makes every part that these settings ask for. What is set and valid can be made.
fn make(runtime: &tokio::runtime::Runtime, config: &Config) {
    let status = Arc::new(Status::default());
    let told = config.alarm_webhook_url.as_ref();
    assert_eq!(told.and_then(alarm_hook).is_some(), told.is_some());
    assert_eq!(caller(config).is_some(), config.doubletick_api_key.is_some());
    let client = runtime.block_on(client(config, &config.spreadsheet_id, Arc::clone(&status)));
    assert!(client.is_ok() || !config.google_faults.is_empty(), "{:#}", client.unwrap_err());
    let options = options(config, String::new(), &config.spreadsheet_id, BookId::default());
    _ = time_zone(options.time_zone.as_deref().unwrap_or("UTC"));
    _ = (limits(config), routes(config), Secrets::new(&config.webhook_secrets));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn read(vars: &[(&str, Option<&str>)]) -> Option<Config> {
    let set = vars.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?.into())));
    Config::from_vars(set.collect::<Vec<(String, String)>>()).ok()
}

/// The good values with these in their place.
fn with<'a>(
    good: &'a [(&'a str, String)],
    odd: &[(&str, Option<&'a str>)],
) -> Vec<(&'a str, Option<&'a str>)> {
    let odd_one = |name: &str| odd.iter().find(|(other, _)| *other == name).map(|(_, odd)| *odd);
    good.iter().map(|(name, value)| (*name, odd_one(name).unwrap_or(Some(value)))).collect()
}

#[test]
fn every_setting_may_be_absent_blank_or_odd_beside_good_ones() {
    let (runtime, good) = (runtime(), good());
    let _entered = runtime.enter();
    for (name, _) in &good {
        // Making clients takes its time, and only these settings are in them.
        let is_for_clients = ["_URL", "_KEY", "_ID", "ZONE"].iter().any(|end| name.ends_with(end));
        for odd in ODD {
            let config = read(&with(&good, &[(name, odd)]));
            if let Some(config) = config.filter(|_| is_for_clients) {
                make(&runtime, &config);
            }
        }
    }
}

/// What one setting alone never showed: an optional one with Google's missing aborted.
#[test]
fn every_optional_setting_can_be_used_whatever_is_wrong_with_googles() {
    let (runtime, good) = (runtime(), good());
    let _entered = runtime.enter();
    let google = ["SPREADSHEET_ID", "GOOGLE_CREDENTIALS_JSON"];
    for wrong in ODD {
        for broken in [&google[..1], &google[1..], &google[..]] {
            let broken: Vec<_> = broken.iter().map(|name| (*name, wrong)).collect();
            let config = read(&with(&good, &broken)).unwrap();
            if broken.len() == google.len() {
                make(&runtime, &config);
            }
            for (name, _) in good.iter().filter(|(name, _)| !google.contains(name)) {
                let mut absent = broken.clone();
                absent.push((name, None));
                let is_needed = *name == "WEBHOOK_SECRET";
                assert_eq!(read(&with(&good, &absent)).is_none(), is_needed, "{name}");
            }
        }
    }
}

#[test]
fn two_odd_settings_at_once_are_read_without_a_panic() {
    let good = good();
    let names: Vec<&str> = good.iter().map(|(name, _)| *name).collect();
    for (at, first) in names.iter().enumerate() {
        for second in &names[at + 1..] {
            for a in ODD {
                for b in [None, Some("{"), Some("आ🙂\u{202e}"), Some("=,;/")] {
                    drop(read(&with(&good, &[(first, a), (second, b)])));
                }
            }
        }
    }
}

proptest! {
    /// Texts of any kind in all settings at once.
    #[test]
    fn whatever_is_typed_is_read_or_refused(texts in prop::collection::vec(any::<Option<String>>(), 24)) {
        let good = good();
        let odd: Vec<_> =
            good.iter().zip(&texts).map(|((name, _), text)| (*name, text.as_deref())).collect();
        drop(read(&odd));
        let kept = [("WEBHOOK_SECRET", Some(SECRET))];
        let odd: Vec<_> = odd.iter().filter(|(name, _)| *name != "WEBHOOK_SECRET").chain(&kept).copied().collect();
        drop(read(&odd));
    }
}
