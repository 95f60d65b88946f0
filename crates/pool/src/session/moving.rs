//! Going on to the process that takes over: what goes with a client's connection, and how its session is resumed there.
//!
//! Only who is between two transactions and holds nothing of a server can go, and only in clear: TLS has state that cannot
//! leave. Who cannot is told to come again (57P01).

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use deepwater_core::handover::Passenger;
use deepwater_pgwire::auth::StoredPassword;
use deepwater_pgwire::auth::scram::Keys;
use deepwater_pgwire::message::frontend::Parse;
use deepwater_pgwire::sql;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use super::Session;
use super::end::End;
use super::expect::Named;
use crate::login::{Client, Peer};
use crate::plane::PLANE;
use crate::pools::Pool;
use crate::settings::{Parameters, Settings};
use crate::stream::{Socket, Stream};
use crate::worker::Worker;

/// What a client may take with it, in bytes of JSON. One with more statements than fit is told to come again.
const MOST_BYTES: usize = 100 * 1024;

/// Everything that must be known of a client beside its socket.
#[derive(Serialize, Deserialize)]
pub(crate) struct SessionState {
    pub database: String,
    pub user: String,
    pub peer: Peer,
    /// What it was told for cancel requests.
    pub pid: u32,
    pub key: Vec<u8>,
    pub application_name: String,
    pub connected_at: SystemTime,
    pub credentials: Credentials,
    startup: Pairs,
    wants: Pairs,
    parameters: Pairs,
    statements: Vec<Prepared>,
    unnamed: Option<Vec<u8>>,
}

/// What the client's login has left for those to servers.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Credentials {
    keys: Option<ScramKeys>,
    stored: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ScramKeys {
    client_key: [u8; 32],
    server_key: [u8; 32],
    salt: Vec<u8>,
    iterations: u32,
}

/// A statement: its name and text, and the types of its parameters as Parse carries them.
#[derive(Serialize, Deserialize)]
struct Prepared {
    name: String,
    query: String,
    types: Vec<u8>,
}

/// Names and values, in their order.
type Pairs = Vec<(String, String)>;

fn pairs<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> Pairs {
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Credentials {
    fn of(pool: &Pool, user: &str) -> Self {
        // A pool with a user of its own logs in as that one.
        if *pool.key.user != *user {
            return Self::default();
        }
        let keys = pool.keys.lock().expect("no panic while they are held").clone();
        let keys = keys.map(|Keys { client_key, server_key, salt, iterations }| ScramKeys {
            client_key,
            server_key,
            salt,
            iterations,
        });
        let stored = match &*pool.stored.lock().expect("no panic while it is held") {
            Some(StoredPassword::Plain(stored) | StoredPassword::Md5(stored)) => Some(stored.clone()),
            // Nobody can log in with it.
            Some(StoredPassword::Scram(_)) | None => None,
        };
        Self { keys, stored }
    }

    /// Leaves them with the pool, unless it has such already.
    pub(crate) fn leave_with(self, pool: &Pool) {
        if let Some(ScramKeys { client_key, server_key, salt, iterations }) = self.keys {
            let mut keys = pool.keys.lock().expect("no panic while they are held");
            keys.get_or_insert(Keys { client_key, server_key, salt, iterations });
        }
        if let Some(Ok(stored)) = self.stored.as_deref().map(StoredPassword::parse) {
            pool.stored.lock().expect("no panic while it is held").get_or_insert(stored);
        }
    }
}

impl SessionState {
    /// The settings the client began with.
    pub(crate) fn startup(&self) -> Settings {
        settings(&self.startup)
    }

    /// What it was told of its server.
    pub(crate) fn parameters(&self) -> Arc<Parameters> {
        let mut parameters = Parameters::default();
        for (name, value) in &self.parameters {
            parameters.set(name, value);
        }
        Arc::new(parameters)
    }
}

fn settings(pairs: &Pairs) -> Settings {
    let mut settings = Settings::default();
    pairs.iter().for_each(|(name, value)| settings.set(name, value));
    settings
}

impl Session {
    /// How the client leaves a process that ends: on to the one that takes over, if there is one and it can go.
    pub(super) fn moves(&self) -> Option<End> {
        let passage = self.worker.shared.context.handover.passage()?;
        Some(End::Moved { passage, about: self.state()? })
    }

    fn state(&self) -> Option<Value> {
        let holds = self.link.is_some() || self.ticket.is_some() || self.listening.is_some();
        let owes =
            !self.input.is_empty() || !self.to_client.is_empty() || self.drop_input > 0 || self.skip_to_sync;
        if holds || owes || self.pins != 0 || self.listens || self.stream.is_tls() || self.names.has_sql() {
            return None;
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let statements = self.names.named().map(|(name, statement)| {
            Some(Prepared {
                name: text(name)?,
                query: text(&statement.query)?,
                types: statement.types.to_vec(),
            })
        });
        let state = SessionState {
            database: self.info.database.to_string(),
            user: self.info.user.to_string(),
            peer: self.info.peer.clone(),
            pid: self.info.pid,
            key: self.info.key.clone(),
            application_name: self
                .info
                .application_name
                .lock()
                .expect("no panic while it is held")
                .to_string(),
            connected_at: self.info.connected_at,
            credentials: Credentials::of(&self.pool, &self.info.user),
            startup: pairs(self.startup.iter()),
            wants: pairs(self.wants.iter()),
            parameters: pairs(self.parameters.iter()),
            statements: statements.collect::<Option<_>>()?,
            unnamed: self.names.unnamed(),
        };
        let about = serde_json::to_value(state).ok()?;
        (about.to_string().len() <= MOST_BYTES).then_some(about)
    }

    /// Puts the connection onto the passage. One that cannot go any more is closed.
    pub(super) fn go_on(&mut self, passage: &mpsc::UnboundedSender<Passenger>, about: Value) {
        let stream = std::mem::replace(&mut self.stream, Stream::Plain(Socket::Lost));
        if let Stream::Plain(socket) = stream
            && let Ok(socket) = socket.into_descriptor()
        {
            // Nobody is there to take it when the process ends at once.
            let _ = passage.send(Passenger { plane: PLANE.to_owned(), about, socket });
        }
    }
}

/// Serves a client that another process has served, until it leaves.
pub(crate) async fn resume(worker: Rc<Worker>, client: Client, state: SessionState) {
    let mut session = resumed(worker, client, state);
    let end = poll_fn(|cx| session.poll(cx)).await;
    Box::pin(session.finish(end)).await;
}

fn resumed(worker: Rc<Worker>, client: Client, state: SessionState) -> Box<Session> {
    let shared = Arc::clone(&worker.shared);
    let mut session = Box::new(Session::new(worker, client));
    session.wants = settings(&state.wants);
    let strings = session.parameters.strings();
    for Prepared { name, query, types } in &state.statements {
        let read = || sql::read_with(query.as_bytes(), strings);
        let reading = session.reading();
        let statement = shared.statements.intern(query.as_bytes(), types, strings, reading, read);
        session.names.insert(Named { name: name.as_bytes().into(), statement });
    }
    session.info.prepared.store(u32::try_from(session.names.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
    if let Some(unnamed) = state.unnamed {
        // As a Parse without a name carries it.
        let whole = [&[0], unnamed.as_slice()].concat();
        if let Ok(parse) = Parse::read(&whole) {
            let verdict = sql::read_with(parse.query, strings);
            session.names.keep_unnamed(&unnamed, verdict);
        }
    }
    session
}
