//! The first thread of a pool, and a server played by the test.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use deepwater_core::ask::{Ask, AskError, Question, Rows};
use deepwater_core::config::Checker;
use deepwater_core::{Context, Events, ManualClock};
use deepwater_pgwire::message::backend::Status;
use deepwater_pgwire::message::backend::write::{self, Column, Report, Severity};
use deepwater_pgwire::message::frontend;
use deepwater_pgwire::startup::Startup;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::ask;
use crate::config::{Config, Database};
use crate::plan::{self, Face, Plan};
use crate::shared::Shared;
use crate::stream::{Socket, Stream};
use crate::talk::{Message, Talk};
use crate::worker::Worker;

/// For what must come: generous, since the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(20);

/// What comes before each question, with a limit of ten seconds.
pub(super) const GUARD: &str = "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = 10000; \
                                SET LOCAL lock_timeout = 5000; SET LOCAL search_path = pg_catalog; ";

/// Runs a test's story on one thread, as the first worker would.
pub(super) fn run(story: impl AsyncFnOnce(Stage)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async { story(Stage::set().await).await }));
}

/// Waits for something that must come.
pub(super) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(DEADLINE, future).await.expect("it comes before the deadline")
}

pub(super) struct Stage {
    pub shared: Arc<Shared>,
    pub clock: Arc<ManualClock>,
    pub asking: JoinHandle<()>,
    ask: Ask,
    server: TcpListener,
}

impl Stage {
    async fn set() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let clock = Arc::new(ManualClock::at(SystemTime::UNIX_EPOCH));
        let context = Context { clock: Arc::clone(&clock) as _, ..Context::new(1, Events::silent()) };
        let mut shared = Shared::new(context, plan(&server));
        Arc::get_mut(&mut shared).unwrap().questions.tick = Duration::from_millis(5);
        let worker = Worker::new(0, Arc::clone(&shared), 1);
        let asking = tokio::task::spawn_local(ask::serve(Rc::clone(&worker)));
        let ask = shared.questions.port(&shared.context.metrics);
        Self { shared, clock, asking, ask, server }
    }

    /// Asks `SELECT 1` of a database within ten seconds.
    pub(super) fn ask_of(&self, database: &str) -> JoinHandle<Result<Rows, AskError>> {
        self.put(Question {
            database: database.into(),
            sql: "SELECT 1".into(),
            limit: Duration::from_secs(10),
        })
    }

    pub(super) fn put(&self, question: Question) -> JoinHandle<Result<Rows, AskError>> {
        tokio::spawn((self.ask)(question))
    }

    /// Asks the server that plays along, and takes its answer.
    pub(super) fn ask(&self) -> JoinHandle<Result<Rows, AskError>> {
        self.ask_of("app")
    }

    /// The answer to [`Self::ask`], if it needs no server.
    pub(super) async fn error(&self) -> AskError {
        soon(self.ask()).await.unwrap().unwrap_err()
    }

    /// Questions that came to this.
    pub(super) fn count(&self, result: &str) -> u64 {
        self.shared.context.metrics.sum("deepwater_postgres_questions_total", &[("result", result)])
    }

    /// How often it was told that the server cannot be asked.
    pub(super) fn told(&self) -> u64 {
        self.shared.context.events.counts().get("server_not_asked").copied().unwrap_or(0)
    }

    /// The same configuration once more, which is another to all who compare.
    pub(super) fn reload(&self) {
        self.shared.adopt(plan(&self.server));
    }

    /// Whoever comes next; what they want.
    pub(super) async fn meet(&self) -> (Peer, Startup) {
        let (tcp, _) = soon(self.server.accept()).await.unwrap();
        let mut talk = Talk::new(Stream::Plain(Socket::Tcp(tcp)));
        let startup = soon(talk.startup()).await.unwrap();
        (Peer { talk }, startup)
    }

    /// Lets a session in; what it says of itself, too.
    pub(super) async fn accept(&self) -> (Peer, Vec<(String, String)>) {
        let (mut peer, startup) = self.meet().await;
        let Startup::Start { parameters, .. } = startup else { panic!("{startup:?} for a session") };
        write::authentication_ok(&mut peer.talk.output);
        write::backend_key_data(&mut peer.talk.output, 7, &[1, 2, 3, 4]);
        write::ready_for_query(&mut peer.talk.output, Status::Idle);
        peer.send().await;
        (peer, parameters)
    }

    /// A connection on which a question was answered.
    pub(super) async fn answered(&self) -> Peer {
        let asked = self.ask();
        let (mut peer, _) = self.accept().await;
        peer.question().await;
        peer.answer("1").await;
        assert_eq!(soon(asked).await.unwrap(), Ok(row("1")));
        peer
    }

    /// Lets whoever comes in and out again.
    pub(super) async fn refuse(&self, code: &str, message: &str) {
        let (mut peer, _) = self.meet().await;
        write::error_response(&mut peer.talk.output, &Report::new(Severity::Fatal, code, message));
        peer.send().await;
    }
}

fn plan(server: &TcpListener) -> Plan {
    let mut config = Config::default();
    let address = server.local_addr().unwrap();
    for (name, user) in [("app", "asker@"), ("passed_through", "")] {
        let primary = format!("postgres://{user}{address}/app?sslmode=disable");
        let mut database = Database::on(primary.parse().unwrap());
        database.application_name = Some("the application".into());
        config.databases.insert(name.into(), database);
    }
    let checker = Checker::without_document();
    let plan = plan::build(&config, ".".as_ref(), Face::Native, &checker.at("postgres"));
    checker.finish().unwrap();
    plan.unwrap()
}

/// One row of one value.
pub(super) fn row(value: &str) -> Rows {
    vec![vec![Some(value.to_owned())]]
}

/// The server's end of the connection.
pub(super) struct Peer {
    pub talk: Talk,
}

impl Peer {
    pub(super) async fn send(&mut self) {
        self.talk.send().await.unwrap();
    }

    async fn message(&mut self) -> Message {
        soon(self.talk.message(10_000)).await.unwrap()
    }

    /// What it is asked next.
    pub(super) async fn question(&mut self) -> String {
        let message = self.message().await;
        assert_eq!(char::from(message.tag), 'Q');
        String::from_utf8(frontend::query_text(&message.payload).unwrap().to_vec()).unwrap()
    }

    /// Answers with one row of one value.
    pub(super) async fn answer(&mut self, value: &str) {
        write::command_complete(&mut self.talk.output, "SET");
        write::row_description(&mut self.talk.output, &[Column::text("x")]);
        write::data_row(&mut self.talk.output, &[Some(value.as_bytes())]);
        write::command_complete(&mut self.talk.output, "SELECT 1");
        write::ready_for_query(&mut self.talk.output, Status::Idle);
        self.send().await;
    }

    /// The other side says goodbye.
    pub(super) async fn expect_goodbye(&mut self) {
        assert_eq!(self.message().await.tag, frontend::TERMINATE);
    }
}
