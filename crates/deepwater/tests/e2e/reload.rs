//! A configuration that changes under clients: what did not change is not disturbed, what is wrong changes nothing.

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{
    Authority, Deepwater, H2Client, Home, LISTEN, Message, Origin, ROUTE, Wire, ok, pool, run, soon,
};

fn names(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[tokio::test]
async fn targets_change_and_connections_stay() {
    let (first, second) = (Origin::named("first").await, Origin::named("second").await);
    let config =
        |targets: &[_]| format!("{LISTEN}{ROUTE}{}balance = \"round_robin\"\n", pool("app", targets));
    let edge = Deepwater::start(&config(&[first.address])).await;
    let mut client = edge.client().await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.text(), "first");
    }
    let changed = edge.reloaded(&config(&[first.address, second.address])).await;
    assert_eq!(names(&changed["changed"]), ["pools.app.targets"]);
    assert!(changed["unchanged"].as_u64() > Some(10) && changed["needs_restart"] == json!([]), "{changed}");

    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(client.get("/").await.text().to_owned());
    }
    answers.sort();
    assert_eq!(answers, ["first", "first", "second", "second"], "over the same connection");
    assert_eq!(first.connections(), 1, "the connection to the target that stayed is used on");
    // An answer may be here before it is counted.
    let counted = async { while edge.target("app", first.address).await["requests"] != 5 {} };
    soon("its figures, too", counted).await;

    edge.reloaded(&config(&[second.address])).await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.text(), "second");
    }
}

#[tokio::test]
async fn what_did_not_change_keeps_its_state() {
    let (origin, other) = (Origin::named("ok").await, Origin::named("other").await);
    let config = |path: &str| {
        let pools = pool("app", &[origin.address, other.address]) + &pool("spare", &[other.address]);
        format!("{LISTEN}[[edge.route]]\nmatch = {{ path = \"{path}\" }}\npool = \"spare\"\n{ROUTE}{pools}")
    };
    let edge = Deepwater::start(&config("/a")).await;
    let drain = format!("/api/edge/pools/app/targets/{}/drain", other.address);
    assert_eq!(edge.command(&drain).await.status(), 200);
    edge.get("/").await;
    let changed = edge.reloaded(&config("/b")).await;
    assert_eq!(names(&changed["changed"]), ["edge.route[0]"]);
    assert_eq!(edge.target("app", other.address).await["state"], "draining");
    let counted = async { while edge.target("app", origin.address).await["requests"] != 1 {} };
    soon("the request before, counted", counted).await;
    assert_eq!(edge.get("/b").await.text(), "other");
    assert_eq!(edge.get("/a").await.text(), "ok");
    let connections = origin.connections();
    edge.reloaded(&config("/b")).await;
    edge.get("/").await;
    assert_eq!(origin.connections(), connections);
}

#[tokio::test]
async fn routes_are_told_by_what_they_are_and_secrets_by_their_keys() {
    let origin = Origin::named("ok").await;
    let config = |first: &str, name: &str, secret: &str| {
        let limited = "rate_limit = { rate = 9, per = \"1h\" }\n";
        let secret = format!("[auth.users]\nsecret = \"{secret} secret of more than 32 bytes\"\n");
        format!("{LISTEN}{first}{ROUTE}{name}{limited}{secret}{}", pool("app", &[origin.address]))
    };
    let first = "[[edge.route]]\nmatch = { path = \"/x\" }\nrespond = { status = 204 }\n";
    let edge = Deepwater::start(&config("", "", "one")).await;
    let left = async || edge.get("/").await.get("ratelimit").map(str::to_owned);
    assert_eq!(left().await.as_deref(), Some("\"default\";r=8;t=400"));
    let changed = edge.reloaded(&config(first, "", "one")).await;
    assert_eq!(names(&changed["changed"]), ["edge.route[0]"], "the other only stands elsewhere");
    let changed = edge.reloaded(&config(first, "name = \"all\"\n", "two")).await;
    assert_eq!(names(&changed["changed"]), ["edge.route[1]", "auth.users.secret"]);
    let rest = left().await.expect("it is limited");
    assert!(rest.starts_with("\"default\";r=7;"), "its name is no other limit: {rest}");
    let changed = edge.reloaded(&config("", "name = \"all\"\n", "two")).await;
    assert_eq!(names(&changed["changed"]), ["edge.route[0] (removed)"]);
}

#[tokio::test]
async fn what_is_wrong_is_told_and_changes_nothing() {
    let origin = Origin::named("ok").await;
    let config = format!("{LISTEN}{ROUTE}{}", pool("app", &[origin.address]));
    let edge = Deepwater::start(&config).await;
    let refused = edge.reload(&config.replace("pool = \"app\"", "pool = \"ap\"")).await;
    assert_eq!(refused.status(), 422);
    let told: Value = serde_json::from_str(refused.text()).unwrap();
    let problem = &told["problems"][0];
    assert_eq!((&problem["key"], &problem["line"]), (&json!("edge.route[0].pool"), &json!(8)), "{told}");
    assert!(problem["fix"].is_string() && told["error"].as_str().unwrap().contains("edge.route[0].pool"));
    edge.log_line("nothing was reloaded").await;
    assert_eq!(edge.get("/").await.text(), "ok");

    // A mistake that only opening the address can tell.
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = format!("[[edge.listen]]\naddress = \"{}\"\n", taken.local_addr().unwrap());
    let other = Origin::named("other").await;
    let both = format!("{LISTEN}{listen}{ROUTE}{}", pool("app", &[other.address]));
    let refused = edge.reload(&both).await;
    assert_eq!(refused.status(), 422, "{refused:?}");
    assert!(refused.text().contains("cannot listen on"), "{}", refused.text());
    assert_eq!(edge.get("/").await.text(), "ok", "the pool has not changed either");
    let config = edge.json("/api/config").await;
    assert_eq!(config["edge"]["listen"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_needs_a_restart_says_so() {
    let origin = Origin::named("ok").await;
    let config = |extra: &str| {
        format!(
            "{LISTEN}[[edge.route]]\npool = \"app\"\ncache = true\n{}{extra}",
            pool("app", &[origin.address])
        )
    };
    let edge = Deepwater::start(&config("")).await;
    let changed = edge.reloaded(&config("[cache]\nmemory = \"32MiB\"\nmax_refreshes = 7\n")).await;
    assert_eq!(names(&changed["changed"]), ["cache.max_refreshes"]);
    assert_eq!(names(&changed["needs_restart"]), ["cache.memory"]);
    let told = edge.log_line("was read again").await;
    assert!(told.contains("needs a restart: cache.memory"), "{told}");
    assert_ne!(edge.json("/api/cache").await["memory"]["capacity"], 32 * 1024 * 1024);
}

#[tokio::test]
async fn addresses_come_and_go_without_dropping_a_connection() {
    let origin = Origin::named("ok").await;
    let rest = format!("{ROUTE}{}", pool("app", &[origin.address]));
    let spare = Origin::nowhere().await;
    let more = format!("[[edge.listen]]\naddress = \"{spare}\"\n");
    let edge = Deepwater::start(&format!("{LISTEN}{rest}")).await;
    let mut kept = edge.client().await;
    kept.get("/").await;

    edge.reloaded(&format!("{LISTEN}{more}{rest}")).await;
    let mut waiting = Vec::new();
    for _ in 0..50 {
        waiting.push(Wire::new(soon("a connection", TcpStream::connect(spare)).await.unwrap()));
    }
    edge.reloaded(&format!("{LISTEN}{rest}")).await;
    edge.log_line(&format!("no longer listening on {spare}")).await;
    for client in &mut waiting {
        assert_eq!(client.get("/").await.text(), "ok", "they had been let in");
    }
    let refused = async { while TcpStream::connect(spare).await.is_ok() {} };
    soon("the address to be closed", refused).await;
    assert_eq!(kept.get("/").await.text(), "ok");

    edge.reloaded(&format!("{LISTEN}{more}{rest}")).await;
    let stream = soon("a connection", TcpStream::connect(spare)).await.unwrap();
    assert_eq!(Wire::new(stream).get("/").await.text(), "ok", "and again");
}

#[tokio::test]
async fn an_address_may_widen() {
    let origin = Origin::named("ok").await;
    let rest = format!("{ROUTE}{}", pool("app", &[origin.address]));
    let address = Origin::nowhere().await;
    let listen =
        |address: &str| format!("[edge]\nworkers = 2\n[[edge.listen]]\naddress = \"{address}\"\n{rest}");
    let edge = Deepwater::start(&listen(&address.to_string())).await;
    let mut kept = edge.client().await;
    kept.get("/").await;
    edge.reloaded(&listen(&format!("127.0.0.1:{}", address.port()).replace("127.0.0.1", "0.0.0.0"))).await;
    assert_eq!(edge.get("/").await.text(), "ok");
    assert_eq!(kept.get("/").await.text(), "ok");
}

#[tokio::test]
async fn a_listener_changes_its_certificate_and_its_manners() {
    let (authority, origin) = (Authority::new(), Origin::named("ok").await);
    let (one, two) = (authority.issue(&["shop.example"]), authority.issue(&["shop.example"]));
    let home = Home::new();
    for (name, identity) in [("one", &one), ("two", &two)] {
        home.write(&format!("{name}.pem"), &identity.cert);
        home.write(&format!("{name}.key"), &identity.key);
    }
    let config = |name: &str, http2: bool| {
        let tls = format!("tls = {{ cert = \"{name}.pem\", key = \"{name}.key\" }}\nhttp2 = {http2}\n");
        format!("{LISTEN}{tls}{ROUTE}{}", pool("app", &[origin.address]))
    };
    let edge = Deepwater::start_in(home, &config("one", true)).await;
    let before = authority.connect(edge.dial(0).await, "shop.example", &["h2", "http/1.1"]).await;
    assert!(one.was_shown_on(&before) && before.get_ref().1.alpn_protocol() == Some(b"h2"));
    let before = H2Client::over(before).await;
    assert_eq!(before.get("/").await.body, b"ok");

    edge.reloaded(&config("two", false)).await;
    let after = authority.connect(edge.dial(0).await, "shop.example", &["h2", "http/1.1"]).await;
    assert!(two.was_shown_on(&after) && after.get_ref().1.alpn_protocol() == Some(b"http/1.1"));
    assert_eq!(Wire::new(after).get("/").await.text(), "ok");
    assert_eq!(before.get("/").await.body, b"ok", "who is connected stays so");

    // The same names with other content.
    edge.home().write("two.pem", &one.cert);
    edge.home().write("two.key", &one.key);
    edge.reloaded(&config("two", false)).await;
    let renewed = authority.connect(edge.dial(0).await, "shop.example", &["http/1.1"]).await;
    assert!(one.was_shown_on(&renewed));
}

#[tokio::test]
async fn visitors_stay_with_their_server() {
    let origins = [Origin::named("a").await, Origin::named("b").await, Origin::named("c").await];
    let config = |count: usize| {
        let targets: Vec<_> = origins[..count].iter().map(|origin| origin.address).collect();
        format!("{LISTEN}{ROUTE}{}sticky = {{ cookie = \"lb\" }}\n", pool("app", &targets))
    };
    let edge = Deepwater::start(&config(2)).await;
    let first = edge.get("/").await;
    let cookie = first.get("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let name = first.text().to_owned();
    let again = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n");
    edge.reloaded(&config(3)).await;
    for _ in 0..6 {
        let answer: Message = edge.ask(&again).await;
        assert_eq!(answer.text(), name);
        assert_eq!(answer.get("set-cookie"), None, "the cookie is as good as before");
    }
}

#[tokio::test]
async fn the_cache_is_kept_and_purged() {
    let origin = Origin::answering(|_| {
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 2\r\n\r\nok".into()
    })
    .await;
    let config = |header: &str, purge: &str| {
        format!(
            "{LISTEN}[[edge.route]]\npool = \"app\"\ncache = {{ drop_params = [\"{header}\"] }}\n{}[cache]\npurge_from = [{purge}]\n",
            pool("app", &[origin.address])
        )
    };
    let edge = Deepwater::start(&config("a", "")).await;
    edge.get("/x?a=1&b=2").await;
    edge.reloaded(&config("a", "\"127.0.0.0/8\"")).await;
    edge.get("/x?a=1&b=2").await;
    assert_eq!(origin.heard().len(), 1, "it is still there");

    // Under other rules it is stored anew, and a purge reaches what the rules before have stored.
    edge.reloaded(&config("b", "\"127.0.0.0/8\"")).await;
    edge.get("/x?a=1&b=2").await;
    assert_eq!(origin.heard().len(), 2);
    let purged = edge.ask("PURGE /x?a=1&b=2 HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
    assert_eq!(purged.status(), 200, "{purged:?}");
    edge.reloaded(&config("a", "")).await;
    edge.get("/x?a=1&b=2").await;
    assert_eq!(origin.heard().len(), 3, "what was purged does not come back");
}

#[tokio::test]
async fn the_access_log_moves() {
    let origin = Origin::named("ok").await;
    let config = |path: &str| {
        let log = format!("access_log = {{ format = \"combined\", path = \"{path}\" }}\n");
        format!(
            "{}{ROUTE}{}",
            LISTEN.replace("[[edge.listen]]", &(log + "[[edge.listen]]")),
            pool("app", &[origin.address])
        )
    };
    let edge = Deepwater::start(&config("one.log")).await;
    edge.get("/first").await;
    let changed = edge.reloaded(&config("two.log")).await;
    assert_eq!(names(&changed["changed"]), ["edge.access_log.path"]);
    edge.get("/second").await;
    for (file, path, other) in [("one.log", "/first", "/second"), ("two.log", "/second", "/first")] {
        let written = async {
            loop {
                let text = std::fs::read_to_string(edge.home().path(file)).unwrap_or_default();
                if text.contains(path) {
                    break assert!(!text.contains(other), "{file}: {text}");
                }
                tokio::task::yield_now().await;
            }
        };
        soon("the line", written).await;
    }
}

#[tokio::test]
async fn the_console_takes_another_token() {
    let origin = Origin::named("ok").await;
    let config = format!("{LISTEN}{ROUTE}{}", pool("app", &[origin.address]));
    let edge = Deepwater::start(&config).await;
    let file = edge.home().path("deepwater.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[console]\n", "[console]\ntoken = \"open sesame\"\n")).unwrap();
    edge.signal(Signal::HUP);
    edge.log_line("changed: console.token").await;
    assert_eq!(edge.page("/api/status").await.status(), 401);
    assert_eq!(edge.page("/healthz").await.status(), 200);
}

#[tokio::test]
async fn signals_commands_and_the_file_itself_are_heard() {
    let (one, two) = (Origin::named("one").await, Origin::named("two").await);
    let config = |origin: &Origin| format!("{LISTEN}{ROUTE}{}", pool("app", &[origin.address]));
    let home = Home::new();
    let file = home.write("deepwater.toml", format!("[console]\nlisten = \"127.0.0.1:0\"\n{}", config(&one)));
    let edge = Deepwater::spawn(home, &["run", "--watch", "-c", file.to_str().unwrap()], 1).await;
    assert_eq!(edge.get("/").await.text(), "one");

    edge.rewrite(&config(&two));
    edge.log_line("changed: pools.app.targets").await;
    assert_eq!(edge.get("/").await.text(), "two");

    edge.rewrite(&config(&one).replace("round", "x"));
    let console = format!("http://{}", edge.console);
    let told = run(edge.home().path("").as_path(), &["reload", "--console", &console]).await;
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""), "{told:?}");
    assert!(told.stdout.starts_with("changed pools.app.targets\n"), "{}", told.stdout);
    assert_eq!(edge.get("/").await.text(), "one");

    edge.rewrite("[edge]\nlisten = 3\n");
    let told = run(edge.home().path("").as_path(), &["reload", "--console", &console]).await;
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.stderr.contains("edge.listen"), "{}", told.stderr);
}

#[tokio::test]
async fn layer_4_follows_its_pool_by_name() {
    let (one, two) = (
        Origin::echo().await,
        Origin::scripted(|mut visit| async move {
            visit.send("hello").await;
            visit.linger().await;
        })
        .await,
    );
    let config = |pools: &str, name: &str| {
        format!(
            "[edge]\nworkers = 1\n[[edge.listen]]\naddress = \"127.0.0.1:0\"\nprotocol = \"tcp\"\npool = \"{name}\"\n{pools}"
        )
    };
    let before = pool("m", &[one.address]);
    let edge = Deepwater::start(&config(&before, "m")).await;
    let mut kept = edge.client().await;
    kept.send("x").await;
    assert_eq!(kept.bytes(1).await, b"x");
    // Another pool comes before it.
    let after = pool("a", &[two.address]) + &before;
    edge.reloaded(&config(&after, "m")).await;
    let mut client = edge.client().await;
    client.send("y").await;
    assert_eq!(client.bytes(1).await, b"y");
    edge.reloaded(&config(&after, "a")).await;
    assert_eq!(edge.client().await.bytes(5).await, b"hello");
    kept.send("z").await;
    assert_eq!(kept.bytes(1).await, b"z", "a tunnel goes on");
}

#[tokio::test]
async fn without_a_file_there_is_nothing_to_read() {
    let origin = Origin::answering(|_| ok("ok")).await;
    let to = format!("http://{}", origin.address);
    let arguments = ["run", "--to", &to, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
    let edge = Deepwater::spawn(Home::new(), &arguments, 1).await;
    assert_eq!(edge.command("/api/reload").await.status(), 409);
}
