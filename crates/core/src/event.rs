//! Events: typed facts in the past tense. One definition gives the counter, the log line and the row in
//! the console, so none of the three can be forgotten or misspelt.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::Value;

use crate::metrics::Sink;

/// How much an event matters to the person on call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Of use while looking for a fault.
    Debug,
    /// Normal, worth a line.
    Info,
    /// Something failed and was handled.
    Warn,
    /// Something failed and users notice.
    Error,
}

impl Level {
    /// The word used in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A fact of one kind. Defined with [`event!`](crate::event!).
pub trait Event: Serialize {
    /// The kind, in snake case: the `event` label of `deepwater_events_total`.
    const NAME: &'static str;
    /// How much it matters.
    const LEVEL: Level;
    /// The fact in one sentence.
    fn message(&self) -> String;
}

/// Defines an event: its fields, kind, level and sentence.
///
/// ```ignore
/// event! {
///     /// A target left the rotation.
///     pub struct TargetEjected { pool: String, target: String, reason: String }
///     target_ejected: Warn, "target {target} of pool {pool} was ejected: {reason}"
/// }
/// ```
#[macro_export]
macro_rules! event {
    (
        $(#[$doc:meta])*
        pub struct $type:ident { $($field:ident : $kind:ty),* $(,)? }
        $name:ident : $level:ident, $message:literal
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, serde::Serialize)]
        #[allow(missing_docs, unreachable_pub)]
        pub struct $type { $(pub $field: $kind),* }

        impl $crate::event::Event for $type {
            const NAME: &'static str = stringify!($name);
            const LEVEL: $crate::event::Level = $crate::event::Level::$level;
            #[allow(unused_variables)]
            fn message(&self) -> String {
                let Self { $($field),* } = self;
                format!($message)
            }
        }
    };
}

/// One event as the log and the console show it.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// Civil time, RFC 3339.
    pub at: String,
    /// How much it matters.
    pub level: Level,
    /// Its kind.
    pub event: &'static str,
    /// The sentence.
    pub message: String,
    /// Its fields.
    pub fields: Value,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `2026-01-01T00:00:00Z warn target_ejected …`, for people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Events the console can still show.
const RING_ROWS: usize = 1_000;
/// Log lines that may wait for a slow log; more are dropped and counted.
const LOG_LINES: usize = 4_096;
/// The least time between two writes of the log: lines of a burst are written together, and their thread is woken once.
const LOG_PAUSE: Duration = Duration::from_millis(5);
/// As much is written at once, but for the rest of a line, in bytes.
const WRITTEN_BYTES: usize = 32 * 1024;

/// Where events are told. Clones share everything. Counters are exact; the log and the ring may drop.
#[derive(Clone)]
pub struct Events {
    shared: Arc<Shared>,
}

/// What the log's thread is told.
enum Entry {
    Line(String),
    /// To say so when everything before is written.
    Flush(SyncSender<()>),
}

struct Shared {
    state: Mutex<State>,
    log: Option<SyncSender<Entry>>,
    log_level: Level,
    format: Format,
}

#[derive(Default)]
struct State {
    counts: BTreeMap<&'static str, (Level, u64)>,
    ring: VecDeque<Record>,
    log_dropped: u64,
}

/// Writes what is told, as long as anybody may tell anything. What has come meanwhile is written together.
#[allow(clippy::disallowed_methods, reason = "it is for not being woken that it sleeps")]
fn write_log(mut log: impl Write, told: &Receiver<Entry>) {
    let mut lines = String::new();
    while let Ok(first) = told.recv() {
        let mut next = Some(first);
        while let Some(Entry::Line(line)) = &next {
            lines.push_str(line);
            next = if lines.len() < WRITTEN_BYTES { told.try_recv().ok() } else { None };
        }
        let full = lines.len() >= WRITTEN_BYTES;
        // A log that cannot be written must not stop the proxy.
        let _ = log.write_all(lines.as_bytes()).and_then(|()| log.flush());
        lines.clear();
        match next {
            // Whoever asked may have left.
            Some(Entry::Flush(done)) => drop(done.try_send(())),
            // More may be there already.
            _ if full => {}
            _ => std::thread::sleep(LOG_PAUSE),
        }
    }
}

impl Events {
    /// Events that are counted and shown, but not logged.
    pub fn silent() -> Self {
        Self::build(None, Level::Error, Format::Text)
    }

    /// Events of at least the level are also written to the log, whole lines at a time, by a thread of its own.
    pub fn logged(log: impl Write + Send + 'static, log_level: Level, format: Format) -> Self {
        let (lines, receiver) = sync_channel(LOG_LINES);
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_log(log, &receiver))
            .expect("the system can start a thread");
        Self::build(Some(lines), log_level, format)
    }

    fn build(log: Option<SyncSender<Entry>>, log_level: Level, format: Format) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::default(), log, log_level, format }) }
    }

    /// Tells a fact: counts it, keeps it for the console, logs it.
    pub fn emit<E: Event>(&self, event: E) {
        let record = Record {
            at: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            level: E::LEVEL,
            event: E::NAME,
            message: event.message(),
            fields: serde_json::to_value(&event).unwrap_or(Value::Null),
        };
        let line = (E::LEVEL >= self.shared.log_level).then(|| self.line(&record));
        let mut state = self.state();
        state.counts.entry(E::NAME).or_insert((E::LEVEL, 0)).1 += 1;
        if state.ring.len() == RING_ROWS {
            state.ring.pop_front();
        }
        state.ring.push_back(record);
        if let (Some(log), Some(line)) = (&self.shared.log, line)
            && let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
                log.try_send(Entry::Line(line))
        {
            state.log_dropped += 1;
        }
    }

    /// Waits until everything told so far is in the log; whether that was so within the time. To be called before the
    /// process ends. Blocks.
    pub fn flush(&self, within: Duration) -> bool {
        let Some(log) = &self.shared.log else { return true };
        let (done, flushed) = sync_channel(1);
        log.try_send(Entry::Flush(done)).is_ok() && flushed.recv_timeout(within).is_ok()
    }

    /// The newest events, newest first.
    pub fn recent(&self, rows: usize) -> Vec<Record> {
        self.state().ring.iter().rev().take(rows).cloned().collect()
    }

    /// How often each kind has happened.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.state().counts.iter().map(|(name, (_, count))| (*name, *count)).collect()
    }

    /// Says `deepwater_events_total` and `deepwater_log_dropped_total` at a scrape.
    pub fn collect(&self, sink: &mut Sink) {
        let state = self.state();
        for (name, (level, count)) in &state.counts {
            let labels = [("event", *name), ("level", level.as_str())];
            sink.counter("deepwater_events_total", "Events by kind.", &labels, *count);
        }
        let help = "Log lines dropped because the log was too slow.";
        sink.counter("deepwater_log_dropped_total", help, &[], state.log_dropped);
    }

    fn line(&self, record: &Record) -> String {
        match self.shared.format {
            Format::Text => {
                format!("{} {:5} {}: {}\n", record.at, record.level.as_str(), record.event, record.message)
            }
            Format::Json => serde_json::to_string(record).unwrap_or_default() + "\n",
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().expect("no panic while events are held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    event! {
        /// A test fact.
        pub struct TargetEjected { pool: String, target: String }
        target_ejected: Warn, "target {target} of pool {pool} was ejected"
    }

    struct Sink(mpsc::Sender<Vec<u8>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.send(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_definition_gives_counter_row_and_line() {
        let (sender, lines) = mpsc::channel();
        let events = Events::logged(Sink(sender), Level::Info, Format::Json);
        events.emit(TargetEjected { pool: "app".into(), target: "127.0.0.1:3000".into() });

        assert_eq!(events.counts()["target_ejected"], 1);
        assert_eq!(events.recent(10)[0].message, "target 127.0.0.1:3000 of pool app was ejected");
        let line = String::from_utf8(lines.recv().unwrap()).unwrap();
        assert!(line.contains(r#""pool":"app""#) && line.ends_with('\n'), "{line}");
        let registry = crate::metrics::Registry::default();
        registry.collect(move |sink| events.collect(sink));
        let text = registry.render();
        assert!(text.contains("deepwater_events_total{event=\"target_ejected\",level=\"warn\"} 1"), "{text}");
    }

    #[test]
    fn a_flushed_log_has_everything() {
        let (sender, lines) = mpsc::channel();
        let events = Events::logged(Sink(sender), Level::Info, Format::Text);
        for n in 0..100 {
            events.emit(TargetEjected { pool: n.to_string(), target: String::new() });
        }
        assert!(events.flush(Duration::from_secs(10)));
        let written: Vec<u8> = lines.try_iter().flatten().collect();
        assert_eq!(String::from_utf8(written).unwrap().lines().count(), 100);
        assert!(Events::silent().flush(Duration::ZERO));
    }

    #[test]
    fn the_ring_keeps_the_newest() {
        let events = Events::silent();
        for n in 0..RING_ROWS + 5 {
            events.emit(TargetEjected { pool: n.to_string(), target: String::new() });
        }
        let recent = events.recent(usize::MAX);
        assert_eq!(recent.len(), RING_ROWS);
        assert_eq!(recent[0].fields["pool"], (RING_ROWS + 4).to_string());
        assert_eq!(events.counts()["target_ejected"], RING_ROWS as u64 + 5);
    }
}
