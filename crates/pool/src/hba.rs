//! Who may come from where, and how they prove it: rules in the form of `pg_hba.conf`, as PgBouncer reads it.

mod ident;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use deepwater_core::config::Problems;
use ipnet::IpNet;

pub use ident::Ident;

/// The rules of one file; the first that matches counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hba {
    rules: Vec<Rule>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where it stands, counted from 1.
    pub line: usize,
    /// How the client proves who it is.
    pub method: Method,
    /// The map of [`Ident`] that gives the user for the name in the certificate or of the system's user.
    pub map: Option<String>,
    origin: Origin,
    databases: Names,
    users: Names,
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Trust,
    /// It cannot.
    Reject,
    /// MD5, or SCRAM for users whose stored password is a SCRAM secret.
    Md5,
    /// SCRAM.
    ScramSha256,
    /// The password in clear text.
    Password,
    /// By the system's user at the other end of a Unix socket.
    Peer,
    /// By a certificate.
    Cert,
}

/// Where a client comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Over a Unix socket.
    Local,
    /// Over TCP.
    Host {
        /// The client's address.
        address: IpAddr,
        /// Whether it speaks TLS.
        tls: bool,
    },
}

/// Where a rule's clients come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Local,
    Host {
        /// `None` for every address.
        network: Option<IpNet>,
        /// `None` with TLS or without.
        tls: Option<bool>,
    },
}

/// A list of databases or users.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Names {
    all: bool,
    same_user: bool,
    replication: bool,
    names: BTreeSet<String>,
}

impl Hba {
    /// Reads the text of a file; `file` is what problems call it, and where lists named as `@list` are looked for.
    ///
    /// # Errors
    /// Every line that is not understood: a rule left out could let somebody in.
    pub fn parse(text: &str, file: &str) -> Result<Self, Problems> {
        let directory = Path::new(file).parent().unwrap_or(Path::new(""));
        Self::parse_with(text, file, &|list| read_list(&directory.join(list)))
    }

    /// Reads the text of a file; `lists` gives the text of what is named as `@list`.
    ///
    /// # Errors
    /// As [`Hba::parse`].
    pub fn parse_with(
        text: &str,
        file: &str,
        lists: &dyn Fn(&Path) -> io::Result<String>,
    ) -> Result<Self, Problems> {
        parse::rules(text, file, lists).map(|rules| Self { rules })
    }

    /// The rule for a client; without one it is refused. `replication` is for connections that stream the whole server's
    /// log: only rules that name `replication` are for them.
    pub fn first_match(&self, kind: Kind, database: &str, user: &str, replication: bool) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.is_for(kind, database, user, replication))
    }

    /// All rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl Rule {
    fn is_for(&self, kind: Kind, database: &str, user: &str, replication: bool) -> bool {
        let from_there = match (self.origin, kind) {
            (Origin::Local, Kind::Local) => true,
            (Origin::Host { network, tls: wanted }, Kind::Host { address, tls }) => {
                // A client of a dual-stack socket arrives as ::ffff:192.0.2.1.
                let address = address.to_canonical();
                wanted.is_none_or(|wanted| wanted == tls)
                    && network.is_none_or(|network| network.contains(&address))
            }
            _ => false,
        };
        let databases = &self.databases;
        let to_there = if replication {
            databases.replication
        } else {
            databases.all || (databases.same_user && database == user) || databases.names.contains(database)
        };
        from_there && to_there && (self.users.all || self.users.names.contains(user))
    }
}

/// Lists of names are short: 1 MiB.
const LIST_BYTES: u64 = 1 << 20;

fn read_list(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(LIST_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > LIST_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}
