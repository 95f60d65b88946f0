//! LISTEN where clients change servers: one server connection per pool listens for all of its clients.
//!
//! A server connection that has executed LISTEN could serve nobody else, so a client's LISTEN outside a transaction goes
//! to the pool's listener instead. It is opened for the first such client, on that client's thread, beside the pool: no
//! limit of the pool counts it. SHOW SERVERS lists it.
//!
//! - A LISTEN is confirmed once the server has executed it, so no NOTIFY that follows is missed.
//! - What was notified while the listener's connection breaks is lost. Its clients are disconnected, as they would be
//!   from the server, and can look for what they missed.
//! - As on a direct connection, who notifies a channel it listens on is notified too; the process named is that of the
//!   server connection that served the NOTIFY.

mod channels;
mod listener;
mod name;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::clients::ClientInfo;
use crate::ledger::PoolKey;
use crate::pools::Pool;
use crate::worker::Worker;

use channels::Channels;

/// What a LISTEN came to: confirmed, or why not.
pub(crate) type Word = Result<(), String>;

/// Durations of a listener.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Between two looks at the clock, and so how exact the others are.
    tick: Duration,
    /// How long a connection is kept that has no channel left.
    linger: Duration,
    /// Silence after which the server is asked whether it is there: nothing else is ever sent to it. Shorter than an
    /// `idle_session_timeout` would be.
    probe_after: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(1),
            linger: Duration::from_secs(10),
            probe_after: Duration::from_secs(30),
        }
    }
}

/// The listeners of all pools. One is here exactly while its task runs.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    all: Mutex<HashMap<PoolKey, Arc<Listener>>>,
    pace: Pace,
}

/// What a listener's task shares with its clients.
#[derive(Debug, Default)]
struct Listener {
    channels: Mutex<Channels>,
    /// Something is to be said to the server.
    changed: Notify,
}

impl Listener {
    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().expect("no panic while channels are held")
    }
}

impl Listeners {
    fn all(&self) -> MutexGuard<'_, HashMap<PoolKey, Arc<Listener>>> {
        self.all.lock().expect("no panic while listeners are held")
    }

    /// Has a client notified of what is sent to a channel, from the moment that the word is given.
    pub(crate) fn listen(
        &self,
        worker: &Rc<Worker>,
        pool: &Arc<Pool>,
        channel: &str,
        client: &Arc<ClientInfo>,
    ) -> oneshot::Receiver<Word> {
        let (word, receiver) = oneshot::channel();
        let mut all = self.all();
        // Held on to, so that the task cannot end between here and the subscription.
        let listener = all.entry(pool.key.clone()).or_insert_with(|| {
            let listener = Arc::new(Listener::default());
            tokio::task::spawn_local(listener::run(
                Rc::clone(worker),
                Arc::clone(pool),
                Arc::clone(&listener),
            ));
            listener
        });
        if listener.channels().subscribe(channel, client, word) {
            listener.changed.notify_one();
        }
        receiver
    }

    /// Ends a client's subscription of a channel, should it have one.
    pub(crate) fn unlisten(&self, pool: &Pool, channel: &str, client: &ClientInfo) {
        self.change(pool, |channels| channels.unsubscribe(channel, client.id));
    }

    /// Ends all subscriptions of a client.
    pub(crate) fn forget(&self, pool: &Pool, client: &ClientInfo) {
        self.change(pool, |channels| channels.forget(client.id));
    }

    fn change(&self, pool: &Pool, change: impl FnOnce(&mut Channels) -> bool) {
        let Some(listener) = self.all().get(&pool.key).cloned() else { return };
        if change(&mut listener.channels()) {
            listener.changed.notify_one();
        }
    }

    /// Removes a listener that has nothing to listen on; false when it has.
    fn retire(&self, key: &PoolKey, listener: &Listener) -> bool {
        let mut all = self.all();
        let idle = listener.channels().is_empty();
        if idle {
            all.remove(key);
        }
        idle
    }

    /// Removes a listener whose task ends; what its clients listened on.
    fn remove(&self, key: &PoolKey, listener: &Arc<Listener>) -> Channels {
        let mut all = self.all();
        // After it was retired, another may have begun.
        if all.get(key).is_some_and(|other| Arc::ptr_eq(other, listener)) {
            all.remove(key);
        }
        std::mem::take(&mut listener.channels())
    }
}
