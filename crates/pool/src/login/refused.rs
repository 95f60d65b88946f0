//! Why a client is not let in: what it is told, and what the log is told.

use std::time::Duration;

use crate::plan::Face;
use crate::talk::TalkError;

/// The SQLSTATE of nearly all that PgBouncer says.
const PROTOCOL_VIOLATION: &str = "08P01";

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub code: &'static str,
    /// What the client is told; empty when there is nobody to be told.
    pub message: String,
    /// What the log is told; empty when it is not worth a line.
    pub reason: String,
}

impl Refused {
    /// The client is told one sentence in the pooler's own words, another in PgBouncer's.
    pub(super) fn new(
        face: Face,
        code: &'static str,
        native: impl Into<String>,
        pgbouncer: impl Into<String>,
    ) -> Self {
        let (code, message) = match face {
            Face::Native => (code, native.into()),
            Face::PgBouncer => (PROTOCOL_VIOLATION, pgbouncer.into()),
        };
        Self { code, reason: message.clone(), message }
    }

    /// The client broke the protocol.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code: PROTOCOL_VIOLATION, reason: message.clone(), message }
    }

    /// There is nobody to be told.
    pub(super) fn gone(reason: impl Into<String>) -> Self {
        Self { code: PROTOCOL_VIOLATION, message: String::new(), reason: reason.into() }
    }

    /// The log is told more than the client.
    pub(super) fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..self }
    }

    pub(super) fn too_many(face: Face) -> Self {
        let pgbouncer = "no more connections allowed (max_client_conn)";
        Self::new(face, "53300", "sorry, too many clients already", pgbouncer)
    }

    pub(super) fn too_many_of_database(face: Face, database: &str) -> Self {
        let pgbouncer = "client connections exceeded (max_db_client_connections)";
        Self::new(face, "53300", format!("too many connections for database \"{database}\""), pgbouncer)
    }

    pub(super) fn too_many_of_user(face: Face, user: &str) -> Self {
        let pgbouncer = "client connections exceeded (max_user_client_connections)";
        Self::new(face, "53300", format!("too many connections for role \"{user}\""), pgbouncer)
    }

    pub(super) fn late(face: Face, limit: Duration) -> Self {
        Self::new(face, "57014", format!("logging in took longer than {limit:?}"), "client_login_timeout")
    }

    pub(super) fn no_database(face: Face, database: &str) -> Self {
        let native = format!("database \"{database}\" does not exist");
        Self::new(face, "3D000", native, format!("no such database: {database}"))
    }

    pub(super) fn ending(face: Face) -> Self {
        Self::new(face, "57P03", "the pooler is shutting down", "server shutting down")
    }

    pub(super) fn disabled(face: Face, database: &str) -> Self {
        let native = format!("database \"{database}\" is not currently accepting connections");
        Self::new(face, "55000", native, format!("database \"{database}\" is disabled"))
    }

    /// The client's proof does not hold, or there is no such user: nobody but the log can tell which.
    pub(super) fn password(face: Face, user: &str) -> Self {
        let native = format!("password authentication failed for user \"{user}\"");
        Self::new(face, "28P01", native, "password authentication failed")
    }
}

impl From<TalkError> for Refused {
    fn from(error: TalkError) -> Self {
        match error {
            // A port scan, or a monitor that looks whether the port is open.
            TalkError::Closed => Self::gone(""),
            TalkError::Io(error) => Self::gone(error.to_string()),
            told => Self::protocol(told.to_string()),
        }
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self::gone(error.to_string())
    }
}
