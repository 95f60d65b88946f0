//! What is wrong with the answers, in words that say where to look.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{Deepwater, Origin, Wire, ok};

/// What is usual is known after half a minute.
const WATCHED: Duration = Duration::from_secs(100);

/// Asks again and again, some ten times a second, whatever comes.
async fn ask(mut client: Wire) {
    loop {
        client.get("/").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Looks until what is wrong is as wanted.
async fn told(edge: &Deepwater, wanted: &str) {
    let mut seen = serde_json::Value::Null;
    let found = timeout(WATCHED, async {
        loop {
            seen = edge.json("/api/cliffs").await;
            if seen["trouble"].as_str().is_some_and(|trouble| trouble.contains(wanted)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(found.await.is_ok(), "not {wanted:?}: {seen:#}");
    assert!(seen["summary"].as_str().unwrap().contains(wanted), "{seen:#}");
}

#[tokio::test]
async fn an_application_that_is_not_there_is_no_reason_for_a_cache() {
    let origin = Origin::answering(|_| ok("fine")).await;
    let edge = Deepwater::fronting(&origin).await;
    drop(origin);
    let mut clients = JoinSet::new();
    clients.spawn(ask(edge.client().await));
    told(&edge, "100 % of answers are errors (5xx): there is no connection to the application").await;
    let advice = edge.json("/api/advice").await;
    let summary = advice["summary"].as_str().unwrap();
    assert!(summary.starts_with("nothing to advise before this is mended: 100 %"), "{summary}");
}

#[tokio::test]
async fn an_application_that_hangs_is_named_though_nothing_is_answered() {
    let (hang, hangs) = watch::channel(false);
    let origin = Origin::scripted(move |mut visit| {
        let mut hangs = hangs.clone();
        async move {
            loop {
                if visit.request().await.is_none() {
                    return;
                }
                if hangs.wait_for(|hangs| !hangs).await.is_err() {
                    return;
                }
                visit.send(ok("fine")).await;
            }
        }
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut clients = JoinSet::new();
    for _ in 0..10 {
        clients.spawn(ask(edge.client().await));
    }
    let seconds = async {
        let course = "/api/signals?name=application.requests&label=app&last=1m";
        let known = |page: serde_json::Value| {
            page["values"].as_array().unwrap().iter().filter(|value| value.is_number()).count()
        };
        while known(edge.json(course).await) < 35 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(WATCHED, seconds).await.unwrap();
    hang.send(true).unwrap();
    told(&edge, "10 wait for it, it seems to hang").await;
    hang.send(false).unwrap();
    let taken_back = async {
        while !edge.json("/api/cliffs").await["trouble"].is_null() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(WATCHED, taken_back).await.unwrap();
}
