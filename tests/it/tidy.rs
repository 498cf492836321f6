//! The house in order: what no compiler checks of the tree is checked here.

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
fn names_point_one_way() {
    // Whom each module may name, besides itself and the small modules that name nobody.
    let allowed = |module: &str| -> &[&str] {
        match module {
            "chat" | "status" | "causes" | "outbound" | "config" => &[],
            "journal" | "sheets" | "operator" | "alarm" => &["chat"],
            "forwarder" => &["chat", "journal", "sheets"],
            "directory" => &["chat", "journal"],
            "http" => &["chat", "journal", "operator"],
            "app" => &[
                "chat",
                "journal",
                "sheets",
                "operator",
                "alarm",
                "forwarder",
                "directory",
                "http",
                "config",
            ],
            other => panic!("a new module, {other}: say here whom it may name"),
        }
    };
    for (path, text) in rust_files("src") {
        let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned();
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        // Documentation may point anywhere; only code is bound.
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let names = code.flat_map(|line| line.split("crate::").skip(1));
        for after in names {
            let named: String = after.chars().take_while(char::is_ascii_lowercase).collect();
            let fine = named == module
                || matches!(named.as_str(), "status" | "causes" | "outbound")
                || allowed(&module).contains(&named.as_str());
            assert!(fine, "{path} names crate::{named}");
        }
    }
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

#[test]
fn the_readme_names_every_setting_and_no_other() {
    let env = read("src/config/env.rs");
    let settings: BTreeSet<String> = env
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub(super) ")?.split_once(": Option"))
        .map(|(name, _)| name.to_uppercase())
        .collect();
    let readme = read("README.md");
    let table: BTreeSet<String> = readme
        .lines()
        .skip_while(|line| !line.starts_with("## Settings"))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name != "RUST_LOG")
        .collect();
    assert_eq!(settings, table);
}

#[test]
fn the_platform_waits_longer_than_we_take_to_stop() {
    let fly = read("fly.toml");
    let number = |key: &str| -> u64 {
        let line = fly.lines().find(|line| line.starts_with(key)).unwrap();
        line.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let ours = doubletick_sheets::http::STOP_BUDGET_S
        + doubletick_sheets::forwarder::STOP_BUDGET.as_secs();
    assert!(number("kill_timeout") > ours, "kill_timeout must exceed {ours} s");
    assert!(fly.contains("kill_signal = \"SIGTERM\""));
}

#[test]
fn the_files_of_the_deployment_agree() {
    let (fly, docker) = (read("fly.toml"), read("Dockerfile"));
    assert!(fly.contains("internal_port = 8080") && fly.contains("PORT = \"8080\""));
    assert!(fly.contains("destination = \"/data\"") && fly.contains("DATA_DIR = \"/data\""));
    for path in ["/healthz", "/metrics"] {
        assert!(fly.contains(&format!("path = \"{path}\"")), "fly.toml does not look at {path}");
    }
    let cargo = read("Cargo.toml");
    let version = cargo.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let tag = format!("FROM rust:{}", version.trim_matches('"'));
    assert!(docker.contains(&tag), "the Dockerfile does not build with Rust {version}");
}

#[test]
fn no_key_can_be_committed() {
    let ignored = read(".gitignore");
    assert!(ignored.lines().any(|line| line == "*.json"));
    assert!(read(".dockerignore").lines().any(|line| line == "*"));
    let example = read("credentials.example.json");
    assert!(example.contains("example") && !example.contains("MII"));
}
