//! A client's way in: first packets, TLS, proof of who it is, and what it is told of the server.

mod arrival;
mod ask;
mod authenticate;
mod greeting;
mod lease;
mod peer;
mod pending;
mod refused;
mod request;
mod seats;
mod state;
mod system;
mod welcome;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use deepwater_pgwire::message::backend::write::{self, Report, Severity};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::clients::{ClientInfo, DRAIN, Introduction};
use crate::events::{ClientLoggedIn, ClientLoginFailed};
use crate::plan::{ADMINISTRATION, DatabasePlan, Plan};
use crate::pools::Pool;
use crate::settings::{Parameters, Settings};
use crate::stream::{Socket, Stream};
use crate::talk::Talk;
use crate::worker::Worker;
use crate::{admin, cancel, keepalive, replication, session};

use authenticate::Proof;
use greeting::{Greeting, Tls};
use pending::{MAX_PENDING, Pending};
use refused::Refused;
use request::Request;
use seats::{Full, Seat};
use welcome::Entered;

pub(crate) use arrival::board;
pub(crate) use peer::Peer;
pub(crate) use state::LoginState;

/// Clients beyond the greatest number that may get as far as to be told that there are too many.
const SPARE: usize = 64;
/// How long a client may take to take in why it is refused.
const FAREWELL: Duration = Duration::from_secs(1);

/// A client that has logged in, and been told so.
pub(crate) struct Client {
    pub stream: Stream,
    /// What it sent since, as far as it was read.
    pub input: Vec<u8>,
    pub pool: Arc<Pool>,
    pub info: Arc<ClientInfo>,
    /// Settings it began with.
    pub startup: Settings,
    /// What it was told of its server.
    pub parameters: Arc<Parameters>,
}

/// A client of the administration database, logged in and told so.
pub(crate) struct Administrator {
    pub stream: Stream,
    /// What it sent since, as far as it was read.
    pub input: Vec<u8>,
    pub info: Arc<ClientInfo>,
    /// It may give every command, not only look.
    pub may_change: bool,
}

/// A client that wants a replication connection; it has proved who it is and waits to be told so.
pub(crate) struct Replica {
    pub stream: Stream,
    /// What it sent since, as far as it was read.
    pub input: Vec<u8>,
    /// What it is to be told first.
    pub output: Vec<u8>,
    pub pool: Arc<Pool>,
    pub info: Arc<ClientInfo>,
    /// `replication`, as it asked for it.
    pub replication: String,
    /// Settings it began with.
    pub startup: Settings,
}

/// What a first packet led to.
enum Entry {
    Client(Client),
    Administrator(Administrator),
    Replica(Replica),
    /// The stream stays open until the request has been passed on: its sender waits for that.
    Cancel {
        stream: Stream,
        pid: u32,
        key: Vec<u8>,
    },
}

/// Serves a client from its first byte to its last.
pub(crate) async fn serve(worker: Rc<Worker>, socket: Socket, peer: Peer) {
    // What a login needs is given back before the session, which may be long.
    let Some((entry, seat)) = Box::pin(enter(&worker, socket, &peer)).await else { return };
    match entry {
        Entry::Client(client) => session::run(worker, client).await,
        Entry::Administrator(client) => {
            let (shared, info) = (Arc::clone(&worker.shared), Arc::clone(&client.info));
            Box::pin(admin::run(worker, client)).await;
            shared.clients.leave(&info);
        }
        Entry::Replica(client) => {
            let (shared, info) = (Arc::clone(&worker.shared), Arc::clone(&client.info));
            Box::pin(replication::run(worker, client)).await;
            shared.clients.leave(&info);
        }
        Entry::Cancel { stream, pid, key } => {
            Box::pin(cancel::cancel(&worker, pid, &key, &peer)).await;
            drop(stream);
        }
    }
    drop(seat);
}

/// Lets a client in, or tells it why not.
async fn enter(worker: &Rc<Worker>, socket: Socket, peer: &Peer) -> Option<(Entry, Option<Seat>)> {
    let shared = &worker.shared;
    let plan = shared.plan.load_full();
    if let Socket::Tcp(tcp) = &socket {
        // A client that has gone already is noticed soon enough.
        let _ = keepalive::tune(tcp, &plan.config.tcp_keepalive);
    }
    // Files must be left for those who are logged in.
    let room = plan.max_clients.saturating_add(SPARE).saturating_sub(shared.login.seats.taken());
    let pending = shared.login.pending.enter(room.min(MAX_PENDING));
    let limit = plan.config.timeouts.client_login.get();
    let mut login = Login::new(worker, &plan, peer, &pending, Talk::new(Stream::Plain(socket)));
    let refused = tokio::select! {
        biased;
        () = pending.evicted() => Refused::too_many(plan.face),
        () = deadline(limit) => Refused::late(plan.face, limit),
        entered = login.run() => match entered {
            Ok(entered) => return Some(entered),
            Err(refused) => refused,
        },
    };
    login.refuse(&refused).await;
    None
}

async fn deadline(limit: Duration) {
    if limit.is_zero() {
        return std::future::pending().await;
    }
    tokio::time::sleep(limit).await;
}

/// A login under way.
struct Login<'a> {
    worker: &'a Rc<Worker>,
    plan: &'a Arc<Plan>,
    peer: &'a Peer,
    pending: &'a Pending<'a>,
    talk: Talk,
    tls: Option<Tls>,
    request: Request,
}

impl<'a> Login<'a> {
    fn new(
        worker: &'a Rc<Worker>,
        plan: &'a Arc<Plan>,
        peer: &'a Peer,
        pending: &'a Pending<'a>,
        talk: Talk,
    ) -> Self {
        Self { worker, plan, peer, pending, talk, tls: None, request: Request::default() }
    }

    async fn run(&mut self) -> Result<(Entry, Option<Seat>), Refused> {
        let (minor, parameters) = match greeting::read(self).await? {
            Greeting::Start { minor, parameters } => (minor, parameters),
            Greeting::Cancel { pid, key } => {
                let stream = std::mem::replace(&mut self.talk.stream, Stream::Plain(Socket::Lost));
                return Ok((Entry::Cancel { stream, pid, key }, None));
            }
        };
        self.request.read(self.plan, self.peer, minor, parameters)?;
        self.request.negotiate(&mut self.talk.output);
        let administration = self.request.database == ADMINISTRATION;
        let mut seat = self.seat(administration)?;
        if administration {
            let may_change = self.administrator().await?;
            self.pending.proved();
            return Ok((Entry::Administrator(self.open_administration(may_change).await?), Some(seat)));
        }
        // Who may know whether a database exists is known only afterwards.
        let database = self.plan.database(&self.request.database);
        let proof = self.authenticate(database.as_ref()).await?;
        self.pending.proved();
        let database =
            database.ok_or_else(|| Refused::no_database(self.plan.face, &self.request.database))?;
        if self.worker.shared.controls.is_ending() {
            return Err(Refused::ending(self.plan.face));
        }
        if self.worker.shared.controls.is_disabled(&database.name) {
            return Err(Refused::disabled(self.plan.face, &database.name));
        }
        let pool = self.pool(&database, proof);
        let user = match &pool.key.user {
            same if **same == *self.request.user => Arc::clone(same),
            _ => self.request.user.as_str().into(),
        };
        self.count(&mut seat, &database, &user)?;
        let entry = match self.request.replication.take() {
            Some(replication) => Entry::Replica(self.open_replication(pool, user, replication)?),
            None => Entry::Client(self.open_session(pool, user).await?),
        };
        Ok((entry, Some(seat)))
    }

    /// A seat among all clients. The administration has one in any case.
    fn seat(&self, administration: bool) -> Result<Seat, Refused> {
        let max = (!administration).then_some(self.plan.max_clients);
        Seat::take(&self.worker.shared, max).map_err(|_| Refused::too_many(self.plan.face))
    }

    /// Counts the client with its database and its user.
    fn count(&self, seat: &mut Seat, database: &DatabasePlan, user: &Arc<str>) -> Result<(), Refused> {
        let config = &self.plan.config;
        let of_database =
            database.config.max_db_client_connections.unwrap_or(config.max_db_client_connections);
        let of_user = config.users.get(&**user).and_then(|user| user.max_user_client_connections);
        let of_user = of_user.unwrap_or(config.max_user_client_connections);
        let taken = seat.of_database(&database.name, of_database).and_then(|()| seat.of_user(user, of_user));
        taken.map_err(|full| match full {
            Full::Clients => Refused::too_many(self.plan.face),
            Full::Database => Refused::too_many_of_database(self.plan.face, &database.name),
            Full::User => Refused::too_many_of_user(self.plan.face, user),
        })
    }

    /// The pool of a client that has proved who it is; what its proof is good for stays with it.
    fn pool(&self, database: &Arc<DatabasePlan>, proof: Proof) -> Arc<Pool> {
        let pool = self.worker.shared.pool(database, &self.request.user);
        if *pool.key.user == *self.request.user {
            if let Some(keys) = proof.keys {
                *pool.keys.lock().expect("no panic while they are held") = Some(keys);
            }
            if let Some(found) = proof.found {
                *pool.stored.lock().expect("no panic while it is held") = Some(found);
            }
        }
        pool
    }

    /// Enters the client among all. It gets its secret for cancel requests: as long as its protocol allows.
    fn introduce(&self, database: Arc<str>, user: Arc<str>) -> Result<Entered<'a>, Refused> {
        let worker: &'a Rc<Worker> = self.worker;
        let key = worker.secrets.borrow_mut().take(if self.request.minor >= 2 { 32 } else { 4 });
        let key = key.map_err(|_| Refused::gone("the system gives no random numbers"))?;
        let info = worker.shared.clients.enter(
            key,
            Introduction {
                database,
                user,
                peer: self.peer.clone(),
                descriptor: self.talk.stream.socket().descriptor(),
                tls: self.tls.as_ref().map(|tls| tls.description.clone()),
                application_name: self.request.settings.get("application_name").unwrap_or_default().into(),
                connected_at: SystemTime::now(),
                replication: self.request.replication.is_some(),
            },
        );
        if !worker.shared.context.shutdown.is_running() {
            // All who were there then have been told.
            info.signal(DRAIN);
        }
        if self.plan.config.log.connections {
            self.worker.shared.context.events.emit(ClientLoggedIn {
                remote: info.peer.to_string(),
                database: info.database.to_string(),
                user: info.user.to_string(),
                tls: info.tls.clone().unwrap_or_else(|| "no".into()),
            });
        }
        Ok(Entered::new(&worker.shared.clients, info))
    }

    /// Tells a client why it is refused, and everybody else.
    async fn refuse(&mut self, refused: &Refused) {
        if refused.reason.is_empty() {
            return;
        }
        let events = &self.worker.shared.context.events;
        events.emit(ClientLoginFailed {
            remote: self.peer.to_string(),
            database: self.request.database.clone(),
            user: self.request.user.clone(),
            reason: refused.reason.clone(),
        });
        if refused.message.is_empty() {
            return;
        }
        let report = Report::new(Severity::Fatal, refused.code, &refused.message);
        self.talk.output.clear();
        write::error_response(&mut self.talk.output, &report);
        let farewell = async {
            // A client that has gone hears nothing.
            let _ = self.talk.send().await;
            let _ = self.talk.stream.shutdown().await;
        };
        let _ = timeout(FAREWELL, farewell).await;
    }
}
