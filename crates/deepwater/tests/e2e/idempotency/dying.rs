//! Nodes that are killed at every step: a client that tries again through another gets one effect.

use deepwater_core::random::Random;
use rustix::process::Signal;

use super::*;

const ROUTE: &str = "idempotency = { lease = \"1s\" }";
/// Where an order goes on for long after its client has left.
const PATIENT: &str = "idempotency = { lease = \"1m\" }";

#[tokio::test]
async fn nodes_share_their_keys() {
    let (till, redis) = (Till::open().await, Redis::start().await);
    let (one, other) = (node(&till, &redis, ROUTE).await, node(&till, &redis, ROUTE).await);
    assert_eq!(one.ask(order("k", "{}")).await.text(), "order 1 of k");
    let again = other.ask(order("k", "{}")).await;
    assert_eq!((again.text(), again.get("idempotent-replayed")), ("order 1 of k", Some("true")));
    one.signal(Signal::KILL);
    assert_eq!(insist(&other, "k").await.text(), "order 1 of k");
    assert_eq!(till.effects("k"), 1);
}

#[tokio::test]
async fn an_order_whose_node_dies_is_done_once() {
    let (till, redis) = (Till::open().await, Redis::start().await);
    let other = node(&till, &redis, ROUTE).await;
    for (number, step) in [Step::Heard, Step::Done, Step::Answering].into_iter().enumerate() {
        let key = format!("{step:?}");
        let one = node(&till, &redis, ROUTE).await;
        till.stop_at(Some(step));
        let mut client = one.client().await;
        client.send(order(&key, "{}")).await;
        till.has_stopped(number + 1).await;
        one.signal(Signal::KILL);
        client.closes().await;
        till.stop_at(None);
        // Nobody can know whether it was done: so it is not done again.
        let answer = insist(&other, &key).await;
        assert_eq!((answer.status(), &code(&answer)[..]), (409, "outcome_unknown"), "{step:?}");
        assert_eq!(till.effects(&key), 1, "{step:?}");
    }
}

#[tokio::test]
async fn a_node_that_is_asked_to_leave_ends_the_orders_of_clients_that_have_left() {
    let (till, redis) = (Till::open().await, Redis::start().await);
    let (mut one, other) = (node(&till, &redis, PATIENT).await, node(&till, &redis, PATIENT).await);
    till.stop_at(Some(Step::Heard));
    let mut client = one.client().await;
    client.send(order("k", "{}")).await;
    till.has_stopped(1).await;
    drop(client);
    one.counts("deepwater_edge_connections", &[], 0.0).await;
    one.terminate();
    one.log_line("finishing requests under way").await;
    // For as long as some pages take there is nobody left but the order.
    for _ in 0..8 {
        assert_eq!(one.page("/readyz").await.status(), 503);
    }
    till.stop_at(None);
    assert_eq!(one.ends().await, Some(0));
    let answer = other.ask(order("k", "{}")).await;
    assert_eq!((answer.text(), answer.get("idempotent-replayed")), ("order 1 of k", Some("true")));
    assert_eq!(till.effects("k"), 1);
}

#[tokio::test]
async fn an_order_that_never_left_its_node_is_done_by_another() {
    let (till, redis) = (Till::open().await, Redis::start().await);
    let (one, other) = (node(&till, &redis, ROUTE).await, node(&till, &redis, ROUTE).await);
    let mut client = one.client().await;
    let whole = order("k", "{}");
    client.send(&whole[..whole.len() - 1]).await;
    one.signal(Signal::KILL);
    client.closes().await;
    assert_eq!(insist(&other, "k").await.text(), "order 1 of k");
    assert_eq!(till.effects("k"), 1);
}

#[tokio::test]
async fn whenever_a_node_dies_no_order_is_done_twice() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("SEED={seed}");
    let mut random = Random::from_seed(seed);
    let (till, redis) = (Till::open().await, Redis::start().await);
    let other = node(&till, &redis, ROUTE).await;
    for round in 0..12 {
        let one = node(&till, &redis, ROUTE).await;
        let keys: Vec<String> = (0..8).map(|order| format!("{round}-{order}")).collect();
        let mut clients = Vec::new();
        for key in &keys {
            let mut client = one.client().await;
            client.send(order(key, "{}")).await;
            clients.push(client);
        }
        // A little later, as long as some pages take.
        for _ in 0..random.below(8) {
            other.page("/healthz").await;
        }
        one.signal(Signal::KILL);
        for key in &keys {
            let answer = insist(&other, key).await;
            match answer.status() {
                201 => assert_eq!(till.effects(key), 1, "{key}, seed {seed}"),
                409 => {
                    assert_eq!(code(&answer), "outcome_unknown");
                    assert!(till.effects(key) <= 1, "{key}, seed {seed}");
                }
                status => panic!("{status} for {key}, seed {seed}"),
            }
        }
    }
}
