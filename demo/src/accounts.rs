//! Who may sign in, and the tokens that prove it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

const ISSUER: &str = "shop";
/// How long a token is good for.
pub(crate) const TOKEN_LIFETIME_SECONDS: u64 = 3600;

/// The sample customers. Their passwords stand here in clear because they are part of the sample; an
/// application with customers of its own stores salted hashes.
static USERS: [User; 2] = [
    User { name: "ada", password: "lovelace", roles: &["customer"] },
    User { name: "grace", password: "hopper", roles: &["customer", "staff"] },
];

struct User {
    name: &'static str,
    password: &'static str,
    roles: &'static [&'static str],
}

/// What a token says (RFC 7519 §4.1). Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    pub(crate) iat: u64,
    pub(crate) exp: u64,
    pub(crate) iss: String,
    pub(crate) roles: Vec<String>,
}

/// Issues and verifies tokens with the shop's secret.
pub(crate) struct Accounts {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl Accounts {
    pub(crate) fn new(secret: &str) -> Self {
        // The library panics at its first use when the build holds several cryptography backends and none
        // was named. When another part of the process has already named one, that one serves as well.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.leeway = 0;
        Self {
            signing: EncodingKey::from_secret(secret.as_bytes()),
            verifying: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        }
    }

    /// A token for the user, valid from `now` (Unix seconds); `None` when name and password do not match.
    pub(crate) fn sign_in(&self, name: &str, password: &str, now: u64) -> Option<String> {
        let user = USERS.iter().find(|user| user.name == name)?;
        verify_slices_are_equal(user.password.as_bytes(), password.as_bytes()).ok()?;
        let claims = Claims {
            sub: user.name.to_owned(),
            iat: now,
            exp: now + TOKEN_LIFETIME_SECONDS,
            iss: ISSUER.to_owned(),
            roles: user.roles.iter().map(|&role| role.to_owned()).collect(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing).ok()
    }

    /// The claims of a token this shop issued and that has not expired.
    pub(crate) fn verify(&self, token: &str) -> Option<Claims> {
        let token = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation).ok()?;
        Some(token.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::unix_seconds;

    #[test]
    fn a_token_carries_its_claims_between_instances_of_one_shop() {
        let (here, there) = (Accounts::new("secret"), Accounts::new("secret"));
        let now = unix_seconds();
        let token = here.sign_in("grace", "hopper", now).unwrap();
        let claims = there.verify(&token).unwrap();
        assert_eq!(claims.sub, "grace");
        assert_eq!(claims.iss, "shop");
        assert_eq!(claims.exp, now + TOKEN_LIFETIME_SECONDS);
        assert_eq!(claims.roles, ["customer", "staff"]);
    }

    #[test]
    fn what_the_shop_did_not_issue_is_refused() {
        let accounts = Accounts::new("secret");
        let now = unix_seconds();
        assert_eq!(accounts.sign_in("ada", "wrong", now), None);
        assert_eq!(accounts.sign_in("nobody", "lovelace", now), None);

        let foreign = Accounts::new("another secret").sign_in("ada", "lovelace", now).unwrap();
        assert_eq!(accounts.verify(&foreign), None);
        let expired = accounts.sign_in("ada", "lovelace", now - 2 * TOKEN_LIFETIME_SECONDS).unwrap();
        assert_eq!(accounts.verify(&expired), None);
        // {"alg":"none"} and no signature (RFC 8725 §2.1).
        assert_eq!(accounts.verify("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."), None);
    }
}
