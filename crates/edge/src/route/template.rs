//! Texts with `{names}`: header values, redirect targets, rewritten paths.

use std::io::Write as _;
use std::net::IpAddr;

use crate::head::{Name, Request};

use super::captures::Captures;
use super::host::name_of;

/// The names that stand for something of the request itself.
pub(super) const BUILT_IN: [&str; 7] =
    ["client_ip", "host", "path", "query", "scheme", "method", "request_id"];

/// What the names of a template stand for.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// `{client_ip}`.
    pub client_ip: IpAddr,
    /// `{host}`: without port.
    pub host: &'a [u8],
    /// `{path}`: percent-encoded.
    pub path: &'a [u8],
    /// `{query}`: percent-encoded, without `?`.
    pub query: &'a [u8],
    /// `{scheme}`.
    pub scheme: &'a str,
    /// `{method}`.
    pub method: &'a str,
    /// `{request_id}`.
    pub request_id: &'a [u8],
    /// The names of the route's pattern.
    pub captures: &'a Captures,
}

impl<'a> Values<'a> {
    /// The values of a request as it stands.
    pub fn of(request: &'a Request, client_ip: IpAddr, captures: &'a Captures) -> Self {
        Self {
            client_ip,
            host: name_of(request.authority()),
            path: request.path(),
            query: request.query(),
            scheme: request.scheme(),
            method: request.method.as_str(),
            request_id: request.fields.get_known(Name::XRequestId).unwrap_or_default(),
            captures,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(Box<[u8]>),
    ClientIp,
    Host,
    Path,
    Query,
    /// `?{query}`: nothing at all when the query is empty.
    QueryWithMark,
    Scheme,
    Method,
    RequestId,
    Capture(usize),
}

/// A compiled text. `{{` and `}}` stand for braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Compiles a text that may use the built-in names and those of a route's pattern.
    ///
    /// # Errors
    /// What is wrong, as a sentence: an unknown name (with the known ones), an open brace, a control character.
    pub fn parse<S: AsRef<str>>(text: &str, pattern_names: &[S]) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err(format!("`{}` holds a control character", text.escape_debug()));
        }
        let (mut pieces, mut literal, mut rest) = (Vec::new(), Vec::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            literal.extend_from_slice(&rest.as_bytes()[..at]);
            let brace = rest.as_bytes()[at];
            rest = &rest[at + 1..];
            if rest.as_bytes().first() == Some(&brace) {
                literal.push(brace);
                rest = &rest[1..];
                continue;
            }
            let (b'{', Some(end)) = (brace, rest.find('}')) else {
                let brace = brace as char;
                return Err(format!(
                    "`{text}` has a `{brace}` without its pair (write `{brace}{brace}` for the brace itself)"
                ));
            };
            let mut piece = Self::piece(&rest[..end], pattern_names)?;
            rest = &rest[end + 1..];
            if piece == Piece::Query && literal.last() == Some(&b'?') {
                literal.pop();
                piece = Piece::QueryWithMark;
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
            }
            pieces.push(piece);
        }
        literal.extend_from_slice(rest.as_bytes());
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.into()));
        }
        Ok(Self { pieces })
    }

    fn piece<S: AsRef<str>>(name: &str, pattern_names: &[S]) -> Result<Piece, String> {
        if let Some(position) = pattern_names.iter().position(|known| known.as_ref() == name) {
            return Ok(Piece::Capture(position));
        }
        Ok(match name {
            "client_ip" => Piece::ClientIp,
            "host" => Piece::Host,
            "path" => Piece::Path,
            "query" => Piece::Query,
            "scheme" => Piece::Scheme,
            "method" => Piece::Method,
            "request_id" => Piece::RequestId,
            _ => {
                let names = pattern_names.iter().map(AsRef::as_ref).chain(BUILT_IN);
                let known: Vec<_> = names.map(|name| format!("`{{{name}}}`")).collect();
                return Err(format!("there is no `{{{name}}}`; known: {}", known.join(", ")));
            }
        })
    }

    /// The text, if it holds no names.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match &self.pieces[..] {
            [] => Some(b""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether the query is part of it.
    pub fn uses_query(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Query | Piece::QueryWithMark))
    }

    /// The text before the first name.
    pub(super) fn prefix(&self) -> &[u8] {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => text,
            _ => b"",
        }
    }

    /// Appends the text with its names filled in. Values are taken as they are, nothing is decoded, and no control
    /// character is ever written: the result can stand in a header field.
    pub fn render(&self, out: &mut Vec<u8>, values: &Values<'_>) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::ClientIp => write!(out, "{}", values.client_ip).expect("writing to memory succeeds"),
                Piece::Host => append(out, values.host),
                Piece::Path => append(out, values.path),
                Piece::Query => append(out, values.query),
                Piece::QueryWithMark if values.query.is_empty() => {}
                Piece::QueryWithMark => {
                    out.push(b'?');
                    append(out, values.query);
                }
                Piece::Scheme => append(out, values.scheme.as_bytes()),
                Piece::Method => append(out, values.method.as_bytes()),
                Piece::RequestId => append(out, values.request_id),
                Piece::Capture(position) => append(out, values.captures.get(*position)),
            }
        }
    }
}

/// Appends a value, less its control characters. Heads are checked before they get here; this is the second lock.
fn append(out: &mut Vec<u8>, value: &[u8]) {
    if value.iter().any(u8::is_ascii_control) {
        out.extend(value.iter().copied().filter(|b| !b.is_ascii_control()));
    } else {
        out.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::route::RouteTable;
    use proptest::prelude::*;

    fn render(template: &str, pattern: &str, target: &[u8]) -> Result<Vec<u8>, String> {
        let route = config::Route {
            r#match: config::Match { path: Some(pattern.into()), ..config::Match::default() },
            ..config::Route::default()
        };
        let table = RouteTable::build(&[route]).expect("a valid pattern");
        let mut request = Request::default();
        request.set_target(target);
        request.set_authority(b"shop.example:8080");
        request.fields.add_known(Name::XRequestId, b"r-1");
        let mut captures = Captures::default();
        assert_eq!(table.find(&request, &mut captures), Ok(Some(0)));
        let template = Template::parse(template, table.names(0))?;
        let mut out = Vec::new();
        template.render(&mut out, &Values::of(&request, "2001:db8::1".parse().unwrap(), &captures));
        Ok(out)
    }

    fn text(template: &str) -> String {
        String::from_utf8(render(template, "/p/{id}/{rest*}", b"/p/7%0d%0aX/a/b?c=d").unwrap()).unwrap()
    }

    #[test]
    fn names_are_filled_in() {
        assert_eq!(text("{scheme}://{host}{path}?{query}"), "http://shop.example/p/7%0d%0aX/a/b?c=d");
        assert_eq!(text("{client_ip} {method} {request_id}"), "2001:db8::1 GET r-1");
        assert_eq!(text("<{rest}>"), "<a/b>");
        assert_eq!(text("{{\"a\": \"{rest}\"}}"), "{\"a\": \"a/b\"}");
        assert_eq!(text(""), "");
    }

    #[test]
    fn captures_are_never_decoded() {
        assert_eq!(text("{id}"), "7%0D%0AX");
    }

    #[test]
    fn a_question_mark_goes_with_an_empty_query() {
        assert_eq!(render("/x?{query}", "/*", b"/a").unwrap(), b"/x");
        assert_eq!(render("/x?{query}", "/*", b"/a?b").unwrap(), b"/x?b");
    }

    #[test]
    fn constant_texts_are_known() {
        let none: [&str; 0] = [];
        assert_eq!(Template::parse("a {{b}}", &none).unwrap().as_literal(), Some(&b"a {b}"[..]));
        assert_eq!(Template::parse("", &none).unwrap().as_literal(), Some(&b""[..]));
        assert_eq!(Template::parse("{path}", &none).unwrap().as_literal(), None);
    }

    #[test]
    fn faults_are_told() {
        for (template, says) in [
            ("{ip}", "there is no `{ip}`; known: `{id}`, `{client_ip}`, `{host}`"),
            ("{id", "has a `{` without its pair"),
            ("id}", "has a `}` without its pair"),
            ("a\r\nb", "control character"),
            ("a\0", "control character"),
        ] {
            let error = Template::parse(template, &["id"]).expect_err(template);
            assert!(error.contains(says), "{template:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_value_ever_brings_a_line_break(target in prop::collection::vec(any::<u8>(), 0..60)) {
            let target = [b"/p/x/".to_vec(), target].concat();
            let template = "{path}|{query}|{id}|{rest}|{host}";
            // A path that climbs away from the pattern is another test's business.
            if !target.windows(2).any(|pair| pair == b"..") && !target.contains(&b'%') && !target.contains(&b'.') {
                let value = render(template, "/{id}/{rest*}", &target).unwrap();
                prop_assert!(!value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
            }
        }
    }
}
