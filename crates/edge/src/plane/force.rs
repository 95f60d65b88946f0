//! What is in force: one value that cores follow and pages read.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::access_log::AccessLog;
use crate::config;
use crate::plan::{ListenerPlan, Plan};

use super::sockets::Opened;

/// Everything that is in force.
pub(crate) struct Force {
    /// Counts the changes.
    pub number: u64,
    pub plan: Arc<Plan>,
    /// In the configuration's order.
    pub listeners: Vec<Listening>,
    pub log: Log,
}

/// A listener: its sockets, and how their connections are served.
#[derive(Clone)]
pub(crate) struct Listening {
    pub opened: Arc<Opened>,
    pub plan: Arc<ListenerPlan>,
}

impl Listening {
    pub fn protocol(&self) -> &'static str {
        match (self.plan.config.protocol, self.plan.tls.is_some()) {
            (config::ListenProtocol::Http, false) => "http",
            (config::ListenProtocol::Http, true) => "https",
            (config::ListenProtocol::Tcp, false) => "tcp",
            (config::ListenProtocol::Tcp, true) => "tls",
        }
    }

    /// Where it listens; port 0 has become a real one.
    pub fn address(&self) -> SocketAddr {
        self.opened.address
    }
}

/// The access log, and what it was opened by.
#[derive(Clone)]
pub(crate) struct Log {
    pub log: AccessLog,
    pub config: config::AccessLog,
    /// The change it was opened at.
    pub number: u64,
    /// Lines that logs before it have dropped.
    pub dropped_before: u64,
}

impl Log {
    /// Lines dropped since the process started.
    pub fn dropped(&self) -> u64 {
        self.dropped_before + self.log.dropped()
    }
}

/// What is in force now. Clones share it.
#[derive(Clone)]
pub(crate) struct InForce(Arc<watch::Sender<Arc<Force>>>);

impl InForce {
    pub fn new(force: Force) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(force))))
    }

    pub fn now(&self) -> Arc<Force> {
        Arc::clone(&self.0.borrow())
    }

    /// The plan in force.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.0.borrow().plan)
    }

    /// Puts something else in force; what was before.
    pub fn replace(&self, force: Force) -> Arc<Force> {
        self.0.send_replace(Arc::new(force))
    }

    /// To be told of changes.
    pub fn follow(&self) -> watch::Receiver<Arc<Force>> {
        self.0.subscribe()
    }
}

/// Tasks of the control runtime, each for a thing in force: a change starts those of new things, ends those of things that
/// have gone, and leaves the others alone.
pub(super) struct Tasks<T> {
    running: Vec<(Arc<T>, AbortHandle)>,
}

impl<T> Default for Tasks<T> {
    fn default() -> Self {
        Self { running: Vec::new() }
    }
}

impl<T> Tasks<T> {
    /// Makes the tasks those of the things that are wanted.
    pub fn reconcile<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        wanted: impl IntoIterator<Item = Arc<T>>,
        start: impl Fn(Arc<T>) -> F,
    ) {
        let mut before = std::mem::take(&mut self.running);
        for thing in wanted {
            let known = before.iter().position(|(known, _)| Arc::ptr_eq(known, &thing));
            let task = match known {
                Some(at) => before.swap_remove(at).1,
                None => tokio::spawn(start(Arc::clone(&thing))).abort_handle(),
            };
            self.running.push((thing, task));
        }
        before.iter().for_each(|(_, task)| task.abort());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test]
    async fn tasks_follow_what_is_in_force() {
        let ended = Arc::<Mutex<Vec<u32>>>::default();
        struct Telling(u32, Arc<Mutex<Vec<u32>>>);
        impl Drop for Telling {
            fn drop(&mut self) {
                self.1.lock().unwrap().push(self.0);
            }
        }
        let things: Vec<Arc<u32>> = (0..3).map(Arc::new).collect();
        let mut tasks = Tasks::default();
        let start = |thing: Arc<u32>| {
            let telling = Telling(*thing, Arc::clone(&ended));
            async move {
                let _telling = telling;
                std::future::pending::<()>().await;
            }
        };
        tasks.reconcile(things[..2].to_vec(), start);
        tasks.reconcile(things[1..].to_vec(), start);
        while ended.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(*ended.lock().unwrap(), [0]);
        assert_eq!(tasks.running.len(), 2);
    }
}
