//! Static files.

use crate::support::{Deepwater, Home, LISTEN, Message};

async fn site() -> Deepwater {
    let home = Home::new();
    home.write("public/index.html", "<h1>home</h1>");
    home.write("public/docs/index.html", "<h1>docs</h1>");
    home.write("public/app.js", "0123456789");
    home.write("public/.env", "SECRET=1");
    home.write("secret.txt", "secret");
    std::os::unix::fs::symlink(home.path("secret.txt"), home.path("public/link.txt")).unwrap();
    let routes = "[[edge.route]]\nmatch = { path = \"/static/*\" }\nfiles = { root = \"public\" }\n";
    Deepwater::start_in(home, &format!("{LISTEN}{routes}")).await
}

async fn get(edge: &Deepwater, path: &str, fields: &str) -> Message {
    edge.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await
}

#[tokio::test]
async fn files_are_served_with_their_type() {
    let edge = site().await;
    let script = edge.get("/static/app.js").await;
    assert_eq!((script.status(), script.text()), (200, "0123456789"));
    assert_eq!(script.get("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(edge.get("/static/").await.text(), "<h1>home</h1>");
    assert_eq!(edge.get("/static/docs/").await.text(), "<h1>docs</h1>");
    assert_eq!(edge.get("/static/missing").await.status(), 404);
    let directory = edge.get("/static/docs").await;
    assert!((301..=308).contains(&directory.status()), "{directory:?}");
    assert!(directory.get("location").is_some_and(|to| to.ends_with("/static/docs/")));
}

#[tokio::test]
async fn nothing_outside_the_root_is_served() {
    let edge = site().await;
    for path in [
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/..%2fsecret.txt",
        "/static/%2e%2e%2fsecret.txt",
        "/static/..%5csecret.txt",
        "/static/....//secret.txt",
        "/static//etc/passwd",
        "/static/.env",
        "/static/%2eenv",
        "/static/link.txt",
        "/static/app.js%00.html",
    ] {
        let answer = edge.get(path).await;
        assert!(matches!(answer.status(), 400 | 403 | 404), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_known_file_is_not_sent_again() {
    let edge = site().await;
    let first = edge.get("/static/app.js").await;
    let (etag, modified) = (first.get("etag").unwrap(), first.get("last-modified").unwrap());
    for condition in [format!("If-None-Match: {etag}\r\n"), format!("If-Modified-Since: {modified}\r\n")] {
        let again = get(&edge, "/static/app.js", &condition).await;
        assert_eq!((again.status(), again.body.len()), (304, 0), "{condition}");
        assert_eq!(again.get("etag"), Some(etag));
    }
    let changed = get(&edge, "/static/app.js", "If-None-Match: \"other\"\r\n").await;
    assert_eq!(changed.status(), 200);
    assert_eq!(get(&edge, "/static/app.js", "If-Match: \"other\"\r\n").await.status(), 412);
}

#[tokio::test]
async fn a_part_of_a_file_can_be_asked_for() {
    let edge = site().await;
    for (range, status, body, content_range) in [
        ("bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("bytes=7-", 206, "789", Some("bytes 7-9/10")),
        ("bytes=-3", 206, "789", Some("bytes 7-9/10")),
        ("bytes=5-100", 206, "56789", Some("bytes 5-9/10")),
        ("bytes=nonsense", 200, "0123456789", None),
        ("lines=1-2", 200, "0123456789", None),
    ] {
        let answer = get(&edge, "/static/app.js", &format!("Range: {range}\r\n")).await;
        assert_eq!((answer.status(), answer.text()), (status, body), "{range}");
        assert_eq!(answer.get("content-range"), content_range, "{range}");
    }
    let beyond = get(&edge, "/static/app.js", "Range: bytes=10-\r\n").await;
    assert_eq!((beyond.status(), beyond.get("content-range")), (416, Some("bytes */10")));
    let stale = get(&edge, "/static/app.js", "Range: bytes=2-4\r\nIf-Range: \"old\"\r\n").await;
    assert_eq!((stale.status(), stale.text()), (200, "0123456789"));
}

#[tokio::test]
async fn files_are_only_read() {
    let edge = site().await;
    for method in ["POST", "PUT", "DELETE"] {
        let answer = edge
            .ask(format!("{method} /static/app.js HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"))
            .await;
        assert_eq!(answer.status(), 405, "{method}");
    }
    let mut client = edge.client().await;
    client.send("HEAD /static/app.js HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.response_to("HEAD").await.get("content-length"), Some("10"));
    assert_eq!(client.get("/static/app.js").await.text(), "0123456789");
}
