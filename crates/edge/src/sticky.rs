//! Cookies that remember a target.
//!
//! The value is a keyed hash of the target's identity: it names no address, cannot be made up, and is the same on
//! every core, after a reload and on every node with the same secret.

use std::cell::RefCell;
use std::collections::HashMap;

use aws_lc_rs::hmac;
use deepwater_upstream::{Pool, TargetId};

use crate::config::{SameSite, Sticky as Settings};
use crate::head::{Fields, Name};

/// A token: 128 bits of HMAC-SHA-256, in hexadecimal digits.
type Token = [u8; 32];

/// How a pool's cookie is made.
pub(crate) struct StickyPlan {
    cookie: String,
    key: hmac::Key,
    attributes: String,
    always_secure: bool,
}

impl StickyPlan {
    /// A cookie with these settings, keyed by the secret.
    pub fn new(settings: &Settings, secret: &[u8]) -> Self {
        let mut attributes = String::from("; Path=/; HttpOnly; SameSite=");
        attributes.push_str(match settings.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
            SameSite::None => "None",
        });
        if let Some(age) = settings.max_age {
            attributes.push_str("; Max-Age=");
            attributes.push_str(&age.get().as_secs().to_string());
        }
        Self {
            cookie: settings.cookie.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
            attributes,
            always_secure: settings.secure || settings.same_site == SameSite::None,
        }
    }

    /// The token in the request's cookies, if there is one of the right form.
    pub fn token(&self, fields: &Fields) -> Option<Token> {
        cookie(fields, self.cookie.as_bytes())?.try_into().ok()
    }

    /// Gives the client a cookie for a target.
    pub fn set(&self, fields: &mut Fields, id: TargetId, secure: bool) {
        let mut value = Vec::with_capacity(128);
        value.extend_from_slice(self.cookie.as_bytes());
        value.push(b'=');
        value.extend_from_slice(&self.token_of(id));
        value.extend_from_slice(self.attributes.as_bytes());
        if secure || self.always_secure {
            value.extend_from_slice(b"; Secure");
        }
        fields.add_known(Name::SetCookie, &value);
    }

    fn token_of(&self, id: TargetId) -> Token {
        let tag = hmac::sign(&self.key, &id.get().to_be_bytes());
        let mut token = [0; 32];
        for (digits, byte) in token.chunks_exact_mut(2).zip(tag.as_ref()) {
            digits[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
            digits[1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        token
    }
}

/// The tokens of a pool's targets, as one core has met them.
#[derive(Default)]
pub(crate) struct Tokens {
    known: RefCell<HashMap<Token, TargetId>>,
}

/// Tokens remembered before starting over: targets come and go.
const MOST_TOKENS: usize = 4_096;

impl Tokens {
    /// The target of a token; none for a token of a target that is no longer there, or of nobody's making.
    pub fn target(&self, plan: &StickyPlan, pool: &Pool, token: &Token) -> Option<TargetId> {
        let mut known = self.known.borrow_mut();
        if let Some(id) = known.get(token) {
            return Some(*id);
        }
        let targets = pool.targets();
        if known.len() + targets.len() > MOST_TOKENS {
            known.clear();
        }
        for target in targets {
            // Only targets not met before cost a hash: made-up cookies are cheap to refuse.
            if !known.values().any(|id| *id == target.id) {
                known.insert(plan.token_of(target.id), target.id);
            }
        }
        known.get(token).copied()
    }
}

/// The value of a cookie (RFC 6265 §5.4).
pub(crate) fn cookie<'a>(fields: &'a Fields, name: &[u8]) -> Option<&'a [u8]> {
    fields.all_known(Name::Cookie).flat_map(|value| value.split(|b| *b == b';')).find_map(|pair| {
        let pair = pair.trim_ascii();
        pair.strip_prefix(name)?.strip_prefix(b"=")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepwater_core::{Context, Events};
    use deepwater_upstream::PoolSpec;

    fn settings() -> Settings {
        Settings { cookie: "lb".into(), secret: None, same_site: SameSite::Lax, max_age: None, secure: false }
    }

    fn set_cookie(plan: &StickyPlan, id: TargetId) -> String {
        let mut fields = Fields::default();
        plan.set(&mut fields, id, true);
        String::from_utf8(fields.get_known(Name::SetCookie).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_cookie_finds_its_target_again_whoever_reads_it() {
        let context = Context::new(1, Events::silent());
        let pool = Pool::new(PoolSpec::new("app", ["127.0.0.1:1", "127.0.0.1:2"]), &context);
        let target = pool.targets()[1].id;
        let line = set_cookie(&StickyPlan::new(&settings(), b"secret"), target);
        assert!(line.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{line}");

        let mut fields = Fields::default();
        fields.add(b"Cookie", format!("a=b; {}", line.split(';').next().unwrap()).as_bytes());
        let (other_node, tokens) = (StickyPlan::new(&settings(), b"secret"), Tokens::default());
        let token = other_node.token(&fields).unwrap();
        assert_eq!(tokens.target(&other_node, &pool, &token), Some(target));

        let stranger = StickyPlan::new(&settings(), b"another secret");
        assert_eq!(Tokens::default().target(&stranger, &pool, &token), None);
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut fields = Fields::default();
        fields.add(b"cookie", b"xlb=1; lb=2;lbx=3");
        assert_eq!(cookie(&fields, b"lb"), Some(&b"2"[..]));
        assert_eq!(cookie(&fields, b"b"), None);
    }
}
