//! Files of the kernel, read again and again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::unknown::{Unknown, Unknowns, Why};

/// No file of the kernel that is read whole is longer; what is beyond is not looked at.
const MOST_BYTES: usize = 256 * 1_024;
const CHUNK: usize = 4_096;

/// A file that stays open: reading it again is one `pread`, without a walk through directories.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    /// What it tells, for [`Unknown`](crate::Unknown).
    what: &'static str,
    hint: &'static str,
    file: Option<File>,
    stays_open: bool,
}

impl Kept {
    pub(crate) fn new(path: PathBuf, what: &'static str) -> Self {
        Self::with_hint(path, what, "")
    }

    pub(crate) fn with_hint(path: PathBuf, what: &'static str, hint: &'static str) -> Self {
        Self { path, what, hint, file: None, stays_open: true }
    }

    /// Opened for each reading: it is rarely read, or there are many of its kind and descriptors are dear.
    pub(crate) fn reopened(mut self) -> Self {
        self.stays_open = false;
        self
    }

    fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        if let Some(file) = &self.file {
            if fill(file, buffer).is_ok() {
                return Ok(());
            }
            // Its process or control group is gone; another may be at the path by now.
            self.file = None;
        }
        let file = File::open(&self.path)?;
        fill(&file, buffer)?;
        self.file = Some(file).filter(|_| self.stays_open);
        Ok(())
    }
}

/// Reads from the start to the end, or to the bound.
fn fill(file: &File, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    while buffer.len() < MOST_BYTES {
        let filled = buffer.len();
        buffer.resize(filled + CHUNK, 0);
        let read = match file.read_at(&mut buffer[filled..], filled as u64) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                buffer.truncate(filled);
                continue;
            }
            read => read?,
        };
        buffer.truncate(filled + read);
        if read == 0 {
            break;
        }
    }
    Ok(())
}

/// Reads a file once into the buffer, up to the same bound.
pub(crate) fn read_once<'a>(path: &Path, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
    fill(&File::open(path)?, buffer)?;
    Ok(buffer)
}

/// Reads kept files with one buffer, and remembers what could not be read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
    unknowns: Unknowns,
}

impl Reader {
    /// What `parse` makes of the file's text; `None`, with the reason noted, when there is no file or no sense
    /// in it.
    pub(crate) fn parse<T>(&mut self, file: &mut Kept, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.parse_bytes(file, |bytes| parse(std::str::from_utf8(bytes).ok()?))
    }

    /// The same for files that hold names, which may be any bytes.
    pub(crate) fn parse_bytes<T>(
        &mut self,
        file: &mut Kept,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let parsed = self.try_parse(file, parse);
        self.outcome(file, parsed)
    }

    /// The same for a file whose absence says nothing: another version of the kernel, another controller.
    pub(crate) fn parse_if_there<T>(
        &mut self,
        file: &mut Kept,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        match self.try_parse(file, |bytes| parse(std::str::from_utf8(bytes).ok()?)) {
            Err(Why::Missing) => {
                self.unknowns.clear(file.what, &file.path);
                None
            }
            parsed => self.outcome(file, parsed),
        }
    }

    fn try_parse<T>(&mut self, file: &mut Kept, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, Why> {
        file.read(&mut self.buffer).map_err(|error| Why::from(&error))?;
        parse(&self.buffer).ok_or(Why::Malformed)
    }

    fn outcome<T>(&mut self, file: &Kept, parsed: Result<T, Why>) -> Option<T> {
        match parsed {
            Ok(value) => {
                self.unknowns.clear(file.what, &file.path);
                Some(value)
            }
            Err(why) => {
                self.unknowns.note(file.what, &file.path, file.hint, why);
                None
            }
        }
    }

    /// A file's text, read once; bytes that are none are replaced.
    pub(crate) fn text_once(&mut self, path: &Path) -> io::Result<String> {
        read_once(path, &mut self.buffer).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(crate) fn unknowns(&mut self) -> &mut Unknowns {
        &mut self.unknowns
    }

    pub(crate) fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.unknowns.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_kept_file_is_read_anew_each_time_however_long() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("stat");
        let mut kept = Kept::new(path.clone(), "a stat");
        let mut reader = Reader::default();
        assert_eq!(reader.parse(&mut kept, |text| Some(text.len())), None);
        assert_eq!(reader.unknown().next().map(|unknown| unknown.why), Some(Why::Missing));
        for length in [3, 10_000, 1] {
            fs::write(&path, "x".repeat(length)).expect("written");
            assert_eq!(reader.parse(&mut kept, |text| Some(text.len())), Some(length));
            assert_eq!(reader.unknown().count(), 0);
        }
        fs::write(&path, "x".repeat(2 * MOST_BYTES)).expect("written");
        assert_eq!(reader.parse(&mut kept, |text| Some(text.len())), Some(MOST_BYTES));
    }

    #[test]
    fn nonsense_and_unreadable_files_are_reasons() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a");
        fs::write(&path, [0xff, 0xfe]).expect("written");
        let mut reader = Reader::default();
        let whole = |text: &str| Some(text.to_owned());
        assert_eq!(reader.parse(&mut Kept::new(path, "bytes"), whole), None);
        assert_eq!(reader.parse(&mut Kept::new(directory.path().to_owned(), "directory"), whole), None);
        let why: Vec<_> = reader.unknown().map(|unknown| unknown.why).collect();
        assert_eq!(why, [Why::Malformed, Why::Failed(io::ErrorKind::IsADirectory)]);
    }
}
