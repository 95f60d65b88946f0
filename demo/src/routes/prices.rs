//! The price API: small, hot, and good for seconds only in the caches of browsers, which nobody can purge.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{SURROGATE_KEY, catalogue};
use crate::app::Shop;
use crate::clock::rfc3339;
use crate::negotiation::not_modified;
use crate::problem::Problem;

/// `GET /api/prices/{id}`
pub(crate) async fn price(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let product = catalogue::find(&id)?;
    let quote = shop.database.prices().await?.of(product);
    // Product and moment decide the price, so instances agree on the tag. Of a price that was set, the moment may
    // differ by as long as it took to tell them all: then it is sent once more.
    let etag = format!("\"{}-{:x}-{:x}\"", product.id, quote.since, quote.price.cents);
    let meta = [
        (CACHE_CONTROL, "max-age=2".to_owned()),
        (SURROGATE_KEY, format!("product:{} pricing", product.id)),
        (ETAG, etag.clone()),
    ];
    if not_modified(&headers, &etag, None) {
        return Ok((StatusCode::NOT_MODIFIED, meta).into_response());
    }
    let body = json!({
        "product": product.id,
        "price": quote.price,
        "currency": "EUR",
        "since": rfc3339(quote.since),
    });
    Ok((meta, Json(body)).into_response())
}
