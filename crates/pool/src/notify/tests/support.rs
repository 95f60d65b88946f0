//! A pool with clients, and a server played by the test.

use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use deepwater_core::config::Checker;
use deepwater_core::{Context, Events};
use deepwater_pgwire::message::backend::write::{self, Report, Severity};
use deepwater_pgwire::message::backend::{Status, write as backend};
use deepwater_pgwire::message::frontend;
use deepwater_pgwire::startup::Startup;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::clients::{ClientInfo, Clients, Introduction};
use crate::config::{Config, Database};
use crate::ledger::PoolKey;
use crate::notify::{Listeners, Pace, Word};
use crate::plan::{self, Face};
use crate::pools::Pool;
use crate::shared::Shared;
use crate::stream::{Socket, Stream};
use crate::talk::{Message, Talk};
use crate::worker::Worker;

/// For what must come: generous, since the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a test's story on one thread, as a worker would.
pub(super) fn run(story: impl AsyncFnOnce(Stage)) {
    run_at(Pace { tick: Duration::from_millis(5), ..Pace::default() }, Duration::from_secs(15), story);
}

/// The same with other durations: of the listener, and the time a server has to answer.
pub(super) fn run_at(pace: Pace, server_connect: Duration, story: impl AsyncFnOnce(Stage)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async { story(Stage::set(pace, server_connect).await).await }));
}

/// Waits for something that must come.
pub(super) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(DEADLINE, future).await.expect("it comes before the deadline")
}

pub(super) struct Stage {
    pub worker: Rc<Worker>,
    pub pool: Arc<Pool>,
    clients: Clients,
    server: TcpListener,
}

impl Stage {
    async fn set(pace: Pace, server_connect: Duration) -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::default();
        config.timeouts.server_connect = server_connect.into();
        let primary = format!("postgres://app@{}/app?sslmode=disable", server.local_addr().unwrap());
        let mut database = Database::on(primary.parse().unwrap());
        database.client_encoding = Some("LATIN1".into());
        config.databases.insert("app".into(), database);
        let checker = Checker::without_document();
        let plan = plan::build(&config, ".".as_ref(), Face::Native, &checker.at("postgres"));
        checker.finish().unwrap();

        let mut shared = Shared::new(Context::new(1, Events::silent()), plan.unwrap());
        Arc::get_mut(&mut shared).unwrap().listeners.pace = pace;
        let database = shared.plan.load().database("app").unwrap();
        let pool = shared.pool(&database, "app");
        Self { worker: Worker::new(0, shared, 1), pool, clients: Clients::default(), server }
    }

    pub(super) fn client(&self) -> Arc<ClientInfo> {
        let who = Introduction {
            database: "app".into(),
            user: "app".into(),
            peer: crate::login::Peer::Unix { path: String::new(), uid: None, pid: None },
            descriptor: -1,
            tls: None,
            application_name: "".into(),
            connected_at: std::time::SystemTime::UNIX_EPOCH,
            replication: false,
        };
        self.clients.enter(vec![0; 4], who)
    }

    pub(super) fn listeners(&self) -> &Listeners {
        &self.worker.shared.listeners
    }

    pub(super) fn listen(&self, channel: &str, client: &Arc<ClientInfo>) -> oneshot::Receiver<Word> {
        self.listeners().listen(&self.worker, &self.pool, channel, client)
    }

    pub(super) fn key(&self) -> &PoolKey {
        &self.pool.key
    }

    /// Closes the door: whoever connects is refused.
    pub(super) async fn without_server(mut self) -> Self {
        self.server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self
    }

    /// Lets the listener in. What it said of itself, too.
    pub(super) async fn accept(&self) -> (Peer, Vec<(String, String)>) {
        let (tcp, _) = soon(self.server.accept()).await.unwrap();
        let mut talk = Talk::new(Stream::Plain(Socket::Tcp(tcp)));
        let Startup::Start { parameters, .. } = soon(talk.startup()).await.unwrap() else {
            panic!("a session is asked for")
        };
        backend::authentication_ok(&mut talk.output);
        backend::backend_key_data(&mut talk.output, 7, &[1, 2, 3, 4]);
        backend::ready_for_query(&mut talk.output, Status::Idle);
        talk.send().await.unwrap();
        (Peer { talk }, parameters)
    }

    /// A client that listens on a channel, and the server that it does so on.
    pub(super) async fn listening(&self, channel: &str) -> (Peer, Arc<ClientInfo>) {
        let client = self.client();
        let word = self.listen(channel, &client);
        let (mut peer, _) = self.accept().await;
        assert_eq!(peer.query().await, format!("LISTEN \"{channel}\""));
        peer.answer("LISTEN").await;
        assert_eq!(soon(word).await.unwrap(), Ok(()));
        (peer, client)
    }
}

/// The server's end of the listener's connection.
pub(super) struct Peer {
    pub talk: Talk,
}

impl Peer {
    async fn message(&mut self) -> Message {
        soon(self.talk.message(10_000)).await.unwrap()
    }

    /// What it is asked next.
    pub(super) async fn query(&mut self) -> String {
        let message = self.message().await;
        assert_eq!(char::from(message.tag), 'Q');
        String::from_utf8(frontend::query_text(&message.payload).unwrap().to_vec()).unwrap()
    }

    pub(super) async fn answer(&mut self, tag: &str) {
        write::command_complete(&mut self.talk.output, tag);
        write::ready_for_query(&mut self.talk.output, Status::Idle);
        self.talk.send().await.unwrap();
    }

    pub(super) async fn refuse(&mut self, why: &str) {
        write::error_response(&mut self.talk.output, &Report::new(Severity::Error, "25006", why));
        write::ready_for_query(&mut self.talk.output, Status::Idle);
        self.talk.send().await.unwrap();
    }

    pub(super) async fn notify(&mut self, channel: &str, payload: &str) {
        self.talk.output.extend(notification(channel, payload));
        self.talk.send().await.unwrap();
    }

    /// The listener says goodbye.
    pub(super) async fn expect_goodbye(&mut self) {
        assert_eq!(self.message().await.tag, frontend::TERMINATE);
    }
}

/// A whole NotificationResponse.
pub(super) fn notification(channel: &str, payload: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write::notification_response(&mut out, 9, channel, payload);
    out
}

/// What a client is told of next, by a signal.
pub(super) async fn signalled(client: &ClientInfo, signal: u32) {
    soon(poll_fn(|cx| {
        client.listen_once(cx.waker());
        if client.signals() & signal == 0 { Poll::Pending } else { Poll::Ready(()) }
    }))
    .await;
}

/// The notifications a client has, once it has any.
pub(super) async fn mail(client: &ClientInfo) -> Vec<u8> {
    signalled(client, crate::clients::NOTIFY).await;
    let mut out = Vec::new();
    client.take_notifications(&mut out);
    out
}
