//! `Cache-Status` (RFC 9211): what this cache did, for people to read.

use std::io::Write as _;

/// What a request met in one cache. A member needs `hit` or `fwd`, not both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Member<'a> {
    /// Answered without the origin, or before it had answered.
    pub hit: bool,
    /// Why it went to the origin.
    pub fwd: Option<Fwd>,
    /// What the origin answered, where that is not what the client gets.
    pub fwd_status: Option<u16>,
    /// Seconds of freshness left; less than 0 when stale.
    pub ttl: Option<i64>,
    /// Whether the answer was stored.
    pub stored: bool,
    /// Whether it shared the fetch of another request.
    pub collapsed: bool,
    /// What else there is to say. Printable ASCII; other bytes are left out.
    pub detail: Option<&'a str>,
}

/// Why a request went to the origin (RFC 9211 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fwd {
    /// The cache is not in use for it.
    Bypass,
    /// Its method.
    Method,
    /// Nothing is stored for its URL.
    UriMiss,
    /// What is stored for its URL is for other requests.
    VaryMiss,
    /// Nothing stored fits, for whichever of these reasons.
    Miss,
    /// What is stored is fresh, but the request asks for better.
    Request,
    /// What is stored is stale.
    Stale,
    /// What is stored is a part of what it asks for.
    Partial,
}

impl Fwd {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

impl Member<'_> {
    /// Appends the member of the cache of that name (a token, such as `deepwater-edge`).
    pub fn write(&self, cache: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(cache.as_bytes());
        if self.hit {
            out.extend_from_slice(b"; hit");
        }
        if let Some(fwd) = self.fwd {
            out.extend_from_slice(b"; fwd=");
            out.extend_from_slice(fwd.as_str().as_bytes());
        }
        // Writing into memory does not fail.
        if let Some(status) = self.fwd_status {
            let _ = write!(out, "; fwd-status={status}");
        }
        if let Some(ttl) = self.ttl {
            let _ = write!(out, "; ttl={ttl}");
        }
        if self.stored {
            out.extend_from_slice(b"; stored");
        }
        if self.collapsed {
            out.extend_from_slice(b"; collapsed");
        }
        if let Some(detail) = self.detail {
            out.extend_from_slice(b"; detail=\"");
            for byte in detail.bytes().filter(|b| matches!(b, b' '..=b'~')) {
                if matches!(byte, b'"' | b'\\') {
                    out.push(b'\\');
                }
                out.push(byte);
            }
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(member: Member<'_>) -> String {
        let mut out = Vec::new();
        member.write("deepwater-edge", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn members() {
        let none = Member::default();
        for (member, expected) in [
            (Member { hit: true, ttl: Some(30), ..none }, "; hit; ttl=30"),
            (Member { hit: true, ttl: Some(-5), ..none }, "; hit; ttl=-5"),
            (Member { fwd: Some(Fwd::UriMiss), stored: true, ..none }, "; fwd=uri-miss; stored"),
            (Member { fwd: Some(Fwd::Stale), fwd_status: Some(304), ..none }, "; fwd=stale; fwd-status=304"),
            (Member { fwd: Some(Fwd::Miss), collapsed: true, ..none }, "; fwd=miss; collapsed"),
            (
                Member { fwd: Some(Fwd::VaryMiss), detail: Some("a \"b\" \\\u{fc}\r\n"), ..none },
                "; fwd=vary-miss; detail=\"a \\\"b\\\" \\\\\"",
            ),
        ] {
            assert_eq!(written(member), format!("deepwater-edge{expected}"));
        }
    }
}
