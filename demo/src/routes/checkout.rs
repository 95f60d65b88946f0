//! Checkout: the request that keeps a database connection longest.

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
use crate::carts::{self, Cart};
use crate::catalogue;
use crate::database::{Order, Purchase};
use crate::pages;
use crate::problem::Problem;

/// What is bought: the items listed, or without any the session's cart.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    items: Vec<Item>,
}

/// `POST /api/checkout`, with an empty body for the session's cart or `{"items": [...]}` to buy at once.
pub(crate) async fn by_json(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let wanted: Wanted = if body.is_empty() {
        Wanted::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, format!("The body is not a purchase: {error}."))
        })?
    };
    let order = if wanted.items.is_empty() {
        buy_cart(&shop, &headers).await?
    } else {
        place(&shop, Purchase::Items(gather(&wanted.items)?)).await?
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
    place(shop, Purchase::Cart(session(headers).ok_or_else(empty_cart)?)).await
}

async fn place(shop: &Shop, purchase: Purchase<'_>) -> Result<Order, Problem> {
    shop.database.buy(purchase).await?.ok_or_else(empty_cart)
}

fn gather(items: &[Item]) -> Result<Cart, Problem> {
    let mut cart = Cart::new();
    for item in items {
        let product = catalogue::find(item.product).ok_or_else(Problem::no_such_product)?;
        let line = cart.entry(product.id).or_default();
        *line = carts::check_quantity(item.quantity.saturating_add(*line))?;
    }
    Ok(cart)
}

fn empty_cart() -> Problem {
    Problem::new(StatusCode::CONFLICT, "The shop has no cart of yours here, or it is empty.")
}
