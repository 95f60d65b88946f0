//! A limit that follows latency: up while requests are served as fast as ever, down when they queue (the
//! gradient of Netflix's and Envoy's adaptive concurrency).
//!
//! For each window of a tenth of a second or more, `limit × g + √limit` with
//! `g = clamp(tolerance × floor / latency, ½, 1)`, smoothed. Under lasting overload every latency includes
//! queueing, and the floor would creep up, and the limit after it; so now and then the limit is lowered
//! briefly to what the floor says is in service (limit × floor / latency, by Little's law) and the floor is
//! measured there, on live traffic. If latency does not come down with the limit, it is not queueing that
//! makes it high: the service has become slower, and the floor is forgotten.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use deepwater_core::random::Random;

use super::floor::Floor;
use super::{Concurrency, Limiter, Sample};
use crate::log_mean::LogMean;

/// Shortest time between two changes of the limit, nanoseconds.
const WINDOW: u64 = 100_000_000;
/// Requests a change of the limit rests on, at least.
const MIN_SAMPLES: u64 = 50;
/// How far the limit goes towards what a window asks for.
const SMOOTHING: f64 = 0.3;
/// How far the typical latency goes towards that of a window.
const TYPICAL_STEP: f64 = 0.5;
/// Time between two measurements of the floor, nanoseconds, plus up to 20 % so that many do not measure
/// together.
const PROBE_EVERY: u64 = 10_000_000_000;
/// The same, when the limit has come down to this share of what it was at the last.
const FALLEN: f64 = 0.7;
const PROBE_EVERY_WHEN_FALLEN: u64 = 1_000_000_000;
/// While measuring, the limit is this share of what is thought to be in service ...
const PROBE_SHARE: f64 = 0.9;
/// ... but no less than this of what it was: clients should not notice.
const PROBE_LEAST: f64 = 0.5;
/// Latency that comes down with the limit all the way is queueing, latency that stays is not; the line is
/// drawn here, between 0 and 1. Taken for not queueing, a latency is corrected by the next measurement;
/// taken for queueing, it takes the limit down.
const STILL_QUEUEING: f64 = 0.4;
/// Latency that rises like this while the limit is lowered tells nothing.
const RISING: f64 = 1.25;

#[derive(Debug)]
pub(crate) struct Gradient {
    latencies: LogMean,
    /// Most that were in flight in this window.
    peak: AtomicU32,
    window_ends: AtomicU64,
    /// Requests, in number, that must have ended before it closes.
    needs: AtomicU64,
    /// Those that end before this do not count: they met another limit.
    counts_from: AtomicU64,
    /// Typical latency, nanoseconds.
    typical: AtomicU64,
    control: Mutex<Control>,
}

/// What only changes of the limit need.
#[derive(Debug)]
struct Control {
    min: f64,
    max: f64,
    tolerance: f64,
    limit: f64,
    /// Smoothed latency, nanoseconds.
    typical: f64,
    floor: Floor,
    probe: Option<Probe>,
    probed_at: u64,
    probe_due: u64,
    /// The limit at the last measurement of the floor.
    reference: f64,
    random: Random,
}

/// A measurement of the floor under way.
#[derive(Debug)]
struct Probe {
    latency_before: f64,
    limit: f64,
}

impl Gradient {
    pub(crate) fn new(settings: &Concurrency, seed: u64) -> Self {
        let min = settings.min.max(1);
        let max = settings.max.max(min);
        let limit = f64::from(settings.initial.clamp(min, max));
        Self {
            latencies: LogMean::default(),
            peak: AtomicU32::new(0),
            window_ends: AtomicU64::new(0),
            needs: AtomicU64::new(MIN_SAMPLES),
            counts_from: AtomicU64::new(0),
            typical: AtomicU64::new(0),
            control: Mutex::new(Control {
                min: f64::from(min),
                max: f64::from(max),
                tolerance: settings.tolerance.max(1.0),
                limit,
                typical: 0.0,
                floor: Floor::default(),
                probe: None,
                probed_at: 0,
                probe_due: 0,
                reference: limit,
                random: Random::from_seed(seed),
            }),
        }
    }

    /// Closes a window and moves the limit.
    #[cold]
    fn close(&self, now: u64) -> Option<u32> {
        // Whoever holds it closes this very window.
        let mut control = self.control.try_lock().ok()?;
        if now < self.window_ends.load(Relaxed) {
            return None;
        }
        let seen = self.latencies.take()?;
        let peak = f64::from(self.peak.swap(0, Relaxed));
        let before = control.rounded();
        let latency = seen.geometric_mean;
        let (mut wait, mut needs) = (0, MIN_SAMPLES);
        if control.end_probe(now, latency) {
            wait = latency as u64;
        } else {
            control.floor.observe(now, latency, seen.count);
            control.typical += TYPICAL_STEP * (latency - control.typical);
            self.typical.store(control.typical as u64, Relaxed);
            control.follow(latency, peak);
            if control.begin_probe(now, peak) {
                // The queue, and all but a few of those admitted before, are gone by then.
                (wait, needs) = (latency as u64 * 3, 2 * MIN_SAMPLES);
            }
        }
        self.needs.store(needs, Relaxed);
        self.counts_from.store(now.saturating_add(wait), Relaxed);
        self.window_ends.store(now.saturating_add(WINDOW).saturating_add(wait), Relaxed);
        let after = control.rounded();
        (after != before).then_some(after)
    }
}

impl Control {
    fn rounded(&self) -> u32 {
        self.limit.clamp(self.min, self.max).round() as u32
    }

    fn follow(&mut self, latency: f64, peak: f64) {
        // A limit that is not used says nothing about how high it may be.
        if peak * 2.0 < self.limit {
            return;
        }
        let floor = self.floor.get().unwrap_or(latency);
        let gradient = (self.tolerance * floor / latency).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + self.limit.sqrt();
        self.limit = (self.limit + SMOOTHING * (wanted - self.limit)).clamp(self.min, self.max);
    }

    /// Lowers the limit to measure the floor, if it is time and the limit is in use: otherwise every
    /// latency measures it.
    fn begin_probe(&mut self, now: u64, peak: f64) -> bool {
        let fallen = self.limit < FALLEN * self.reference
            && now.saturating_sub(self.probed_at) >= PROBE_EVERY_WHEN_FALLEN;
        if !(fallen || now >= self.probe_due) || peak < 0.9 * self.limit {
            return false;
        }
        let latency = self.typical;
        let floor = self.floor.get().unwrap_or(latency);
        let share = (PROBE_SHARE * floor / latency).clamp(PROBE_LEAST, PROBE_SHARE);
        self.probe = Some(Probe { latency_before: latency, limit: self.limit });
        self.limit = (self.limit * share).max(self.min);
        true
    }

    /// Takes what was measured and puts the limit back; `false` when nothing was being measured.
    fn end_probe(&mut self, now: u64, latency: f64) -> bool {
        let Some(probe) = self.probe.take() else { return false };
        let lowered = self.limit / probe.limit;
        let queueing = lowered + (1.0 - lowered) * STILL_QUEUEING;
        let ratio = latency / probe.latency_before;
        let jitter = 0.2 * self.random.unit();
        let mut next = PROBE_EVERY as f64 * (1.0 + jitter);
        if ratio < queueing {
            self.floor.believe(now, latency);
        } else if ratio < RISING {
            self.floor.reset(now, latency);
        } else {
            // Load or latency rose in the middle of it.
            next = PROBE_EVERY_WHEN_FALLEN as f64;
        }
        self.limit = probe.limit;
        self.reference = probe.limit;
        self.probed_at = now;
        self.probe_due = now.saturating_add(next as u64);
        true
    }
}

impl Limiter for Gradient {
    fn initial(&self) -> u32 {
        self.control.lock().expect("no panic while a limit moves").rounded()
    }

    fn observe(&self, sample: &Sample) -> Option<u32> {
        let Sample { now, latency, in_flight, dropped } = *sample;
        if now < self.counts_from.load(Relaxed)
            // Failing fast is not being fast.
            || dropped && latency < self.typical.load(Relaxed)
        {
            return None;
        }
        let count = self.latencies.add(latency);
        if in_flight > self.peak.load(Relaxed) {
            self.peak.fetch_max(in_flight, Relaxed);
        }
        if count < self.needs.load(Relaxed) || now < self.window_ends.load(Relaxed) {
            return None;
        }
        self.close(now)
    }
}
