//! The deal of the week: the page everybody wants at once, and the dearest one to make.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};

use super::catalogue::{page_for, tagged};
use crate::app::Shop;
use crate::catalogue;
use crate::pages;
use crate::problem::Problem;

/// How many there were on Monday, and how long it takes to sell one.
const STOCK: u64 = 400;
const SECONDS_A_PIECE: u64 = 9;

/// `GET /deal`: queues for the database like every checkout, and holds a connection four times as long.
pub(crate) async fn page(State(shop): State<Arc<Shop>>) -> Response {
    if let Err(timeout) = shop.database.count_stock().await {
        return page_for(&shop, &Problem::overloaded(timeout.to_string()));
    }
    let prices = shop.prices.now();
    // New stock arrives once the last one is sold.
    let left = STOCK - prices.now / SECONDS_A_PIECE % STOCK;
    let page = pages::deal(&shop.instance, left, &prices);
    ([(CACHE_CONTROL, "public, max-age=2")], tagged([catalogue::deal()]), page).into_response()
}
