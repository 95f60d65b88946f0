//! A rush: many visitors who all want the same thing, and look again and again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::connection::{Connection, OutgoingRequest, Target, TargetError};
use super::histogram::Histogram;
use crate::random::SplitMix64;

/// For one answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// A visitor who has seen the page reads for half of this to one and a half times as long.
const READING: Duration = Duration::from_millis(200);

/// What everybody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Path with query.
    pub path: String,
    /// Sent as a POST, when there is any.
    pub json: Option<String>,
    /// What they call themselves (`User-Agent`), if anything.
    pub agent: Option<String>,
}

/// Visitors who want the same thing. Each has a connection, which is kept between looks, and no cookies. Dropping
/// them cuts everything off.
pub struct Rush {
    target: Arc<Target>,
    request: OutgoingRequest,
    visitors: Vec<Onlooker>,
}

/// What a rush came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RushAccount {
    /// Requests that ended, well or badly.
    pub requests: u64,
    /// Those without a good answer: broken off, refused, later than 10 s, or with a status from 400 on.
    pub failed: u64,
    /// Time to the end of an answer: the median.
    pub p50: Option<Duration>,
    /// The 99th percentile.
    pub p99: Option<Duration>,
    /// The same of good answers alone.
    pub good_p50: Option<Duration>,
    /// The 99th percentile of good answers.
    pub good_p99: Option<Duration>,
    /// How long the others took: the median.
    pub failed_p50: Option<Duration>,
}

impl RushAccount {
    /// Requests with a good answer.
    pub fn good(&self) -> u64 {
        self.requests.saturating_sub(self.failed)
    }
}

struct Onlooker {
    connection: Connection,
    random: SplitMix64,
}

#[derive(Default)]
struct Seen {
    good: Histogram,
    failed: Histogram,
}

impl Rush {
    /// Gathers so many visitors before an address like `http://127.0.0.1:8080`. They have not asked for anything yet.
    ///
    /// # Errors
    /// When the target is not an `http://` address, or the path or name none.
    pub fn new(target: &str, wanted: &Wanted, visitors: usize, seed: u64) -> Result<Self, TargetError> {
        let refused = || TargetError::new(format!("{target}{}", wanted.path));
        let address = Target::parse(target)?;
        let mut request = Request::new(Full::new(Bytes::from(wanted.json.clone().unwrap_or_default())));
        *request.uri_mut() = wanted.path.parse().map_err(|_| refused())?;
        request.headers_mut().insert(HOST, address.host.clone());
        if let Some(agent) = &wanted.agent {
            let agent = HeaderValue::from_str(agent).map_err(|_| TargetError::new(agent.clone()))?;
            request.headers_mut().insert(USER_AGENT, agent);
        }
        if wanted.json.is_some() {
            *request.method_mut() = Method::POST;
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let mut random = SplitMix64::new(seed);
        let visitor =
            || Onlooker { connection: Connection::default(), random: SplitMix64::new(random.next_u64()) };
        let visitors = std::iter::repeat_with(visitor).take(visitors).collect();
        Ok(Self { target: Arc::new(address), request, visitors })
    }

    /// One visitor looks once: how long the answer took, or `None` without a good one.
    pub async fn one(&mut self) -> Option<Duration> {
        let visitor = self.visitors.first_mut()?;
        let begun = Instant::now();
        visitor.look(&self.target, &self.request).await.then(|| begun.elapsed())
    }

    /// All come within the time it takes to read, look again and again, and stop after so long. Returns when the last
    /// answer is there.
    pub async fn all(&mut self, lasts: Duration) -> RushAccount {
        // What is measured is the page, not the way to it. Who cannot connect tells so when looking.
        for visitor in &mut self.visitors {
            let _ = timeout(DEADLINE, visitor.connection.open(&self.target)).await;
        }
        let begins = Instant::now();
        let mut looking = JoinSet::new();
        for visitor in self.visitors.drain(..) {
            let (target, request) = (self.target.clone(), self.request.clone());
            looking.spawn(visitor.look_around(target, request, begins, begins + lasts));
        }
        let mut all = Seen::default();
        while let Some(ended) = looking.join_next().await {
            // A panic would be a fault of this file, and told by the runtime; the others go on.
            let Ok((visitor, seen)) = ended else { continue };
            all.good.add(&seen.good);
            all.failed.add(&seen.failed);
            self.visitors.push(visitor);
        }
        let Seen { good, failed } = all;
        let mut both = good.clone();
        both.add(&failed);
        RushAccount {
            requests: both.count(),
            failed: failed.count(),
            p50: both.quantile(0.50),
            p99: both.quantile(0.99),
            good_p50: good.quantile(0.50),
            good_p99: good.quantile(0.99),
            failed_p50: failed.quantile(0.50),
        }
    }
}

impl Onlooker {
    async fn look_around(
        mut self,
        target: Arc<Target>,
        request: OutgoingRequest,
        begins: Instant,
        ends: Instant,
    ) -> (Self, Seen) {
        let mut seen = Seen::default();
        let mut next = begins + READING.mul_f64(self.random.unit());
        while next < ends {
            sleep_until(next).await;
            let begun = Instant::now();
            let good = self.look(&target, &request).await;
            let of_its_kind = if good { &mut seen.good } else { &mut seen.failed };
            of_its_kind.record(begun.elapsed());
            next = Instant::now() + READING.mul_f64(self.random.between(0.5, 1.5));
        }
        (self, seen)
    }

    /// Whether there was a good answer.
    async fn look(&mut self, target: &Target, request: &OutgoingRequest) -> bool {
        match timeout(DEADLINE, self.connection.exchange(target, request.clone())).await {
            Ok(Ok(response)) => response.status < StatusCode::BAD_REQUEST,
            Ok(Err(_)) | Err(_) => {
                self.connection.close();
                false
            }
        }
    }
}
