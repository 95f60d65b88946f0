//! The client's side.

use std::num::NonZeroU32;

use base64::Engine as _;

use super::keys::{hmac, prove};
use super::message::{Attributes, key, number};
use super::{BASE64, Key, Keys, MAX_ITERATIONS, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramError};
use crate::auth::equal;

/// The user's place in the first message stays empty: PostgreSQL takes the one of the startup packet.
const BARE_START: &str = "n=,r=";

/// What proves who the client is.
#[derive(Clone)]
pub enum Credential {
    /// The password, in whatever encoding.
    Password(Vec<u8>),
    /// What an earlier login left, the client's to us ([`super::Accepted`]) or ours to the server ([`Client::keys`]).
    Keys(Keys),
}

/// Only of which kind.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::Keys(_) => "Keys",
        })
    }
}

/// The client's side of a login.
#[derive(Debug)]
pub struct Client {
    credential: Credential,
    nonce: String,
    mechanism: &'static str,
    /// The header of the first message.
    header: &'static str,
    /// The hash of the server's certificate where the channel is bound.
    certificate: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    Answered { keys: Keys, signature: Signature },
}

struct Signature(Key);

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signature")
    }
}

impl Client {
    /// A login with a nonce of this login's own ([`super::nonce`]), to a server that offers these mechanisms. On an
    /// encrypted connection the hash of the server's certificate (`tls-server-end-point`, RFC 5929 §4.1) binds the
    /// channel if the server can; without it, the channel is not bound. Whether it was, [`Self::mechanism`] tells.
    ///
    /// # Errors
    /// [`ScramError::Mechanism`].
    pub fn new(
        credential: Credential,
        nonce: &str,
        offered: &[&str],
        certificate_hash: Option<&[u8]>,
    ) -> Result<Self, ScramError> {
        let (mechanism, header, certificate) = match certificate_hash {
            Some(hash) if offered.contains(&SCRAM_SHA_256_PLUS) => {
                (SCRAM_SHA_256_PLUS, "p=tls-server-end-point,,", hash)
            }
            _ if !offered.contains(&SCRAM_SHA_256) => return Err(ScramError::Mechanism),
            // "I could, but you cannot": a server that can sees that its offer was struck out.
            Some(_) => (SCRAM_SHA_256, "y,,", &[][..]),
            None => (SCRAM_SHA_256, "n,,", &[][..]),
        };
        let (nonce, certificate) = (nonce.to_owned(), certificate.to_vec());
        Ok(Self { credential, nonce, mechanism, header, certificate, state: State::Start })
    }

    /// The mechanism chosen.
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        self.mechanism
    }

    /// The client's first message.
    #[must_use]
    pub fn first(&self) -> String {
        format!("{}{BARE_START}{}", self.header, self.nonce)
    }

    /// Takes the server's first message, gives the client's last. With a password, this takes the time the server's
    /// iterations ask for.
    ///
    /// # Errors
    /// When it is malformed, [`ScramError::Nonce`], [`ScramError::Iterations`], or [`ScramError::OtherSecret`] when the
    /// keys at hand are not of the server's secret.
    pub fn answer(&mut self, server_first: &[u8]) -> Result<String, ScramError> {
        if !matches!(self.state, State::Start) {
            return Err(ScramError::Order);
        }
        let mut attributes = Attributes::new(server_first)?;
        let nonce = attributes.nonce()?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::Nonce);
        }
        let salt = attributes.salt()?;
        let iterations =
            number(attributes.value(b'i')?).ok_or(ScramError::Malformed("invalid iteration count"))?;
        attributes.extensions()?;

        let binding = BASE64.encode([self.header.as_bytes(), &self.certificate].concat());
        let unproved = format!("c={binding},r={nonce}");
        let said =
            [BARE_START.as_bytes(), self.nonce.as_bytes(), b",", server_first, b",", unproved.as_bytes()];
        let said = said.concat();
        let keys = self.derive(&salt, iterations)?;
        let proof = BASE64.encode(prove(&keys.client_key, &said));
        let signature = Signature(hmac(&keys.server_key, &said));
        self.state = State::Answered { keys, signature };
        Ok(format!("{unproved},p={proof}"))
    }

    fn derive(&self, salt: &[u8], iterations: u32) -> Result<Keys, ScramError> {
        let in_range = NonZeroU32::new(iterations).filter(|n| n.get() <= MAX_ITERATIONS);
        let in_range = in_range.ok_or(ScramError::Iterations(iterations))?;
        match &self.credential {
            Credential::Password(password) => Ok(Keys::derive(password, salt, in_range)),
            Credential::Keys(keys) if keys.salt == salt && keys.iterations == iterations => Ok(keys.clone()),
            Credential::Keys(_) => Err(ScramError::OtherSecret),
        }
    }

    /// Takes the server's last message: without it, anyone could have sent the rest.
    ///
    /// # Errors
    /// When it is malformed, [`ScramError::Refused`] by the server, or [`ScramError::Signature`].
    pub fn verify(&mut self, server_final: &[u8]) -> Result<(), ScramError> {
        let State::Answered { signature, .. } = &self.state else { return Err(ScramError::Order) };
        let mut attributes = Attributes::new(server_final)?;
        if let Some(word) = server_final.strip_prefix(b"e=") {
            return Err(ScramError::Refused(String::from_utf8_lossy(word).escape_debug().to_string()));
        }
        let given = key(attributes.value(b'v')?).ok_or(ScramError::Malformed("invalid server signature"))?;
        attributes.extensions()?;
        if equal(&given, &signature.0) { Ok(()) } else { Err(ScramError::Signature) }
    }

    /// What the next login needs in place of the password, as long as the server's secret stays: after
    /// [`Self::answer`], and to be trusted after [`Self::verify`] only.
    #[must_use]
    pub fn keys(&self) -> Option<&Keys> {
        match &self.state {
            State::Start => None,
            State::Answered { keys, .. } => Some(keys),
        }
    }
}
