//! A token, keys and the time in; claims or the one reason against them out.

use serde_json::{Map, Value};

use crate::claims::{Claims, Requirements};
use crate::jwt::Token;
use crate::keys::KeySet;
use crate::refusal::Refusal;

/// The end of the year 9999. A later time is a mistake, most often of milliseconds for seconds.
const LATEST: u64 = 253_402_300_799;

/// What is asked of a token beyond a signature that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Longest token, bytes.
    pub max_bytes: usize,
    /// The media type that `typ` must be, such as `at+jwt`; none if it does not matter.
    pub typ: Option<String>,
    /// Who may have issued it; empty if that does not matter.
    pub issuers: Vec<String>,
    /// For whom it may be, one of these at least; empty if that does not matter.
    pub audiences: Vec<String>,
    /// How far the issuer's clock and ours may differ, seconds.
    pub leeway: u64,
    /// Whether it must expire.
    pub require_exp: bool,
    /// What its claims must say.
    pub requirements: Requirements,
}

impl Policy {
    /// Asks whether a token holds at a time: Unix time in seconds.
    ///
    /// # Errors
    /// The first reason against it. [`Refusal::UnknownKid`] may be a sign that the keys are old.
    pub fn verify(&self, keys: &KeySet, token: &[u8], now: u64) -> Result<Claims, Refusal> {
        let token = Token::parse(token, self.max_bytes)?;
        if self.typ.as_deref().is_some_and(|wanted| !token.is_of_type(wanted)) {
            return Err(Refusal::WrongType);
        }
        keys.verify(&token)?;
        let members = token.claims()?;
        let expires = self.check_times(&members, now)?;
        self.check_parties(&members)?;
        let claims = Claims::new(members, expires);
        self.requirements.check(&claims)?;
        Ok(claims)
    }

    /// RFC 7519 §4.1.4 to §4.1.6. When it expires.
    fn check_times(&self, claims: &Map<String, Value>, now: u64) -> Result<Option<u64>, Refusal> {
        let expires = time(claims, "exp")?;
        let not_before = time(claims, "nbf")?;
        let issued = time(claims, "iat")?;
        match expires {
            None if self.require_exp => return Err(Refusal::NoExpiry),
            Some(expires) if now >= expires.saturating_add(self.leeway) => return Err(Refusal::Expired),
            _ => {}
        }
        let horizon = now.saturating_add(self.leeway);
        if not_before.is_some_and(|not_before| not_before > horizon) {
            return Err(Refusal::NotYet);
        }
        if issued.is_some_and(|issued| issued > horizon) {
            return Err(Refusal::FromFuture);
        }
        Ok(expires)
    }

    /// RFC 7519 §4.1.1 and §4.1.3. Both are of the right type, whether they matter or not.
    fn check_parties(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        let issuer = match claims.get("iss") {
            None => None,
            Some(Value::String(issuer)) => Some(issuer),
            Some(_) => return Err(Refusal::BadClaim("iss")),
        };
        if !self.issuers.is_empty() && !issuer.is_some_and(|issuer| self.issuers.contains(issuer)) {
            return Err(Refusal::WrongIssuer);
        }
        let audience = match claims.get("aud") {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => {
                let several: Option<Vec<&str>> = several.iter().map(Value::as_str).collect();
                several.ok_or(Refusal::BadClaim("aud"))?
            }
            Some(_) => return Err(Refusal::BadClaim("aud")),
        };
        let for_us = |audience: &&str| self.audiences.iter().any(|ours| ours == audience);
        if !self.audiences.is_empty() && !audience.iter().any(for_us) {
            return Err(Refusal::WrongAudience);
        }
        Ok(())
    }
}

/// A NumericDate (RFC 7519 §2), whole seconds only: text, fractions, negative and absurd times are refused rather than
/// taken for absent or rounded.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<u64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(seconds) if seconds <= LATEST => Ok(Some(seconds)),
            _ => Err(Refusal::BadClaim(name)),
        },
    }
}
