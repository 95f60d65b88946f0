//! Where a target is: as configured, and as dialled.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// What is dialled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// A Unix domain socket.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A target's address as it is configured: `127.0.0.1:3000`, `[::1]:3000`, `app.internal:3000` or
/// `unix:/run/app.sock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Usable as it stands.
    Fixed(Endpoint),
    /// A name to resolve, all of whose addresses are used.
    Name {
        /// The host, without the port.
        host: String,
        /// The port.
        port: u16,
    },
}

/// What a text without a port was probably meant to be: a number alone is a port.
fn with_port(text: &str) -> String {
    if text.parse::<u16>().is_ok() { format!("127.0.0.1:{text}") } else { format!("{text}:80") }
}

/// Why a text is not the address of a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No port.
    #[error("`{0}` has no port: write it as host:port, such as \"{example}\"", example = with_port(.0))]
    PortMissing(String),
    /// The port is not a number from 1 to 65535.
    #[error("`{1}` is not a port in `{0}`: write a number from 1 to 65535")]
    PortInvalid(String, String),
    /// The host is neither an IP address nor a name DNS could know.
    #[error("`{1}` is not a host in `{0}`: write an IP address (IPv6 in brackets) or a DNS name")]
    HostInvalid(String, String),
    /// A Unix socket without an absolute path.
    #[error("`{0}` has no absolute path: write it as \"unix:/run/app.sock\"")]
    PathInvalid(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Self::Fixed(Endpoint::Unix(path.into())))
            } else {
                Err(AddressError::PathInvalid(text.to_owned()))
            };
        }
        let after_brackets = text.rfind(']').map_or(0, |bracket| bracket + 1);
        let Some(colon) = text[after_brackets..].rfind(':').map(|colon| colon + after_brackets) else {
            return Err(AddressError::PortMissing(text.to_owned()));
        };
        let (host, port) = (&text[..colon], &text[colon + 1..]);
        let port_number = port
            .parse::<u16>()
            .ok()
            .filter(|number| *number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| AddressError::PortInvalid(text.to_owned(), port.to_owned()))?;
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Fixed(Endpoint::Tcp(address)));
        }
        if is_name(host) {
            Ok(Self::Name { host: host.to_owned(), port: port_number })
        } else {
            Err(AddressError::HostInvalid(text.to_owned(), host.to_owned()))
        }
    }
}

/// Letters, digits, hyphens and (seen in private zones) underscores, in labels of at most 63 octets
/// (RFC 1123 §2.1). A last label of digits is a mistyped IPv4 address.
fn is_name(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host);
    let label_is_valid = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last_is_number =
        labels.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    labels.len() <= 253 && labels.split('.').all(label_is_valid) && !last_is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_four_forms() {
        for text in ["127.0.0.1:3000", "[::1]:3000"] {
            assert_eq!(text.parse(), Ok(Address::Fixed(Endpoint::Tcp(text.parse().unwrap()))));
        }
        assert_eq!("unix:/run/app.sock".parse(), Ok(Address::Fixed(Endpoint::Unix("/run/app.sock".into()))));
        for host in ["localhost", "app.internal", "app_1", "example.com.", "0a.b"] {
            let named = Address::Name { host: host.into(), port: 80 };
            assert_eq!(format!("{host}:80").parse(), Ok(named));
        }
    }

    #[test]
    fn refuses_the_rest_and_says_what_to_write() {
        for (text, says) in [
            ("app", "host:port"),
            ("[::1]", "host:port"),
            ("app:", "not a port"),
            ("app:0", "not a port"),
            ("app:+80", "not a port"),
            ("app:65536", "not a port"),
            ("::1:80", "IPv6 in brackets"),
            ("127.0.0.300:80", "not a host"),
            ("http://app:80", "not a host"),
            (":80", "not a host"),
            ("-a:80", "not a host"),
            ("a..b:80", "not a host"),
            ("unix:app.sock", "absolute path"),
        ] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
