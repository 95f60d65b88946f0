//! Which fields of a response are stored (RFC 9111 §3.1).

use super::control::ResponseControl;
use super::fields::Fields;
use super::list::members;

/// Fields that belong to one connection or to one proxy (RFC 9110 §7.6.1, RFC 9111 §3.1), trailers, which are not
/// stored, and `Age`, which is kept as a time and written anew.
const NEVER: [&str; 11] = [
    "age",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The fields of one response that are not stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excluded {
    names: Vec<Box<[u8]>>,
    cookies: bool,
}

impl Excluded {
    pub(crate) fn of<F: Fields + ?Sized>(response: &F, control: &ResponseControl, cookies: bool) -> Self {
        let connection = response.values("connection").flat_map(members);
        let mut names: Vec<Box<[u8]>> = connection.map(|name| name.to_ascii_lowercase().into()).collect();
        names.extend_from_slice(&control.withheld);
        names.sort_unstable();
        names.dedup();
        Self { names, cookies }
    }

    /// Whether a response field of that name, in any case, is stored. `Cache-Status` is: this cache adds its own
    /// member at the end (RFC 9211 §2).
    pub fn keeps(&self, name: &[u8]) -> bool {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        let never =
            NEVER.iter().any(|never| is(never.as_bytes())) || self.names.iter().any(|named| is(named));
        let cookie = self.cookies && is_cookie(name);
        !never && !cookie
    }
}

/// Whether a field is a digest of the content as it is sent (RFC 9530 §2): one of the whole is none of a part, nor is one
/// of a message without content. `Repr-Digest` is the same for all of them.
pub fn is_digest(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"content-digest") || name.eq_ignore_ascii_case(b"content-md5")
}

/// Whether it is a field that sets cookies.
pub(crate) fn is_cookie(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"set-cookie") || name.eq_ignore_ascii_case(b"set-cookie2")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(list: &[(&str, &str)], cookies: bool) -> Vec<String> {
        let excluded = Excluded::of(list, &ResponseControl::of(list, &[]), cookies);
        list.iter()
            .filter(|(name, _)| excluded.keeps(name.as_bytes()))
            .map(|(name, _)| (*name).to_owned())
            .collect()
    }

    #[test]
    fn fields_of_one_connection_are_not_stored() {
        let list = [
            ("Connection", "a, B"),
            ("A", "1"),
            ("b", "2"),
            ("c", "3"),
            ("Keep-Alive", "x"),
            ("Age", "5"),
            ("Proxy-Authenticate", "x"),
            ("Proxy-Authentication-Info", "x"),
            ("Proxy-Authorization", "x"),
            ("Proxy-Connection", "x"),
            ("TE", "x"),
            ("Trailer", "x"),
            ("Transfer-Encoding", "x"),
            ("Upgrade", "x"),
            ("Content-Length", "5"),
            ("Set-Cookie", "a=b"),
            ("Cache-Status", "origin; hit"),
            ("Clear-Site-Data", "x"),
            ("X-Anything", "y"),
            ("WWW-Authenticate", "z"),
            ("Date", "now"),
        ];
        let expected = [
            "c",
            "Content-Length",
            "Set-Cookie",
            "Cache-Status",
            "Clear-Site-Data",
            "X-Anything",
            "WWW-Authenticate",
            "Date",
        ];
        assert_eq!(kept(&list, false), expected);
        let expected: Vec<_> = expected.into_iter().filter(|name| *name != "Set-Cookie").collect();
        assert_eq!(kept(&list, true), expected);
    }

    #[test]
    fn named_fields_are_not_stored() {
        let list = [
            ("Cache-Control", "no-cache=\"a, B\", private=c, max-age=5"),
            ("A", ""),
            ("b", ""),
            ("C", ""),
            ("d", ""),
        ];
        assert_eq!(kept(&list, false), ["Cache-Control", "d"]);
    }
}
