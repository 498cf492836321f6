//! The settings' promises: all faults at once, each by its full name, and never a value.

mod google;
mod key_text;
mod routes;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;

use crate::chat::hours::Hours;
use crate::config::{Config, Problems, WaitAlarm};

const SECRET: &str = "opens-the-door-0001";
const ID: &str = "1AbC_dEf-GhIjKlMnOpQrStUvWxYz0123456789abcdE";
/// Whether the key was read as it was given.
pub(super) fn is_the_key(config: &Config) -> bool {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    value(config.google_key.expose_secret()) == value(KEY)
}

const KEY: &str = r#"{"type":"service_account","client_email":"robot@clinic.example",
    "private_key":"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
    "token_uri":"https://oauth2.googleapis.com/token"}"#;

/// The least that a deployment must set, and these on top.
fn read(more: &[(&str, &str)]) -> Result<Config, Problems> {
    read_to_serve(more).and_then(Config::complete)
}

fn read_to_serve(more: &[(&str, &str)]) -> Result<Config, Problems> {
    let least =
        [("SPREADSHEET_ID", ID), ("GOOGLE_CREDENTIALS_JSON", KEY), ("WEBHOOK_SECRET", SECRET)];
    // What is set twice is set by the last, as in a shell.
    let least = least.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    let vars = least.chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_vars(vars.collect::<Vec<_>>())
}

#[track_caller]
fn valid(more: &[(&str, &str)]) -> Config {
    read(more).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The one problem that these settings have.
#[track_caller]
fn problem(more: &[(&str, &str)]) -> String {
    let problems = read(more).map(|_| "valid").unwrap_err();
    let [sentence] = problems.sentences() else { panic!("{problems}") };
    sentence.clone()
}

#[track_caller]
fn check_refused(name: &str, value: &str) {
    let sentence = problem(&[(name, value)]);
    assert!(sentence.starts_with(&format!("{name} ")), "{sentence}");
}

#[test]
fn three_settings_are_enough() {
    let config = valid(&[]);
    assert_eq!(config.spreadsheet_id, ID);
    assert!(is_the_key(&config));
    assert_eq!(config.webhook_secrets.len(), 1);
    assert_eq!(config.webhook_secrets[0].expose_secret(), SECRET);
    assert_eq!(config.sheet_name, "Unassigned chats");
    assert_eq!((config.host, config.port), (IpAddr::from([0, 0, 0, 0]), 8080));
    assert_eq!(config.data_dir, Path::new("./data"));
    assert_eq!(config.time_zone, None);
    assert_eq!(config.writes_per_minute_max, 50);
    assert_eq!(config.dedupe_window_s, 120);
    assert_eq!(config.retention_days, 30);
    assert_eq!(config.board_name, "Unattended now");
    assert_eq!(config.summary_name.as_deref(), Some("Summary"));
    assert_eq!(config.board_hours, 24);
    assert_eq!((config.board_warn_minutes, config.board_alert_minutes), (15, 60));
    assert_eq!(config.routes, []);
    assert_eq!(config.ask_every, Some(Duration::from_secs(300)));
    assert_eq!(config.sheets_api_url, "https://sheets.googleapis.com/");
}

#[test]
fn every_setting_can_be_set() {
    let config = valid(&[
        ("SHEET_NAME", " Wartende "),
        ("BOARD_NAME", " Jetzt "),
        ("SUMMARY_NAME", " Woche "),
        ("BOARD_HOURS", "48"),
        ("BOARD_WARN_MINUTES", "5"),
        ("BOARD_ALERT_MINUTES", "30"),
        ("ROUTES", "+919000000001=/North"),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("DATA_DIR", "/var/lib/x"),
        ("TIMEZONE", "Asia/Kolkata"),
        ("MAX_WRITES_PER_MINUTE", "60"),
        ("MAX_PENDING_ROWS", "10"),
        ("DEDUPE_WINDOW_SECONDS", "0"),
        ("RETENTION_DAYS", "1"),
        ("ALARM_MINUTES", "5"),
        ("ALARM_WEBHOOK_URL", "https://hooks.example/T0/secret"),
        ("ASK_MINUTES", "60"),
        ("SHEETS_API_URL", "http://127.0.0.1:9/"),
    ]);
    assert_eq!(config.ask_every, Some(Duration::from_secs(3_600)));
    assert_eq!(config.sheet_name, "Wartende");
    assert_eq!((config.board_name.as_str(), config.board_hours), ("Jetzt", 48));
    assert_eq!(config.summary_name.as_deref(), Some("Woche"));
    assert_eq!((config.board_warn_minutes, config.board_alert_minutes), (5, 30));
    assert_eq!(config.routes.len(), 1);
    assert_eq!((config.host, config.port), (IpAddr::from([127, 0, 0, 1]), 0));
    assert_eq!(config.data_dir, Path::new("/var/lib/x"));
    assert_eq!(config.time_zone.as_deref(), Some("Asia/Kolkata"));
    assert_eq!(config.writes_per_minute_max, 60);
    assert_eq!(config.pending_rows_max, 10);
    assert_eq!(config.dedupe_window_s, 0);
    assert_eq!(config.retention_days, 1);
    assert_eq!(config.alarm_minutes, 5);
    assert!(config.alarm_webhook_url.is_some());
    assert!(!format!("{config:?}").contains("hooks.example"), "{config:?}");
    assert_eq!(config.sheets_api_url, "http://127.0.0.1:9/");
}

#[test]
fn doubletick_is_asked_every_two_minutes_at_most_and_never_where_that_is_wished() {
    assert_eq!(valid(&[("ASK_MINUTES", "0")]).ask_every, None);
    assert_eq!(valid(&[("ASK_MINUTES", "2")]).ask_every, Some(Duration::from_secs(120)));
    check_refused("ASK_MINUTES", "1");
    check_refused("ASK_MINUTES", "61");
    check_refused("ASK_SECONDS", "0");
}

#[test]
fn more_writes_than_google_usually_allows_are_taken_with_a_warning() {
    let config = valid(&[("MAX_WRITES_PER_MINUTE", "300")]);
    assert_eq!(config.writes_per_minute_max, 300);
    let [warning] = &config.warnings()[..] else { panic!("{:?}", config.warnings()) };
    assert!(warning.contains("above 60"), "{warning}");
    assert!(valid(&[("MAX_WRITES_PER_MINUTE", "60")]).warnings().is_empty());
}

#[test]
fn who_waits_too_long_is_told_of_only_on_request_and_within_hours_that_there_are() {
    assert_eq!(valid(&[("WAIT_ALARM_HOURS", "09:00-17:00")]).wait_alarm, None);
    let config = valid(&[("WAIT_ALARM_MINUTES", "30")]);
    let hours = Hours::read("08:00-20:00").unwrap();
    assert_eq!(config.wait_alarm, Some(WaitAlarm { minutes: 30, hours }));
    let [warning] = &config.warnings()[..] else { panic!("{:?}", config.warnings()) };
    assert!(warning.contains("ALARM_WEBHOOK_URL is not"), "{warning}");
    let hook = ("ALARM_WEBHOOK_URL", "https://hooks.example/T0");
    assert!(valid(&[("WAIT_ALARM_MINUTES", "30"), hook]).warnings().is_empty());
    let wrong = [("WAIT_ALARM_MINUTES", "0"), ("WAIT_ALARM_HOURS", "08:00-12:00,13:00-13:00")];
    let said = read(&wrong).unwrap_err().to_string();
    assert!(said.contains("WAIT_ALARM_MINUTES must be a whole number from 1 to 10080"), "{said}");
    assert!(
        said.contains("WAIT_ALARM_HOURS has an entry (the 2.) that ends when it begins"),
        "{said}"
    );
    assert!(problem(&[("WAIT_ALARM_HOURS", "8-20")]).contains("not like 08:00-20:00"));
}

#[test]
fn an_empty_setting_counts_as_absent() {
    let config = valid(&[("PORT", ""), ("TIMEZONE", " "), ("SHEET_NAME", ""), ("HOST", "\t")]);
    assert_eq!((config.port, config.time_zone), (8080, None));
    assert_eq!(config.sheet_name, "Unassigned chats");
    assert_eq!(valid(&[("SUMMARY_NAME", " ")]).summary_name, None, "but for this one");
    assert!(problem(&[("WEBHOOK_SECRET", " ")]).starts_with("WEBHOOK_SECRET is missing"));
    assert!(problem(&[("SPREADSHEET_ID", "")]).starts_with("SPREADSHEET_ID is missing"));
}

#[test]
fn settings_of_others_are_none_of_our_business() {
    valid(&[("PATH", "/bin"), ("LANG", "C"), ("PORTS", "x"), ("RUST_LOG", "debug")]);
}

/// Other programs set `host` or `port` in small letters; ours are written in capitals.
#[test]
fn a_name_in_small_letters_does_not_hide_the_setting_in_capitals() {
    let config = valid(&[("PORT", "9000"), ("port", "x"), ("timezone", "nowhere")]);
    assert_eq!(config.port, 9000);
}

#[test]
fn all_faults_are_reported_at_once_by_their_full_names() {
    let nothing = Config::from_vars([]).map(|_| "valid").unwrap_err();
    let missing = ["GOOGLE_APPLICATION_CREDENTIALS", "WEBHOOK_SECRET", "SPREADSHEET_ID"];
    assert_eq!(nothing.sentences().len(), missing.len());

    let wrong = [
        ("SPREADSHEET_ID", "no/id"),
        ("GOOGLE_CREDENTIALS_JSON", "{"),
        ("WEBHOOK_SECRET", "short"),
        ("PAGE_SECRET", "short"),
        ("TIMEZONE", "Mars/Olympus"),
        ("SHEETS_API_URL", "ftp://x"),
        ("PORT", "eighty"),
        ("HOST", "localhost"),
        ("MAX_WRITES_PER_MINUTE", "0"),
        ("MAX_PENDING_ROWS", "0"),
        ("DEDUPE_WINDOW_SECONDS", "-1"),
        ("RETENTION_DAYS", "0"),
        ("BOARD_NAME", "Handovers"),
        ("BOARD_HOURS", "0"),
        ("BOARD_WARN_MINUTES", "soon"),
        ("BOARD_ALERT_MINUTES", "10001"),
        ("ROUTES", "north=tab"),
        ("ALARM_MINUTES", "0"),
        ("LOG_FORMAT", "xml"),
        ("ALARM_WEBHOOK_URL", "hooks.example"),
    ];
    let problems = read(&wrong).map(|_| "valid").unwrap_err();
    assert_eq!(problems.sentences().len(), wrong.len(), "{problems}");
    for (name, _) in wrong {
        let told = problems.sentences().iter().filter(|s| s.starts_with(&format!("{name} ")));
        assert_eq!(told.count(), 1, "{name} in {problems}");
    }
    let lines = problems.to_string();
    assert_eq!(lines.lines().count(), 1 + wrong.len(), "one line each: {lines}");
}

#[test]
fn without_google_there_is_enough_to_take_events() {
    let broken = [("SPREADSHEET_ID", "no/id"), ("GOOGLE_CREDENTIALS_JSON", "{")];
    let config = read_to_serve(&broken).unwrap();
    assert_eq!(config.google_faults.len(), broken.len(), "{:?}", config.google_faults);
    let told = config.complete().map(|_| "complete").unwrap_err();
    for (name, _) in broken {
        assert!(told.sentences().iter().any(|sentence| sentence.starts_with(name)), "{told}");
    }
    let more =
        read_to_serve(&[("SPREADSHEET_ID", ""), ("PORT", "x")]).map(|_| "valid").unwrap_err();
    assert_eq!(more.sentences().len(), 2, "all at once: {more}");
}

#[test]
fn no_value_is_ever_echoed() {
    let canary = "c4n4ry";
    let names = [
        "SPREADSHEET_ID",
        "GOOGLE_CREDENTIALS_JSON",
        "WEBHOOK_SECRET",
        "PAGE_SECRET",
        "TIMEZONE",
        "SHEETS_API_URL",
        "PORT",
        "HOST",
        "MAX_WRITES_PER_MINUTE",
        "MAX_PENDING_ROWS",
        "DEDUPE_WINDOW_SECONDS",
        "RETENTION_DAYS",
        "BOARD_HOURS",
        "BOARD_WARN_MINUTES",
        "BOARD_ALERT_MINUTES",
        "ROUTES",
        "ALARM_MINUTES",
        "LOG_FORMAT",
        "ALARM_WEBHOOK_URL",
    ];
    let wrong: Vec<_> = names.iter().map(|name| (*name, "c4n4ry / ?")).collect();
    let problems = read(&wrong).map(|_| "valid").unwrap_err();
    assert!(!format!("{problems} {problems:?}").contains(canary), "{problems}");

    for key in [
        r#"{"client_email":"c4n4ry","private_key":"c4n4ry"}"#,
        r#"{"client_email":"c4n4ry","private_key":"c4n4ry","token_uri":"c4n4ry"}"#,
        r#"{"client_email":["c4n4ry"]}"#,
        r#"{"private_key":"c4n4ry""#,
    ] {
        let problems = read(&[("GOOGLE_CREDENTIALS_JSON", key)]).map(|_| "valid").unwrap_err();
        assert!(!format!("{problems} {problems:?}").contains(canary), "{problems}");
    }
    let path =
        problem(&[("GOOGLE_CREDENTIALS_JSON", ""), ("GOOGLE_APPLICATION_CREDENTIALS", "/c4n4ry")]);
    assert!(!path.contains(canary), "{path}");
}

#[test]
fn a_config_shows_no_secret() {
    let shown = format!("{:?}", valid(&[("PAGE_SECRET", "opens-the-page-0001")]));
    for secret in [SECRET, "opens-the-page-0001", "c2VjcmV0", "robot@clinic.example"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_secret_that_everybody_knows_is_refused_and_commas_are_explained() {
    check_refused("WEBHOOK_SECRET", "demo-secret-0123456789");
    check_refused("WEBHOOK_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaa");
    check_refused("WEBHOOK_SECRET", &format!("{SECRET},{}", "ü".repeat(20)));
    let split = problem(&[("WEBHOOK_SECRET", "half-of-a-secret-0001,and-its-rest")]);
    assert!(split.contains("commas separate"), "{split}");
    assert!(!problem(&[("WEBHOOK_SECRET", "short")]).contains("comma"));
}

#[test]
fn the_page_may_have_a_secret_of_its_own_that_is_not_the_webhooks() {
    assert!(
        valid(&[]).page_secret.is_none() && valid(&[("PAGE_SECRET", " ")]).page_secret.is_none()
    );
    let own = valid(&[("PAGE_SECRET", " opens-the-page-0001\n")]).page_secret.unwrap();
    assert_eq!(own.expose_secret(), "opens-the-page-0001");
    for wrong in ["only15character", "aaaaaaaaaaaaaaaaaaaa", "with spaces in it, and more of them"]
    {
        check_refused("PAGE_SECRET", wrong);
    }
    check_refused("PAGE_SECRET", "opens-the-page-0001,opens-the-page-0002");
    let two = format!("opens-the-door-0002,{SECRET}");
    let same = problem(&[("WEBHOOK_SECRET", &two), ("PAGE_SECRET", SECRET)]);
    assert!(same.contains("must differ from WEBHOOK_SECRET"), "{same}");
}

#[test]
fn a_key_that_no_header_can_carry_is_refused() {
    valid(&[("DOUBLETICK_API_KEY", " key_1\n")]);
    for key in ["key\tkey\u{7f}", "a\nb"] {
        check_refused("DOUBLETICK_API_KEY", key);
    }
}

#[test]
fn numbers_are_whole_and_within_their_range() {
    let ranges = [
        ("PORT", ["65535", "0"], ["65536", "-1"]),
        ("MAX_WRITES_PER_MINUTE", ["1", "6000"], ["0", "6001"]),
        ("MAX_PENDING_ROWS", ["1", "1000000000"], ["0", "1000000001"]),
        ("DEDUPE_WINDOW_SECONDS", ["0", "86400"], ["-1", "86401"]),
        ("RETENTION_DAYS", ["1", "3650"], ["0", "3651"]),
        ("BOARD_HOURS", ["1", "720"], ["0", "721"]),
        ("BOARD_WARN_MINUTES", ["1", "60"], ["0", "10001"]),
        ("BOARD_ALERT_MINUTES", ["15", "10000"], ["0", "10001"]),
        ("ALARM_MINUTES", ["1", "10080"], ["0", "10081"]),
    ];
    for (name, good, bad) in ranges {
        good.iter().for_each(|value| drop(valid(&[(name, value)])));
        let never = ["1.5", "ten", "1 2", "99999999999999999999999"];
        bad.iter().chain(&never).for_each(|value| check_refused(name, value));
    }
    assert_eq!(valid(&[("PORT", " 9000 ")]).port, 9000);
    assert!(problem(&[("PORT", "x")]).ends_with("from 0 to 65535"));
}

#[test]
fn two_secrets_may_overlap_while_one_replaces_the_other() {
    let two = format!("{SECRET} , another-secret-02,");
    let config = valid(&[("WEBHOOK_SECRET", &two)]);
    let secrets: Vec<_> = config.webhook_secrets.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(secrets, [SECRET, "another-secret-02"]);
}

#[test]
fn a_secret_that_can_be_guessed_is_refused() {
    valid(&[("WEBHOOK_SECRET", "exactly16letters")]);
    check_refused("WEBHOOK_SECRET", "only15character");
    check_refused("WEBHOOK_SECRET", "opens-the-door-0001,short");
    check_refused("WEBHOOK_SECRET", ",");
    check_refused("WEBHOOK_SECRET", "with spaces in it, and more of them");
}

#[test]
fn only_a_known_time_zone_is_taken() {
    for zone in ["Asia/Kolkata", "UTC", "America/New_York", " Europe/Berlin "] {
        assert_eq!(valid(&[("TIMEZONE", zone)]).time_zone.as_deref(), Some(zone.trim()));
    }
    for zone in ["IST+5:30", "Asia/Calcuttta", "+05:30", "local time"] {
        check_refused("TIMEZONE", zone);
    }
}

#[test]
fn a_tabs_title_has_at_most_a_hundred_characters() {
    valid(&[("SHEET_NAME", &"ü".repeat(100))]);
    check_refused("SHEET_NAME", &"ü".repeat(101));
}

#[test]
fn addresses_are_of_the_web() {
    valid(&[("SHEETS_API_URL", "https://proxy.clinic.example/sheets/")]);
    // The last ones pass for an address with one parser and not with the other.
    let long = format!("https://x/{}", "y".repeat(70_000));
    for address in [
        "sheets.googleapis.com",
        "file:///etc/passwd",
        "https://",
        "http//x",
        "http://ho{st/",
        "http://a\"b/",
        &long,
    ] {
        for name in ["SHEETS_API_URL", "DOUBLETICK_API_URL", "ALARM_WEBHOOK_URL"] {
            check_refused(name, address);
        }
    }
    for host in ["localhost", "0.0.0.0:80", "clinic.example"] {
        check_refused("HOST", host);
    }
    assert_eq!(valid(&[("HOST", "::1")]).host, "::1".parse::<IpAddr>().unwrap());
}
