//! The access log: one line per request, written by a thread of its own that never holds a request up.
//!
//! Each core gathers lines in a [`LogBuffer`] and hands them over in batches. What the writer has not written yet is
//! bounded; beyond it lines are dropped and counted, so that a full disk or a slow terminal costs lines, not
//! requests.

mod combined;
mod json;
mod output;
mod queue;
mod sample;
mod stamp;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use deepwater_core::clock::{Clock, SystemClock};

use crate::config::{self, AccessLogFormat};
use crate::head::Version;

use output::Output;
use queue::Queue;
use sample::Sample;
use stamp::Stamp;

/// Bytes of lines a core gathers before it hands them over.
const BATCH_BYTES: usize = 8 * 1024;
/// How long a line may wait in a core's buffer.
const BATCH_AGE: Duration = Duration::from_millis(200);
/// How long the end of the process waits for lines to be written.
const CLOSING: Duration = Duration::from_secs(2);

/// A request as the log tells it. Bytes from clients are as they came; the log escapes them. What a request does not
/// have is empty.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The client's address, behind trusted proxies too.
    pub client_ip: IpAddr,
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a [u8],
    /// The client's protocol version.
    pub version: Version,
    /// The status sent.
    pub status: u16,
    /// Body bytes sent to the client.
    pub sent_bytes: u64,
    /// Body bytes received from the client.
    pub received_bytes: u64,
    /// From the request's first byte to the answer's last.
    pub duration: Duration,
    /// How long the origin took to the first byte of its answer.
    pub upstream_duration: Option<Duration>,
    /// The origin, as configured.
    pub upstream: Option<&'a str>,
    /// The route's name.
    pub route: &'a str,
    /// The host asked for.
    pub host: &'a [u8],
    /// `User-Agent`.
    pub user_agent: &'a [u8],
    /// `Referer`.
    pub referer: &'a [u8],
    /// `X-Request-Id`.
    pub request_id: &'a [u8],
    /// The trace id within `traceparent`.
    pub trace_id: &'a [u8],
    /// What went wrong.
    pub error: Option<&'a str>,
}

/// The log. Clones share it; dropping the last one writes what was handed over, waiting at most two seconds. Buffers
/// are to be dropped or flushed before.
#[derive(Clone)]
pub struct AccessLog {
    /// None when the log is off.
    open: Option<Arc<Open>>,
    format: AccessLogFormat,
    sample: f64,
    clock: Arc<dyn Clock>,
}

/// Closes the queue when the last clone of the log goes.
struct Open(Arc<Queue>);

impl AccessLog {
    /// Opens the log and starts its writer. A relative path is taken from `directory`.
    ///
    /// # Errors
    /// When the file cannot be opened, or no thread started.
    pub fn open(config: &config::AccessLog, directory: &Path) -> io::Result<Self> {
        let off =
            Self { open: None, format: config.format, sample: config.sample, clock: Arc::new(SystemClock) };
        if config.format == AccessLogFormat::Off {
            return Ok(off);
        }
        let output = match &*config.path {
            "stdout" => Output::stdout(),
            path => Output::file(directory.join(path))?,
        };
        let queue = Arc::new(Queue::default());
        let writer = Arc::clone(&queue);
        std::thread::Builder::new().name("access-log".into()).spawn(move || writer.write_to(output))?;
        Ok(Self { open: Some(Arc::new(Open(queue))), ..off })
    }

    /// The same log with its times from this clock in place of the system's.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// A buffer for one core.
    pub fn buffer(&self) -> LogBuffer {
        LogBuffer {
            queue: self.queue().cloned(),
            format: self.format,
            sample: Sample::new(self.sample),
            clock: Arc::clone(&self.clock),
            stamp: Stamp::default(),
            text: Vec::new(),
            lines: 0,
            since: None,
        }
    }

    /// Lines dropped because the writer was behind or could not write.
    pub fn dropped(&self) -> u64 {
        self.queue().map_or(0, |queue| queue.dropped())
    }

    /// Opens the file anew, as after a rotation. (A file that was renamed or removed is noticed without this, within
    /// a second of the next lines.)
    pub fn reopen(&self) {
        if let Some(queue) = self.queue() {
            queue.reopen();
        }
    }

    /// Waits until everything handed over so far has been written; whether that was so within the time. Blocks.
    pub fn flush(&self, within: Duration) -> bool {
        self.queue().is_none_or(|queue| queue.flush(within))
    }

    fn queue(&self) -> Option<&Arc<Queue>> {
        self.open.as_deref().map(|open| &open.0)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close(CLOSING);
    }
}

/// One core's end of the log.
pub struct LogBuffer {
    queue: Option<Arc<Queue>>,
    format: AccessLogFormat,
    sample: Sample,
    clock: Arc<dyn Clock>,
    stamp: Stamp,
    text: Vec<u8>,
    lines: u64,
    /// When the oldest line in the buffer was recorded.
    since: Option<SystemTime>,
}

impl LogBuffer {
    /// Whether nothing is logged at all.
    pub fn is_off(&self) -> bool {
        self.queue.is_none()
    }

    /// Logs a request, if it is in the sample; answers of 500 and above always are.
    pub fn record(&mut self, entry: &Entry<'_>) {
        // The sample is drawn from all requests, so that failures do not thin it.
        let sampled = self.sample.draw() || entry.status >= 500;
        if self.is_off() || !sampled {
            return;
        }
        let now = self.clock.wall();
        match self.format {
            AccessLogFormat::Json => json::write(&mut self.text, self.stamp.rfc3339(now), entry),
            AccessLogFormat::Combined => {
                combined::write(&mut self.text, self.stamp.common_log(now), entry);
            }
            AccessLogFormat::Off => return,
        }
        self.lines += 1;
        let since = *self.since.get_or_insert(now);
        // A clock set back must not hold lines up.
        let due = now.duration_since(since).map_or(true, |age| age >= BATCH_AGE);
        if due || self.text.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Hands every line over to the writer. To be called now and then, for lines that no other follows.
    pub fn flush(&mut self) {
        self.since = None;
        let lines = std::mem::take(&mut self.lines);
        if let (Some(queue), 1..) = (&self.queue, lines) {
            let room = Vec::with_capacity(self.text.capacity());
            queue.push(std::mem::replace(&mut self.text, room), lines);
        }
    }
}

impl Drop for LogBuffer {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepwater_core::clock::ManualClock;
    use std::path::PathBuf;

    const SOON: Duration = Duration::from_secs(10);

    fn entry(target: &str, status: u16) -> Entry<'_> {
        Entry {
            client_ip: "127.0.0.1".parse().unwrap(),
            method: "GET",
            target: target.as_bytes(),
            version: Version::Http11,
            status,
            sent_bytes: 5,
            received_bytes: 0,
            duration: Duration::from_micros(1_500),
            upstream_duration: None,
            upstream: None,
            route: "all",
            host: b"shop",
            user_agent: b"",
            referer: b"",
            request_id: b"r",
            trace_id: b"",
            error: None,
        }
    }

    fn open(path: &Path, sample: f64) -> AccessLog {
        let config = config::AccessLog {
            format: AccessLogFormat::Combined,
            path: path.to_str().unwrap().into(),
            sample,
        };
        AccessLog::open(&config, Path::new("/")).unwrap()
    }

    fn targets(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.split(' ').nth(6).expect("a target").to_owned()).collect()
    }

    fn directory() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        (directory, path)
    }

    #[test]
    fn lines_are_written_in_order_and_appended() {
        let (_directory, path) = directory();
        for round in 0..2 {
            let log = open(&path, 1.0);
            let mut buffer = log.buffer();
            (0..1_000).for_each(|n| buffer.record(&entry(&format!("/{round}/{n}"), 200)));
            drop(buffer);
            assert!(log.flush(SOON));
            assert_eq!(log.dropped(), 0);
        }
        let expected: Vec<_> =
            (0..2).flat_map(|round| (0..1_000).map(move |n| format!("/{round}/{n}"))).collect();
        assert_eq!(targets(&path), expected);
    }

    #[test]
    fn dropping_the_log_writes_everything() {
        let (_directory, path) = directory();
        let log = open(&path, 1.0);
        let mut buffer = log.buffer();
        buffer.record(&entry("/last", 200));
        drop(buffer);
        drop(log);
        assert_eq!(targets(&path), ["/last"]);
    }

    #[test]
    fn lines_do_not_wait_long_for_company() {
        let (_directory, path) = directory();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let clock = Arc::new(ManualClock::at(start));
        let log = open(&path, 1.0).with_clock(clock.clone());
        let mut buffer = log.buffer();
        buffer.record(&entry("/first", 200));
        clock.advance(Duration::from_millis(199));
        buffer.record(&entry("/second", 200));
        assert_eq!(buffer.lines, 2);
        clock.advance(Duration::from_millis(1));
        buffer.record(&entry("/third", 200));
        assert_eq!(buffer.lines, 0);

        buffer.record(&entry("/fourth", 200));
        buffer.clock = Arc::new(ManualClock::at(start - Duration::from_secs(3_600)));
        buffer.record(&entry("/fifth", 200));
        assert_eq!(buffer.lines, 0, "the clock was set back");
        assert!(log.flush(SOON));
        assert_eq!(targets(&path), ["/first", "/second", "/third", "/fourth", "/fifth"]);
    }

    #[test]
    fn a_share_is_sampled_and_every_failure() {
        let (_directory, path) = directory();
        let log = open(&path, 0.25);
        let mut buffer = log.buffer();
        (0..4_000).for_each(|_| buffer.record(&entry("/good", 200)));
        (0..10).for_each(|_| buffer.record(&entry("/bad", 503)));
        drop(buffer);
        drop(log);
        let targets = targets(&path);
        let good = targets.iter().filter(|target| *target == "/good").count();
        assert!((999..=1_001).contains(&good), "{good} of 4000");
        assert_eq!(targets.len() - good, 10);
    }

    #[test]
    fn a_rotated_file_is_opened_anew() {
        let (directory, path) = directory();
        let log = open(&path, 1.0);
        let mut buffer = log.buffer();
        buffer.record(&entry("/before", 200));
        buffer.flush();
        assert!(log.flush(SOON));

        let rotated = directory.path().join("access.log.1");
        std::fs::rename(&path, &rotated).unwrap();
        log.reopen();
        buffer.record(&entry("/after", 200));
        buffer.flush();
        assert!(log.flush(SOON));
        assert_eq!(
            (targets(&rotated), targets(&path)),
            (vec!["/before".to_owned()], vec!["/after".to_owned()])
        );
    }

    #[test]
    fn a_log_that_is_off_costs_nothing() {
        let log = AccessLog::open(&config::AccessLog::default(), Path::new("/")).unwrap();
        let mut buffer = log.buffer();
        assert!(buffer.is_off());
        buffer.record(&entry("/", 500));
        assert!(buffer.text.is_empty() && log.flush(Duration::ZERO));
        log.reopen();
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let (directory, _) = directory();
        let config = config::AccessLog {
            format: AccessLogFormat::Json,
            path: "missing/access.log".into(),
            ..config::AccessLog::default()
        };
        let error = AccessLog::open(&config, directory.path()).err().expect("no such directory");
        assert!(error.to_string().contains("missing/access.log"), "{error}");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
