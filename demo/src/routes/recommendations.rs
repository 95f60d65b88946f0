//! What goes with a product: nice to have, and dear to make.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::cart::PERSONAL;
use super::catalogue::find;
use crate::app::Shop;
use crate::problem::Problem;

/// `GET /api/recommendations/{id}`: found anew for everyone, with a database connection for 150 ms.
pub(crate) async fn others(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let product = find(&id)?;
    let others = shop.database.recommended_with(product).await?;
    Ok(([PERSONAL], Json(json!({ "product": product.id, "others": others }))).into_response())
}
