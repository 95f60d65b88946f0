//! Another process takes over: it gets the sockets, serves when it can, and nobody notices.

use std::net::SocketAddr;
use std::process::Stdio;

use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::support::{
    Deepwater, Home, LISTEN, Load, Origin, Outcome, ROUTE, Successor, Wire, ok, pool, soon, told_to_leave,
};

fn config(workers: usize, rest: &str, origin: &Origin) -> String {
    let listen = LISTEN.replace("workers = 1", &format!("workers = {workers}"));
    format!("{listen}{ROUTE}{}{rest}", pool("app", &[origin.address]))
}

#[tokio::test]
async fn a_new_process_serves_and_the_old_one_ends() {
    let origin = Origin::named("ok").await;
    let mut edge = Deepwater::start(&config(1, "sticky = { cookie = \"lb\" }\n", &origin)).await;
    let mut client = edge.client().await;
    let first = client.get("/").await;
    let cookie = first.get("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let old = edge.json("/api/status").await["pid"].as_u64().unwrap();

    edge.signal(Signal::USR2);
    let next = edge.upgraded().await;
    told_to_leave(&mut client).await;
    assert_eq!(edge.ends().await, Some(0));

    let status = edge.json("/api/status").await;
    assert_eq!(status["pid"], next.0, "at the same address");
    assert_ne!(u64::from(next.0), old);
    let again = edge.ask(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n")).await;
    assert_eq!((again.text(), again.get("set-cookie")), ("ok", None), "its cookies are as good");

    // And again, from the one that was started.
    next.signal(Signal::USR2);
    let third = edge.served_by_another(next.0).await;
    assert_eq!(edge.get("/").await.text(), "ok");
    assert_ne!(third.0, next.0);
}

#[tokio::test]
async fn it_may_have_more_threads_or_fewer() {
    let origin = Origin::named("ok").await;
    for (before, after) in [(1, 3), (3, 1)] {
        let mut edge = Deepwater::start(&config(before, "", &origin)).await;
        edge.rewrite(&config(after, "", &origin));
        edge.signal(Signal::USR2);
        let _next = edge.upgraded().await;
        assert_eq!(edge.ends().await, Some(0));
        for _ in 0..20 {
            assert_eq!(edge.get("/").await.text(), "ok", "from {before} to {after}");
        }
    }
}

#[tokio::test]
async fn addresses_may_come_and_go_with_it() {
    let origin = Origin::named("ok").await;
    let spare = Origin::nowhere().await;
    let more = format!("[[edge.listen]]\naddress = \"{spare}\"\n");
    let one = format!("{LISTEN}{ROUTE}{}", pool("app", &[origin.address]));
    let two = format!("{LISTEN}{more}{ROUTE}{}", pool("app", &[origin.address]));
    let mut edge = Deepwater::start(&two).await;
    edge.rewrite(&one);
    edge.signal(Signal::USR2);
    let _next = edge.upgraded().await;
    edge.log_line(&format!("a socket on {spare} was handed over")).await;
    assert_eq!(edge.ends().await, Some(0));
    assert_eq!(edge.get("/").await.text(), "ok");
    assert!(TcpStream::connect(spare).await.is_err());
}

#[tokio::test]
async fn one_that_cannot_start_changes_nothing() {
    let origin = Origin::named("ok").await;
    let good = config(1, "", &origin);
    let mut edge = Deepwater::start(&good).await;
    edge.rewrite(&good.replace("pool = \"app\"", "pool = \"ap\""));
    edge.signal(Signal::USR2);
    let told = edge.log_line("upgrade_failed").await;
    assert!(told.contains("exit status: 2") && told.contains("goes on"), "{told}");
    edge.log_line("edge.route[0].pool").await;
    assert_eq!(edge.get("/").await.text(), "ok");
    assert_eq!(edge.json("/api/status").await["pid"], edge.pid());
    // It can be tried again.
    edge.rewrite(&good);
    edge.signal(Signal::USR2);
    let _next = edge.upgraded().await;
    assert_eq!(edge.ends().await, Some(0));
    assert_eq!(edge.get("/").await.text(), "ok");
}

#[tokio::test]
async fn one_that_does_not_get_ready_is_ended() {
    let origin = Origin::scripted(|mut visit| async move {
        while let Some(request) = visit.request().await {
            if request.target() != "/health" {
                visit.send(ok("ok")).await;
            }
        }
    })
    .await;
    let home = Home::new();
    let health = "health = { path = \"/health\", timeout = \"1h\" }\n";
    let text = format!("[console]\nlisten = \"127.0.0.1:0\"\n{}", config(1, health, &origin));
    let file = home.write("deepwater.toml", text);
    let arguments = ["run", "--upgrade-timeout", "300ms", "-c", file.to_str().unwrap()];
    let edge = Deepwater::spawn(home, &arguments, 1).await;
    edge.signal(Signal::USR2);
    let told = edge.log_line("upgrade_failed").await;
    assert!(told.contains("could not serve within 0.3 s"), "{told}");
    assert_eq!(edge.get("/").await.text(), "ok");
    assert_eq!(edge.json("/api/status").await["pid"], edge.pid());
}

#[tokio::test]
async fn the_pooler_keeps_its_address_too() {
    let origin = Origin::named("ok").await;
    let address = Origin::nowhere().await;
    let postgres = format!(
        "[postgres]\nlisten = [\"{address}\", \"unix:./socket\"]\n[postgres.databases.shop]\nprimary = \"postgres://a:b@{}/shop\"\n",
        origin.address
    );
    let mut edge = Deepwater::start(&config(1, &postgres, &origin)).await;
    assert_eq!(answers(address).await, b'N');
    edge.signal(Signal::USR2);
    let next = edge.upgraded().await;
    assert_eq!(edge.ends().await, Some(0));
    assert_eq!(answers(address).await, b'N');
    assert!(edge.home().path("socket").exists(), "the file is the successor's");
    next.signal(Signal::TERM);
    let gone = async {
        while edge.home().path("socket").exists() {
            tokio::task::yield_now().await;
        }
    };
    soon("the file to go", gone).await;
}

/// What a pooler says to a client that asks for TLS.
async fn answers(address: SocketAddr) -> u8 {
    let mut client = Wire::new(soon("a connection", TcpStream::connect(address)).await.unwrap());
    client.send([0, 0, 0, 8, 4, 210, 22, 47]).await;
    client.bytes(1).await[0]
}

#[tokio::test]
async fn a_service_manager_may_open_the_sockets() {
    let origin = Origin::named("ok").await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Before there is anybody to accept it.
    let mut early = Wire::new(TcpStream::connect(address).await.unwrap());
    let home = Home::new();
    let listen = LISTEN.replace("127.0.0.1:0", &address.to_string()).replace("workers = 1", "workers = 2");
    let text = format!("[console]\nlisten = \"off\"\n{listen}{ROUTE}{}", pool("app", &[origin.address]));
    home.write("deepwater.toml", text);
    let notify = std::os::unix::net::UnixDatagram::bind(home.path("notify")).unwrap();
    notify.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" run";
    let mut manager = tokio::process::Command::new("sh");
    manager.args(["-c", script, env!("CARGO_BIN_EXE_deepwater")]).current_dir(home.path(""));
    manager.env("NOTIFY_SOCKET", home.path("notify")).kill_on_drop(true);
    let mut process = manager.stdin(Stdio::from(std::os::fd::OwnedFd::from(listener))).spawn().unwrap();
    assert_eq!(early.get("/").await.text(), "ok");
    let mut heard = [0; 64];
    let len = notify.recv(&mut heard).unwrap();
    assert_eq!(&heard[..len], b"READY=1");
    process.start_kill().unwrap();
    process.wait().await.unwrap();
}

/// How often to do something: few times, unless the environment asks for more.
fn times(name: &str, few: usize) -> usize {
    std::env::var(name).ok().and_then(|times| times.parse().ok()).unwrap_or(few)
}

/// `bench/change` runs it for longer.
#[tokio::test]
async fn nobody_notices_reloads_and_upgrades() {
    let (upgrades, reloads) = (times("DEEPWATER_UPGRADES", 2), times("DEEPWATER_RELOADS", 10));
    let (one, two) = (Origin::named("ok").await, Origin::named("ok").await);
    let spare = Origin::nowhere().await;
    // What is reloaded changes targets, routes and listeners, back and forth.
    let configs = [[one.address].as_slice(), &[two.address, one.address]].map(|targets| {
        let two = targets.len() == 2;
        let more = if two { format!("[[edge.listen]]\naddress = \"{spare}\"\n") } else { String::new() };
        let route = if two { "[[edge.route]]\nmatch = { path = \"/x\" }\npool = \"app\"\n" } else { "" };
        let listen = LISTEN.replace("workers = 1", "workers = 2");
        format!("{listen}{more}{route}{ROUTE}{}health = {{ path = \"/\" }}\n", pool("app", targets))
    });
    let edge = Deepwater::start(&configs[0]).await;
    let load = Load::on(edge.edge());
    load.serves(200).await;
    // Each serves its clients to the end.
    let mut processes: Vec<Successor> = Vec::new();
    for round in 0..upgrades.max(1) {
        for reload in (round..reloads).step_by(upgrades.max(1)) {
            edge.reloaded(&configs[(reload / upgrades.max(1) + 1) % 2]).await;
            load.serves(50).await;
        }
        if round < upgrades {
            match processes.last() {
                None => edge.signal(Signal::USR2),
                Some(process) => process.signal(Signal::USR2),
            }
            let before = processes.last().map_or(edge.pid(), |process| process.0);
            processes.push(edge.served_by_another(before).await);
            load.serves(200).await;
        }
    }
    let Outcome { served, failures, connections } = load.end().await;
    println!(
        "{upgrades} upgrades, {reloads} reloads: {served} requests over {connections} connections, {} failed",
        failures.len()
    );
    assert_eq!(failures, Vec::<String>::new());
}
