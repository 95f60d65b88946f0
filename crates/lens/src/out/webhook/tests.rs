//! The receiver is a real one, on loopback.

use std::path::Path;
use std::time::{Duration, SystemTime};

use deepwater_core::{Context, Events};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::queue::LIMIT;
use super::{Change, Config, Webhook, WebhookError};
use crate::out::testing::{PATIENCE, Receiver};

const CHANGES: &str = "deepwater_lens_webhook_changes_total";

const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const ELSEWHERE: &str = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";

fn hook(receiver: &Receiver) -> String {
    format!("http://{}/hook?key=hunter2", receiver.address)
}

fn body(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn change(number: u32) -> Change {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    Change { cliff: json!({ "id": "pool:shop", "n": number }), was: "clear", is: "near", at }
}

fn config(url: &str) -> Config {
    Config { url: url.parse().unwrap(), token: Some("open sesame".parse().unwrap()) }
}

fn start(url: &str) -> (Context, Webhook) {
    let context = Context::new(7, Events::silent());
    let webhook = Webhook::start(Some(&config(url)), Path::new("."), &context).unwrap();
    (context, webhook)
}

async fn counts(context: &Context, outcome: &str, count: u64) {
    let reached = async {
        while context.metrics.sum(CHANGES, &[("outcome", outcome)]) < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{count} {outcome}"));
}

#[tokio::test]
async fn a_change_is_posted_until_it_is_taken() {
    let mut receiver = Receiver::answering(&[BUSY, BUSY, TAKEN]).await;
    let (context, webhook) = start(&hook(&receiver));
    webhook.tell(change(1));
    for _ in 0..3 {
        let request = receiver.hears().await;
        assert!(request.head.starts_with("POST /hook?key=hunter2 HTTP/1.1\r\n"), "{}", request.head);
        let head = request.head.to_ascii_lowercase();
        for field in ["authorization: bearer open sesame", "content-type: application/json"] {
            assert!(head.contains(field), "{field} in {head}");
        }
        let expected = json!({
            "cliff": { "id": "pool:shop", "n": 1 }, "was": "clear", "is": "near", "at": "2026-01-01T00:00:00.000Z",
        });
        assert_eq!(body(&request.body), expected);
    }
    counts(&context, "delivered", 1).await;
    assert_eq!(context.metrics.sum("deepwater_lens_webhook_retries_total", &[]), 2);
    assert_eq!(context.events.counts().get("webhook_failed"), None);
}

#[tokio::test]
async fn a_refusal_is_final_and_told_once_until_the_next_success() {
    let mut receiver = Receiver::answering(&[ELSEWHERE, ELSEWHERE, TAKEN]).await;
    let (context, webhook) = start(&hook(&receiver));
    for number in 0..3 {
        webhook.tell(change(number));
    }
    counts(&context, "delivered", 1).await;
    counts(&context, "failed", 2).await;
    let mut numbers = Vec::new();
    while numbers.len() < 3 {
        numbers.push(body(&receiver.hears().await.body)["cliff"]["n"].as_u64().unwrap());
    }
    assert_eq!(numbers, [0, 1, 2], "each was posted once");
    let events = context.events.recent(10);
    let messages: Vec<_> = events.iter().rev().map(|event| event.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].contains("302") && messages[0].contains("not followed"), "{messages:?}");
    assert!(messages[1].contains("not told of 2"), "{messages:?}");
    assert!(messages.iter().all(|message| !message.contains("hunter2")), "{messages:?}");
}

#[tokio::test(start_paused = true)]
async fn the_oldest_makes_room_while_the_receiver_is_away() {
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", nowhere.local_addr().unwrap());
    drop(nowhere);
    let (context, webhook) = start(&url);
    for number in 0..100 {
        webhook.tell(change(number));
    }
    let dropped = context.metrics.sum(CHANGES, &[("outcome", "dropped")]);
    assert_eq!(dropped, 100 - LIMIT as u64);
    // Each is given up after its four posts, however long the receiver is away. This clock moves while all wait.
    for _ in 0..LIMIT * 30 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(context.metrics.sum(CHANGES, &[("outcome", "failed")]), LIMIT as u64);
    assert_eq!(context.metrics.sum("deepwater_lens_webhook_retries_total", &[]), 3 * LIMIT as u64);
    assert_eq!(context.events.counts()["webhook_failed"], 1);
}

#[tokio::test]
async fn a_reload_changes_the_receiver_or_nothing() {
    let mut receiver = Receiver::answering(&[TAKEN]).await;
    let url = hook(&receiver);
    let context = Context::new(7, Events::silent());
    let webhook = Webhook::start(None, Path::new("."), &context).unwrap();
    webhook.tell(change(0));
    webhook.reload(Some(&config(&url)), Path::new(".")).unwrap();
    for wrong in ["no url", "ftp://a/", "env:DEEPWATER_NO_SUCH_VARIABLE"] {
        let error = webhook.reload(Some(&config(wrong)), Path::new(".")).unwrap_err();
        assert!(error.to_string().starts_with("lens.webhook.url: "), "{error}");
    }
    let unsendable = Config { token: Some("a\nb".parse().unwrap()), ..config(&url) };
    assert!(matches!(webhook.reload(Some(&unsendable), Path::new(".")), Err(WebhookError::Token)));
    webhook.tell(change(1));
    counts(&context, "delivered", 1).await;
    let first = receiver.hears().await;
    assert_eq!(body(&first.body)["cliff"]["n"], 1, "nobody was to be told of the one before");
}
