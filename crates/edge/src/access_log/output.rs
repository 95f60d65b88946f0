//! Where lines go: standard output, or a file that may be rotated away.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Stdout, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The end of the log.
pub(super) enum Output {
    Stdout(Stdout),
    File(LogFile),
    #[cfg(test)]
    Other(Box<dyn Write + Send>),
}

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// Whether a failed write may have left a part of a line.
    torn: bool,
}

impl Output {
    pub(super) fn stdout() -> Self {
        Self::Stdout(io::stdout())
    }

    /// Opens a file, creating it if need be.
    pub(super) fn file(path: PathBuf) -> io::Result<Self> {
        let file = append_to(&path)?;
        Ok(Self::File(LogFile { path, file, torn: false }))
    }

    /// Opens the file anew. Where that fails the old one is kept: lines in a rotated file are better than none.
    pub(super) fn reopen(&mut self) {
        if let Self::File(log) = self
            && let Ok(file) = append_to(&log.path)
        {
            log.file = file;
            log.torn = false;
        }
    }

    /// Opens the file anew if another, or none, stands in its place.
    pub(super) fn reopen_if_rotated(&mut self) {
        if let Self::File(log) = self {
            let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
            let open = log.file.metadata().map(identity).ok();
            let named = std::fs::metadata(&log.path).map(identity).ok();
            if open != named {
                self.reopen();
            }
        }
    }
}

fn append_to(path: &PathBuf) -> io::Result<File> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    OpenOptions::new().append(true).create(true).open(path).map_err(named)
}

impl LogFile {
    fn write_whole(&mut self, text: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
        }
        let written = self.file.write_all(text);
        self.torn = written.is_err();
        written
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.write_all(bytes),
            Self::File(log) => log.write_whole(bytes),
            #[cfg(test)]
            Self::Other(other) => other.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(_) => Ok(()),
            #[cfg(test)]
            Self::Other(other) => other.flush(),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout(_) => f.write_str("Stdout"),
            Self::File(log) => log.fmt(f),
            #[cfg(test)]
            Self::Other(_) => f.write_str("Other"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_opened_anew_only_when_another_stands_in_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let (path, rotated) = (directory.path().join("log"), directory.path().join("log.1"));
        let mut output = Output::file(path.clone()).unwrap();
        output.write_all(b"1\n").unwrap();
        output.reopen_if_rotated();
        output.write_all(b"2\n").unwrap();
        std::fs::rename(&path, &rotated).unwrap();
        output.write_all(b"3\n").unwrap();
        output.reopen_if_rotated();
        output.write_all(b"4\n").unwrap();
        assert_eq!(std::fs::read(&rotated).unwrap(), b"1\n2\n3\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"4\n");

        // The directory is gone: the open file is all there is.
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(directory.path(), directory.path().with_extension("gone")).unwrap();
        output.reopen_if_rotated();
        output.write_all(b"5\n").unwrap();
        std::fs::rename(directory.path().with_extension("gone"), directory.path()).unwrap();
    }

    #[test]
    fn a_torn_line_is_ended_before_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let Output::File(mut log) = Output::file(path.clone()).unwrap() else { panic!("a file") };
        let writable = std::mem::replace(&mut log.file, File::open(&path).unwrap());
        assert!(log.write_whole(b"lost\n").is_err());
        log.file = writable;
        log.write_whole(b"kept\n").unwrap();
        log.write_whole(b"next\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"\nkept\nnext\n");
    }
}
