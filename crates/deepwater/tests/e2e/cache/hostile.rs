//! Clients that try to put their answer before others, or to fill the cache; origins that are careless.

use super::{Gate, caching, config, crowd, did, fresh, get, is_hit, with};
use crate::support::{Deepwater, Ending, Origin, UNWATCHED};

/// Fields that frameworks believe though no key holds them.
const UNKEYED: &[&str] = &[
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Port: 4430",
    "X-Forwarded-Scheme: http",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Server: evil.example",
    "X-Forwarded-For: 6.6.6.6",
    "Forwarded: host=evil.example;proto=https",
    "X-Host: evil.example",
    "X-Original-Host: evil.example",
    "X-HTTP-Host-Override: evil.example",
    "X-Original-URL: /admin",
    "X-Rewrite-URL: /admin",
    "X-Original-Uri: /admin",
    "X-HTTP-Method-Override: POST",
    "X-HTTP-Method: DELETE",
    "X-Method-Override: PUT",
    "x-middleware-prefetch: 1",
    "X-Forwarded-URI: /admin",
    "X-Forwarded-SSL: on",
    "X-Forwarded-Protocol: https",
    "X-Url-Scheme: https",
    "Front-End-Https: on",
    "Expect: 100-continue",
    "X-Real-IP: 6.6.6.6",
];

#[tokio::test]
async fn what_no_key_holds_poisons_nobody() {
    // An origin that believes everything.
    let origin = Origin::answering(|request| {
        let names = UNKEYED.iter().filter_map(|line| line.split_once(": "));
        let said = |name: &str, value: &str| request.all(&name.to_lowercase()).contains(&value);
        let believed: Vec<_> =
            names.filter(|(name, value)| said(name, value)).map(|(name, _)| name).collect();
        fresh(&format!("page{}", believed.join(" ")))
    })
    .await;
    let edge = caching(&origin, "true").await;
    for (at, line) in UNKEYED.iter().enumerate() {
        let path = format!("/{at}");
        edge.ask(get(&path, line)).await;
        let answer = edge.get(&path).await;
        assert_eq!((answer.text(), is_hit(&answer)), ("page", true), "{line}");
    }
}

#[tokio::test]
async fn a_get_with_a_body_is_nobody_elses_business() {
    let origin = Origin::answering(|request| fresh(&format!("you said {}", request.text()))).await;
    let edge = caching(&origin, "true").await;
    let fat = |framing: &str| format!("GET / HTTP/1.1\r\nHost: shop.example\r\n{framing}");
    for framing in
        ["Content-Length: 4\r\n\r\nevil", "Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"]
    {
        let answer = edge.ask(fat(framing)).await;
        assert_eq!(answer.text(), "you said evil");
        assert_eq!(did(&answer), "fwd=bypass; detail=\"the request has content\"");
        let answer = edge.get("/").await;
        assert_eq!(answer.text(), "you said ");
    }
    // Nor is it answered with what others got.
    assert_eq!(edge.ask(fat("Content-Length: 4\r\n\r\nevil")).await.text(), "you said evil");
}

#[tokio::test]
async fn a_personal_page_does_not_become_public_by_its_name() {
    let origin = Origin::answering(|request| {
        with("Content-Type: text/html", request.get("cookie").unwrap_or("nobody"))
    })
    .await;
    let edge = caching(&origin, "{ default_ttl = \"60s\" }").await;
    for path in ["/account/x.css", "/account/%2e%2e/x.js", "/account;x.png", "/account/x.css?v=1"] {
        assert_eq!(edge.ask(get(path, "Cookie: session=victim")).await.text(), "session=victim");
        assert_eq!(edge.get(path).await.text(), "nobody", "{path}");
    }
}

#[tokio::test]
async fn cookies_never_cross_users() {
    let origin = Origin::answering(|request| {
        let user = request.get("cookie").unwrap_or("nobody").to_owned();
        with(&format!("Set-Cookie: {user}-session\nCache-Control: max-age=60"), &user)
    })
    .await;
    let edge = caching(&origin, "true").await;
    let mut users = Vec::new();
    for user in 0..20 {
        let mut client = edge.client().await;
        client.send(get("/", &format!("Cookie: user{user}"))).await;
        users.push((client, format!("user{user}")));
    }
    for (mut client, user) in users {
        let answer = client.response().await;
        assert_eq!(answer.text(), user);
        assert_eq!(answer.get("set-cookie"), Some(format!("{user}-session").as_str()));
    }
}

#[tokio::test]
async fn bad_answers_never_get_in() {
    for bad in [
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nX-A: b\rX-Evil: 1\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nX-A: b\0c\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: gzip, x\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nX A: b\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 99 Odd\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let origin = Origin::scripted(move |mut visit| async move {
            let answer = if visit.number == 0 { bad.to_owned() } else { fresh("good") };
            visit.reply(answer).await;
        })
        .await;
        let edge = caching(&origin, "true").await;
        let mut client = edge.client().await;
        client.send(get("/", "")).await;
        // What broke after its head may have taken that along.
        if let Some(answer) = client.try_response_to("GET").await {
            assert!(answer.status() == 502 || answer.ending == Ending::Broken, "{bad:?}: {answer:?}");
        }
        let next = edge.get("/").await;
        assert_eq!((next.text(), is_hit(&next)), ("good", false), "{bad:?}");
    }
}

#[tokio::test]
async fn an_answer_cannot_be_split_by_what_it_repeats() {
    // An origin that writes a parameter into a field, undecoded.
    let origin = Origin::answering(|request| {
        with(&format!("Cache-Control: max-age=60\nLocation: {}", request.target()), "ok")
    })
    .await;
    let edge = caching(&origin, "true").await;
    let answer = edge.get("/?a=%0d%0aX-Evil:%201").await;
    assert_eq!((answer.get("x-evil"), answer.get("location")), (None, Some("/?a=%0d%0aX-Evil:%201")));
}

#[tokio::test]
async fn what_varies_by_too_much_is_not_stored() {
    let many: Vec<_> = (0..20).map(|at| format!("X-{at}")).collect();
    for vary in [many.join(", "), format!("X-{}", "a".repeat(200))] {
        let origin =
            Origin::answering(move |_| with(&format!("Cache-Control: max-age=60\nVary: {vary}"), "page"))
                .await;
        let edge = caching(&origin, "true").await;
        let first = edge.get("/").await;
        assert_eq!(did(&first), "fwd=uri-miss; detail=\"vary too long\"");
        assert!(!is_hit(&edge.get("/").await));
    }
    // Nor what varies by a value that is too long; others are none the worse for it.
    let origin = Origin::answering(|_| with("Cache-Control: max-age=60\nVary: X-Foo", "page")).await;
    let edge = caching(&origin, "true").await;
    let long = format!("X-Foo: {}", "a".repeat(6_000));
    for _ in 0..2 {
        assert!(!is_hit(&edge.ask(get("/", &long)).await));
    }
    edge.ask(get("/other", "X-Foo: 1")).await;
    assert!(is_hit(&edge.ask(get("/other", "X-Foo: 1")).await));
    assert!(!is_hit(&edge.ask(get("/other", &long)).await));
    assert!(is_hit(&edge.ask(get("/other", "X-Foo: 1")).await));
}

#[tokio::test]
async fn five_thousand_variants_stay_bounded() {
    let body = "x".repeat(2_000);
    let origin = Origin::answering(move |_| with("Cache-Control: max-age=60\nVary: User-Agent", &body)).await;
    let edge =
        Deepwater::start(&format!("{UNWATCHED}[cache]\nmemory = \"64MiB\"\n{}", config(&origin, "true")))
            .await;
    let mut client = edge.client().await;
    client.get("/innocent").await;
    let before = edge.resident_bytes();
    for from in (0..5_000).step_by(50) {
        let agent = |at| get("/", &format!("User-Agent: agent-{at}"));
        client.send((from..from + 50).map(agent).collect::<String>()).await;
        for _ in 0..50 {
            client.response().await;
        }
    }
    let memory = &edge.json("/api/cache").await["memory"];
    assert!(memory["objects"].as_u64() <= Some(300), "{memory}");
    let grown = edge.resident_bytes().saturating_sub(before);
    assert!(grown < 32 * 1024 * 1024, "resident memory grew by {grown} bytes");
    assert!(is_hit(&client.ask(get("/", "User-Agent: agent-4999")).await), "the newest are there");
    assert!(is_hit(&client.get("/innocent").await));
}

#[tokio::test]
async fn floods_of_tags_are_not_stored() {
    let many: Vec<_> = (0..300).map(|at| format!("tag{at}")).collect();
    for tags in [many.join(" "), "t".repeat(2 * 1024)] {
        let origin = Origin::answering(move |_| {
            with(&format!("Cache-Control: max-age=60\nSurrogate-Key: {tags}"), "page")
        })
        .await;
        let edge = caching(&origin, "true").await;
        assert_eq!(did(&edge.get("/").await), "fwd=uri-miss; detail=\"too many tags\"");
        assert!(!is_hit(&edge.get("/").await));
    }
}

#[tokio::test]
async fn hosts_are_not_confused() {
    let origin = Origin::answering(|request| fresh(request.get("host").unwrap_or("none"))).await;
    let edge = caching(&origin, "true").await;
    let absolute = "GET http://victim.example/ HTTP/1.1\r\nHost: victim.example:80\r\n\r\n";
    assert_eq!(edge.ask(absolute).await.text(), "victim.example");
    let victim = edge.ask("GET / HTTP/1.1\r\nHost: victim.example\r\n\r\n").await;
    assert_eq!((victim.text(), is_hit(&victim)), ("victim.example", true));
    let evil = edge.ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert_eq!((evil.text(), is_hit(&evil)), ("evil.example", false));
    for bad in [
        "GET http://victim.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: victim.example\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: victim.example, evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: victim.example/evil\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@victim.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: victim.example\r\n Host: evil.example\r\n\r\n",
    ] {
        assert_eq!(edge.ask(bad).await.status(), 400, "{bad:?}");
    }
    // An origin that repeats the port must not have it repeated to those who named none.
    let ported = edge.ask("GET /p HTTP/1.1\r\nHost: victim.example:1234\r\n\r\n").await;
    assert_eq!(ported.text(), "victim.example:1234");
    let plain = edge.ask("GET /p HTTP/1.1\r\nHost: victim.example\r\n\r\n").await;
    assert_eq!((plain.text(), is_hit(&plain)), ("victim.example", false));
}

#[tokio::test]
async fn tricks_with_bytes_stay_apart() {
    let origin = Origin::answering(|request| fresh(request.target())).await;
    let edge = caching(&origin, "true").await;
    // None of these is another one, however their keys are written.
    let targets = [
        "/a",
        "/a%00",
        "/a%00b",
        "/a%01",
        "/a%0010",
        "/a%2500",
        "/a%",
        "/a%4",
        "/a%zz",
        "/a%fe",
        "/a%ff",
        "/a%FEfoo,%00",
        "/a?%00",
        "/a?%3f",
        "/a??",
        "/a?/",
        "/a%3f%3f",
        "/a/../b",
        "/b",
        "/a/./b",
        "/a//b",
        "//a",
        "/a%2e%2e/b",
        "/A",
        "/a;x",
        "/a%5cb",
    ];
    for target in targets {
        let answer = edge.get(target).await;
        if answer.status() == 400 {
            continue;
        }
        assert_eq!((answer.text(), is_hit(&answer)), (target, false), "{target} was taken for another");
    }
}

#[tokio::test]
async fn clients_cannot_make_the_origin_work() {
    let origin = Origin::answering(|_| fresh("page")).await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    for fields in [
        "Cache-Control: no-cache",
        "Cache-Control: max-age=0",
        "Cache-Control: no-store",
        "Pragma: no-cache",
        "Range: bytes=0-0",
        "If-None-Match: \"x\"",
        "Accept-Encoding: x",
        "Upgrade: h2c\nConnection: Upgrade",
    ] {
        assert!(is_hit(&edge.ask(get("/", fields)).await), "{fields}");
    }
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn only_if_cached_is_not_a_lever_by_default() {
    let origin = Origin::answering(|_| fresh("page")).await;
    let edge = caching(&origin, "true").await;
    assert_eq!(edge.ask(get("/", "Cache-Control: only-if-cached")).await.text(), "page");
}

#[tokio::test]
async fn a_field_kept_from_the_origin_makes_no_variant() {
    // What `Connection` names stays on its hop: the origin does not see it, and its answer is not for those who send
    // it properly.
    let origin = Origin::answering(|request| {
        with(
            "Cache-Control: max-age=60\nVary: Origin",
            request.get("origin").unwrap_or("nobody may read this"),
        )
    })
    .await;
    let edge = caching(&origin, "true").await;
    edge.ask(get("/", "Origin: https://good.example\nConnection: origin")).await;
    let answer = edge.ask(get("/", "Origin: https://good.example")).await;
    assert_eq!(answer.text(), "https://good.example");
}

#[tokio::test]
async fn a_sticky_cookie_is_for_one() {
    let origin = Origin::answering(|_| fresh("page")).await;
    let sticky = format!("{}sticky = {{ cookie = \"lb-server\" }}\n", config(&origin, "true"));
    let edge = Deepwater::start(&sticky).await;
    for hit in [false, true, true] {
        let answer = edge.get("/").await;
        assert_eq!((is_hit(&answer), answer.get("set-cookie")), (hit, None));
    }
}

#[tokio::test]
async fn what_a_trusted_proxy_says_of_the_url_is_in_the_key() {
    let origin = Origin::answering(|request| {
        let said = |name| request.get(name).unwrap_or_default().to_owned();
        fresh(&format!("{}://{}", said("x-forwarded-proto"), said("x-forwarded-host")))
    })
    .await;
    let trusting =
        config(&origin, "true").replace("[edge]\n", "[edge]\ntrusted_proxies = [\"127.0.0.0/8\"]\n");
    let edge = Deepwater::start(&trusting).await;
    for hit in [false, true] {
        for host in ["one.example", "two.example"] {
            for scheme in ["http", "https"] {
                let fields = format!("X-Forwarded-Host: {host}\nX-Forwarded-Proto: {scheme}");
                let answer = edge.ask(get("/", &fields)).await;
                assert_eq!((answer.text(), is_hit(&answer)), (format!("{scheme}://{host}").as_str(), hit));
            }
        }
    }
    super::purge(&edge, serde_json::json!({ "url": "https://one.example/" })).await;
    let fields = "X-Forwarded-Host: one.example\nX-Forwarded-Proto: https";
    assert!(!is_hit(&edge.ask(get("/", fields)).await));
}

#[tokio::test]
async fn what_a_trusted_proxy_passes_on_of_its_clients_poisons_nobody() {
    let origin = Origin::answering(|request| {
        let said = |name| request.all(name).join("+");
        let names =
            ["x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "forwarded", "x-forwarded-ssl"];
        fresh(&names.map(said).join(" "))
    })
    .await;
    let trusting =
        config(&origin, "true").replace("[edge]\n", "[edge]\ntrusted_proxies = [\"127.0.0.0/8\"]\n");
    let edge = Deepwater::start(&trusting).await;
    let ours = "for=127.0.0.1;proto=http;host=\"shop.example\"";
    for (at, fields) in [
        "X-Forwarded-Host: shop.example\nX-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: http\nX-Forwarded-Proto: https",
        "X-Forwarded-Port: 4430",
        "Forwarded: for=6.6.6.6;host=evil.example",
        "Forwarded: proto=https",
        "X-Forwarded-SSL: on",
    ]
    .iter()
    .enumerate()
    {
        let path = format!("/{at}");
        let evil = edge.ask(get(&path, fields)).await;
        let answer = edge.get(&path).await;
        assert_eq!(answer.text(), format!("shop.example http  {ours} "), "{fields}");
        // Who is told the same is answered the same.
        let again = edge.ask(get(&path, fields)).await;
        assert_eq!((again.text(), is_hit(&again)), (evil.text(), true), "{fields}");
        edge.ask(post(&path)).await;
        assert!(
            !is_hit(&edge.ask(get(&path, fields)).await),
            "{fields}: a write invalidates all that is told of it"
        );
    }
    // Nothing is stored of this URL as it stands.
    let fields = "X-Forwarded-Port: 4430";
    edge.ask(get("/apart", fields)).await;
    edge.ask(post("/apart")).await;
    assert!(!is_hit(&edge.ask(get("/apart", fields)).await));
}

fn post(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n")
}

#[tokio::test]
async fn an_error_for_a_strange_request_is_not_stored_for_others() {
    // Statuses that origins answer odd requests with, and that say nothing of caching.
    for status in [
        "400 Bad Request",
        "406 Not Acceptable",
        "413 Content Too Large",
        "417 Expectation Failed",
        "431 Request Header Fields Too Large",
    ] {
        let origin = Origin::answering(move |request| match request.get("x-odd") {
            Some(_) => super::say(status, "", "odd"),
            None => fresh("page"),
        })
        .await;
        let edge = caching(&origin, "{ ttl = \"60s\" }").await;
        assert_eq!(edge.ask(get("/", "X-Odd: 1")).await.text(), "odd");
        assert_eq!(edge.get("/").await.text(), "page", "{status}");
    }
}

#[tokio::test]
async fn an_error_page_of_one_is_not_shown_to_others() {
    for fields in ["", "Vary: Cookie"] {
        let gate = Gate::shut();
        let origin = super::gated(&gate, move |request| {
            super::say("500 Oops", fields, &format!("sorry, {}", request.get("cookie").unwrap_or("stranger")))
        })
        .await;
        let edge = caching(&origin, "true").await;
        let mut users = Vec::new();
        for user in ["session=alice", "session=bob", "session=carol"] {
            let mut client = edge.client().await;
            client.send(get("/", &format!("Cookie: {user}"))).await;
            users.push((client, format!("sorry, {user}")));
        }
        super::under_way(&edge, 3).await;
        gate.open();
        for (mut client, sorry) in users {
            assert_eq!(client.response().await.text(), sorry, "{fields:?}");
        }
    }
}

#[tokio::test]
async fn cookies_reach_only_the_one_they_were_made_for() {
    let gate = Gate::shut();
    let origin =
        super::gated(&gate, |_| with("Cache-Control: public, max-age=60\nSet-Cookie: session=first", "page"))
            .await;
    let edge = caching(&origin, "true").await;
    let crowd = crowd(&edge, 10, "/").await;
    super::under_way(&edge, 10).await;
    gate.open();
    let mut cookies = 0;
    for mut client in crowd {
        let answer = client.response().await;
        assert_eq!(answer.text(), "page");
        cookies += answer.all("set-cookie").len();
    }
    assert_eq!((cookies, origin.heard().len()), (1, 1));
}

#[tokio::test]
async fn a_stranger_with_credentials_does_not_switch_the_cache_off() {
    let origin = Origin::answering(|_| with("Cache-Control: max-age=60", "page")).await;
    let edge = caching(&origin, "true").await;
    edge.ask(get("/", "Authorization: Basic eDp5")).await;
    edge.get("/").await;
    edge.get("/").await;
    assert!(is_hit(&edge.get("/").await));
    // Nor does one who comes when it is stored.
    edge.ask(get("/", "Authorization: Basic eDp5")).await;
    assert!(is_hit(&edge.get("/").await));
}

#[tokio::test]
async fn many_lists_of_what_it_varies_by_stay_bounded() {
    let origin = Origin::answering(|request| {
        let at = request.get("x-at").unwrap_or("0");
        with(&format!("Cache-Control: max-age=60\nVary: X-{at}"), at)
    })
    .await;
    let edge = caching(&origin, "true").await;
    let mut client = edge.client().await;
    for at in 0..500 {
        client.ask(get("/", &format!("X-At: {at}\nX-{at}: {at}"))).await;
    }
    let memory = &edge.json("/api/cache").await["memory"];
    assert!(memory["objects"].as_u64() <= Some(300), "{memory}");
    assert_eq!(client.ask(get("/", "X-At: 499\nX-499: 499")).await.text(), "499");
}
