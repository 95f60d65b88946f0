//! `deepwater cache size`: how large the cache should be, from the requests in an access log.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use deepwater_cache::replay::{self, Format, Options, Report};
use deepwater_core::config::{ParseError, Size};
use serde_json::{Value, json};

use crate::cli::{Failure, print};
use crate::console::pretty;
use crate::table::bytes;

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;
/// Who has waited so long wants to know how far it is.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the progress is shown anew.
const EVERY: Duration = Duration::from_millis(250);
/// Longest part of a line that an error shows, bytes.
const SHOWN: usize = 80;

/// What to replay.
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Arguments {
    /// An access log; `-` for standard input. Give it several times for rotated files, the oldest first.
    #[arg(long, value_name = "FILE", required = true)]
    log: Vec<String>,
    /// The sizes to try, with commas between [default: 1MiB to 4GiB, each the double of the one before]
    #[arg(long, value_name = "SIZE,…", value_delimiter = ',', value_parser = size)]
    sizes: Vec<Size>,
    /// Print JSON instead of a table and a chart.
    #[arg(long)]
    json: bool,
}

const ABOUT: &str = "\
The requests of the log are looked up in the very store that serves, at each size; told is the size from \
which on more memory brings little. A log is in the common or combined format, in JSON (Deepwater's own and \
its like), or has lines of a key and a size in bytes.

Examples:
  deepwater cache size --log access.log
  zcat access.log.*.gz | deepwater cache size --log - --sizes 64MiB,256MiB,1GiB";

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.log.iter().filter(|name| *name == "-").count() > 1 {
        return Err(Failure::Usage(
            "--log: standard input can be read only once\n  fix: give `-` once".into(),
        ));
    }
    let options = match arguments.sizes.as_slice() {
        [] => Options::default(),
        sizes => Options { sizes_bytes: sizes.iter().map(|size| size.bytes()).collect() },
    };
    let mut logs = arguments.log.iter().map(|name| Log::open(name)).collect::<Result<Vec<_>, _>>()?;
    let report = replay::run_all(&mut logs, &options)?;
    for (log, format) in logs.iter().zip(&report.formats) {
        if let (None, Some((line, text))) = (format, &log.first_line) {
            return Err(Failure::Usage(format!(
                "{}:{line}: not a line of an access log: `{text}`\n  fix: give a log in the common or combined format, in \
                 JSON lines, or in lines of a key and a size",
                log.name
            )));
        }
    }
    // Takes the progress away before anything is printed.
    drop(logs);
    let text = if arguments.json { json(&arguments.log, &report) } else { text(&report) };
    print(text.as_bytes())
}

fn size(text: &str) -> Result<Size, String> {
    let size: Size = text.parse().map_err(|error: ParseError| error.to_string())?;
    if size.bytes() == 0 { Err("nothing fits into no memory".into()) } else { Ok(size) }
}

/// The report, and the line of the configuration it comes to.
fn text(report: &Report) -> String {
    let mut text = replay::render(report);
    if let Some(knee) = report.knee() {
        let memory = Size::from_bytes(knee.size_bytes);
        text.push_str(&format!("\n[cache]\nmemory = \"{memory}\"\n"));
    }
    text
}

fn json(names: &[String], report: &Report) -> String {
    let logs = names.iter().zip(&report.formats);
    let logs = logs.map(|(name, format)| json!({ "file": name, "format": format.map(Format::name) }));
    let sizes = report.rows.iter().zip(report.gains()).map(|(row, gain)| {
        json!({
            "size_bytes": row.size_bytes,
            "hit_ratio": row.hit_ratio(),
            "byte_hit_ratio": row.byte_hit_ratio(),
            "hits": row.hits,
            "hit_bytes": row.hit_bytes,
            "objects": row.objects,
            "evictions": row.evictions,
            "too_large": row.too_heavy,
            "hit_ratio_gained_per_doubling": gain,
        })
    });
    pretty(&json!({
        "logs": logs.collect::<Value>(),
        "lines": {
            "read": report.lines.read,
            "used": report.lines.used,
            "not_cacheable": report.lines.skipped,
            "not_understood": report.lines.bad,
        },
        "requests": report.requests,
        "requested_bytes": report.requested_bytes,
        "objects": report.distinct,
        "object_bytes": report.distinct_bytes,
        "ceiling_hit_ratio": report.ceiling_hit_ratio(),
        "sizes": sizes.collect::<Value>(),
        "worth_its_memory": report.knee().map(|row| row.size_bytes),
    }))
}

/// A log being read: its errors say where, and whoever waits for it at a terminal sees how far it is.
struct Log {
    /// As people call it.
    name: String,
    reader: Box<dyn BufRead>,
    /// The first line that says anything, with its number.
    first_line: Option<(usize, String)>,
    /// Lines read.
    lines: u64,
    progress: Option<Progress>,
}

impl Log {
    fn open(name: &str) -> Result<Self, Failure> {
        let (name, input, length) = match name {
            "-" => ("standard input", Box::new(io::stdin()) as Box<dyn Read>, None),
            name => {
                let file = File::open(name).map_err(|error| no_log(&format!("{name}: {error}")))?;
                let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|about| about.len());
                (name, Box::new(file) as Box<dyn Read>, length)
            }
        };
        let mut log = Self {
            name: name.to_owned(),
            reader: Box::new(BufReader::with_capacity(BUFFER, input)),
            first_line: None,
            lines: 0,
            progress: Progress::new(name, length),
        };
        let beginning = log.fill_buf().map_err(|error| no_log(&error.to_string()))?;
        if beginning.starts_with(b"\x1f\x8b") {
            return Err(Failure::Usage(format!(
                "{name}: compressed with gzip\n  fix: zcat {name} | deepwater cache size --log -"
            )));
        }
        log.first_line = first_line(beginning);
        Ok(log)
    }
}

fn no_log(what: &str) -> Failure {
    Failure::Usage(format!("{what}\n  fix: give the path of an access log with --log"))
}

/// The first line that is neither empty nor a comment, with its number.
fn first_line(text: &[u8]) -> Option<(usize, String)> {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).zip(1..);
    let (line, number) = lines.find(|(line, _)| !line.is_empty() && !line.starts_with(b"#"))?;
    let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]).escape_debug().to_string();
    Some((number, if line.len() > SHOWN { shown + "…" } else { shown }))
}

impl Read for Log {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Log {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let (name, line) = (&self.name, self.lines + 1);
        self.reader
            .fill_buf()
            .map_err(|error| io::Error::new(error.kind(), format!("{name}:{line}: cannot be read: {error}")))
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed was read before: this reads nothing.
        if let Ok(read) = self.reader.fill_buf() {
            let newlines = read[..amount.min(read.len())].iter().filter(|byte| **byte == b'\n').count();
            self.lines += newlines as u64;
        }
        self.reader.consume(amount);
        if let Some(progress) = &mut self.progress {
            progress.advance(amount as u64);
        }
    }
}

/// How far a log is, in the last line of a terminal.
struct Progress {
    name: String,
    /// Bytes of the file, where it is one.
    length: Option<u64>,
    read: u64,
    /// Bytes since the clock was asked.
    unseen: u64,
    next: Instant,
    shown: bool,
}

impl Progress {
    /// None where nobody looks.
    fn new(name: &str, length: Option<u64>) -> Option<Self> {
        io::stderr().is_terminal().then(|| Self {
            name: name.to_owned(),
            length,
            read: 0,
            unseen: 0,
            next: Instant::now() + PATIENCE,
            shown: false,
        })
    }

    fn advance(&mut self, amount: u64) {
        self.read += amount;
        self.unseen += amount;
        if self.unseen < BUFFER as u64 {
            return;
        }
        self.unseen = 0;
        let now = Instant::now();
        if now >= self.next {
            self.next = now + EVERY;
            self.shown = true;
            // A terminal that is gone shows nothing; the line is cut rather than wrapped.
            let _ = write!(io::stderr(), "\r\x1b[?7l{}\x1b[K\x1b[?7h", self.line());
        }
    }

    fn line(&self) -> String {
        let read = bytes(self.read);
        match self.length {
            // A log may grow while it is read.
            Some(length) if length >= self.read => {
                format!("{}: {read}, {:.0} %", self.name, 100.0 * self.read as f64 / length as f64)
            }
            _ => format!("{}: {read}", self.name),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_amounts_of_memory() {
        assert_eq!(size("16MiB").map(Size::bytes), Ok(16 << 20));
        for (wrong, said) in [("0B", "nothing fits"), ("16", "16B"), ("16M", "16MiB"), ("", "whole number")] {
            assert!(size(wrong).is_err_and(|error| error.contains(said)), "{wrong}");
        }
    }

    #[test]
    fn an_error_shows_the_first_line_that_says_anything() {
        assert_eq!(first_line(b"\n# key size\r\nwhat\n"), Some((3, "what".into())));
        assert_eq!(first_line(b"\x00\xff"), Some((1, "\\0\u{fffd}".into())));
        assert_eq!(first_line(b"\n#\n"), None);
        let long = first_line(&[b'x'; 100]);
        assert_eq!(long.map(|(_, line)| line.chars().count()), Some(SHOWN + 1));
    }

    #[test]
    fn an_error_says_where() {
        /// A line and then a broken disk.
        struct Broken(bool);
        impl Read for Broken {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                match std::mem::replace(&mut self.0, true) {
                    true => Err(io::Error::other("disk on fire")),
                    false => (&b"/a 1\n/b"[..]).read(out),
                }
            }
        }
        let log = Log {
            name: "access.log".into(),
            reader: Box::new(BufReader::new(Broken(false))),
            first_line: None,
            lines: 0,
            progress: None,
        };
        let error = replay::run(log, &Options::default()).unwrap_err();
        assert_eq!(error.to_string(), "access.log:2: cannot be read: disk on fire");
    }

    #[test]
    fn progress_in_shares_where_the_length_is_known() {
        let mut progress = Progress {
            name: "access.log".into(),
            length: Some(4 << 20),
            read: 0,
            unseen: 0,
            next: Instant::now() + Duration::from_secs(3_600),
            shown: false,
        };
        progress.advance(1 << 20);
        assert_eq!(progress.line(), "access.log: 1.0 MiB, 25 %");
        progress.advance(4 << 20);
        assert_eq!(progress.line(), "access.log: 5.0 MiB");
    }
}
