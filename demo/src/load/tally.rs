//! Counting what happened: since the start, and over the last ten seconds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::http::response::Parts;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::histogram::Histogram;

const WINDOW_SECONDS: u64 = 10;
/// Names beyond this many are not told apart: a header is not allowed to fill the memory.
const MAX_INSTANCES: usize = 64;
const INSTANCE_HEADER: &str = "x-shop-instance";

/// An account of the load at one moment. Counts are since the start; everything marked "recent" covers
/// the last ten seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Requests per second asked for.
    pub rate: f64,
    /// Requests begun.
    pub sent: u64,
    /// Answers below 400.
    pub ok: u64,
    /// Answers from 400 to 499.
    pub client_errors: u64,
    /// Answers from 500 on.
    pub server_errors: u64,
    /// No complete answer: refused, broken off, or not there within 10 s.
    pub transport_errors: u64,
    /// Requests that were due while too many were under way, and so were not sent.
    pub dropped: u64,
    /// Requests under way.
    pub in_flight: u64,
    /// Recent requests that ended, per second.
    pub finished_per_second: f64,
    /// Recent server and transport errors, per second.
    pub failed_per_second: f64,
    /// Recent latency, from the moment a request was due to the end of its answer: the median.
    pub p50: Option<Duration>,
    /// The 95th percentile.
    pub p95: Option<Duration>,
    /// The 99th percentile.
    pub p99: Option<Duration>,
    /// Who answered recently, by name.
    pub instances: Vec<InstanceShare>,
}

/// One instance's part in the recent answers.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceShare {
    /// The name it gives in `X-Shop-Instance`.
    pub instance: String,
    /// Its recent answers.
    pub answers: u64,
    /// Its part of the answers that carry a name, from 0 to 1.
    pub share: f64,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered { status: StatusCode, instance: Option<String> },
    Broken,
}

impl Outcome {
    pub(super) fn answered(response: &Parts) -> Self {
        let instance = response.headers.get(INSTANCE_HEADER).and_then(|name| name.to_str().ok());
        Self::Answered { status: response.status, instance: instance.map(str::to_owned) }
    }

    fn failed(&self) -> bool {
        match self {
            Self::Answered { status, .. } => status.is_server_error(),
            Self::Broken => true,
        }
    }
}

#[derive(Debug)]
pub(super) struct Tally {
    counts: Mutex<Counts>,
    progress: Notify,
}

#[derive(Debug)]
struct Counts {
    started: Instant,
    totals: Snapshot,
    seconds: [Second; WINDOW_SECONDS as usize],
}

/// What ended within one second.
#[derive(Debug, Clone, Default)]
struct Second {
    /// Seconds since the start.
    number: u64,
    latency: Histogram,
    failed: u64,
    instances: Vec<(String, u64)>,
}

/// A request that has been counted as sent. Unless it is finished it counts as under way until it is dropped.
pub(super) struct Ticket(Arc<Tally>);

impl Ticket {
    pub(super) fn finish(self, outcome: &Outcome, due: Instant) {
        self.0.record(outcome, due, Instant::now());
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.lock().totals.in_flight -= 1;
        self.0.progress.notify_waiters();
    }
}

impl Tally {
    pub(super) fn new(started: Instant) -> Self {
        let counts = Counts { started, totals: Snapshot::default(), seconds: Default::default() };
        Self { counts: Mutex::new(counts), progress: Notify::new() }
    }

    pub(super) fn sent(self: &Arc<Self>) -> Ticket {
        let totals = &mut self.lock().totals;
        totals.sent += 1;
        totals.in_flight += 1;
        Ticket(self.clone())
    }

    pub(super) fn dropped(&self) {
        self.lock().totals.dropped += 1;
    }

    pub(super) async fn finished(&self, count: u64) {
        loop {
            let progress = self.progress.notified();
            if self.lock().totals.finished() >= count {
                return;
            }
            progress.await;
        }
    }

    fn record(&self, outcome: &Outcome, due: Instant, now: Instant) {
        let mut counts = self.lock();
        let totals = &mut counts.totals;
        match outcome {
            Outcome::Broken => totals.transport_errors += 1,
            Outcome::Answered { status, .. } if status.is_server_error() => totals.server_errors += 1,
            Outcome::Answered { status, .. } if status.is_client_error() => totals.client_errors += 1,
            Outcome::Answered { .. } => totals.ok += 1,
        }
        let second = counts.second(now);
        second.latency.record(now.saturating_duration_since(due));
        second.failed += u64::from(outcome.failed());
        if let Outcome::Answered { instance: Some(name), .. } = outcome {
            count_name(&mut second.instances, name, 1);
        }
    }

    pub(super) fn snapshot(&self, now: Instant, rate: f64) -> Snapshot {
        let counts = self.lock();
        let elapsed = now.saturating_duration_since(counts.started);
        let mut recent = Second::default();
        for second in
            counts.seconds.iter().filter(|second| second.number + WINDOW_SECONDS > elapsed.as_secs())
        {
            recent.latency.add(&second.latency);
            recent.failed += second.failed;
            second
                .instances
                .iter()
                .for_each(|(name, answers)| count_name(&mut recent.instances, name, *answers));
        }
        // The second that has just begun is not over: the window covers a little less than its length.
        let fraction = f64::from(elapsed.subsec_micros()) / 1e6;
        let covered = elapsed.as_secs_f64().min((WINDOW_SECONDS - 1) as f64 + fraction).max(f64::EPSILON);
        Snapshot {
            rate,
            finished_per_second: recent.latency.count() as f64 / covered,
            failed_per_second: recent.failed as f64 / covered,
            p50: recent.latency.quantile(0.50),
            p95: recent.latency.quantile(0.95),
            p99: recent.latency.quantile(0.99),
            instances: shares(recent.instances),
            ..counts.totals.clone()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Counters stay counters whatever panicked beside them.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// The slot of the second `now` lies in, emptied of what was there ten seconds ago.
    fn second(&mut self, now: Instant) -> &mut Second {
        let number = now.saturating_duration_since(self.started).as_secs();
        let slot = &mut self.seconds[(number % WINDOW_SECONDS) as usize];
        if slot.number != number {
            *slot = Second { number, ..Second::default() };
        }
        slot
    }
}

impl Snapshot {
    /// Requests that have ended, well or badly.
    pub fn finished(&self) -> u64 {
        self.ok + self.client_errors + self.server_errors + self.transport_errors
    }
}

fn count_name(names: &mut Vec<(String, u64)>, name: &str, answers: u64) {
    if let Some((_, count)) = names.iter_mut().find(|(known, _)| known == name) {
        *count += answers;
    } else if names.len() < MAX_INSTANCES {
        names.push((name.to_owned(), answers));
    }
}

fn shares(mut names: Vec<(String, u64)>) -> Vec<InstanceShare> {
    names.sort();
    let all: u64 = names.iter().map(|(_, answers)| answers).sum();
    let share = |answers| answers as f64 / all as f64;
    names
        .into_iter()
        .map(|(instance, answers)| InstanceShare { instance, answers, share: share(answers) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn answered(status: u16, instance: &str) -> Outcome {
        Outcome::Answered {
            status: StatusCode::from_u16(status).unwrap(),
            instance: Some(instance.to_owned()),
        }
    }

    #[test]
    fn totals_stay_and_the_window_moves_on() {
        let start = Instant::now();
        let tally = Tally::new(start);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        tally.record(&answered(200, "a"), at(0), at(0) + 5 * MS);
        tally.record(&answered(304, "b"), at(1), at(1) + 5 * MS);
        tally.record(&answered(404, "b"), at(2), at(2) + 5 * MS);
        tally.record(&answered(503, "b"), at(8), at(8) + 5 * MS);
        tally.record(&Outcome::Broken, at(8), at(9));

        let snapshot = tally.snapshot(at(9), 1.0);
        let Snapshot { ok, client_errors, server_errors, transport_errors, .. } = snapshot;
        assert_eq!((ok, client_errors, server_errors, transport_errors), (2, 1, 1, 1));
        assert!(snapshot.p50.unwrap() < 6 * MS && snapshot.p99.unwrap() >= 1_000 * MS);
        assert_eq!(snapshot.instances.iter().map(|i| i.answers).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(snapshot.instances[1].share, 0.75);

        let later = tally.snapshot(at(12), 1.0);
        assert_eq!(later.finished(), 5);
        assert_eq!(later.instances, [InstanceShare { instance: "b".into(), answers: 1, share: 1.0 }]);
        assert!((later.failed_per_second - 2.0 / 9.0).abs() < 1e-9);

        let much_later = tally.snapshot(at(100), 1.0);
        assert_eq!((much_later.p50, much_later.finished_per_second), (None, 0.0));
    }

    #[test]
    fn a_request_cut_off_is_no_longer_under_way() {
        let tally = Arc::new(Tally::new(Instant::now()));
        let ticket = tally.sent();
        assert_eq!(tally.snapshot(Instant::now(), 0.0).in_flight, 1);
        drop(ticket);
        assert_eq!(tally.snapshot(Instant::now(), 0.0).in_flight, 0);
    }
}
