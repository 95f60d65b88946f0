//! Reading an HTTP/2 request head so that it means the same over HTTP/1.1 (RFC 9113 §8.3, §10.3).
//!
//! Pseudo-fields, connection-specific fields and names in upper case are judged by the `h2` crate; what it lets pass
//! and a reader of HTTP/1.1 could take for something else is judged here.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::failure::Failure;
use crate::head::{Fields, Name, Request, Version};
use crate::http1::parse::valid_authority;

/// Copies a request head, if it is valid.
pub(crate) fn copy_head(parts: &http::request::Parts, request: &mut Request) -> Result<(), Failure> {
    request.clear();
    request.version = Version::Http2;
    request.method = parts.method.clone();
    let mut host: Option<&HeaderValue> = None;
    for (name, value) in &parts.headers {
        if !is_token(name) {
            return Err(Failure::BadRequest);
        }
        // HTTP/1.1 has no such values: the blanks would be lost on the way (RFC 9113 §8.2.1).
        if value.as_bytes().trim_ascii().len() != value.len() {
            return Err(Failure::BadRequest);
        }
        if name == http::header::HOST {
            if host.replace(value).is_some() {
                return Err(Failure::BadRequest);
            }
            continue;
        }
        if name == http::header::COOKIE {
            continue;
        }
        request.fields.add(name.as_str().as_bytes(), value.as_bytes());
    }
    if is_repeated(&parts.headers, &http::header::CONTENT_LENGTH) {
        return Err(Failure::BadRequest);
    }
    join_cookies(&parts.headers, &mut request.fields);
    set_authority(parts, host, request)?;
    match parts.uri.path_and_query().map(|target| target.as_str().as_bytes()) {
        _ if parts.method == Method::CONNECT => {}
        // Without the slash a request line would say something else, or nothing.
        Some(target) if target.first() == Some(&b'/') => request.set_target(target),
        Some(b"*") if parts.method == Method::OPTIONS => request.set_target(b"*"),
        Some(_) | None => return Err(Failure::BadRequest),
    }
    Ok(())
}

/// Whether HTTP/1.1 takes it for a name, too. The `http` crate lets a quote pass, which is in no token (RFC 9110 §5.6.2).
fn is_token(name: &HeaderName) -> bool {
    !name.as_str().contains('"')
}

fn is_repeated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}

/// `:authority`, or `Host` in its place; where both are they must agree (RFC 9113 §8.3.1).
fn set_authority(
    parts: &http::request::Parts,
    host: Option<&HeaderValue>,
    request: &mut Request,
) -> Result<(), Failure> {
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let authority = match (authority, host.map(HeaderValue::as_bytes)) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            return Err(Failure::BadRequest);
        }
        (Some(authority), _) => authority,
        (None, Some(host)) => host,
        (None, None) => return Err(Failure::BadRequest),
    };
    if !valid_authority(authority) {
        return Err(Failure::BadRequest);
    }
    request.set_authority(authority);
    Ok(())
}

/// Cookies may come in crumbs; HTTP/1.1 wants one field (RFC 9113 §8.2.3).
fn join_cookies(headers: &HeaderMap, fields: &mut Fields) {
    let mut crumbs = headers.get_all(http::header::COOKIE).iter().map(HeaderValue::as_bytes);
    let Some(first) = crumbs.next() else { return };
    let mut whole = first.to_vec();
    for crumb in crumbs {
        whole.extend_from_slice(b"; ");
        whole.extend_from_slice(crumb);
    }
    fields.add_known(Name::Cookie, &whole);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, uri: &str, fields: &[(&str, &str)]) -> Result<Request, Failure> {
        let mut builder = http::Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            // Only so do blanks at the ends pass.
            let name = HeaderName::from_lowercase(name.as_bytes()).unwrap();
            builder = builder.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        let mut request = Request::default();
        copy_head(&parts, &mut request).map(|()| request)
    }

    #[test]
    fn a_head_is_copied() {
        let request = head("GET", "http://shop:80/a?b", &[("cookie", "a=1"), ("cookie", "b=2"), ("x", "y")]);
        let request = request.unwrap();
        assert_eq!((request.authority(), request.target()), (&b"shop:80"[..], &b"/a?b"[..]));
        assert_eq!(request.fields.get(b"cookie"), Some(&b"a=1; b=2"[..]));
        assert_eq!(request.fields.get(b"x"), Some(&b"y"[..]));
        assert_eq!(head("OPTIONS", "*", &[("host", "a")]).unwrap().target(), b"*");
    }

    #[test]
    fn what_would_change_on_its_way_over_http_1_is_refused() {
        for (method, uri, fields) in [
            ("GET", "*", &[("host", "a")][..]),
            ("GET", "/", &[]),
            ("GET", "/", &[("host", "a"), ("host", "a")]),
            ("GET", "http://a/", &[("host", "b")]),
            ("GET", "http://user@a/", &[]),
            ("GET", "/", &[("host", "a b")]),
            ("GET", "http://a/", &[("x\"", "y")]),
            ("GET", "http://a/", &[("x", " y")]),
            ("GET", "http://a/", &[("x", "y\t")]),
            ("POST", "http://a/", &[("content-length", "1"), ("content-length", "1")]),
        ] {
            assert_eq!(
                head(method, uri, fields).err(),
                Some(Failure::BadRequest),
                "{method} {uri} {fields:?}"
            );
        }
    }
}
