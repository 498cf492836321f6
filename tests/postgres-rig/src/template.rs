//! The data of a server that nobody has used yet: made once a process, for it takes a second, and copied.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::process::Process;
use crate::programs;

/// The data, and what removes it when this process ends.
static TEMPLATE: LazyLock<(PathBuf, Process)> = LazyLock::new(|| {
    let home = programs::home().keep();
    let words = ["sleep", "infinity"].map(str::to_owned);
    let guard = Process::start(&words, &home.join("log"), &home);
    let data = home.join("data");
    let args = ["-N", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-D"];
    let into = data.display().to_string();
    programs::run("initdb", &[&args[..], &[&into]].concat());
    (data, guard)
});

/// Puts the data of a new server there.
pub(crate) fn copy_to(data: &Path) {
    let copied = Command::new("cp").arg("-a").args([&TEMPLATE.0, data]).status();
    assert!(copied.is_ok_and(|copied| copied.success()), "the data can be copied");
}
