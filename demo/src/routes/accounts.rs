//! Signing in, and who one is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::cart::PERSONAL;
use crate::accounts::TOKEN_LIFETIME_SECONDS;
use crate::app::Shop;
use crate::clock::unix_seconds;
use crate::problem::{JsonBody, Problem};

#[derive(Deserialize)]
pub(crate) struct Credentials {
    user: String,
    password: String,
}

/// `POST /api/login`: a bearer token (RFC 6750) good for an hour.
pub(crate) async fn login(
    State(shop): State<Arc<Shop>>,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<Response, Problem> {
    let token = shop
        .accounts
        .sign_in(&credentials.user, &credentials.password, unix_seconds())
        .ok_or_else(|| Problem::unauthorized("User and password do not match."))?;
    let answer = json!({ "token": token, "token_type": "Bearer", "expires_in": TOKEN_LIFETIME_SECONDS });
    Ok(([PERSONAL], Json(answer)).into_response())
}

/// `GET /api/me`: what the caller's token says.
pub(crate) async fn me(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Result<Response, Problem> {
    let claims = bearer_token(&headers).and_then(|token| shop.accounts.verify(token)).ok_or_else(|| {
        Problem::unauthorized("A token from /api/login is needed, and it must not be expired.")
    })?;
    Ok(([PERSONAL], Json(claims)).into_response())
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
