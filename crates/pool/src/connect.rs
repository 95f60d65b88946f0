//! Connections to servers: opened, encrypted, logged in.

mod authenticate;
mod dial;
mod error;
mod login;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use deepwater_pgwire::auth::StoredPassword;
use deepwater_pgwire::auth::scram::Keys;
use tokio::time::timeout;

use crate::plan::DatabasePlan;
use crate::pools::Pool;
use crate::server::{Server, ServerInfo};
use crate::settings::{Parameters, Settings};
use crate::shared::Shared;
use crate::statements::Prepared;
use crate::stream::Stream;
use crate::worker::Worker;

pub(crate) use dial::{dial_again, tls_description};
pub(crate) use error::ConnectError;

/// The part of a connection's greatest age that chance may take off, so that connections do not all end together.
const LIFETIME_JITTER: f64 = 0.1;

/// What a server may be shown as proof.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credentials {
    pub password: Option<StoredPassword>,
    /// What a client left that logged in by SCRAM.
    pub keys: Option<Keys>,
}

/// A connection to a server, logged in, that belongs to no pool.
pub(crate) struct Raw {
    pub stream: Stream,
    /// The server's process, its secret, where it is.
    pub info: ServerInfo,
    pub parameters: Parameters,
    /// What `connect_query` has set.
    pub base: Settings,
}

/// Opens a connection for a pool.
pub(crate) async fn open(worker: &Rc<Worker>, pool: &Arc<Pool>) -> Result<Box<Server>, ConnectError> {
    // Whatever is renewed from here on, this connection may not have.
    let epoch = pool.epoch.load(Ordering::SeqCst);
    let database = Arc::clone(&pool.settings.load().database);
    let credentials = credentials_of(&worker.shared, pool, &database);
    let parameters = startup_parameters(&database);
    let raw = open_raw(worker, &database, &pool.key.user, &parameters, &credentials).await?;

    let mut info = raw.info;
    info.epoch = epoch;
    let parameters = Arc::new(raw.parameters);
    *pool.welcome.lock().expect("no panic while it is held") = Some(Arc::clone(&parameters));
    let now = Instant::now();
    Ok(Box::new(Server {
        stream: raw.stream,
        home: worker.id,
        pool: Arc::clone(pool),
        info: Arc::new(info),
        parameters,
        applied: raw.base.clone(),
        base: raw.base,
        prepared: Prepared::default(),
        sql_prepared: std::collections::HashMap::default(),
        stale: Vec::new(),
        epoch,
        expires: lifetime(worker, &database).map(|lifetime| now + lifetime),
        last_used: now,
    }))
}

/// Opens a connection to a database as a user, with these parameters beside.
pub(crate) async fn open_raw(
    worker: &Rc<Worker>,
    database: &DatabasePlan,
    user: &str,
    parameters: &[(String, String)],
    credentials: &Credentials,
) -> Result<Raw, ConnectError> {
    let shared = &worker.shared;
    let plan = shared.plan.load_full();
    let limit = plan.config.timeouts.server_connect.get();
    let began = Instant::now();
    let hosts = database.hosts();
    let mut failure = ConnectError::config("the database has no server");
    for (at, host) in hosts.iter().enumerate() {
        let attempt = login::Attempt { plan: &plan, database, host, user, parameters, credentials };
        // A host that does not answer must leave time for the others.
        let share =
            limit.saturating_sub(began.elapsed()) / u32::try_from(hosts.len() - at).unwrap_or(u32::MAX);
        let attempted = attempt.run(shared.servers.next_id(), (!limit.is_zero()).then_some(share));
        match within(share, limit.is_zero(), attempted).await {
            Some(Ok(raw)) => return Ok(raw),
            Some(Err(error)) if error.may_try_elsewhere() => failure = error,
            Some(Err(error)) => return Err(error),
            None => failure = ConnectError::late(host, share),
        }
    }
    Err(failure)
}

async fn within<F: Future>(limit: Duration, unlimited: bool, future: F) -> Option<F::Output> {
    let future = Box::pin(future);
    if unlimited { Some(future.await) } else { timeout(limit, future).await.ok() }
}

/// What a pool's connections log in with.
pub(crate) fn credentials_of(shared: &Shared, pool: &Pool, database: &DatabasePlan) -> Credentials {
    let mut credentials = credentials(shared, database, &pool.key.user);
    if credentials.password.is_none() {
        credentials.password.clone_from(&pool.stored.lock().expect("no panic while it is held"));
    }
    credentials.keys.clone_from(&pool.keys.lock().expect("no panic while they are held"));
    credentials
}

/// What is configured for a user of a database: the database's own password for its own user, else the user's.
pub(crate) fn credentials(shared: &Shared, database: &DatabasePlan, user: &str) -> Credentials {
    let own = database.password.as_ref().filter(|_| database.user.as_deref() == Some(user));
    let password = own.cloned().or_else(|| shared.plan.load().passwords.get(user).cloned());
    Credentials { password, keys: None }
}

/// What the configuration says a database's connections begin with.
pub(crate) fn startup_parameters(database: &DatabasePlan) -> Vec<(String, String)> {
    let config = &database.config;
    let application_name = config.application_name.as_ref().or(config.primary.application_name.as_ref());
    [
        ("application_name", application_name),
        ("client_encoding", config.client_encoding.as_ref()),
        ("DateStyle", config.datestyle.as_ref()),
        ("TimeZone", config.timezone.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?.clone())))
    .collect()
}

fn lifetime(worker: &Worker, database: &DatabasePlan) -> Option<Duration> {
    let configured = database.config.server_lifetime;
    let lifetime = configured.unwrap_or(worker.shared.plan.load().config.timeouts.server_lifetime).get();
    let less = worker.random.borrow_mut().unit() * LIFETIME_JITTER;
    (!lifetime.is_zero()).then(|| lifetime.mul_f64(1.0 - less))
}
