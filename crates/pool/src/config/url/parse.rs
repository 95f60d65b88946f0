//! Reads a server's URL. Errors never quote what could be a piece of a password.

use std::net::Ipv6Addr;
use std::str::FromStr;

use super::{DEFAULT_PORT, Host, REDACTED, ServerUrl};
use crate::config::ServerTlsMode;

/// Why a text is not the URL of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It does not start as such a URL does.
    #[error("this is not the URL of a PostgreSQL server; write \"postgres://user@host:5432/database\"")]
    Scheme,
    /// The first `/` or `?` comes before an `@`.
    #[error(
        "`@` stands behind `/` or `?`; write those of a user or password as %2F and %3F, any other `@` as %40"
    )]
    Credentials,
    /// The password is the one that prints instead of it.
    #[error(
        "the password was redacted when this configuration was printed; leave it out of the URL and write \
         `password = \"env:NAME\"`"
    )]
    Redacted,
    /// A `%` that starts nothing.
    #[error("`%` is not followed by two hexadecimal digits in {0}; write the percent sign itself as %25")]
    Percent(&'static str),
    /// Decoded bytes that are not text, or hold a zero byte.
    #[error("{0} is not UTF-8 text without zero bytes")]
    Text(&'static str),
    /// No host.
    #[error(
        "the URL names no host; write \"postgres://127.0.0.1/database\", or for a Unix socket \
         \"postgres:///database?host=/run/postgresql\""
    )]
    HostMissing,
    /// Hosts in both places.
    #[error("the URL names hosts twice, before the path and as `?host=`; keep one")]
    HostTwice,
    /// Not a host.
    #[error(
        "`{0}` is not a host; write a DNS name, an IP address (IPv6 in brackets) or the directory of a Unix socket"
    )]
    Host(String),
    /// Not a port.
    #[error("`{0}` is not a port; write a number from 1 to 65535")]
    Port(String),
    /// Not one port, nor one for each host.
    #[error("the URL has {hosts} hosts and {ports} ports in `?port=`; give one port, or one for each host")]
    Ports {
        /// How many hosts.
        hosts: usize,
        /// How many ports.
        ports: usize,
    },
    /// The same thing said twice.
    #[error("`{0}` is given twice; keep one")]
    Twice(String),
    /// Not one of libpq's.
    #[error("`{0}` is no sslmode; known: disable, allow, prefer, require, verify-ca, verify-full")]
    Sslmode(String),
    /// A parameter libpq has, that is set elsewhere here.
    #[error("`{0}` does not go into the URL; {1}")]
    Elsewhere(String, &'static str),
    /// A parameter nobody has.
    #[error(
        "there is no parameter `{0}`; known: host, port, user, password, dbname, sslmode, application_name"
    )]
    Unknown(String),
}

const SSLMODES: [(&str, ServerTlsMode); 6] = [
    ("disable", ServerTlsMode::Disable),
    ("allow", ServerTlsMode::Allow),
    ("prefer", ServerTlsMode::Prefer),
    ("require", ServerTlsMode::Require),
    ("verify-ca", ServerTlsMode::VerifyCa),
    ("verify-full", ServerTlsMode::VerifyFull),
];

/// libpq's parameters that people bring along, and where they belong.
const ELSEWHERE: [(&str, &str); 12] = [
    ("hostaddr", "write the address as the host"),
    ("target_session_attrs", "write the URL of the primary, and nothing but replicas under `replicas`"),
    ("load_balance_hosts", "write `load_balance_hosts` beside it"),
    ("connect_timeout", "write `timeouts.server_connect` under [postgres]"),
    ("sslrootcert", "write `server_tls.ca` under [postgres]"),
    ("sslcert", "write `server_tls.cert` under [postgres]"),
    ("sslkey", "write `server_tls.key` under [postgres]"),
    ("client_encoding", "write `client_encoding` beside it"),
    ("options", "write the settings as a `connect_query` beside it"),
    ("keepalives", "write `tcp_keepalive` under [postgres]"),
    ("channel_binding", "channel binding is used whenever TLS and the server allow it"),
    ("passfile", "write `password = \"file:PATH\"` beside it"),
];

pub(super) fn sslmode_name(mode: ServerTlsMode) -> &'static str {
    SSLMODES.iter().find(|(_, known)| *known == mode).map_or("prefer", |(name, _)| name)
}

impl FromStr for ServerTlsMode {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let known = SSLMODES.iter().find(|(name, _)| *name == text);
        known.map(|(_, mode)| *mode).ok_or_else(|| UrlError::Sslmode(text.to_owned()))
    }
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.ok_or(UrlError::Scheme)?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // Else a piece of the password would be taken for the host, and quoted as a wrong one.
        if !authority.is_empty() && !authority.contains('@') && tail.contains('@') {
            return Err(UrlError::Credentials);
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));

        let mut url = Self::at(Vec::new());
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        };
        set(&mut url.user, "user", decode(user, "the user")?)?;
        if let Some(password) = password {
            url.set_password(password)?;
        }
        set(&mut url.database, "dbname", decode(path.strip_prefix('/').unwrap_or(path), "the database")?)?;
        let mut parameters = Parameters::default();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            parameters.read(&mut url, parameter)?;
        }
        url.hosts = parameters.hosts(hosts)?;
        Ok(url)
    }
}

impl ServerUrl {
    fn set_password(&mut self, encoded: &str) -> Result<(), UrlError> {
        if encoded == REDACTED {
            return Err(UrlError::Redacted);
        }
        set(&mut self.password, "password", decode(encoded, "the password")?)
    }
}

/// What follows `?` and concerns the hosts.
#[derive(Default)]
struct Parameters {
    host: Option<String>,
    port: Option<String>,
}

impl Parameters {
    fn read(&mut self, url: &mut ServerUrl, parameter: &str) -> Result<(), UrlError> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name == "password" {
            return url.set_password(value);
        }
        let name = decode(name, "the name of a parameter")?;
        let value = decode(value, "the value of a parameter")?;
        match name.as_str() {
            "host" => set(&mut self.host, "host", value),
            "port" => set(&mut self.port, "port", value),
            "user" => set(&mut url.user, "user", value),
            "dbname" => set(&mut url.database, "dbname", value),
            "application_name" => set(&mut url.application_name, "application_name", value),
            "sslmode" if url.sslmode.is_some() => Err(UrlError::Twice(name)),
            "sslmode" => {
                url.sslmode = Some(value.parse()?);
                Ok(())
            }
            _ => Err(match ELSEWHERE.iter().find(|(known, _)| *known == name) {
                Some((_, fix)) => UrlError::Elsewhere(name, fix),
                None => UrlError::Unknown(name),
            }),
        }
    }

    fn hosts(self, authority: &str) -> Result<Vec<Host>, UrlError> {
        let ports =
            self.port.as_deref().map(|ports| ports.split(',').map(port).collect::<Result<Vec<_>, _>>());
        let ports = ports.transpose()?.unwrap_or_else(|| vec![DEFAULT_PORT]);
        // `postgres://:5433/shop?host=/run/postgresql` has a port and no host there.
        let (names, in_authority) = match (&self.host, authority) {
            (Some(_), authority) if !authority.is_empty() => return Err(UrlError::HostTwice),
            (Some(hosts), _) => (hosts.split(',').collect::<Vec<_>>(), false),
            (None, "") => return Err(UrlError::HostMissing),
            (None, authority) => (authority.split(',').collect(), true),
        };
        if ports.len() != 1 && ports.len() != names.len() {
            return Err(UrlError::Ports { hosts: names.len(), ports: ports.len() });
        }
        let port_of =
            |position: usize| ports.get(position).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
        let hosts = names.iter().enumerate().map(|(position, name)| {
            if in_authority { host_and_port(name, port_of(position)) } else { host(name, port_of(position)) }
        });
        hosts.collect()
    }
}

/// `name`, `name:port`, `[IPv6]` or `[IPv6]:port`.
fn host_and_port(text: &str, default: u16) -> Result<Host, UrlError> {
    let refused = || UrlError::Host(text.to_owned());
    let (name, rest) = if let Some(bracketed) = text.strip_prefix('[') {
        bracketed.split_once(']').ok_or_else(refused)?
    } else {
        text.split_at(text.find(':').unwrap_or(text.len()))
    };
    let port = match rest.strip_prefix(':') {
        Some(number) => port(number).map_err(|error| if number.contains(':') { refused() } else { error })?,
        None if rest.is_empty() => default,
        None => return Err(refused()),
    };
    let name = decode(name, "the host")?;
    if text.starts_with('[') && !is_ipv6(&name) {
        return Err(refused());
    }
    host(&name, port)
}

pub(crate) fn host(name: &str, port: u16) -> Result<Host, UrlError> {
    let is_directory = name.starts_with('/') || (name.starts_with('@') && name.len() > 1);
    let is_name = !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && !name.starts_with(['-', '.']);
    if is_directory || is_name || is_ipv6(name) {
        Ok(Host::new(name, port))
    } else {
        Err(UrlError::Host(name.to_owned()))
    }
}

/// With or without a zone (`fe80::1%eth0`).
fn is_ipv6(name: &str) -> bool {
    name.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

fn port(text: &str) -> Result<u16, UrlError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && *number != 0);
    number.ok_or_else(|| UrlError::Port(text.to_owned()))
}

/// Sets what is not set yet; an empty value says nothing, as for libpq.
fn set(slot: &mut Option<String>, name: &str, value: String) -> Result<(), UrlError> {
    if value.is_empty() {
        return Ok(());
    }
    if slot.is_some() {
        return Err(UrlError::Twice(name.to_owned()));
    }
    *slot = Some(value);
    Ok(())
}

fn decode(text: &str, what: &'static str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let digits = after.first_chunk::<2>().and_then(|digits| Some((digit(digits[0])?, digit(digits[1])?)));
        let (high, low) = digits.ok_or(UrlError::Percent(what))?;
        bytes.push(high << 4 | low);
        rest = &after[2..];
    }
    let text = String::from_utf8(bytes).map_err(|_| UrlError::Text(what))?;
    if text.contains('\0') { Err(UrlError::Text(what)) } else { Ok(text) }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
