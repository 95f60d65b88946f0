//! Cancel requests: the query they are for, and never another.

use super::backend;
use super::waiting::queue_becomes;
use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Database, Place, Pooler, Version};

/// A query that ends only when it is cancelled, and can be told from others.
fn endless(number: u32) -> String {
    format!("SELECT pg_sleep(1000{number})")
}

fn runs(number: u32) -> String {
    format!("state = 'active' AND query = '{}'", endless(number))
}

async fn cancel(place: &Place, pid: u32, key: &[u8]) {
    let mut connection = Pg::dial(place).await;
    connection.say(say::cancel(pid, key)).await;
    assert!(connection.hear_out().await.is_empty(), "a cancel request is not answered");
}

async fn pooled(keys: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, keys).await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

#[tokio::test]
async fn a_query_is_cancelled() {
    for mode in ["session", "transaction", "statement"] {
        let (database, _pooler, place) = pooled(&format!("mode = \"{mode}\"")).await;
        for place in [(*database).clone(), place] {
            let mut session = Pg::login(&place).await;
            session.say(say::query(&endless(1))).await;
            database.sessions_become(1, &runs(1)).await;
            cancel(&place, session.pid, &session.key).await;
            let told = session.hear_until(b'Z').await;
            assert_eq!(told.iter().find(|reply| reply.tag == b'E').unwrap().code(), "57014", "{told:?}");
            assert_eq!(session.value("SELECT 1").await, "1");
        }
    }
}

#[tokio::test]
async fn only_the_right_key_cancels() {
    let (database, pooler, place) = pooled("").await;
    let mut session = Pg::login(&place).await;
    session.say(say::query(&endless(1))).await;
    database.sessions_become(1, &runs(1)).await;
    let mut wrong = session.key.clone();
    wrong[0] ^= 1;
    cancel(&place, session.pid, &wrong).await;
    cancel(&place, session.pid.wrapping_add(1), &session.key).await;
    cancel(&place, session.pid, &[0; 4]).await;
    for length in [0, 1, 3, 5, 32, 256, 257, 5_000] {
        let mut connection = Pg::dial(&place).await;
        connection.say(say::cancel(session.pid, &vec![7; length])).await;
        connection.hear_out().await;
    }
    for backend in database.backends().await {
        cancel(&place, backend, &session.key).await;
    }
    pooler.log_line("cancel_unmatched").await;
    database.sessions_become(1, &runs(1)).await;
    cancel(&place, session.pid, &session.key).await;
    assert!(session.hear_until(b'Z').await.iter().any(|reply| reply.tag == b'E'));
}

#[tokio::test]
async fn sessions_have_keys_of_their_own() {
    let (_database, _pooler, place) = pooled("pool_size = 1").await;
    let mut keys = std::collections::BTreeSet::new();
    let mut sessions = Vec::new();
    for _ in 0..20 {
        let session = Pg::login(&place).await;
        assert!(keys.insert((session.pid, session.key.clone())), "a key comes twice");
        sessions.push(session);
    }
}

#[tokio::test]
async fn only_ones_own_query_is_cancelled() {
    let (database, _pooler, place) = pooled("pool_size = 2").await;
    let (mut one, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    one.say(say::query(&endless(1))).await;
    other.say(say::query(&endless(2))).await;
    database.sessions_become(1, &runs(1)).await;
    database.sessions_become(1, &runs(2)).await;
    cancel(&place, one.pid, &one.key).await;
    one.hear_until(b'Z').await;
    database.sessions_become(1, &runs(2)).await;
    cancel(&place, other.pid, &other.key).await;
    other.hear_until(b'Z').await;
}

#[tokio::test]
async fn a_client_without_a_server_cancels_nobody() {
    // The idle client had the one server last; the next has it now.
    let (database, _pooler, place) = pooled("pool_size = 1").await;
    let (mut idle, mut busy) = (Pg::login(&place).await, Pg::login(&place).await);
    let server = backend(&mut idle).await;
    assert_eq!(backend(&mut busy).await, server);
    busy.say(say::query(&endless(1))).await;
    database.sessions_become(1, &runs(1)).await;
    for _ in 0..10 {
        cancel(&place, idle.pid, &idle.key).await;
    }
    database.sessions_become(1, &runs(1)).await;
    cancel(&place, busy.pid, &busy.key).await;
    busy.hear_until(b'Z').await;
    assert_eq!(idle.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn a_client_that_waits_is_cancelled_in_the_queue() {
    let (database, pooler, place) = pooled("pool_size = 1").await;
    let (mut busy, mut waiting) = (Pg::login(&place).await, Pg::login(&place).await);
    busy.say(say::query(&endless(1))).await;
    database.sessions_become(1, &runs(1)).await;
    waiting.say(say::query("SELECT 2")).await;
    queue_becomes(&pooler, &database, 1).await;
    cancel(&place, waiting.pid, &waiting.key).await;
    // Its query fails, or its connection is ended; the busy one does not notice.
    let error = waiting.hear().await;
    assert_eq!((error.tag, error.code().as_str()), (b'E', "57014"), "{error:?}");
    database.sessions_become(1, &runs(1)).await;
    cancel(&place, busy.pid, &busy.key).await;
    busy.hear_until(b'Z').await;
}

#[tokio::test]
async fn late_cancels_hit_nobody() {
    // Each client cancels itself just as its query ends, and the server goes on to the next.
    let (_database, _pooler, place) = pooled("pool_size = 1").await;
    let mut clients = Vec::new();
    for number in 0..8 {
        let place = place.clone();
        clients.push(tokio::spawn(async move {
            let mut session = Pg::login(&place).await;
            for round in 0..25 {
                let cancels = number % 2 == 0;
                session.say(say::query(&format!("SELECT {round}"))).await;
                if cancels {
                    cancel(&place, session.pid, &session.key).await;
                }
                let told = session.hear_until(b'Z').await;
                let failed = told.iter().find(|reply| reply.tag == b'E');
                assert!(failed.is_none() || cancels, "another's cancel: {told:?}");
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn newer_clients_have_longer_keys_if_the_pooler_speaks_their_version() {
    let (database, _pooler, place) = pooled("").await;
    let mut session = Pg::dial(&place).await;
    let own = [("user", place.user.as_str()), ("database", place.database.as_str())];
    session.say(say::startup(2, &own)).await;
    let heard = session.prove(&place.user, &place.password).await.unwrap();
    let negotiated = heard.iter().find(|reply| reply.tag == b'v');
    match negotiated {
        // An older version was agreed on.
        Some(reply) => assert_eq!((reply.to_string().as_str(), session.key.len()), ("Negotiate 0 []", 4)),
        None => assert!((4..=256).contains(&session.key.len()), "{heard:?}"),
    }
    session.say(say::query(&endless(1))).await;
    database.sessions_become(1, &runs(1)).await;
    cancel(&place, session.pid, &session.key).await;
    assert!(session.hear_until(b'Z').await.iter().any(|reply| reply.tag == b'E'));
}
