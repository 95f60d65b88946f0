//! Customers for the shop: an open-loop load driver, small enough to run beside what it drives.
//!
//! Arrivals follow a Poisson process at a settable rate and do not wait for earlier answers, as customers
//! do not. Latency counts from the moment a request was due, so a slow server cannot hide behind requests
//! that were never sent ("coordinated omission").

mod arrivals;
mod connection;
mod cookies;
mod histogram;
mod mix;
mod rush;
mod tally;
mod visitor;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::random::SplitMix64;
use arrivals::Arrivals;
use connection::Target;
pub use connection::TargetError;
pub use rush::{Rush, RushAccount, Wanted};
use tally::Tally;
pub use tally::{InstanceShare, Snapshot};
use visitor::Visitor;

/// How long requests under way may take to finish when the driver is stopped.
const STOP_DEADLINE: Duration = Duration::from_secs(1);

/// Who comes to the shop, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// The one address everything is sent to, like `http://127.0.0.1:8080`.
    pub target: String,
    /// Requests per second to begin with.
    pub rate: f64,
    /// How many visitors are around at the least, each with a connection and cookies of its own.
    pub visitors: usize,
    /// How many requests may be under way at a time. A request due beyond that is dropped and counted.
    pub max_in_flight: usize,
    /// Seed of everything random: arrivals and what visitors do.
    pub seed: u64,
}

impl LoadOptions {
    /// 64 visitors, at most 512 requests under way.
    pub fn new(target: impl Into<String>, rate: f64) -> Self {
        Self { target: target.into(), rate, visitors: 64, max_in_flight: 512, seed: 1 }
    }
}

/// A running load. Dropping it cuts everything off; [`Load::stop`] ends it in order.
#[derive(Debug)]
pub struct Load {
    rate: watch::Sender<f64>,
    stop: watch::Sender<bool>,
    tally: Arc<Tally>,
    driver: JoinHandle<()>,
}

impl Load {
    /// Starts sending, on the current tokio runtime.
    ///
    /// # Errors
    /// When the target is not an `http://` address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: LoadOptions) -> Result<Self, TargetError> {
        let target = Arc::new(Target::parse(&options.target)?);
        let tally = Arc::new(Tally::new(Instant::now()));
        let (rate, rates) = watch::channel(options.rate);
        let (stop, stopped) = watch::channel(false);
        let crowd = Crowd {
            visitors: options.visitors.min(options.max_in_flight),
            max_in_flight: options.max_in_flight,
            random: SplitMix64::new(options.seed),
            idle: VecDeque::new(),
            under_way: JoinSet::new(),
            target,
            tally: tally.clone(),
        };
        let arrivals = Arrivals::new(options.rate, SplitMix64::new(!options.seed));
        let driver = tokio::spawn(crowd.drive(arrivals, rates, stopped));
        Ok(Self { rate, stop, tally, driver })
    }

    /// Changes the rate, in requests per second, from now on. 0 pauses.
    pub fn set_rate(&self, rate: f64) {
        self.rate.send_replace(rate);
    }

    /// The rate asked for, in requests per second.
    pub fn rate(&self) -> f64 {
        *self.rate.borrow()
    }

    /// What has happened so far, and over the last ten seconds.
    pub fn snapshot(&self) -> Snapshot {
        self.tally.snapshot(Instant::now(), self.rate())
    }

    /// Resolves once at least `count` requests have ended, well or badly.
    pub async fn finished(&self, count: u64) {
        self.tally.finished(count).await;
    }

    /// Sends nothing more, lets requests under way finish for at most a second and closes all connections.
    /// Returns the final account.
    pub async fn stop(mut self) -> Snapshot {
        self.stop.send_replace(true);
        // The driver ends by itself within its deadline; should it have panicked, it has ended as well.
        let _ = (&mut self.driver).await;
        self.snapshot()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The visitors, and what they have under way. A visitor sends one request at a time, so the number of
/// visitors bounds connections and requests alike.
struct Crowd {
    visitors: usize,
    max_in_flight: usize,
    random: SplitMix64,
    /// First in, first out: work goes round, so that every visitor's stickiness counts.
    idle: VecDeque<Visitor>,
    under_way: JoinSet<Visitor>,
    target: Arc<Target>,
    tally: Arc<Tally>,
}

impl Crowd {
    async fn drive(
        mut self,
        mut arrivals: Arrivals,
        mut rates: watch::Receiver<f64>,
        mut stopped: watch::Receiver<bool>,
    ) {
        loop {
            tokio::select! {
                _ = stopped.changed() => break,
                _ = rates.changed() => {
                    let rate = *rates.borrow_and_update();
                    arrivals.set_rate(rate, Instant::now());
                }
                Some(back) = self.under_way.join_next() => self.idle.extend(back.ok().filter(Visitor::stays)),
                () = sleep_until(arrivals.next()) => {
                    for due in arrivals.take_due(Instant::now()) {
                        self.send(due);
                    }
                }
            }
        }
        self.idle.clear();
        // What is still under way after the deadline is cut off when the set is dropped.
        let _ = timeout(STOP_DEADLINE, async { while self.under_way.join_next().await.is_some() {} }).await;
    }

    fn send(&mut self, due: Instant) {
        match self.next_visitor() {
            Some(visitor) => {
                let ticket = self.tally.sent();
                self.under_way.spawn(visitor.act(self.target.clone(), ticket, due));
            }
            None => self.tally.dropped(),
        }
    }

    /// Somebody new while there are few; else whoever has waited longest; else somebody new while there is room.
    fn next_visitor(&mut self) -> Option<Visitor> {
        let present = self.idle.len() + self.under_way.len();
        let waiting = if present < self.visitors { None } else { self.idle.pop_front() };
        waiting.or_else(|| (present < self.max_in_flight).then(|| Visitor::new(self.random.next_u64())))
    }
}
