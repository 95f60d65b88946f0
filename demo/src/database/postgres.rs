//! The shop's tables in PostgreSQL.

mod connections;
mod schema;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_postgres::Row;

use super::{DatabaseError, Order, Purchase};
use crate::bill;
use crate::carts::{Cart, check_quantity, new_session_id};
use crate::catalogue::{DEAL, Product, ProductId};
use crate::clock::unix_seconds;
use crate::prices::{self, Euros, PriceError, PriceList, Quote};
use crate::server::OptionsError;
use connections::{Connections, Lease};

/// For one statement, the wait for a connection included.
const DEADLINE: Duration = Duration::from_secs(5);

const PRICES: &str = "SELECT id, price_cents, extract(epoch FROM priced_at)::bigint FROM products \
                      WHERE price_cents IS NOT NULL";
const SET_PRICE: &str = "UPDATE products SET price_cents = $2, priced_at = now() WHERE id = $1";

const CART: &str = "SELECT product, quantity FROM cart_items WHERE session = $1";
const SEE_SESSION: &str = "UPDATE sessions SET last_seen = now() WHERE id = $1 RETURNING id";
const NEW_SESSION: &str = "INSERT INTO sessions (id) VALUES ($1)";
/// Those of whom nothing was heard for half an hour.
const FORGET_SESSIONS: &str = "DELETE FROM sessions WHERE last_seen < now() - interval '30 minutes'";
const ADD_ITEM: &str = "INSERT INTO cart_items (session, product, quantity) VALUES ($1, $2, $3) \
                        ON CONFLICT (session, product) \
                        DO UPDATE SET quantity = cart_items.quantity + excluded.quantity RETURNING quantity";
const REMOVE_ITEM: &str = "DELETE FROM cart_items WHERE session = $1 AND product = $2 RETURNING quantity";

const TAKE_CART: &str = "DELETE FROM cart_items WHERE session = $1 RETURNING product, quantity";
const NEW_ORDER: &str = "INSERT INTO orders (instance, total_cents) VALUES ($1, $2) RETURNING id";
const ORDER_LINES: &str = "INSERT INTO order_lines SELECT $1, * FROM \
                           unnest($2::bigint[], $3::bigint[], $4::bigint[])";
/// What a till does while it keeps a connection: asks the bank.
const PAY: &str = "SELECT pg_sleep(0.015)";
/// New stock arrives once the last one is sold. It comes last, so that those who buy the same thing at the same time
/// do not wait for each other's bank.
const TAKE_STOCK: &str = "UPDATE products SET stock = CASE WHEN stock > bought.n THEN stock - bought.n \
                          ELSE stock - bought.n + 400 END \
                          FROM unnest($1::bigint[], $2::bigint[]) AS bought (id, n) WHERE products.id = bought.id";
/// Stock over all warehouses takes its time.
const STOCK: &str = "SELECT stock FROM products, pg_sleep(0.06) WHERE id = $1";
/// What sells best of the same shelf; looking at everything that was sold takes its time.
const RECOMMENDED: &str = "SELECT other.id FROM products AS other, pg_sleep(0.15) \
                           WHERE other.category = (SELECT category FROM products WHERE id = $1) AND other.id <> $1 \
                           ORDER BY other.stock, other.id";

/// The shop's part of a database.
pub(crate) struct Postgres {
    connections: Connections,
    /// Set when the tables are known to be there.
    tables: OnceCell<()>,
    instance: String,
    /// Prices that stand when this instance has started.
    prices: BTreeMap<ProductId, Euros>,
}

impl Postgres {
    /// # Errors
    /// The address cannot be read, or a price is none of the shop.
    pub(super) fn new(
        url: &str,
        instance: &str,
        given: &BTreeMap<ProductId, u64>,
    ) -> Result<Self, OptionsError> {
        let checked = |(&product, &cents): (&ProductId, &u64)| {
            let price = Euros { cents };
            prices::check(product, price).map(|()| (product, price))
        };
        let prices = given.iter().map(checked).collect::<Result<_, PriceError>>()?;
        let connections = Connections::new(url, instance)?;
        Ok(Self { connections, tables: OnceCell::new(), instance: instance.to_owned(), prices })
    }

    pub(super) async fn prices(&self) -> Result<PriceList, DatabaseError> {
        price_list(&self.connection().await?.query(PRICES, &[]).await?)
    }

    pub(super) async fn set_price(&self, product: ProductId, price: Euros) -> Result<(), DatabaseError> {
        prices::check(product, price)?;
        self.connection().await?.query(SET_PRICE, &[&i64::from(product), &price.in_table()]).await?;
        Ok(())
    }

    pub(super) async fn cart(&self, session: &str) -> Result<Cart, DatabaseError> {
        cart(&self.connection().await?.query(CART, &[&session]).await?)
    }

    pub(super) async fn add_to_cart(
        &self,
        session: Option<&str>,
        product: ProductId,
        quantity: u32,
    ) -> Result<(String, Cart), DatabaseError> {
        check_quantity(quantity)?;
        let mut connection = self.connection().await?;
        connection.begin().await?;
        let known = match session {
            Some(session) if !connection.query(SEE_SESSION, &[&session]).await?.is_empty() => Some(session),
            _ => None,
        };
        let session = known.map_or_else(new_session_id, str::to_owned);
        if known.is_none() {
            connection.query(FORGET_SESSIONS, &[]).await?;
            connection.query(NEW_SESSION, &[&session]).await?;
        }
        let (product, quantity) = (i64::from(product), i64::from(quantity));
        let added = connection.query(ADD_ITEM, &[&session, &product, &quantity]).await?;
        // Too many: the transaction ends here, and nothing was added.
        for row in &added {
            check_quantity(number(row, 0)?)?;
        }
        let cart = cart(&connection.query(CART, &[&session]).await?)?;
        connection.commit().await?;
        Ok((session, cart))
    }

    pub(super) async fn remove_from_cart(
        &self,
        session: &str,
        product: ProductId,
    ) -> Result<Option<Cart>, DatabaseError> {
        let mut connection = self.connection().await?;
        if connection.query(REMOVE_ITEM, &[&session, &i64::from(product)]).await?.is_empty() {
            return Ok(None);
        }
        cart(&connection.query(CART, &[&session]).await?).map(Some)
    }

    /// One transaction: a customer who is turned away keeps the cart.
    pub(super) async fn buy(&self, purchase: Purchase<'_>) -> Result<Option<Order>, DatabaseError> {
        let mut connection = self.connection().await?;
        connection.begin().await?;
        let cart = match purchase {
            Purchase::Cart(session) => cart(&connection.query(TAKE_CART, &[&session]).await?)?,
            Purchase::Items(cart) => cart,
        };
        if cart.is_empty() {
            connection.roll_back().await?;
            return Ok(None);
        }
        let lines = bill::lines(&cart, &price_list(&connection.query(PRICES, &[]).await?)?);
        let total = bill::total(&lines);
        let order = connection.query(NEW_ORDER, &[&self.instance, &total.in_table()]).await?;
        let number: i64 = order.first().ok_or_else(odd)?.try_get(0)?;
        let products: Vec<i64> = lines.iter().map(|line| line.product.id.into()).collect();
        let quantities: Vec<i64> = lines.iter().map(|line| line.quantity.into()).collect();
        let amounts: Vec<i64> = lines.iter().map(|line| line.amount.in_table()).collect();
        connection.query(ORDER_LINES, &[&number, &products, &quantities, &amounts]).await?;
        connection.query(PAY, &[]).await?;
        connection.query(TAKE_STOCK, &[&products, &quantities]).await?;
        connection.commit().await?;
        Ok(Some(Order { id: format!("{}-{number}", self.instance), total }))
    }

    pub(super) async fn stock(&self) -> Result<u64, DatabaseError> {
        let rows = self.connection().await?.query(STOCK, &[&i64::from(DEAL)]).await?;
        number(rows.first().ok_or_else(odd)?, 0).map(u64::from)
    }

    pub(super) async fn recommended_with(&self, product: &Product) -> Result<Vec<ProductId>, DatabaseError> {
        let rows = self.connection().await?.query(RECOMMENDED, &[&i64::from(product.id)]).await?;
        rows.iter().map(|row| number(row, 0)).collect()
    }

    /// A connection to a database that has the tables.
    async fn connection(&self) -> Result<Lease<'_>, DatabaseError> {
        let mut connection = self.connections.take().await?;
        self.tables.get_or_try_init(|| schema::make(&mut connection, &self.prices)).await?;
        Ok(connection)
    }
}

fn price_list(rows: &[Row]) -> Result<PriceList, DatabaseError> {
    let quote = |row: &Row| {
        let (cents, since): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
        let (cents, since) = (u64::try_from(cents), u64::try_from(since));
        let price = Euros { cents: cents.map_err(|_| odd())? };
        Ok((number(row, 0)?, Quote { price, since: since.map_err(|_| odd())? }))
    };
    let standing = rows.iter().map(quote).collect::<Result<_, DatabaseError>>()?;
    Ok(PriceList::new(unix_seconds(), standing))
}

fn cart(rows: &[Row]) -> Result<Cart, DatabaseError> {
    rows.iter().map(|row| Ok((number(row, 0)?, number(row, 1)?))).collect()
}

/// A number of the shop, as its tables hold them.
fn number(row: &Row, column: usize) -> Result<u32, DatabaseError> {
    let number: i64 = row.try_get(column)?;
    u32::try_from(number).map_err(|_| odd())
}

fn odd() -> DatabaseError {
    DatabaseError::Failed("it holds what this shop has not put there".into())
}

impl Euros {
    /// As tables hold it. A bill does not come near the limit.
    fn in_table(self) -> i64 {
        i64::try_from(self.cents).unwrap_or(i64::MAX)
    }
}
