//! Whose key it is where the route knows who has come: the verified subject, wherever its token stands.

use deepwater_auth::{Claims, TokenPlace};
use serde_json::Value;

use crate::guard::auth::token_of;
use crate::head::{Name, Request};

use super::digest::Digesting;

/// Whoever an `[auth]` lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verified {
    auth: Box<str>,
    /// None where a name and a password are asked for.
    place: Option<TokenPlace>,
}

impl Verified {
    /// By the `[auth]` of a name, whose token stands at a place.
    pub fn new(auth: &str, place: Option<&TokenPlace>) -> Self {
        Self { auth: auth.into(), place: place.cloned() }
    }

    /// Where the token stands, in words, if not in `Authorization`.
    pub fn elsewhere(&self) -> Option<String> {
        match self.place.as_ref()? {
            TokenPlace::Authorization => None,
            TokenPlace::Cookie(name) => Some(format!("the cookie `{name}`")),
            TokenPlace::Query(name) => Some(format!("the query's `{name}`")),
        }
    }

    /// Adds who has come: the subject, as its issuer calls it (RFC 7519 §4.1.2), so that a renewed token is the same
    /// client; the token where it names none; `Authorization` where nothing was proved and need not be.
    pub fn add_to(&self, digesting: &mut Digesting, request: &Request, claims: Option<&Claims>) {
        let Some(claims) = claims else {
            digesting.part(b"anybody");
            return digesting.list(request.fields.all_known(Name::Authorization));
        };
        digesting.part(self.auth.as_bytes());
        let told = |name: &str| claims.members().get(name).filter(|value| says_something(value));
        // As JSON: 7 is somebody else than "7".
        let json = |value: &Value| value.to_string().into_bytes();
        if let Some(subject) = told("sub") {
            digesting.part(b"subject");
            digesting.list(told("iss").map(json).as_deref().into_iter());
            return digesting.part(&json(subject));
        }
        digesting.part(b"token");
        // It was verified, so it can be found.
        let token = self.place.as_ref().and_then(|place| token_of(place, request).ok().flatten());
        digesting.list(token.into_iter());
    }
}

/// Whether a claim tells anybody from anybody else.
fn says_something(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idempotency::digest::Digest;

    /// What is found for claims and fields.
    fn digest(place: Option<&str>, fields: &[(&str, &str)], claims: Option<&Claims>) -> Digest {
        let place: Option<TokenPlace> = place.map(|place| place.parse().unwrap());
        let mut request = Request::default();
        request.set_target(b"/orders?t=of-query");
        request.fields.add_all(fields);
        let mut digesting = Digesting::new("test");
        Verified::new("users", place.as_ref()).add_to(&mut digesting, &request, claims);
        digesting.finish()
    }

    #[test]
    fn a_subject_is_the_same_with_every_token() {
        let (ann, bob) = (Claims::of_user("ann"), Claims::of_user("bob"));
        let [one, two] = [[("Cookie", "jwt=1")], [("Cookie", "jwt=2")]];
        let at = Some("cookie:jwt");
        assert_eq!(digest(at, &one, Some(&ann)), digest(at, &two, Some(&ann)));
        assert_ne!(digest(at, &one, Some(&ann)), digest(at, &one, Some(&bob)));
        assert_ne!(digest(at, &one, Some(&ann)), digest(at, &one, None));
        let [basic, none] = [[("Authorization", "Basic a")], [("Authorization", "")]];
        assert_eq!(digest(None, &basic, Some(&ann)), digest(None, &none, Some(&ann)));
        assert_ne!(digest(at, &basic, None), digest(at, &none, None), "who proves nothing");
    }
}
