//! How far away clients are, from their own connections.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::support::{Deepwater, Origin};

/// Connections are looked at every ten seconds.
const WATCHED: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_round_trip_to_a_client_that_is_connected_is_seen() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    assert_eq!(client.get("/").await.text(), "ok");

    let named = |signals: &Value, name: &str| {
        let all = signals["signals"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name && one["label"] == "http").cloned()
    };
    let seen = timeout(WATCHED, async {
        loop {
            let signals = edge.json("/api/signals").await;
            // In a sandbox without `sock_diag` that is what must be told.
            let unknown = signals["unknown"].as_array().unwrap();
            if unknown.iter().any(|one| one["what"] == "connections of clients") {
                println!("no sock_diag here: {unknown:?}");
                return None;
            }
            if named(&signals, "network.round_trip").is_some_and(|one| one["value"].is_number()) {
                return Some(signals);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await
    .expect("one look or the other finds the client");
    let Some(signals) = seen else { return };
    let round_trip = named(&signals, "network.round_trip").unwrap();
    assert!((1e-6..1.0).contains(&round_trip["value"].as_f64().unwrap()), "{round_trip}");
    assert_eq!(round_trip["unit"], "seconds");
    assert_eq!(named(&signals, "network.round_trip_p95"), None, "there is but one client");
    assert_eq!(client.get("/").await.text(), "ok", "and it is still connected");
}
