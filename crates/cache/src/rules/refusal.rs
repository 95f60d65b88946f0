//! Why a response is not stored.

use std::fmt;

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotStored {
    /// The request was no GET.
    Method,
    /// The request had content, which no key holds.
    RequestContent,
    /// The response is interim.
    NotFinal,
    /// 304: it updates stored responses instead.
    NotModified,
    /// 412 or 416: it answers a condition or a range, not the URL.
    AnswersCondition,
    /// `must-understand` with a status this cache does not know.
    StatusNotUnderstood,
    /// `no-store`.
    NoStore,
    /// `private`.
    Private,
    /// `no-store` in the request, where clients are honoured.
    ClientNoStore,
    /// The request was authorised, and the response does not say that it is for others too.
    Authorization,
    /// It sets a cookie.
    SetCookie,
    /// The request had cookies, and the response does not say that it may be stored.
    Cookie,
    /// `Vary: *`.
    VaryAny,
    /// Its `Vary` names too many fields, or what they hold is too long.
    VaryTooLong,
    /// It says nothing of a lifetime, and its status allows no guess.
    NoFreshness,
    /// It would be stale at once, and there is nothing to revalidate it by.
    Pointless,
    /// 206 without one range of bytes.
    ContentRange,
    /// More tags, or longer ones, than are kept: a purge could miss it.
    Tags,
}

impl NotStored {
    /// In a few words, fit for the `detail` of `Cache-Status`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::RequestContent => "request content",
            Self::NotFinal => "interim response",
            Self::NotModified => "not modified",
            Self::AnswersCondition => "condition failed",
            Self::StatusNotUnderstood => "status not understood",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::ClientNoStore => "request no-store",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::Cookie => "cookie without explicit freshness",
            Self::VaryAny => "vary *",
            Self::VaryTooLong => "vary too long",
            Self::NoFreshness => "no freshness",
            Self::Pointless => "stale without validator",
            Self::ContentRange => "content-range",
            Self::Tags => "too many tags",
        }
    }
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for NotStored {}
