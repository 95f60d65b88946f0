//! What becomes of advice: dismissed and restored, followed and measured, beyond the end of a process.

use std::time::Duration;

use deepwater_core::config::merge;
use serde_json::Value;
use tokio::time::timeout;

use crate::support::pg_wire::Pg;
use crate::support::postgres::{Database, Pooler, Setup, Version};
use crate::support::{Deepwater, Home, soon};

/// What is advised is looked at every five seconds.
const WATCHED: Duration = Duration::from_secs(60);
/// Where it is kept, beside `lens.snapshot`.
const KEPT: &str = "lens.state.advice.json";

/// A pooler whose pool may ask for more connections than the server allows, and somebody who uses it.
async fn too_large(database: &Database, lens: &str) -> (Pooler, Pg) {
    let (user, password) = (&database.user, &database.password);
    let url = format!("postgres://{user}:{password}@{}/{}", database.address, database.database);
    let keys = format!("primary = \"{url}\"\npool_size = 500");
    let section = format!("[postgres.databases.{}]\n{keys}\n{lens}", database.database);
    used(Setup::new().section(&section).user(user, password).start().await, database).await
}

/// The same again after a crash, in which what was left behind is changed.
async fn again(pooler: Pooler, database: &Database, meanwhile: impl FnOnce(&Home)) -> (Pooler, Pg) {
    used(pooler.killed_and_again(meanwhile).await, database).await
}

/// A pool is there from its first use.
async fn used(pooler: Pooler, database: &Database) -> (Pooler, Pg) {
    let mut client = Pg::login(&pooler.place(database)).await;
    client.run("SELECT 1").await;
    (pooler, client)
}

/// Looks until the page of advice is as wanted.
async fn page(deepwater: &Deepwater, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Value::Null;
    let found = timeout(WATCHED, async {
        loop {
            seen = deepwater.json("/api/advice").await;
            if wanted(&seen) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(found.await.is_ok(), "not what was wanted: {seen:#}");
    seen
}

/// The advice that the pools of a server are too large, if it is given.
fn pool_sum(page: &Value) -> Option<Value> {
    page["advice"].as_array()?.iter().find(|row| row["technique"] == "pool_sum").cloned()
}

/// What is done to advice by the API, and what that says.
async fn decide(deepwater: &Deepwater, advice: &Value, what: &str, body: &str) -> Value {
    let id = advice["id"].as_str().unwrap().replace(':', "%3A");
    let answer = deepwater.command_with(&format!("/api/advice/{id}/{what}"), body).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    serde_json::from_str(answer.text()).unwrap()
}

#[tokio::test]
async fn what_is_dismissed_is_so_at_once_and_after_a_crash() {
    let database = Version::Newest.database().await;
    let (pooler, _client) = too_large(&database, "[lens]\nsnapshot = \"lens.state\"\n").await;
    let before = page(&pooler, |page| pool_sum(page).is_some()).await;
    let advice = pool_sum(&before).unwrap();
    let title = advice["title"].as_str().unwrap();
    assert!(before["summary"].as_str().unwrap().starts_with(title), "{before:#}");

    let said = decide(&pooler, &advice, "dismiss", r#"{"reason": "they are never all busy"}"#).await;
    assert_eq!(said["remembered"], "also after a restart");
    let after = pooler.json("/api/advice").await;
    assert_eq!(after["summary"], "nothing to do next but what was dismissed", "{after:#}");
    assert_eq!(pool_sum(&after).unwrap()["dismissed"]["reason"], "they are never all busy");

    let (pooler, _client) = again(pooler, &database, |_| ()).await;
    let known = page(&pooler, |page| pool_sum(page).is_some()).await;
    assert_eq!(pool_sum(&known).unwrap()["dismissed"]["reason"], "they are never all busy");

    decide(&pooler, &advice, "restore", "").await;
    let restored = pooler.json("/api/advice").await;
    assert!(restored["summary"].as_str().unwrap().starts_with(title), "{restored:#}");
    let (pooler, _client) = again(pooler, &database, |_| ()).await;
    let known = page(&pooler, |page| pool_sum(page).is_some()).await;
    assert!(pool_sum(&known).unwrap()["dismissed"].is_null(), "{known:#}");
}

#[tokio::test]
async fn without_a_file_a_dismissal_says_how_long_it_is_remembered() {
    let database = Version::Newest.database().await;
    let (pooler, _client) = too_large(&database, "").await;
    let seen = page(&pooler, |page| pool_sum(page).is_some()).await;
    assert_eq!(seen["kept"], false);
    let said = decide(&pooler, &pool_sum(&seen).unwrap(), "dismiss", r#"{"reason": "no"}"#).await;
    let remembered = said["remembered"].as_str().unwrap();
    assert!(
        remembered.contains("until this process ends") && remembered.contains("snapshot"),
        "{remembered}"
    );
}

#[tokio::test]
async fn what_was_followed_is_measured_against_what_was_predicted() {
    let database = Version::Newest.database().await;
    let (pooler, _client) = too_large(&database, "[lens]\nsnapshot = \"lens.state\"\n").await;
    let advice = pool_sum(&page(&pooler, |page| pool_sum(page).is_some()).await).unwrap();
    let file = pooler.home().path("deepwater.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, merge(&text, advice["lines"].as_str().unwrap()).unwrap()).unwrap();
    let answer = pooler.command("/api/reload").await;
    assert_eq!(answer.status(), 200, "{answer:?}");

    let followed = page(&pooler, |page| page["applied"][0].is_object()).await;
    let row = &followed["applied"][0];
    assert_eq!(
        (&row["id"], &row["before"], &row["measured"]),
        (&advice["id"], &advice["gain"]["from"], &Value::Null)
    );
    assert!(pool_sum(&followed).is_none(), "{followed:#}");

    // It takes a minute and a half until it is measured: they pass while the process is away.
    let at = row["at"].as_str().unwrap().to_owned();
    let kept = pooler.home().path(KEPT);
    soon("it to be kept", async {
        while !std::fs::read_to_string(&kept).is_ok_and(|kept| kept.contains(&at)) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let long_ago = |home: &Home| {
        let kept = std::fs::read_to_string(home.path(KEPT)).unwrap();
        assert!(kept.contains(&at), "{kept}");
        home.write(KEPT, kept.replace(&at, "2026-01-01T00:00:00Z"));
    };
    let (pooler, _client) = again(pooler, &database, long_ago).await;
    let measured = page(&pooler, |page| page["applied"][0]["measured"].is_number()).await;
    let row = &measured["applied"][0];
    let (predicted, measured) = (row["predicted"].as_f64().unwrap(), row["measured"].as_f64().unwrap());
    assert!(measured <= predicted && measured > 0.9 * predicted, "{row:#}");
    assert!(row["text"].as_str().unwrap().contains(" predicted, "), "{row:#}");
}
