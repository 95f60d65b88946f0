//! A configuration that changes under clients.

use rustix::process::{Pid, Signal, kill_process};

use super::backend;
use crate::support::pg_wire::say::{bind, close_statement, execute, parse, sync};
use crate::support::pg_wire::{Pg, succeeded};
use crate::support::postgres::{Pooler, Version};

/// Changes the file, and asks for it to be read again.
fn reload(pooler: &Pooler, from: &str, to: &str) {
    let file = pooler.home().path("deepwater.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&file, text.replace(from, to)).unwrap();
    kill_process(Pid::from_raw(pooler.pid().cast_signed()).unwrap(), Signal::HUP).unwrap();
}

#[tokio::test]
async fn pools_change_and_nobody_is_dropped() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 1").await;
    let place = pooler.place(&database);
    let (mut first, mut second) = (Pg::login(&place).await, Pg::login(&place).await);
    first.run("SET application_name = 'kept'").await;
    first.run("BEGIN").await;
    let server = backend(&mut first).await;

    reload(&pooler, "pool_size = 1", "pool_size = 2");
    pooler.log_line("reloaded").await;
    // The second connection that there may be now serves the second client, beside the first's transaction.
    assert_ne!(backend(&mut second).await, server);
    assert_eq!(backend(&mut first).await, server);
    first.run("COMMIT").await;
    assert_eq!(first.value("SHOW application_name").await, "kept");
}

#[tokio::test]
async fn a_file_that_is_wrong_changes_nothing() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 3").await;
    let mut client = Pg::login(&pooler.place(&database)).await;

    reload(&pooler, "pool_size = 3", "pool_sise = 5");
    let told = pooler.log_line("reload_refused").await;
    assert!(told.contains("nothing was reloaded") && told.contains("deepwater.toml"), "{told}");
    assert_eq!(client.value("SELECT 1").await, "1");
    let pools = pooler.json("/api/postgres/pools").await;
    assert_eq!(pools["pools"][0]["size"], 3, "{pools}");
}

#[tokio::test]
async fn a_statement_is_the_one_that_was_last_prepared_whatever_the_mode_was_before() {
    let database = Version::Newest.database().await;
    let pooler =
        Pooler::before(&database, "mode = \"transaction\"\nauto_prepare = true\npool_size = 1").await;
    let mut client = Pg::login(&pooler.place(&database)).await;
    let run = |name, number: u8| {
        let text = format!("SELECT {number}");
        let made = [close_statement(name), parse(name, &text), bind("", name, &[]), execute("", 0), sync()];
        made.concat()
    };
    for name in ["", "named"] {
        for _ in 0..3 {
            succeeded(name, &client.ask(run(name, 1)).await);
        }
    }
    reload(&pooler, "\"transaction\"", "\"session\"");
    pooler.log_line("reloaded").await;
    for name in ["", "named"] {
        let told = client.ask(run(name, 2)).await;
        assert_eq!(told.iter().find(|reply| reply.tag == b'D').unwrap().row(), [Some("2".to_owned())]);
    }
}
