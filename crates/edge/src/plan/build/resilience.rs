//! How a pool bears failure and overload: retries, breakers, concurrency.

use std::sync::Arc;

use deepwater_core::Context;
use deepwater_core::config::Place;
use deepwater_upstream::{Backoff, Budget, Gate, RetryBudget, WaitingRoom};

use crate::breakers::Breakers;
use crate::config::Pool;

use super::super::RetryPlan;

/// More would only prolong what does not work.
const MAX_ATTEMPTS: u32 = 10;
/// The largest request body that may be kept for another attempt.
const MAX_KEPT_BODY: u64 = 16 << 20;

/// When requests of a pool are sent again; `None` when something was reported.
pub(super) fn retry(pool: &Pool, place: &Place<'_>) -> Option<RetryPlan> {
    let (retry, place) = (&pool.retry, place.at("retry"));
    if retry.attempts > MAX_ATTEMPTS {
        place.at("attempts").problem_with_fix("so many retries help nobody", "write 1 or 2, at most 10");
        return None;
    }
    if let Some(status) = retry.statuses.iter().find(|status| !(400..600).contains(*status)) {
        place.at("statuses").problem_with_fix(
            format!("{status} is not the status of a failure"),
            "write those of servers that cannot answer: [502, 503, 504]",
        );
        return None;
    }
    if retry.max_body.bytes() > MAX_KEPT_BODY {
        place.at("max_body").problem_with_fix(
            "it would be held in memory for each request under way",
            "write 16MiB or less: longer bodies are sent once",
        );
        return None;
    }
    if retry.backoff.get() > retry.max_backoff.get() {
        place.at("backoff").problem_with_fix("it is longer than max_backoff", "raise max_backoff");
        return None;
    }
    Some(RetryPlan {
        attempts: retry.attempts,
        statuses: retry.statuses.clone(),
        on_timeout: retry.on_timeout,
        budget: RetryBudget::new(&Budget { share: retry.budget, min_per_second: retry.min_per_second }),
        backoff: Backoff { base: retry.backoff, max: retry.max_backoff },
        max_body: usize::try_from(retry.max_body.bytes()).unwrap_or(usize::MAX),
    })
}

/// Whether both have breakers with the same settings.
pub(super) fn same_breakers(old: &Pool, new: &Pool) -> bool {
    old.breaker == new.breaker && old.target_breaker == new.target_breaker
}

/// The breakers of a pool; `None` when something was reported.
pub(super) fn breakers(
    name: &str,
    pool: &Pool,
    place: &Place<'_>,
    context: &Context,
) -> Option<Arc<Breakers>> {
    for (key, breaker) in [("breaker", &pool.breaker), ("target_breaker", &pool.target_breaker)] {
        let Some(breaker) = breaker else { continue };
        let place = place.at(key);
        if breaker.probes == 0 {
            place.at("probes").problem_with_fix("nothing would ever close the breaker", "write 1 or more");
            return None;
        }
        if breaker.window.get() < std::time::Duration::from_millis(100) {
            place.at("window").problem_with_fix("so short a time says nothing", "write \"10s\"");
            return None;
        }
        if breaker.open_for.get().is_zero() || breaker.open_for.get() > breaker.max_open.get() {
            place.at("open_for").problem_with_fix("it lies between 1 ms and max_open", "write \"5s\"");
            return None;
        }
    }
    Some(Arc::new(Breakers::new(name, pool, &context.events, context.seed)))
}

/// The gate of a pool, `Some(None)` without one; `None` when something was reported. The one it had before is kept with
/// all who are in flight or wait; it changes to the new settings once the plan is in force.
pub(super) fn gate(
    pool: &Pool,
    place: &Place<'_>,
    seed: u64,
    old: Option<&Arc<Gate>>,
) -> Option<Option<Arc<Gate>>> {
    let Some(concurrency) = &pool.concurrency else {
        if pool.waiting != WaitingRoom::default() {
            place.at("waiting").problem_with_fix(
                "nobody ever waits: the pool has no limit",
                "add concurrency = { max = 100 }, or remove this table",
            );
            return None;
        }
        return Some(None);
    };
    let place = place.at("concurrency");
    if concurrency.max == 0 || concurrency.min == 0 || concurrency.initial == 0 {
        place.problem_with_fix("no request would ever pass", "write 1 or more");
        return None;
    }
    if concurrency.limit != deepwater_upstream::Limit::Fixed && concurrency.min > concurrency.max {
        place.at("min").problem_with_fix("it is more than max", "lower it");
        return None;
    }
    if concurrency.tolerance < 1.0 || !concurrency.tolerance.is_finite() {
        place.at("tolerance").problem_with_fix("no latency is below its floor", "write 1.25");
        return None;
    }
    Some(Some(old.map_or_else(|| Gate::new(concurrency, &pool.waiting, seed), Arc::clone)))
}
