//! Where a session goes, and as whom.

use std::net::SocketAddr;

/// What a database URL says.
#[derive(Debug, Clone)]
pub struct Place {
    pub address: SocketAddr,
    pub database: String,
    pub user: String,
    pub password: String,
}

impl Place {
    /// The same at another address.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same as another user.
    pub fn by(&self, user: &str, password: &str) -> Self {
        Self { user: user.into(), password: password.into(), ..self.clone() }
    }

    /// The same in another database.
    pub fn of(&self, database: &str) -> Self {
        Self { database: database.into(), ..self.clone() }
    }

    /// The URL that drivers understand.
    pub fn url(&self) -> String {
        let Self { address, database, user, password } = self;
        format!("postgres://{user}:{password}@{address}/{database}")
    }
}
