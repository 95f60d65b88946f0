//! The steps of authentication a server asks for.

use super::super::Malformed;
use super::super::read::Reader;

/// A step of authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// The client is who it says.
    Ok,
    /// The password is asked for as it is.
    CleartextPassword,
    /// The password is asked for, hashed with this salt.
    Md5 {
        /// New for each connection.
        salt: [u8; 4],
    },
    /// A mechanism of SASL must be chosen.
    Sasl {
        /// Those on offer, the server's favourite first.
        mechanisms: Vec<&'a str>,
    },
    /// The next challenge of SASL.
    SaslContinue(&'a [u8]),
    /// The server's last word of SASL; [`Authentication::Ok`] follows.
    SaslFinal(&'a [u8]),
    /// A method that is not spoken here (Kerberos, GSSAPI, SSPI, …).
    Other(u32),
}

/// The numbers on the wire.
pub(super) mod code {
    pub(crate) const OK: u32 = 0;
    pub(crate) const CLEARTEXT_PASSWORD: u32 = 3;
    pub(crate) const MD5: u32 = 5;
    pub(crate) const SASL: u32 = 10;
    pub(crate) const SASL_CONTINUE: u32 = 11;
    pub(crate) const SASL_FINAL: u32 = 12;
}

impl<'a> Authentication<'a> {
    /// Reads the payload of a [`super::AUTHENTICATION`].
    ///
    /// # Errors
    /// When it is not laid out as one.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let step = match reader.u32()? {
            code::OK => Self::Ok,
            code::CLEARTEXT_PASSWORD => Self::CleartextPassword,
            code::MD5 => Self::Md5 { salt: reader.array()? },
            code::SASL => Self::Sasl { mechanisms: mechanisms(&mut reader)? },
            code::SASL_CONTINUE => return Ok(Self::SaslContinue(reader.rest())),
            code::SASL_FINAL => return Ok(Self::SaslFinal(reader.rest())),
            other => return Ok(Self::Other(other)),
        };
        reader.end()?;
        Ok(step)
    }
}

/// Names up to an empty one.
fn mechanisms<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a str>, Malformed> {
    let mut mechanisms = Vec::new();
    loop {
        match reader.text()? {
            "" => return Ok(mechanisms),
            name => mechanisms.push(name),
        }
    }
}
