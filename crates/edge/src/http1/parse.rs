//! Reading request and response heads.
//!
//! Tokens are checked by `httparse`; what RFC 9112 and RFC 9110 demand beyond it is checked here. Anything
//! two parsers could read in two ways is refused, since that is how requests are smuggled.

use std::mem::MaybeUninit;

use http::{Method, StatusCode};

use crate::head::{Fields, Name, Request, Response, Span, Version};

/// Fields a head may have.
pub const MAX_FIELDS: usize = 128;

/// Why a head was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// Not HTTP/1 syntax.
    #[error("the message is not valid HTTP/1.1")]
    Syntax,
    /// A version other than 1.0 and 1.1.
    #[error("the HTTP version is not supported")]
    Version,
    /// More than [`MAX_FIELDS`] fields.
    #[error("the message has too many header fields")]
    TooManyFields,
    /// No `Host`, several, or one that is not a host.
    #[error("the Host field is missing, repeated or invalid")]
    Host,
    /// A request target of no known form.
    #[error("the request target is invalid")]
    Target,
}

/// Offset of a slice within the buffer it was cut from.
fn offset(buffer: &[u8], part: &[u8]) -> usize {
    part.as_ptr() as usize - buffer.as_ptr() as usize
}

/// Reads a request head from the front of the buffer into `request`.
///
/// Gives the length of the head, or `None` when it is not complete yet (then `request` is unchanged).
///
/// # Errors
/// When the head can never become valid. `request` may then hold parts of it.
pub fn request(buffer: &[u8], request: &mut Request) -> Result<Option<usize>, BadHead> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let len = match parsed.parse_with_uninit_headers(buffer, &mut slots) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(BadHead::Syntax);
    };
    request.clear();
    request.method = Method::from_bytes(method.as_bytes()).map_err(|_| BadHead::Syntax)?;
    request.version = if version == 0 { Version::Http10 } else { Version::Http11 };
    request.fields.store(&buffer[..len]);
    copy_fields(buffer, parsed.headers, &mut request.fields)?;
    set_target(request, Span::new(offset(buffer, target.as_bytes()), target.len()))?;
    Ok(Some(len))
}

/// Reads a response head from the front of the buffer into `response`, like [`request`].
///
/// # Errors
/// When the head can never become valid.
pub fn response(buffer: &[u8], response: &mut Response) -> Result<Option<usize>, BadHead> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let len = match config.parse_response_with_uninit_headers(&mut parsed, buffer, &mut slots) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (Some(code), Some(version)) = (parsed.code, parsed.version) else { return Err(BadHead::Syntax) };
    response.clear();
    response.status = StatusCode::from_u16(code).map_err(|_| BadHead::Syntax)?;
    response.version = if version == 0 { Version::Http10 } else { Version::Http11 };
    response.fields.store(&buffer[..len]);
    copy_fields(buffer, parsed.headers, &mut response.fields)?;
    Ok(Some(len))
}

/// Reads a trailer section (field lines and the final empty line), like [`request`].
///
/// # Errors
/// When it can never become valid.
pub fn trailers(buffer: &[u8], fields: &mut Fields) -> Result<Option<usize>, BadHead> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_FIELDS];
    match httparse::parse_headers(buffer, &mut slots)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete((len, headers)) => {
            fields.clear();
            fields.store(&buffer[..len]);
            copy_fields(buffer, headers, fields)?;
            Ok(Some(len))
        }
    }
}

/// Records parsed fields as spans of the head's own copy.
fn copy_fields(buffer: &[u8], headers: &[httparse::Header<'_>], fields: &mut Fields) -> Result<(), BadHead> {
    for header in headers {
        if header.name.is_empty() {
            return Err(BadHead::Syntax);
        }
        fields.push_spans(
            Span::new(offset(buffer, header.name.as_bytes()), header.name.len()),
            Span::new(offset(buffer, header.value), header.value.len()),
        );
    }
    Ok(())
}

/// Takes the request target apart (RFC 9112 §3.2) and decides the authority.
fn set_target(request: &mut Request, target: Span) -> Result<(), BadHead> {
    let host = single_host(request)?;
    let bytes = request.fields.bytes_of(target);
    match bytes.first() {
        Some(b'/') if request.method != Method::CONNECT => {
            if bytes.contains(&b'#') {
                return Err(BadHead::Target);
            }
            request.set_target_span(target);
        }
        Some(b'*') if bytes.len() == 1 && request.method == Method::OPTIONS => {
            request.set_target_span(target);
        }
        _ if request.method == Method::CONNECT => {
            let authority = bytes.to_vec();
            if !valid_authority(&authority) || !authority.contains(&b':') {
                return Err(BadHead::Target);
            }
            request.set_target_span(Span::default());
            request.set_authority(&authority);
            request.fields.remove_known(Name::Host);
            return Ok(());
        }
        _ => return set_absolute_target(request, target, host),
    }
    if let Some(host) = host {
        request.set_authority_span(host);
        request.fields.remove_known(Name::Host);
    }
    Ok(())
}

/// The span of the one valid `Host` field; HTTP/1.0 may lack it (RFC 9112 §3.2).
fn single_host(request: &mut Request) -> Result<Option<Span>, BadHead> {
    let mut hosts = request.fields.spans_known(Name::Host);
    let first = hosts.next();
    if hosts.next().is_some() {
        return Err(BadHead::Host);
    }
    drop(hosts);
    match first {
        Some(host) if !valid_authority(request.fields.bytes_of(host)) => Err(BadHead::Host),
        None if request.version == Version::Http11 => Err(BadHead::Host),
        host => Ok(host),
    }
}

/// `http://host/path?query`: `Host` must name the same authority (RFC 9112 §3.2), or two readers could take the request
/// to two places.
fn set_absolute_target(request: &mut Request, target: Span, host: Option<Span>) -> Result<(), BadHead> {
    let bytes = request.fields.bytes_of(target).to_vec();
    let (default_port, rest) = strip_scheme(&bytes).ok_or(BadHead::Target)?;
    let authority_len = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_len);
    if authority.is_empty() || !valid_authority(authority) || path.contains(&b'#') {
        return Err(BadHead::Target);
    }
    let named = |authority| without_port(authority, default_port);
    if host.is_some_and(|host| !named(request.fields.bytes_of(host)).eq_ignore_ascii_case(named(authority))) {
        return Err(BadHead::Host);
    }
    request.set_authority(authority);
    request.fields.remove_known(Name::Host);
    match path.first() {
        Some(b'/') => request.set_target(path),
        None => request.set_target(b"/"),
        Some(_) => request.set_target(&[b"/", path].concat()),
    }
    Ok(())
}

/// The default port of the scheme, as an authority ends in it, and what follows the scheme.
fn strip_scheme(target: &[u8]) -> Option<(&'static [u8], &[u8])> {
    [("http://", b":80".as_slice()), ("https://", b":443".as_slice())].iter().find_map(|(scheme, port)| {
        let (head, rest) = target.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme.as_bytes()).then_some((*port, rest))
    })
}

/// An authority without a port that is empty or goes without saying (RFC 9110 §4.2.3).
fn without_port<'a>(authority: &'a [u8], default_port: &[u8]) -> &'a [u8] {
    authority.strip_suffix(default_port).or_else(|| authority.strip_suffix(b":")).unwrap_or(authority)
}

/// `host[:port]` without user information: letters, digits, `-._~%!$&'()*+,;=` or a bracketed address.
pub fn valid_authority(authority: &[u8]) -> bool {
    let (host, port) = match authority.iter().rposition(|b| *b == b':') {
        Some(colon) if !authority[colon..].contains(&b']') => (&authority[..colon], &authority[colon + 1..]),
        _ => (authority, &b""[..]),
    };
    if !port.iter().all(u8::is_ascii_digit) || port.len() > 5 {
        return false;
    }
    match host.strip_prefix(b"[") {
        Some(rest) => rest
            .strip_suffix(b"]")
            .is_some_and(|ip| ip.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'%'))),
        None => host.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(b)),
    }
}

impl From<httparse::Error> for BadHead {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooManyFields,
            httparse::Error::Version => Self::Version,
            _ => Self::Syntax,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<(Request, usize)>, BadHead> {
        let mut head = Request::default();
        Ok(request(text.as_bytes(), &mut head)?.map(|len| (head, len)))
    }

    fn parsed(text: &str) -> Request {
        parse(text).expect("valid").expect("complete").0
    }

    #[test]
    fn a_request_is_read() {
        let request = parsed("GET /a?b=c HTTP/1.1\r\nHost: shop.example:8080\r\nAccept: */*\r\n\r\nrest");
        assert_eq!(request.method, Method::GET);
        assert_eq!(request.path(), b"/a");
        assert_eq!(request.query(), b"b=c");
        assert_eq!(request.authority(), b"shop.example:8080");
        assert_eq!(request.fields.get(b"accept"), Some(&b"*/*"[..]));
        assert_eq!(request.fields.get(b"host"), None);
    }

    #[test]
    fn every_prefix_is_incomplete() {
        let text = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
        for end in 0..text.len() {
            assert!(parse(&text[..end]).unwrap().is_none(), "{end}");
        }
        assert_eq!(parse(text).unwrap().unwrap().1, text.len());
    }

    #[test]
    fn the_absolute_form_and_host_name_one_authority() {
        let request = parsed("GET http://Real.example/p?q HTTP/1.1\r\nHost: real.example\r\n\r\n");
        assert_eq!((request.authority(), request.target()), (&b"Real.example"[..], &b"/p?q"[..]));
        for (target, host) in
            [("http://a", "a:80"), ("http://a:80", "a"), ("https://a:443/", "a"), ("http://a:", "a")]
        {
            parsed(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        }
        for (target, host) in
            [("http://a", "b"), ("http://a:81", "a"), ("http://a", "a:443"), ("http://a", "")]
        {
            let refused = parse(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            assert_eq!(refused.err(), Some(BadHead::Host), "{target} {host}");
        }
        assert_eq!(parsed("GET http://a/ HTTP/1.0\r\n\r\n").authority(), b"a");
        assert_eq!(parsed("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").target(), b"/");
        assert_eq!(parsed("GET HTTP://a?x HTTP/1.1\r\nHost: a\r\n\r\n").target(), b"/?x");
    }

    #[test]
    fn what_two_parsers_could_read_in_two_ways_is_refused() {
        for (text, reason) in [
            ("GET / HTTP/1.1\r\n\r\n", BadHead::Host),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", BadHead::Host),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", BadHead::Host),
            ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", BadHead::Host),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BadHead::Host),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", BadHead::Syntax),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", BadHead::Syntax),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", BadHead::Syntax),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", BadHead::Syntax),
            ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", BadHead::Syntax),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", BadHead::Syntax),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", BadHead::Version),
            ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", BadHead::Target),
            ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", BadHead::Target),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", BadHead::Target),
            ("CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n", BadHead::Target),
            ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", BadHead::Target),
        ] {
            assert_eq!(parse(text).err(), Some(reason), "{text:?}");
        }
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(MAX_FIELDS));
        assert_eq!(parse(&many).err(), Some(BadHead::TooManyFields));
    }

    #[test]
    fn http_1_0_needs_no_host() {
        let request = parsed("GET / HTTP/1.0\r\n\r\n");
        assert_eq!((request.version, request.authority()), (Version::Http10, &b""[..]));
    }

    #[test]
    fn authorities() {
        for good in ["a", "a.example:80", "127.0.0.1:1", "[::1]:80", "[::1]", "", "a:"] {
            assert!(valid_authority(good.as_bytes()), "{good}");
        }
        for bad in ["a b", "a@b", "a:b", "[::1", "[x]", "a:123456", "a/b", "a\tb"] {
            assert!(!valid_authority(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_response_is_read() {
        let mut head = Response::default();
        let text = b"HTTP/1.1 404 Not Found\r\nX: y\r\n\r\n";
        assert_eq!(response(text, &mut head), Ok(Some(text.len())));
        assert_eq!(head.status, StatusCode::NOT_FOUND);
        assert_eq!(response(b"HTTP/1.1 40", &mut head), Ok(None));
        assert_eq!(response(b"garbage\r\n\r\n", &mut head), Err(BadHead::Version));
    }
}
