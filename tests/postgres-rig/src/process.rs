//! A program that ends with the process that started it, whatever becomes of that.
//!
//! Between the two stands a shell whose input is ours: when that ends, with or without our doing, the shell
//! kills the program and its children, and removes its directory. As the program's parent it also keeps its
//! number from being given to another one.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The log, the directory that goes where we do, and the words of the program.
const GUARD: &str = r#"
log=$1 directory=$2
shift 2
"$@" </dev/null >>"$log" 2>&1 &
program=$!
# Whoever is left alone with somebody who is stopped is hung up on.
trap '' HUP INT TERM
echo "$program"
exec >/dev/null 2>&1
read -r word || word=gone
kill -STOP "$program"
children=$(cat "/proc/$program/task/$program/children")
kill -KILL $children "$program"
wait "$program"
for child in $children; do
    while grep -q ') [^Z]' "/proc/$child/stat"; do sleep 0.005; done
done
[ "$word" = stay ] || rm -rf "$directory"
"#;

#[derive(Debug)]
pub(crate) struct Process {
    guard: Child,
    input: Option<ChildStdin>,
    id: u32,
}

impl Process {
    /// Starts a program; what it says goes into `log`, and `directory` is removed if we end before it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub(crate) fn start(words: &[String], log: &Path, directory: &Path) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", GUARD, "guard"]).args([log, directory]).args(words);
        // A group of its own: an interrupt at the terminal is ours, and then its input ends.
        shell.process_group(0).current_dir("/").env("LC_ALL", "C");
        let piped = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guard = piped.spawn().expect("a shell can be started");
        let mut line = String::new();
        let output = guard.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("the shell says the number");
        let id = line.trim().parse().expect("it is a number");
        let input = guard.stdin.take();
        Self { guard, input, id }
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id)).unwrap_or_default();
        // The state stands behind the name in brackets; Z has ended.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        send(signal, &[self.id]);
    }

    /// Sends a signal to it and to its children.
    pub(crate) fn signal_all(&self, signal: &str) {
        let mut ids = vec![self.id];
        ids.extend(self.children());
        send(signal, &ids);
    }

    fn children(&self) -> Vec<u32> {
        let file = format!("/proc/{0}/task/{0}/children", self.id);
        let children = fs::read_to_string(file).unwrap_or_default();
        children.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not.
    pub(crate) fn ended(&self) {
        let give_up = Instant::now() + PATIENCE;
        while self.is_running() {
            assert!(Instant::now() < give_up, "a program does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    /// Kills it with its children, if it still runs. Its directory stays.
    fn drop(&mut self) {
        if let Some(mut input) = self.input.take() {
            drop(input.write_all(b"stay\n"));
        }
        drop(self.guard.wait());
    }
}

fn send(signal: &str, ids: &[u32]) {
    let ids = ids.iter().map(u32::to_string);
    let mut kill = Command::new("kill");
    kill.arg(format!("-{signal}")).args(ids).stderr(Stdio::null());
    let _some_are_gone = kill.status().expect("kill can be started");
}
