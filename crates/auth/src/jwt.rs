//! The compact form of a signed token (RFC 7515 §7.1), read strictly. The payload stays closed until the signature holds.

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::json;
use crate::refusal::Refusal;

/// A token whose header has been read; nothing in it is believed yet.
///
/// Of the header only `alg`, `kid` and `typ` are ever looked at. Keys it brings along or points to (`jwk`, `jku`, `x5u`,
/// `x5c`) are not, whatever they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'t> {
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
    signed: &'t [u8],
    payload: &'t [u8],
    signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// Longest token unless the configuration says otherwise, bytes.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// Reads a token of at most `max_bytes`.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn parse(text: &'t [u8], max_bytes: usize) -> Result<Self, Refusal> {
        if text.len() > max_bytes {
            return Err(Refusal::TooLong);
        }
        let mut segments = text.split(|byte| *byte == b'.');
        let (header, payload, signature) = match (segments.next(), segments.next(), segments.next()) {
            (Some(header), Some(payload), Some(signature)) => (header, payload, signature),
            _ => return Err(Refusal::Segments),
        };
        match segments.count() {
            0 => {}
            2 => return Err(Refusal::Encrypted),
            _ => return Err(Refusal::Segments),
        }
        let parameters = base64url::decode(header).ok_or(Refusal::Encoding("header"))?;
        let parameters = json::object(&parameters).map_err(|fault| Refusal::Json("header", fault))?;
        let algorithm = algorithm(&parameters)?;
        if parameters.contains_key("b64") {
            return Err(Refusal::Unencoded);
        }
        if parameters.contains_key("crit") {
            return Err(Refusal::Critical);
        }
        if payload.is_empty() || signature.is_empty() {
            return Err(Refusal::Segments);
        }
        Ok(Self {
            algorithm,
            kid: text_of(&parameters, "kid")?,
            typ: text_of(&parameters, "typ")?,
            signed: &text[..header.len() + 1 + payload.len()],
            payload,
            signature: base64url::decode(signature).ok_or(Refusal::Encoding("signature"))?,
        })
    }

    /// How it claims to be signed. Which algorithms a key is for, only the key says.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that it claims has signed it.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether `typ` is this media type; `application/` may be left out, and case does not count (RFC 7515 §4.1.9).
    pub fn is_of_type(&self, wanted: &str) -> bool {
        let short = |typ: &str| {
            let lower = typ.to_ascii_lowercase();
            lower.strip_prefix("application/").map(str::to_owned).unwrap_or(lower)
        };
        self.typ.as_deref().is_some_and(|typ| short(typ) == short(wanted))
    }

    pub(crate) const fn signed(&self) -> &'t [u8] {
        self.signed
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The claims. To be asked for only when the signature holds.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, Refusal> {
        let payload = base64url::decode(self.payload).ok_or(Refusal::Encoding("payload"))?;
        json::object(&payload).map_err(|fault| Refusal::Json("payload", fault))
    }
}

fn algorithm(parameters: &Map<String, Value>) -> Result<Algorithm, Refusal> {
    let name = parameters.get("alg").and_then(Value::as_str).ok_or(Refusal::Header("alg"))?;
    if name.eq_ignore_ascii_case("none") {
        return Err(Refusal::Unsigned);
    }
    Algorithm::named(name).ok_or(Refusal::UnknownAlgorithm)
}

fn text_of(parameters: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Refusal> {
    match parameters.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::Header(name)),
    }
}
