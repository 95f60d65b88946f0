//! The "database": a bounded pool of connections, each held for the length of a transaction.
//!
//! Ten connections of 15 ms each carry 667 transactions a second (Little's law). Beyond that, requests
//! queue for a connection, and the wait grows until it is given up: a scalability cliff as shops have it. Pages that
//! ask the same pool make it worse.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock;

const CONNECTIONS: usize = 10;
const TRANSACTION: Duration = Duration::from_millis(15);
/// What the deal's page asks: stock and orders over all warehouses.
const STOCK_QUERIES: Duration = Duration::from_millis(60);
const MAX_WAIT: Duration = Duration::from_secs(2);

/// No connection became free in time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("No database connection became free within {} s.", MAX_WAIT.as_secs())]
pub(crate) struct PoolTimeout;

/// The pool of connections and the table of orders behind it.
pub(crate) struct Database {
    connections: Semaphore,
    orders: AtomicU64,
    order_prefix: String,
}

impl Database {
    /// `instance` and the time of the start keep order numbers apart, between instances and restarts.
    pub(crate) fn new(instance: &str) -> Self {
        Self {
            connections: Semaphore::new(CONNECTIONS),
            orders: AtomicU64::new(0),
            order_prefix: format!("{instance}-{:x}", clock::unix_seconds()),
        }
    }

    /// Runs `statements` at the end of a transaction of 15 ms on a connection of the pool. A caller that goes
    /// away while it waits gives up its place, and its statements do not run.
    pub(crate) async fn transaction<T>(&self, statements: impl FnOnce() -> T) -> Result<T, PoolTimeout> {
        self.hold(TRANSACTION, statements).await
    }

    /// Runs the queries of the deal's page, 60 ms on a connection of the pool.
    pub(crate) async fn count_stock(&self) -> Result<(), PoolTimeout> {
        self.hold(STOCK_QUERIES, || ()).await
    }

    async fn hold<T>(&self, length: Duration, statements: impl FnOnce() -> T) -> Result<T, PoolTimeout> {
        let acquired = tokio::time::timeout(MAX_WAIT, self.connections.acquire()).await;
        let _connection = acquired.map_err(|_| PoolTimeout)?.map_err(|_closed| PoolTimeout)?;
        tokio::time::sleep(length).await;
        Ok(statements())
    }

    /// A new order's number.
    pub(crate) fn next_order_id(&self) -> String {
        format!("{}-{}", self.order_prefix, self.orders.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn transactions_queue_for_ten_connections() {
        let database = Database::new("test");
        let start = Instant::now();
        let done = join_all((0..25).map(|_| database.transaction(|| start.elapsed()))).await;
        let took: Vec<u128> = done.into_iter().map(|waited| waited.unwrap().as_millis()).collect();
        assert_eq!(took[..10], [15; 10]);
        assert_eq!(took[10..20], [30; 10]);
        assert_eq!(took[20..], [45; 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_ends_in_a_timeout_not_in_an_endless_queue() {
        let database = Database::new("test");
        let start = Instant::now();
        let done = join_all((0..2_000).map(|_| database.transaction(|| ()))).await;
        let served = done.iter().filter(|outcome| outcome.is_ok()).count();
        // 133 rounds of ten start within the two seconds, and the first one at once.
        assert_eq!(served, 1_340);
        assert!(start.elapsed() <= MAX_WAIT + TRANSACTION * 2, "took {:?}", start.elapsed());
        assert!(database.transaction(|| ()).await.is_ok(), "the pool is whole again");
    }
}
