//! The price API: small, hot, and true for seconds only.

use axum::Json;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{SURROGATE_KEY, catalogue};
use crate::clock::{rfc3339, unix_seconds};
use crate::negotiation::not_modified;
use crate::prices::quote;
use crate::problem::Problem;

/// `GET /api/prices/{id}`
pub(crate) async fn price(Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let product = catalogue::find(&id)?;
    let quote = quote(product, unix_seconds());
    // Product and moment decide the price, so instances agree on the tag.
    let etag = format!("\"{}-{:x}\"", product.id, quote.since);
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
