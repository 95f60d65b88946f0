//! Requests with idempotency keys: repeated, through one node or another, they are done once.

mod bodies;
mod dying;
mod encrypted;
mod redis;
mod repeating;
mod till;
mod whose;

use serde_json::Value;

use crate::support::{Deepwater, LISTEN, Message, pool, soon};

use redis::Redis;
use till::{Step, Till};

/// An order of a client with a key.
fn order(key: &str, body: &str) -> String {
    order_with(&format!("Idempotency-Key: {key}\r\n"), body)
}

/// An order with these fields.
fn order_with(fields: &str, body: &str) -> String {
    let length = body.len();
    format!("POST /orders HTTP/1.1\r\nHost: shop\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

/// A node in front of a till; `more` stands in its route, `tables` after everything.
fn config(till: &Till, more: &str, tables: &str) -> String {
    let pool = pool("app", &[till.address()]);
    format!("{LISTEN}[[edge.route]]\npool = \"app\"\n{more}\n{pool}{tables}")
}

/// A node that shares its keys with all that use the same Redis.
async fn node(till: &Till, redis: &Redis, more: &str) -> Deepwater {
    let tables = format!("[idempotency]\nredis = \"{}\"\ntimeout = \"10s\"\n", redis.url());
    Deepwater::start(&config(till, more, &tables)).await
}

/// The name of a problem.
fn code(answer: &Message) -> String {
    assert_eq!(answer.get("content-type"), Some("application/problem+json"), "{answer:?}");
    let problem: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(problem["status"], answer.status());
    problem["code"].as_str().unwrap().to_owned()
}

/// Sends an order again and again, until it is known what has become of it.
async fn insist(edge: &Deepwater, key: &str) -> Message {
    let settled = async {
        loop {
            let answer = edge.ask(order(key, "{}")).await;
            if answer.status() != 409 || code(&answer) != "in_flight" {
                return answer;
            }
        }
    };
    soon("to know what has become of it", settled).await
}
