//! What an API call gets when it cannot be served: a problem document (RFC 9457).

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::carts::QuantityError;
use crate::database::DatabaseError;
use crate::prices::PriceError;

/// An error answer. `detail` is a full sentence for whoever called.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), header: None }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn no_such_product() -> Self {
        Self::not_found("There is no such product.")
    }

    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"shop\""))
    }

    /// Overloaded for the moment: come back in a second.
    pub(crate) fn overloaded(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<QuantityError> for Problem {
    fn from(refused: QuantityError) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, refused.to_string())
    }
}

impl From<PriceError> for Problem {
    fn from(refused: PriceError) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, refused.to_string())
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Quantity(refused) => refused.into(),
            DatabaseError::Price(refused) => refused.into(),
            DatabaseError::Timeout(_) | DatabaseError::Exhausted(_) | DatabaseError::Failed(_) => {
                Self::overloaded(error.to_string())
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = self.header {
            headers.insert(name, value);
        }
        response
    }
}

/// A JSON request body; what cannot be read is answered with a [`Problem`].
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let parsed: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        parsed
            .map(|Json(value)| Self(value))
            .map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))
    }
}
