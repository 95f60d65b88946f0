//! Repeats, and what is no repeat.

use crate::support::{Origin, ok};

use super::*;

/// A node whose keys are in its own memory.
async fn alone(till: &Till, more: &str) -> Deepwater {
    Deepwater::start(&config(till, more, "")).await
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_has_no_effect() {
    let till = Till::open().await;
    let edge = alone(&till, "idempotency = true").await;
    let mut client = edge.client().await;
    let first = client.ask(order("k1", "{}")).await;
    assert_eq!((first.status(), first.text()), (201, "order 1 of k1"));
    assert_eq!((first.get("set-cookie"), first.get("idempotent-replayed")), (Some("a=b"), None));
    for key in ["k1", "\"k1\""] {
        let again = client.ask(order(key, "{}")).await;
        assert_eq!((again.status(), again.text()), (201, "order 1 of k1"));
        assert_eq!((again.get("idempotent-replayed"), again.get("set-cookie")), (Some("true"), None));
        assert_eq!((again.get("x-till"), again.all("date").len()), (Some("1"), 1));
        assert_eq!(again.get("date"), first.get("date"));
    }
    assert_eq!(till.effects("k1"), 1);
    let route = [("route", "/*"), ("result", "repeated")];
    edge.counts("deepwater_idempotency_requests_total", &route, 2.0).await;
}

#[tokio::test]
async fn what_is_no_repeat_is_told_so() {
    let till = Till::open().await;
    let edge = alone(&till, "idempotency = { required = true, max_request = \"100B\" }").await;
    let ask = async |request: String| edge.ask(request).await;
    let refused = async |status: u16, name: &str, request: String| {
        let answer = ask(request).await;
        assert_eq!((answer.status(), &code(&answer)[..]), (status, name));
    };
    refused(400, "key_missing", order_with("", "{}")).await;
    refused(400, "key_invalid", order("a, b", "{}")).await;
    refused(413, "request_too_large", order("k", &"x".repeat(101))).await;
    assert_eq!(ask(order("k", "{}")).await.status(), 201);
    refused(422, "key_reused", order("k", "{ }")).await;
    let as_another = order_with("Idempotency-Key: k\r\nAuthorization: Bearer b\r\n", "{}");
    assert_eq!(ask(as_another).await.text(), "order 2 of k", "another client's key is another key");
    assert_eq!(edge.get("/orders").await.status(), 201, "a GET needs none");
}

#[tokio::test]
async fn while_the_first_is_under_way_its_repeats_wait() {
    let till = Till::open().await;
    let edge = alone(&till, "idempotency = true").await;
    till.stop_at(Some(Step::Heard));
    let mut first = edge.client().await;
    first.send(order("k", "{}")).await;
    till.has_stopped(1).await;
    let again = edge.ask(order("k", "{}")).await;
    assert_eq!((again.status(), &code(&again)[..]), (409, "in_flight"));
    assert!(again.get("retry-after").is_some());
    // The client leaves; its order is done all the same, and its answer waits for it.
    drop(first);
    till.stop_at(None);
    let again = insist(&edge, "k").await;
    assert_eq!((again.status(), again.text()), (201, "order 1 of k"));
    assert_eq!(till.effects("k"), 1);
}

#[tokio::test]
async fn what_failed_may_be_tried_again() {
    let till = Till::open().await;
    let edge = alone(&till, "idempotency = true").await;
    let failing = order_with("Idempotency-Key: k\r\nX-Status: 503 Later\r\n", "{}");
    assert_eq!(edge.ask(failing).await.status(), 503);
    let again = edge.ask(order("k", "{}")).await;
    assert_eq!((again.status(), again.text()), (201, "order 2 of k"));
    let refused = order_with("Idempotency-Key: l\r\nX-Status: 404 Not Found\r\n", "{}");
    for _ in 0..2 {
        assert_eq!(edge.ask(&refused).await.text(), "order 1 of l");
    }
}

#[tokio::test]
async fn what_never_reached_a_server_may_be_tried_again_at_once() {
    let nowhere = Origin::nowhere().await;
    let route = "[[edge.route]]\npool = \"app\"\nidempotency = true\n";
    let edge = Deepwater::start(&format!("{LISTEN}{route}{}", pool("app", &[nowhere]))).await;
    for _ in 0..2 {
        assert_eq!(edge.ask(order("k", "{}")).await.status(), 502);
    }
    let _origin = Origin::answering_at(nowhere, |_| ok("done")).await;
    let again = edge.ask(order("k", "{}")).await;
    assert_eq!((again.status(), again.text(), again.get("idempotent-replayed")), (200, "done", None));
}

#[tokio::test]
async fn every_answer_says_where_the_rate_limit_stands() {
    let till = Till::open().await;
    let limited = "idempotency = { required = true }\nrate_limit = { rate = 4, per = \"1h\" }";
    let edge = alone(&till, limited).await;
    let mut told = Vec::new();
    for asked in [order("k", "{}"), order("k", "{}"), order("k", "{1}"), order_with("", "{}")] {
        let answer = edge.ask(asked).await;
        assert_eq!(answer.all("ratelimit-policy"), ["\"default\";q=4;w=3600"], "{answer:?}");
        let [stands] = answer.all("ratelimit")[..] else { panic!("once, not {answer:?}") };
        told.push((answer.status(), stands.to_owned()));
    }
    let stands = |status, left, full| (status, format!("\"default\";r={left};t={full}"));
    assert_eq!(told, [stands(201, 3, 900), stands(201, 2, 1800), stands(422, 1, 2700), stands(400, 0, 3600)]);

    // With or without a key.
    let nowhere = pool("app", &[Origin::nowhere().await]);
    let limited = "idempotency = true\nrate_limit = { rate = 4, per = \"1h\" }";
    let edge =
        Deepwater::start(&format!("{LISTEN}[[edge.route]]\npool = \"app\"\n{limited}\n{nowhere}")).await;
    for (asked, left) in [(order("k", "{}"), 3), (order_with("", "{}"), 2)] {
        let answer = edge.ask(asked).await;
        let stands = format!("\"default\";r={left};t={}", (4 - left) * 900);
        assert_eq!((answer.status(), answer.all("ratelimit")), (502, vec![&*stands]));
    }
}
