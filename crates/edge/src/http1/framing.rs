//! How long a message body is (RFC 9112 §6.3).

use http::{Method, StatusCode};

use crate::head::{Fields, Name, Request, Response, Version, list_members};

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    Empty,
    /// After that many bytes; at least one.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection; responses only.
    UntilClose,
}

/// Why the length of a body cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadFraming {
    /// `Content-Length` is not one number.
    #[error("Content-Length is repeated or not a number")]
    Length,
    /// Both length and transfer coding: the classic of request smuggling.
    #[error("both Content-Length and Transfer-Encoding are present")]
    Both,
    /// A transfer coding other than `chunked` alone.
    #[error("the transfer coding is not supported")]
    Coding,
}

/// The framing of a request's body.
///
/// # Errors
/// When two readers could disagree about it; the connection must then be closed.
pub fn of_request(request: &Request) -> Result<Framing, BadFraming> {
    match stated(&request.fields, request.version)? {
        Some(framing) => Ok(framing),
        None => Ok(Framing::Empty),
    }
}

/// The framing of a response's body to a request of that method.
///
/// # Errors
/// When two readers could disagree about it; the origin's connection must then be closed.
pub fn of_response(response: &Response, method: &Method) -> Result<Framing, BadFraming> {
    if has_no_body(response.status, method) {
        // The length that it says another answer has goes on to the client (RFC 9110 §8.6).
        one_length(&response.fields)?;
        return Ok(Framing::Empty);
    }
    match stated(&response.fields, response.version)? {
        Some(framing) => Ok(framing),
        None => Ok(Framing::UntilClose),
    }
}

/// Whether a response has no body whatever its fields say (RFC 9112 §6.3 rules 1 and 2).
pub fn has_no_body(status: StatusCode, method: &Method) -> bool {
    *method == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

fn stated(fields: &Fields, version: Version) -> Result<Option<Framing>, BadFraming> {
    let mut length: Option<&[u8]> = None;
    let mut coding: Option<&[u8]> = None;
    for (id, _, value) in fields.iter() {
        match id {
            Name::ContentLength if length.replace(value).is_some() => return Err(BadFraming::Length),
            Name::TransferEncoding if coding.replace(value).is_some() => return Err(BadFraming::Coding),
            _ => {}
        }
    }
    match (length, coding) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(BadFraming::Both),
        (Some(digits), None) => match parse_length(digits).ok_or(BadFraming::Length)? {
            0 => Ok(Some(Framing::Empty)),
            n => Ok(Some(Framing::Length(n))),
        },
        (None, Some(codings)) => {
            let mut members = list_members(codings);
            let chunked_alone = members.next().is_some_and(|m| m.eq_ignore_ascii_case(b"chunked"))
                && members.next().is_none();
            // HTTP/1.0 knows no transfer codings: its reader would take the chunks for the body.
            if chunked_alone && version != Version::Http10 {
                Ok(Some(Framing::Chunked))
            } else {
                Err(BadFraming::Coding)
            }
        }
    }
}

/// The only `Content-Length`, if there is one.
///
/// # Errors
/// When it is repeated or not a number.
pub fn one_length(fields: &Fields) -> Result<Option<u64>, BadFraming> {
    let mut lengths = fields.all_known(Name::ContentLength);
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(None),
        (Some(digits), None) => parse_length(digits).map(Some).ok_or(BadFraming::Length),
        (Some(_), Some(_)) => Err(BadFraming::Length),
    }
}

/// Digits only: no sign, no list, no overflow.
pub fn parse_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, fields: &[(&str, &str)]) -> Result<Framing, BadFraming> {
        let mut request = {
            let mut request = Request::default();
            request.version = version;
            request
        };
        request.fields.add_all(fields);
        of_request(&request)
    }

    #[test]
    fn requests() {
        use Version::{Http10, Http11};
        assert_eq!(request(Http11, &[]), Ok(Framing::Empty));
        assert_eq!(request(Http11, &[("Content-Length", "0")]), Ok(Framing::Empty));
        assert_eq!(request(Http11, &[("Content-Length", "12")]), Ok(Framing::Length(12)));
        assert_eq!(request(Http11, &[("Transfer-Encoding", "Chunked")]), Ok(Framing::Chunked));
        let both = [("Content-Length", "1"), ("Transfer-Encoding", "chunked")];
        assert_eq!(request(Http11, &both), Err(BadFraming::Both));
        assert_eq!(request(Http10, &[("Transfer-Encoding", "chunked")]), Err(BadFraming::Coding));
        for coding in ["gzip", "gzip, chunked", "chunked, chunked", "identity", "xchunked", "chunked;a=b", ""]
        {
            assert_eq!(
                request(Http11, &[("Transfer-Encoding", coding)]),
                Err(BadFraming::Coding),
                "{coding}"
            );
        }
        for length in ["", "+1", "-1", "1,1", "1 1", "0x1", "18446744073709551616", "99999999999999999999"] {
            assert_eq!(request(Http11, &[("Content-Length", length)]), Err(BadFraming::Length), "{length}");
        }
        let twice = [("Content-Length", "1"), ("Content-Length", "1")];
        assert_eq!(request(Http11, &twice), Err(BadFraming::Length));
    }

    #[test]
    fn responses() {
        let mut response = Response::default();
        assert_eq!(of_response(&response, &Method::GET), Ok(Framing::UntilClose));
        response.fields.add(b"Content-Length", b"5");
        assert_eq!(of_response(&response, &Method::GET), Ok(Framing::Length(5)));
        assert_eq!(of_response(&response, &Method::HEAD), Ok(Framing::Empty));
        for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED, StatusCode::CONTINUE] {
            response.status = status;
            assert_eq!(of_response(&response, &Method::GET), Ok(Framing::Empty));
        }
        response.fields.add(b"Content-Length", b"6");
        for (status, method) in [(StatusCode::NOT_MODIFIED, Method::GET), (StatusCode::OK, Method::HEAD)] {
            response.status = status;
            assert_eq!(of_response(&response, &method), Err(BadFraming::Length), "{status} to {method}");
        }
    }
}
