//! When a client's queries and transactions began and ended.

use std::sync::atomic::Ordering;
use std::time::Instant;

use deepwater_pgwire::message::backend::Status;

use super::Session;

impl Session {
    /// Notes that the server has been asked something.
    #[inline]
    pub(super) fn note_asked(&mut self) {
        let Some(link) = &mut self.link else { return };
        if link.query_since.is_some() {
            return;
        }
        // What is asked first is asked when the server was taken.
        let now =
            if link.fresh { link.linked.micros } else { self.worker.shared.moment(Instant::now()).micros };
        link.query_since = Some(now);
        self.info.requested_at.store(now, Ordering::Relaxed);
        let begins = link.transaction_since.is_none();
        link.transaction_since.get_or_insert(now);
        if self.watched {
            if begins {
                self.info.transaction_since.store(now, Ordering::Relaxed);
            }
            self.info.query_since.store(now, Ordering::Relaxed);
            self.info.idle_since.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that the server has answered a query of the client; the last of those that were asked, or not.
    pub(super) fn note_answered(&mut self) {
        let Some(link) = &mut self.link else { return };
        self.metrics.queries.increment();
        let over = link.status == Status::Idle;
        if over {
            self.metrics.transactions.increment();
        }
        if !link.expected.is_empty() {
            return;
        }
        link.moment = self.worker.shared.moment(Instant::now());
        let now = link.moment.micros;
        let since = |since: Option<u64>| since.map_or(0, |since| now.saturating_sub(since));
        self.metrics.query_micros.add(since(link.query_since.take()));
        if over {
            self.metrics.transaction_micros.add(since(link.transaction_since.take()));
        }
        if self.watched {
            self.info.query_since.store(0, Ordering::Relaxed);
            if over {
                self.info.transaction_since.store(0, Ordering::Relaxed);
            }
            self.info.idle_since.store(now, Ordering::Relaxed);
        }
    }
}
