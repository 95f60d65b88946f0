//! Keys in a Redis that speaks TLS.

use crate::support::{Authority, Home};

use super::*;

/// A node whose Redis must be vouched for by this authority, or by one of the system's.
async fn node_trusting(till: &Till, redis: &Redis, authority: Option<&Authority>) -> Deepwater {
    let home = Home::new();
    let ca = authority.map(|authority| home.write("redis-ca.pem", authority.pem()));
    let ca = ca.map(|file| format!("redis_ca = \"{}\"\n", file.display())).unwrap_or_default();
    let tables = format!("[idempotency]\nredis = \"{}\"\ntimeout = \"10s\"\n{ca}", redis.secure_url());
    Deepwater::start_in(home, &config(till, "idempotency = true", &tables)).await
}

#[tokio::test]
async fn nodes_share_keys_over_tls_with_a_redis_that_is_vouched_for_and_no_other() {
    let (till, authority) = (Till::open().await, Authority::new());
    let redis = match Redis::secure(&authority.issue(&["127.0.0.1"])).await {
        Ok(redis) => redis,
        Err(reason) => return eprintln!("SKIPPED: this system's redis-server has no TLS: {reason}"),
    };
    let (one, other) = (
        node_trusting(&till, &redis, Some(&authority)).await,
        node_trusting(&till, &redis, Some(&authority)).await,
    );
    assert_eq!(one.ask(order("k", "{}")).await.text(), "order 1 of k");
    let again = other.ask(order("k", "{}")).await;
    assert_eq!((again.text(), again.get("idempotent-replayed")), ("order 1 of k", Some("true")));

    for stranger in [Some(&Authority::new()), None] {
        let suspicious = node_trusting(&till, &redis, stranger).await;
        let refused = suspicious.ask(order("other", "{}")).await;
        assert_eq!((refused.status(), &code(&refused)[..]), (503, "unavailable"));
    }
    assert_eq!((till.effects("k"), till.effects("other")), (1, 0));
}

#[tokio::test]
async fn a_redis_of_another_name_is_not_trusted() {
    let (till, authority) = (Till::open().await, Authority::new());
    let redis = match Redis::secure(&authority.issue(&["redis.example"])).await {
        Ok(redis) => redis,
        Err(reason) => return eprintln!("SKIPPED: this system's redis-server has no TLS: {reason}"),
    };
    let node = node_trusting(&till, &redis, Some(&authority)).await;
    let refused = node.ask(order("k", "{}")).await;
    assert_eq!((refused.status(), till.effects("k")), (503, 0));
}
