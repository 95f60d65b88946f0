//! The command line: what is wrong is named with its place and its fix, and changes nothing.

use std::net::SocketAddr;

use crate::support::{Authority, Deepwater, Home, LISTEN, Origin, ROUTE, Run, ok, pool, run};

async fn check(home: &Home, config: &str) -> Run {
    home.write("deepwater.toml", config);
    run(&home.path(""), &["check", "-c", "deepwater.toml"]).await
}

/// Checks that starting this fails at once, with all these words.
async fn does_not_start(home: &Home, config: &str, words: &[&str]) {
    home.write("deepwater.toml", config);
    let result = run(&home.path(""), &["run", "-c", "deepwater.toml"]).await;
    assert_eq!(result.code, Some(2), "{result:?}");
    for word in words {
        assert!(result.stderr.contains(word), "{word:?} is missing in:\n{}", result.stderr);
    }
}

#[tokio::test]
async fn a_good_file_is_said_to_be_good() {
    let result =
        check(&Home::new(), &format!("{LISTEN}{ROUTE}[pools.app]\ntargets = [\"127.0.0.1:3000\"]\n")).await;
    assert_eq!((result.code, result.stderr.as_str()), (Some(0), ""));
    assert_eq!(result.stdout, "deepwater.toml is valid: 1 listener, 1 route, 1 pool\n");
}

/// Each would end `run` at its start, long after the file was taken for valid.
#[tokio::test]
async fn what_would_fail_at_the_start_is_told_by_check() {
    let config = "\
[console]
listen = \"127.0.0.1:8080\"
token = \"env:DEEPWATER_NOT_SET\"

[[edge.listen]]
address = \"127.0.0.1:8080\"

[[edge.route]]
pool = \"app\"

[pools.app]
targets = [\"127.0.0.1:3000\"]

[lens]
snapshot = \"nowhere/lens.state\"

[lens.webhook]
url = \"env:DEEPWATER_NOT_SET\"
";
    let result = check(&Home::new(), config).await;
    assert_eq!((result.code, result.stdout.as_str()), (Some(2), ""));
    for line in [
        "deepwater.toml:2: console.listen: 127.0.0.1:8080 is taken: the edge listens on 127.0.0.1:8080",
        "deepwater.toml:3: console.token: the environment variable `DEEPWATER_NOT_SET` is not set",
        "deepwater.toml:15: lens.snapshot: there is no directory",
        "deepwater.toml:18: lens.webhook.url: the environment variable `DEEPWATER_NOT_SET` is not set",
    ] {
        assert!(result.stderr.contains(line), "no {line} in:\n{}", result.stderr);
    }
}

#[tokio::test]
async fn every_fault_is_told_at_once_with_its_place_and_fix() {
    let config = "\
[console]
listen = \"0.0.0.0:9000\"

[[edge.listen]]
adress = \"127.0.0.1:8080\"

[edge.timeouts]
idle = \"10 parsecs\"

[[edge.route]]
pool = \"ap\"

[pools.app]
targets = [\"127.0.0.1:3000\"]
balance = \"rr\"
";
    let result = check(&Home::new(), config).await;
    assert_eq!((result.code, result.stdout.as_str()), (Some(2), ""));
    for words in [
        &["deepwater.toml:5:", "adress", "address"][..],
        &["deepwater.toml:8:", "edge.timeouts.idle", "10 parsecs"],
        &["deepwater.toml:15:", "pools.app.balance", "round_robin"],
    ] {
        let line = result.stderr.split("deepwater.toml:").find(|part| {
            let whole = format!("deepwater.toml:{part}");
            words.iter().all(|word| whole.contains(word))
        });
        assert!(line.is_some(), "no message with {words:?} in:\n{}", result.stderr);
    }
    assert!(result.stderr.matches("fix:").count() >= 2, "{}", result.stderr);
}

#[tokio::test]
async fn what_types_cannot_say_is_told_at_once_too() {
    let config = "\
[console]
listen = \"0.0.0.0:9000\"

[[edge.listen]]
address = \"127.0.0.1\"

[[edge.route]]
pool = \"ap\"

[[edge.route]]
match = { path = \"/late\" }
pool = \"app\"
redirect = { to = \"/\" }

[pools.app]
targets = [\"http://127.0.0.1:3000/path\", \"127.0.0.1:0x\"]
sticky = { cookie = \"a b\" }
";
    let result = check(&Home::new(), config).await;
    assert_eq!(result.code, Some(2));
    for words in [
        ["deepwater.toml:2:", "token"],
        ["deepwater.toml:5:", "127.0.0.1"],
        ["deepwater.toml:8:", "app"],
        ["deepwater.toml:16:", "rewrite"],
    ] {
        let found = result.stderr.lines().any(|line| line.contains(words[0]));
        assert!(found && result.stderr.contains(words[1]), "{words:?} in:\n{}", result.stderr);
    }
}

#[tokio::test]
async fn names_are_not_shared_numbers_have_a_range_and_secrets_a_source() {
    let config = "\
[[edge.listen]]
address = \"127.0.0.1:8080\"

[[edge.route]]
name = \"a\"
match = { path = \"/a\" }
pool = \"app\"

[[edge.route]]
name = \"a\"
match = { path = \"/b\" }
pool = \"app\"

[[edge.route]]
name = \"/c\"
match = { path = \"/d\" }
pool = \"app\"

[[edge.route]]
match = { path = \"/c\" }
pool = \"app\"

[pools.app]
targets = [\"127.0.0.1:3000\"]

[postgres]
listen = \"127.0.0.1:6432\"

[postgres.databases.shop]
primary = \"postgres://app@127.0.0.1/shop\"
password = \"env:DEEPWATER_NOWHERE_SET\"
";
    let told = check(&Home::new(), config).await;
    let expected = "\
deepwater.toml:10: edge.route[1].name: the route at line 4 is called `a`, too: their metrics could not be told apart
  fix: give one of them another name
deepwater.toml:15: edge.route[2].name: the route at line 19 is called `/c`, too: their metrics could not be told apart
  fix: give one of them another name
deepwater.toml:31: postgres.databases.shop.password: the environment variable `DEEPWATER_NOWHERE_SET` is not set
  fix: set DEEPWATER_NOWHERE_SET in the environment that Deepwater starts in, or write \"file:PATH\"
";
    assert_eq!((told.code, told.stderr.as_str()), (Some(2), expected));

    let numbers = config
        .replace("[\"127.0.0.1:3000\"]", "[{ address = \"127.0.0.1:3000\", weight = -1 }]")
        .replace("6432\"", "6432\"\nmax_waiting = -1");
    let told = check(&Home::new(), &numbers).await;
    let expected = "\
deepwater.toml:24: pools.app.targets[0].weight: -1 is out of range: expected 1 to 1000
  fix: write 1 to 1000
deepwater.toml:28: postgres.max_waiting: -1 is out of range: expected 0 or more
  fix: write 0 or more
";
    assert_eq!((told.code, told.stderr.as_str()), (Some(2), expected));
}

#[tokio::test]
async fn deadlines_of_no_time_are_refused_beside_all_else() {
    let config = "\
[edge]
timeouts = { header = \"0s\", body = \"0s\" }
access_log = { sample = 2.0 }

[[edge.listen]]
address = \"127.0.0.1:0\"

[[edge.route]]
pool = \"app\"
timeout = \"0s\"
response_timeout = \"0s\"

[cache]
purge_from = [\"localhost\"]

[pools.app]
targets = [\"127.0.0.1:3000\"]
timeouts = { connect = \"0s\", response = \"0s\", idle = \"0s\" }
";
    let result = check(&Home::new(), config).await;
    assert_eq!(result.code, Some(2));
    for told in [
        "2: edge.timeouts.header: a deadline of no time",
        "2: edge.timeouts.body: a deadline of no time",
        "3: edge.access_log.sample: ",
        "10: edge.route[0].timeout: a deadline of no time",
        "11: edge.route[0].response_timeout: a deadline of no time",
        "14: cache.purge_from[0]: ",
        "18: pools.app.timeouts.connect: a deadline of no time",
        "18: pools.app.timeouts.response: a deadline of no time",
    ] {
        assert!(result.stderr.contains(&format!("deepwater.toml:{told}")), "{told} in:\n{}", result.stderr);
    }
    assert!(!result.stderr.contains("timeouts.idle"), "no connection need be kept:\n{}", result.stderr);
}

#[tokio::test]
async fn a_syntax_error_has_its_place() {
    let result = check(&Home::new(), "[edge]\nworkers = = 1\n").await;
    assert_eq!(result.code, Some(2));
    assert!(result.stderr.starts_with("deepwater.toml:2:"), "{}", result.stderr);
}

#[tokio::test]
async fn a_missing_file_is_named_with_a_way_out() {
    let home = Home::new();
    for (arguments, file, way_out) in [
        (&["run", "-c", "none.toml"][..], "none.toml", "fix: give the path of a file"),
        (&["check", "-c", "none.toml"], "none.toml", "fix: give the path of a file"),
        (&["run"], "deepwater.toml", "deepwater run --to http://127.0.0.1:3000"),
    ] {
        let result = run(&home.path(""), arguments).await;
        assert_eq!(result.code, Some(2), "{arguments:?}");
        assert!(result.stderr.contains(file) && result.stderr.contains(way_out), "{}", result.stderr);
    }
}

#[tokio::test]
async fn the_effective_configuration_reads_back_as_itself() {
    let home = Home::new();
    let routes = "[[edge.route]]\nmatch = { path = \"/a/{b}\", header = { X = \"*\" } }\nrewrite = \"/{b}\"\npool = \"app\"\n";
    let pool = "[pools.app]\ntargets = [\"127.0.0.1:1\", { address = \"127.0.0.1:2\", weight = 3 }]\nhealth = { every = \"1500ms\" }\n";
    home.write("deepwater.toml", format!("{LISTEN}{routes}{ROUTE}{pool}"));
    let once = run(&home.path(""), &["check", "--print"]).await;
    assert_eq!(once.code, Some(0), "{once:?}");
    for key in ["max_header_size", "drain_timeout", "unhealthy_after", "connect_attempts"] {
        assert!(once.stdout.contains(key), "{key} is missing in:\n{}", once.stdout);
    }
    home.write("printed.toml", &once.stdout);
    let twice = run(&home.path(""), &["check", "--print", "-c", "printed.toml"]).await;
    assert_eq!(twice.code, Some(0), "{}", twice.stderr);
    assert_eq!(once.stdout, twice.stdout);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let pool = "[pools.app]\ntargets = [\"127.0.0.1:3000\"]\n";
    let listen = LISTEN.replace("127.0.0.1:0", &port);
    let console = "[console]\nlisten = \"127.0.0.1:0\"\n";
    does_not_start(&Home::new(), &format!("{console}{listen}{ROUTE}{pool}"), &[&port, "fix:"]).await;
    let console = format!("[console]\nlisten = \"{port}\"\n");
    does_not_start(&Home::new(), &format!("{console}{LISTEN}{ROUTE}{pool}"), &[&port, "in use", "fix:"])
        .await;
}

#[tokio::test]
async fn a_certificate_must_match_its_key() {
    let (authority, home) = (Authority::new(), Home::new());
    home.write("cert.pem", authority.issue(&["a.example"]).cert);
    home.write("key.pem", authority.issue(&["a.example"]).key);
    let pool = "[pools.app]\ntargets = [\"127.0.0.1:3000\"]\n";
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let config = format!("{LISTEN}{tls}{ROUTE}{pool}");
    does_not_start(&home, &config, &["deepwater.toml:5:", "key.pem", "cert.pem", "fix:"]).await;
    assert_eq!(check(&home, &config).await.code, Some(2));
    std::fs::remove_file(home.path("key.pem")).unwrap();
    does_not_start(&home, &config, &["deepwater.toml:5:", "key.pem"]).await;
    home.write("key.pem", "nonsense");
    does_not_start(&home, &config, &["deepwater.toml:5:", "key.pem", "fix:"]).await;
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_is_named() {
    let log = "[edge.access_log]\nformat = \"json\"\npath = \"no/such/dir/access.log\"\n";
    let pool = "[pools.app]\ntargets = [\"127.0.0.1:3000\"]\n";
    let console = "[console]\nlisten = \"off\"\n";
    let config = format!("{console}{LISTEN}{log}{ROUTE}{pool}");
    does_not_start(&Home::new(), &config, &["no/such/dir/access.log", "fix:"]).await;
}

#[tokio::test]
async fn bad_usage_is_told_apart_from_failure() {
    let home = Home::new();
    for arguments in
        [&["fly"][..], &["run", "--to", "ftp://x"], &["run", "--listen", "x"], &["check", "--nonsense"]]
    {
        let result = run(&home.path(""), arguments).await;
        assert_eq!((result.code, result.stdout.as_str()), (Some(2), ""), "{arguments:?}: {result:?}");
        assert!(!result.stderr.is_empty());
    }
}

#[tokio::test]
async fn help_version_completions_and_schema() {
    let home = Home::new();
    for (arguments, word) in [
        (&["--help"][..], "Exit codes"),
        (&["run", "--help"], "--to"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["completions", "bash"], "_deepwater"),
        (&["check", "--schema"], "\"$schema\""),
        (&["check", "--reference"], "drain_timeout"),
    ] {
        let result = run(&home.path(""), arguments).await;
        assert_eq!(result.code, Some(0), "{arguments:?}: {result:?}");
        assert!(result.stdout.contains(word), "{arguments:?}: {}", result.stdout);
    }
}

#[tokio::test]
async fn several_listeners_may_each_take_a_free_port() {
    let origin = Origin::named("ok").await;
    let two = "[edge]\nworkers = 1\n[[edge.listen]]\naddress = \"127.0.0.1:0\"\n[[edge.listen]]\naddress = \"127.0.0.1:0\"\n";
    let result = check(&Home::new(), &format!("{two}{ROUTE}{}", pool("app", &[origin.address]))).await;
    assert_eq!(result.code, Some(0), "{}", result.stderr);
}

#[tokio::test]
async fn both_sides_may_speak_ipv6() {
    let anywhere: SocketAddr = "[::1]:0".parse().unwrap();
    let origin =
        Origin::answering_at(anywhere, |request| ok(request.get("x-forwarded-for").unwrap_or("-"))).await;
    let listen = LISTEN.replace("127.0.0.1:0", "[::1]:0");
    let edge = Deepwater::start(&format!("{listen}{ROUTE}{}", pool("app", &[origin.address]))).await;
    assert!(edge.edge().is_ipv6());
    assert_eq!(edge.get("/").await.text(), "::1");
}
