//! Conditions beside host and path: method, header, query.

use http::{HeaderName, Method};

use crate::config::Match;
use crate::head::{Name, Request};

use super::Fault;
use super::normal::decode;

/// A name that must be there, with this value or (`None`) any.
type Wanted<N> = (N, Option<Box<[u8]>>);

/// All that must hold besides host and path.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    methods: Box<[Method]>,
    headers: Box<[Wanted<HeaderName>]>,
    query: Box<[Wanted<Box<[u8]>>]>,
}

impl Conditions {
    pub(super) fn build(written: &Match, report: &mut impl FnMut(&'static str, Vec<Fault>)) -> Self {
        Self {
            methods: collect(parse_methods(written.method.as_deref()), "match.method", report),
            headers: collect(written.header.iter().map(parse_header), "match.header", report),
            query: collect(written.query.iter().map(parse_parameter), "match.query", report),
        }
    }

    /// Whether nothing is asked.
    pub(super) fn is_empty(&self) -> bool {
        self.methods.is_empty() && self.headers.is_empty() && self.query.is_empty()
    }

    /// Whether a request is what is asked for.
    pub(super) fn hold(&self, request: &Request) -> bool {
        (self.methods.is_empty() || self.methods.contains(&request.method))
            && self.headers.iter().all(|wanted| has_header(request, wanted))
            && self.query.iter().all(|wanted| has_parameter(request.query(), wanted))
    }
}

/// The good ones; the faults of the others are reported.
fn collect<T>(
    parsed: impl IntoIterator<Item = Result<T, Fault>>,
    key: &'static str,
    report: &mut impl FnMut(&'static str, Vec<Fault>),
) -> Box<[T]> {
    let mut faults = Vec::new();
    let good = parsed.into_iter().filter_map(|each| each.map_err(|fault| faults.push(fault)).ok()).collect();
    report(key, faults);
    good
}

fn parse_methods(text: Option<&str>) -> Vec<Result<Method, Fault>> {
    let Some(text) = text else { return Vec::new() };
    let methods: Vec<_> = text.split_whitespace().map(parse_method).collect();
    if methods.is_empty() {
        return vec![Err((
            "no method is named".into(),
            Some("leave `method` out to match every method".into()),
        ))];
    }
    methods
}

fn parse_method(text: &str) -> Result<Method, Fault> {
    let refuse = |fix: String| Err((format!("`{text}` is not a method"), Some(fix)));
    if text.bytes().any(|b| matches!(b, b',' | b'|' | b'/')) {
        return refuse("separate methods by blanks: `GET HEAD`".into());
    }
    match Method::from_bytes(text.as_bytes()) {
        // Methods are case-sensitive (RFC 9110 §9.1), and none in use has small letters.
        Ok(_) if text.bytes().any(|b| b.is_ascii_lowercase()) => {
            refuse(format!("methods are written in capitals: `{}`", text.to_ascii_uppercase()))
        }
        Ok(method) => Ok(method),
        Err(_) => refuse("write names such as `GET` or `POST`, separated by blanks".into()),
    }
}

fn wanted_value(value: &str) -> Option<Box<[u8]>> {
    (value != "*").then(|| value.as_bytes().into())
}

fn parse_header((name, value): (&String, &String)) -> Result<Wanted<HeaderName>, Fault> {
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) if name == http::header::HOST => {
            Err(("`host` is not matched as a header field".into(), Some("use `match.host`".into())))
        }
        Ok(name) => Ok((name, wanted_value(value))),
        Err(_) => {
            let fix = "write letters, digits and `-`, such as `x-api-version`";
            Err((format!("`{name}` is not the name of a header field"), Some(fix.into())))
        }
    }
}

fn parse_parameter((name, value): (&String, &String)) -> Result<Wanted<Box<[u8]>>, Fault> {
    if name.is_empty() {
        return Err((
            "a query parameter has no name".into(),
            Some("write `query = { name = \"value\" }`".into()),
        ));
    }
    Ok((name.as_bytes().into(), wanted_value(value)))
}

fn has_header(request: &Request, (name, value): &Wanted<HeaderName>) -> bool {
    let name = name.as_str().as_bytes();
    let id = Name::of(name);
    request.fields.iter().any(|(other, written, found)| {
        other == id
            && (id != Name::Other || written.eq_ignore_ascii_case(name))
            && value.as_deref().is_none_or(|value| value == found)
    })
}

fn has_parameter(query: &[u8], (name, value): &Wanted<Box<[u8]>>) -> bool {
    query.split(|b| *b == b'&').any(|pair| {
        let (key, found) = match memchr::memchr(b'=', pair) {
            Some(equals) => (&pair[..equals], &pair[equals + 1..]),
            None => (pair, &b""[..]),
        };
        form_decoded(key).eq(name.iter().copied())
            && value.as_deref().is_none_or(|value| form_decoded(found).eq(value.iter().copied()))
    })
}

/// The bytes that a part of a query stands for, as forms encode them: `%20` and `+` for a blank.
fn form_decoded(encoded: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = encoded;
    std::iter::from_fn(move || {
        let (&b, after) = rest.split_first()?;
        rest = after;
        match (b, decode(after)) {
            (b'%', Some(decoded)) => {
                rest = &after[2..];
                Some(decoded)
            }
            (b'+', _) => Some(b' '),
            _ => Some(b),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(written: &Match) -> Result<Conditions, Vec<String>> {
        let mut problems = Vec::new();
        let built = Conditions::build(written, &mut |key, faults| {
            problems.extend(faults.into_iter().map(|(what, _)| format!("{key}: {what}")));
        });
        if problems.is_empty() { Ok(built) } else { Err(problems) }
    }

    fn pairs(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn all_must_hold() {
        let wanted = conditions(&Match {
            method: Some("GET HEAD".into()),
            header: pairs(&[("X-Beta", "1"), ("Accept", "*")]),
            query: pairs(&[("page", "a b"), ("debug", "*")]),
            ..Match::default()
        })
        .unwrap();
        let mut request = Request::default();
        request.set_target(b"/?x&page=a+b&debug");
        request.fields.add(b"x-beta", b"0");
        request.fields.add(b"X-BETA", b"1");
        assert!(!wanted.hold(&request), "no Accept yet");
        request.fields.add(b"accept", b"*/*");
        assert!(wanted.hold(&request));
        request.set_target(b"/?%70age=a%20b&debug=");
        assert!(wanted.hold(&request), "names and values may be encoded");
        request.set_target(b"/?page=ab&debug");
        assert!(!wanted.hold(&request));
        request.set_target(b"/?page=a+b");
        assert!(!wanted.hold(&request));
        request.set_target(b"/?page=a+b&debug");
        request.method = Method::POST;
        assert!(!wanted.hold(&request));
    }

    #[test]
    fn every_fault_is_told() {
        let problems = conditions(&Match {
            method: Some("get PO(ST GET,HEAD".into()),
            header: pairs(&[("a b", "1"), ("Host", "x")]),
            query: pairs(&[("", "1")]),
            ..Match::default()
        })
        .unwrap_err();
        assert_eq!(
            problems,
            [
                "match.method: `get` is not a method",
                "match.method: `PO(ST` is not a method",
                "match.method: `GET,HEAD` is not a method",
                "match.header: `host` is not matched as a header field",
                "match.header: `a b` is not the name of a header field",
                "match.query: a query parameter has no name",
            ]
        );
        let none = Match { method: Some(" ".into()), ..Match::default() };
        assert_eq!(conditions(&none).unwrap_err(), ["match.method: no method is named"]);
    }
}
