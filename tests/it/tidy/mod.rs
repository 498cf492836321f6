//! The house in order: what no compiler checks of the tree is checked here.

mod imports;
mod pages;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Every Rust file under a folder, with its path from the root.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn every_file_says_what_it_is_and_none_is_too_long() {
    for folder in ["src", "tests", "examples"] {
        for (path, text) in rust_files(folder) {
            assert!(text.starts_with("//! "), "{path} does not begin with what it is");
            let lines = text.lines().count();
            let most = if path.contains("tests") { 600 } else { 420 };
            assert!(lines <= most, "{path} has {lines} lines; split it by meaning");
        }
    }
}

const ONE_MACHINE: &str = "fly.toml";
const SEVERAL_MACHINES: &str = "examples/fly.several-machines.toml";

/// A value of fly.toml.
#[track_caller]
fn fly(table: &str, key: &str) -> String {
    value(ONE_MACHINE, table, key).unwrap_or_else(|| panic!("fly.toml has no {key} in [{table}]"))
}

/// A value of such a file: of a table, or of what stands before the first one.
fn value(file: &str, table: &str, key: &str) -> Option<String> {
    let text = read(file);
    let mut inside = table.is_empty();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.trim_matches(['[', ']']) == table;
        } else if let Some((name, value)) = line.split_once(" = ")
            && (inside, name) == (true, key)
        {
            return Some(value.trim_matches('"').to_owned());
        }
    }
    None
}

/// What a line of the Dockerfile says behind this word.
#[track_caller]
fn docker(word: &str) -> String {
    let text = read("Dockerfile");
    let rest = text.lines().rev().find_map(|line| line.strip_prefix(word));
    rest.unwrap_or_else(|| panic!("no {word} in the Dockerfile")).trim().to_owned()
}

#[test]
fn the_platform_waits_longer_than_we_take_to_stop() {
    let ours = doubletick_sheets::http::STOP_BUDGET_S
        + doubletick_sheets::forwarder::STOP_BUDGET.as_secs();
    let theirs: u64 = fly("", "kill_timeout").parse().unwrap();
    assert!(theirs > ours, "kill_timeout must exceed {ours} s");
    assert_eq!(fly("", "kill_signal"), "SIGTERM");
    assert!(docker("ENTRYPOINT").starts_with('['), "a shell in between would get the signal");
}

#[test]
fn the_files_of_the_deployment_agree_with_each_other_and_with_the_code() {
    // The port: what we listen on, what is exposed, what is called, what is scraped.
    let port = fly("env", "PORT");
    let config = read("src/config/mod.rs");
    assert!(config.contains(&format!("number!(port, {port},")), "another port by default");
    assert_eq!(docker("EXPOSE"), port);
    assert_eq!(fly("http_service", "internal_port"), port);
    assert_eq!(fly("metrics", "port"), port);
    // The volume: where it is mounted, where we write, what the image gives to our user.
    let data = fly("mounts", "destination");
    assert_eq!(fly("env", "DATA_DIR"), data);
    assert_eq!(docker("ENV"), format!("DATA_DIR={data}"));
    let readme = read("README.md");
    assert!(!fly("mounts", "initial_size").is_empty(), "the first deploy makes the volume");
    // What the platform looks at is there.
    let routes = read("src/http/mod.rs");
    for path in [fly("http_service.checks", "path"), fly("metrics", "path")] {
        assert!(routes.contains(&format!("\"{path}\"")), "nobody answers at {path}");
    }
    // A volume has one machine, the journal one process, and rows go out when nobody calls, too.
    let has_strategy = read("fly.toml").lines().any(|line| line == "[deploy]");
    assert!(!has_strategy, "the default waits for the checks");
    assert_eq!(fly("restart", "policy"), "always");
    assert_eq!(fly("http_service", "auto_stop_machines"), "off");
    assert_eq!(fly("http_service", "min_machines_running"), "1");
    assert!(readme.contains("fly deploy --ha=false"));
    assert_eq!(fly("http_service", "force_https"), "true", "the page's cookie needs https");
    assert_eq!(fly("vm", "memory"), "256mb", "the README says how much it takes");
}

/// What differs from the deployment on one machine is what several need; all else is the same.
#[test]
fn the_deployment_on_several_machines_is_that_on_one_but_for_what_they_need() {
    let settings = |file: &str| -> BTreeSet<String> {
        let mut table = String::new();
        let mut settings = BTreeSet::new();
        for line in read(file).lines() {
            match (line.starts_with('['), line.starts_with('#') || line.is_empty()) {
                (true, _) => line.clone_into(&mut table),
                (_, true) => {}
                _ => drop(settings.insert(format!("{table} {line}"))),
            }
        }
        settings
    };
    let (one, several) = (settings(ONE_MACHINE), settings(SEVERAL_MACHINES));
    let more: Vec<&String> = several.difference(&one).collect();
    let expected = [
        "[[http_service.checks]] interval = \"5s\"",
        "[[http_service.checks]] timeout = \"2s\"",
        "[deploy] max_unavailable = 1",
        "[deploy] strategy = \"rolling\"",
        "[http_service] min_machines_running = 2",
    ];
    assert_eq!(more, expected);
    let less = one.difference(&several).filter(|line| !line.starts_with("[mounts]"));
    let less: Vec<&String> = less.collect();
    let expected = [
        "[[http_service.checks]] interval = \"15s\"",
        "[[http_service.checks]] timeout = \"3s\"",
        "[env] DATA_DIR = \"/data\"",
        "[http_service] min_machines_running = 1",
    ];
    assert_eq!(less, expected);
    assert!(read("docs/several-machines.md").contains(&format!("cp {SEVERAL_MACHINES} fly.toml")));
}

#[test]
fn the_image_is_built_with_our_rust_from_all_that_is_needed() {
    let (docker, ignored) = (read("Dockerfile"), read(".dockerignore"));
    let cargo = read("Cargo.toml");
    let version = cargo.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let tag = format!("FROM rust:{}", version.trim_matches('"'));
    assert!(docker.contains(&tag), "the Dockerfile does not build with Rust {version}");
    // What is built against one Debian's libraries runs with those.
    let bases: Vec<&str> = docker.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(bases.len(), 2);
    let is_of_one = |base: &&str| base.contains("trixie-slim") || base.contains("slim-trixie");
    assert!(bases.iter().all(is_of_one), "{bases:?}");
    let crates = ["tests/browser", "tests/each-engine", "tests/fake-google", "tests/postgres-rig"];
    for part in ["Cargo.toml", "Cargo.lock", ".cargo", "src"].into_iter().chain(crates) {
        assert!(ignored.lines().any(|line| line == format!("!{part}")), "{part} is left out");
        let is_copied = docker
            .lines()
            .filter_map(|line| line.strip_prefix("COPY "))
            .any(|line| line.split_whitespace().any(|word| word == part));
        assert!(is_copied, "{part} is not copied into the build");
    }
}

#[test]
fn no_key_can_be_committed() {
    let ignored = read(".gitignore");
    assert!(ignored.lines().any(|line| line == "*.json"));
    assert!(read(".dockerignore").lines().any(|line| line == "*"));
    let example = read("credentials.example.json");
    assert!(example.contains("example") && !example.contains("MII"));
}

/// An update of everything would bring the tables of the world's letters back, and a megabyte of binary.
#[test]
fn no_tables_of_letters_are_built_in() {
    assert!(!read("Cargo.lock").contains("name = \"icu_"), "see Cargo.toml on idna_adapter");
}
