//! Figures about keys.

use deepwater_core::metrics::{Counter, Registry, Sink};

use super::admit::Admission;
use super::keeper::KeyStore;

/// What becomes of requests, as labels.
const RESULTS: [&str; 11] = [
    "begun",
    "repeated",
    "uncovered",
    "key_missing",
    "key_invalid",
    "request_too_large",
    "key_reused",
    "in_flight",
    "outcome_unknown",
    "answer_not_kept",
    "unavailable",
];

/// Of one route on one core.
pub(crate) struct KeyMetrics {
    results: [Counter; RESULTS.len()],
}

impl KeyMetrics {
    pub fn register(registry: &Registry, route: &str) -> Self {
        let result = |result| {
            let help = "Requests with idempotency keys, or without one they need, by what became of them.";
            let labels = [("route", route), ("result", result)];
            registry.counter("deepwater_idempotency_requests_total", help, &labels)
        };
        Self { results: RESULTS.map(result) }
    }

    /// Counts what became of a request.
    pub fn count(&self, admission: &Admission) {
        let result = match admission {
            Admission::Keyless | Admission::Failed(_) => return,
            Admission::Uncovered(_) => "uncovered",
            Admission::Begun(..) => "begun",
            Admission::Repeated(_) => "repeated",
            Admission::Refused(problem) => problem.code(),
        };
        if let Some(position) = RESULTS.iter().position(|known| *known == result) {
            self.results[position].increment();
        }
    }
}

/// Figures of the store, for the whole process.
pub(crate) fn show(store: &KeyStore, sink: &mut Sink) {
    let help = "Bytes of bodies and answers of requests with idempotency keys under way.";
    sink.gauge("deepwater_idempotency_buffered_bytes", help, &[], store.buffered_bytes() as f64);
    let Some(counts) = store.counts() else { return };
    let help = "Idempotency keys remembered in memory.";
    sink.gauge("deepwater_idempotency_keys", help, &[], counts.keys as f64);
    let help = "Memory that idempotency keys and their answers take, bytes.";
    sink.gauge("deepwater_idempotency_bytes", help, &[], counts.bytes as f64);
    let help = "Idempotency keys forgotten before their time because the memory was full.";
    sink.counter("deepwater_idempotency_evicted_total", help, &[], counts.evicted);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::*;
    use crate::idempotency::key::KeyFault;
    use crate::idempotency::problem::Problem;

    #[test]
    fn every_problem_is_counted() {
        let registry = Registry::default();
        let metrics = KeyMetrics::register(&registry, "orders");
        let header = || Box::from("idempotency-key");
        let problems = [
            Problem::Missing { header: header() },
            Problem::BadKey { header: header(), fault: KeyFault::Empty },
            Problem::TooLarge { most: 1 },
            Problem::Mismatch,
            Problem::InFlight { left: Duration::ZERO },
            Problem::Unknown,
            Problem::NotKept { status: StatusCode::OK },
            Problem::Unavailable,
        ];
        for problem in problems {
            let labels = [("route", "orders"), ("result", problem.code())];
            metrics.count(&Admission::Refused(problem.clone()));
            assert_eq!(registry.sum("deepwater_idempotency_requests_total", &labels), 1, "{problem:?}");
        }
    }
}
