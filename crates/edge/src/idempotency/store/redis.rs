//! Keys in a Redis that nodes share. Each core has one connection of its own; its steps go over it side by side.

mod scripts;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, ScriptInvocation, TlsCertificates, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::config::UnknownOutcome;
use crate::idempotency::answer::Kept;
use crate::idempotency::digest::Digest;

use super::{Begun, Hold, Owner, Step, Store, StoreError, Terms};
use scripts::Scripts;

/// Which Redis, and how it is used.
#[derive(Clone)]
pub(crate) struct RedisPlan {
    client: Client,
    prefix: Arc<str>,
    timeout: Duration,
}

/// Why a Redis cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedisFault {
    /// It is not a URL of one. The URL is not repeated: it may hold a password.
    #[error("it is not the URL of a Redis")]
    Url,
    /// A connection without TLS has no certificates.
    #[error("only a `rediss://` server has certificates")]
    NoTls,
}

impl RedisPlan {
    /// The Redis of a URL; `authorities` (PEM) are whom its certificate is trusted by, in place of the system's.
    ///
    /// # Errors
    /// When the URL is none, or certificates are given for a server without TLS.
    pub fn new(
        url: &str,
        authorities: Option<Vec<u8>>,
        prefix: &str,
        timeout: Duration,
    ) -> Result<Self, RedisFault> {
        let is_tls = url.starts_with("rediss://");
        if !(is_tls || url.starts_with("redis://")) {
            return Err(RedisFault::Url);
        }
        if authorities.is_some() && !is_tls {
            return Err(RedisFault::NoTls);
        }
        let certificates = || TlsCertificates { client_tls: None, root_cert: authorities };
        let client = if is_tls { Client::build_with_tls(url, certificates()) } else { Client::open(url) };
        let client = client.map_err(|_| RedisFault::Url)?;
        Ok(Self { client, prefix: prefix.into(), timeout })
    }
}

/// One core's way to the keys.
pub(crate) struct Redis {
    plan: RedisPlan,
    scripts: Scripts,
    /// Opened when it is needed, and given up when it fails.
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Redis {
    /// Not yet connected.
    pub fn new(plan: RedisPlan) -> Self {
        Self { plan, scripts: Scripts::new(), connection: Mutex::new(None) }
    }

    fn key(&self, lookup: &Digest) -> String {
        [&self.plan.prefix, &lookup.hex()[..]].concat()
    }

    /// Runs a script, within the time a step may take. A connection that was kept and turns out to be dead is replaced
    /// once: every step may be repeated.
    async fn run(&self, script: &ScriptInvocation<'_>) -> Result<Value, StoreError> {
        let running = async {
            let (mut connection, was_kept) = self.connect().await?;
            match script.invoke_async(&mut connection).await {
                Err(error) if is_broken(&error) && was_kept => {
                    self.give_up().await;
                    let (mut connection, _) = self.connect().await?;
                    script.invoke_async(&mut connection).await
                }
                ran => ran,
            }
        };
        let Ok(ran) = timeout(self.plan.timeout, running).await else {
            // It may hang for good: the next step finds out over another connection.
            self.give_up().await;
            return Err(StoreError(format!("no answer within {:?}", self.plan.timeout)));
        };
        if ran.as_ref().is_err_and(is_broken) {
            self.give_up().await;
        }
        ran.map_err(|error| StoreError(error.to_string()))
    }

    /// The connection, and whether it was open already.
    async fn connect(&self) -> Result<(MultiplexedConnection, bool), RedisError> {
        // Held while connecting, so that all who wait share one attempt.
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok((connection.clone(), true));
        }
        // Steps have their own deadline.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connection = self.plan.client.get_multiplexed_async_connection_with_config(&config).await?;
        *kept = Some(connection.clone());
        Ok((connection, false))
    }

    async fn give_up(&self) {
        // Whoever connects now is about to replace it.
        if let Ok(mut kept) = self.connection.try_lock() {
            *kept = None;
        }
    }

    async fn hold(&self, script: &ScriptInvocation<'_>) -> Result<Hold, StoreError> {
        match self.run(script).await? {
            Value::Int(1) => Ok(Hold::Held),
            Value::Int(0) => Ok(Hold::Lost),
            other => Err(unexpected(&other)),
        }
    }
}

/// Whether an error speaks of the connection rather than of the step.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.kind() == ErrorKind::Parse
}

fn unexpected(value: &Value) -> StoreError {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::Array(_) => "a list",
        _ => "something",
    };
    StoreError(format!("the script returned {kind} that it never returns"))
}

/// Whole milliseconds, at least one: Redis forgets at once what is to be kept for none.
fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 50)
}

fn read_begun(value: Value) -> Result<Begun, StoreError> {
    let Value::Array(items) = &value else { return Err(unexpected(&value)) };
    let Some(Value::BulkString(word)) = items.first() else { return Err(unexpected(&value)) };
    match (&word[..], items.get(1)) {
        (b"fresh", None) => Ok(Begun::Fresh),
        (b"mismatch", None) => Ok(Begun::Mismatch),
        (b"unknown", None) => Ok(Begun::Unknown),
        (b"in_flight", Some(Value::Int(left))) => {
            Ok(Begun::InFlight(Duration::from_millis(u64::try_from(*left).unwrap_or(0))))
        }
        (b"done", Some(Value::BulkString(answer))) => {
            let kept = Kept::decode(&Bytes::copy_from_slice(answer));
            kept.map(|kept| Begun::Done(Arc::new(kept))).map_err(|error| StoreError(error.to_string()))
        }
        _ => Err(unexpected(&value)),
    }
}

impl Store for Redis {
    fn begin<'s>(
        &'s self,
        lookup: &'s Digest,
        fingerprint: &'s Digest,
        owner: Owner,
        terms: Terms,
    ) -> Step<'s, Begun> {
        Box::pin(async move {
            let mut script = self.scripts.begin.key(self.key(lookup));
            script.arg(&fingerprint.as_bytes()[..]).arg(&owner.0[..]).arg(ms(terms.lease));
            script.arg(u8::from(terms.unknown == UnknownOutcome::Retry));
            read_begun(self.run(&script).await?)
        })
    }

    fn sending<'s>(&'s self, lookup: &'s Digest, owner: Owner, terms: Terms) -> Step<'s, Hold> {
        Box::pin(async move {
            let mut script = self.scripts.sending.key(self.key(lookup));
            self.hold(script.arg(&owner.0[..]).arg(ms(terms.lease)).arg(ms(terms.keep))).await
        })
    }

    fn renew<'s>(&'s self, lookup: &'s Digest, owner: Owner, terms: Terms) -> Step<'s, Hold> {
        Box::pin(async move {
            let mut script = self.scripts.renew.key(self.key(lookup));
            self.hold(script.arg(&owner.0[..]).arg(ms(terms.lease)).arg(ms(terms.keep))).await
        })
    }

    fn finish<'s>(
        &'s self,
        lookup: &'s Digest,
        owner: Owner,
        kept: Arc<Kept>,
        keep: Duration,
    ) -> Step<'s, Hold> {
        Box::pin(async move {
            let mut script = self.scripts.finish.key(self.key(lookup));
            self.hold(script.arg(&owner.0[..]).arg(kept.encode()).arg(ms(keep))).await
        })
    }

    fn abandon<'s>(&'s self, lookup: &'s Digest, owner: Owner) -> Step<'s, Hold> {
        Box::pin(async move {
            let mut script = self.scripts.abandon.key(self.key(lookup));
            self.hold(script.arg(&owner.0[..])).await
        })
    }
}
