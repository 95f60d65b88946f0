//! Clients that were shown the door: each is counted, and now and then the log tells of them.

use std::cell::Cell;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use deepwater_core::Events;
use deepwater_core::metrics::{Counter, Registry};

use crate::downstream::Excess;

/// Between two lines of the log about the same. An attack must not become one on the log.
const TOLD_EVERY: Duration = Duration::from_secs(10);

deepwater_core::event! {
    /// Clients flooded HTTP/2 connections, which were closed.
    pub struct ClientsFlooded { client: String, kind: String, count: u64 }
    clients_flooded: Warn, "{count} HTTP/2 connections were closed because their clients flooded them, the last one {client} ({kind})"
}

deepwater_core::event! {
    /// Connections were closed because their clients had as many as they may have.
    pub struct ConnectionsRefused { client: String, count: u64 }
    connections_refused: Warn, "{count} connections were closed at once because of edge.max_connections_per_ip, the last one of {client}"
}

/// What happened since the log last told of it.
#[derive(Debug, Default)]
struct Untold {
    count: Cell<u64>,
    told_at: Cell<Option<Instant>>,
}

impl Untold {
    /// Counts one; how many to tell of, if it is time to.
    fn one_more(&self, now: Instant) -> Option<u64> {
        let count = self.count.get() + 1;
        if self.told_at.get().is_some_and(|at| now.saturating_duration_since(at) < TOLD_EVERY) {
            self.count.set(count);
            return None;
        }
        self.count.set(0);
        self.told_at.set(Some(now));
        Some(count)
    }
}

/// Of one core.
pub(crate) struct Hostile {
    floods: [Counter; Excess::ALL.len()],
    refused: Counter,
    floods_untold: Untold,
    refused_untold: Untold,
}

impl Hostile {
    pub(crate) fn register(registry: &Registry) -> Self {
        let flood = |excess: Excess| {
            let help = "HTTP/2 connections closed because their clients flooded them, by what with.";
            registry.counter("deepwater_edge_http2_floods_total", help, &[("kind", excess.as_str())])
        };
        Self {
            floods: Excess::ALL.map(flood),
            refused: registry.counter(
                "deepwater_edge_refused_connections_total",
                "Connections closed at once because their client had as many as it may have.",
                &[],
            ),
            floods_untold: Untold::default(),
            refused_untold: Untold::default(),
        }
    }

    /// An HTTP/2 connection was ended because its client went too far.
    pub(crate) fn flooded(&self, excess: Excess, client: IpAddr, now: Instant, events: &Events) {
        self.floods[excess as usize].increment();
        if let Some(count) = self.floods_untold.one_more(now) {
            let (client, kind) = (client.to_string(), excess.as_str().to_owned());
            events.emit(ClientsFlooded { client, kind, count });
        }
    }

    /// A connection was closed because its client has as many as it may have.
    pub(crate) fn refused(&self, client: IpAddr, now: Instant, events: &Events) {
        self.refused.increment();
        if let Some(count) = self.refused_untold.one_more(now) {
            events.emit(ConnectionsRefused { client: client.to_string(), count });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_now_and_then_and_of_all() {
        let (untold, start) = (Untold::default(), Instant::now());
        assert_eq!(untold.one_more(start), Some(1));
        for _ in 0..99 {
            assert_eq!(untold.one_more(start + TOLD_EVERY / 2), None);
        }
        assert_eq!(untold.one_more(start + TOLD_EVERY), Some(100));
        assert_eq!(untold.one_more(start + TOLD_EVERY * 3), Some(1));
    }
}
