//! The README and the pages behind it: what they name is there, and what they say to type can be typed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use doubletick_sheets::app::commands::Command;

use crate::tidy::{read, root};

/// The README and the pages behind it, by their paths.
fn pages() -> Vec<(PathBuf, String)> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| Path::new("docs").join(entry.unwrap().file_name()));
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let paths = std::iter::once(PathBuf::from("README.md")).chain(docs);
    paths.map(|path| (path.clone(), read(path.to_str().unwrap()))).collect()
}

/// The lines of a section of the README.
fn section(title: &str) -> Vec<String> {
    let readme = read("README.md");
    let lines = readme.lines().skip_while(|line| *line != format!("## {title}")).skip(1);
    let lines: Vec<String> =
        lines.take_while(|line| !line.starts_with("## ")).map(str::to_owned).collect();
    assert!(!lines.is_empty(), "the README has no section {title}");
    lines
}

/// What stands in the first column of a section's table, between backquotes.
fn rows(title: &str) -> BTreeSet<String> {
    let lines = section(title);
    let named = lines.iter().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    named.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_readme_names_every_setting_and_no_other() {
    let env = read("src/config/env.rs");
    let settings: BTreeSet<String> = env
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub(super) ")?.split_once(": Option"))
        .map(|(name, _)| name.to_uppercase())
        .collect();
    let mut table = rows("Settings");
    assert!(table.remove("RUST_LOG"));
    assert_eq!(settings, table);
}

#[test]
fn the_readme_names_every_command_as_the_help_does() {
    let Ok(Command::Say(help)) = Command::parse(["--help".into()]) else { panic!("no help") };
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let listed = listed.filter_map(|line| line.split_whitespace().next());
    let listed: BTreeSet<&str> = listed.filter(|command| *command != "help").collect();
    let table = rows("Commands");
    let named = table.iter().filter_map(|command| command.split(' ').nth(1));
    assert_eq!(named.collect::<BTreeSet<&str>>(), listed);
    let codes = help.lines().find(|line| line.starts_with("Exit codes: ")).unwrap();
    let is_there = section("Commands").iter().any(|line| line.starts_with(codes));
    assert!(is_there, "the README does not say: {codes}");
}

/// A stranger counts the steps.
#[test]
fn the_first_row_is_eight_steps_away_at_most() {
    let lines = section("From nothing to the first row");
    let steps = lines.iter().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let count = steps.count();
    assert!((1..=8).contains(&count), "{count} steps");
}

/// Whoever reads on finds what is named.
#[test]
fn every_path_that_is_named_is_there() {
    for (page, text) in pages() {
        let named = text.split('`').skip(1).step_by(2);
        for path in
            named.filter(|named| ["src/", "tests/"].iter().any(|top| named.starts_with(top)))
        {
            assert!(root().join(path).exists(), "{}: {path}", page.display());
        }
    }
}

/// The anchor under which a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_from_page_to_page_leads_somewhere() {
    let mut tried = 0;
    for (page, text) in pages() {
        for target in text.split("](").skip(1).filter_map(|after| after.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let from = page.parent().unwrap().to_owned();
            let path = if path.is_empty() { page.clone() } else { from.join(path) };
            assert!(root().join(&path).exists(), "{}: {target}", page.display());
            if !heading.is_empty() {
                let there = read(path.to_str().unwrap());
                let mut headings = there.lines().filter(|line| line.starts_with('#')).map(anchor);
                assert!(headings.any(|there| there == heading), "{}: {target}", page.display());
            }
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried} links found");
}

/// Whoever follows these pages types what stands there.
#[test]
fn every_command_of_the_pages_is_one() {
    let mut tried = 0;
    for (page, text) in pages() {
        for typed in text.split("doubletick-sheets ").skip(1) {
            let typed = typed.split(['`', '"', '\n', ',', ';']).next().unwrap();
            // Prose goes on in words that no command has, and a shell in ones that are its own.
            if typed.contains(':') || ["/data", "."].iter().any(|no| typed.starts_with(no)) {
                continue;
            }
            let ends = |word: &&str| !matches!(*word, ">" | "#");
            let words = typed.split_whitespace().take_while(ends).map(Into::into);
            let parsed = Command::parse(words);
            assert!(parsed.is_ok(), "{}: doubletick-sheets {typed}", page.display());
            tried += 1;
        }
    }
    assert!(tried >= 20, "{tried} commands found");
}
