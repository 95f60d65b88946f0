//! How answers look on the wire.

use bytes::Bytes;
use deepwater_core::Reply;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::asset::Asset;

/// A whole answer; none of the console's is large enough to stream.
pub(super) type Answer = Response<Full<Bytes>>;

/// A JSON answer, indented on request.
pub(super) fn json(reply: &Reply, pretty: bool) -> Answer {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // `{:#}` of a JSON value is its indented form; writing a `Value` cannot fail.
    let mut text = if pretty { format!("{:#}", reply.body) } else { reply.body.to_string() };
    text.push('\n');
    answer(status, "application/json", text.into())
}

/// An answer of plain text in a given media type.
pub(super) fn text(media_type: &'static str, text: String) -> Answer {
    answer(StatusCode::OK, media_type, text.into())
}

/// An HTML page with its content security policy.
pub(super) fn page(status: StatusCode, asset: &Asset) -> Answer {
    let mut page = answer(status, "text/html; charset=utf-8", asset.html.clone());
    set(&mut page, CONTENT_SECURITY_POLICY, &asset.policy);
    page
}

/// Back to the dashboard with a login cookie, and the token out of the address bar.
pub(super) fn signed_in(cookie: &str) -> Answer {
    let mut answer = answer(StatusCode::SEE_OTHER, "text/plain", Bytes::new());
    set(&mut answer, SET_COOKIE, cookie);
    set(&mut answer, LOCATION, "/");
    answer
}

/// Adds a header; a value that cannot stand in a header is left out.
pub(super) fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

fn answer(status: StatusCode, media_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let fixed = [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
