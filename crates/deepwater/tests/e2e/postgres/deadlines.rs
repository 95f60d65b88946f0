//! What takes too long is ended, with a word.

use super::backend;
use crate::support::pg_wire::{Pg, Reply, say};
use crate::support::postgres::{Database, Place, Pooler, Setup, Version};
use crate::support::soon;

async fn pooled(timeouts: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, &format!("pool_size = 1\n[postgres.timeouts]\n{timeouts}")).await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

/// The client is told, its server does nothing any more, and the next is served.
async fn is_over(database: &Database, place: &Place, told: Vec<Reply>) {
    let error = told.iter().find(|reply| reply.tag == b'E').unwrap_or_else(|| panic!("no word: {told:?}"));
    assert!(
        error.field('S') == "FATAL" && error.code().len() == 5 && !error.sentence().is_empty(),
        "{error:?}"
    );
    database.sessions_become(0, "state <> 'idle'").await;
    // The deadline holds for the next as well, who may miss it where many other programs run.
    let served = async {
        loop {
            if let Ok(mut next) = Pg::try_login(place).await
                && next.query_or_end("SELECT 1").await.iter().any(|reply| reply.tag == b'D')
            {
                break;
            }
        }
    };
    soon("the next to be served", served).await;
}

#[tokio::test]
async fn a_query() {
    let (database, _pooler, place) = pooled("query = \"500ms\"").await;
    let mut session = Pg::login(&place).await;
    session.run("BEGIN; SELECT pg_sleep(0.01)").await;
    session.say(say::query("SELECT pg_sleep(1000)")).await;
    is_over(&database, &place, session.hear_out().await).await;
}

#[tokio::test]
async fn a_transaction() {
    let (database, _pooler, place) = pooled("transaction = \"500ms\"").await;
    let mut session = Pg::login(&place).await;
    session.run("BEGIN").await;
    let told = loop {
        let told = session.query_or_end("SELECT pg_sleep(0.01)").await;
        if told.last().is_none_or(|reply| reply.tag != b'Z') {
            break told;
        }
    };
    is_over(&database, &place, told).await;
}

#[tokio::test]
async fn silence_in_a_transaction() {
    for begin in ["BEGIN", "BEGIN; SELECT 1 / 0"] {
        let (database, _pooler, place) = pooled("idle_transaction = \"500ms\"").await;
        let mut session = Pg::login(&place).await;
        session.query(begin).await;
        is_over(&database, &place, session.hear_out().await).await;
    }
}

#[tokio::test]
async fn silence_outside_of_one() {
    let (database, _pooler, place) = pooled("client_idle = \"500ms\"").await;
    let mut session = Pg::login(&place).await;
    session.run("SELECT pg_sleep(0.7)").await;
    is_over(&database, &place, session.hear_out().await).await;
}

#[tokio::test]
async fn a_login() {
    let (database, _pooler, place) = pooled("client_login = \"500ms\"").await;
    let packet = say::startup(0, &[("user", &place.user), ("database", &place.database)]);
    for said in [&packet[..0], &packet[..10], &packet] {
        let mut session = Pg::dial(&place).await;
        session.say(said).await;
        let told = session.hear_out().await;
        assert!(told.iter().all(|reply| reply.tag != b'Z'), "{told:?}");
    }
    is_over(&database, &place, {
        let mut session = Pg::dial(&place).await;
        session.say(&packet).await;
        session.hear_out().await
    })
    .await;
}

#[tokio::test]
async fn an_idle_server() {
    let (database, _pooler, place) = pooled("server_idle = \"500ms\"").await;
    let mut session = Pg::login(&place).await;
    session.run("SELECT 1").await;
    database.sessions_become(0, "true").await;
    assert_eq!(session.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn an_old_server() {
    let (_database, _pooler, place) = pooled("server_lifetime = \"200ms\"").await;
    let mut session = Pg::login(&place).await;
    session.run("BEGIN").await;
    let first = backend(&mut session).await;
    session.run("SELECT pg_sleep(0.3)").await;
    assert_eq!(backend(&mut session).await, first, "not inside a transaction");
    session.run("COMMIT").await;
    assert_ne!(backend(&mut session).await, first);
}

#[tokio::test]
async fn of_one_user_alone() {
    let database = Version::Newest.database().await;
    let section = format!("[postgres.users.{}]\nquery_timeout = \"500ms\"", database.user);
    let setup = Setup::new().with("pool_size = 1").database(&database, "");
    let pooler = setup.section(&section).start().await;
    let place = pooler.place(&database);
    let mut session = Pg::login(&place).await;
    session.say(say::query("SELECT pg_sleep(1000)")).await;
    is_over(&database, &place, session.hear_out().await).await;
}

#[tokio::test]
async fn a_minimum_of_servers_is_kept() {
    let database = Version::Newest.database().await;
    let keys = "min_pool_size = 2\n[postgres.timeouts]\nserver_idle = \"500ms\"";
    let pooler = Pooler::before(&database, keys).await;
    let mut session = Pg::login(&pooler.place(&database)).await;
    session.run("SELECT 1").await;
    database.sessions_become(2, "state = 'idle'").await;
}
