//! Posting batches, one at a time.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use deepwater_core::Context;
use deepwater_core::metrics::{Counter, Registry};
use deepwater_core::random::Random;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::convert::{Span, batch};
use super::event::{OtlpExportFailed, OtlpExportRecovered, OtlpPointsRejected, OtlpStarted};
use super::message::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse, Resource, Status};
use super::resource;
use super::settings::Target;
use crate::console::Build;
use crate::out::post::{Answer, PostError};

/// Before the first repetition; doubled for each further.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// No pause of our own is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A collector that wants to be left alone for longer is asked again after this.
const LONGEST_REST: Duration = Duration::from_secs(600);
/// Characters of a collector's own words that are told.
const WORDS: usize = 200;

/// What sends a process's metrics.
pub(super) struct Exporter {
    target: Target,
    resource: Resource,
    version: &'static str,
    /// Since when totals add up.
    started: SystemTime,
    context: Context,
    random: Random,
    exported: Counter,
    failed: Counter,
    rejected: Counter,
    /// The collector wants to be left alone until then.
    rests_until: Option<Instant>,
    /// Whether the last post was in vain, which was told then.
    failing: bool,
    /// Whether points of the last batch were rejected, which was told then.
    rejecting: bool,
}

/// Why a post was in vain.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Post(#[from] PostError),
    #[error("the answer is {}, expected 200{}", .0.status.as_u16(), words(&.0.body))]
    Status(Answer),
}

impl Refused {
    /// Whether the same batch may be taken later (OTLP/HTTP, "Retryable response codes").
    fn is_passing(&self) -> bool {
        match self {
            Self::Post(_) => true,
            Self::Status(answer) => matches!(
                answer.status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Post(_) => None,
            Self::Status(answer) => answer.retry_after,
        }
    }
}

/// What the collector says, when it says it as the protocol asks.
fn words(body: &Bytes) -> String {
    let message = Status::decode(body.clone()).map(|status| status.message).unwrap_or_default();
    if message.is_empty() { message } else { format!(": {}", shortened(&message)) }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(WORDS).collect()
}

impl Exporter {
    pub(super) fn new(mut target: Target, build: Build, context: &Context) -> Self {
        complete(&mut target.headers, build.version, target.gzip);
        let counter = |outcome| exports(&context.metrics, outcome);
        let help = "Data points that the collector did not take out of batches it took.";
        Self {
            resource: resource::of_this_process(std::mem::take(&mut target.attributes), build),
            version: build.version,
            started: context.clock.wall(),
            random: Random::from_seed(context.seed ^ u64::from_be_bytes(*b"exporter")),
            exported: counter("exported"),
            failed: counter("failed"),
            rejected: context.metrics.counter("deepwater_lens_otlp_rejected_points_total", help, &[]),
            rests_until: None,
            failing: false,
            rejecting: false,
            context: context.clone(),
            target,
        }
    }

    /// Exports until told to close, or forgotten; then once more.
    pub(super) async fn run(mut self, mut close: watch::Receiver<bool>) {
        let (collector, interval) = (self.target.destination.shown(), self.target.interval);
        self.context.events.emit(OtlpStarted { collector, seconds: interval.as_secs_f64() });
        let mut due = Instant::now() + interval;
        loop {
            tokio::select! {
                () = sleep_until(due) => {}
                _ = close.wait_for(|close| *close) => break,
            }
            due = Instant::now() + interval;
            let body = self.body();
            let delivered = tokio::select! {
                delivered = timeout_at(due, self.deliver(body)) => delivered.unwrap_or(false),
                _ = close.wait_for(|close| *close) => break,
            };
            let counter = if delivered { &self.exported } else { &self.failed };
            counter.increment();
        }
        let body = self.body();
        // Nobody reads the counters any more, and the log has been told what can be done about it.
        let _ = self.post(body).await;
    }

    /// Everything there is now, as it goes over the wire.
    fn body(&self) -> Bytes {
        let span = Span::between(self.started, self.context.clock.wall());
        let families = self.context.metrics.read();
        let batch = batch(&families, span, self.resource.clone(), self.version).encode_to_vec();
        if self.target.gzip { compressed(&batch) } else { batch.into() }
    }

    /// Posts a batch until it is taken or refused; whether it was taken.
    async fn deliver(&mut self, body: Bytes) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            // Kept beyond this batch, should the next replace it meanwhile.
            if let Some(end) = self.rests_until {
                sleep_until(end).await;
            }
            let refused = match self.post(body.clone()).await {
                Ok(answer) => {
                    self.taken(&answer);
                    return true;
                }
                Err(refused) => refused,
            };
            if !self.failing {
                self.failing = true;
                let (collector, reason) = (self.target.destination.shown(), refused.to_string());
                self.context.events.emit(OtlpExportFailed { collector, reason });
            }
            if !refused.is_passing() {
                return false;
            }
            // Drawn, so that many processes do not post in step.
            let drawn = pause.mul_f64(0.5 + self.random.unit() / 2.0);
            let rest = refused.retry_after().unwrap_or(drawn).min(LONGEST_REST);
            self.rests_until = Some(Instant::now() + rest);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn post(&mut self, body: Bytes) -> Result<Answer, Refused> {
        let Target { destination, headers, timeout, .. } = &self.target;
        let answer = destination.post(headers, body, *timeout, self.context.clock.wall()).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(Refused::Status(answer)) }
    }

    fn taken(&mut self, answer: &Answer) {
        let collector = self.target.destination.shown();
        if std::mem::take(&mut self.failing) {
            self.context.events.emit(OtlpExportRecovered { collector: collector.clone() });
        }
        let partial = ExportMetricsServiceResponse::decode(answer.body.clone()).unwrap_or_default();
        let ExportMetricsPartialSuccess { rejected_data_points: points, error_message } =
            partial.partial_success.unwrap_or_default();
        let Some(count) = u64::try_from(points).ok().filter(|count| *count > 0) else {
            self.rejecting = false;
            return;
        };
        self.rejected.add(count);
        if !std::mem::replace(&mut self.rejecting, true) {
            let reason = shortened(&error_message);
            self.context.events.emit(OtlpPointsRejected { collector, points, reason });
        }
    }
}

fn exports(metrics: &Registry, outcome: &str) -> Counter {
    let help = "Batches of metrics for the OpenTelemetry collector, by what became of them.";
    metrics.counter("deepwater_lens_otlp_exports_total", help, &[("outcome", outcome)])
}

/// Adds what every batch is sent with.
fn complete(headers: &mut HeaderMap, version: &str, gzip: bool) {
    if let Ok(agent) = HeaderValue::try_from(format!("deepwater/{version}")) {
        headers.entry(USER_AGENT).or_insert(agent);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

fn compressed(bytes: &[u8]) -> Bytes {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Memory takes everything.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}
