//! The field names the edge looks at, recognised once while a head is read.

macro_rules! names {
    ($($variant:ident = $text:literal),* $(,)?) => {
        /// A field name the edge acts on, or any other.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum Name { $($variant,)* Other }

        impl Name {
            const ALL: &'static [(Name, &'static str)] = &[$((Name::$variant, $text)),*];

            /// The name in lower case; empty for others.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* Self::Other => "" }
            }
        }
    };
}

names! {
    AcceptRanges = "accept-ranges",
    Age = "age",
    Authorization = "authorization",
    CacheControl = "cache-control",
    Connection = "connection",
    ContentLength = "content-length",
    ContentRange = "content-range",
    ContentType = "content-type",
    Cookie = "cookie",
    Date = "date",
    Etag = "etag",
    Expect = "expect",
    Forwarded = "forwarded",
    Host = "host",
    Http2Settings = "http2-settings",
    IfModifiedSince = "if-modified-since",
    IfNoneMatch = "if-none-match",
    IfRange = "if-range",
    KeepAlive = "keep-alive",
    LastModified = "last-modified",
    Location = "location",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyConnection = "proxy-connection",
    ProxyStatus = "proxy-status",
    Range = "range",
    Referer = "referer",
    RetryAfter = "retry-after",
    Server = "server",
    SetCookie = "set-cookie",
    Te = "te",
    Traceparent = "traceparent",
    Tracestate = "tracestate",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Via = "via",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedPort = "x-forwarded-port",
    XForwardedProto = "x-forwarded-proto",
    XRealIp = "x-real-ip",
    XRequestId = "x-request-id",
}

/// The longest well-known name.
const LONGEST: usize = 20;

/// Well-known names by length: those of `n` bytes stand in `sorted` at the range `ranges[n]`.
struct Grouped {
    sorted: [(Name, &'static str); Name::ALL.len()],
    ranges: [(u8, u8); LONGEST + 1],
}

const fn group() -> Grouped {
    let mut sorted = [(Name::Other, ""); Name::ALL.len()];
    let mut ranges = [(0u8, 0u8); LONGEST + 1];
    let (mut filled, mut length) = (0, 0);
    while length <= LONGEST {
        let start = filled;
        let mut at = 0;
        while at < Name::ALL.len() {
            if Name::ALL[at].1.len() == length {
                sorted[filled] = Name::ALL[at];
                filled += 1;
            }
            at += 1;
        }
        ranges[length] = (start as u8, filled as u8);
        length += 1;
    }
    assert!(filled == Name::ALL.len(), "LONGEST is too small");
    Grouped { sorted, ranges }
}

static GROUPED: Grouped = group();

impl Name {
    /// Recognises a name, without case.
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        let Grouped { sorted, ranges } = &GROUPED;
        let Some((start, end)) = ranges.get(name.len()) else { return Self::Other };
        sorted[usize::from(*start)..usize::from(*end)]
            .iter()
            .find(|(_, text)| {
                // Most names differ in the first letter: look at that before the rest.
                name[0] | 0x20 == text.as_bytes()[0] && name.eq_ignore_ascii_case(text.as_bytes())
            })
            .map_or(Self::Other, |(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_recognised_in_any_case() {
        for (id, text) in Name::ALL {
            assert_eq!(Name::of(text.as_bytes()), *id);
            assert_eq!(Name::of(text.to_uppercase().as_bytes()), *id);
            assert_eq!(id.as_str(), *text);
        }
        for other in [&b""[..], b"x", b"hostt", b"x-forwarded-fox", b"a-name-longer-than-all-of-them"] {
            assert_eq!(Name::of(other), Name::Other);
        }
    }
}
