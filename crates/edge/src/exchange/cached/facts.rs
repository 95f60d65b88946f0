//! What matters of a request to the cache, found in one pass over its fields.

use deepwater_cache::rules::Policy;
use http::Method;

use crate::cache::says_scheme;
use crate::head::{Name, Request};
use crate::http1::framing::Framing;
use crate::hygiene;

/// Facts about a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::exchange) struct Facts {
    /// Why it is none of the cache's business.
    pub bypass: Option<&'static str>,
    /// It has conditions that a stored response can answer.
    pub conditional: bool,
    /// It asks for a part.
    pub range: bool,
    /// Whoever sent it has proved who he is, by whatever means.
    pub authorized: bool,
}

impl Facts {
    /// Of a GET or HEAD.
    #[inline]
    pub fn of(request: &Request, framing: Framing) -> Self {
        let mut facts = Self::default();
        if framing != Framing::Empty {
            // No key holds what a body says.
            facts.bypass = Some("the request has content");
        }
        for (id, _, _) in request.fields.iter() {
            match id {
                Name::IfNoneMatch | Name::IfModifiedSince | Name::IfRange => facts.conditional = true,
                Name::Range => facts.range = request.method == Method::GET,
                Name::IfMatch | Name::IfUnmodifiedSince => {
                    facts.bypass = Some("a condition for the origin");
                }
                Name::Upgrade if hygiene::wanted_upgrade(request).is_some() => {
                    facts.bypass = Some("an upgrade");
                }
                _ => {}
            }
        }
        facts
    }
}

/// Names that frameworks take for the real URL or method, whatever the request line says, though no key holds them: an
/// answer to them must not be stored for everyone.
const OVERRIDES: [&[u8]; 15] = [
    b"x-original-url",
    b"x-rewrite-url",
    b"x-original-host",
    b"x-original-uri",
    b"x-host",
    b"x-http-host-override",
    b"x-forwarded-server",
    b"x-forwarded-scheme",
    b"x-forwarded-prefix",
    b"x-forwarded-path",
    b"x-forwarded-uri",
    b"x-http-method",
    b"x-http-method-override",
    b"x-method-override",
    b"x-middleware-prefetch",
];

/// Whether a field may change what a request is for, though no key holds it.
fn overrides(name: &[u8]) -> bool {
    OVERRIDES.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Whether nothing in a request tells who has asked, or asks for something else than its URL.
pub(super) fn is_anonymous(request: &Request) -> bool {
    !request.fields.iter().any(|(id, name, _)| match id {
        Name::Authorization | Name::Cookie => true,
        Name::Other => overrides(name) || says_scheme(name),
        _ => false,
    })
}

/// Makes a request one for everybody: without conditions and ranges of its own (unless a range is what is fetched),
/// without a say about caches on the way, and without fields that could change what it is for. What it says of its scheme
/// is in its key if it comes from a `trusted` proxy.
pub(super) fn strip(request: &mut Request, policy: &Policy, keeps_range: bool, trusted: bool) {
    request.fields.remove_where(|id, name, _| match id {
        Name::IfNoneMatch | Name::IfModifiedSince | Name::Expect => true,
        Name::Range | Name::IfRange => !keeps_range,
        Name::CacheControl | Name::Pragma => !policy.honour_client,
        Name::Other => overrides(name) || (!trusted && says_scheme(name)),
        _ => false,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(&str, &str)]) -> Request {
        let mut request = Request::default();
        request.fields.add_all(fields);
        request
    }

    #[test]
    fn what_the_cache_leaves_alone() {
        let of = |fields, framing| Facts::of(&request(fields), framing);
        assert_eq!(of(&[("Accept", "*/*")], Framing::Empty), Facts::default());
        assert!(of(&[], Framing::Length(1)).bypass.is_some());
        assert!(of(&[("If-Match", "*")], Framing::Empty).bypass.is_some());
        assert!(of(&[("Connection", "Upgrade"), ("Upgrade", "websocket")], Framing::Empty).bypass.is_some());
        assert!(of(&[("Upgrade", "h2c")], Framing::Empty).bypass.is_none());
        assert!(of(&[("If-None-Match", "*")], Framing::Empty).conditional);
        assert!(of(&[("Range", "bytes=0-1")], Framing::Empty).range);
    }

    #[test]
    fn a_fetch_is_for_everybody() {
        let mut request = request(&[
            ("Range", "bytes=0-1"),
            ("If-None-Match", "*"),
            ("Cache-Control", "no-cache"),
            ("X-Original-URL", "/admin"),
            ("x-http-method-override", "DELETE"),
            ("X-Forwarded-SSL", "on"),
            ("Expect", "100-continue"),
            ("Accept", "*/*"),
        ]);
        strip(&mut request, &Policy::default(), false, false);
        let left: Vec<_> = request.fields.iter().map(|(_, name, _)| name.to_vec()).collect();
        assert_eq!(left, [b"Accept"]);
    }
}
