//! A limit that follows latency: up while requests are served as fast as ever, down when they queue (the
//! gradient of Netflix's and Envoy's adaptive concurrency).
//!
//! For each window of a tenth of a second or more, `limit × g + √limit` with
//! `g = clamp(tolerance × floor / latency, ½, 1)`, smoothed. Under lasting overload every latency includes
//! queueing, and the floor would creep up, and the limit after it; so now and then the limit is lowered
//! briefly to what the floor says is in service (limit × floor / latency, by Little's law) and the floor is
//! measured there, on live traffic. If latency does not come down with the limit, it is not queueing that
//! makes it high: the service has become slower, or is asked for dearer things, and the floor is forgotten.
//!
//! A limit that holds nobody back does not go down, however slow answers are: it would refuse requests of a
//! service that bears what it is asked. Nor need anything be measured then, since no more is in flight than
//! clients want: latency that stays high in such calm is the floor (see [`Calm`]).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use deepwater_core::random::Random;

use super::calm::Calm;
use super::floor::Floor;
use super::{Concurrency, Limiter, Sample};
use crate::log_mean::LogMean;

/// Shortest time between two changes of the limit, nanoseconds.
const WINDOW: u64 = 100_000_000;
/// Requests a change of the limit rests on, at least.
const MIN_SAMPLES: u64 = 50;
/// How far the limit goes towards what a window asks for.
const SMOOTHING: f64 = 0.3;
/// Share of requests that end at the limit from which on the limit goes down at full pace.
const FULLY_USED: f64 = 0.2;
/// The same, from which on it is measured whether it should.
const USED: f64 = 0.05;
/// Share of the limit that is never in flight while it holds nobody back.
const CALM: f64 = 0.8;
/// Latency of so many times what is tolerated is measured at once.
const DOUBTFUL: f64 = 3.0;
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
    /// The limit in force.
    limit: AtomicU32,
    /// Most that were in flight in this window.
    peak: AtomicU32,
    /// Requests of this window that ended while as many were in flight as may be.
    at_limit: AtomicU32,
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
    calm: Calm,
    /// Whether the floor is what was typical of a calm, not what was measured.
    tentative: bool,
    /// Whether the floor has just been found to be higher: the limit is on its way up.
    regaining: bool,
    probe: Option<Probe>,
    probed_at: u64,
    probe_due: u64,
    /// The limit at the last measurement of the floor.
    reference: f64,
    random: Random,
}

/// What a window has shown.
#[derive(Debug, Clone, Copy)]
struct Seen {
    count: u64,
    /// Nanoseconds.
    latency: f64,
    /// Most that were in flight.
    peak: f64,
    /// Share of the requests that ended at the limit.
    used: f64,
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
        let initial = settings.initial.clamp(min, max);
        let limit = f64::from(initial);
        Self {
            latencies: LogMean::default(),
            limit: AtomicU32::new(initial),
            peak: AtomicU32::new(0),
            at_limit: AtomicU32::new(0),
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
                calm: Calm::default(),
                tentative: false,
                regaining: false,
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
        let typical = self.latencies.take()?;
        let seen = Seen {
            count: typical.count,
            latency: typical.geometric_mean,
            peak: f64::from(self.peak.swap(0, Relaxed)),
            used: f64::from(self.at_limit.swap(0, Relaxed)) / typical.count as f64,
        };
        let before = control.rounded();
        let (mut wait, mut needs) = (0, MIN_SAMPLES);
        if control.end_probe(now, seen.latency) {
            wait = seen.latency as u64;
        } else {
            control.learn(now, &seen);
            self.typical.store(control.typical as u64, Relaxed);
            control.follow(&seen);
            if control.begin_probe(now, &seen) {
                // The queue, and all but a few of those admitted before, are gone by then.
                (wait, needs) = (seen.latency as u64 * 3, 2 * MIN_SAMPLES);
            }
        }
        self.needs.store(needs, Relaxed);
        self.counts_from.store(now.saturating_add(wait), Relaxed);
        self.window_ends.store(now.saturating_add(WINDOW).saturating_add(wait), Relaxed);
        let after = control.rounded();
        self.limit.store(after, Relaxed);
        (after != before).then_some(after)
    }
}

impl Control {
    fn rounded(&self) -> u32 {
        self.limit.clamp(self.min, self.max).round() as u32
    }

    /// Takes what a window shows of the floor.
    fn learn(&mut self, now: u64, seen: &Seen) {
        self.typical += TYPICAL_STEP * (seen.latency - self.typical);
        self.floor.observe(now, seen.latency, seen.count);
        let held_back = seen.peak >= CALM * self.limit;
        if let Some(latency) = self.calm.observe(now, seen.latency, seen.count, held_back)
            && self.excess(latency) > 1.0
        {
            self.raise_floor(now, latency);
            self.tentative = true;
        }
    }

    /// Forgets the floor for another.
    fn raise_floor(&mut self, now: u64, latency: f64) {
        self.regaining = self.excess(latency) > DOUBTFUL;
        self.floor.reset(now, latency);
    }

    /// How many times what is tolerated a latency is.
    fn excess(&self, latency: f64) -> f64 {
        latency / (self.tolerance * self.floor.get().unwrap_or(latency))
    }

    fn follow(&mut self, seen: &Seen) {
        // A limit that is not used says nothing about how high it may be; nor does a latency that may be queueing.
        if seen.peak < self.limit * if self.tentative { CALM } else { 0.5 } {
            self.regaining = false;
            return;
        }
        let gradient = self.excess(seen.latency).recip().clamp(0.5, 1.0);
        self.regaining &= gradient == 1.0;
        let change = self.limit * gradient + self.limit.sqrt() - self.limit;
        let step = if self.regaining {
            1.0
        } else if change < 0.0 {
            SMOOTHING * (seen.used / FULLY_USED).min(1.0)
        } else {
            SMOOTHING
        };
        self.limit = (self.limit + step * change).clamp(self.min, self.max);
    }

    /// Lowers the limit to measure the floor, if it is time and the limit is in use: otherwise every
    /// latency measures it.
    fn begin_probe(&mut self, now: u64, seen: &Seen) -> bool {
        let soon = self.limit < FALLEN * self.reference || self.excess(seen.latency) > DOUBTFUL;
        let due =
            now >= self.probe_due || soon && now.saturating_sub(self.probed_at) >= PROBE_EVERY_WHEN_FALLEN;
        if !due || seen.used < USED {
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
            self.raise_floor(now, latency);
        } else {
            // Load or latency rose in the middle of it.
            self.typical = latency;
            next = PROBE_EVERY_WHEN_FALLEN as f64;
        }
        self.tentative = false;
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
        if in_flight >= self.limit.load(Relaxed) {
            self.at_limit.fetch_add(1, Relaxed);
        }
        if count < self.needs.load(Relaxed) || now < self.window_ends.load(Relaxed) {
            return None;
        }
        self.close(now)
    }
}
