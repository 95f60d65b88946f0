//! Clients and servers that die, in the middle of anything: the other side learns at once, and nothing leaks.

use super::backend;
use crate::support::pg_wire::say::{bind, copy_data, execute, extended, flush, parse, query};
use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Database, Place, Pooler, Postgres, Setup, Version};
use crate::support::soon;

async fn one_server(keys: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, &format!("pool_size = 1\n{keys}")).await;
    let place = pooler.place(&database);
    let mut admin = database.admin().await;
    admin.run(&format!("CREATE TABLE t (n int); ALTER TABLE t OWNER TO {}", database.user)).await;
    (database, pooler, place)
}

/// What a client is in the middle of, and how many messages it hears before it is there.
fn middles() -> Vec<(&'static str, Vec<u8>, usize)> {
    vec![
        ("a transaction", query("BEGIN; INSERT INTO t VALUES (1)"), 3),
        ("a failed transaction", query("BEGIN; INSERT INTO t VALUES (1); nonsense"), 2),
        ("a query", query("BEGIN; INSERT INTO t VALUES (1); SELECT pg_sleep(100)"), 0),
        ("a query without a transaction", query("SELECT pg_sleep(100)"), 0),
        ("a COPY in", [query("COPY t FROM STDIN"), copy_data("1\n")].concat(), 1),
        (
            "a COPY in, inside of a message",
            [query("COPY t FROM STDIN"), say::with_length(b'd', 1_000, b"1\n")].concat(),
            1,
        ),
        (
            "a COPY out",
            query("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT"),
            2,
        ),
        ("rows", query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"), 2),
        (
            "a pipeline without a Sync",
            [parse("", "INSERT INTO t VALUES (1)"), bind("", "", &[]), execute("", 0), flush()].concat(),
            3,
        ),
        ("a pipeline that failed", [parse("", "nonsense"), flush()].concat(), 1),
        ("a long pipeline", (0..200).flat_map(|_| extended("SELECT pg_sleep(0.5)", &[])).collect(), 0),
        (
            "a portal",
            [
                query("BEGIN"),
                parse("", "SELECT generate_series(1, 9)"),
                bind("", "", &[]),
                execute("", 1),
                flush(),
            ]
            .concat(),
            5,
        ),
        (
            "a statement with a name, when it first runs",
            [parse("s", "SELECT pg_sleep(100)"), bind("", "s", &[]), execute("", 0), say::sync()].concat(),
            0,
        ),
        ("a RESET", query("RESET work_mem; SELECT pg_sleep(100)"), 0),
        ("a PREPARE", query("PREPARE s AS SELECT 1; SELECT pg_sleep(100)"), 0),
        ("a message", [query("BEGIN"), say::with_length(b'Q', 1_000, b"SELECT")].concat(), 2),
    ]
}

#[tokio::test]
async fn a_client_that_dies_in_the_middle_of_anything_leaves_nothing() {
    // Whoever waits this long for what a client has left is refused.
    let at_once = "[postgres.timeouts]\nmax_wait = \"5s\"";
    for mode in ["transaction", "session"] {
        let (database, pooler, place) = one_server(&format!("mode = \"{mode}\"\n{at_once}")).await;
        for (middle, bytes, heard) in middles() {
            println!("{mode} mode, in the middle of {middle}");
            let mut client = Pg::login(&place).await;
            client.say(&bytes).await;
            for _ in 0..heard {
                client.hear().await;
            }
            drop(client);
            // The next client gets a server at once, and it is as new.
            let mut next = Pg::login(&place).await;
            assert_eq!(next.value("SELECT count(*) FROM t").await, "0", "{mode}, {middle}");
            assert_eq!(
                next.query("SELECT 1").await.last().unwrap().to_string(),
                "Ready I",
                "{mode}, {middle}"
            );
            next.leave().await;
            // What is left is the one server of the pool.
            database.sessions_become(1, "true").await;
        }
        pooler.counts("deepwater_postgres_client_connections", &[], 0.0).await;
    }
}

#[tokio::test]
async fn goodbye_in_the_middle_of_anything_leaves_nothing() {
    let (database, _pooler, place) = one_server("").await;
    for (middle, bytes, heard) in middles() {
        if middle.contains("message") {
            continue;
        }
        println!("in the middle of {middle}");
        let mut client = Pg::login(&place).await;
        client.say(&bytes).await;
        for _ in 0..heard {
            client.hear().await;
        }
        client.say(say::terminate()).await;
        client.finish().await;
        drop(client);
        let mut next = Pg::login(&place).await;
        assert_eq!(next.value("SELECT count(*) FROM t").await, "0", "{middle}");
        next.leave().await;
        // What had been sent ends when its server next says something to nobody; then the pool's one is left. One that
        // sleeps is on its own.
        database.sessions_become(1, "query NOT LIKE '%pg_sleep%'").await;
        database.end_sessions("query LIKE '%pg_sleep%'").await;
    }
}

#[tokio::test]
async fn what_was_asked_before_goodbye_is_done() {
    for mode in ["transaction", "session"] {
        let (database, _pooler, place) = one_server(&format!("mode = \"{mode}\"")).await;
        let mut client = Pg::login(&place).await;
        // Longer than it is waited for.
        let insert = query("INSERT INTO t SELECT 1 FROM pg_sleep(3)");
        client.say([insert, say::terminate()].concat()).await;
        client.finish().await;
        // The pool's one server is free before that.
        let mut next = Pg::login(&place).await;
        assert_eq!(next.value("SELECT count(*) FROM t").await, "0", "{mode}");
        database.becomes("SELECT count(*) FROM t", "1").await;
        database.sessions_become(1, "true").await;
    }
}

/// What a client broke off beside a question of ours holds the server no longer than anything else.
#[tokio::test]
async fn a_client_that_ends_while_its_settings_are_on_the_way_blocks_nobody() {
    let (_database, _pooler, place) = one_server("[postgres.timeouts]\nmax_wait = \"3s\"").await;
    let mut other = Pg::login(&place).await;
    other.run("SET app.v = '2'").await;
    for _ in 0..5 {
        let mut client = Pg::login(&place).await;
        client.run("SET app.v = '1'").await;
        assert_eq!(other.value("SHOW app.v").await, "2");
        client.say([query("SELECT pg_sleep(100)"), say::with_length(b'z', 4, b"")].concat()).await;
        client.hear_out().await;
        assert_eq!(other.value("SHOW app.v").await, "2");
    }
}

#[tokio::test]
async fn a_server_that_is_ended_ends_what_it_did_and_no_more() {
    let (database, _pooler, place) = one_server("").await;
    let mut idle = Pg::login(&place).await;
    for begin in ["BEGIN", "SELECT pg_sleep(1000)"] {
        let mut busy = Pg::login(&place).await;
        busy.say(query(begin)).await;
        if begin == "BEGIN" {
            busy.hear_until(b'Z').await;
            database.terminate_backends().await;
            busy.say(query("SELECT 1")).await;
        } else {
            database.sessions_become(1, "state = 'active' AND query LIKE '%pg_sleep%'").await;
            database.terminate_backends().await;
        }
        let told = busy.hear_out().await;
        assert!(told.iter().any(|reply| reply.tag == b'E'), "{begin}: {told:?}");
        assert_eq!(idle.value("SELECT 1").await, "1", "{begin}: it was not using it");
    }
}

#[tokio::test]
async fn idle_servers_that_were_ended_are_replaced_unnoticed() {
    let (database, _pooler, place) = one_server("").await;
    let mut client = Pg::login(&place).await;
    for _ in 0..5 {
        let before = backend(&mut client).await;
        database.terminate_backends().await;
        database.sessions_become(0, "true").await;
        assert_ne!(backend(&mut client).await, before);
    }
}

#[tokio::test]
async fn clients_outlive_a_restart_of_the_server() {
    let server = Postgres::own("", "").await;
    let database = server.database().await;
    let retry = "[postgres.timeouts]\nserver_login_retry = \"50ms\"";
    let pooler = Pooler::before(&database, &format!("pool_size = 2\n{retry}")).await;
    let place = pooler.place(&database);
    let mut idle = Pg::login(&place).await;
    assert_eq!(idle.value("SELECT 1").await, "1");
    let mut busy = Pg::login(&place).await;
    busy.run("BEGIN").await;
    server.stop_immediate().await;
    // Who was in a transaction is told at once.
    let told = soon("the end of the transaction", busy.hear_out()).await;
    assert!(told.iter().any(|reply| reply.tag == b'E'), "{told:?}");
    // Who asks while there is no server is told why, or waits until there is one.
    idle.say(query("SELECT 2")).await;
    server.start_again().await;
    let told = idle.hear_out_or_ready().await;
    if told.last().is_some_and(|reply| reply.tag == b'Z') {
        // It stays, and is served as soon as the failure is not remembered any more.
        let answered =
            async { while !idle.query_or_end("SELECT 3").await.iter().any(|reply| reply.tag == b'D') {} };
        soon("an answer after the restart", answered).await;
    } else {
        assert!(told.iter().any(|reply| reply.tag == b'E'), "{told:?}");
    }
    let back = async {
        loop {
            if let Ok(mut session) = Pg::try_login(&place).await {
                let told = session.query_or_end("SELECT 4").await;
                if told.iter().any(|reply| reply.tag == b'D') {
                    break;
                }
            }
        }
    };
    soon("service again", back).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_fails_queries_with_the_reason() {
    let database = Version::Newest.database().await;
    let nowhere = crate::support::Origin::nowhere().await;
    let section = format!("[postgres.databases.nowhere]\nprimary = \"postgres://{nowhere}/shop\"");
    let keys = "[postgres.timeouts]\nserver_connect = \"2s\"\nmax_wait = \"3s\"";
    let setup = Setup::new().with(keys).section(&section).user(&database.user, &database.password);
    let pooler = setup.start().await;
    let place = pooler.place(&database).of("nowhere");
    let refused = match Pg::try_login(&place).await {
        Err(refused) => refused,
        Ok(mut session) => {
            session.query_or_end("SELECT 1").await.into_iter().find(|r| r.tag == b'E').unwrap()
        }
    };
    assert!(refused.code().starts_with("08") || refused.code() == "53300", "{refused:?}");
    assert!(!refused.sentence().contains(&database.password));
    pooler.log_line("server_connect_failed").await;
}

#[tokio::test]
async fn wrong_credentials_for_the_server_are_told_without_the_password() {
    let database = Version::Newest.database().await;
    let section = format!(
        "[postgres.databases.wrong]\nprimary = \"postgres://{}:not-{}@{}/{}\"",
        database.user, database.password, database.address, database.database
    );
    let setup = Setup::new().with("[postgres.timeouts]\nmax_wait = \"3s\"").section(&section);
    let pooler = setup.user("client", "secret").start().await;
    let place = pooler.place(&database).of("wrong").by("client", "secret");
    let refused = match Pg::try_login(&place).await {
        Err(refused) => refused,
        Ok(mut session) => {
            session.query_or_end("SELECT 1").await.into_iter().find(|r| r.tag == b'E').unwrap()
        }
    };
    assert!(refused.sentence().contains("password authentication failed"), "{refused:?}");
    let line = pooler.log_line("server_connect_failed").await;
    assert!(!line.contains(&database.password), "{line}");
}

#[tokio::test]
async fn a_server_that_stalls_costs_its_clients_a_deadline_and_the_others_nothing() {
    let server = Postgres::own("", "").await;
    let stalls = server.database().await;
    let works = Version::Newest.database().await;
    let keys =
        "pool_size = 1\n[postgres.timeouts]\nquery = \"1s\"\nmax_wait = \"1s\"\nserver_connect = \"1s\"";
    let pooler = Setup::new().with(keys).database(&stalls, "").database(&works, "").start().await;
    let mut stalled = Pg::login(&pooler.place(&stalls)).await;
    stalled.run("SELECT 1").await;
    server.signal_all(rustix::process::Signal::STOP);
    let mut fine = Pg::login(&pooler.place(&works)).await;
    stalled.say(query("SELECT 1")).await;
    for _ in 0..20 {
        assert_eq!(fine.value("SELECT 1").await, "1");
    }
    let told = soon("the end by a deadline", stalled.hear_out()).await;
    assert!(told.iter().any(|reply| reply.tag == b'E'), "{told:?}");
    server.signal_all(rustix::process::Signal::CONT);
    let back = async {
        loop {
            if let Ok(mut session) = Pg::try_login(&pooler.place(&stalls)).await
                && session.query_or_end("SELECT 4").await.iter().any(|reply| reply.tag == b'D')
            {
                break;
            }
        }
    };
    soon("service again", back).await;
}
