//! The log in PgBouncer's form: `2026-01-01 00:00:00.000 UTC [123] LOG listening on 127.0.0.1:6432`.

mod syslog;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deepwater_pool::pgbouncer::Process;
use serde::Deserialize;

use crate::cli::Failure;
use syslog::Syslog;

/// Where lines go. Clones write to the same places.
#[derive(Clone)]
pub(super) struct Log(Arc<Mutex<Outputs>>);

struct Outputs {
    stderr: bool,
    file: Option<(PathBuf, File)>,
    syslog: Option<Syslog>,
    pid: u32,
}

/// A line as the events write it.
#[derive(Deserialize)]
struct Record<'l> {
    at: &'l str,
    level: &'l str,
    #[serde(borrow)]
    message: std::borrow::Cow<'l, str>,
}

impl Log {
    /// Opens what the configuration names; a file is appended to.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn open(process: &Process, quiet: bool) -> Result<Self, Failure> {
        let file = process.logfile.as_deref().map(open).transpose()?;
        let syslog = process.syslog.as_ref().map(Syslog::new);
        Ok(Self(Arc::new(Mutex::new(Outputs { stderr: !quiet, file, syslog, pid: std::process::id() }))))
    }

    /// Opens the file anew, so that it can be moved away (log rotation).
    ///
    /// # Errors
    /// When it cannot be opened; then the old one stays.
    pub(super) fn reopen(&self, process: &Process) -> Result<(), Failure> {
        let file = process.logfile.as_deref().map(open).transpose()?;
        self.outputs().file = file;
        Ok(())
    }

    fn outputs(&self) -> MutexGuard<'_, Outputs> {
        // A line half written does no harm to the next.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path) -> Result<(PathBuf, File), Failure> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.map(|file| (path.to_owned(), file)).map_err(|error| {
        Failure::Usage(format!(
            "cannot open the log file {}: {error}\n  fix: create its directory, or let the user it runs as write there",
            path.display()
        ))
    })
}

impl Write for Log {
    /// Takes whole lines of JSON, as events are written.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut outputs = self.outputs();
        let pid = outputs.pid;
        let mut text = String::new();
        for line in lines.split(|byte| *byte == b'\n') {
            let Ok(record) = serde_json::from_slice::<Record<'_>>(line) else { continue };
            text += &outputs.line(&record);
            if let Some(syslog) = &mut outputs.syslog {
                syslog.send(record.level, pid, &record.message);
            }
        }
        // A full disk must not stop the pooler, nor keep the other places from the lines.
        if outputs.stderr {
            let _ = io::stderr().write_all(text.as_bytes());
        }
        if let Some((_, file)) = &mut outputs.file {
            let _ = file.write_all(text.as_bytes());
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Outputs {
    fn line(&self, record: &Record<'_>) -> String {
        let at = record.at.trim_end_matches('Z').replace('T', " ");
        let level = match record.level {
            "debug" => "DEBUG",
            "warn" => "WARNING",
            "error" => "ERROR",
            _ => "LOG",
        };
        // One line each, whatever a client put into its names.
        let message = record.message.replace(['\n', '\r'], " ");
        format!("{at} UTC [{}] {level} {message}\n", self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepwater_core::event::{Events, Format};
    use deepwater_core::{Level, event};

    event! {
        /// A test fact.
        pub struct Listened { address: String }
        listened: Warn, "listening on {address}"
    }

    fn process(file: &Path) -> Process {
        Process { logfile: Some(file.to_owned()), ..Process::default() }
    }

    #[test]
    fn lines_are_as_pgbouncers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pool.log");
        let Ok(mut log) = Log::open(&process(&path), true) else { panic!("not opened") };
        let record = br#"{"at":"2026-01-02T03:04:05.678Z","level":"info","event":"x","message":"a \"b\"\nc","fields":{}}"#;
        log.write_all(record).unwrap();
        log.write_all(b"no record").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("2026-01-02 03:04:05.678 UTC [{}] LOG a \"b\" c\n", std::process::id()));
    }

    #[test]
    fn events_arrive_and_a_moved_file_is_left_on_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let (path, moved) = (directory.path().join("pool.log"), directory.path().join("pool.log.1"));
        let Ok(log) = Log::open(&process(&path), true) else { panic!("not opened") };
        let (sender, written) = std::sync::mpsc::channel();
        let events = Events::logged(Tee(log.clone(), sender), Level::Info, Format::Json);
        events.emit(Listened { address: "one".into() });
        written.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
        std::fs::rename(&path, &moved).unwrap();
        assert!(log.reopen(&process(&path)).is_ok());
        events.emit(Listened { address: "two".into() });
        written.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert!(read(&moved).ends_with("WARNING listening on one\n"), "{}", read(&moved));
        assert!(read(&path).ends_with("WARNING listening on two\n"), "{}", read(&path));
    }

    /// Tells when a line has been written.
    struct Tee(Log, std::sync::mpsc::Sender<()>);

    impl Write for Tee {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let written = self.0.write(bytes)?;
            let _ = self.1.send(());
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
