//! What a user may write under `[auth.<name>]`. Types that were typed; [`crate::Plan`] makes them valid.

mod claims;

use std::collections::BTreeMap;

use deepwater_core::config::{Duration, Secret, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use claims::{ClaimRule, Contains, OneOrMany, Scalar};

use crate::algorithm::Algorithm;

/// One way to prove who one is. It has exactly one of `secret`, `pem`, `jwks` (tokens) and `passwords` (Basic).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// The secret that tokens are signed with (HS256 from 32 bytes, HS384 from 48, HS512 from 64). Its bytes are the key as
    /// they stand, not decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// PEM file with the public keys or certificates that tokens are verified with. Relative to the configuration file. Of
    /// a certificate only the key counts, not its dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
    /// JSON Web Key Set: an `https://` URL, which is fetched and kept fresh, or a file relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// Users and hashed passwords for Basic authentication: a file as `htpasswd -B` writes it, or a table of name and hash
    /// (bcrypt, Argon2id, SHA-crypt).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passwords: Option<Passwords>,
    /// Algorithms accepted, of those that the keys are for. Empty accepts all of these.
    pub algorithms: Vec<Algorithm>,
    /// Issuers (`iss`) accepted, one or several. Empty accepts any who has the key.
    pub issuer: OneOrMany,
    /// Audiences (`aud`), one or several, one of which a token must be for. Empty accepts tokens for anyone: then a token
    /// that the issuer made for another service passes too.
    pub audience: OneOrMany,
    /// How far the issuer's clock and ours may differ, up to 5 minutes. Clocks kept by NTP differ by far less than the
    /// default; what is added, a stolen or withdrawn token lives longer.
    pub leeway: Duration,
    /// Refuse tokens that never expire.
    pub require_exp: bool,
    /// Media type that tokens must bear in their header (`typ`), such as `at+jwt`, so that a token made for another purpose
    /// by the same issuer does not pass.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
    /// Where the token is: `authorization` (`Authorization: Bearer`), `cookie:NAME` or `query:NAME`.
    pub token: String,
    /// Longest token; longer ones are refused unread.
    pub max_token_size: Size,
    /// What claims must say, by path (`role`, `org.plan`): a value, a list of values one of which it must be, or
    /// `{ contains = "…" }`. Else 403.
    pub claims: BTreeMap<String, ClaimRule>,
    /// Claims that go to the origin as header fields: field and path, such as `"X-User" = "sub"`. The same fields from
    /// clients are removed. Values of lists are joined by commas; what could be misread is percent-encoded.
    pub headers: BTreeMap<String, String>,
    /// What clients are told they need to log in to. By default the name of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// How often a key set is fetched from its URL.
    pub refresh: Duration,
    /// After a fetch, how long no token with an unknown key causes another.
    pub cooldown: Duration,
    /// How old a key set may become while it cannot be fetched; then no token is accepted. It bounds for how long a
    /// withdrawn key is honoured.
    pub max_stale: Duration,
    /// For how long a verified token or password is remembered, at most until it expires. 0 remembers none.
    pub cache_ttl: Duration,
    /// Memory for verified tokens, of each worker. 0 remembers none.
    pub cache_size: Size,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            secret: None,
            pem: None,
            jwks: None,
            passwords: None,
            algorithms: Vec::new(),
            issuer: OneOrMany::default(),
            audience: OneOrMany::default(),
            leeway: Duration::from_secs(10),
            require_exp: true,
            typ: None,
            token: "authorization".into(),
            max_token_size: Size::from_kib(8),
            claims: BTreeMap::new(),
            headers: BTreeMap::new(),
            realm: None,
            refresh: Duration::from_secs(600),
            cooldown: Duration::from_secs(30),
            max_stale: Duration::from_secs(3_600),
            cache_ttl: Duration::from_secs(300),
            cache_size: Size::from_mib(8),
        }
    }
}

/// Where users and their hashed passwords stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Passwords {
    /// A file of lines `name:hash`.
    File(String),
    /// Name and hash.
    Table(BTreeMap<String, Secret>),
}

/// Which client addresses may pass. The longest prefix that holds an address decides; where both lists have it, it is
/// denied; what is on neither passes unless `allow` has an entry.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Addresses {
    /// Networks (`10.0.0.0/8`) or addresses that pass.
    pub allow: Vec<String>,
    /// Networks or addresses that do not.
    pub deny: Vec<String>,
}
