//! Which file of `src` names which: modules one way, files in no circle, a dependency in its one place.
//!
//! Only code counts, and no tests. A name that a folder's `mod.rs` hands on counts as the file's that
//! defines it. That a file names the `mod.rs` above it does not count: that one is the folder itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::tidy::rust_files;

/// The code of every file of `src` but its tests, by its path in there, without comments.
fn code() -> BTreeMap<String, String> {
    let is_tests = |path: &str| path.split(['/', '.']).any(|part| part == "tests");
    let files = rust_files("src").into_iter().filter(|(path, _)| !is_tests(path));
    let bare = files.map(|(path, text)| {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        (path.trim_start_matches("src/").to_owned(), code.collect::<Vec<_>>().join("\n"))
    });
    bare.collect()
}

/// The path of every name that begins with `crate::`, each of a group by itself.
fn names(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for after in code.split("crate::").skip(1) {
        take(after, &[], &mut found);
    }
    found
}

/// Takes the path or group of paths at the beginning of `text`; gives what stands behind it.
fn take<'t>(mut text: &'t str, before: &[String], found: &mut Vec<Vec<String>>) -> &'t str {
    let mut path = before.to_vec();
    loop {
        if let Some(mut group) = text.strip_prefix('{') {
            loop {
                group = group.trim_start_matches([' ', '\n', ',']);
                match group.strip_prefix('}') {
                    Some(rest) => return rest,
                    None if group.is_empty() => return group,
                    None => group = take(group, &path, found),
                }
            }
        }
        let is_other = |letter: char| !(letter.is_alphanumeric() || matches!(letter, '_' | '*'));
        let (name, rest) = text.split_at(text.find(is_other).unwrap_or(text.len()));
        // An alias is for the file that gives it; `as` ends the path.
        let rest = rest
            .strip_prefix(" as ")
            .map_or(rest, |alias| alias.split_at(alias.find(is_other).unwrap_or(alias.len())).1);
        path.push(name.to_owned());
        match rest.strip_prefix("::") {
            Some(more) if more.starts_with(|next: char| next == '{' || !is_other(next)) => {
                text = more;
            }
            _ => {
                found.push(path);
                // Whatever it was, never the same again.
                let skipped = if name.is_empty() { 1 } else { 0 };
                return rest.get(skipped..).unwrap_or_default();
            }
        }
    }
}

/// The files by the module that each is.
struct Modules<'c> {
    code: &'c BTreeMap<String, String>,
    files: BTreeMap<Vec<String>, String>,
}

impl<'c> Modules<'c> {
    fn of(code: &'c BTreeMap<String, String>) -> Self {
        let module = |path: &String| {
            let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
            path.split('/').map(str::to_owned).collect()
        };
        Self { code, files: code.keys().map(|path| (module(path), path.clone())).collect() }
    }

    /// The file that defines what this path names.
    fn defining(&self, path: &[String]) -> Option<String> {
        let length =
            (1..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let file = &self.files[&path[..length]];
        let handed_on = path.get(length).and_then(|name| self.handed_on(file, name));
        Some(handed_on.and_then(|path| self.defining(&path)).unwrap_or_else(|| file.clone()))
    }

    /// The path under which a file takes this name to hand it on.
    fn handed_on(&self, file: &str, name: &str) -> Option<Vec<String>> {
        let uses = self.code[file].split("use crate::").skip(1);
        let uses = self.code[file].split("use crate::").zip(uses);
        uses.filter(|(before, _)| before.lines().last().is_some_and(|line| line.starts_with("pub")))
            .flat_map(|(_, after)| {
                names(&format!("crate::{}", after.split(';').next().unwrap_or_default()))
            })
            .find(|path| path.last().is_some_and(|last| last == name))
    }

    /// Whom each file names.
    fn arrows(&self) -> BTreeMap<String, BTreeSet<String>> {
        let of = |(path, code): (&String, &String)| {
            let named = names(code).into_iter().filter_map(|name| self.defining(&name));
            let counts = |named: &String| {
                let folder = named.strip_suffix("mod.rs");
                named != path && folder.is_none_or(|folder| !path.starts_with(folder))
            };
            (path.clone(), named.filter(counts).collect())
        };
        self.code.iter().map(of).collect()
    }
}

/// A circle, if there is one: each names the next, and the last the first.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk<'a>(
        at: &'a String,
        arrows: &'a BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<&'a String>,
        done: &mut BTreeSet<&'a String>,
    ) -> Option<Vec<String>> {
        if let Some(begin) = way.iter().position(|passed| *passed == at) {
            return Some(way[begin..].iter().map(|file| (*file).clone()).collect());
        }
        if !done.insert(at) {
            return None;
        }
        way.push(at);
        let next = arrows.get(at).into_iter().flatten();
        let found = next.filter_map(|next| walk(next, arrows, way, done)).next();
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|file| walk(file, arrows, &mut Vec::new(), &mut done))
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let code = code();
    let arrows = Modules::of(&code).arrows();
    assert_eq!(circle(&arrows), None, "each of these names the next, and the last the first");
}

/// What the test above rests on.
#[test]
fn a_circle_is_found_through_groups_and_through_names_that_are_handed_on() {
    let files = [
        ("journal/mod.rs", "mod a;\npub use crate::journal::a::{Alpha, Other};"),
        ("journal/a.rs", "use crate::sheets::{\n    b::{Beta as B, *},\n    Sheets,\n};"),
        ("sheets/mod.rs", "mod b;"),
        ("sheets/b.rs", "fn b() { crate::journal::Alpha::new(crate::chat::c()) }"),
        ("chat.rs", "use std::fmt;"),
    ];
    let code = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    let arrows = Modules::of(&code).arrows();
    let named: Vec<&str> = arrows["sheets/b.rs"].iter().map(String::as_str).collect();
    assert_eq!(named, ["chat.rs", "journal/a.rs"]);
    assert_eq!(circle(&arrows).unwrap(), ["journal/a.rs", "sheets/b.rs"]);
}

#[test]
fn names_point_one_way() {
    // Whom each module may name, besides itself and the small modules that name nobody.
    let allowed = |module: &str| -> &[&str] {
        match module {
            "chat" | "status" | "causes" | "histogram" | "progress" | "outbound" => &[],
            "config" | "journal" | "sheets" | "operator" | "alarm" | "registration" => &["chat"],
            "forwarder" => &["chat", "journal", "sheets"],
            "directory" => &["chat", "journal"],
            "asking" => &["chat", "journal", "directory"],
            "http" => &["chat", "journal", "operator"],
            // The settings are read by it alone.
            "app" => &[
                "chat",
                "journal",
                "sheets",
                "operator",
                "alarm",
                "forwarder",
                "directory",
                "asking",
                "registration",
                "http",
                "config",
            ],
            other => panic!("a new module, {other}: say here whom it may name"),
        }
    };
    for (path, code) in code() {
        let module = path.split(['/', '.']).next().unwrap().to_owned();
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        for name in names(&code) {
            let named = name[0].as_str();
            let fine = named == module
                || matches!(named, "status" | "causes" | "histogram" | "progress" | "outbound")
                || allowed(&module).contains(&named);
            assert!(fine, "{path} names crate::{named}");
        }
    }
}

/// Where a dependency may be named, so that another can take its place.
#[test]
fn what_could_be_replaced_is_named_in_one_place() {
    for (library, place) in [
        ("rusqlite::", "journal/store/sqlite"),
        ("tokio_postgres::", "journal/store/postgres"),
        ("actix_web::", "http"),
        ("envy::", "config"),
        ("yup_oauth2::", "sheets"),
        ("clap::", "app/commands/command_line.rs"),
        ("indicatif::", "app/progress.rs"),
    ] {
        for (path, code) in code() {
            let is_there = Path::new(&path).starts_with(place);
            assert!(is_there || !code.contains(library), "{path} names {library}");
        }
    }
}

/// The database's language is spoken below the store alone, and nothing above it knows which engine it is.
#[test]
fn no_sql_and_no_engine_stands_above_the_store() {
    let words = ["SELECT ", "INSERT INTO ", "DELETE FROM ", "PRAGMA ", "CREATE TABLE "];
    for (path, code) in code().into_iter().filter(|(path, _)| !path.starts_with("journal/store/")) {
        for word in words {
            assert!(!code.contains(word), "{path} has SQL: {word}");
        }
    }
}
