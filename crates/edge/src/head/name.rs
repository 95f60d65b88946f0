//! The field names the edge looks at, recognised once while a head is read.

use smallvec::SmallVec;

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
    CacheStatus = "cache-status",
    CacheTag = "cache-tag",
    Connection = "connection",
    ContentLength = "content-length",
    ContentRange = "content-range",
    ContentType = "content-type",
    Cookie = "cookie",
    Date = "date",
    Etag = "etag",
    Expect = "expect",
    Expires = "expires",
    Forwarded = "forwarded",
    Host = "host",
    Http2Settings = "http2-settings",
    IfMatch = "if-match",
    IfModifiedSince = "if-modified-since",
    IfNoneMatch = "if-none-match",
    IfRange = "if-range",
    IfUnmodifiedSince = "if-unmodified-since",
    KeepAlive = "keep-alive",
    LastModified = "last-modified",
    Location = "location",
    Pragma = "pragma",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyConnection = "proxy-connection",
    ProxyStatus = "proxy-status",
    Range = "range",
    Referer = "referer",
    RetryAfter = "retry-after",
    Server = "server",
    SetCookie = "set-cookie",
    SurrogateKey = "surrogate-key",
    Te = "te",
    Traceparent = "traceparent",
    Tracestate = "tracestate",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Vary = "vary",
    Via = "via",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedPort = "x-forwarded-port",
    XForwardedProto = "x-forwarded-proto",
    Xkey = "xkey",
    XRealIp = "x-real-ip",
    XRequestId = "x-request-id",
}

/// Well-known names by a hash without collisions, found when this is compiled.
struct Table {
    multiplier: u32,
    slots: [Name; 1 << TABLE_BITS],
}

const TABLE_BITS: u32 = 9;

static TABLE: Table = build_table();

const fn build_table() -> Table {
    let mut multiplier: u32 = 0x9e37_79b1;
    'search: loop {
        let mut slots = [Name::Other; 1 << TABLE_BITS];
        let mut at = 0;
        while at < Name::ALL.len() {
            let (id, text) = Name::ALL[at];
            let slot = slot_of(text.as_bytes(), multiplier);
            if !matches!(slots[slot], Name::Other) {
                multiplier = multiplier.wrapping_mul(0x0001_0dcd).wrapping_add(2);
                continue 'search;
            }
            slots[slot] = id;
            at += 1;
        }
        return Table { multiplier, slots };
    }
}

/// Length and three letters tell the well-known names apart. The name is not empty.
const fn slot_of(name: &[u8], multiplier: u32) -> usize {
    let len = name.len();
    let letters = [name[0] | 0x20, name[len - 1] | 0x20, name[len.saturating_sub(4)] | 0x20, len as u8];
    (u32::from_le_bytes(letters).wrapping_mul(multiplier) >> (32 - TABLE_BITS)) as usize
}

impl Name {
    /// Recognises a name, without case.
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        if name.is_empty() {
            return Self::Other;
        }
        let id = TABLE.slots[slot_of(name, TABLE.multiplier)];
        if name.eq_ignore_ascii_case(id.as_str().as_bytes()) { id } else { Self::Other }
    }

    /// What a server may take a name for: CGI and all that came of it write `X-Real-IP` and `X_Real_IP` alike.
    pub fn as_cgi_reads(name: &[u8]) -> Self {
        if !name.contains(&b'_') {
            return Self::of(name);
        }
        let plain: SmallVec<[u8; 32]> =
            name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
        Self::of(&plain)
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
            assert_eq!(Name::as_cgi_reads(text.replace('-', "_").as_bytes()), *id);
            assert_eq!(Name::as_cgi_reads(text.as_bytes()), *id);
        }
        for other in [&b""[..], b"x", b"hostt", b"x-forwarded-fox", b"a-name-longer-than-all-of-them"] {
            assert_eq!(Name::of(other), Name::Other);
        }
    }
}
