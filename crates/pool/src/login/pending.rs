//! Clients that have not proved who they are: a bounded number. Beyond it the one that has been at it longest is dropped:
//! whoever only holds connections open takes long, a client that logs in does not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

/// Clients that may be logging in at once.
pub(super) const MAX_PENDING: usize = 8_192;

/// All clients that are logging in, the oldest first.
#[derive(Default)]
pub(crate) struct PendingLogins {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    all: BTreeMap<u64, Arc<Notify>>,
}

impl PendingLogins {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while logins are held")
    }

    /// Enters a client; the oldest are told to go until no more than `max` are left.
    pub(super) fn enter(&self, max: usize) -> Pending<'_> {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        let told = Arc::new(Notify::new());
        state.all.insert(id, Arc::clone(&told));
        while state.all.len() > max.max(1) {
            let Some((_, oldest)) = state.all.pop_first() else { break };
            oldest.notify_one();
        }
        Pending { all: self, id, told }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.state().all.len()
    }
}

/// A client that is logging in.
pub(super) struct Pending<'a> {
    all: &'a PendingLogins,
    id: u64,
    told: Arc<Notify>,
}

impl Pending<'_> {
    /// Resolves when the client must go. Never once it has proved who it is.
    pub(super) async fn evicted(&self) {
        self.told.notified().await;
    }

    /// The client has proved who it is.
    pub(super) fn proved(&self) {
        self.all.state().all.remove(&self.id);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.proved();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_goes_when_there_are_too_many() {
        let logins = PendingLogins::default();
        let (first, second) = (logins.enter(2), logins.enter(2));
        assert_eq!(logins.len(), 2);
        let third = logins.enter(2);
        first.evicted().await;
        assert_eq!(logins.len(), 2);
        second.proved();
        let fourth = logins.enter(2);
        assert_eq!(logins.len(), 2, "the second counts no more");
        drop((first, second, third, fourth));
        assert_eq!(logins.len(), 0);
    }
}
