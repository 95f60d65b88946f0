//! Why a proof does not let a request pass, as the client and the metrics get to know it.

use deepwater_auth::{BasicRefusal, Refusal as TokenRefusal};
use deepwater_core::metrics::Counter;

use crate::failure::Failure;
use crate::guard::Refusal;
use crate::measure::AuthMetrics;

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// The token, or its absence.
    Token(TokenRefusal),
    /// The name and password, or their absence.
    Basic(BasicRefusal),
    /// A name and a password of somebody who may do other things.
    NotThisUser,
    /// There are no keys to verify with.
    Unavailable,
    /// Too many passwords are being checked.
    Busy,
    /// The request has no more time for it.
    Late,
}

impl Denied {
    /// Whether nothing was proved, rather than something wrong.
    pub fn is_absence(self) -> bool {
        matches!(self, Self::Token(TokenRefusal::Missing) | Self::Basic(BasicRefusal::Missing))
    }

    /// What the client gets to know.
    pub fn refusal(self, realm: &str) -> Refusal {
        let challenge = match self {
            Self::Token(refusal) => Some(refusal.challenge(realm)),
            Self::Basic(_) => Some(BasicRefusal::challenge(realm)),
            Self::NotThisUser | Self::Unavailable | Self::Busy | Self::Late => None,
        };
        let refusal = Refusal::new(self.failure());
        match challenge {
            Some(challenge) => refusal.with(b"www-authenticate", challenge),
            None => refusal,
        }
    }

    fn failure(self) -> Failure {
        let status = match self {
            Self::Token(refusal) => refusal.status(),
            Self::Basic(refusal) => refusal.status(),
            Self::NotThisUser => 403,
            Self::Unavailable => return Failure::KeysUnavailable,
            Self::Busy => return Failure::Overloaded,
            Self::Late => return Failure::RequestDeadline,
        };
        match status {
            400 => Failure::BadCredentials,
            403 => Failure::Forbidden,
            _ => Failure::Unauthorized,
        }
    }

    /// Where it is counted.
    pub fn counter(self, metrics: &AuthMetrics) -> &Counter {
        match self.failure() {
            _ if self.is_absence() => &metrics.missing,
            Failure::BadCredentials => &metrics.malformed,
            Failure::Forbidden => &metrics.insufficient,
            Failure::KeysUnavailable | Failure::Overloaded | Failure::RequestDeadline => &metrics.unavailable,
            _ => &metrics.invalid,
        }
    }
}
