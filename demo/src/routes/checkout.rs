//! Checkout: the one request that needs the database.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::cart::{Item, PERSONAL, session};
use super::catalogue::page_for;
use crate::app::Shop;
use crate::bill;
use crate::carts::{self, Cart};
use crate::catalogue;
use crate::database::PoolTimeout;
use crate::pages;
use crate::prices::Euros;
use crate::problem::Problem;

/// What is bought: the items listed, or without any the session's cart.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Purchase {
    #[serde(default)]
    items: Vec<Item>,
}

struct Order {
    id: String,
    total: Euros,
}

/// `POST /api/checkout`, with an empty body for the session's cart or `{"items": [...]}` to buy at once.
pub(crate) async fn by_json(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let purchase: Purchase = if body.is_empty() {
        Purchase::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, format!("The body is not a purchase: {error}."))
        })?
    };
    let order = if purchase.items.is_empty() {
        buy_cart(&shop, &headers).await?
    } else {
        let cart = gather(&purchase.items)?;
        place(&shop, || Some(cart)).await?
    };
    let answer =
        json!({ "order": order.id, "total": order.total, "currency": "EUR", "instance": shop.instance });
    Ok((StatusCode::CREATED, [PERSONAL], Json(answer)).into_response())
}

/// `POST /checkout`: the session's cart, from the cart's page.
pub(crate) async fn by_form(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    match buy_cart(&shop, &headers).await {
        Ok(order) => {
            let page = pages::order_placed(&shop.instance, &order.id, order.total);
            (StatusCode::CREATED, [PERSONAL], page).into_response()
        }
        Err(problem) => page_for(&shop, &problem),
    }
}

async fn buy_cart(shop: &Shop, headers: &HeaderMap) -> Result<Order, Problem> {
    let known = session(headers).filter(|id| shop.carts.get(id).is_some_and(|cart| !cart.is_empty()));
    let id = known.ok_or_else(empty_cart)?;
    place(shop, || shop.carts.take(id)).await
}

/// Writes the order. The cart is taken within the transaction: a customer who is turned away keeps it.
async fn place(shop: &Shop, cart: impl FnOnce() -> Option<Cart>) -> Result<Order, Problem> {
    let written = shop.database.transaction(|| {
        let cart = cart()?;
        let total = bill::total(&bill::lines(&cart, &shop.prices.now()));
        Some(Order { id: shop.database.next_order_id(), total })
    });
    match written.await {
        Ok(order) => order.ok_or_else(empty_cart),
        Err(timeout @ PoolTimeout) => Err(Problem::overloaded(timeout.to_string())),
    }
}

fn gather(items: &[Item]) -> Result<Cart, Problem> {
    let mut cart = Cart::new();
    for item in items {
        let product = catalogue::find(item.product).ok_or_else(Problem::no_such_product)?;
        let line = cart.entry(product.id).or_default();
        *line = carts::check_quantity(item.quantity.saturating_add(*line))
            .map_err(|refused| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, refused.to_string()))?;
    }
    Ok(cart)
}

fn empty_cart() -> Problem {
    Problem::new(StatusCode::CONFLICT, "This instance of the shop has no cart of yours, or it is empty.")
}
