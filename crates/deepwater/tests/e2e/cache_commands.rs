//! The commands about the cache: what they ask of a console, what they print, and how they end.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::{Deepwater, Home, LISTEN, Origin, ROUTE, Run, pool, run, soon};

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
        (
            "200 OK",
            "<h1>shop</h1>",
            1,
            "/api/cache/purge answered 200 OK, but not what a console says\n  fix:",
        ),
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

/// Objects asked for in turn, again and again, in the combined format.
fn combined(requests: usize, objects: usize) -> String {
    let line = |n: usize| {
        let path = n % objects;
        format!("10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] \"GET /{path} HTTP/1.1\" 200 100000 \"-\" \"-\"\n")
    };
    (0..requests).map(line).collect()
}

async fn cache_size(home: &Home, arguments: &[&str]) -> Run {
    run(&home.path(""), &[&["cache", "size"][..], arguments].concat()).await
}

#[tokio::test]
async fn the_size_of_a_cache_follows_from_a_log() {
    let home = Home::new();
    home.write("access.log", combined(1_000, 50));
    let done = cache_size(&home, &["--log", "access.log"]).await;
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
    for words in [
        "1,000 lines (common log): 0 not cacheable, 0 not understood",
        "hit ratio",
        "8 MiB |█",
        "8 MiB is worth its memory: 95.0 % hits",
        "[cache]\nmemory = \"8MiB\"\n",
    ] {
        assert!(done.stdout.contains(words), "{words} is missing in\n{}", done.stdout);
    }

    let sizes = "--sizes=2MiB,512MiB,1GiB";
    let done = cache_size(&home, &["--log", "access.log", "--log", "access.log", sizes, "--json"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["logs"][1], json!({ "file": "access.log", "format": "common log" }));
    assert_eq!((&report["requests"], &report["objects"]), (&2_000.into(), &50.into()));
    let sizes = report["sizes"].as_array().unwrap();
    let tried: Vec<_> = sizes.iter().map(|size| &size["size_bytes"]).collect();
    // What holds everything is enough.
    assert_eq!(tried, [2 << 20, 512 << 20]);
    assert_eq!(sizes[1]["hits"], 1_950);
    assert_eq!(report["worth_its_memory"], 512 << 20);
}

#[tokio::test]
async fn every_kind_of_log_is_read() {
    let home = Home::new();
    let json = r#"{"time":"2026-01-01T00:00:00.000Z","method":"GET","target":"/a","status":200,"sent_bytes":9,"host":"a"}"#;
    home.write("json.log", format!("{json}\n{json}\n"));
    home.write("plain.log", "a/a 9\na/a 9\nwhat is this\n");
    for (file, said) in [("json.log", "2 lines (JSON lines)"), ("plain.log", "1 not understood")] {
        let done = cache_size(&home, &["--log", file]).await;
        assert!(done.code == Some(0) && done.stdout.contains(said), "{done:?}");
        assert!(done.stdout.contains("50.0 % hits"), "{}", done.stdout);
    }
}

#[tokio::test]
async fn the_log_of_an_edge_is_read() {
    let origin = Origin::named("ok").await;
    let log = "[edge.access_log]\nformat = \"json\"\npath = \"access.log\"\n";
    let mut edge = Deepwater::start(&format!("{LISTEN}{log}{ROUTE}{}", pool("app", &[origin.address]))).await;
    for path in ["/a", "/b", "/a", "/a"] {
        edge.get(path).await;
    }
    // The log is whole when the process has ended.
    edge.terminate();
    assert_eq!(edge.ends().await, Some(0));
    let done = cache_size(edge.home(), &["--log", "access.log", "--json"]).await;
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&report["requests"], &report["objects"]), (&4.into(), &2.into()), "{done:?}");
}

#[tokio::test]
async fn a_log_may_come_on_standard_input() {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_deepwater"));
    let home = Home::new();
    let log = std::fs::File::open(home.write("access.log", combined(10, 5))).unwrap();
    command.args(["cache", "size", "--log", "-"]).stdin(log).kill_on_drop(true);
    let done = soon("the command to end", command.output()).await.unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(String::from_utf8(done.stdout).unwrap().contains("10 requests"));

    let twice = cache_size(&home, &["--log", "-", "--log", "-"]).await;
    assert!(twice.code == Some(2) && twice.stderr.contains("only once"), "{twice:?}");
}

#[tokio::test]
async fn a_log_that_is_none_is_named_with_its_line() {
    let home = Home::new();
    home.write("nonsense.log", "\n# a comment\nwhat is this\n");
    home.write("packed.log", b"\x1f\x8b\x08\x00");
    home.write("good.log", "a 1\n");
    for (arguments, said) in [
        (&["--log", "none.log"][..], "none.log: No such file"),
        (
            &["--log", "good.log", "--log", "nonsense.log"],
            "nonsense.log:3: not a line of an access log: `what is this`\n",
        ),
        (&["--log", "/"], "/:1: cannot be read: Is a directory"),
        (&["--log", "packed.log"], "zcat packed.log | deepwater cache size --log -"),
        (&["--log", "good.log", "--sizes", "1MiB,0B"], "nothing fits"),
        (&["--log", "good.log", "--sizes", "64M"], "64MiB"),
        (&[], "--log"),
    ] {
        let refused = cache_size(&home, arguments).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{arguments:?}: {refused:?}");
        assert!(refused.stderr.contains(said), "{arguments:?}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn an_empty_log_says_nothing_of_a_size() {
    let home = Home::new();
    home.write("empty.log", "");
    let done = cache_size(&home, &["--log", "empty.log"]).await;
    assert!(done.code == Some(0) && done.stdout.contains("nothing to replay"), "{done:?}");
}
