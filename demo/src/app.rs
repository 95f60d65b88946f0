//! The application: its state and its table of routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{delete, get, post};
use tokio::sync::watch;

use crate::accounts::Accounts;
use crate::artwork::Artwork;
use crate::database::Database;
use crate::operator::Controls;
use crate::routes::{
    accounts, cart, catalogue, checkout, deal, health, images, operator, prices, recommendations, report,
    ticker,
};
use crate::server::{Options, OptionsError};

/// No request of the shop carries more than a form or a small JSON document.
const BODY_LIMIT_BYTES: usize = 16 * 1024;

const INSTANCE_HEADER: HeaderName = HeaderName::from_static("x-shop-instance");

/// Everything a handler may need. One per instance.
pub(crate) struct Shop {
    pub(crate) instance: String,
    pub(crate) accounts: Accounts,
    pub(crate) artwork: Artwork,
    pub(crate) controls: Controls,
    pub(crate) database: Database,
    pub(crate) ticker_seats: ticker::Seats,
    /// Turns true when the instance shuts down.
    pub(crate) closing: watch::Receiver<bool>,
    instance_header: HeaderValue,
}

impl Shop {
    pub(crate) fn new(options: Options, closing: watch::Receiver<bool>) -> Result<Self, OptionsError> {
        let instance_header = HeaderValue::from_str(&options.instance)
            .map_err(|_| OptionsError::Name(options.instance.clone()))?;
        Ok(Self {
            database: Database::new(&options)?,
            accounts: Accounts::new(&options.jwt_secret),
            artwork: Artwork::default(),
            controls: Controls::new(options.demo_token),
            ticker_seats: ticker::Seats::default(),
            closing,
            instance_header,
            instance: options.instance,
        })
    }
}

pub(crate) fn router(shop: Arc<Shop>) -> Router {
    let shop_front = Router::new()
        // pages
        .route("/", get(catalogue::home))
        .route("/products", get(catalogue::listing))
        .route("/products/{id}", get(catalogue::product_page))
        .route("/deal", get(deal::page))
        .route("/cart", get(cart::page).post(cart::add_by_form))
        .route("/cart/remove", post(cart::remove_by_form))
        .route("/checkout", post(checkout::by_form))
        .route("/images/{file}", get(images::image))
        // API
        .route("/api/products", get(catalogue::products_json))
        .route("/api/products/{id}", get(catalogue::product_json))
        .route("/api/prices/{id}", get(prices::price))
        .route("/api/recommendations/{id}", get(recommendations::others))
        .route("/api/cart", get(cart::show))
        .route("/api/cart/items", post(cart::add))
        .route("/api/cart/items/{product}", delete(cart::remove))
        .route("/api/checkout", post(checkout::by_json))
        .route("/api/login", post(accounts::login))
        .route("/api/me", get(accounts::me))
        .route("/api/report", get(report::sales))
        .route("/ws/ticker", get(ticker::connect))
        .route(operator::HEALTH, get(health::health))
        .fallback(catalogue::not_found)
        .layer(middleware::from_fn_with_state(shop.clone(), operator::inflict));

    // The controls stay outside what they inflict, so that an instance can always be cured.
    let controls = Router::new()
        .route("/_demo/slow", post(operator::slow))
        .route("/_demo/unhealthy", post(operator::unhealthy))
        .route("/_demo/failing", post(operator::failing))
        .route("/_demo/price", post(operator::price))
        .method_not_allowed_fallback(catalogue::not_found)
        .layer(middleware::from_fn_with_state(shop.clone(), operator::guard));

    shop_front
        .merge(controls)
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(middleware::from_fn_with_state(shop.clone(), name_the_instance))
        .with_state(shop)
}

/// Every response, errors included, says which instance made it.
async fn name_the_instance(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(INSTANCE_HEADER, shop.instance_header.clone());
    response
}
