//! The commands about the cache: what they ask of a console, what they print, and how they end.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::{Deepwater, Home, LISTEN, Origin, Run, pool, run};

/// A console that answers everything with this.
async fn console(status: &str, body: &str) -> Origin {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    Origin::answering(move |_| answer.clone()).await
}

async fn purge(console: SocketAddr, arguments: &[&str]) -> Run {
    let console = format!("http://{console}");
    let line = [&["purge", "--console", &console][..], arguments].concat();
    run(&Home::new().path(""), &line).await
}

const PURGED: &str =
    r#"{"purged": {"tag": ["product:42", "b"], "url": ["https://a.example/b?c"]}, "soft": false}"#;

#[tokio::test]
async fn a_purge_names_all_that_was_typed() {
    let home = Home::new();
    home.write("token", "hunter2\n");
    let console = console("200 OK", PURGED).await;
    let address = console.address.to_string();
    let arguments = [
        &["purge", "--tag", "product:42", "--tag", "b", "--url", "https://a.example/b?c"][..],
        &["--prefix", "a.example/b/", "--host", "a.example", "--version", "pricing", "--all", "--soft"],
        &["--console", &address, "--token", "file:token"],
    ];
    let done = run(&home.path(""), &arguments.concat()).await;
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");

    let asked = console.only_request();
    assert_eq!((asked.method(), asked.target()), ("POST", "/api/cache/purge"));
    assert_eq!(asked.get("content-type"), Some("application/json"));
    assert_eq!(asked.get("authorization"), Some("Bearer hunter2"));
    let expected = json!({
        "tag": ["product:42", "b"],
        "url": ["https://a.example/b?c"],
        "prefix": ["a.example/b/"],
        "host": ["a.example"],
        "version": ["pricing"],
        "all": true,
        "soft": true
    });
    assert_eq!(serde_json::from_str::<Value>(asked.text()).unwrap(), expected);
}

#[tokio::test]
async fn a_purge_tells_each_thing_in_a_line() {
    let console = console("200 OK", PURGED).await;
    let done = purge(console.address, &["--tag", "product:42"]).await;
    assert_eq!(done.stdout, "purged tag product:42\npurged tag b\npurged url https://a.example/b?c\n");

    let json = purge(console.address, &["--tag", "product:42", "--json"]).await;
    assert_eq!(json.code, Some(0), "{json:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&json.stdout).unwrap(),
        serde_json::from_str::<Value>(PURGED).unwrap()
    );
}

#[tokio::test]
async fn a_purge_of_nothing_asks_nobody() {
    let console = console("200 OK", PURGED).await;
    for arguments in [&[][..], &["--soft"], &["--tag"], &["--nonsense", "a"]] {
        let refused = purge(console.address, arguments).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{arguments:?}: {refused:?}");
    }
    assert_eq!(console.connections(), 0);
}

#[tokio::test]
async fn a_purge_that_is_refused_says_why() {
    for (status, body, code, said) in [
        ("400 Bad Request", r#"{"error": "`a b` is no URL: encode it"}"#, 2, "`a b` is no URL: encode it\n"),
        ("409 Conflict", r#"{"error": "no route caches"}"#, 1, "no route caches\n"),
        ("404 Not Found", r#"{"error": "there is nothing here"}"#, 1, "404 Not Found: there is nothing here"),
        ("401 Unauthorized", r#"{"error": "no"}"#, 2, "asks for its token\n  fix: --token"),
        ("200 OK", "<h1>shop</h1>", 1, "/api/cache/purge answered 200 OK\n  fix:"),
        ("200 OK", "{}", 1, "this version does not know"),
        ("502 Bad Gateway", "", 1, "502 Bad Gateway\n  fix:"),
    ] {
        let console = console(status, body).await;
        let refused = purge(console.address, &["--tag", "a"]).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(code), ""), "{status}: {refused:?}");
        assert!(refused.stderr.contains(said), "{status}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn a_purge_without_a_console_has_a_way_out() {
    let nowhere = Origin::nowhere().await;
    let failed = purge(nowhere, &["--all"]).await;
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""));
    assert!(failed.stderr.contains(&nowhere.to_string()), "{}", failed.stderr);
    assert!(failed.stderr.contains("fix:"), "{}", failed.stderr);
}

#[tokio::test]
async fn a_purge_reaches_the_cache() {
    let origin = Origin::answering(|_| {
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nSurrogate-Key: a b\r\nContent-Length: 2\r\n\r\nok"
            .into()
    })
    .await;
    let route = "[[edge.route]]\npool = \"app\"\ncache = { version = \"pricing\" }\n";
    let edge = Deepwater::start(&format!("{LISTEN}{route}{}", pool("app", &[origin.address]))).await;
    for _ in 0..2 {
        assert_eq!(edge.get("/").await.text(), "ok");
    }
    assert_eq!(origin.heard().len(), 1, "the second is answered from the cache");

    let done = purge(edge.console, &["--tag", "a"]).await;
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "purged tag a\n"), "{done:?}");
    edge.get("/").await;
    assert_eq!(origin.heard().len(), 2);

    let done = purge(edge.console, &["--version", "pricing"]).await;
    assert!(done.stdout.starts_with("version pricing is now "), "{done:?}");
    edge.get("/").await;
    assert_eq!(origin.heard().len(), 3);

    let refused = purge(edge.console, &["--url", "https:///a"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");

    let console = format!("http://{}", edge.console);
    let status = run(&edge.home().path(""), &["status", "--console", &console]).await;
    let line = "Cache deepwater-edge: hit ratio 25.0 %, ";
    assert!(status.stdout.contains(line), "{line} is missing in\n{}", status.stdout);
}

#[tokio::test]
async fn a_purge_where_nothing_caches_says_how_to() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::fronting(&origin).await;
    let refused = purge(edge.console, &["--all"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("cache = true"), "{}", refused.stderr);
}
