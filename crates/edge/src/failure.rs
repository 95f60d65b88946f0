//! What can go wrong with a request, told three ways: a status and a sentence for the client, an RFC 9209 error type
//! for whoever debugs, blame for whoever counts.

use deepwater_core::Blame;
use http::StatusCode;

macro_rules! failures {
    ($($(#[$doc:meta])* $variant:ident: $blame:ident, $status:literal, $error:literal, $sentence:literal;)*) => {
        /// A failed request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Failure { $($(#[$doc])* $variant,)* }

        impl Failure {
            /// Every failure, for metrics and documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Whose fault it is.
            pub const fn blame(self) -> Blame {
                match self { $(Self::$variant => Blame::$blame,)* }
            }

            /// The status the client gets, if it still gets one.
            pub fn status(self) -> StatusCode {
                let code: u16 = match self { $(Self::$variant => $status,)* };
                StatusCode::from_u16(code).expect("the table holds valid statuses")
            }

            /// The error type in `Proxy-Status` (RFC 9209 §2.3), also the label in metrics and logs.
            pub const fn error(self) -> &'static str {
                match self { $(Self::$variant => $error,)* }
            }

            /// Whether it failed before anything of the request was sent.
            pub const fn is_at_connecting(self) -> bool {
                matches!(
                    self,
                    Self::ConnectRefused | Self::ConnectTimeout | Self::TlsFailed | Self::TlsCertificate
                )
            }

            /// Whether the request was well understood, so that the next one on its connection will be.
            pub const fn is_understood(self) -> bool {
                matches!(
                    self,
                    Self::NoRoute
                        | Self::NotCached
                        | Self::Forbidden
                        | Self::Unauthorized
                        | Self::BadCredentials
                        | Self::RateLimited
                )
            }

            /// The sentence in the response's body.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }
        }
    };
}

failures! {
    /// The request is not valid HTTP.
    BadRequest: Client, 400, "http_request_error", "The request is not valid HTTP.";
    /// The path can be read as one that takes another route.
    AmbiguousPath: Client, 400, "http_request_denied", "The request's path can be read in two ways.";
    /// The request head is larger than allowed.
    HeadTooLarge: Client, 431, "http_request_error", "The request's header fields are too large.";
    /// The request body is larger than allowed.
    BodyTooLarge: Client, 413, "http_request_error", "The request's body is too large.";
    /// The client was too slow with its head.
    RequestTimeout: Client, 408, "http_request_error", "The request did not arrive in time.";
    /// The client broke off or sent a malformed body.
    ClientAborted: Client, 400, "http_request_error", "The request's body broke off or is malformed.";
    /// The client stopped taking or sending bytes.
    ClientStalled: Client, 408, "http_request_error", "The request's body did not arrive in time.";
    /// A method that is not allowed here.
    MethodNotAllowed: Client, 405, "http_request_denied", "This method is not allowed here.";
    /// A transfer coding we do not decode.
    CodingUnsupported: Client, 501, "http_request_error", "The request's transfer coding is not supported.";
    /// A version we do not speak.
    VersionUnsupported: Client, 505, "http_request_error", "This version of HTTP is not supported.";
    /// No route matches.
    NoRoute: Client, 404, "destination_not_found", "No route matches this request.";
    /// The client's address, or what it proved, is not for this route.
    Forbidden: Client, 403, "http_request_denied", "You may not do this.";
    /// The client has not proved who it is, or wrongly.
    Unauthorized: Client, 401, "http_request_denied", "You need to log in.";
    /// The proof of who the client is cannot be read.
    BadCredentials: Client, 400, "http_request_denied", "The credentials cannot be read.";
    /// Too many requests of this client.
    RateLimited: Client, 429, "http_request_denied", "Too many requests: wait a moment.";
    /// The proof of who the client is cannot be verified now.
    KeysUnavailable: Upstream, 503, "destination_unavailable", "Logins cannot be verified at the moment.";
    /// The request's idempotency key is somebody else's by now, or cannot be held.
    KeyLost: Us, 503, "proxy_internal_error", "The request was not sent: repeat it with the same idempotency key.";
    /// As many requests are with the servers as may, and as many wait, or this one has waited long enough.
    Overloaded: Us, 503, "connection_limit_reached", "Too many requests at the moment.";
    /// The servers failed too often just now: they are left alone for a while.
    CircuitOpen: Upstream, 503, "destination_unavailable", "The servers are failing: they are given a pause.";
    /// The whole request took too long.
    RequestDeadline: Upstream, 504, "http_response_timeout", "The request took too long.";
    /// No target may be used.
    NoTarget: Upstream, 503, "destination_unavailable", "No server is available for this request.";
    /// As many requests wait for one fetch as may.
    TooManyWaiters: Us, 503, "connection_limit_reached", "Too many requests wait for the same answer.";
    /// The client wants only what the cache has, and it has nothing.
    NotCached: Client, 504, "destination_unavailable", "The cache has no answer, and the request wants none from the server.";
    /// A target refused the connection.
    ConnectRefused: Upstream, 502, "connection_refused", "The server could not be reached.";
    /// Connecting took too long.
    ConnectTimeout: Upstream, 504, "connection_timeout", "Connecting to the server took too long.";
    /// The TLS handshake failed.
    TlsFailed: Upstream, 502, "tls_protocol_error", "No secure connection to the server could be made.";
    /// The target's certificate is not trusted.
    TlsCertificate: Upstream, 502, "tls_certificate_error", "The server's certificate is not trusted.";
    /// The origin closed before a whole head.
    ConnectionTerminated: Upstream, 502, "connection_terminated", "The server closed the connection before answering.";
    /// The origin sent something that is not HTTP.
    BadResponse: Upstream, 502, "http_protocol_error", "The server's answer is not valid HTTP.";
    /// The origin's head is larger than allowed.
    ResponseHeadTooLarge: Upstream, 502, "http_response_header_section_size", "The server's header fields are too large.";
    /// The origin did not answer in time.
    ResponseTimeout: Upstream, 504, "http_response_timeout", "The server did not answer in time.";
    /// Every server's answer was one to be tried again after.
    RetriesFailed: Upstream, 502, "destination_unavailable", "The servers could not answer.";
    /// The origin switched protocols unasked, or not as asked.
    UpgradeFailed: Upstream, 502, "http_upgrade_failed", "The server did not switch protocols as asked.";
    /// The response's body broke off; the client has its head already.
    ResponseIncomplete: Upstream, 502, "http_response_incomplete", "The server's answer broke off.";
    /// A fault of ours.
    Internal: Us, 500, "proxy_internal_error", "An internal error occurred.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_follow_blame() {
        for failure in Failure::ALL {
            let server_side = failure.status().is_server_error();
            let asked_for = matches!(
                failure,
                Failure::CodingUnsupported | Failure::VersionUnsupported | Failure::NotCached
            );
            assert_eq!(server_side, failure.blame() != Blame::Client || asked_for, "{failure:?}");
        }
    }
}
