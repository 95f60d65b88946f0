//! Another process takes over: clients stay connected, and what they rely on goes with them.

use rustix::process::Signal;

use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Database, Place, Pooler, Setup, Version, pgbench};
use crate::support::{Successor, soon};

async fn pooled(keys: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, keys).await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

/// What is answered by a statement that was prepared.
async fn execute(client: &mut Pg, statement: &str, parameter: &str) -> String {
    let bind = say::bind("", statement, &[Some(parameter)]);
    let replies = client.ask([bind, say::execute("", 0), say::sync()].concat()).await;
    let row = replies.iter().find(|reply| reply.tag == b'D').unwrap_or_else(|| panic!("{replies:?}"));
    row.row()[0].clone().unwrap()
}

#[tokio::test]
async fn clients_go_on_with_what_they_rely_on() {
    let (database, mut pooler, place) = pooled("pool_size = 2\nworkers = 2").await;
    let mut clients = Vec::new();
    for number in 0..6 {
        let mut client = Pg::login_with(&place, &[("application_name", "shop")]).await;
        client.run(&format!("SET work_mem = '{}MB'", 10 + number)).await;
        client.ask([say::parse("twice", &format!("SELECT $1::int * {number}")), say::sync()].concat()).await;
        client.ask([say::parse("", "SELECT $1::int + 100"), say::sync()].concat()).await;
        clients.push(client);
    }
    pooler.signal(Signal::USR2);
    let next = pooler.upgraded().await;
    assert_eq!(pooler.ends().await, Some(0));
    // And on to a third one.
    next.signal(Signal::USR2);
    let _third = pooler.served_by_another(next.0).await;

    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(execute(client, "", "1").await, "101", "the one without a name");
        assert_eq!(client.value("SHOW work_mem").await, format!("{}MB", 10 + number));
        assert_eq!(client.value("SHOW application_name").await, "shop");
        assert_eq!(execute(client, "twice", "2").await, (2 * number).to_string());
        client.run("RESET work_mem").await;
        assert_eq!(client.value("SHOW application_name").await, "shop");
        assert_ne!(client.value("SHOW work_mem").await, format!("{}MB", 10 + number));
    }
    let pools = pooler.json("/api/postgres/pools").await;
    assert_eq!(pools["pools"][0]["clients"], 6, "{pools:#}");

    // What they were told for cancel requests is good there.
    let client = &mut clients[3];
    client.say(say::query("SELECT pg_sleep(1000)")).await;
    database.sessions_become(1, "state = 'active' AND query = 'SELECT pg_sleep(1000)'").await;
    let mut connection = Pg::dial(&place).await;
    connection.say(say::cancel(client.pid, &client.key)).await;
    connection.hear_out().await;
    let told = client.hear_until(b'Z').await;
    assert_eq!(told.iter().find(|reply| reply.tag == b'E').unwrap().code(), "57014", "{told:?}");
    // Nor is a newcomer taken for one of them.
    let newcomer = Pg::login(&place).await;
    assert!(clients.iter().all(|client| client.pid != newcomer.pid));
}

#[tokio::test]
async fn who_is_in_a_transaction_goes_on_when_it_is_over() {
    let (_database, mut pooler, place) = pooled("").await;
    let mut client = Pg::login(&place).await;
    client.run("BEGIN").await;
    let backend = super::backend(&mut client).await;
    pooler.signal(Signal::USR2);
    let _next = pooler.upgraded().await;
    assert_eq!(super::backend(&mut client).await, backend, "its transaction is where it was");
    client.run("COMMIT").await;
    assert_eq!(pooler.ends().await, Some(0));
    assert_ne!(super::backend(&mut client).await, backend);
}

#[tokio::test]
async fn who_cannot_go_is_told_to_come_again() {
    let (_database, mut pooler, place) = pooled("").await;
    let (mut pinned, mut listening) = (Pg::login(&place).await, Pg::login(&place).await);
    pinned.run("PREPARE once AS SELECT 1").await;
    listening.run("LISTEN news").await;
    pooler.signal(Signal::USR2);
    let _next = pooler.upgraded().await;
    for client in [&mut pinned, &mut listening] {
        assert_eq!(client.hear().await.code(), "57P01");
    }
    assert_eq!(pooler.ends().await, Some(0));
    assert_eq!(Pg::login(&place).await.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn who_has_no_database_there_is_told_so() {
    let (database, mut pooler, place) = pooled("").await;
    let mut client = Pg::login(&place).await;
    let file = pooler.home().path("deepwater.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(&format!("databases.{}]", database.database), "databases.other]"))
        .unwrap();
    pooler.signal(Signal::USR2);
    let _next = pooler.upgraded().await;
    let told = client.hear().await;
    assert_eq!((told.code().as_str(), told.sentence().as_str()), ("57P01", "database removed"));
    assert!(client.try_hear().await.is_none());
    assert_eq!(pooler.ends().await, Some(0));
}

#[tokio::test]
async fn who_logged_in_with_scram_needs_no_stored_password_there() {
    // Only the SCRAM secret is known to the pooler: servers are logged in to with what the client's login left.
    let database = Version::Newest.database().await;
    let secret = database
        .admin()
        .await
        .value(&format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{}'", database.user))
        .await;
    assert!(secret.starts_with("SCRAM-SHA-256$"), "{secret}");
    let setup = Setup::new().user(&database.user, &secret);
    let server = format!("postgres://{}/{}", database.address, database.database);
    let section = format!("[postgres.databases.{}]\nprimary = \"{server}\"\n", database.database);
    let mut pooler = setup.section(&section).start().await;
    let mut client = Pg::login(&pooler.place(&database)).await;
    assert_eq!(client.value("SELECT current_user").await, database.user);
    pooler.signal(Signal::USR2);
    let _next = pooler.upgraded().await;
    assert_eq!(pooler.ends().await, Some(0));
    assert_eq!(client.value("SELECT current_user").await, database.user);
}

#[tokio::test]
async fn a_crowd_does_not_notice_upgrades() {
    let (_database, pooler, place) = pooled("pool_size = 4\nworkers = 2").await;
    pgbench(&place, &["-i", "-q", "-s", "1"]).await.good();
    // All of them are ended with the test, and not before.
    let mut processes: Vec<Successor> = Vec::new();
    for protocol in ["simple", "prepared"] {
        // A thread for each: one that prepares a statement waits for a server, which another of its clients may hold.
        let arguments = ["-n", "-c", "12", "-j", "12", "-T", "6", "-M", protocol];
        let crowd = tokio::spawn({
            let place = place.clone();
            async move { pgbench(&place, &arguments).await.good() }
        });
        for _ in 0..2 {
            // There is always work under way.
            soon("transactions", transactions(&pooler)).await;
            let pid = u32::try_from(pooler.json("/api/status").await["pid"].as_u64().unwrap()).unwrap();
            match processes.last() {
                Some(process) => process.signal(Signal::USR2),
                None => pooler.signal(Signal::USR2),
            }
            processes.push(pooler.served_by_another(pid).await);
        }
        let told = crowd.await.unwrap();
        assert!(told.contains("failed transactions: 0"), "{told}");
    }
}

/// Resolves when the process that serves now has seen some.
async fn transactions(pooler: &Pooler) {
    loop {
        let pools = pooler.json("/api/postgres/pools").await;
        if pools["pools"][0]["transactions"].as_u64().is_some_and(|count| count > 100) {
            return;
        }
        tokio::task::yield_now().await;
    }
}
