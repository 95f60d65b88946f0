//! The "database" of a shop that has none: the memory of this instance, behind a bounded pool of "connections", each held
//! for the length of a transaction.
//!
//! Ten connections of 15 ms each carry 667 transactions a second (Little's law). Beyond that, requests
//! queue for a connection, and the wait grows until it is given up: a scalability cliff as shops have it. Pages that
//! ask the same pool make it worse.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{DatabaseError, Order, Purchase};
use crate::bill;
use crate::carts::{Cart, Carts};
use crate::catalogue::{self, Product, ProductId};
use crate::clock;
use crate::prices::{Euros, PriceError, PriceList, Prices};

const CONNECTIONS: usize = 10;
const TRANSACTION: Duration = Duration::from_millis(15);
/// What the deal's page asks: stock and orders over all warehouses.
const STOCK_QUERIES: Duration = Duration::from_millis(60);
/// A look at everything that was sold.
const SALES_QUERY: Duration = Duration::from_millis(150);
const MAX_WAIT: Duration = Duration::from_secs(2);

/// How many of the deal there were on Monday, and how long it takes to sell one.
const STOCK: u64 = 400;
const SECONDS_A_PIECE: u64 = 9;

/// Carts, prices and the number of orders; and the pool of connections in front of orders and stock.
pub(crate) struct Memory {
    carts: Carts,
    prices: Prices,
    connections: Semaphore,
    orders: AtomicU64,
    order_prefix: String,
}

impl Memory {
    /// `instance` and the time of the start keep order numbers apart, between instances and restarts.
    ///
    /// # Errors
    /// One of the prices is none of the shop.
    pub(super) fn new(instance: &str, prices: &BTreeMap<ProductId, u64>) -> Result<Self, PriceError> {
        Ok(Self {
            carts: Carts::default(),
            prices: Prices::new(prices)?,
            connections: Semaphore::new(CONNECTIONS),
            orders: AtomicU64::new(0),
            order_prefix: format!("{instance}-{:x}", clock::unix_seconds()),
        })
    }

    pub(super) fn prices(&self) -> PriceList {
        self.prices.now()
    }

    pub(super) fn set_price(&self, product: ProductId, price: Euros) -> Result<(), PriceError> {
        self.prices.set(product, price)
    }

    pub(super) fn carts(&self) -> &Carts {
        &self.carts
    }

    /// Buys at the end of a transaction of 15 ms. A caller that goes away while it waits gives up its place, and
    /// nothing is bought. The cart is taken within the transaction: a customer who is turned away keeps it.
    pub(super) async fn buy(&self, purchase: Purchase<'_>) -> Result<Option<Order>, DatabaseError> {
        if let Purchase::Cart(session) = purchase
            && self.carts.get(session).is_none_or(|cart| cart.is_empty())
        {
            return Ok(None);
        }
        self.hold(TRANSACTION, || {
            let cart = match purchase {
                Purchase::Cart(session) => self.carts.take(session)?,
                Purchase::Items(cart) => cart,
            };
            Some(self.order(&cart))
        })
        .await
    }

    fn order(&self, cart: &Cart) -> Order {
        let number = self.orders.fetch_add(1, Ordering::Relaxed) + 1;
        let total = bill::total(&bill::lines(cart, &self.prices.now()));
        Order { id: format!("{}-{number}", self.order_prefix), total }
    }

    /// How many of the deal are left. New stock arrives once the last one is sold.
    pub(super) async fn stock(&self) -> Result<u64, DatabaseError> {
        self.hold(STOCK_QUERIES, || STOCK - clock::unix_seconds() / SECONDS_A_PIECE % STOCK).await
    }

    /// What stands on the same shelf: nothing remembers who bought what.
    pub(super) async fn recommended_with(&self, product: &Product) -> Result<Vec<ProductId>, DatabaseError> {
        let shelf = catalogue::list(Some(product.category));
        let others = shelf.map(|other| other.id).filter(|id| *id != product.id);
        self.hold(SALES_QUERY, || others.collect()).await
    }

    async fn hold<T>(&self, length: Duration, statements: impl FnOnce() -> T) -> Result<T, DatabaseError> {
        let acquired = tokio::time::timeout(MAX_WAIT, self.connections.acquire()).await;
        let _connection = acquired.map_err(|_| TIMEOUT)?.map_err(|_closed| TIMEOUT)?;
        tokio::time::sleep(length).await;
        Ok(statements())
    }
}

const TIMEOUT: DatabaseError = DatabaseError::Timeout(MAX_WAIT);

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::time::Instant;

    use super::*;

    fn database() -> Memory {
        Memory::new("test", &BTreeMap::new()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn transactions_queue_for_ten_connections() {
        let database = database();
        let start = Instant::now();
        let done = join_all((0..25).map(|_| database.hold(TRANSACTION, || start.elapsed()))).await;
        let took: Vec<u128> = done.into_iter().map(|waited| waited.unwrap().as_millis()).collect();
        assert_eq!(took[..10], [15; 10]);
        assert_eq!(took[10..20], [30; 10]);
        assert_eq!(took[20..], [45; 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_ends_in_a_timeout_not_in_an_endless_queue() {
        let database = database();
        let start = Instant::now();
        let done = join_all((0..2_000).map(|_| database.hold(TRANSACTION, || ()))).await;
        let served = done.iter().filter(|outcome| outcome.is_ok()).count();
        // 133 rounds of ten start within the two seconds, and the first one at once.
        assert_eq!(served, 1_340);
        assert!(start.elapsed() <= MAX_WAIT + TRANSACTION * 2, "took {:?}", start.elapsed());
        assert!(database.hold(TRANSACTION, || ()).await.is_ok(), "the pool is whole again");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_turned_away_keeps_the_cart() {
        let database = database();
        let (session, cart) = database.carts.add(None, 1, 2).unwrap();
        let crowd = join_all((0..1_400).map(|_| database.hold(TRANSACTION, || ())));
        let (_, bought) = tokio::join!(crowd, database.buy(Purchase::Cart(&session)));
        assert!(matches!(bought, Err(DatabaseError::Timeout(_))), "{bought:?}");
        assert_eq!(database.carts.get(&session), Some(cart));
        assert!(database.buy(Purchase::Cart(&session)).await.unwrap().is_some());
        assert!(database.buy(Purchase::Cart(&session)).await.unwrap().is_none());
    }
}
