//! Posting changes, one after the other.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use deepwater_core::Context;
use deepwater_core::config::SecretValue;
use deepwater_core::random::Random;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::event::{WebhookFailed, WebhookRecovered};
use super::queue::Outcome;
use super::{Change, Config, Shared, WebhookError};
use crate::out::post::{Answer, Destination, Files, PostError};

/// One post takes no longer.
const DEADLINE: Duration = Duration::from_secs(5);
/// Posts after the first.
const RETRIES: u32 = 3;
/// Before the first of them; doubled for each further.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A receiver that wants to be left alone for longer is asked again after this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Who is told.
pub(super) struct Receiver {
    destination: Destination,
    headers: HeaderMap,
}

/// Why a post was in vain.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Post(#[from] PostError),
    #[error("the answer is {}, expected 2xx{}", .0.status.as_u16(), redirects(.0.status))]
    Status(Answer),
}

fn redirects(status: StatusCode) -> &'static str {
    if status.is_redirection() { " (redirects are not followed)" } else { "" }
}

impl Refused {
    /// Whether the same post may be taken later.
    fn is_passing(&self) -> bool {
        match self {
            Self::Post(_) => true,
            Self::Status(answer) => {
                let status = answer.status;
                status.is_server_error()
                    || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            }
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Post(_) => None,
            Self::Status(answer) => answer.retry_after,
        }
    }
}

impl Receiver {
    pub(super) fn new(config: &Config, directory: &Path) -> Result<Self, WebhookError> {
        let resolve = |key, secret: &deepwater_core::config::Secret| {
            secret.resolve(directory).map_err(|source| WebhookError::Secret { key, source })
        };
        let url = resolve("url", &config.url)?;
        let token = config.token.as_ref().map(|token| resolve("token", token)).transpose()?;
        let destination =
            Destination::parse(url.expose(), &Files::default(), directory).map_err(WebhookError::Url)?;
        Ok(Self { destination, headers: headers(token.as_ref())? })
    }

    async fn post(&self, body: Bytes, wall: SystemTime) -> Result<(), Refused> {
        let answer = self.destination.post(&self.headers, body, DEADLINE, wall).await?;
        if answer.status.is_success() { Ok(()) } else { Err(Refused::Status(answer)) }
    }
}

fn headers(token: Option<&SecretValue>) -> Result<HeaderMap, WebhookError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static("deepwater/webhook"));
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
        let mut value = value.map_err(|_| WebhookError::Token)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// Delivers until the process has drained.
pub(super) async fn run(shared: Arc<Shared>, context: Context) {
    let mut courier = Courier {
        random: Random::from_seed(context.seed ^ u64::from_be_bytes(*b"webhooks")),
        lost: None,
        context: context.clone(),
        shared,
    };
    tokio::select! {
        () = courier.run() => {}
        () = context.shutdown.drained() => {}
    }
}

struct Courier {
    shared: Arc<Shared>,
    context: Context,
    random: Random,
    /// How many changes were lost since one was taken, once that was told.
    lost: Option<u64>,
}

impl Courier {
    async fn run(&mut self) {
        loop {
            let change = self.shared.queue.next().await;
            // Whoever is configured now: a change that waited belongs to no receiver yet.
            match self.shared.receiver.load_full() {
                Some(receiver) => self.deliver(&receiver, &change).await,
                None => self.shared.queue.count(Outcome::Dropped),
            }
        }
    }

    async fn deliver(&mut self, receiver: &Receiver, change: &Change) {
        // Values of JSON have a text form.
        let body = Bytes::from(serde_json::to_vec(change).unwrap_or_default());
        let mut attempt = 0;
        let result = loop {
            let result = receiver.post(body.clone(), self.context.clock.wall()).await;
            match result {
                Err(refused) if refused.is_passing() && attempt < RETRIES => {
                    let pause = self.pause(attempt, refused.retry_after());
                    attempt += 1;
                    self.shared.queue.count_retry();
                    tokio::time::sleep(pause).await;
                }
                result => break result,
            }
        };
        let shown = receiver.destination.shown();
        match result {
            Ok(()) => {
                self.shared.queue.count(Outcome::Delivered);
                if let Some(lost) = self.lost.take() {
                    self.context.events.emit(WebhookRecovered { receiver: shown, lost });
                }
            }
            Err(refused) => {
                self.shared.queue.count(Outcome::Failed);
                if self.lost.is_none() {
                    let reason = refused.to_string();
                    self.context.events.emit(WebhookFailed { receiver: shown, reason });
                }
                self.lost = Some(self.lost.unwrap_or(0) + 1);
            }
        }
    }

    /// From half to the whole of 0.5, 1 and 2 s, so that many processes do not post in step; no shorter than asked for.
    fn pause(&mut self, attempt: u32, asked: Option<Duration>) -> Duration {
        let whole = FIRST_PAUSE * 2_u32.saturating_pow(attempt);
        let drawn = whole.mul_f64(0.5 + self.random.unit() / 2.0);
        drawn.max(asked.unwrap_or_default()).min(LONGEST_PAUSE)
    }
}
