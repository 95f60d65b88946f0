//! By which columns large tables are filtered, as real servers count it.

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::cliffs::insist;
use crate::support::Deepwater;
use crate::support::postgres::{Pooler, Setup, Version};

/// It is asked every ten seconds, and a rate needs two answers.
const WATCHED: Duration = Duration::from_secs(100);

const TABLE: &str = "\
CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL); \
INSERT INTO events SELECT n, timestamptz '2026-01-01' + n * interval '1 hour' FROM generate_series(1, 20000) n; \
CREATE INDEX ON events (at); CREATE INDEX ON events (lower(id::text)); \
ANALYZE events; GRANT ALL ON events TO PUBLIC";

/// The signal's values, by what is behind the table's name.
async fn scans(pooler: &Deepwater, table: &str) -> Vec<(String, f64)> {
    let page = pooler.json("/api/signals").await;
    let signals = page["signals"].as_array().unwrap().iter().filter(|one| one["name"] == "database.scans");
    let of =
        |one: &Value| Some((one["label"].as_str()?.strip_prefix(table)?.to_owned(), one["value"].as_f64()?));
    signals.filter_map(of).collect()
}

async fn by_what_a_table_is_filtered(version: Version) {
    let database = version.database().await;
    database.admin().await.run(TABLE).await;
    let (user, password) = (&database.user, &database.password);
    let url = format!("postgres://{user}:{password}@{}/{}", database.address, database.database);
    let section = format!("[postgres.databases.{}]\nprimary = \"{url}\"\n", database.database);
    let pooler: Pooler =
        Setup::new().with("pool_size = 10").section(&section).user(user, password).start().await;
    let mut clients = JoinSet::new();
    let sql = "SELECT FROM events WHERE at = '2026-02-02 02:00Z'; SELECT pg_sleep(0.01)";
    clients.spawn(insist(pooler.place(&database), sql));
    let table = format!("{}/public.events/", database.database);
    let mut seen = Vec::new();
    let found = timeout(WATCHED, async {
        while !seen.iter().any(|(by, rate)| by == "at" && *rate > 1.0) {
            tokio::time::sleep(Duration::from_millis(200)).await;
            seen = scans(&pooler, &table).await;
        }
    });
    assert!(found.await.is_ok(), "{version:?}: {seen:?}");
    assert!(seen.iter().all(|(by, rate)| by == "at" || *rate < 1.0), "{version:?}: {seen:?}");

    // It is far too small to be divided, which the advice says of it.
    let advice = pooler.json("/api/advice").await;
    let considered = advice["considered"].as_array().unwrap();
    let partitioning = considered.iter().find(|one| one["technique"] == "partitioning").unwrap();
    assert_eq!(partitioning["verdict"], "no_need");
    assert!(
        partitioning["why"].as_str().unwrap().starts_with("the largest table, public.events,"),
        "{partitioning}"
    );
}

#[tokio::test]
async fn by_what_tables_are_filtered_is_seen() {
    tokio::join!(
        by_what_a_table_is_filtered(Version::Distribution),
        by_what_a_table_is_filtered(Version::Newest)
    );
}
