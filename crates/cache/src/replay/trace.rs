//! A file of requests, read as a stream.

use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::ops::AddAssign;

use super::line::{FORMATS, Format, Line};

/// Lines looked at to find the format.
const SAMPLE_LINES: usize = 32;
/// A longer line is bad.
const LONGEST_LINE: usize = 64 * 1024;

/// A request that a cache could answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access<'a> {
    /// What was asked for: host, path and query, as far as the trace says.
    pub key: &'a [u8],
    /// What was sent, bytes.
    pub size_bytes: u64,
    /// Whether that is the whole object: not for HEAD, a part, or an answer that nothing is newer.
    pub whole: bool,
}

/// What became of lines. Empty lines do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lines {
    /// All.
    pub read: u64,
    /// Requests that a cache could answer.
    pub used: u64,
    /// Requests that it could not (other methods and statuses), and comments (`#`).
    pub skipped: u64,
    /// What is not of the file's format.
    pub bad: u64,
}

impl AddAssign for Lines {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.used += other.used;
        self.skipped += other.skipped;
        self.bad += other.bad;
    }
}

/// A reader of traces. The format is the one that fits most of the first lines.
#[derive(Debug)]
pub struct Trace<R> {
    reader: R,
    format: Option<Format>,
    /// The first lines, until they are read again with the format known.
    sample: VecDeque<Vec<u8>>,
    sampled: bool,
    line: Vec<u8>,
    key: Vec<u8>,
    lines: Lines,
}

impl<R: BufRead> Trace<R> {
    /// A trace from its beginning.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            format: None,
            sample: VecDeque::new(),
            sampled: false,
            line: Vec::new(),
            key: Vec::new(),
            lines: Lines::default(),
        }
    }

    /// The next request; `None` at the end.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    // It lends what it returns, which an iterator cannot.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> io::Result<Option<Access<'_>>> {
        if !self.sampled {
            self.sample()?;
        }
        loop {
            if !self.next_line()? {
                return Ok(None);
            }
            self.lines.read += 1;
            let parsed = match self.format {
                _ if self.line.starts_with(b"#") => Line::Skipped,
                Some(format) => format.parse(&self.line),
                None => Line::Bad,
            };
            match parsed {
                Line::Skipped => self.lines.skipped += 1,
                Line::Bad => self.lines.bad += 1,
                Line::Access(found) => {
                    self.lines.used += 1;
                    self.key.clear();
                    self.key.extend_from_slice(&found.host);
                    self.key.extend_from_slice(&found.key);
                    let (size_bytes, whole) = (found.size_bytes, found.whole);
                    return Ok(Some(Access { key: &self.key, size_bytes, whole }));
                }
            }
        }
    }

    /// What became of the lines so far.
    pub fn lines(&self) -> Lines {
        self.lines
    }

    /// The format, once the first line was asked for. `None` if none fits.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    fn sample(&mut self) -> io::Result<()> {
        self.sampled = true;
        while self.format.is_none() {
            // A sample without a single valid line tells nothing: on to the next.
            let mut sample = Vec::new();
            while sample.len() < SAMPLE_LINES && self.read_line()? {
                sample.push(self.line.clone());
            }
            if sample.is_empty() {
                break;
            }
            self.format = detect(&sample);
            if self.format.is_some() {
                self.sample = sample.into();
            } else {
                self.count_unknown(&sample);
            }
        }
        Ok(())
    }

    fn count_unknown(&mut self, lines: &[Vec<u8>]) {
        let comments = lines.iter().filter(|line| line.starts_with(b"#")).count() as u64;
        self.lines.read += lines.len() as u64;
        self.lines.skipped += comments;
        self.lines.bad += lines.len() as u64 - comments;
    }

    fn next_line(&mut self) -> io::Result<bool> {
        match self.sample.pop_front() {
            Some(line) => {
                self.line = line;
                Ok(true)
            }
            None => self.read_line(),
        }
    }

    /// Reads a line that is not empty, without its end; of one that is too long, the beginning and one byte too
    /// many. `false` at the end of the file.
    fn read_line(&mut self) -> io::Result<bool> {
        loop {
            self.line.clear();
            let mut ended = true;
            loop {
                let buffer = match self.reader.fill_buf() {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    buffer => buffer?,
                };
                if buffer.is_empty() {
                    break;
                }
                ended = false;
                let newline = buffer.iter().position(|b| *b == b'\n');
                let part = &buffer[..newline.unwrap_or(buffer.len())];
                let room = (LONGEST_LINE + 1).saturating_sub(self.line.len());
                self.line.extend_from_slice(&part[..part.len().min(room)]);
                let used = part.len() + usize::from(newline.is_some());
                self.reader.consume(used);
                if newline.is_some() {
                    break;
                }
            }
            if ended {
                return Ok(false);
            }
            if self.line.len() > LONGEST_LINE {
                // Of no format.
                self.line.clear();
                self.line.push(0);
            }
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            if !self.line.is_empty() {
                return Ok(true);
            }
        }
    }
}

/// The format that fits most lines; the first of two that fit as many.
fn detect(lines: &[Vec<u8>]) -> Option<Format> {
    let fitting = |format: &Format| lines.iter().filter(|line| format.parse(line) != Line::Bad).count();
    let best = FORMATS.iter().rev().max_by_key(|format| fitting(format))?;
    (fitting(best) > 0).then_some(*best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn read(text: &[u8], buffer: usize) -> (Vec<(String, u64)>, Option<Format>, Lines) {
        let mut trace = Trace::new(BufReader::with_capacity(buffer, text));
        let mut found = Vec::new();
        while let Some(access) = trace.next().unwrap() {
            found.push((String::from_utf8(access.key.to_vec()).unwrap(), access.size_bytes));
        }
        (found, trace.format(), trace.lines())
    }

    #[test]
    fn the_format_is_that_of_most_first_lines() {
        let text = b"hello 5\n10.0.0.1 - - [x] \"GET /a HTTP/1.1\" 200 1\r\n\n10.0.0.1 - - [x] \"GET /b HTTP/1.1\" 200 2";
        for buffer in [1, 7, 4096] {
            let (found, format, lines) = read(text, buffer);
            assert_eq!(found, [("/a".to_owned(), 1), ("/b".to_owned(), 2)]);
            assert_eq!(format, Some(Format::Common));
            assert_eq!(lines, Lines { read: 3, used: 2, skipped: 0, bad: 1 });
        }
    }

    #[test]
    fn bad_lines_are_counted_wherever_they_are() {
        let mut text = b"# a comment\n".to_vec();
        text.extend_from_slice(b"nonsense\n".repeat(100).as_slice());
        text.extend_from_slice(b"k 1\n".repeat(50).as_slice());
        text.extend_from_slice(&[b'x'; 100_000]);
        text.extend_from_slice(b" 1\nk 2\n\xff\xfe\n{}\n");
        let (found, format, lines) = read(&text, 100);
        assert_eq!((found.len(), found.last().unwrap().1), (51, 2));
        assert_eq!(format, Some(Format::Plain));
        assert_eq!(lines, Lines { read: 155, used: 51, skipped: 1, bad: 103 });
    }

    #[test]
    fn nothing_is_no_error() {
        assert_eq!(read(b"", 10), (vec![], None, Lines::default()));
        assert_eq!(read(b"\n\n", 10).2, Lines::default());
        assert_eq!(read(b"?\n", 10), (vec![], None, Lines { read: 1, bad: 1, ..Lines::default() }));
    }
}
