//! What a write makes invalid (RFC 9111 §4.4).

use http::Method;
use smallvec::{SmallVec, smallvec};

use super::fields::{Fields, Response};
use super::uri::{Reference, merged, without_default_port, without_dots};

/// The URL a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// `http` or `https`.
    pub scheme: &'a [u8],
    /// Host and port.
    pub authority: &'a [u8],
    /// The path, as in the request.
    pub path: &'a [u8],
    /// What follows the question mark.
    pub query: Option<&'a [u8]>,
}

/// A URL of the target's origin whose stored responses are invalid, as it goes into a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The path.
    pub path: Vec<u8>,
    /// What follows the question mark.
    pub query: Option<Vec<u8>>,
}

/// Whether a method changes nothing (RFC 9110 §9.2.1). Those that nobody knows may.
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// The URLs made invalid by a response: after an unsafe method and if it is no error (2xx or 3xx), that of the
/// request, and those in `Location` and `Content-Location` where they are of the same origin. The first is the
/// target; none is there twice.
pub fn invalidated<F: Fields + ?Sized>(
    method: &Method,
    target: Target<'_>,
    response: Response<'_, F>,
) -> SmallVec<[Invalid; 3]> {
    if is_safe(method) || *method == Method::CONNECT || !(200..400).contains(&response.status) {
        return SmallVec::new();
    }
    let own = Invalid { path: target.path.to_vec(), query: target.query.map(<[u8]>::to_vec) };
    let mut all: SmallVec<[Invalid; 3]> = smallvec![own];
    let named = ["location", "content-location"].into_iter().filter_map(|name| response.fields.first(name));
    for other in named.filter_map(|reference| resolve(target, reference.trim_ascii())) {
        if !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

/// Where a reference leads from a target (RFC 3986 §5.2.2); `None` if that is of another origin.
fn resolve(target: Target<'_>, reference: &[u8]) -> Option<Invalid> {
    let reference = Reference::parse(reference);
    let scheme = reference.scheme.unwrap_or(target.scheme);
    let authority = match (reference.authority, reference.scheme) {
        (Some(authority), _) => authority,
        // Such as `mailto:`.
        (None, Some(_)) => return None,
        (None, None) => target.authority,
    };
    let host = |authority| without_default_port(target.scheme, authority);
    let same_origin = scheme.eq_ignore_ascii_case(target.scheme)
        && host(authority).eq_ignore_ascii_case(host(target.authority));
    same_origin.then_some(())?;
    let (path, query) = if reference.authority.is_some() || reference.path.starts_with(b"/") {
        (without_dots(reference.path), reference.query)
    } else if reference.path.is_empty() {
        (target.path.to_vec(), reference.query.or(target.query))
    } else {
        (without_dots(&merged(target.path, reference.path)), reference.query)
    };
    let path = if path.is_empty() { b"/".to_vec() } else { path };
    Some(Invalid { path, query: query.map(<[u8]>::to_vec) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: Target<'_> =
        Target { scheme: b"http", authority: b"Shop:80", path: b"/a/b", query: Some(b"c") };

    fn after(method: &str, status: u16, fields: &[(&str, &str)]) -> Vec<String> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let all = invalidated(&method, TARGET, Response { status, fields });
        let text = |invalid: Invalid| {
            let mut text = invalid.path;
            text.extend(invalid.query.map(|query| [b"?", &query[..]].concat()).unwrap_or_default());
            String::from_utf8(text).unwrap()
        };
        all.into_iter().map(text).collect()
    }

    #[test]
    fn writes_that_succeed_invalidate() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "PURGE"] {
            assert_eq!(after(method, 200, &[]), ["/a/b?c"], "{method}");
            assert_eq!(after(method, 303, &[]), ["/a/b?c"], "{method}");
            for status in [100, 400, 404, 500] {
                assert!(after(method, status, &[]).is_empty(), "{method} {status}");
            }
        }
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"] {
            assert!(after(method, 200, &[("Location", "/x")]).is_empty(), "{method}");
        }
    }

    #[test]
    fn locations_of_the_same_origin() {
        let both = [("Location", "/x"), ("Content-Location", "y?z#f")];
        assert_eq!(after("POST", 201, &both), ["/a/b?c", "/x", "/a/y?z"]);
        for (location, expected) in [
            ("http://shop/x", "/x"),
            ("HTTP://SHOP:80/x?y", "/x?y"),
            ("//shop/x", "/x"),
            ("http://shop", "/"),
            ("/x/../y/./z", "/y/z"),
            ("../x", "/x"),
            ("../../../x", "/x"),
            ("?x", "/a/b?x"),
            (" /x ", "/x"),
        ] {
            assert_eq!(after("POST", 201, &[("Location", location)]), ["/a/b?c", expected], "{location}");
        }
        for location in [
            "https://shop/x",
            "http://shop:81/x",
            "http://evil/x",
            "//evil/x",
            "http://shop.evil/x",
            "http://shop@evil/x",
            "mailto:a@b",
            "http:/x",
            "/a/b?c",
            "",
        ] {
            assert_eq!(after("POST", 201, &[("Location", location)]), ["/a/b?c"], "{location}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_locations_never_panic(location in prop::collection::vec(any::<u8>(), 0..40)) {
            let fields = [("location", location.as_slice())];
            let all = invalidated(&Method::POST, TARGET, Response { status: 200, fields: fields.as_slice() });
            prop_assert!(all.iter().all(|invalid| invalid.path.starts_with(b"/")));
        }
    }
}
