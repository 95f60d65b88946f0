//! A configuration that changes under clients.

use rustix::process::{Pid, Signal, kill_process};

use super::backend;
use crate::support::pg_wire::Pg;
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
