//! Many clients on few servers.

use std::collections::BTreeSet;

use super::backend;
use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Pooler, Setup, Version};

#[tokio::test]
async fn many_clients_share_few_servers() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 2").await;
    let place = pooler.place(&database);
    let mut clients = Vec::new();
    for number in 0..50 {
        let place = place.clone();
        clients.push(tokio::spawn(async move {
            let mut session = Pg::login(&place).await;
            let mut servers = BTreeSet::new();
            for round in 0..20 {
                let told = session.rows(&format!("SELECT {number} * {round}, pg_backend_pid()")).await;
                assert_eq!(told[0][0].as_deref(), Some((number * round).to_string().as_str()));
                servers.insert(told[0][1].clone().unwrap());
            }
            session.leave().await;
            servers
        }));
    }
    let mut servers = BTreeSet::new();
    for client in clients {
        servers.extend(client.await.unwrap());
    }
    assert!((1..=2).contains(&servers.len()), "{servers:?}");
    assert!(database.backends().await.len() <= 2);
}

#[tokio::test]
async fn a_transaction_keeps_its_server() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 2").await;
    let place = pooler.place(&database);
    let (mut one, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    one.run("BEGIN").await;
    other.run("BEGIN").await;
    let (of_one, of_other) = (backend(&mut one).await, backend(&mut other).await);
    assert_ne!(of_one, of_other);
    for _ in 0..3 {
        assert_eq!(backend(&mut other).await, of_other);
        assert_eq!(one.error("nonsense").await.code(), "42601");
        assert_eq!(one.error("SELECT 1").await.code(), "25P02", "a failed transaction is one too");
        one.run("ROLLBACK").await;
        one.run("BEGIN").await;
        assert_eq!(backend(&mut one).await, of_one, "nobody else can have taken it");
    }
}

#[tokio::test]
async fn who_is_idle_holds_nothing() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 1").await;
    let place = pooler.place(&database);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Pg::login(&place).await);
    }
    for round in 0..3 {
        for client in &mut clients {
            client.run("BEGIN").await;
            client.run(&format!("CREATE TABLE t{round} ()")).await;
            client.run("ROLLBACK").await;
            client.ask(say::extended("SELECT $1::int", &[Some("1")])).await;
        }
    }
    assert_eq!(database.backends().await.len(), 1);
}

#[tokio::test]
async fn each_user_has_servers_of_its_own() {
    let database = Version::Newest.database().await;
    let other = database.role("other", "").await;
    let setup = Setup::new().with("pool_size = 1").database(&database, "");
    let pooler = setup.user(&other.user, &other.password).start().await;
    let mut sessions = [Pg::login(&pooler.place(&database)).await, Pg::login(&pooler.place(&other)).await];
    for _ in 0..2 {
        for (session, user) in sessions.iter_mut().zip([&database.user, &other.user]) {
            assert_eq!(session.value("SELECT current_user").await, **user);
            assert_eq!(session.value("SELECT session_user").await, **user);
        }
    }
    assert_eq!(database.backends().await.len(), 2);
}

#[tokio::test]
async fn in_session_mode_a_client_keeps_its_server_and_leaves_it_clean() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "mode = \"session\"\npool_size = 1").await;
    let place = pooler.place(&database);
    let mut first = Pg::login(&place).await;
    first.run("SET TimeZone = 'Asia/Tokyo'; CREATE TEMP TABLE t (); LISTEN news").await;
    first.run("PREPARE s AS SELECT 1; SELECT pg_advisory_lock(1)").await;
    let kept = backend(&mut first).await;
    first.leave().await;
    let mut next = Pg::login(&place).await;
    assert_eq!(backend(&mut next).await, kept, "it was not thrown away");
    assert_eq!(next.value("SHOW TimeZone").await, "UTC");
    assert_eq!(next.error("TABLE t").await.code(), "42P01");
    assert_eq!(next.error("EXECUTE s").await.code(), "26000");
    assert_eq!(next.value("SELECT count(*) FROM pg_listening_channels()").await, "0");
    assert_eq!(
        next.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
            .await,
        "0"
    );
}

#[tokio::test]
async fn in_statement_mode_there_are_no_transactions() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "mode = \"statement\"").await;
    let place = pooler.place(&database);
    let mut session = Pg::login(&place).await;
    assert_eq!(session.value("SELECT 1").await, "1");
    session.run("SELECT 1; SELECT 2").await;
    session.ask(say::extended("SELECT $1::int", &[Some("1")])).await;
    session.say(say::query("BEGIN")).await;
    let heard = session.hear_out().await;
    assert!(heard.iter().any(|reply| reply.tag == b'E'), "{heard:?}");
    database.sessions_become(0, "state LIKE 'idle in transaction%'").await;
    assert_eq!(Pg::login(&place).await.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn a_replication_connection_is_its_clients_alone() {
    for version in Version::ALL {
        let database = version.database().await;
        let streaming = database.role("streaming", "REPLICATION").await;
        let setup = Setup::new().with("mode = \"session\"").database(&database, "");
        let pooler = setup.user(&streaming.user, &streaming.password).start().await;
        for place in [streaming.clone(), pooler.place(&streaming)] {
            let mut session = Pg::login_with(&place, &[("replication", "database")]).await;
            let told = session.query("IDENTIFY_SYSTEM").await;
            assert_eq!(told[0].columns(), ["systemid", "timeline", "xlogpos", "dbname"], "{told:?}");
            let slot = format!("s_{}_{}", database.user, place.address.port());
            session.run(&format!("CREATE_REPLICATION_SLOT {slot} TEMPORARY LOGICAL test_decoding")).await;
            session.say(say::query(&format!("START_REPLICATION SLOT {slot} LOGICAL 0/0"))).await;
            assert_eq!(session.hear().await.tag, b'W');
            database
                .admin()
                .await
                .run("CREATE TABLE t (n int); INSERT INTO t VALUES (1); DROP TABLE t")
                .await;
            while !session.hear().await.payload.windows(6).any(|part| part == b"INSERT") {}
            session.say(say::copy_done()).await;
            session.hear_until(b'Z').await;
            session.leave().await;
        }
    }
}
