//! What is asked of one database: its connection, and how long to leave a server alone that cannot be reached.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use deepwater_core::ask::{AskError, Question, Rows};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::events::ServerNotAsked;
use super::line::{Line, startup_parameters};
use super::{Asked, GRACE};
use crate::cancel;
use crate::connect;
use crate::ledger::PoolKey;
use crate::plan::{DatabasePlan, Plan};
use crate::pools::Pool;
use crate::worker::Worker;

/// After the first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// After many.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Silence after which a connection is closed.
const MAX_SILENCE: Duration = Duration::from_secs(60);
/// Longest that a connection may take to open, should the configuration allow more or set no limit.
const MAX_CONNECT: Duration = Duration::from_secs(15);

/// A failure that keeps the server from being asked.
struct Trouble {
    error: AskError,
    pause: Duration,
    /// Until then the server is left alone.
    until: Instant,
}

/// What is asked of one database, with the configuration it began with.
pub(super) struct Conversation {
    worker: Rc<Worker>,
    plan: Arc<Plan>,
    database: Arc<DatabasePlan>,
    /// The database's user in it, whose pool is at the same place.
    key: PoolKey,
    line: Option<Line>,
    /// The epoch of the pool when the connection was opened.
    epoch: Option<u64>,
    trouble: Option<Trouble>,
    last_asked: Instant,
}

impl Conversation {
    /// Begins; nothing is opened yet.
    pub(super) fn begin(worker: &Rc<Worker>, plan: &Arc<Plan>, name: &str) -> Result<Self, AskError> {
        let database = || name.to_owned();
        let found = plan.database(name).ok_or_else(|| AskError::NoDatabase { database: database() })?;
        let user = found.user.clone().ok_or_else(|| AskError::NoCredentials { database: database() })?;
        Ok(Self {
            worker: Rc::clone(worker),
            plan: Arc::clone(plan),
            key: PoolKey { database: Arc::clone(&found.name), user },
            database: found,
            line: None,
            epoch: None,
            trouble: None,
            last_asked: worker.shared.context.clock.now(),
        })
    }

    /// Whether the configuration that it began with is in force, and somebody has asked of late.
    pub(super) fn is_of_use(&self, plan: &Arc<Plan>, now: Instant) -> bool {
        Arc::ptr_eq(&self.plan, plan) && now.saturating_duration_since(self.last_asked) < MAX_SILENCE
    }

    /// Closes a connection that must not be there.
    pub(super) fn close_unwanted(&mut self) {
        if self.is_paused() || self.epoch != self.current_epoch() {
            self.line = None;
        }
    }

    /// Asks, and tells what came of it.
    pub(super) async fn ask(&mut self, asked: &Asked) -> Result<Rows, AskError> {
        let result = self.try_to_ask(asked).await;
        self.last_asked = self.worker.shared.context.clock.now();
        result
    }

    async fn try_to_ask(&mut self, asked: &Asked) -> Result<Rows, AskError> {
        self.close_unwanted();
        if self.is_paused() {
            let reason = format!("database {} is paused", self.key.database);
            return Err(AskError::NotConnected { code: "57P03".into(), reason });
        }
        let mut line = match self.living_line().await {
            Some(line) => line,
            None => self.open().await?,
        };
        let Question { limit, .. } = asked.question;
        // Connecting may have taken longer than anybody waits.
        if asked.answer.is_closed() {
            self.line = Some(line);
            return Err(AskError::TooSlow { limit });
        }
        let result = match timeout(limit.saturating_add(GRACE), line.ask(&asked.question)).await {
            Ok(result) => result,
            Err(_) => {
                self.stop(&line);
                Err(AskError::TooSlow { limit })
            }
        };
        match &result {
            Err(error) if !line.is_idle() && *error != AskError::TooLarge => self.fail(error),
            _ => self.trouble = None,
        }
        self.line = Some(line).filter(Line::is_idle);
        result
    }

    /// The connection there is, unless the server has ended it.
    async fn living_line(&mut self) -> Option<Line> {
        let mut line = self.line.take()?;
        // The event loop looks at it first.
        yield_now().await;
        line.is_alive().then_some(line)
    }

    async fn open(&mut self) -> Result<Line, AskError> {
        let now = self.worker.shared.context.clock.now();
        if let Some(trouble) = &self.trouble
            && now < trouble.until
        {
            return Err(trouble.error.clone());
        }
        // Whatever is renewed from here on, this connection may not have.
        self.epoch = self.current_epoch();
        let shared = &self.worker.shared;
        let credentials = match shared.pools.get(&self.key) {
            Some(pool) => connect::credentials_of(shared, &pool, &self.database),
            None => connect::credentials(shared, &self.database, &self.key.user),
        };
        let parameters = startup_parameters();
        let user = &self.key.user;
        let opening = connect::open_raw(&self.worker, &self.database, user, &parameters, &credentials);
        let error = match timeout(MAX_CONNECT, Box::pin(opening)).await {
            Ok(Ok(raw)) => return Ok(Line::new(raw)),
            Ok(Err(error)) => {
                AskError::NotConnected { code: error.code().to_owned(), reason: error.to_string() }
            }
            Err(_) => {
                let reason = format!("no connection within {MAX_CONNECT:?}");
                AskError::NotConnected { code: "08001".into(), reason }
            }
        };
        self.fail(&error);
        Err(error)
    }

    /// Leaves the server alone for a while, twice as long as before.
    fn fail(&mut self, error: &AskError) {
        let context = &self.worker.shared.context;
        if self.trouble.is_none() {
            context.events.emit(ServerNotAsked {
                database: self.key.database.to_string(),
                user: self.key.user.to_string(),
                reason: error.to_string(),
            });
        }
        let pause = self.trouble.as_ref().map_or(FIRST_PAUSE, |trouble| trouble.pause.saturating_mul(2));
        let pause = pause.min(LONGEST_PAUSE);
        self.trouble = Some(Trouble { error: error.clone(), pause, until: context.clock.now() + pause });
    }

    /// Has the server stop what nobody waits for any more.
    fn stop(&self, line: &Line) {
        let (worker, database, info) =
            (Rc::clone(&self.worker), Arc::clone(&self.key.database), Arc::clone(&line.info));
        tokio::task::spawn_local(async move { cancel::stop(&worker, &database, &info).await });
    }

    fn is_paused(&self) -> bool {
        self.worker.shared.controls.is_paused(&self.key.database)
    }

    /// Administrators have a pool's connections renewed when the server is not at the same place any more.
    fn current_epoch(&self) -> Option<u64> {
        let epoch = |pool: Arc<Pool>| pool.epoch.load(Ordering::SeqCst);
        self.worker.shared.pools.get(&self.key).map(epoch)
    }
}
