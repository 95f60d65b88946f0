//! What cannot be moved keeps its client on one server, for as long as it is there, and is counted.

use super::backend;
use crate::support::pg_wire::Pg;
use crate::support::postgres::{Database, Place, Pooler, Version};

async fn two_servers() -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 2").await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

async fn pinned(pooler: &Pooler, database: &Database, reason: &str) -> f64 {
    let labels =
        [("database", database.database.as_str()), ("user", database.user.as_str()), ("reason", reason)];
    pooler.metrics().await.get("deepwater_postgres_pins_total", &labels).unwrap_or_default()
}

/// One way to pin a client, how to see that its thing is still there, and how to be rid of it.
struct Way {
    reason: &'static str,
    begin: &'static str,
    there: (&'static str, &'static str),
    end: &'static str,
}

const WAYS: [Way; 3] = [
    Way {
        reason: "advisory_lock",
        begin: "SELECT pg_advisory_lock(4711)",
        there: (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND pid = pg_backend_pid()",
            "1",
        ),
        end: "SELECT pg_advisory_unlock(4711)",
    },
    Way {
        reason: "temp_table",
        begin: "CREATE TEMP TABLE mine AS SELECT 42 AS n",
        there: ("SELECT n FROM mine", "42"),
        end: "DROP TABLE mine",
    },
    Way {
        reason: "hold_cursor",
        begin: "DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 1000)",
        there: ("SELECT count(*) FROM pg_cursors WHERE name = 'c'", "1"),
        end: "CLOSE c",
    },
];

#[tokio::test]
async fn who_is_pinned_keeps_the_server_until_the_reason_is_gone() {
    for way in WAYS {
        println!("{}", way.reason);
        let (database, pooler, place) = two_servers().await;
        let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
        client.run(way.begin).await;
        let kept = backend(&mut client).await;
        for _ in 0..3 {
            assert_ne!(backend(&mut other).await, kept, "{}", way.reason);
            assert_eq!(client.value(way.there.0).await, way.there.1, "{}", way.reason);
        }
        assert_eq!(pinned(&pooler, &database, way.reason).await, 1.0, "{}", way.reason);
        client.run(way.end).await;
        // Now two others can have a server each while the client is idle.
        let mut third = Pg::login(&place).await;
        other.run("BEGIN").await;
        third.run("BEGIN").await;
        assert!([backend(&mut other).await, backend(&mut third).await].contains(&kept), "{}", way.reason);
        other.run("COMMIT").await;
        third.run("COMMIT").await;
    }
}

#[tokio::test]
async fn who_leaves_while_pinned_leaves_nothing() {
    for way in WAYS {
        for politely in [true, false] {
            let (database, _pooler, place) = two_servers().await;
            let mut client = Pg::login(&place).await;
            client.run(way.begin).await;
            if politely {
                client.leave().await;
            } else {
                drop(client);
            }
            database
                .becomes(
                    &format!(
                        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = \
                (SELECT oid FROM pg_database WHERE datname = '{}')",
                        database.database
                    ),
                    "0",
                )
                .await;
            let (mut one, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
            one.run("BEGIN").await;
            other.run("BEGIN").await;
            for session in [&mut one, &mut other] {
                assert_eq!(session.value("SELECT count(*) FROM pg_class WHERE relname = 'mine'").await, "0");
                assert_eq!(session.value("SELECT count(*) FROM pg_cursors").await, "0");
            }
        }
    }
}

#[tokio::test]
async fn locks_of_a_transaction_do_not_pin() {
    let (database, pooler, place) = two_servers().await;
    let mut client = Pg::login(&place).await;
    client.run("SELECT pg_advisory_xact_lock(1)").await;
    client.run("CREATE TEMP TABLE short () ON COMMIT DROP").await;
    client.run("BEGIN; CREATE TEMP TABLE undone (); ROLLBACK").await;
    client.run("BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c; COMMIT").await;
    client.run("SELECT 'pg_advisory_lock(1)' -- CREATE TEMP TABLE t ()").await;
    let (mut one, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    one.run("BEGIN").await;
    other.run("BEGIN").await;
    drop((one, other));
    for reason in ["advisory_lock", "hold_cursor"] {
        assert_eq!(pinned(&pooler, &database, reason).await, 0.0, "{reason}");
    }
}

#[tokio::test]
async fn a_lock_is_held_against_other_clients() {
    let (database, _pooler, place) = two_servers().await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    client.run("SELECT pg_advisory_lock(1)").await;
    for _ in 0..3 {
        assert_eq!(other.value("SELECT pg_try_advisory_lock(1)").await, "f");
        client.run("SELECT 1").await;
    }
    let mut direct = database.session().await;
    assert_eq!(direct.value("SELECT pg_try_advisory_lock(1)").await, "f");
    client.run("SELECT pg_advisory_unlock_all()").await;
    assert_eq!(direct.value("SELECT pg_try_advisory_lock(1)").await, "t");
}
