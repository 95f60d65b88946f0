//! An origin that takes orders, counts what each key has done, and stops where it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::support::{Message, Origin, Visit, soon};

/// How far an order has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// It is read.
    Heard,
    /// It has had its effect.
    Done,
    /// Half of its answer is out.
    Answering,
}

/// The origin.
pub(super) struct Till {
    origin: Origin,
    shared: Arc<Shared>,
}

struct Shared {
    effects: Mutex<BTreeMap<String, usize>>,
    /// Where orders stop until that changes.
    stop: watch::Sender<Option<Step>>,
    /// How many have stopped so far.
    stopped: watch::Sender<usize>,
}

impl Till {
    pub async fn open() -> Self {
        let (stop, stopped) = (watch::Sender::new(None), watch::Sender::new(0));
        let shared = Arc::new(Shared { effects: Mutex::default(), stop, stopped });
        let serving = Arc::clone(&shared);
        let origin = Origin::scripted(move |visit| serve(visit, Arc::clone(&serving))).await;
        Self { origin, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.origin.address
    }

    /// The orders so far.
    pub fn heard(&self) -> Vec<Message> {
        self.origin.heard()
    }

    /// From now on orders stop there; without a step, all go on.
    pub fn stop_at(&self, step: Option<Step>) {
        self.shared.stop.send_replace(step);
    }

    /// Waits until so many orders have stopped, ever.
    pub async fn has_stopped(&self, orders: usize) {
        let mut stopped = self.shared.stopped.subscribe();
        soon("an order to stop", stopped.wait_for(|stopped| *stopped >= orders)).await.unwrap();
    }

    /// How often a key has had its effect.
    pub fn effects(&self, key: &str) -> usize {
        self.shared.effects.lock().unwrap().get(key).copied().unwrap_or(0)
    }
}

async fn serve(mut visit: Visit, shared: Arc<Shared>) {
    while let Some(request) = visit.request().await {
        let key = request.get("idempotency-key").unwrap_or("none").to_owned();
        shared.reach(Step::Heard).await;
        let count = {
            let mut effects = shared.effects.lock().unwrap();
            let count = effects.entry(key.clone()).or_default();
            *count += 1;
            *count
        };
        shared.reach(Step::Done).await;
        let status = request.get("x-status").unwrap_or("201 Created");
        let body = format!("order {count} of {key}");
        let (half, rest) = body.split_at(body.len() / 2);
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nSet-Cookie: a=b\r\nX-Till: 1\r\n\r\n");
        visit.send(head + half).await;
        shared.reach(Step::Answering).await;
        visit.send(rest).await;
    }
}

impl Shared {
    async fn reach(&self, step: Step) {
        let mut stop = self.stop.subscribe();
        if *stop.borrow_and_update() != Some(step) {
            return;
        }
        self.stopped.send_modify(|stopped| *stopped += 1);
        // The till goes before its orders when a test is over.
        let _ = stop.wait_for(|stop| *stop != Some(step)).await;
    }
}
