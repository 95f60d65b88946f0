//! Where servers live while the tests run, and who cleans up after them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

/// Waits for the end of its input, which is the end of the tests however they end; then no server and no file is left.
const JANITOR: &str = r#"
cat >/dev/null
for file in "$1"/*/data/postmaster.pid; do
    [ -e "$file" ] || continue
    pid=$(head -n 1 "$file")
    kill -QUIT "$pid" 2>/dev/null && tail --pid="$pid" -f /dev/null
done
rm -rf "$1"
"#;

/// The folder of all servers of these tests.
pub struct Folder {
    pub path: PathBuf,
    owner: Option<Owner>,
    _janitor: ChildStdin,
}

/// Who the servers run as where the tests run as root, whom they refuse.
struct Owner {
    uid: u32,
    gid: u32,
}

impl Folder {
    pub fn get() -> &'static Self {
        static FOLDER: OnceLock<Folder> = OnceLock::new();
        FOLDER.get_or_init(Self::new)
    }

    fn new() -> Self {
        let path = tempfile::Builder::new().prefix("deepwater-pg-").tempdir().unwrap().keep();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).unwrap();
        let owner = rustix::process::geteuid().is_root().then(Owner::find);
        let mut janitor = Command::new("sh");
        janitor.args(["-c", JANITOR, "janitor"]).arg(&path).process_group(0);
        janitor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let janitor = janitor.spawn().unwrap().stdin.take().unwrap();
        Self { path, owner, _janitor: janitor }
    }

    /// A new folder in it that belongs to the servers' user.
    pub fn make(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).unwrap();
        self.give(&path);
        path
    }

    /// Writes a file that the servers' user may read, and no other.
    pub fn write(&self, path: &Path, content: &str) {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        self.give(path);
    }

    fn give(&self, path: &Path) {
        if let Some(owner) = &self.owner {
            chown(path, Some(owner.uid), Some(owner.gid)).unwrap();
        }
    }

    /// A program that runs as the servers' user.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(&self.path).stdin(Stdio::null());
        if let Some(owner) = &self.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        command
    }
}

impl Owner {
    fn find() -> Self {
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let user =
            ["postgres:", "nobody:"].iter().find_map(|name| users.lines().find(|l| l.starts_with(name)));
        let fields: Vec<_> = user.expect("a user that is not root").split(':').collect();
        Self { uid: fields[2].parse().unwrap(), gid: fields[3].parse().unwrap() }
    }
}

/// Runs a command to its end, which must be a good one.
pub fn run(mut command: Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {said}", output.status);
}

/// What `scripts/need-postgres` has installed.
pub fn tools() -> PathBuf {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-tools");
    assert!(tools.is_dir(), "{} is missing: run ./scripts/need-postgres", tools.display());
    tools
}
