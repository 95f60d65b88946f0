//! What a client is told whose key stands in the way of its request: problem details (RFC 9457).

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::head::{Fields, Name};

use super::key::KeyFault;

/// Longest wait a client is told. An attempt under way renews its lease, so the lease says little about its end.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Why a request with a key, or without one, is not passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The route requires a key.
    Missing { header: Box<str> },
    /// What stands in its place is none.
    BadKey { header: Box<str>, fault: KeyFault },
    /// The body is larger than one that can be compared.
    TooLarge { most: usize },
    /// The key was used for another request.
    Mismatch,
    /// The first request is under way.
    InFlight { left: Duration },
    /// The first request was sent, and its outcome is unknown.
    Unknown,
    /// The first request is done, and its answer was too large to be kept.
    NotKept { status: StatusCode },
    /// Keys cannot be looked up, or there is no room for another.
    Unavailable,
}

impl Problem {
    /// The status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing { .. } | Self::BadKey { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Mismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Self::InFlight { .. } | Self::Unknown | Self::NotKept { .. } => StatusCode::CONFLICT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A name for programs; also the label in metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "key_missing",
            Self::BadKey { .. } => "key_invalid",
            Self::TooLarge { .. } => "request_too_large",
            Self::Mismatch => "key_reused",
            Self::InFlight { .. } => "in_flight",
            Self::Unknown => "outcome_unknown",
            Self::NotKept { .. } => "answer_not_kept",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether some of the request may not have been read, so that nothing can follow on its connection.
    pub const fn leaves_body(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::BadKey { .. } | Self::TooLarge { .. } | Self::Unavailable)
    }

    /// The answer's fields, without its length and date.
    pub fn fields(&self) -> Fields {
        let mut fields = Fields::default();
        fields.add_known(Name::ContentType, b"application/problem+json");
        fields.add_known(Name::CacheControl, b"no-store");
        let wait = match self {
            Self::InFlight { left } => Some(left.min(&LONGEST_WAIT).as_millis().div_ceil(1_000).max(1)),
            Self::Unavailable => Some(1),
            _ => None,
        };
        if let Some(seconds) = wait {
            fields.add_known(Name::RetryAfter, seconds.to_string().as_bytes());
        }
        fields
    }

    /// The answer's body.
    pub fn body(&self) -> String {
        let status = self.status();
        let problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "code": self.code(),
            "detail": self.detail(),
        });
        format!("{problem}\n")
    }

    fn detail(&self) -> String {
        match self {
            Self::Missing { header } => format!(
                "This request needs a field `{header}` with a key of its own, so that it can be repeated safely."
            ),
            Self::BadKey { header, fault } => format!("The field `{header}` has no valid key: {fault}."),
            Self::TooLarge { most } => {
                format!("With an idempotency key, a request's body may have {most} bytes at most.")
            }
            Self::Mismatch => "This idempotency key was used for a different request. A repeat must be the same \
                               to its last byte; another request needs another key."
                .into(),
            Self::InFlight { .. } => {
                "The first request with this idempotency key is under way. Repeat it a little later.".into()
            }
            Self::Unknown => "The first request with this idempotency key broke off, and may have taken effect. \
                              Find out whether it has before you send it with another key."
                .into(),
            Self::NotKept { status } => format!(
                "The first request with this idempotency key was answered with status {}. Its answer was too large \
                 to be kept for repeats.",
                status.as_u16()
            ),
            Self::Unavailable => {
                "Idempotency keys cannot be looked up at the moment. Nothing was done: repeat the request with the \
                 same key."
                    .into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_as_the_draft_wants_them() {
        let told = |problem: Problem| {
            let body: serde_json::Value = serde_json::from_str(&problem.body()).unwrap();
            assert_eq!(body["status"], problem.status().as_u16());
            assert_eq!(body["code"], problem.code());
            assert_eq!(problem.fields().get(b"content-type"), Some(&b"application/problem+json"[..]));
            let wait =
                problem.fields().get(b"retry-after").map(|wait| String::from_utf8_lossy(wait).into_owned());
            (problem.status().as_u16(), wait.and_then(|wait| wait.parse::<u64>().ok()))
        };
        let header = || Box::from("idempotency-key");
        assert_eq!(told(Problem::Missing { header: header() }), (400, None));
        assert_eq!(told(Problem::BadKey { header: header(), fault: KeyFault::Empty }), (400, None));
        assert_eq!(told(Problem::TooLarge { most: 10 }), (413, None));
        assert_eq!(told(Problem::Mismatch), (422, None));
        assert_eq!(told(Problem::InFlight { left: Duration::from_millis(1_200) }), (409, Some(2)));
        assert_eq!(told(Problem::InFlight { left: Duration::ZERO }), (409, Some(1)));
        assert_eq!(told(Problem::InFlight { left: Duration::from_secs(60) }), (409, Some(2)));
        assert_eq!(told(Problem::Unknown), (409, None));
        assert_eq!(told(Problem::NotKept { status: StatusCode::OK }), (409, None));
        assert_eq!(told(Problem::Unavailable), (503, Some(1)));
    }
}
