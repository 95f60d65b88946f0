//! The cart: JSON for programs, forms for browsers without scripts.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Json, extract::rejection::FormRejection};
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalogue::page_for;
use crate::app::Shop;
use crate::bill;
use crate::carts::Cart;
use crate::catalogue::{self, ProductId};
use crate::database::DatabaseError;
use crate::negotiation::cookie;
use crate::pages;
use crate::prices::PriceList;
use crate::problem::{JsonBody, Problem};

const SESSION_COOKIE: &str = "shop-session";
/// A cart is nobody else's business, shared caches included.
pub(super) const PERSONAL: (HeaderName, &str) = (CACHE_CONTROL, "private, no-store");

/// Some pieces of one product.
#[derive(Debug, Deserialize)]
pub(crate) struct Item {
    pub(super) product: ProductId,
    #[serde(default = "one")]
    pub(super) quantity: u32,
}

fn one() -> u32 {
    1
}

/// The product a form wants out of the cart.
#[derive(Deserialize)]
pub(crate) struct Removal {
    product: ProductId,
}

/// `GET /api/cart`
pub(crate) async fn show(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Result<Response, Problem> {
    let cart = cart_of(&shop, &headers).await?;
    Ok(([PERSONAL], Json(describe(&shop, &cart).await?)).into_response())
}

/// `POST /api/cart/items`
pub(crate) async fn add(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    JsonBody(item): JsonBody<Item>,
) -> Result<Response, Problem> {
    let (session, cart) = put(&shop, &headers, &item).await?;
    let answer = Json(describe(&shop, &cart).await?);
    Ok((StatusCode::CREATED, [PERSONAL], [(SET_COOKIE, session)], answer).into_response())
}

/// `DELETE /api/cart/items/{product}`
pub(crate) async fn remove(
    State(shop): State<Arc<Shop>>,
    Path(product): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let product = super::catalogue::find(&product)?.id;
    let left = match session(&headers) {
        Some(session) => shop.database.remove_from_cart(session, product).await?,
        None => None,
    };
    let cart = left.ok_or_else(|| Problem::not_found("The product is not in the cart."))?;
    Ok(([PERSONAL], Json(describe(&shop, &cart).await?)).into_response())
}

/// `GET /cart`
pub(crate) async fn page(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    match cart_and_prices(&shop, &headers).await {
        Ok((cart, prices)) => {
            let page = pages::cart(&shop.instance, shop.database.is_shared(), &cart, &prices);
            ([PERSONAL], page).into_response()
        }
        Err(error) => page_for(&shop, &error.into()),
    }
}

/// `POST /cart`
pub(crate) async fn add_by_form(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    form: Result<Form<Item>, FormRejection>,
) -> Response {
    let added = async { put(&shop, &headers, &read(form)?).await };
    match added.await {
        Ok((session, _)) => ([(SET_COOKIE, session)], Redirect::to("/cart")).into_response(),
        Err(problem) => page_for(&shop, &problem),
    }
}

/// `POST /cart/remove`. Removing what is not there leads to the same cart.
pub(crate) async fn remove_by_form(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    form: Result<Form<Removal>, FormRejection>,
) -> Response {
    let removed = async {
        let Removal { product } = read(form)?;
        if let Some(session) = session(&headers) {
            shop.database.remove_from_cart(session, product).await?;
        }
        Ok::<_, Problem>(())
    };
    match removed.await {
        Ok(()) => Redirect::to("/cart").into_response(),
        Err(problem) => page_for(&shop, &problem),
    }
}

/// The session the client says it has.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION_COOKIE)
}

async fn cart_of(shop: &Shop, headers: &HeaderMap) -> Result<Cart, DatabaseError> {
    match session(headers) {
        Some(session) => shop.database.cart(session).await,
        None => Ok(Cart::new()),
    }
}

async fn cart_and_prices(shop: &Shop, headers: &HeaderMap) -> Result<(Cart, PriceList), DatabaseError> {
    Ok((cart_of(shop, headers).await?, shop.database.prices().await?))
}

/// Adds an item; returns the session's cookie and the cart as it is now.
async fn put(shop: &Shop, headers: &HeaderMap, item: &Item) -> Result<(String, Cart), Problem> {
    let product = catalogue::find(item.product).ok_or_else(Problem::no_such_product)?;
    let (session, cart) = shop.database.add_to_cart(session(headers), product.id, item.quantity).await?;
    Ok((format!("{SESSION_COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax"), cart))
}

fn read<T>(form: Result<Form<T>, FormRejection>) -> Result<T, Problem> {
    form.map(|Form(value)| value).map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))
}

async fn describe(shop: &Shop, cart: &Cart) -> Result<Value, DatabaseError> {
    let lines = bill::lines(cart, &shop.database.prices().await?);
    let items: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "product": line.product.id,
                "name": line.product.name,
                "quantity": line.quantity,
                "amount": line.amount,
            })
        })
        .collect();
    Ok(json!({
        "instance": shop.instance,
        "shared": shop.database.is_shared(),
        "items": items,
        "total": bill::total(&lines),
        "currency": "EUR",
    }))
}
