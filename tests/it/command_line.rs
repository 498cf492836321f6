//! The command line: help is always at hand, and what makes no sense does nothing.

use std::ffi::{OsStr, OsString};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;

use crate::harness::Clinic;

const COMMANDS: [&[&str]; 11] = [
    &[],
    &["check"],
    &["connect"],
    &["replay"],
    &["forget"],
    &["set-aside"],
    &["set-aside", "list"],
    &["set-aside", "retry"],
    &["set-aside", "export"],
    &["backup"],
    &["restore"],
];

/// A clinic that calls this listener, and nobody else, for whatever it wants.
fn clinic_that_calls(listener: &TcpListener) -> Clinic {
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("http://{address}/");
    Clinic::new()
        .with("DATABASE_URL", &format!("postgres://{address}/clinic?sslmode=disable"))
        .with("DOUBLETICK_API_KEY", "key_1")
        .with("DOUBLETICK_API_URL", &url)
        .with("PUBLIC_URL", "https://clinic.example")
        .with("SHEETS_API_URL", &url)
        .with("ALARM_WEBHOOK_URL", &url)
}

/// Nothing was made where commands were run, and nobody was called.
#[track_caller]
fn nothing_was_done(clinic: &Clinic, listener: &TcpListener) {
    let names = std::fs::read_dir(clinic.dir.path()).unwrap();
    let names: Vec<OsString> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, Vec::<OsString>::new());
    assert!(listener.accept().is_err(), "somebody was called");
}

#[test]
fn every_command_gives_help_and_does_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let clinic = clinic_that_calls(&listener);
    let helps = |args: &[&str], command: &[&str]| {
        let ended = clinic.run_in_its_directory(args);
        assert!(ended.status.success(), "{args:?}: {}", ended.stderr);
        let usage = format!("Usage: doubletick-sheets {}", command.join(" "));
        assert!(ended.stdout.contains(usage.trim()), "{args:?}: {}", ended.stdout);
        assert!(ended.stdout.contains("Exit codes: 0"), "{args:?}: {}", ended.stdout);
        assert_eq!(ended.stderr, "", "{args:?}");
    };
    for command in COMMANDS {
        helps(&[command, &["--help"]].concat(), command);
        helps(&[command, &["-h"]].concat(), command);
        helps(&[&["help"], command].concat(), command);
    }
    // Also behind all that the command needs to do its work.
    helps(&["check", "--live", "--help"], &["check"]);
    helps(&["connect", "--remove-duplicates", "--help"], &["connect"]);
    helps(&["forget", "+919111222333", "--help"], &["forget"]);
    helps(&["set-aside", "export", "json", "--help"], &["set-aside", "export"]);
    helps(&["backup", "copy.sqlite3", "--help"], &["backup"]);
    helps(&["restore", "copy.sqlite3", "--discard-pending", "--help"], &["restore"]);
    nothing_was_done(&clinic, &listener);
}

#[test]
fn the_version_is_that_of_the_crate() {
    for option in ["--version", "-V"] {
        let ended = Clinic::new().run(&[option]);
        assert!(ended.status.success(), "{}", ended.stderr);
        assert_eq!(ended.stdout, concat!("doubletick-sheets ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn unknown_options_and_words_too_many_or_too_few_are_refused_with_the_usage() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let clinic = clinic_that_calls(&listener);
    let refuses = |args: &[&str], command: &[&str], sentence: &str| {
        let ended = clinic.run_in_its_directory(args);
        assert_eq!(ended.status.code(), Some(2), "{args:?}: {}", ended.stderr);
        let usage = format!("Usage: doubletick-sheets {}", command.join(" "));
        assert!(ended.stderr.contains(usage.trim()), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(sentence), "{args:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{args:?}");
    };
    for command in COMMANDS {
        refuses(&[command, &["--odd"]].concat(), command, "there is no such option");
        refuses(&[command, &["-x"]].concat(), command, "there is no such option");
        for odd in [&["a", "b", "c"][..], &["--live", "--odd"], &[""]] {
            refuses(&[command, odd].concat(), command, "--help` says more");
        }
    }
    refuses(&["forget"], &["forget"], "<PHONE> is missing");
    refuses(&["backup"], &["backup"], "<FILE> is missing");
    refuses(&["restore", "--discard-pending"], &["restore"], "<FILE> is missing");
    refuses(&["set-aside"], &["set-aside"], "missing: list, retry, export");
    refuses(&["set-aside", "export", "xml"], &["set-aside", "export"], "csv, json");
    refuses(&["check", "--live", "--live"], &["check"], "--live is there twice");
    nothing_was_done(&clinic, &listener);
}

#[test]
fn what_was_mistyped_is_suggested() {
    let clinic = Clinic::new();
    for (args, meant) in [
        (&["chek"][..], "check"),
        (&["conect"], "connect"),
        (&["setaside", "list"], "set-aside"),
        (&["set-aside", "lst"], "list"),
        (&["set-aside", "exprot"], "export"),
        (&["check", "--liv"], "--live"),
        (&["connect", "--remove-duplicate"], "--remove-duplicates"),
        (&["restore", "copy", "--discard"], "--discard-pending"),
    ] {
        let ended = clinic.run_in_its_directory(args);
        assert_eq!(ended.status.code(), Some(2), "{args:?}: {}", ended.stderr);
        let suggestion = format!("did you mean `{meant}`?");
        assert!(ended.stderr.contains(&suggestion), "{args:?}: {}", ended.stderr);
    }
}

/// What is printed here may be kept somewhere, and what was typed may be a patient's number.
#[test]
fn what_was_typed_is_not_repeated() {
    let clinic = Clinic::new();
    for args in [
        &["9111222333"][..],
        &["forget", "+91", "9111222333"],
        &["forget", "-9111222333"],
        &["forget", "--9111222333"],
        &["fogret", "9111222333"],
        &["set-aside", "9111222333"],
        &["set-aside", "export", "9111222333"],
    ] {
        let ended = clinic.run_in_its_directory(args);
        assert_eq!(ended.status.code(), Some(2), "{args:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("9111222333"), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn every_command_ends_with_the_documented_code_where_the_settings_are_wrong() {
    let clinic = Clinic::new().with("PORT", "80x");
    for args in [
        &[][..],
        &["check"],
        &["check", "--live"],
        &["connect"],
        &["replay"],
        &["forget", "+919111222333"],
        &["set-aside", "list"],
        &["backup", "copy"],
        &["restore", "copy"],
    ] {
        let ended = clinic.run_in_its_directory(args);
        let said = ended.stdout + &ended.stderr;
        assert_eq!(ended.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("PORT"), "{args:?}: {said}");
    }
}

/// The system's own reading of arguments ends the program where one is not UTF-8.
#[test]
fn an_argument_that_is_no_text_is_refused_like_any_other() {
    let clinic = Clinic::new();
    let odd = OsStr::from_bytes(b"caf\xe9");
    let ended = clinic.run_in_its_directory(&[odd]);
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    let ended = clinic.run_in_its_directory(&[OsStr::new("forget"), odd]);
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    assert!(clinic.open().stop("TERM").success());
    let ended = clinic.run_in_its_directory(&[OsStr::new("backup"), odd]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot make"), "{}", ended.stderr);
}
