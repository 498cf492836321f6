//! The image's entrypoint, run as it stands in the Dockerfile, with stand-ins for what only the image has.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What the entrypoint is in the image.
fn entrypoint() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile");
    let docker = fs::read_to_string(file).unwrap();
    let (_, rest) = docker.split_once("<<'EOF' /usr/local/bin/entrypoint\n").unwrap();
    rest.split_once("\nEOF\n").unwrap().0.to_owned()
}

/// The directories of an image, with next to nothing in them.
struct Image {
    dir: TempDir,
}

impl Image {
    /// With a user of this number, and programs that only say what they were started with.
    fn new(user: u32) -> Self {
        let image = Self { dir: tempfile::tempdir().unwrap() };
        image.program("entrypoint", &entrypoint());
        image.program("id", &format!("#!/bin/sh\necho {user}"));
        for name in ["doubletick-sheets", "sleep"] {
            let says = "[$*] umask $(umask) rights ${RIGHTS-unchanged}";
            image.program(name, &format!("#!/bin/sh\necho \"{name}{says}\""));
        }
        image.program("chown", "#!/bin/sh\necho \"$*\" >> \"$OWNED\"");
        // Takes its options off and runs the rest.
        let setpriv = r#"#!/bin/sh
RIGHTS=
while [ "${1#--}" != "$1" ]; do RIGHTS="$RIGHTS $1"; shift; done
export RIGHTS
exec "$@"
"#;
        image.program("setpriv", setpriv);
        for name in ["mkdir", "chmod"] {
            symlink(Path::new("/bin").join(name), image.bin().join(name)).unwrap();
        }
        image
    }

    fn bin(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn program(&self, name: &str, text: &str) {
        fs::create_dir_all(self.bin()).unwrap();
        let file = self.bin().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn start(&self, args: &[&str]) -> String {
        let mut command = Command::new("/bin/sh");
        command.arg(self.bin().join("entrypoint")).args(args).env_clear();
        command.env("PATH", self.bin()).env("DATA_DIR", self.data());
        command.env("OWNED", self.dir.path().join("owned"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn the_service_runs_as_a_user_who_can_gain_no_rights_and_keeps_its_data_to_itself() {
    let image = Image::new(0);
    fs::create_dir(image.data()).unwrap();
    fs::set_permissions(image.data(), fs::Permissions::from_mode(0o755)).unwrap();
    let said = image.start(&[]);
    assert!(said.starts_with("doubletick-sheets[] umask 0077"), "{said}");
    for right in ["--reuid=doubletick", "--regid=doubletick", "--clear-groups", "--no-new-privs"] {
        assert!(said.contains(right), "{said}");
    }
    let mode = fs::metadata(image.data()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let owned = fs::read_to_string(image.dir.path().join("owned")).unwrap();
    assert_eq!(owned.trim(), format!("-R doubletick: {}", image.data().display()));
}

#[test]
fn commands_of_ours_and_other_programs_run_in_the_place_of_the_service() {
    for user in [0, 10_001] {
        let image = Image::new(user);
        for (args, program) in [
            (&["check", "--live"][..], "doubletick-sheets[check --live]"),
            (&["--version"], "doubletick-sheets[--version]"),
            (&["restore", "/tmp/copy"], "doubletick-sheets[restore /tmp/copy]"),
            (&["sleep", "inf"], "sleep[inf]"),
        ] {
            let said = image.start(args);
            assert!(said.starts_with(program), "{args:?}: {said}");
            let is_unchanged = said.contains("rights unchanged");
            assert_eq!(is_unchanged, user != 0, "{args:?} as {user}: {said}");
        }
    }
}
