//! The tables, made by whichever instance comes first.

use std::collections::BTreeMap;

use super::connections::Connection;
use super::{DatabaseError, SET_PRICE};
use crate::catalogue::{DEAL, PRODUCTS, ProductId};
use crate::prices::{DEAL_PRICE, Euros};

/// Instances start at the same time: one makes the tables, the others wait for it.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(hashtext('fern and flint'))";

const TABLES: &str = include_str!("schema.sql");

const FILL: &str = "INSERT INTO products (id, name, category, list_price_cents) \
                    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) ON CONFLICT DO NOTHING";
const FIRST_PRICE: &str =
    "UPDATE products SET price_cents = $2, priced_at = now() WHERE id = $1 AND price_cents IS NULL";

/// Makes what is not there, and sets these prices.
pub(super) async fn make(
    connection: &mut Connection,
    prices: &BTreeMap<ProductId, Euros>,
) -> Result<(), DatabaseError> {
    connection.begin().await?;
    connection.query(ONE_AT_A_TIME, &[]).await?;
    connection.script(TABLES).await?;
    let ids: Vec<i64> = PRODUCTS.iter().map(|product| product.id.into()).collect();
    let names: Vec<&str> = PRODUCTS.iter().map(|product| product.name).collect();
    let categories: Vec<&str> = PRODUCTS.iter().map(|product| product.category.slug()).collect();
    let list_prices: Vec<i64> = PRODUCTS.iter().map(|product| product.list_price_cents.into()).collect();
    connection.query(FILL, &[&ids, &names, &categories, &list_prices]).await?;
    connection.query(FIRST_PRICE, &[&i64::from(DEAL), &DEAL_PRICE.in_table()]).await?;
    for (&product, price) in prices {
        connection.query(SET_PRICE, &[&i64::from(product), &price.in_table()]).await?;
    }
    connection.commit().await
}
