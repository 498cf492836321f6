//! Whether a browser and its driver are there. The tests of the service ask this, too, and say so if not.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Once;

/// Where they are not, that is said once, past the test harness, which would keep it to itself; and where `CI` is
/// `true`, the test fails.
pub(crate) fn installed() -> bool {
    if ["chromium", "chromedriver"].into_iter().all(|program| on_path(program).is_some()) {
        return true;
    }
    let missing = "NOT RUN: the tests of the page in a browser, because chromium and chromedriver are not both on \
                   PATH. To run them: apt-get install chromium chromium-driver fonts-noto-core, and then \
                   cargo test -p browser";
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
    static SAID: Once = Once::new();
    // What is printed by `eprintln!` is shown of failed tests only.
    SAID.call_once(|| drop(writeln!(std::io::stderr(), "\n{missing}\n")));
    false
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.exists())
}
