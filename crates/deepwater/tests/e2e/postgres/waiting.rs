//! When all servers are busy: in order, for a bounded time, and with a word.

use std::time::{Duration, Instant};

use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Database, Place, Pooler, Setup, Version};
use crate::support::soon;

async fn pooled(keys: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, keys).await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

/// Waits until so many clients wait.
pub(super) async fn queue_becomes(pooler: &Pooler, database: &Database, length: usize) {
    let labels = [("database", database.database.as_str()), ("user", database.user.as_str())];
    pooler.counts("deepwater_postgres_waiting_clients", &labels, length as f64).await;
}

async fn holder(place: &Place) -> Pg {
    let mut holder = Pg::login(place).await;
    holder.run("BEGIN").await;
    holder
}

#[tokio::test]
async fn who_waited_longest_is_served_first() {
    let (database, pooler, place) = pooled("pool_size = 1").await;
    database
        .admin()
        .await
        .run(&format!(
            "CREATE TABLE served (n serial, who int); ALTER TABLE served OWNER TO {}",
            database.user
        ))
        .await;
    let mut holder = holder(&place).await;
    let mut waiting = Vec::new();
    for number in 0..12 {
        let mut session = Pg::login(&place).await;
        session.say(say::query(&format!("INSERT INTO served (who) VALUES ({number})"))).await;
        queue_becomes(&pooler, &database, number + 1).await;
        waiting.push(session);
    }
    holder.run("COMMIT").await;
    for session in &mut waiting {
        session.hear_until(b'Z').await;
    }
    let order = holder.value("SELECT string_agg(who::text, ' ' ORDER BY n) FROM served").await;
    assert_eq!(order, "0 1 2 3 4 5 6 7 8 9 10 11");
    queue_becomes(&pooler, &database, 0).await;
}

#[tokio::test]
async fn whoever_comes_now_does_not_overtake() {
    // The one that just gave its server back asks again at once, and must queue up.
    let (database, pooler, place) = pooled("pool_size = 1").await;
    let mut holder = holder(&place).await;
    let mut waiting = Pg::login(&place).await;
    waiting.say(say::query("SELECT clock_timestamp()")).await;
    queue_becomes(&pooler, &database, 1).await;
    holder.run("COMMIT").await;
    let later = holder.rows("SELECT clock_timestamp()").await[0][0].clone();
    let sooner = waiting.hear_until(b'Z').await[1].row()[0].clone();
    assert!(sooner < later, "{sooner:?} {later:?}");
}

#[tokio::test]
async fn too_long_a_wait_fails_with_53300() {
    let (database, pooler, place) = pooled("pool_size = 1\n[postgres.timeouts]\nmax_wait = \"1s\"").await;
    let mut holder = holder(&place).await;
    let mut waiting = Pg::login(&place).await;
    let began = Instant::now();
    waiting.say(say::query("SELECT 1")).await;
    let error = waiting.hear().await;
    assert_eq!(error.code(), "53300", "{error:?}");
    assert!(!error.sentence().is_empty());
    assert!(began.elapsed() >= Duration::from_secs(1));
    queue_becomes(&pooler, &database, 0).await;
    // And all is well again.
    holder.run("COMMIT").await;
    assert_eq!(Pg::login(&place).await.value("SELECT 1").await, "1");
    let labels = [("database", database.database.as_str()), ("user", database.user.as_str())];
    pooler.counts("deepwater_postgres_refused_total", &labels, 1.0).await;
}

#[tokio::test]
async fn one_too_many_is_refused_at_once() {
    let (database, pooler, place) = pooled("pool_size = 1\nmax_waiting = 2").await;
    let mut holder = holder(&place).await;
    let mut waiting = Vec::new();
    for number in 0..2 {
        let mut session = Pg::login(&place).await;
        session.say(say::query("SELECT 1")).await;
        queue_becomes(&pooler, &database, number + 1).await;
        waiting.push(session);
    }
    for _ in 0..3 {
        let mut session = Pg::login(&place).await;
        session.say(say::query("SELECT 1")).await;
        let error = soon("an answer at once", session.hear()).await;
        assert_eq!(error.code(), "53300", "{error:?}");
    }
    holder.run("COMMIT").await;
    for session in &mut waiting {
        assert!(session.hear_until(b'Z').await.iter().all(|reply| reply.tag != b'E'));
    }
}

#[tokio::test]
async fn who_waits_is_told_so() {
    let (_database, _pooler, place) =
        pooled("pool_size = 1\n[postgres.timeouts]\nwait_notify = \"50ms\"").await;
    let mut holder = holder(&place).await;
    let mut waiting = Pg::login(&place).await;
    waiting.say(say::query("SELECT 1")).await;
    let notice = waiting.hear().await;
    assert_eq!(notice.tag, b'N', "{notice:?}");
    holder.run("COMMIT").await;
    assert!(waiting.hear_until(b'Z').await.iter().any(|reply| reply.tag == b'D'));
}

#[tokio::test]
async fn who_leaves_the_queue_holds_nobody_up() {
    let (database, pooler, place) = pooled("pool_size = 1").await;
    let mut holder = holder(&place).await;
    let mut gone = Vec::new();
    for number in 0..3 {
        let mut session = Pg::login(&place).await;
        session.say(say::query("SELECT 1")).await;
        queue_becomes(&pooler, &database, number + 1).await;
        gone.push(session);
    }
    drop(gone);
    queue_becomes(&pooler, &database, 0).await;
    let mut waiting = Pg::login(&place).await;
    waiting.say(say::query("SELECT 1")).await;
    queue_becomes(&pooler, &database, 1).await;
    holder.run("COMMIT").await;
    assert!(waiting.hear_until(b'Z').await.iter().any(|reply| reply.tag == b'D'));
}

#[tokio::test]
async fn the_reserve_is_for_those_who_waited() {
    let keys = "pool_size = 1\nreserve_pool_size = 1\n[postgres.timeouts]\nreserve_pool = \"1s\"";
    let (database, _pooler, place) = pooled(keys).await;
    let _holder = holder(&place).await;
    let mut waiting = Pg::login(&place).await;
    let began = Instant::now();
    assert_eq!(waiting.value("SELECT 1").await, "1");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(database.backends().await.len(), 2);
}

#[tokio::test]
async fn caps_of_a_database_and_a_user_hold_over_pools() {
    let database = Version::Newest.database().await;
    let other = database.role("other", "").await;
    let setup = Setup::new().with("pool_size = 5\nmax_db_connections = 2\nworkers = 2");
    let setup = setup.database(&database, "").user(&other.user, &other.password);
    let pooler = setup.start().await;
    let (place, other) = (pooler.place(&database), pooler.place(&other));
    let (mut one, _two) = (holder(&place).await, holder(&other).await);
    let mut third = Pg::login(&other).await;
    third.say(say::query("SELECT 1")).await;
    let labels = [("database", database.database.as_str()), ("user", other.user.as_str())];
    pooler.counts("deepwater_postgres_waiting_clients", &labels, 1.0).await;
    assert_eq!(database.backends().await.len(), 2);
    // A server of one pool makes room for the other.
    one.run("COMMIT").await;
    assert!(third.hear_until(b'Z').await.iter().any(|reply| reply.tag == b'D'));
    assert_eq!(database.backends().await.len(), 2);
}

#[tokio::test]
async fn clients_beyond_the_limits_are_refused() {
    for (keys, database_keys) in [
        ("max_clients = 3", ""),
        ("max_db_client_connections = 3", ""),
        ("", "max_db_client_connections = 3"),
        ("max_user_client_connections = 3", ""),
    ] {
        let database = Version::Newest.database().await;
        let pooler = Setup::new().with(keys).database(&database, database_keys).start().await;
        let place = pooler.place(&database);
        let mut sessions = Vec::new();
        for _ in 0..3 {
            sessions.push(Pg::login(&place).await);
        }
        let refused = Pg::try_login(&place).await.expect_err("one too many");
        assert_eq!(refused.code(), "53300", "{keys} {database_keys}: {refused:?}");
        sessions.pop().unwrap().leave().await;
        // The place is free once the pooler has seen it leave.
        soon("a free place", async { while Pg::try_login(&place).await.is_err() {} }).await;
    }
}

#[tokio::test]
async fn a_crowd_is_served_by_few_without_an_error() {
    let (database, pooler, place) = pooled("pool_size = 3").await;
    let mut crowd = Vec::new();
    for number in 0..300 {
        let place = place.clone();
        crowd.push(tokio::spawn(async move {
            let mut session = Pg::login(&place).await;
            for round in 0..5 {
                let told = session.value(&format!("SELECT {number} + {round}")).await;
                assert_eq!(told, (number + round).to_string());
            }
        }));
    }
    for client in crowd {
        client.await.unwrap();
    }
    assert!(database.backends().await.len() <= 3);
    let labels = [("database", database.database.as_str()), ("user", database.user.as_str())];
    pooler.counts("deepwater_postgres_queries_total", &labels, 1_500.0).await;
}
