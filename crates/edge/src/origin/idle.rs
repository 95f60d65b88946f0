//! The connections of one core to one pool's targets that wait for their next request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use deepwater_upstream::TargetId;
use foldhash::fast::RandomState;

use super::h1::Connection;
use super::h2::Sender;

/// Idle connections of one core, by target. The most recently used is taken first, so that surplus ones age.
#[derive(Default)]
pub(crate) struct Idle {
    targets: RefCell<HashMap<TargetId, PerTarget, RandomState>>,
}

#[derive(Default)]
struct PerTarget {
    http1: Vec<Waiting>,
    http2: Vec<Shared>,
}

struct Shared {
    sender: Sender,
    /// When a sweep last saw streams on it.
    used: Instant,
    keep: Duration,
}

struct Waiting {
    connection: Connection,
    since: Instant,
    keep: Duration,
}

/// A connection that was used before.
pub(crate) enum Reused {
    /// One exchange at a time.
    Http1(Connection),
    /// A stream beside others.
    Http2(Sender),
}

impl Idle {
    /// A usable connection to the target; unusable ones met on the way are closed.
    pub fn take(&self, target: TargetId, now: Instant) -> Option<Reused> {
        let mut targets = self.targets.borrow_mut();
        let target = targets.get_mut(&target)?;
        if let Some(shared) = target.http2.iter().find(|shared| shared.sender.has_room()) {
            return Some(Reused::Http2(shared.sender.clone()));
        }
        while let Some(waiting) = target.http1.pop() {
            if now.duration_since(waiting.since) < waiting.keep && waiting.connection.is_reusable() {
                return Some(Reused::Http1(waiting.connection));
            }
        }
        None
    }

    /// Keeps a connection for the next request, unless `most` wait already.
    pub fn put(
        &self,
        target: TargetId,
        mut connection: Connection,
        now: Instant,
        keep: Duration,
        most: usize,
    ) {
        connection.buffer.release_if_empty();
        let mut targets = self.targets.borrow_mut();
        let target = targets.entry(target).or_default();
        if target.http1.len() < most {
            target.http1.push(Waiting { connection, since: now, keep });
        }
    }

    /// Shares an HTTP/2 connection with requests to come.
    pub fn share(&self, target: TargetId, sender: Sender, now: Instant, keep: Duration) {
        let mut targets = self.targets.borrow_mut();
        targets.entry(target).or_default().http2.push(Shared { sender, used: now, keep });
    }

    /// Closes what has waited too long or was closed by the other side, and forgets targets without connections.
    pub fn sweep(&self, now: Instant) {
        self.targets.borrow_mut().retain(|_, target| {
            target.http1.retain(|waiting| {
                now.duration_since(waiting.since) < waiting.keep && waiting.connection.is_reusable()
            });
            target.http2.retain_mut(|shared| {
                if shared.sender.is_busy() {
                    shared.used = now;
                }
                !shared.sender.is_closed() && now.duration_since(shared.used) < shared.keep
            });
            !target.http1.is_empty() || !target.http2.is_empty()
        });
    }

    /// How many connections wait or are shared.
    pub fn len(&self) -> usize {
        self.targets.borrow().values().map(|target| target.http1.len() + target.http2.len()).sum()
    }
}
