//! The server's side.

use base64::Engine as _;

use super::keys::{hmac, proved};
use super::message::Attributes;
use super::{BASE64, Keys, MAX_NONCE_BYTES, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramError, ScramSecret};
use crate::auth::equal;

/// The type of channel binding spoken here (RFC 5929 §4).
const BINDING: &[u8] = b"p=tls-server-end-point";

/// The server's side of a login.
#[derive(Debug)]
pub struct Server {
    secret: ScramSecret,
    nonce: String,
    /// The hash of the server's certificate, if the channel can be bound.
    certificate: Option<Vec<u8>>,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    Asked {
        /// The client's nonce and the server's.
        nonce: String,
        /// What the client says once more in its last message: the header and the channel's data.
        binding: Vec<u8>,
        /// The client's first message without its header, a comma, the server's first message.
        said: String,
    },
    Over,
}

/// A client that proved to know the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The server's last message.
    pub server_final: String,
    /// What logs in as the client wherever the same secret is stored: the client key is within its proof.
    pub keys: Keys,
}

impl Server {
    /// A login against a secret, with a nonce of this login's own ([`super::nonce`]). Given the hash of the server's
    /// certificate (`tls-server-end-point`, RFC 5929 §4.1) it accepts SCRAM-SHA-256-PLUS, which must then be offered
    /// ([`super::mechanisms`]).
    #[must_use]
    pub fn new(secret: ScramSecret, nonce: &str, certificate_hash: Option<&[u8]>) -> Self {
        let certificate = certificate_hash.map(<[u8]>::to_vec);
        Self { secret, nonce: nonce.to_owned(), certificate, state: State::Start }
    }

    /// Takes the client's first message, gives the server's.
    ///
    /// # Errors
    /// When it is malformed or asks for what is not offered; the login is over then.
    pub fn first(&mut self, mechanism: &str, client_first: &[u8]) -> Result<String, ScramError> {
        if !matches!(std::mem::replace(&mut self.state, State::Over), State::Start) {
            return Err(ScramError::Order);
        }
        let mut attributes = Attributes::new(client_first)?;
        let flag = attributes.part()?;
        let bound = self.binding(mechanism, flag)?;
        match attributes.part()? {
            b"" => {}
            [b'a', b'=', ..] => return Err(ScramError::AuthorizationIdentity),
            _ => return Err(ScramError::Malformed("invalid header")),
        }
        let bare = attributes.rest();
        // The user is the one of the startup packet, as in PostgreSQL.
        attributes.value(b'n')?;
        let client_nonce = attributes.nonce()?;
        attributes.extensions()?;
        if client_nonce.len() + self.nonce.len() > MAX_NONCE_BYTES {
            return Err(ScramError::TooLong("nonce"));
        }
        let bare = std::str::from_utf8(bare).map_err(|_| ScramError::Malformed("not UTF-8"))?;

        let nonce = format!("{client_nonce}{}", self.nonce);
        let salt = BASE64.encode(&self.secret.salt);
        let server_first = format!("r={nonce},s={salt},i={}", self.secret.iterations);
        let said = format!("{bare},{server_first}");
        self.state = State::Asked { nonce, binding: [flag, b",,", bound].concat(), said };
        Ok(server_first)
    }

    /// The data of the channel that a client with this mechanism and flag is bound to.
    fn binding(&self, mechanism: &str, flag: &[u8]) -> Result<&[u8], ScramError> {
        let plus = match (mechanism, &self.certificate) {
            (SCRAM_SHA_256, _) => None,
            (SCRAM_SHA_256_PLUS, Some(certificate)) => Some(certificate),
            _ => return Err(ScramError::Mechanism),
        };
        match (flag, plus) {
            (b"n", None) => Ok(&[]),
            (b"y", None) if self.certificate.is_some() => Err(ScramError::Downgrade),
            (b"y", None) => Ok(&[]),
            (BINDING, Some(certificate)) => Ok(certificate),
            (b"n" | b"y" | [b'p', b'=', ..], _) => Err(ScramError::ChannelBinding),
            _ => Err(ScramError::Malformed("invalid channel binding flag")),
        }
    }

    /// Takes the client's last message, gives the server's and what it learnt.
    ///
    /// # Errors
    /// When it is malformed, [`ScramError::Nonce`], [`ScramError::OtherChannel`], or [`ScramError::Proof`] when the
    /// password is wrong or there is no such user; the login is over then.
    pub fn last(&mut self, client_final: &[u8]) -> Result<Accepted, ScramError> {
        let State::Asked { nonce, binding, said } = std::mem::replace(&mut self.state, State::Over) else {
            return Err(ScramError::Order);
        };
        let mut attributes = Attributes::new(client_final)?;
        let given = BASE64.decode(attributes.value(b'c')?);
        if !equal(&given.map_err(|_| ScramError::Malformed("invalid channel binding"))?, &binding) {
            return Err(ScramError::OtherChannel);
        }
        if attributes.nonce()? != nonce {
            return Err(ScramError::Nonce);
        }
        let (proof, proof_start) = attributes.proof()?;

        let said = [said.as_bytes(), b",", &client_final[..proof_start]].concat();
        let client_key = proved(&self.secret.stored_key, &said, &proof).ok_or(ScramError::Proof)?;
        let ScramSecret { server_key, salt, iterations, .. } = &self.secret;
        Ok(Accepted {
            server_final: format!("v={}", BASE64.encode(hmac(server_key, &said))),
            keys: Keys {
                client_key,
                server_key: *server_key,
                salt: salt.clone(),
                iterations: iterations.get(),
            },
        })
    }
}
