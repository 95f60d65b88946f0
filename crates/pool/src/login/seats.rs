//! How many clients there are: in all, by database, by user.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use foldhash::HashMap;

use crate::shared::Shared;

/// Counts of clients.
#[derive(Default)]
pub(crate) struct Seats {
    taken: AtomicUsize,
    by_database: Counts,
    by_user: Counts,
}

/// Which limit left no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Clients,
    Database,
    User,
}

impl Seats {
    /// Clients let in or about to be.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Clients of a database.
    pub(crate) fn of_database(&self, database: &str) -> usize {
        self.by_database.get(database)
    }

    /// Clients that came as a user.
    pub(crate) fn of_user(&self, user: &str) -> usize {
        self.by_user.get(user)
    }
}

#[derive(Default)]
struct Counts(Mutex<HashMap<Arc<str>, usize>>);

impl Counts {
    fn get(&self, name: &str) -> usize {
        self.0.lock().expect("no panic while counts are held").get(name).copied().unwrap_or(0)
    }

    /// Counts one more, unless there are as many as may be; 0 means no limit.
    fn take(&self, name: &Arc<str>, max: usize) -> bool {
        let mut counts = self.0.lock().expect("no panic while counts are held");
        let count = counts.entry(Arc::clone(name)).or_default();
        if max > 0 && *count >= max {
            return false;
        }
        *count += 1;
        true
    }

    fn give_back(&self, name: &Arc<str>) {
        let mut counts = self.0.lock().expect("no panic while counts are held");
        if let Some(count) = counts.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                counts.remove(name);
            }
        }
    }
}

/// A client's seat, given back when it is dropped.
pub(super) struct Seat {
    shared: Arc<Shared>,
    database: Option<Arc<str>>,
    user: Option<Arc<str>>,
}

impl Seat {
    /// A seat among all clients; `max` of `None` takes one in any case.
    pub(super) fn take(shared: &Arc<Shared>, max: Option<usize>) -> Result<Self, Full> {
        let before = shared.login.seats.taken.fetch_add(1, Ordering::Relaxed);
        let seat = Self { shared: Arc::clone(shared), database: None, user: None };
        if max.is_some_and(|max| before >= max) { Err(Full::Clients) } else { Ok(seat) }
    }

    /// Counts it with a database; 0 means no limit.
    pub(super) fn of_database(&mut self, database: &Arc<str>, max: usize) -> Result<(), Full> {
        if !self.shared.login.seats.by_database.take(database, max) {
            return Err(Full::Database);
        }
        self.database = Some(Arc::clone(database));
        Ok(())
    }

    /// Counts it with a user; 0 means no limit.
    pub(super) fn of_user(&mut self, user: &Arc<str>, max: usize) -> Result<(), Full> {
        if !self.shared.login.seats.by_user.take(user, max) {
            return Err(Full::User);
        }
        self.user = Some(Arc::clone(user));
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let seats = &self.shared.login.seats;
        seats.taken.fetch_sub(1, Ordering::Relaxed);
        self.database.iter().for_each(|database| seats.by_database.give_back(database));
        self.user.iter().for_each(|user| seats.by_user.give_back(user));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_and_what_is_given_back_is_free_again() {
        let (counts, name) = (Counts::default(), Arc::from("shop"));
        assert!(counts.take(&name, 1) && !counts.take(&name, 1) && counts.take(&name, 0));
        assert_eq!(counts.get("shop"), 2);
        counts.give_back(&name);
        counts.give_back(&name);
        assert!(counts.get("shop") == 0 && counts.take(&name, 1));
    }
}
