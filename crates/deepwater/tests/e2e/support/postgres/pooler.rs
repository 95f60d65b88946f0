//! The pooler in front of databases.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};

use super::super::deepwater::{Deepwater, Home, address_in};
use super::super::pg_wire::Pg;
use super::place::Place;
use super::server::Database;

/// The user of every pooler here that may give every command.
pub const ADMIN: &str = "admin";

/// A running `deepwater run` with a pooler.
pub struct Pooler {
    deepwater: Deepwater,
    pub address: SocketAddr,
}

impl Deref for Pooler {
    type Target = Deepwater;
    fn deref(&self) -> &Deepwater {
        &self.deepwater
    }
}

impl DerefMut for Pooler {
    fn deref_mut(&mut self) -> &mut Deepwater {
        &mut self.deepwater
    }
}

/// What a pooler is started with.
pub struct Setup {
    home: Home,
    keys: String,
    auth: String,
    sections: String,
    users: String,
}

impl Setup {
    /// On a free port, with one thread, and what is known without asking a server.
    pub fn new() -> Self {
        Self::listening(&["127.0.0.1:0"])
    }

    /// At these addresses.
    pub fn listening(addresses: &[&str]) -> Self {
        let keys = format!("listen = {addresses:?}\nadmin_users = [\"{ADMIN}\"]\n");
        let users = format!("\"{ADMIN}\" \"{ADMIN}\"\n");
        Self { home: Home::new(), keys, auth: String::new(), sections: String::new(), users }
    }

    /// Keys of `[postgres.auth]`.
    pub fn auth(mut self, keys: &str) -> Self {
        self.auth += &format!("{keys}\n");
        self
    }

    /// Keys of `[postgres]`.
    pub fn with(mut self, keys: &str) -> Self {
        self.keys += &format!("{keys}\n");
        self
    }

    /// Further sections.
    pub fn section(mut self, text: &str) -> Self {
        self.sections += &format!("{text}\n");
        self
    }

    /// A database with keys of its own, and its owner.
    pub fn database(self, database: &Database, keys: &str) -> Self {
        self.alias(&database.database, database, keys).user(&database.user, &database.password)
    }

    /// A database under another name.
    pub fn alias(self, name: &str, database: &Database, keys: &str) -> Self {
        let server = format!("postgres://{}/{}", database.address, database.database);
        self.section(&format!("[postgres.databases.{name}]\nprimary = \"{server}\"\n{keys}"))
    }

    /// A user and the password in clear text or as a secret.
    pub fn user(mut self, name: &str, secret: &str) -> Self {
        self.users += &format!("\"{name}\" \"{secret}\"\n");
        self
    }

    /// A file beside the configuration.
    pub fn file(self, name: &str, content: &str) -> Self {
        self.home.write(name, content);
        self
    }

    pub async fn start(self) -> Pooler {
        let Self { home, mut keys, auth, sections, users } = self;
        if !keys.contains("workers =") {
            keys.insert_str(0, "workers = 1\n");
        }
        home.write("users.txt", users);
        let auth = format!("[postgres.auth]\nusers = \"users.txt\"\n{auth}");
        let deepwater = Deepwater::start_in(home, &format!("[postgres]\n{keys}{auth}{sections}")).await;
        let address = address_in(&deepwater.log_line("pool_started").await);
        Pooler { deepwater, address }
    }
}

impl Pooler {
    /// The shortest configuration in front of a database, with these keys.
    pub async fn before(database: &Database, keys: &str) -> Self {
        Setup::new().with(keys).database(database, "").start().await
    }

    /// The same again, after the process was killed and what it left behind was changed.
    pub async fn killed_and_again(mut self, meanwhile: impl FnOnce(&Home)) -> Self {
        let home = self.deepwater.killed().await;
        meanwhile(&home);
        let file = home.path("deepwater.toml");
        let deepwater = Deepwater::spawn(home, &["run", "-c", file.to_str().unwrap()], 0).await;
        let address = address_in(&deepwater.log_line("pool_started").await);
        Self { deepwater, address }
    }

    /// A database through the pooler.
    pub fn place(&self, database: &Place) -> Place {
        database.at(self.address)
    }

    /// Forgets how much memory was in use at most.
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
    }

    /// The most memory in use since then, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// A session in the administration database.
    pub async fn admin(&self) -> Pg {
        Pg::login(&self.admin_place()).await
    }

    pub fn admin_place(&self) -> Place {
        let text = |text: &str| text.to_owned();
        Place { address: self.address, database: text("pgbouncer"), user: text(ADMIN), password: text(ADMIN) }
    }
}
