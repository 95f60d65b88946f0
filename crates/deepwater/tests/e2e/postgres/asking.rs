//! The lens asks servers how they are, beside the pools. What it asks with is what the pool hands to others in its
//! process, so the pool runs in this one.

use std::net::SocketAddr;
use std::time::Duration;

use deepwater_core::ask::{Ask, AskError, Question, Rows};
use deepwater_core::{Context, Events};
use deepwater_pool::{Config, Face, Handle};

use crate::support::pg_wire::Pg;
use crate::support::postgres::{Database, Place, Pooler, Postgres, Version};
use crate::support::soon;

/// A pool of one connection in this process.
struct Pool {
    context: Context,
    /// What serves, until the story is over.
    _handle: Handle,
    ask: Ask,
    place: Place,
}

impl Pool {
    fn before(place: &Place) -> Self {
        let url = place.url().parse().unwrap();
        let config = Config { pool_size: 1, workers: 1, ..Config::fronting(url, "127.0.0.1:0") };
        let context = Context::new(1, Events::silent());
        let handle = deepwater_pool::start(&config, ".".into(), Face::Native, context.clone(), None).unwrap();
        let address: SocketAddr = handle.addresses()[0].to_string().parse().unwrap();
        Self { ask: handle.ask(), place: place.at(address), context, _handle: handle }
    }

    async fn ask_within(&self, sql: &str, limit: Duration) -> Result<Rows, AskError> {
        let database = self.place.database.clone();
        let question = Question { database, sql: sql.to_owned().into(), limit };
        soon(sql, (self.ask)(question)).await
    }

    async fn ask(&self, sql: &str) -> Result<Rows, AskError> {
        self.ask_within(sql, Duration::from_secs(10)).await
    }

    async fn value(&self, sql: &str) -> String {
        self.ask(sql).await.unwrap()[0][0].clone().unwrap()
    }

    /// The SQLSTATE of a refusal.
    async fn refusal(&self, sql: &str) -> String {
        match self.ask(sql).await {
            Err(AskError::Refused { code, .. }) => code,
            other => panic!("{other:?} to {sql}"),
        }
    }

    async fn heals(&self) {
        soon("an answer", async { while self.ask("SELECT 1").await.is_err() {} }).await;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.context.shutdown.stop();
    }
}

async fn one() -> (Database, Pool) {
    let database = Version::Newest.database().await;
    let pool = Pool::before(&database);
    (database, pool)
}

#[tokio::test]
async fn every_server_answers() {
    for version in Version::ALL {
        let database = version.database().await;
        let pool = Pool::before(&database);
        let ours =
            "SELECT application_name, usename, NULL FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let expected = [Some("deepwater lens".to_owned()), Some(database.user.clone()), None];
        assert_eq!(pool.ask(ours).await.unwrap(), [expected]);
        for (setting, value) in [
            ("transaction_read_only", "on"),
            ("statement_timeout", "10s"),
            ("lock_timeout", "5s"),
            ("search_path", "pg_catalog"),
        ] {
            assert_eq!(pool.value(&format!("SHOW {setting}")).await, value, "{setting}");
        }
        assert_eq!(pool.value("SELECT 1; SELECT 2; SET LOCAL work_mem = '1MB'").await, "2");
        assert_eq!(pool.ask("").await, Ok(Vec::new()));
    }
}

#[tokio::test]
async fn a_refused_question_leaves_the_connection() {
    let (_database, pool) = one().await;
    let pid = pool.value("SELECT pg_backend_pid()").await;
    assert_eq!(pool.refusal("SELECT nonsense").await, "42703");
    assert_eq!(pool.refusal("nonsense").await, "42601");
    assert_eq!(pool.refusal("SELECT * FROM pg_authid").await, "42501");
    assert_eq!(pool.refusal("CREATE TABLE public.t (n int)").await, "25006");
    assert_eq!(pool.value("SELECT pg_backend_pid()").await, pid);
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_stopped() {
    let (database, pool) = one().await;
    let pid = pool.value("SELECT pg_backend_pid()").await;
    let limit = Duration::from_millis(100);
    let slow = pool.ask_within("SELECT pg_sleep(1000)", limit).await;
    assert_eq!(slow, Err(AskError::TooSlow { limit }));
    assert_eq!(pool.value("SELECT pg_backend_pid()").await, pid, "the server had stopped it itself");
    // One that takes its timeout away is cancelled.
    let stubborn = "SET LOCAL statement_timeout = 0; SELECT pg_sleep(1000)";
    assert_eq!(pool.ask_within(stubborn, limit).await, Err(AskError::TooSlow { limit }));
    database.sessions_become(0, "query LIKE '%pg_sleep(1000)%' AND state = 'active'").await;
    pool.heals().await;
}

#[tokio::test]
async fn a_server_that_ends_is_asked_again_when_it_is_back() {
    let server = Postgres::own("", "").await;
    let database = server.database().await;
    let pool = Pool::before(&database);
    assert_eq!(pool.value("SELECT 1").await, "1");
    server.stop_immediate().await;
    let error = pool.ask("SELECT 1").await.unwrap_err();
    assert_eq!(error.kind(), "not_connected", "{error}");
    assert_eq!(pool.ask("SELECT 1").await.unwrap_err().kind(), "not_connected");
    assert_eq!(pool.context.events.counts()["server_not_asked"], 1);
    server.start_again().await;
    pool.heals().await;
}

#[tokio::test]
async fn a_pool_at_its_limit_does_not_feel_it() {
    let (_database, pool) = one().await;
    let mut client = Pg::login(&pool.place).await;
    client.run("BEGIN").await;
    let mut next = Pg::login(&pool.place).await;
    let waiting = tokio::spawn(async move { next.value("SELECT 2").await });
    let reading = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
    assert_eq!(pool.value(reading).await, "2", "one serves, one asks");
    assert_eq!(client.value("SELECT 1").await, "1");
    client.run("COMMIT").await;
    assert_eq!(soon("the next", waiting).await.unwrap(), "2");
    let metrics = &pool.context.metrics;
    assert_eq!(metrics.sum("deepwater_postgres_questions_total", &[("result", "answered")]), 1);
    assert_eq!(metrics.sum("deepwater_postgres_queries_total", &[]), 4);
}

#[tokio::test]
async fn a_full_server_says_so() {
    let server = Postgres::own("max_connections = 6\nmax_wal_senders = 1\n", "").await;
    let database = server.database().await;
    let pool = Pool::before(&database);
    let mut sessions = Vec::new();
    // The rest is for superusers alone, and they are there first.
    for _ in 0..3 {
        sessions.push(database.session().await);
    }
    let error = pool.ask("SELECT 1").await.unwrap_err();
    let AskError::NotConnected { code, reason } = &error else { panic!("{error:?}") };
    assert_eq!(code, "53300");
    assert!(reason.contains("connection") || reason.contains("clients"), "{reason}");
    sessions.pop().unwrap().leave().await;
    pool.heals().await;
}

#[tokio::test]
async fn a_pooler_on_the_way_keeps_no_setting_of_ours() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 1").await;
    let pool = Pool::before(&pooler.place(&database));
    let pid = pool.value("SELECT pg_backend_pid()").await;
    pool.refusal("SELECT nonsense").await;
    let mut client = Pg::login(&pooler.place(&database)).await;
    assert_eq!(client.value("SELECT pg_backend_pid()").await, pid, "the only one there is");
    for (setting, value) in [
        ("default_transaction_read_only", "off"),
        ("transaction_read_only", "off"),
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("search_path", "\"$user\", public"),
    ] {
        assert_eq!(client.value(&format!("SHOW {setting}")).await, value, "{setting}");
    }
}
