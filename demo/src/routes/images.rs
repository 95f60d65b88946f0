//! Pictures: the same for everyone, for an hour.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::app::Shop;
use crate::artwork::Artwork;
use crate::negotiation::not_modified;
use crate::problem::Problem;

/// `GET /images/{id}.svg` and `GET /images/{id}.png`
pub(crate) async fn image(
    State(shop): State<Arc<Shop>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let picture =
        shop.artwork.by_file_name(&file).ok_or_else(|| Problem::not_found("There is no such picture."))?;
    let modified = Artwork::last_modified();
    let meta = [
        (CACHE_CONTROL, "public, max-age=3600".to_owned()),
        (ETAG, picture.etag.clone()),
        (LAST_MODIFIED, httpdate::fmt_http_date(modified)),
    ];
    if not_modified(&headers, &picture.etag, Some(modified)) {
        return Ok((StatusCode::NOT_MODIFIED, meta).into_response());
    }
    Ok((meta, [(CONTENT_TYPE, picture.media_type.clone())], picture.bytes.clone()).into_response())
}
