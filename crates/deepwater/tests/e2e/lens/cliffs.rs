//! What ends first, from real load on a real server.

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::pg_wire::Pg;
use crate::support::postgres::{Place, Pooler, Setup, Version};
use crate::support::{Deepwater, LISTEN, Origin, ROUTE, pool};

/// A forecast needs half a minute of load.
const WATCHED: Duration = Duration::from_secs(100);

/// A client that says the same again and again.
pub(super) async fn insist(place: Place, sql: &'static str) {
    let mut session = Pg::login(&place).await;
    loop {
        session.run(sql).await;
    }
}

/// Looks until one of the cliffs is as wanted.
async fn cliff(deepwater: &Deepwater, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Value::Null;
    let found = timeout(WATCHED, async {
        loop {
            seen = deepwater.json("/api/cliffs").await;
            if let Some(cliff) = seen["cliffs"].as_array().unwrap().iter().find(|cliff| wanted(cliff)) {
                return cliff.clone();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    found.unwrap_or_else(|_| panic!("not among {seen:#}"))
}

#[tokio::test]
async fn a_pool_tells_how_much_it_can_carry() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 4\n").await;
    let mut clients = JoinSet::new();
    // One of four connections is always in use: what four can do is about four times as much.
    clients.spawn(insist(pooler.place(&database), "SELECT pg_sleep(0.02)"));
    let found = cliff(&pooler, |cliff| cliff["kind"] == "connection_pool" && !cliff["at"].is_null()).await;
    let [value, low, high] = ["load", "low", "high"].map(|name| found["at"][name].as_f64().unwrap());
    assert!(low < value && value < high, "{found:#}");
    // Of the same moment, and by what is in use then: on a busy machine clients pause, and load comes and goes.
    let [load, used] = [value / found["headroom"].as_f64().unwrap(), found["used"].as_f64().unwrap()];
    let carries = load * 4.0 / used;
    assert!((0.5..=1.3).contains(&(value / carries)), "{carries}, from {load}, of {found:#}");
    assert_eq!(found["limit"], 4.0);
    assert!(found["text"].as_str().unwrap().contains(" is exhausted at "), "{found:#}");
}

#[tokio::test]
async fn who_waits_for_a_row_is_seen() {
    let database = Version::Newest.database().await;
    database
        .admin()
        .await
        .run("CREATE TABLE counters AS SELECT 1 AS id, 0 AS n; GRANT ALL ON counters TO PUBLIC")
        .await;
    // With a user of its own, so that the server can be asked.
    let (user, password) = (&database.user, &database.password);
    let url = format!("postgres://{user}:{password}@{}/{}", database.address, database.database);
    let section = format!("[postgres.databases.{}]\nprimary = \"{url}\"\n", database.database);
    let pooler = Setup::new().with("pool_size = 10").section(&section).user(user, password).start().await;
    let mut clients = JoinSet::new();
    for _ in 0..6 {
        let sql = "BEGIN; UPDATE counters SET n = n + 1 WHERE id = 1; SELECT pg_sleep(0.02); COMMIT";
        clients.spawn(insist(pooler.place(&database), sql));
    }
    let found = cliff(&pooler, |cliff| cliff["kind"] == "locks" && cliff["state"] == "pressing").await;
    assert!(found["text"].as_str().unwrap().contains("`public.counters`"), "{found:#}");
    let value = |signal: &str| {
        let evidence = found["evidence"].as_array().unwrap();
        evidence.iter().find(|one| one["signal"] == signal).and_then(|one| one["value"].as_f64())
    };
    // One holds the row, five wait for it.
    assert!(value("locks.waiters").unwrap() >= 3.0, "{found:#}");
    assert!(value("locks.queue").unwrap() >= 2.0, "{found:#}");
    assert!(value("locks.blockers").unwrap() > 0.0, "{found:#}");
}

/// A role that may use the database and not see who else does.
#[tokio::test]
async fn a_server_that_does_not_tell_its_sessions_is_named_and_served() {
    let database = Version::Newest.database().await;
    database.admin().await.run("REVOKE SELECT ON pg_stat_activity FROM PUBLIC").await;
    let (user, password) = (&database.user, &database.password);
    let url = format!("postgres://{user}:{password}@{}/{}", database.address, database.database);
    let section = format!("[postgres.databases.{}]\nprimary = \"{url}\"\n", database.database);
    let pooler = Setup::new().section(&section).user(user, password).start().await;
    let mut client = Pg::login(&pooler.place(&database)).await;
    let what = format!("what the server of {} does", database.database);
    let signals = timeout(WATCHED, async {
        loop {
            assert_eq!(client.value("SELECT 1").await, "1");
            let signals = pooler.json("/api/signals").await;
            if signals["unknown"].as_array().unwrap().iter().any(|one| one["what"] == *what) {
                return signals;
            }
        }
    })
    .await
    .unwrap();
    let unknown = signals["unknown"].as_array().unwrap().iter().find(|one| one["what"] == *what).unwrap();
    assert!(unknown["why"].as_str().unwrap().contains("permission denied"), "{unknown:#}");
    let sessions = |one: &Value| one["name"].as_str().unwrap().starts_with("database.");
    assert!(!signals["signals"].as_array().unwrap().iter().any(sessions), "{signals:#}");
}

/// The system's files are not where they should be.
#[tokio::test]
async fn what_cannot_be_measured_is_said_and_harms_nobody() {
    let origin = Origin::named("ok").await;
    let nowhere = "[lens.system]\nproc = \"/nowhere/proc\"\nsys = \"/nowhere/sys\"\n";
    let config = format!("{LISTEN}{nowhere}{ROUTE}{}", pool("app", &[origin.address]));
    let edge = Deepwater::start(&config).await;
    let signals = timeout(WATCHED, async {
        loop {
            assert_eq!(edge.get("/").await.text(), "ok");
            let signals = edge.json("/api/signals").await;
            let ours = |one: &Value| one["name"] == "traffic.requests" && one["value"].is_number();
            if signals["signals"].as_array().unwrap().iter().any(ours) {
                return signals;
            }
        }
    })
    .await
    .unwrap();
    let unknown = signals["unknown"].as_array().unwrap();
    assert!(unknown.iter().any(|one| one["what"] == "memory"), "{unknown:#?}");
    let memory = signals["signals"].as_array().unwrap().iter().find(|one| one["name"] == "memory.used");
    assert!(memory.is_none(), "{signals:#}");
}
