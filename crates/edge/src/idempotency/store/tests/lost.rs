//! A Redis that goes and comes back.

use std::time::Instant;

use tokio::net::TcpListener;

use super::super::{Redis, RedisFault, RedisPlan};
use super::rig::Server;
use super::*;

fn way_to(port: u16, timeout: Duration) -> Redis {
    Redis::new(RedisPlan::new(&format!("redis://127.0.0.1:{port}"), None, "k:", timeout).unwrap())
}

async fn begin(redis: &Redis, key: &str) -> Result<String, StoreError> {
    redis.begin(&digest(key), &digest("f"), owner(1), TERMS).await.map(|begun| word(&begun))
}

#[tokio::test]
async fn a_redis_that_restarts_is_found_again() {
    let mut server = Server::start();
    let redis = way_to(server.port, Duration::from_secs(20));
    assert_eq!(begin(&redis, "a").await.as_deref(), Ok("fresh"));
    server.stop();
    assert!(begin(&redis, "b").await.is_err());
    assert!(begin(&redis, "b").await.is_err());
    let server = Server::try_start(server.port, &[]).expect("its port is free again");
    assert_eq!(begin(&redis, "b").await.as_deref(), Ok("fresh"));
    assert_eq!(begin(&redis, "b").await.as_deref(), Ok("fresh"), "the scripts are there again, too");
    drop(server);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_nothing() {
    let server = Server::start();
    let redis = way_to(server.port, Duration::from_secs(20));
    assert_eq!(begin(&redis, "a").await.as_deref(), Ok("fresh"));
    let client = redis::Client::open(server.url()).unwrap();
    let mut admin = client.get_multiplexed_async_connection().await.unwrap();
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("SKIPME").arg("yes").arg("TYPE").arg("normal");
    let killed: i64 = kill.query_async(&mut admin).await.unwrap();
    assert_eq!(killed, 1);
    assert_eq!(begin(&redis, "b").await.as_deref(), Ok("fresh"));
}

#[tokio::test]
async fn a_redis_that_hangs_is_waited_for_no_longer_than_told() {
    // The system accepts for it; nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redis = way_to(silent.local_addr().unwrap().port(), Duration::from_millis(50));
    let started = Instant::now();
    let steps = (0..20).map(|number| {
        let redis = &redis;
        async move { begin(redis, &number.to_string()).await }
    });
    let mut steps: Vec<_> = steps.map(Box::pin).collect();
    // Side by side: each has its own deadline, none waits for the others'.
    std::future::poll_fn(|cx| {
        steps.retain_mut(|step| match step.as_mut().poll(cx) {
            std::task::Poll::Ready(found) => {
                assert!(found.unwrap_err().0.contains("no answer within 50ms"));
                false
            }
            std::task::Poll::Pending => true,
        });
        if steps.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_others_have_written_is_an_error() {
    let rig = RedisRig::new();
    let key = format!("{}{}", rig.prefix, digest("a").hex());
    let mut admin = rig.admin().await;
    redis::cmd("SET").arg(&key).arg("x").exec_async(&mut admin).await.unwrap();
    assert!(rig.store().begin(&digest("a"), &digest("f"), owner(1), TERMS).await.is_err());

    redis::cmd("DEL").arg(&key).exec_async(&mut admin).await.unwrap();
    let begun = rig.store().begin(&digest("a"), &digest("f"), owner(1), TERMS).await;
    assert_eq!(word(&begun.unwrap()), "fresh");
    redis::cmd("HSET").arg(&key).arg("s").arg("done").arg("a").arg("x").exec_async(&mut admin).await.unwrap();
    let begun = rig.store().begin(&digest("a"), &digest("f"), owner(1), TERMS).await;
    assert!(begun.unwrap_err().0.contains("not an answer of this version"));
}

#[test]
fn what_is_no_redis_is_refused_and_not_repeated() {
    let plan = |url: &str, authorities: Option<&str>| {
        RedisPlan::new(url, authorities.map(|pem| pem.as_bytes().to_vec()), "k:", SECOND).map(drop)
    };
    assert!(plan("redis://user:secret@localhost:6379/2", None).is_ok());
    for url in ["", "localhost:6379", "http://localhost", "redis://", "redis://a:secret@:x"] {
        let fault = plan(url, None).expect_err(url);
        assert!(matches!(fault, RedisFault::Url) && !fault.to_string().contains("secret"), "{url}: {fault}");
    }
    assert!(matches!(plan("redis://localhost", Some("x")), Err(RedisFault::NoTls)));
}
