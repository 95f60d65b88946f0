//! Who answers when several could, and what happens when one cannot.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Answer, Deepwater, LISTEN, Origin, ROUTE, Wire, ok, pool, soon};

/// Origins that answer with their names, behind one edge.
struct Fleet {
    edge: Deepwater,
    origins: Vec<Origin>,
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

impl Fleet {
    async fn of(size: usize, pool_keys: &str) -> Self {
        let mut origins = Vec::new();
        for name in &NAMES[..size] {
            origins.push(Origin::named(name).await);
        }
        let targets: Vec<SocketAddr> = origins.iter().map(|origin| origin.address).collect();
        let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{}{pool_keys}", pool("app", &targets))).await;
        Self { edge, origins }
    }

    /// How often each origin answers so many requests of one connection.
    async fn share(&self, requests: usize, fields: &str) -> BTreeMap<String, usize> {
        let mut client = self.edge.client().await;
        let mut share = BTreeMap::new();
        for _ in 0..requests {
            *share.entry(who(&mut client, fields).await).or_default() += 1;
        }
        share
    }
}

/// The origin that answers a request with these fields.
async fn who(client: &mut Wire, fields: &str) -> String {
    let answer = client.ask(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer.text().to_owned()
}

fn shares(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

#[tokio::test]
async fn round_robin_gives_each_its_turn() {
    let fleet = Fleet::of(3, "balance = \"round_robin\"\n").await;
    assert_eq!(fleet.share(30, "").await, shares(&[("a", 10), ("b", 10), ("c", 10)]));
}

#[tokio::test]
async fn weights_hold_for_round_robin() {
    let (a, b) = (Origin::named("a").await, Origin::named("b").await);
    let targets = format!(
        "[pools.app]\nbalance = \"round_robin\"\ntargets = [\"{}\", {{ address = \"{}\", weight = 4 }}]\n",
        a.address, b.address
    );
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{targets}")).await;
    let fleet = Fleet { edge, origins: vec![a, b] };
    assert_eq!(fleet.share(50, "").await, shares(&[("a", 10), ("b", 40)]));
    assert_eq!(fleet.origins[1].heard().len(), 40);
}

#[tokio::test]
async fn every_balancer_serves_and_uses_more_than_one_where_it_should() {
    for balance in ["round_robin", "least_connections", "least_response_time", "random"] {
        let fleet = Fleet::of(3, &format!("balance = \"{balance}\"\n")).await;
        let share = fleet.share(120, "").await;
        assert_eq!(share.values().sum::<usize>(), 120);
        assert!(share.len() == 3, "{balance}: {share:?}");
    }
    let fleet = Fleet::of(3, "balance = \"ip_hash\"\n").await;
    assert_eq!(fleet.share(20, "").await.len(), 1, "one client stays with one target");
}

#[tokio::test]
async fn least_connections_avoids_the_busy() {
    let busy = Origin::scripted(|mut visit| async move {
        while let Some(request) = visit.request().await {
            if request.target() == "/slow" {
                visit.linger().await;
            } else {
                visit.send(ok("busy")).await;
            }
        }
    })
    .await;
    let free = Origin::named("free").await;
    let targets = pool("app", &[busy.address, free.address]);
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{targets}balance = \"least_connections\"\n")).await;
    // Between equals it takes turns, so one of the first requests is held by the busy one.
    let mut held = Vec::new();
    while busy.heard().is_empty() {
        let mut client = edge.client().await;
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
        held.push(client);
        soon("the slow request to arrive", async {
            while busy.heard().len() + free.heard().len() < held.len() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    let mut client = edge.client().await;
    for _ in 0..10 {
        assert_eq!(client.get("/").await.text(), "free");
    }
}

#[tokio::test]
async fn consistent_hash_follows_its_key() {
    let fleet = Fleet::of(4, "balance = \"consistent_hash\"\nhash = { header = \"x-user\" }\n").await;
    let mut client = fleet.edge.client().await;
    let mut homes = BTreeMap::new();
    for round in 0..3 {
        for user in 0..20 {
            let name = who(&mut client, &format!("X-User: {user}\r\n")).await;
            let home = homes.entry(user).or_insert_with(|| name.clone());
            assert_eq!(*home, name, "user {user} in round {round}");
        }
    }
    let used: std::collections::BTreeSet<_> = homes.values().collect();
    assert!(used.len() > 1, "all users on one target: {homes:?}");
}

#[tokio::test]
async fn a_sticky_cookie_keeps_a_client_with_its_server() {
    let fleet = Fleet::of(3, "balance = \"round_robin\"\nsticky = { cookie = \"lb-server\" }\n").await;
    let first = fleet.edge.get("/").await;
    let line = first.get("set-cookie").unwrap();
    assert!(
        line.contains("; HttpOnly") && line.contains("; SameSite=Lax") && line.contains("; Path=/"),
        "{line}"
    );
    assert!(!line.contains("Secure"), "over cleartext it could not come back");
    let cookie = line.split(';').next().unwrap();
    let (_, value) = cookie.split_once('=').unwrap();
    for origin in &fleet.origins {
        assert!(!value.contains(&origin.address.port().to_string()), "the value names nobody");
    }
    let mut client = fleet.edge.client().await;
    for _ in 0..10 {
        let answer = client.ask(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: x=y; {cookie}\r\n\r\n")).await;
        assert_eq!(answer.text(), first.text());
        assert_eq!(answer.get("set-cookie"), None, "it has its cookie");
    }
    let made_up = "Cookie: lb-server=00000000000000000000000000000000\r\n\r\n";
    let answer = client.ask(format!("GET / HTTP/1.1\r\nHost: a\r\n{made_up}")).await;
    assert!(answer.get("set-cookie").is_some(), "a made-up cookie is worth nothing");
}

#[tokio::test]
async fn a_sticky_client_moves_once_when_its_server_is_gone() {
    let mut fleet = Fleet::of(3, "balance = \"round_robin\"\nsticky = { cookie = \"lb\" }\n").await;
    let first = fleet.edge.get("/").await;
    let cookie = |line: &str| line.split(';').next().unwrap().to_owned();
    let old = cookie(first.get("set-cookie").unwrap());
    let gone = NAMES.iter().position(|name| *name == first.text()).unwrap();
    fleet.origins.remove(gone).stop().await;

    let ask = |cookie: &str| format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n");
    let moved = fleet.edge.ask(ask(&old)).await;
    assert_eq!(moved.status(), 200, "the client notices nothing");
    let new = cookie(moved.get("set-cookie").expect("a cookie for its new server"));
    assert_ne!(old, new);
    for _ in 0..6 {
        let answer = fleet.edge.ask(ask(&new)).await;
        assert_eq!((answer.text(), answer.get("set-cookie")), (moved.text(), None), "it stays there");
    }
    fleet.edge.counts("deepwater_edge_sticky_moved_total", &[("pool", "app")], 1.0).await;
}

#[tokio::test]
async fn a_sticky_cookie_with_a_secret_outlives_the_process() {
    let (a, b) = (Origin::named("a").await, Origin::named("b").await);
    let sticky = "sticky = { cookie = \"lb\", secret = \"long and random\", same_site = \"none\", max_age = \"1h\" }\n";
    let config = format!("{LISTEN}{ROUTE}{}{sticky}", pool("app", &[a.address, b.address]));
    let first = Deepwater::start(&config).await.get("/").await;
    let line = first.get("set-cookie").unwrap();
    assert!(line.contains("; SameSite=None") && line.contains("; Max-Age=3600") && line.contains("; Secure"));
    let cookie = line.split(';').next().unwrap();

    let another = Deepwater::start(&config).await;
    for _ in 0..4 {
        let answer = another.ask(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n")).await;
        assert_eq!((answer.text(), answer.get("set-cookie")), (first.text(), None));
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_costs_no_request() {
    let nowhere = Origin::nowhere().await;
    let alive = Origin::answering(|request| ok(request.text())).await;
    let edge = Deepwater::start(&format!(
        "{LISTEN}{ROUTE}{}balance = \"round_robin\"\n",
        pool("app", &[nowhere, alive.address])
    ))
    .await;
    for _ in 0..4 {
        // Not even one with a body: nothing of it was sent yet.
        let answer = edge.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").await;
        assert_eq!(answer.text(), "hello");
    }
    assert!(edge.metrics().await.sum("deepwater_edge_upstream_retries_total", &[("pool", "app")]) >= 1.0);
}

#[tokio::test]
async fn when_all_are_gone_the_client_is_told() {
    let (one, two) = (Origin::nowhere().await, Origin::nowhere().await);
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{}", pool("app", &[one, two]))).await;
    let mut client = edge.client().await;
    for _ in 0..20 {
        let answer = client.get("/").await;
        assert!(matches!(answer.status(), 502 | 503), "{answer:?}");
        assert!(answer.get("proxy-status").is_some());
    }
}

/// A check twenty times a second that decides at once.
const CHECKS: &str = "health = { path = \"/health\", every = \"50ms\", timeout = \"1s\", healthy_after = 1, unhealthy_after = 1 }\n";

/// An origin that is as well as it is told to be.
async fn moody(name: &'static str) -> (Origin, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(true));
    let origin = {
        let well = Arc::clone(&well);
        Origin::answering(move |request| -> Answer {
            match (request.target(), well.load(Ordering::SeqCst)) {
                ("/health", false) => "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".into(),
                _ => ok(name),
            }
        })
        .await
    };
    (origin, well)
}

#[tokio::test]
async fn an_active_check_takes_a_server_out_and_brings_it_back() {
    let ((a, a_is_well), b) = (moody("a").await, Origin::named("b").await);
    let config =
        format!("{LISTEN}{ROUTE}{}balance = \"round_robin\"\n{CHECKS}", pool("app", &[a.address, b.address]));
    let edge = Deepwater::start(&config).await;
    let fleet = Fleet { edge, origins: vec![a, b] };
    let a = fleet.origins[0].address;

    a_is_well.store(false, Ordering::SeqCst);
    fleet.edge.log_line("target_unhealthy").await;
    assert_eq!(fleet.edge.target("app", a).await["state"], "unhealthy");
    assert_eq!(fleet.share(10, "").await, shares(&[("b", 10)]));

    a_is_well.store(true, Ordering::SeqCst);
    fleet.edge.target_becomes("app", a, "healthy").await;
    assert_eq!(fleet.share(10, "").await, shares(&[("a", 5), ("b", 5)]));
}

#[tokio::test]
async fn a_check_that_cannot_connect_fails() {
    let (a, b) = (Origin::named("a").await, Origin::named("b").await);
    let (gone, checks) = (a.address, CHECKS.replace("path = \"/health\"", "kind = \"tcp\""));
    let config =
        format!("{LISTEN}{ROUTE}{}balance = \"round_robin\"\n{checks}", pool("app", &[gone, b.address]));
    let edge = Deepwater::start(&config).await;
    edge.target_becomes("app", gone, "healthy").await;
    a.stop().await;
    edge.target_becomes("app", gone, "unhealthy").await;
    let again = Origin::answering_at(gone, |_| ok("a again")).await;
    edge.target_becomes("app", gone, "healthy").await;
    drop(again);
}

#[tokio::test]
async fn a_check_may_demand_json_and_shows_what_fails() {
    let origin = Origin::answering(|request| match request.target() {
        "/health" => ok(r#"{"status": "degraded", "checks": {"database": "down", "disk": "healthy"}}"#),
        _ => ok("fine"),
    })
    .await;
    let well = Origin::answering(|_| ok(r#"{"status": "healthy", "checks": {}}"#)).await;
    let checks = CHECKS.replace("path =", "json = { status = \"healthy\" }, path =");
    let config = format!("{LISTEN}{ROUTE}{}{checks}", pool("app", &[origin.address, well.address]));
    let edge = Deepwater::start(&config).await;
    edge.target_becomes("app", origin.address, "unhealthy").await;
    edge.target_becomes("app", well.address, "healthy").await;
    let target = edge.target("app", origin.address).await;
    assert!(target["check"]["failing"].to_string().contains("database"), "{target:#}");
    assert!(!target["check"]["failing"].to_string().contains("disk"), "{target:#}");
}

#[tokio::test]
async fn five_errors_in_a_row_eject_a_server() {
    let bad = Origin::answering(|_| "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".into()).await;
    let good = Origin::named("good").await;
    let config =
        format!("{LISTEN}{ROUTE}{}balance = \"round_robin\"\n", pool("app", &[bad.address, good.address]));
    let edge = Deepwater::start(&config).await;
    let mut client = edge.client().await;
    for _ in 0..40 {
        client.get("/").await;
    }
    edge.log_line("target_ejected").await;
    assert_eq!(bad.heard().len(), 5, "the fifth was the last");
    let target = edge.target("app", bad.address).await;
    assert_eq!((&target["state"], &target["ejections"]), (&"ejected".into(), &1.into()), "{target:#}");
    assert_eq!(edge.metrics().await.sum("deepwater_events_total", &[("event", "target_ejected")]), 1.0);
}

#[tokio::test]
async fn an_ejected_server_returns() {
    let well = Arc::new(AtomicBool::new(false));
    let moody = {
        let well = Arc::clone(&well);
        Origin::answering(move |_| match well.load(Ordering::SeqCst) {
            true => ok("moody"),
            false => "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".into(),
        })
        .await
    };
    let good = Origin::named("good").await;
    let outlier = "outlier = { base_ejection = \"200ms\" }\nbalance = \"round_robin\"\n";
    let config = format!("{LISTEN}{ROUTE}{}{outlier}", pool("app", &[moody.address, good.address]));
    let edge = Deepwater::start(&config).await;
    let mut client = edge.client().await;
    for _ in 0..10 {
        client.get("/").await;
    }
    well.store(true, Ordering::SeqCst);
    edge.log_line("target_ejected").await;
    edge.log_line("target_returned").await;
    let heard = moody.heard().len();
    for _ in 0..10 {
        assert_eq!(client.get("/").await.status(), 200);
    }
    assert!(moody.heard().len() > heard, "it has its share again");
}

#[tokio::test]
async fn a_server_that_is_slower_by_far_is_ejected() {
    let slow = Origin::scripted(|mut visit| async move {
        while visit.request().await.is_some() {
            // Being slow is what this origin is for.
            tokio::time::sleep(Duration::from_millis(40)).await;
            visit.send(ok("slow")).await;
        }
    })
    .await;
    let (a, b) = (Origin::named("a").await, Origin::named("b").await);
    let outlier = "outlier = { latency_factor = 5, latency_floor = \"20ms\", min_requests = 3, interval = \"200ms\" }\n";
    let config = format!(
        "{LISTEN}{ROUTE}{}balance = \"round_robin\"\n{outlier}",
        pool("app", &[slow.address, a.address, b.address])
    );
    let edge = Deepwater::start(&config).await;
    let mut client = edge.client().await;
    soon("an ejection", async {
        while edge.target("app", slow.address).await["state"] != "ejected" {
            client.get("/").await;
        }
    })
    .await;
    assert!(edge.log_line("target_ejected").await.contains("latency"));
    let heard = slow.heard().len();
    for _ in 0..10 {
        client.get("/").await;
    }
    assert_eq!(slow.heard().len(), heard, "it gets nothing while it is out");
}

#[tokio::test]
async fn a_server_that_comes_back_starts_slowly() {
    let ((a, a_is_well), b) = (moody("a").await, Origin::named("b").await);
    let keys = format!("balance = \"round_robin\"\nslow_start = \"1h\"\n{CHECKS}");
    let config = format!("{LISTEN}{ROUTE}{}{keys}", pool("app", &[a.address, b.address]));
    let fleet = Fleet { edge: Deepwater::start(&config).await, origins: vec![a, b] };
    let a = fleet.origins[0].address;
    fleet.edge.target_becomes("app", a, "healthy").await;
    a_is_well.store(false, Ordering::SeqCst);
    fleet.edge.target_becomes("app", a, "unhealthy").await;
    a_is_well.store(true, Ordering::SeqCst);
    fleet.edge.target_becomes("app", a, "slow_start").await;
    let target = fleet.edge.target("app", a).await;
    assert!(target["effective_weight"].as_f64() < target["weight"].as_f64(), "{target:#}");
    let share = fleet.share(100, "").await;
    assert!(share.get("a").is_none_or(|requests| *requests < 25), "an hour has hardly begun: {share:?}");
}

#[tokio::test]
async fn when_nearly_all_are_unwell_all_are_used() {
    let [(a, a_is_well), (b, b_is_well)] = [moody("a").await, moody("b").await];
    let c = Origin::named("c").await;
    let keys = format!("balance = \"round_robin\"\npanic_threshold = \"50%\"\n{CHECKS}");
    let targets = [a.address, b.address, c.address];
    let config = format!("{LISTEN}{ROUTE}{}{keys}", pool("app", &targets));
    let fleet = Fleet { edge: Deepwater::start(&config).await, origins: vec![a, b, c] };
    for is_well in [&a_is_well, &b_is_well] {
        is_well.store(false, Ordering::SeqCst);
    }
    let panics = async |wanted: bool| {
        let what = format!("panic to be {wanted}");
        let panic = async || fleet.edge.json("/api/edge/pools").await["pools"][0]["panic"].clone();
        soon(&what, async { while panic().await != wanted {} }).await;
    };
    panics(true).await;
    fleet.edge.log_line("pool_panic_entered").await;
    assert_eq!(fleet.share(9, "").await, shares(&[("a", 3), ("b", 3), ("c", 3)]));
    b_is_well.store(true, Ordering::SeqCst);
    panics(false).await;
    fleet.edge.log_line("pool_panic_left").await;
    assert_eq!(fleet.share(10, "").await, shares(&[("b", 5), ("c", 5)]));
}

#[tokio::test]
async fn a_target_is_drained_and_undrained_by_command() {
    let fleet = Fleet::of(2, "balance = \"round_robin\"\n").await;
    let a = fleet.origins[0].address;
    let path = |act: &str| format!("/api/edge/pools/app/targets/{a}/{act}");
    assert_eq!(fleet.edge.command(&path("drain")).await.status(), 200);
    assert_eq!(fleet.share(10, "").await, shares(&[("b", 10)]));
    assert_eq!(fleet.edge.target("app", a).await["state"], "draining");
    assert_eq!(fleet.edge.command(&path("undrain")).await.status(), 200);
    assert_eq!(fleet.share(10, "").await, shares(&[("a", 5), ("b", 5)]));
    assert_eq!(fleet.edge.command("/api/edge/pools/app/targets/10.0.0.1:1/drain").await.status(), 404);
    assert_eq!(fleet.edge.command("/api/edge/pools/none/targets/x/drain").await.status(), 404);
    let unmarked = fleet.edge.page(&path("drain")).await;
    assert_eq!(unmarked.status(), 405, "a command is not a link");
}

#[tokio::test]
async fn a_name_stands_for_its_addresses() {
    let origin = Origin::named("here").await;
    let target = format!("[pools.app]\ntargets = [\"localhost:{}\"]\n", origin.address.port());
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{target}")).await;
    edge.log_line("dns_resolved").await;
    assert_eq!(
        edge.target("app", origin.address).await["name"],
        format!("localhost:{}", origin.address.port())
    );
    assert_eq!(edge.get("/").await.text(), "here");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_and_kept_trying() {
    let edge =
        Deepwater::start(&format!("{LISTEN}{ROUTE}[pools.app]\ntargets = [\"nowhere.invalid:80\"]\n")).await;
    let line = edge.log_line("dns_failed").await;
    assert!(line.contains("nowhere.invalid") && line.contains("retrying"), "{line}");
    let answer = edge.get("/").await;
    assert_eq!((answer.status(), answer.get("retry-after")), (503, Some("1")));
    assert_eq!(edge.page("/readyz").await.status(), 503);
}
