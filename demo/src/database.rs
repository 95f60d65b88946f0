//! Where everything is kept that changes: prices, carts, orders, stock.
//!
//! In the memory of this instance, which is lost with it; or in PostgreSQL, which all instances share.

mod memory;
mod postgres;

use std::time::Duration;

use crate::carts::{Cart, QuantityError};
use crate::catalogue::{Product, ProductId};
use crate::prices::{Euros, PriceError, PriceList};
use crate::server::{Options, OptionsError};
use memory::Memory;
use postgres::Postgres;

/// Why something was not kept, or not found out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    /// No connection became free, or no answer came, within this time.
    #[error("No database connection became free within {} s.", .0.as_secs())]
    Timeout(Duration),
    /// The database lets nobody in who would need another connection; its SQLSTATE.
    #[error("The database has no connection to spare (SQLSTATE {0}).")]
    Exhausted(String),
    /// Anything else that is no fault of the customer.
    #[error("The database failed: {0}.")]
    Failed(String),
    #[error(transparent)]
    Quantity(#[from] QuantityError),
    #[error(transparent)]
    Price(#[from] PriceError),
}

/// What is bought.
#[derive(Clone)]
pub(crate) enum Purchase<'a> {
    /// What is in the cart of a session, which is empty then.
    Cart(&'a str),
    /// These items.
    Items(Cart),
}

/// What was bought.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) total: Euros,
}

/// One or the other.
pub(crate) enum Database {
    Memory(Memory),
    Postgres(Box<Postgres>),
}

impl Database {
    /// What the options name. PostgreSQL is not connected to before it is needed.
    ///
    /// # Errors
    /// The database's address cannot be read, or a price is none of the shop.
    pub(crate) fn new(options: &Options) -> Result<Self, OptionsError> {
        match &options.database {
            None => Ok(Self::Memory(Memory::new(&options.instance, &options.prices)?)),
            Some(url) => {
                Ok(Self::Postgres(Box::new(Postgres::new(url, &options.instance, &options.prices)?)))
            }
        }
    }

    /// Whether other instances see the same.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Whether more sessions can be kept.
    pub(crate) fn has_room(&self) -> bool {
        match self {
            Self::Memory(memory) => {
                let (sessions, most) = memory.carts().usage();
                sessions <= most
            }
            Self::Postgres(_) => true,
        }
    }

    /// All prices as they are now: what is shown together belongs together.
    pub(crate) async fn prices(&self) -> Result<PriceList, DatabaseError> {
        match self {
            Self::Memory(memory) => Ok(memory.prices()),
            Self::Postgres(postgres) => postgres.prices().await,
        }
    }

    /// From now on a product costs this.
    pub(crate) async fn set_price(&self, product: ProductId, price: Euros) -> Result<(), DatabaseError> {
        match self {
            Self::Memory(memory) => Ok(memory.set_price(product, price)?),
            Self::Postgres(postgres) => postgres.set_price(product, price).await,
        }
    }

    /// The session's cart; empty when the session is not known.
    pub(crate) async fn cart(&self, session: &str) -> Result<Cart, DatabaseError> {
        match self {
            Self::Memory(memory) => Ok(memory.carts().get(session).unwrap_or_default()),
            Self::Postgres(postgres) => postgres.cart(session).await,
        }
    }

    /// Adds to the session's cart. A session that is not known is replaced by a new one: an identifier is accepted
    /// only from whoever issued it. Returns the session that holds the cart.
    pub(crate) async fn add_to_cart(
        &self,
        session: Option<&str>,
        product: ProductId,
        quantity: u32,
    ) -> Result<(String, Cart), DatabaseError> {
        match self {
            Self::Memory(memory) => Ok(memory.carts().add(session, product, quantity)?),
            Self::Postgres(postgres) => postgres.add_to_cart(session, product, quantity).await,
        }
    }

    /// Takes a product out of the cart; `None` when it was not in it.
    pub(crate) async fn remove_from_cart(
        &self,
        session: &str,
        product: ProductId,
    ) -> Result<Option<Cart>, DatabaseError> {
        match self {
            Self::Memory(memory) => Ok(memory.carts().remove(session, product)),
            Self::Postgres(postgres) => postgres.remove_from_cart(session, product).await,
        }
    }

    /// Buys; `None` when there is nothing to buy. Of two who buy the same cart one gets it.
    pub(crate) async fn buy(&self, purchase: Purchase<'_>) -> Result<Option<Order>, DatabaseError> {
        match self {
            Self::Memory(memory) => memory.buy(purchase).await,
            Self::Postgres(postgres) => postgres.buy(purchase).await,
        }
    }

    /// How many of the deal are left, counted in all warehouses: it takes 60 ms.
    pub(crate) async fn stock(&self) -> Result<u64, DatabaseError> {
        match self {
            Self::Memory(memory) => memory.stock().await,
            Self::Postgres(postgres) => postgres.stock().await,
        }
    }

    /// What goes with a product, found by looking at everything that was sold: it takes 150 ms.
    pub(crate) async fn recommended_with(&self, product: &Product) -> Result<Vec<ProductId>, DatabaseError> {
        match self {
            Self::Memory(memory) => memory.recommended_with(product).await,
            Self::Postgres(postgres) => postgres.recommended_with(product).await,
        }
    }
}
