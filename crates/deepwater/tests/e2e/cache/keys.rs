//! What is the same resource, and what is not.

use super::{caching, config, fresh, get, is_hit};
use crate::support::{Authority, Deepwater, H2Client, Home, LISTEN, Origin, Wire, pool};

/// An origin that says what it was asked for.
async fn naming() -> Origin {
    Origin::answering(|request| {
        fresh(&format!("{} {}", request.get("host").unwrap_or_default(), request.target()))
    })
    .await
}

fn to(host: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[tokio::test]
async fn the_same_in_another_writing_is_the_same() {
    let origin = naming().await;
    let edge = caching(&origin, "true").await;
    edge.ask(to("shop.example", "/a~b?c=%C3%BC")).await;
    for (host, target) in [
        ("shop.example", "/a~b?c=%C3%BC"),
        ("SHOP.Example", "/a~b?c=%C3%BC"),
        ("shop.example:80", "/a~b?c=%C3%BC"),
        ("shop.example", "/%61%7eb?c=%c3%bc"),
        ("shop.example", "http://shop.example/a~b?c=%C3%BC"),
        ("Shop.example", "http://SHOP.EXAMPLE:80/a~b?c=%C3%BC"),
    ] {
        let answer = edge.ask(to(host, target)).await;
        assert!(is_hit(&answer), "{host} {target}: {answer:?}");
    }
}

#[tokio::test]
async fn what_may_be_another_is_another() {
    let origin = naming().await;
    let edge = caching(&origin, "true").await;
    let all = [
        ("shop.example", "/a"),
        ("other.example", "/a"),
        ("shop.example:81", "/a"),
        ("shop.example", "/A"),
        ("shop.example", "/a/"),
        ("shop.example", "/a?"),
        ("shop.example", "/a?x=1&y=2"),
        ("shop.example", "/a?y=2&x=1"),
        ("shop.example", "/a?x=+"),
        ("shop.example", "/a?x=%20"),
        ("shop.example", "/a%2Fb"),
        ("shop.example", "/a/b"),
        ("shop.example", "/a%3Fx"),
        ("shop.example", "/a?x"),
        ("shop.example", "/a;b"),
        ("shop.example", "/a%3Bb"),
    ];
    for (host, target) in all {
        let answer = edge.ask(to(host, target)).await;
        assert!(!is_hit(&answer), "{host} {target} is another: {answer:?}");
        let asked = format!("{host} {target}");
        assert_eq!(answer.text(), asked.replace(":80 ", " "));
    }
    for (host, target) in all {
        let answer = edge.ask(to(host, target)).await;
        assert_eq!((answer.text(), is_hit(&answer)), (format!("{host} {target}").as_str(), true));
    }
}

#[tokio::test]
async fn the_scheme_is_part_of_the_key() {
    let origin = naming().await;
    let authority = Authority::new();
    let home = Home::new();
    let identity = authority.issue(&["shop.example"]);
    home.write("cert.pem", &identity.cert);
    home.write("key.pem", &identity.key);
    let listen = format!(
        "{LISTEN}[[edge.listen]]\naddress = \"127.0.0.1:0\"\ntls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n"
    );
    let config = config(&origin, "true").replace(LISTEN, &listen);
    let edge = Deepwater::start_in(home, &config).await;
    edge.get("/").await;
    assert!(is_hit(&edge.get("/").await));
    let secure = authority.connect(edge.dial(1).await, "shop.example", &["http/1.1"]).await;
    let mut secure = Wire::new(secure);
    assert!(!is_hit(&secure.get("/").await), "https is another origin");
    assert!(is_hit(&secure.get("/").await));
    super::purge(&edge, serde_json::json!({ "url": "shop.example/" })).await;
    assert!(!is_hit(&secure.get("/").await) && !is_hit(&edge.get("/").await), "both schemes are purged");
}

#[tokio::test]
async fn parameters_can_be_sorted_and_dropped() {
    let origin = naming().await;
    let edge = caching(&origin, "{ sort_query = true, drop_params = [\"utm_*\", \"gclid\"] }").await;
    let first = edge.get("/a?b=2&a=1").await;
    assert_eq!(
        first.text(),
        "shop.example /a?b=2&a=1",
        "the origin gets what counts, in the order of the first"
    );
    for same in ["/a?a=1&b=2", "/a?gclid=7&a=1&utm_medium=x&b=2", "/a?b=2&a=1&utm_"] {
        assert!(is_hit(&edge.get(same).await), "{same}");
    }
    for other in ["/a?a=1", "/a?a=1&b=3", "/a?a=1&b=2&utm=1", "/a?a=1&b=2&Gclid=1"] {
        assert!(!is_hit(&edge.get(other).await), "{other}");
    }
    // The order of values of one name has a meaning.
    edge.get("/l?x=1&x=2").await;
    assert!(!is_hit(&edge.get("/l?x=2&x=1").await));
    // A purge names them in any writing.
    super::purge(&edge, serde_json::json!({ "url": "shop.example/a?utm_campaign=1&b=2&a=1" })).await;
    assert!(!is_hit(&edge.get("/a?a=1&b=2").await));
    // A write too.
    edge.ask(super::ask("POST", "/a?b=2&gclid=9&a=1", "Content-Length: 0")).await;
    assert!(!is_hit(&edge.get("/a?a=1&b=2").await));
}

#[tokio::test]
async fn routes_share_what_is_the_same_to_both() {
    let origin = naming().await;
    let routes = "[[edge.route]]\nmatch = { header = { X-Side = \"*\" } }\npool = \"app\"\ncache = true\n\
                  [[edge.route]]\npool = \"app\"\ncache = true\n";
    let edge = Deepwater::start(&format!("{LISTEN}{routes}{}", pool("app", &[origin.address]))).await;
    edge.get("/").await;
    let answer = edge.ask(get("/", "X-Side: 1")).await;
    assert_eq!(answer.text(), "shop.example /");
}

#[tokio::test]
async fn both_protocols_share_what_is_stored() {
    let origin = naming().await;
    let edge = caching(&origin, "true").await;
    edge.get("/a").await;
    let client = H2Client::over(edge.dial(0).await).await;
    let answer = client.get("/a").await;
    assert_eq!(answer.body, b"shop.example /a");
    assert!(answer.head.headers()["cache-status"].to_str().unwrap().contains("; hit"));
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn what_does_not_count_is_not_sent_on() {
    let origin = Origin::answering(|request| fresh(request.target())).await;
    let edge = caching(&origin, "{ drop_params = [\"utm_*\"] }").await;
    assert_eq!(edge.get("/?utm_source=%3Cscript%3E&a=1").await.text(), "/?a=1");
    assert_eq!(edge.get("/?utm_source=x").await.text(), "/");
    let second = edge.get("/?a=1&utm_medium=mail").await;
    assert_eq!((second.text(), is_hit(&second)), ("/?a=1", true));
}

#[tokio::test]
async fn routes_for_one_url_share_nothing() {
    let (plain, beta) = (Origin::named("plain").await, Origin::named("beta").await);
    let edge = Deepwater::start(&format!(
        "{LISTEN}[[edge.route]]\nmatch = {{ header = {{ x-beta = \"1\" }} }}\npool = \"beta\"\n\
         cache = {{ default_ttl = \"1m\" }}\n[[edge.route]]\npool = \"app\"\n\
         cache = {{ default_ttl = \"1m\" }}\n{}{}",
        pool("app", &[plain.address]),
        pool("beta", &[beta.address])
    ))
    .await;
    for _ in 0..2 {
        assert_eq!(edge.ask(get("/", "X-Beta: 1")).await.text(), "beta");
        assert_eq!(edge.get("/").await.text(), "plain");
    }
    assert_eq!((plain.heard().len(), beta.heard().len()), (1, 1));
}
