//! The lines of configuration that advice prints, all in one place: each must be read by the parser of the configuration as
//! it stands, beside what is there already.

use std::fmt;

/// Lines that switch a technique on.
#[derive(Debug, Clone, PartialEq)]
pub enum Lines {
    /// Store what a route answers, and for how long what states no lifetime, in seconds.
    Cache {
        /// The route.
        route: String,
        /// None stores only what states one.
        default_ttl_s: Option<u32>,
    },
    /// Let requests for the same thing share a fetch.
    Coalesce {
        /// The route.
        route: String,
    },
    /// Give the cache so many bytes, rounded to MiB.
    CacheMemory {
        /// Bytes.
        bytes: f64,
    },
    /// The connections of each pool of a database.
    PoolSize {
        /// The database.
        database: String,
        /// Connections.
        size: usize,
    },
    /// Let clients share server connections between transactions.
    Transactions {
        /// The database.
        database: String,
    },
    /// Prepare once what comes again without a name.
    AutoPrepare {
        /// The database.
        database: String,
    },
    /// A limit on requests at once that finds itself.
    Limit {
        /// The pool of targets.
        application: String,
    },
    /// A limit on requests at once that is known.
    FixedLimit {
        /// The pool of targets.
        application: String,
        /// Requests.
        most: usize,
    },
    /// All targets of a pool.
    Targets {
        /// The pool of targets.
        application: String,
        /// Their addresses.
        targets: Vec<String>,
    },
    /// A proof of identity that a route asks for.
    Authenticate {
        /// The route.
        route: String,
        /// The `[auth.<name>]` that is there already; else one is made.
        known: Option<String>,
    },
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cache { route, default_ttl_s: None } => {
                head(f, route)?;
                f.write_str("cache = true\n")
            }
            Self::Cache { route, default_ttl_s: Some(seconds) } => {
                head(f, route)?;
                writeln!(f, "cache = {{ default_ttl = \"{seconds}s\" }}")
            }
            Self::Coalesce { route } => {
                head(f, route)?;
                f.write_str("cache = { coalesce = true }\n")
            }
            Self::CacheMemory { bytes } => writeln!(f, "[cache]\nmemory = \"{:.0}MiB\"", bytes / 1_048_576.0),
            Self::PoolSize { database, size } => {
                writeln!(f, "[postgres.databases.{}]\npool_size = {size}", key(database))
            }
            Self::Transactions { database } => {
                writeln!(f, "[postgres.databases.{}]\nmode = \"transaction\"", key(database))
            }
            Self::AutoPrepare { database } => {
                writeln!(f, "[postgres.databases.{}]\nauto_prepare = true", key(database))
            }
            Self::Limit { application } => {
                writeln!(f, "[pools.{}]\nconcurrency = {{ limit = \"gradient\" }}", key(application))
            }
            Self::FixedLimit { application, most } => {
                writeln!(
                    f,
                    "[pools.{}]\nconcurrency = {{ limit = \"fixed\", max = {most} }}",
                    key(application)
                )
            }
            Self::Targets { application, targets } => {
                let targets: Vec<String> = targets.iter().map(|target| quoted(target)).collect();
                writeln!(f, "[pools.{}]\ntargets = [{}]", key(application), targets.join(", "))
            }
            Self::Authenticate { route, known } => {
                let name = known.as_deref().unwrap_or("users");
                if known.is_none() {
                    writeln!(f, "[auth.{name}]")?;
                    f.write_str("jwks = \"https://issuer.example/.well-known/jwks.json\"  # yours\n")?;
                    f.write_str("audience = \"this-application\"  # yours\n\n")?;
                }
                head(f, route)?;
                writeln!(f, "auth = {}", quoted(name))
            }
        }
    }
}

/// The table of a route, which stays as it is but for the lines below.
fn head(f: &mut fmt::Formatter<'_>, route: &str) -> fmt::Result {
    let route: String = route.chars().filter(|character| !character.is_control()).collect();
    writeln!(f, "[[edge.route]]  # the one named {route}; what it has stays")
}

/// A key, quoted where it must be.
fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            character if character.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(character))),
            character => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_bare_keys_are_quoted() {
        assert_eq!(key("shop-1"), "shop-1");
        assert_eq!(key("*"), "\"*\"");
        assert_eq!(key("a.b"), "\"a.b\"");
        assert_eq!(key("a\"\\\n"), "\"a\\\"\\\\\\u000A\"");
        assert_eq!(key(""), "\"\"");
    }

    #[test]
    fn the_table_of_a_route_cannot_be_broken_out_of() {
        let lines = Lines::Cache { route: "/a\nlisten = 1".into(), default_ttl_s: None }.to_string();
        assert_eq!(lines, "[[edge.route]]  # the one named /alisten = 1; what it has stays\ncache = true\n");
    }
}
