//! Where PostgreSQL's programs are, and as whom they run: they refuse to be root.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

/// The oldest version that is tried.
const OLDEST: u32 = 14;

/// A user that is not root.
struct User {
    uid: u32,
    gid: u32,
}

/// The folder of the server's programs: the first on PATH, else the newest of Debian's.
pub(crate) fn folder() -> Option<&'static Path> {
    static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
            .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
            .unwrap_or_default();
        debian.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
        // A link on PATH may stand alone; beside what it points to stand the others.
        let linked = |folder: PathBuf| {
            let file = fs::canonicalize(folder.join("initdb")).ok()?;
            file.parent().map(Path::to_owned)
        };
        let mut all = std::env::split_paths(&on_path).chain(debian).filter_map(linked);
        all.find(|folder| version(folder) >= Some(OLDEST))
    });
    FOLDER.as_deref()
}

/// The major version of the server in a folder.
fn version(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    // postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)
    said.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}

/// Where `PgBouncer` is.
pub(crate) fn pooler() -> Option<&'static Path> {
    static POOLER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&on_path);
        let more = ["/usr/sbin", "/usr/bin"].map(PathBuf::from);
        folders.chain(more).map(|folder| folder.join("pgbouncer")).find(|file| file.exists())
    });
    POOLER.as_deref()
}

/// As whom the programs run; `None` where we are not root and they run as we do.
fn user() -> Option<&'static User> {
    static USER: LazyLock<Option<User>> = LazyLock::new(|| {
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        is_root.then(|| {
            let users = fs::read_to_string("/etc/passwd").expect("the users can be read");
            let of = |name: &str| {
                let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
                let number = |field: usize| line.split(':').nth(field)?.parse().ok();
                Some(User { uid: number(2)?, gid: number(3)? })
            };
            of("postgres").or_else(|| of("nobody")).expect("there is a user beside root")
        })
    });
    USER.as_ref()
}

/// A directory of the one as whom they run.
pub(crate) fn home() -> TempDir {
    let home = tempfile::Builder::new().prefix("postgres-rig-").tempdir();
    let home = home.expect("a directory can be made");
    if let Some(user) = user() {
        chown(home.path(), Some(user.uid), Some(user.gid)).expect("root may give it away");
    }
    home
}

/// The words that run a program as the user that it may run as.
pub(crate) fn words(program: &Path) -> Vec<String> {
    let program = program.display().to_string();
    match user() {
        None => vec![program],
        Some(User { uid, gid }) => vec![
            "setpriv".to_owned(),
            format!("--reuid={uid}"),
            format!("--regid={gid}"),
            "--clear-groups".to_owned(),
            program,
        ],
    }
}

/// Runs a program of the server to its end.
///
/// # Panics
/// When it fails.
pub(crate) fn run(program: &str, args: &[&str]) {
    let folder = folder().expect("PostgreSQL is installed: see `installed`");
    let mut words = words(&folder.join(program)).into_iter();
    let mut command = Command::new(words.next().expect("there is the program"));
    command.args(words).args(args).env("LC_ALL", "C").current_dir("/");
    let output = command.output().expect("it can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
}
