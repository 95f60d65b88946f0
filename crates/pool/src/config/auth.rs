//! `[postgres.auth]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may connect, and how they prove it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// How clients prove who they are.
    pub method: AuthMethod,
    /// File of users: `"name" "password, md5… or SCRAM-SHA-256$…"` a line. Relative to the configuration file; read again
    /// when Deepwater is told to reload (SIGHUP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<String>,
    /// Rules by address, database and user, in the form of `pg_hba.conf`, for `method = "hba"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hba: Option<String>,
    /// Maps from certificate or system names to users, in the form of `pg_ident.conf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ident: Option<String>,
    /// Query that gives name and stored password of user `$1` who is not in the file.
    pub query: String,
    /// The user that asks it. Without it nothing is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_user: Option<String>,
    /// The database it is asked in; by default the one the client wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_database: Option<String>,
    /// Rounds of hashing asked of clients that prove by SCRAM a password that is stored in clear.
    pub scram_iterations: u32,
    /// Ask for passwords in clear text on TCP connections without TLS too.
    pub plain_without_tls: bool,
}

impl Auth {
    /// PgBouncer's query: it respects `VALID UNTIL`.
    pub const QUERY: &str = "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END \
                             FROM pg_authid WHERE rolname=$1 AND rolcanlogin";
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            method: AuthMethod::default(),
            users: None,
            hba: None,
            ident: None,
            query: Self::QUERY.into(),
            query_user: None,
            query_database: None,
            scram_iterations: 4_096,
            plain_without_tls: false,
        }
    }
}

/// How clients prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum AuthMethod {
    /// SCRAM-SHA-256, over TLS with channel binding if the client can.
    #[default]
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// MD5, or SCRAM for users whose stored password is a SCRAM secret.
    #[serde(rename = "md5")]
    Md5,
    /// Password in clear text: only over TLS or Unix sockets.
    #[serde(rename = "plain")]
    Plain,
    /// A TLS certificate whose common name is the user's.
    #[serde(rename = "cert")]
    Cert,
    /// As the rules in `hba` say.
    #[serde(rename = "hba")]
    Hba,
    /// Nothing: whoever asks as a known user is believed.
    #[serde(rename = "trust")]
    Trust,
    /// Nothing, and unknown users too; they all become the user in the server's URL.
    #[serde(rename = "any")]
    Any,
    /// On Unix sockets, the system's user.
    #[serde(rename = "peer")]
    Peer,
}
