//! Where a PostgreSQL server is: `postgres://user@host:5432/database`.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::ServerTlsMode;

pub use parse::UrlError;
pub(crate) use parse::host;

/// The port of a server whose URL names none.
pub const DEFAULT_PORT: u16 = 5432;

const REDACTED: &str = "<redacted>";

/// A server, or several that hold the same data, as libpq's connection URIs name them. Prints, serialises and debugs
/// with `<redacted>` in place of the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// Where it listens; never empty when parsed.
    pub hosts: Vec<Host>,
    /// The user to log in as; by default each client's own.
    pub user: Option<String>,
    /// Its password, in clear.
    pub password: Option<String>,
    /// The database; by default the one the client asks for.
    pub database: Option<String>,
    /// What TLS is asked of the server; by default what `server_tls` says.
    pub sslmode: Option<ServerTlsMode>,
    /// Initial `application_name`.
    pub application_name: Option<String>,
}

/// One place where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name or address, IPv6 without brackets, and a port.
    Tcp {
        /// DNS name or IP address.
        name: String,
        /// Port.
        port: u16,
    },
    /// The socket `.s.PGSQL.<port>` in a directory; one that starts with `@` is in Linux' abstract namespace.
    Unix {
        /// Absolute path of the directory.
        directory: String,
        /// The number in the socket's name.
        port: u16,
    },
}

impl ServerUrl {
    /// A server at these places, nothing else said.
    pub fn at(hosts: Vec<Host>) -> Self {
        Self { hosts, user: None, password: None, database: None, sslmode: None, application_name: None }
    }
}

impl Host {
    /// From a name, an address or (with `/` or `@` in front) a directory.
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        let name = name.into();
        if name.starts_with(['/', '@']) {
            Self::Unix { directory: name, port }
        } else {
            Self::Tcp { name, port }
        }
    }

    /// The port, or the number in the socket's name.
    pub const fn port(&self) -> u16 {
        match self {
            Self::Tcp { port, .. } | Self::Unix { port, .. } => *port,
        }
    }
}

impl fmt::Display for Host {
    /// As in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { name, .. } if name.contains(':') => write!(f, "[{}]", Encoded(name, b":"))?,
            Self::Tcp { name, .. } => Encoded(name, b"").fmt(f)?,
            Self::Unix { directory, .. } => Encoded(directory, b"").fmt(f)?,
        }
        if self.port() == DEFAULT_PORT { Ok(()) } else { write!(f, ":{}", self.port()) }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = &self.user {
            Encoded(user, b"").fmt(f)?;
        }
        if self.password.is_some() {
            write!(f, ":{REDACTED}")?;
        }
        if self.user.is_some() || self.password.is_some() {
            f.write_str("@")?;
        }
        for (position, host) in self.hosts.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(f, "{comma}{host}")?;
        }
        if let Some(database) = &self.database {
            write!(f, "/{}", Encoded(database, b""))?;
        }
        let mut separator = '?';
        if let Some(sslmode) = self.sslmode {
            write!(f, "{separator}sslmode={}", parse::sslmode_name(sslmode))?;
            separator = '&';
        }
        if let Some(name) = &self.application_name {
            write!(f, "{separator}application_name={}", Encoded(name, b""))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Text with everything percent-encoded that could mean something in a URL, but for these bytes.
struct Encoded<'t>(&'t str, &'t [u8]);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            let plain = byte.is_ascii_alphanumeric() || b"-._~*".contains(&byte) || self.1.contains(&byte);
            if plain { write!(f, "{}", char::from(byte))? } else { write!(f, "%{byte:02X}")? }
        }
        Ok(())
    }
}

impl Serialize for ServerUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ServerUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = ServerUrl;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL such as \"postgres://app@127.0.0.1:5432/shop\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ServerUrl, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for ServerUrl {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ServerUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A PostgreSQL server: `postgres://[user[:password]@]host[:port][,host[:port]…][/database][?sslmode=…]`; \
                            a Unix socket as `postgres://%2Frun%2Fpostgresql/shop` or `postgres:///shop?host=/run/postgresql`.",
            "examples": ["postgres://app@127.0.0.1:5432/shop"],
        })
    }
}
