//! How many requests may come: by address, field, cookie, path or claim.

use std::num::NonZero;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::tokens::{Signer, claims_of, get_as, get_with, with};
use crate::support::{Deepwater, Home, LISTEN, Message, soon};

const SECRET: &str = "a secret that only the issuer and the edge know";

/// Routes that answer by themselves, behind a proxy that says whose requests it brings.
async fn limiting(routes: &str) -> Deepwater {
    let home = Home::new();
    home.write("secret", SECRET);
    let listen = LISTEN.replace("[edge]\n", "[edge]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    Deepwater::start_in(home, &format!("{listen}{routes}\n[auth.users]\nsecret = \"file:secret\"\n")).await
}

fn route(path: &str, more: &str) -> String {
    format!(
        "[[edge.route]]\nmatch = {{ path = \"{path}\" }}\nrespond = {{ status = 200, body = \"ok\" }}\n{more}\n"
    )
}

fn limit(answer: &Message) -> (u16, Option<&str>, Option<&str>) {
    (answer.status(), answer.get("ratelimit"), answer.get("retry-after"))
}

/// Asks with these fields, and says whether there were too many.
async fn passes(edge: &Deepwater, path: &str, fields: &str) -> bool {
    match edge.ask(get_with(path, fields)).await.status() {
        200 => true,
        429 => false,
        other => panic!("{other} for {path} with {fields}"),
    }
}

#[tokio::test]
async fn a_client_is_told_where_its_limit_stands_and_when_to_come_again() {
    let edge = limiting(&route("/*", "name = \"all\"\nrate_limit = { rate = 3, per = \"1h\" }")).await;
    let mut client = edge.client().await;
    let first = client.get("/").await;
    assert_eq!(first.get("ratelimit-policy"), Some("\"default\";q=3;w=3600"));
    assert_eq!(limit(&first), (200, Some("\"default\";r=2;t=1200"), None));
    assert_eq!(limit(&client.get("/").await), (200, Some("\"default\";r=1;t=2400"), None));
    assert_eq!(limit(&client.get("/").await), (200, Some("\"default\";r=0;t=3600"), None));
    for _ in 0..3 {
        let refused = client.get("/").await;
        assert_eq!(limit(&refused), (429, Some("\"default\";r=0;t=3600"), Some("1200")));
        assert_eq!(refused.get("ratelimit-policy"), Some("\"default\";q=3;w=3600"));
        assert_eq!(refused.get("cache-control"), Some("no-store"));
    }
    edge.counts("deepwater_edge_rate_limited_total", &[("route", "all")], 3.0).await;
}

#[tokio::test]
async fn a_burst_is_told_with_the_time_in_which_it_comes_back() {
    for (burst, policy, stands) in [
        (5, "\"default\";q=5;w=100", "\"default\";r=4;t=20"),
        (1, "\"default\";q=1;w=20", "\"default\";r=0;t=20"),
    ] {
        let limit = format!("rate_limit = {{ rate = 3, per = \"1m\", burst = {burst} }}");
        let answer = limiting(&route("/*", &limit)).await.get("/").await;
        assert_eq!((answer.get("ratelimit-policy"), answer.get("ratelimit")), (Some(policy), Some(stands)));
    }
}

#[tokio::test]
async fn keys_beyond_the_bound_are_counted_as_they_are_forgotten() {
    let limit = "name = \"few\"\nrate_limit = { rate = 1, per = \"1h\", key = \"ip\", max_keys = 1 }";
    let edge = limiting(&route("/*", limit)).await;
    edge.counts("deepwater_edge_rate_limit_keys_forgotten_total", &[("route", "few")], 0.0).await;
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert!(passes(&edge, "/", &format!("x-forwarded-for: {client}\r\n")).await);
    }
    edge.counts("deepwater_edge_rate_limit_keys_forgotten_total", &[("route", "few")], 2.0).await;
    assert!(!passes(&edge, "/", "x-forwarded-for: 192.0.2.3\r\n").await);
    assert!(passes(&edge, "/", "x-forwarded-for: 192.0.2.1\r\n").await, "it was forgotten");
}

#[tokio::test]
async fn an_empty_bucket_fills_again() {
    let edge = limiting(&route("/*", "rate_limit = { rate = 5, burst = 1 }")).await;
    let mut client = edge.client().await;
    let began = Instant::now();
    for _ in 0..3 {
        soon("the bucket to fill", async { while client.get("/").await.status() != 200 {} }).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(390), "two tokens of 200 ms: {:?}", began.elapsed());
}

#[tokio::test]
async fn addresses_have_buckets_of_their_own_and_ipv6_by_network() {
    let edge = limiting(&route("/*", "rate_limit = { rate = 1, per = \"1h\" }")).await;
    for (client, passing) in [
        ("192.0.2.1", true),
        ("192.0.2.1", false),
        ("::ffff:192.0.2.1", false),
        ("192.0.2.2", true),
        ("2001:db8::1", true),
        ("2001:db8::ffff:2", false),
        ("2001:db8:0:0:9::9", false),
        ("2001:db8:0:1::1", true),
        ("203.0.113.9, 192.0.2.3", true),
        ("203.0.113.8, 192.0.2.3", false),
    ] {
        let fields = format!("X-Forwarded-For: {client}\r\n");
        assert_eq!(passes(&edge, "/", &fields).await, passing, "{client}");
    }
}

#[tokio::test]
async fn fields_cookies_and_paths_tell_requests_apart() {
    let once = |key: &str| format!("rate_limit = {{ key = \"{key}\", rate = 1, per = \"1h\" }}");
    let routes = [
        route("/field", &once("header:X-Api-Key")),
        route("/cookie", &once("cookie:session")),
        route("/shops/{shop}/*", &once("path:shop")),
        route("/all", &once("all")),
    ];
    let edge = limiting(&routes.concat()).await;
    let other = "X-Forwarded-For: 192.0.2.7\r\n";
    for (path, fields, passing) in [
        ("/field", "X-Api-Key: a\r\n", true),
        ("/field", "x-api-key: a\r\n", false),
        ("/field", "X-Api-Key: b\r\n", true),
        // Without one, the address counts; a key that looks like an address is none.
        ("/field", "", true),
        ("/field", "", false),
        ("/field", other, true),
        ("/field", "X-Api-Key: 192.0.2.7\r\n", true),
        ("/cookie", "Cookie: session=1; x=y\r\n", true),
        ("/cookie", "Cookie: x=z; session=1\r\n", false),
        ("/cookie", "Cookie: session=2\r\n", true),
        ("/cookie", "", true),
        ("/shops/1/a", "", true),
        ("/shops/1/b", other, false),
        ("/shops/2/a", "", true),
        ("/all", "", true),
        ("/all", other, false),
    ] {
        assert_eq!(passes(&edge, path, fields).await, passing, "{path} {fields}");
    }
}

#[tokio::test]
async fn claims_tell_users_apart_once_they_are_verified() {
    let limits = "auth = \"users\"\nrate_limit = [{ key = \"claim:org.id\", rate = 2, per = \"1h\" }, { rate = 6, per = \"1h\" }]";
    let edge = limiting(&route("/*", limits)).await;
    let signer = Signer::secret(SECRET);
    let of_org = |id: u64| signer.token(&with(claims_of("ada"), json!({ "org": { "id": id } })));
    let mut client = edge.client().await;
    let mut seen = Vec::new();
    for token in [of_org(1), of_org(1), of_org(1), of_org(2), of_org(2) + "A", of_org(2)] {
        seen.push(client.ask(get_as("/", &token)).await.status());
    }
    // What proves nothing takes nothing from an organisation, but counts for its address.
    assert_eq!(seen, [200, 200, 429, 200, 401, 200]);
    let answer = client.ask(get_as("/", &of_org(3))).await;
    assert_eq!((answer.status(), answer.get("ratelimit-policy")), (429, Some("\"default\";q=6;w=3600")));
}

#[tokio::test]
async fn of_several_limits_the_nearest_is_told() {
    let limits = "rate_limit = [{ rate = 5, per = \"1h\" }, { key = \"all\", rate = 2, per = \"1m\" }]";
    let edge = limiting(&route("/*", limits)).await;
    let answer = edge.get("/").await;
    assert_eq!(limit(&answer), (200, Some("\"default\";r=1;t=30"), None));
    assert_eq!(answer.get("ratelimit-policy"), Some("\"default\";q=2;w=60"));
    edge.get("/").await;
    let refused = edge.get("/").await;
    assert_eq!(limit(&refused), (429, Some("\"default\";r=0;t=60"), Some("30")));
}

#[tokio::test]
async fn a_limit_is_exact_whoever_counts() {
    let cores = std::thread::available_parallelism().map_or(2, NonZero::get).max(4);
    let home = Home::new();
    let listen = LISTEN.replace("workers = 1", &format!("workers = {cores}"));
    let routes = route("/*", "rate_limit = { rate = 100, per = \"24h\" }");
    let edge = Deepwater::start_in(home, &format!("{listen}{routes}")).await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(edge.client().await);
    }
    let asking: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            tokio::spawn(async move {
                client.send(get_with("/", "").repeat(10)).await;
                let mut passed = 0;
                for _ in 0..10 {
                    passed += usize::from(client.response().await.status() == 200);
                }
                passed
            })
        })
        .collect();
    let mut passed = 0;
    for one in asking {
        passed += one.await.unwrap();
    }
    assert_eq!(passed, 100);
    edge.counts("deepwater_edge_rate_limited_total", &[("route", "/*")], 300.0).await;
}
