//! Whether this instance should get traffic.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::Shop;

/// `GET /health`: 200 when every check passes, 503 otherwise.
pub(crate) async fn health(State(shop): State<Arc<Shop>>) -> Response {
    let database = !shop.controls.unhealthy();
    let memory = shop.database.has_room();
    let healthy = database && memory;
    let word = |good| if good { "healthy" } else { "unhealthy" };
    let body = json!({
        "status": word(healthy),
        "instance": shop.instance,
        "checks": {
            "database": { "status": word(database) },
            "memory": { "status": word(memory) },
        },
    });
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
