//! Why there is no connection to a server.

use std::time::Duration;

use deepwater_pgwire::message::backend::ErrorFields;

use crate::config::Host;
use crate::talk::TalkError;

/// Why there is no connection to a server, in one sentence without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ConnectError {
    code: Box<str>,
    message: String,
    /// Another host may do better.
    elsewhere: bool,
    /// They are the server's own words.
    said: bool,
}

impl ConnectError {
    /// The host cannot be reached.
    pub(super) fn unreachable(host: &Host, why: impl std::fmt::Display) -> Self {
        Self {
            code: "08001".into(),
            message: format!("cannot connect to {host}: {why}"),
            elsewhere: true,
            said: false,
        }
    }

    /// The host took too long.
    pub(super) fn late(host: &Host, limit: Duration) -> Self {
        // What is left of a longer limit: nobody cares for its nanoseconds.
        let limit = Duration::from_secs_f64((limit.as_secs_f64() * 1e3).round() / 1e3);
        Self::unreachable(host, format!("no connection within {limit:?}"))
    }

    /// The connection ended, or what came is not the protocol.
    pub(super) fn broken(why: impl Into<String>) -> Self {
        Self { code: "08006".into(), message: why.into(), elsewhere: true, said: false }
    }

    /// It cannot be done as configured.
    pub(super) fn config(why: impl Into<String>) -> Self {
        Self { code: "28000".into(), message: why.into(), elsewhere: false, said: false }
    }

    /// What the server says.
    pub(super) fn said(payload: &[u8]) -> Self {
        let fields = ErrorFields::new(payload);
        // Some servers and poolers leave the SQLSTATE out.
        let code = fields.code().unwrap_or("08006");
        let message = match fields.message().trim() {
            "" => "the server refused the connection and did not say why".to_owned(),
            said => said.to_owned(),
        };
        // It starts, stops or is full, which the next may not be.
        let elsewhere = matches!(code, "57P03" | "57P01" | "57P02" | "53300");
        Self { code: code.into(), message, elsewhere, said: true }
    }

    /// The SQLSTATE for the client that needed the connection.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The SQLSTATE for clients in PgBouncer's words: the server's, if it is one that a login can meet.
    pub(crate) fn told_code(&self) -> &'static str {
        const MET: [&str; 11] = [
            "0A000", "22023", "28000", "28P01", "3D000", "42501", "42704", "53300", "55000", "57P01", "57P03",
        ];
        let met = MET.iter().find(|code| self.said && ***code == *self.code);
        met.unwrap_or(&"08P01")
    }

    /// Whether there was no connection at all.
    pub(crate) fn is_unreachable(&self) -> bool {
        &*self.code == "08001"
    }

    pub(super) fn may_try_elsewhere(&self) -> bool {
        self.elsewhere
    }
}

impl From<TalkError> for ConnectError {
    fn from(error: TalkError) -> Self {
        Self::broken(format!("the server's connection broke while logging in: {error}"))
    }
}

impl From<std::io::Error> for ConnectError {
    fn from(error: std::io::Error) -> Self {
        TalkError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_in_digits_that_mean_something() {
        let host = Host::Tcp { name: "db".into(), port: 5_432 };
        let late = ConnectError::late(&host, Duration::from_nanos(14_999_997_927)).to_string();
        assert!(late.ends_with("no connection within 15s"), "{late}");
        assert!(ConnectError::late(&host, Duration::from_millis(50)).to_string().ends_with("within 50ms"));
    }

    #[test]
    fn a_servers_error_keeps_its_code_and_words() {
        let error = ConnectError::said(b"SFATAL\0C28P01\0Mno\0\0");
        assert_eq!((error.code(), error.to_string().as_str()), ("28P01", "no"));
        assert!(!error.may_try_elsewhere());
        assert_eq!(error.told_code(), "28P01");
        assert_eq!(ConnectError::said(b"SFATAL\0C99999\0Mno\0\0").told_code(), "08P01");
        assert_eq!(ConnectError::config("no").told_code(), "08P01");
        assert!(ConnectError::said(b"C53300\0Mfull\0\0").may_try_elsewhere());
    }

    #[test]
    fn an_error_without_code_or_words_is_an_error() {
        let error = ConnectError::said(b"SFATAL\0Mno\0\0");
        assert_eq!((error.code(), error.to_string().as_str()), ("08006", "no"));
        assert!(ConnectError::said(b"").to_string().contains("did not say why"));
    }
}
