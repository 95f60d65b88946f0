//! Why a request with a token, or without one, may not pass; and what it is told (RFC 6750 §3).

use crate::JsonFault;

/// The one reason for which a token is refused. Nothing of what the client sent is in it, so that it may go into logs and
/// into the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no token where one is looked for.
    #[error("a token is required")]
    Missing,
    /// There are two: which of them counts is not said anywhere.
    #[error("the token was sent more than once")]
    Repeated,
    /// `Authorization: Bearer` without a token, or with more than one word.
    #[error("the Authorization field is malformed")]
    BadAuthorization,
    /// Longer than the limit.
    #[error("the token is too long")]
    TooLong,
    /// Five segments: a JWE.
    #[error("encrypted tokens are not accepted")]
    Encrypted,
    /// Not `header.payload.signature`, all three with something in them.
    #[error("the token is not of three segments")]
    Segments,
    /// A segment is not canonical base64url. Which one.
    #[error("the {0} of the token is not canonical base64url")]
    Encoding(&'static str),
    /// A segment is not the JSON it should be. Which one.
    #[error("the {0} of the token {1}")]
    Json(&'static str, JsonFault),
    /// A header parameter of the wrong type. Which one.
    #[error("the header parameter {0} of the token is missing or of the wrong type")]
    Header(&'static str),
    /// It has `crit`, and there is no extension we know (RFC 7515 §4.1.11).
    #[error("the token has critical extensions")]
    Critical,
    /// It has `b64` (RFC 7797).
    #[error("the token has an unencoded payload")]
    Unencoded,
    /// `alg` is `none`.
    #[error("the token is not signed")]
    Unsigned,
    /// `alg` is nothing we verify: Ed448, ES256K, a name in the wrong case.
    #[error("the algorithm of the token is not supported")]
    UnknownAlgorithm,
    /// `alg` is not what any fitting key is for, or not on the list of the configuration.
    #[error("the algorithm of the token is not accepted")]
    WrongAlgorithm,
    /// `typ` is not the one required.
    #[error("the type of the token is not accepted")]
    WrongType,
    /// No key has this `kid`. A key set that is fetched may have to be fetched anew.
    #[error("the key of the token is not known")]
    UnknownKid,
    /// No `kid`, and too many keys it could be.
    #[error("the token does not say which key signed it")]
    KidRequired,
    /// The signature does not hold.
    #[error("the signature of the token does not hold")]
    BadSignature,
    /// A claim of the wrong type, or a time out of range: fraction, negative, beyond the year 9999. Which one.
    #[error("the claim {0} is malformed")]
    BadClaim(&'static str),
    /// No `exp`, which is required.
    #[error("the token does not expire")]
    NoExpiry,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYet,
    /// `iat` is to come.
    #[error("the token was issued in the future")]
    FromFuture,
    /// `iss` is absent or not on the list.
    #[error("the issuer of the token is not accepted")]
    WrongIssuer,
    /// `aud` is absent or names nobody on the list.
    #[error("the token is not for this audience")]
    WrongAudience,
    /// A claim that the configuration asks for is absent or another.
    #[error("the token does not grant this")]
    Insufficient,
}

impl Refusal {
    /// The status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Repeated | Self::BadAuthorization => 400,
            Self::Insufficient => 403,
            _ => 401,
        }
    }

    /// The error code (RFC 6750 §3.1); none for a request that never showed a token.
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::Missing => None,
            Self::Repeated | Self::BadAuthorization => Some("invalid_request"),
            Self::Insufficient => Some("insufficient_scope"),
            _ => Some("invalid_token"),
        }
    }

    /// The value of `WWW-Authenticate`.
    pub fn challenge(self, realm: &str) -> String {
        let realm = quoted(realm);
        match self.code() {
            None => format!("Bearer realm={realm}"),
            Some(code) => {
                format!("Bearer realm={realm}, error=\"{code}\", error_description=\"{self}\"")
            }
        }
    }
}

/// A quoted-string (RFC 9110 §5.6.4). What may not stand in one is left out.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars().filter(|c| matches!(c, ' '..='~')) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_rfc_6750_asks_for() {
        assert_eq!(Refusal::Missing.challenge("shop"), "Bearer realm=\"shop\"");
        assert_eq!(
            Refusal::Expired.challenge("a \"b\"\r\n\\"),
            "Bearer realm=\"a \\\"b\\\"\\\\\", error=\"invalid_token\", error_description=\"the token has expired\""
        );
        let seen = |refusal: Refusal| (refusal.status(), refusal.code());
        assert_eq!(seen(Refusal::Missing), (401, None));
        assert_eq!(seen(Refusal::Repeated), (400, Some("invalid_request")));
        assert_eq!(seen(Refusal::Insufficient), (403, Some("insufficient_scope")));
        assert_eq!(seen(Refusal::BadSignature), (401, Some("invalid_token")));
    }

    #[test]
    fn descriptions_keep_to_the_characters_allowed() {
        for refusal in [
            Refusal::Encoding("header"),
            Refusal::Json("payload", JsonFault::Duplicate),
            Refusal::Json("payload", JsonFault::Malformed),
            Refusal::Header("kid"),
            Refusal::BadClaim("exp"),
            Refusal::Segments,
            Refusal::BadAuthorization,
        ] {
            let text = refusal.to_string();
            assert!(text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{text}");
        }
    }
}
