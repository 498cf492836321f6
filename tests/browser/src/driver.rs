//! chromedriver: one for all tests of a process. It and its browsers are gone when the process is, also after
//! `kill -9`.
//!
//! Between the two stands a shell whose input is ours: when that ends, the shell kills the driver with all that it
//! started, and removes their directory.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Once};

const GUARD: &str = r#"
directory=$1
shift
setsid "$@" </dev/null &
program=$!
trap '' HUP INT TERM
exec >/dev/null 2>&1
read -r word
kill -KILL "-$program"
wait "$program"
rm -rf "$directory"
"#;

/// Where the driver listens.
pub(crate) struct Driver {
    pub(crate) url: String,
    _guard: Child,
}

impl Driver {
    pub(crate) fn shared() -> &'static Self {
        client_is_ready();
        static DRIVER: LazyLock<Driver> = LazyLock::new(Driver::start);
        &DRIVER
    }

    fn start() -> Self {
        // Profiles of browsers that were killed stay there.
        let directory = tempfile::Builder::new().prefix("browser-").tempdir().unwrap().keep();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", GUARD, "guard"]).arg(&directory).args(["chromedriver", "--port=0"]);
        shell.process_group(0).env("TMPDIR", &directory).env("HOME", &directory);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guard = shell.spawn().expect("a shell can be started");
        let output = BufReader::new(guard.stdout.take().expect("it is piped"));
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("started successfully on port ")?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver says where it listens");
        Self { url: format!("http://127.0.0.1:{port}"), _guard: guard }
    }
}

/// The HTTP client wants a provider of cryptography, though nothing here is encrypted.
pub(crate) fn client_is_ready() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}
