//! Why an exchange of SCRAM failed.

/// Why an exchange of SCRAM failed. None of it holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message that is not of its form.
    #[error("malformed SCRAM message ({0})")]
    Malformed(&'static str),
    /// A message, nonce or salt beyond what is read.
    #[error("SCRAM {0} is too long")]
    TooLong(&'static str),
    /// A mechanism that was not offered, or an offer without one that is spoken here.
    #[error("no SASL mechanism in common")]
    Mechanism,
    /// The client takes the server for one that cannot bind the channel, though it offered to: someone between them
    /// may have struck the offer out.
    #[error("SCRAM channel binding negotiation error: the client thinks the server does not support it")]
    Downgrade,
    /// Channel binding that does not fit the mechanism or is of another type.
    #[error("unsupported SCRAM channel binding")]
    ChannelBinding,
    /// The client is bound to another channel: someone sits between.
    #[error("SCRAM channel binding check failed")]
    OtherChannel,
    /// The client wants to act for another user.
    #[error("client uses authorization identity, but it is not supported")]
    AuthorizationIdentity,
    /// An extension that the peer says must be understood.
    #[error("peer requires an unsupported SCRAM extension")]
    Extension,
    /// A nonce that does not continue the one that was sent.
    #[error("SCRAM nonce does not match")]
    Nonce,
    /// No iterations, or more than are done.
    #[error("SCRAM iteration count {0} is out of range")]
    Iterations(u32),
    /// The keys at hand belong to another salt or iteration count than the server's: to another secret.
    #[error("the server's SCRAM secret is not the one at hand")]
    OtherSecret,
    /// The client does not know the password.
    #[error("password authentication failed")]
    Proof,
    /// The server does not know the password: it is not the one it claims to be.
    #[error("incorrect SCRAM server signature")]
    Signature,
    /// The server refused, with its word for why (RFC 5802 §7, `server-error-value`).
    #[error("server refused SCRAM authentication: {0}")]
    Refused(String),
    /// A step out of its turn.
    #[error("SCRAM message out of order")]
    Order,
}
