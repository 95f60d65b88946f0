//! The operator's controls under `/_demo/`: hidden from everyone else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::Shop;
use crate::catalogue::ProductId;
use crate::prices::Euros;
use crate::problem::{JsonBody, Problem};

const TOKEN_HEADER: &str = "x-demo-token";
/// Where an instance that fails still says that it is well.
pub(crate) const HEALTH: &str = "/health";

#[derive(Deserialize)]
pub(crate) struct Latency {
    ms: u64,
}

/// A product's price in euros.
#[derive(Deserialize)]
pub(crate) struct Pricing {
    product: ProductId,
    price: f64,
}

#[derive(Deserialize)]
pub(crate) struct Switch {
    value: bool,
}

/// `POST /_demo/slow`: adds latency to every request from now on; 0 takes it away.
pub(crate) async fn slow(State(shop): State<Arc<Shop>>, JsonBody(latency): JsonBody<Latency>) -> StatusCode {
    shop.controls.set_latency(Duration::from_millis(latency.ms));
    StatusCode::NO_CONTENT
}

/// `POST /_demo/unhealthy`: makes the health check fail, or pass again.
pub(crate) async fn unhealthy(
    State(shop): State<Arc<Shop>>,
    JsonBody(switch): JsonBody<Switch>,
) -> StatusCode {
    shop.controls.set_unhealthy(switch.value);
    StatusCode::NO_CONTENT
}

/// `POST /_demo/failing`: answers every request with 500, or no longer; the health check sees nothing of it.
pub(crate) async fn failing(State(shop): State<Arc<Shop>>, JsonBody(switch): JsonBody<Switch>) -> StatusCode {
    shop.controls.set_failing(switch.value);
    StatusCode::NO_CONTENT
}

/// `POST /_demo/price`: from now on a product costs this, wherever prices are shared with this instance.
pub(crate) async fn price(
    State(shop): State<Arc<Shop>>,
    JsonBody(Pricing { product, price }): JsonBody<Pricing>,
) -> Result<StatusCode, Problem> {
    // What is below zero or no number becomes 0, which is no price.
    let price = Euros { cents: (price * 100.0).round() as u64 };
    shop.database.set_price(product, price).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets callers of this machine through who know the token. To all others the controls do not exist.
pub(crate) async fn guard(
    State(shop): State<Arc<Shop>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let token = request.headers().get(TOKEN_HEADER).map(HeaderValue::as_bytes);
    if shop.controls.admit(peer.ip(), token) {
        next.run(request).await
    } else {
        Problem::not_found("There is nothing at this address.").into_response()
    }
}

/// Makes a request wait as long as the operator said, and fail if the operator said so.
pub(crate) async fn inflict(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let latency = shop.controls.latency();
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    if shop.controls.failing() && request.uri().path() != HEALTH {
        let detail = "Something is broken in here.";
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response();
    }
    next.run(request).await
}
