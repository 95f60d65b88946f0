//! The task that listens for a pool's clients.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use deepwater_core::metrics::Counter;
use tokio::time::{MissedTickBehavior, interval};

use super::Listener;
use super::wire::Wire;
use crate::connect::{self, Raw};
use crate::events::{ListenerLost, ServerConnectFailed};
use crate::pools::Pool;
use crate::server::ServerState;
use crate::worker::Worker;

/// Listens until nobody has listened for a while, the connection breaks, or the process ends.
pub(super) async fn run(worker: Rc<Worker>, pool: Arc<Pool>, listener: Arc<Listener>) {
    let mut task = Task { worker: Rc::clone(&worker), pool, listener, server: None, end: End::Broken };
    let stopping = worker.shared.context.shutdown.stopping();
    task.end = tokio::select! {
        end = Box::pin(task.listen()) => end,
        () = stopping => End::Quiet,
    };
}

/// Why a listener ends.
enum End {
    /// Nobody is to be told.
    Quiet,
    /// There is no connection.
    NotConnected(String),
    /// There was one.
    Lost(String),
    /// The task ended in the midst of its work.
    Broken,
}

/// A listener at work. Dropping it leaves nobody who thinks that it listens.
struct Task {
    worker: Rc<Worker>,
    pool: Arc<Pool>,
    listener: Arc<Listener>,
    /// Its number among the servers.
    server: Option<u64>,
    end: End,
}

impl Task {
    async fn listen(&mut self) -> End {
        // Whatever is renewed from here on, this connection may not have.
        let epoch = self.pool.epoch.load(Ordering::SeqCst);
        let raw = match self.connect().await {
            Ok(raw) => raw,
            Err(reason) => return End::NotConnected(reason),
        };
        let mut info = raw.info;
        info.epoch = epoch;
        info.set_state(ServerState::Active);
        let info = Arc::new(info);
        self.worker.shared.servers.enter(&self.pool.key, &info);
        self.server = Some(info.id);
        let mut wire = Wire::new(raw.stream);
        match self.serve(&mut wire, epoch).await {
            Ok(()) => {
                wire.close();
                End::Quiet
            }
            Err(reason) => End::Lost(reason),
        }
    }

    async fn connect(&self) -> Result<Raw, String> {
        let database = Arc::clone(&self.pool.settings.load().database);
        let credentials = connect::credentials_of(&self.worker.shared, &self.pool, &database);
        let mut parameters = connect::startup_parameters(&database);
        // The names of channels are told, and come back, in UTF-8.
        parameters.retain(|(name, _)| name != "client_encoding");
        parameters.push(("client_encoding".into(), "UTF8".into()));
        let user = &self.pool.key.user;
        let raw = connect::open_raw(&self.worker, &database, user, &parameters, &credentials).await;
        raw.map_err(|error| error.to_string())
    }

    /// Serves the clients until none has listened for a while.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    async fn serve(&self, wire: &mut Wire, epoch: u64) -> Result<(), String> {
        let (worker, listener) = (&self.worker, &self.listener);
        let notifications = self.counter();
        let mut ticks = interval(worker.shared.listeners.pace.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unused_since = None;
        loop {
            wire.ask(&mut listener.channels());
            tokio::select! {
                read = poll_fn(|cx| wire.poll(cx, worker)) => match read {
                    Ok(0) => return Err("the server closed the connection".into()),
                    Ok(_) => notifications.add(wire.take_messages(&mut listener.channels())?),
                    Err(error) => return Err(error.to_string()),
                },
                () = listener.changed.notified() => {}
                _ = ticks.tick() => {
                    self.check(wire, epoch)?;
                    if self.is_unused(&mut unused_since) {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn counter(&self) -> Counter {
        let key = &self.pool.key;
        self.worker.shared.context.metrics.counter(
            "deepwater_postgres_notifications_total",
            "Notifications that came for clients that listen outside transactions.",
            &[("database", &key.database), ("user", &key.user)],
        )
    }

    /// Looks whether the connection is still the right one, and the server there.
    fn check(&self, wire: &mut Wire, epoch: u64) -> Result<(), String> {
        if self.pool.epoch.load(Ordering::SeqCst) != epoch {
            return Err("connections to the server are being renewed".into());
        }
        let shared = &self.worker.shared;
        let (silence, owes_answer) = wire.silence();
        let limit = shared.plan.load().config.timeouts.server_connect.get();
        if owes_answer && !limit.is_zero() && silence >= limit {
            return Err(format!("the server did not answer within {limit:?}"));
        }
        if silence >= shared.listeners.pace.probe_after {
            wire.probe();
        }
        Ok(())
    }

    /// Whether nobody has listened for a while, and the listener is not among the others any more.
    fn is_unused(&self, since: &mut Option<Instant>) -> bool {
        if !self.listener.channels().is_empty() {
            *since = None;
            return false;
        }
        let shared = &self.worker.shared;
        let unused = since.get_or_insert_with(Instant::now).elapsed();
        let expired = unused >= shared.listeners.pace.linger || !shared.context.shutdown.is_running();
        expired && shared.listeners.retire(&self.pool.key, &self.listener)
    }

    fn lost(&self, reason: &str) {
        let shared = &self.worker.shared;
        let reason = format!("the connection that listens for you was lost: {reason}");
        let clients = shared.listeners.remove(&self.pool.key, &self.listener).fail(&reason);
        if clients.is_empty() {
            return;
        }
        shared.context.events.emit(ListenerLost {
            database: self.pool.key.database.to_string(),
            user: self.pool.key.user.to_string(),
            reason: reason.clone(),
            clients: clients.len(),
        });
        for client in clients {
            client.kill("08006", reason.clone());
        }
    }

    fn not_connected(&self, reason: &str) {
        let shared = &self.worker.shared;
        shared.context.events.emit(ServerConnectFailed {
            database: self.pool.key.database.to_string(),
            user: self.pool.key.user.to_string(),
            reason: reason.into(),
        });
        // All who listen wait for the word: none relies on it yet.
        shared.listeners.remove(&self.pool.key, &self.listener).fail(reason);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let shared = &self.worker.shared;
        self.server.into_iter().for_each(|id| shared.servers.leave(id));
        match std::mem::replace(&mut self.end, End::Broken) {
            End::Quiet => drop(shared.listeners.remove(&self.pool.key, &self.listener)),
            End::NotConnected(reason) => self.not_connected(&reason),
            End::Lost(reason) => self.lost(&reason),
            End::Broken => self.lost("its thread has ended"),
        }
    }
}
