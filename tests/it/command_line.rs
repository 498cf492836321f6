//! The command line: help is always at hand, and what makes no sense does nothing.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::harness::Clinic;

const COMMANDS: [&[&str]; 10] = [
    &[],
    &["check"],
    &["connect"],
    &["replay"],
    &["forget"],
    &["set-aside", "list"],
    &["set-aside", "retry"],
    &["set-aside", "export"],
    &["backup"],
    &["restore"],
];

/// The names in the directory that a command was run in, and in that of its journal.
fn left_behind(clinic: &Clinic) -> Vec<OsString> {
    let names = std::fs::read_dir(clinic.dir.path()).unwrap();
    names.map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn every_command_gives_help_and_does_nothing_else() {
    let clinic = Clinic::new();
    for command in COMMANDS {
        for help in ["--help", "-h"] {
            let args = [command, &[help]].concat();
            let ended = clinic.run_in_its_directory(&args);
            assert!(ended.status.success(), "{args:?}: {}", ended.stderr);
            assert!(ended.stdout.contains("exit codes"), "{args:?}: {}", ended.stdout);
        }
    }
    assert!(clinic.run_in_its_directory(&["help"]).stdout.contains("exit codes"));
    assert_eq!(left_behind(&clinic), Vec::<OsString>::new());
}

#[test]
fn unknown_options_and_words_too_many_or_too_few_are_refused_with_the_usage() {
    let clinic = Clinic::new();
    for command in COMMANDS {
        for odd in
            [&["--odd"][..], &["-x"], &["a", "b", "c"], &["--live", "--odd"], &[""], &["a", "--"]]
        {
            let args = [command, odd].concat();
            let ended = clinic.run_in_its_directory(&args);
            assert_eq!(ended.status.code(), Some(2), "{args:?}: {}", ended.stderr);
            let usage = format!("doubletick-sheets {}", command.join(" "));
            assert!(ended.stderr.contains(usage.trim()), "{args:?}: {}", ended.stderr);
        }
    }
    for args in
        [&["forget"][..], &["backup"], &["set-aside"], &["set-aside", "write"], &["serve-me"]]
    {
        assert_eq!(clinic.run_in_its_directory(args).status.code(), Some(2), "{args:?}");
    }
    let said = clinic.run_in_its_directory(&["forget", "+91", "9111222333"]);
    assert_eq!(said.status.code(), Some(2));
    assert!(said.stderr.contains("forget PHONE") && !said.stderr.contains("9111222333"));
    assert_eq!(left_behind(&clinic), Vec::<OsString>::new());
}

/// The system's own reading of arguments ends the program where one is not UTF-8.
#[test]
fn an_argument_that_is_no_text_is_refused_like_any_other() {
    let clinic = Clinic::new();
    let odd = OsStr::from_bytes(b"caf\xe9");
    let ended = clinic.run_in_its_directory(&[odd]);
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    assert!(clinic.open().stop("TERM").success());
    let ended = clinic.run_in_its_directory(&[OsStr::new("backup"), odd]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot make"), "{}", ended.stderr);
}
