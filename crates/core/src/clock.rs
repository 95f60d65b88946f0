//! Time, handed down: production reads the system, a test turns the hands itself.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

/// Where a plane reads the time.
pub trait Clock: Send + Sync {
    /// Monotonic time, for durations and deadlines.
    fn now(&self) -> Instant;
    /// Civil time, for logs and HTTP dates; may step.
    fn wall(&self) -> SystemTime;
}

/// The system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock {
    start: Instant,
    start_wall: SystemTime,
    elapsed: Mutex<Duration>,
}

impl ManualClock {
    /// A clock that stands at the given civil time.
    pub fn at(wall: SystemTime) -> Self {
        Self { start: Instant::now(), start_wall: wall, elapsed: Mutex::new(Duration::ZERO) }
    }

    /// Moves both hands forward.
    pub fn advance(&self, by: Duration) {
        *self.elapsed.lock().expect("no panic while the clock is held") += by;
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().expect("no panic while the clock is held")
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.start + self.elapsed()
    }

    fn wall(&self) -> SystemTime {
        self.start_wall + self.elapsed()
    }
}
