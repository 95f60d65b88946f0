//! Machines for tests: trees of files as the kernel would show them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::roots::Roots;

/// A machine in a directory that is gone with it.
pub(crate) struct Machine {
    directory: TempDir,
}

impl Machine {
    /// A machine on which nothing can be read.
    pub(crate) fn empty() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for root in ["proc", "sys"] {
            fs::create_dir(directory.path().join(root)).expect("created");
        }
        Self { directory }
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots { proc: self.directory.path().join("proc"), sys: self.directory.path().join("sys") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file, `proc/…` or `sys/…`, in place: who keeps it open reads the new text.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("created");
        fs::write(path, text).expect("written");
        self
    }

    pub(crate) fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("created");
        symlink(target, path).expect("linked");
        self
    }

    /// Removes a file or a directory. Who keeps a file of it open reads nothing any more, as of a process that
    /// has ended.
    pub(crate) fn remove(&self, path: &str) -> &Self {
        remove(&self.path().join(path));
        self
    }

    /// A process with one thread, its main one.
    pub(crate) fn process(&self, pid: u32, parent: u32, started: u64, cpu_ticks: u64) -> &Self {
        let stat = stat_line(pid, parent, 1, started, cpu_ticks);
        self.write(&format!("proc/{pid}/stat"), &stat);
        self.write(&format!("proc/{pid}/task/{pid}/stat"), &stat)
    }
}

fn remove(path: &Path) {
    let kind = fs::symlink_metadata(path).expect("it is there").file_type();
    if kind.is_dir() {
        fs::read_dir(path).expect("a directory").for_each(|entry| remove(&entry.expect("an entry").path()));
        return fs::remove_dir(path).expect("removed");
    }
    if kind.is_file() {
        fs::write(path, "").expect("emptied");
    }
    fs::remove_file(path).expect("removed");
}

/// A line of `/proc/PID/stat`, of a program whose name is meant to confuse.
pub(crate) fn stat_line(pid: u32, parent: u32, threads: u32, started: u64, cpu_ticks: u64) -> String {
    format!(
        "{pid} (a) b (c) S {parent} {parent} 1 0 -1 4194304 100 0 7 0 {cpu_ticks} 0 0 0 20 0 {threads} 0 \
         {started} 3133440 394 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 1 1 1 1 1 1 1 0\n"
    )
}

pub(crate) fn second(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
