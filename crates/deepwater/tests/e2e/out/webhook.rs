//! Somebody is told when a cliff comes near, and when something is wrong with the answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{Deepwater, Home, LISTEN, Message, Origin, ROUTE, ok, pool, run, soon};

const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Files that the process may open, in place of what the machine allows.
const FILES: u64 = 300;

/// Open files of the process.
fn open(edge: &Deepwater) -> u64 {
    std::fs::read_dir(format!("/proc/{}/fd", edge.pid())).unwrap().count() as u64
}

/// What `/api/cliffs` says of files.
async fn files(edge: &Deepwater) -> Value {
    let cliffs = edge.json("/api/cliffs").await;
    let rows = cliffs["cliffs"].as_array().unwrap();
    rows.iter().find(|row| row["id"] == "descriptors:files").cloned().unwrap_or_default()
}

fn body(post: &Message) -> Value {
    serde_json::from_str(post.text()).unwrap()
}

/// The machine that the tests run on may have cliffs of its own.
fn is_of_files(post: &Message) -> bool {
    body(post)["cliff"]["id"] == "descriptors:files"
}

#[tokio::test]
async fn a_receiver_that_fails_twice_is_told_of_a_cliff() {
    let posts = AtomicUsize::new(0);
    let receiver = Origin::answering(move |post| {
        let busy = is_of_files(post) && posts.fetch_add(1, Ordering::SeqCst) < 2;
        if busy { BUSY.into() } else { TAKEN.into() }
    })
    .await;
    let origin = Origin::answering(|_| ok("fine")).await;
    let home = Home::new();
    home.write("token", "open sesame");
    let url = format!("http://{}/hook?key=hunter2", receiver.address);
    let webhook = format!("[lens.webhook]\nurl = \"{url}\"\ntoken = \"file:token\"\n");
    let config = format!("{webhook}{LISTEN}{ROUTE}{}", pool("app", &[origin.address]));
    let edge = Deepwater::start_in(home, &config).await;
    assert!(!edge.page("/api/config").await.text().contains("hunter2"));

    let pid = Pid::from_raw(edge.pid().cast_signed()).unwrap();
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(FILES), maximum: Some(FILES) }).unwrap();
    soon("the limit to be seen", async { while files(&edge).await["limit"] != FILES as f64 {} }).await;
    // The few that are left are for the receiver and the console.
    let mut clients = Vec::new();
    while open(&edge) < FILES * 96 / 100 {
        let mut client = edge.client().await;
        client.get("/").await;
        clients.push(client);
    }
    let posts = loop {
        let heard = receiver.heard();
        let posts: Vec<_> = heard.iter().filter(|post| is_of_files(post)).cloned().collect();
        if posts.len() >= 3 {
            break posts;
        }
        receiver.hears(heard.len() + 1).await;
    };
    let told = body(&posts[0]);
    assert_eq!((&told["is"], &told["cliff"]["level"]), (&"over".into(), &"over".into()), "{told}");
    assert!(told["was"].is_string(), "{told}");
    assert!(told["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{told}");
    for post in &posts[..3] {
        assert_eq!(post.start, "POST /hook?key=hunter2 HTTP/1.1");
        assert_eq!(post.get("authorization"), Some("Bearer open sesame"));
        assert_eq!(post.text(), posts[0].text(), "the same until it is taken");
    }
    let delivered = [("outcome", "delivered")];
    soon("it to be counted", async {
        while edge.metrics().await.sum("deepwater_lens_webhook_changes_total", &delivered) < 1.0 {}
    })
    .await;
    let level = [("cliff", "descriptors:files")];
    assert_eq!(edge.metrics().await.get("deepwater_lens_cliff_level", &level), Some(3.0));
}

/// It lasts before it is told, and before it is told that it is over.
const WATCHED: Duration = Duration::from_secs(100);

/// What the receiver is told of the answers as soon as it was told so often.
async fn told_of_service(receiver: &Origin, times: usize) -> Vec<Value> {
    let told = timeout(WATCHED, async {
        loop {
            let all = receiver.heard();
            let told: Vec<_> =
                all.iter().map(body).filter(|told| told["cliff"]["kind"] == "service").collect();
            if told.len() >= times {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    told.await.unwrap_or_else(|_| panic!("not told {times} times: {:?}", receiver.heard()))
}

#[tokio::test]
async fn a_receiver_is_told_of_an_application_that_dies_and_comes_back() {
    let receiver = Origin::answering(|_| TAKEN.into()).await;
    let origin = Origin::answering(|_| ok("fine")).await;
    let address = origin.address;
    let webhook = format!("[lens.webhook]\nurl = \"http://{}/hook\"\n", receiver.address);
    let edge = Deepwater::start(&format!("{webhook}{LISTEN}{ROUTE}{}", pool("app", &[address]))).await;
    let mut clients = JoinSet::new();
    let mut client = edge.client().await;
    clients.spawn(async move {
        loop {
            client.get("/").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    origin.hears(100).await;
    origin.stop().await;

    let told = told_of_service(&receiver, 1).await.remove(0);
    let cliff = &told["cliff"];
    assert_eq!((&told["was"], &told["is"]), (&json!("clear"), &json!("over")), "{told}");
    assert_eq!((&cliff["id"], &cliff["resource"]), (&json!("service"), &json!("app")), "{told}");
    assert_eq!((&cliff["level"], &cliff["state"]), (&json!("over"), &json!("pressing")), "{told}");
    let text = cliff["text"].as_str().unwrap();
    assert!(text.starts_with("not all is well with `app`: "), "{text}");
    assert!(text.contains("there is no connection to the application"), "{text}");
    assert!(told["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{told}");

    let _back = Origin::answering_at(address, |_| ok("fine")).await;
    let all = told_of_service(&receiver, 2).await;
    let over = &all[1];
    assert_eq!((&over["was"], &over["is"]), (&json!("over"), &json!("clear")), "{over}");
    assert_eq!(
        (&over["cliff"]["id"], &over["cliff"]["resource"]),
        (&json!("service"), &json!("app")),
        "{over}"
    );
    assert_eq!(over["cliff"]["text"], "`app` answers as usual again", "{over}");
    assert_eq!(all.len(), 2, "each once: {all:?}");
    let events = edge.metrics().await;
    for event in ["service_failing", "service_recovered"] {
        assert_eq!(events.sum("deepwater_events_total", &[("event", event)]), 1.0, "{event}");
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_be_used_is_refused_at_the_start() {
    for (url, word) in
        [("ftp://a/", "no URL"), ("env:DEEPWATER_NO_SUCH_VARIABLE", "DEEPWATER_NO_SUCH_VARIABLE")]
    {
        let home = Home::new();
        let webhook = format!("[console]\nlisten = \"off\"\n[lens.webhook]\nurl = \"{url}\"\n");
        let rest = pool("app", &[Origin::nowhere().await]);
        let file = home.write("deepwater.toml", format!("{webhook}{LISTEN}{ROUTE}{rest}"));
        let told = run(&home.path(""), &["run", "-c", file.to_str().unwrap()]).await;
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(told.stderr.contains("lens.webhook.url") && told.stderr.contains(word), "{told:?}");
    }
}
