//! The file with the process's number, which also keeps a second process from starting.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, getpid, test_kill_process};

use crate::cli::Failure;

/// A file that is ours until it is dropped.
pub(super) struct Pidfile {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

/// What a file of another process says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is none, or it is of a process that has ended.
    Nothing,
    /// Another process runs; its number, if the file holds one.
    Running(Option<Pid>),
}

/// Looks for another process.
pub(super) fn look(path: &Path) -> io::Result<Found> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        text => text?,
    };
    // What is no number may be about to become one.
    let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else { return Ok(Found::Running(None)) };
    // In a container the process before had our number.
    let gone = pid == getpid() || test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
    Ok(if gone { Found::Nothing } else { Found::Running(Some(pid)) })
}

/// PgBouncer's message for a process that runs already.
pub(super) fn taken(path: &Path) -> Failure {
    Failure::Running(format!(
        "pidfile '{}' exists, another instance running?\n  fix: stop it, or take over from it with -R",
        path.display()
    ))
}

impl Pidfile {
    /// Writes our number, in place of whatever stands there.
    ///
    /// # Errors
    /// When it cannot be written, or another process was faster.
    pub(super) fn write(path: &Path) -> Result<Self, Failure> {
        let fault = |error: io::Error| {
            Failure::Running(format!("cannot write pidfile '{}': {error}", path.display()))
        };
        // Beside it first: whoever reads it finds one number or the other, never half of one.
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", getpid().as_raw_nonzero()));
        let beside = PathBuf::from(beside);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).open(&beside).map_err(fault)?;
        let written = writeln!(file, "{}", getpid().as_raw_nonzero())
            .and_then(|()| Ok(flock(&file, FlockOperation::NonBlockingLockExclusive)?))
            .and_then(|()| std::fs::rename(&beside, path));
        if let Err(error) = written {
            // What could not be put in place is of no use.
            let _ = std::fs::remove_file(&beside);
            return Err(fault(error));
        }
        Ok(Self { path: path.to_owned(), _file: file })
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        // Whoever took over has written its own.
        let ours = std::fs::read_to_string(&self.path)
            .is_ok_and(|text| text.trim() == getpid().as_raw_nonzero().to_string());
        if ours {
            // Gone already is as good.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_there_while_it_is_held() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pool.pid");
        assert_eq!(look(&path).unwrap(), Found::Nothing);
        let Ok(held) = Pidfile::write(&path) else { panic!("not written") };
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing beside it");
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn tells_who_runs_and_who_has_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pool.pid");
        let found = |text: &str| {
            std::fs::write(&path, text).unwrap();
            look(&path).unwrap()
        };
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let number = i32::try_from(child.id()).unwrap();
        assert_eq!(found(&format!("{number}\n")), Found::Running(Pid::from_raw(number)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found(&format!("{number}\n")), Found::Nothing, "it has gone");
        assert_eq!(found(&std::process::id().to_string()), Found::Nothing, "that is us");
        assert_eq!(found(""), Found::Running(None), "about to be written");
        assert_eq!(found("no number"), Found::Running(None));
    }

    #[test]
    fn one_that_was_taken_over_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pool.pid");
        let Ok(held) = Pidfile::write(&path) else { panic!("not written") };
        std::fs::write(&path, "1\n").unwrap();
        drop(held);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n");
    }
}
