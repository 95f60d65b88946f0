//! Where in a request the token stands.

use std::str::FromStr;

use crate::refusal::Refusal;

/// Where the token is looked for: in one place only, so that nobody can choose which of two counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// `Authorization: Bearer` (RFC 6750 §2.1).
    Authorization,
    /// A cookie of this name.
    Cookie(String),
    /// A parameter of the query (RFC 6750 §2.3). Queries end up in logs and histories: for what cannot send fields.
    Query(String),
}

impl FromStr for TokenPlace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let right = !name.is_empty() && name.bytes().all(is_token);
        match kind {
            "authorization" if text == kind => Ok(Self::Authorization),
            "cookie" if right => Ok(Self::Cookie(name.to_owned())),
            "query" if right && name.bytes().all(is_unreserved) => Ok(Self::Query(name.to_owned())),
            _ => Err("expected `authorization`, `cookie:NAME` or `query:NAME`"),
        }
    }
}

/// The token in the `Authorization` fields; none if the scheme is another.
///
/// # Errors
/// When there are two fields, or it is not one word after `Bearer`.
pub fn bearer<'r>(fields: impl IntoIterator<Item = &'r [u8]>) -> Result<Option<&'r [u8]>, Refusal> {
    match credentials(fields, b"bearer")? {
        None => Ok(None),
        Some(token) if token.is_empty() || token.contains(&b' ') => Err(Refusal::BadAuthorization),
        Some(token) => Ok(Some(token)),
    }
}

/// What follows the scheme's name in the one `Authorization` field; none if there is no field or the scheme is another.
pub(crate) fn credentials<'r>(
    fields: impl IntoIterator<Item = &'r [u8]>,
    scheme: &[u8],
) -> Result<Option<&'r [u8]>, Refusal> {
    let Some(field) = only(fields)? else { return Ok(None) };
    let field = field.trim_ascii();
    let end = field.iter().position(|byte| *byte == b' ').unwrap_or(field.len());
    let (name, rest) = field.split_at(end);
    Ok(name.eq_ignore_ascii_case(scheme).then(|| rest.trim_ascii_start()))
}

/// The value of a cookie, from the `Cookie` fields (RFC 6265 §4.2.1); none if it is absent or empty.
///
/// # Errors
/// When there are two of the name.
pub fn cookie<'r>(
    fields: impl IntoIterator<Item = &'r [u8]>,
    name: &str,
) -> Result<Option<&'r [u8]>, Refusal> {
    let pairs = fields.into_iter().flat_map(|field| field.split(|byte| *byte == b';'));
    only(pairs.filter_map(|pair| value(pair.trim_ascii(), name)))
}

/// The value of a parameter of a query, as it stands: a token has nothing in it that would be percent-encoded. None if it
/// is absent or empty.
///
/// # Errors
/// When there are two of the name.
pub fn query<'r>(query: &'r [u8], name: &str) -> Result<Option<&'r [u8]>, Refusal> {
    only(query.split(|byte| *byte == b'&').filter_map(|pair| value(pair, name)))
}

fn value<'r>(pair: &'r [u8], name: &str) -> Option<&'r [u8]> {
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

fn only<'r>(values: impl IntoIterator<Item = &'r [u8]>) -> Result<Option<&'r [u8]>, Refusal> {
    let mut values = values.into_iter();
    let first = values.next();
    if values.next().is_some() { Err(Refusal::Repeated) } else { Ok(first.filter(|value| !value.is_empty())) }
}

/// A character of a token (RFC 9110 §5.6.2), of which names of cookies and parameters are made.
pub(crate) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// A character that is never percent-encoded (RFC 3986 §2.3), so that a parameter's name is always written the same.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens_stand_alone() {
        let one = |field: &'static str| bearer([field.as_bytes()]);
        assert_eq!(one("Bearer abc"), Ok(Some(&b"abc"[..])));
        assert_eq!(one("bEARER   abc "), Ok(Some(&b"abc"[..])));
        for other in ["Basic abc", "BearerX abc", "Bear", ""] {
            assert_eq!(one(other), Ok(None), "{other}");
        }
        for wrong in ["Bearer", "Bearer ", "Bearer a b"] {
            assert_eq!(one(wrong), Err(Refusal::BadAuthorization), "{wrong}");
        }
        assert_eq!(bearer([]), Ok(None));
        assert_eq!(bearer([&b"Bearer a"[..], b"Basic b"]), Err(Refusal::Repeated));
    }

    #[test]
    fn cookies_and_queries_hold_one_of_the_name() {
        let in_cookie = |fields: &[&'static str]| cookie(fields.iter().map(|field| field.as_bytes()), "jwt");
        assert_eq!(in_cookie(&["a=b; jwt=x.y.z;c=d"]), Ok(Some(&b"x.y.z"[..])));
        assert_eq!(in_cookie(&["a=b", "jwt=x"]), Ok(Some(&b"x"[..])));
        assert_eq!(in_cookie(&["jwtx=1; xjwt=2; JWT=3; jwt"]), Ok(None));
        assert_eq!(in_cookie(&["jwt="]), Ok(None));
        assert_eq!(in_cookie(&["jwt=a; jwt=a"]), Err(Refusal::Repeated));
        assert_eq!(in_cookie(&["jwt=a", "jwt="]), Err(Refusal::Repeated));
        assert_eq!(query(b"a=b&access_token=x.y.z&c", "access_token"), Ok(Some(&b"x.y.z"[..])));
        assert_eq!(query(b"", "access_token"), Ok(None));
        assert_eq!(query(b"t=1&t=2", "t"), Err(Refusal::Repeated));
    }

    #[test]
    fn places_are_named() {
        assert_eq!("authorization".parse(), Ok(TokenPlace::Authorization));
        assert_eq!("cookie:__Host-jwt".parse(), Ok(TokenPlace::Cookie("__Host-jwt".into())));
        assert_eq!("query:access_token".parse(), Ok(TokenPlace::Query("access_token".into())));
        for wrong in
            ["", "cookie", "cookie:", "cookie:a b", "query:a=b", "query:a&b", "authorization:x", "header:X"]
        {
            assert!(wrong.parse::<TokenPlace>().is_err(), "{wrong}");
        }
    }
}
