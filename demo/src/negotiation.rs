//! Reading request headers: what the client accepts, what it already has, which cookies it brings.

use std::time::SystemTime;

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, COOKIE, IF_MODIFIED_SINCE, IF_NONE_MATCH};

/// Whether the client prefers JSON to HTML (RFC 9110 §12.5.1). HTML wins a tie.
pub(crate) fn prefers_json(headers: &HeaderMap) -> bool {
    let (mut json, mut html) = (0.0_f32, 0.0_f32);
    for range in
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','))
    {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let quality = parts.find_map(|p| p.strip_prefix("q=")).and_then(|q| q.parse().ok()).unwrap_or(1.0);
        match media_type {
            "application/json" => json = quality,
            "text/html" | "application/xhtml+xml" | "text/*" => html = html.max(quality),
            _ => {}
        }
    }
    json > html
}

/// Whether a conditional GET can be answered with 304 (RFC 9110 §13.2.2): `If-None-Match` decides when it is
/// there, compared weakly; `If-Modified-Since` only without it.
pub(crate) fn not_modified(headers: &HeaderMap, etag: &str, last_modified: Option<SystemTime>) -> bool {
    let mut tags = headers.get_all(IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        return tags
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag);
    }
    let since = headers
        .get(IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok())
        .and_then(|date| httpdate::parse_http_date(date).ok());
    matches!((last_modified, since), (Some(modified), Some(since)) if modified <= since)
}

/// The value of the cookie `name`, if the client sent one.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_browser_gets_html_and_a_program_json() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert!(!prefers_json(&headers(ACCEPT, browser)));
        assert!(!prefers_json(&headers(ACCEPT, "*/*")));
        assert!(prefers_json(&headers(ACCEPT, "application/json")));
        assert!(prefers_json(&headers(ACCEPT, "text/html;q=0.5, application/json")));
        assert!(!prefers_json(&headers(ACCEPT, "application/json;q=0.2, text/html")));
    }

    #[test]
    fn an_entity_tag_matches_weakly_and_outranks_the_date() {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        assert!(not_modified(&headers(IF_NONE_MATCH, r#""a", W/"b""#), r#""b""#, None));
        assert!(not_modified(&headers(IF_NONE_MATCH, "*"), r#""b""#, None));

        let mut both = headers(IF_NONE_MATCH, r#""other""#);
        both.insert(IF_MODIFIED_SINCE, HeaderValue::from_static("Fri, 01 Jan 2027 00:00:00 GMT"));
        assert!(!not_modified(&both, r#""b""#, Some(modified)));
        both.remove(IF_NONE_MATCH);
        assert!(not_modified(&both, r#""b""#, Some(modified)));
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let sent = headers(COOKIE, "my-session=1; session=2; session2=3");
        assert_eq!(cookie(&sent, "session"), Some("2"));
        assert_eq!(cookie(&sent, "sess"), None);
    }
}
