//! What is too large to hold passes through.

mod gibibyte;

use crate::support::UNWATCHED;
use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Database, Place, Pooler, Version};

const MIB: usize = 1024 * 1024;
/// Passed through each time.
const TOTAL: usize = 256 * MIB;
/// What the process may grow by while it does.
const GROWTH: u64 = 16 * MIB as u64;

async fn pooled() -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, UNWATCHED).await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

/// What the process takes before something large comes; from now on its peak counts.
fn before(pooler: &Pooler) -> u64 {
    pooler.forget_peak();
    pooler.resident_bytes()
}

/// Fails if the process has grown, be it for a moment.
fn bounded(pooler: &Pooler, before: u64) {
    let peak = pooler.peak_bytes();
    let mib = |bytes| bytes / MIB as u64;
    println!("{} KiB more", peak.saturating_sub(before) / 1024);
    assert!(peak < before + GROWTH, "from {} to {} MiB", mib(before), mib(peak));
}

#[tokio::test]
async fn a_large_copy_out_takes_little_memory() {
    let (_database, pooler, place) = pooled().await;
    let mut session = Pg::login(&place).await;
    session.run("SELECT 1").await;
    let before = before(&pooler);
    let rows = TOTAL / (64 * 1024);
    session
        .say(say::query(&format!(
            "COPY (SELECT repeat('x', 65535) FROM generate_series(1, {rows})) TO STDOUT"
        )))
        .await;
    let mut count = 0;
    loop {
        let reply = session.hear().await;
        match reply.tag {
            b'd' => count += reply.payload.len(),
            b'Z' => break,
            _ => {}
        }
    }
    assert_eq!(count, TOTAL);
    bounded(&pooler, before);
}

#[tokio::test]
async fn a_large_copy_in_takes_little_memory() {
    let (database, pooler, place) = pooled().await;
    database
        .admin()
        .await
        .run(&format!("CREATE UNLOGGED TABLE t (words text); ALTER TABLE t OWNER TO {}", database.user))
        .await;
    let mut session = Pg::login(&place).await;
    session.run("SELECT 1").await;
    let before = before(&pooler);
    session.say(say::query("COPY t FROM STDIN")).await;
    assert_eq!(session.hear().await.tag, b'G');
    // Compressible, so that it is the server that has little to do.
    let row = [vec![b'x'; MIB - 1], b"\n".to_vec()].concat();
    for _ in 0..TOTAL / MIB {
        session.say(say::copy_data(&row)).await;
    }
    bounded(&pooler, before);
    session.say(say::copy_done()).await;
    let told = session.hear_until(b'Z').await;
    assert_eq!(told[0].to_string(), format!("Complete COPY {}", TOTAL / MIB));
    bounded(&pooler, before);
}

#[tokio::test]
async fn a_large_row_takes_little_memory() {
    let (_database, pooler, place) = pooled().await;
    let mut session = Pg::login(&place).await;
    session.run("SELECT 1").await;
    let before = before(&pooler);
    session.say(say::query(&format!("SELECT repeat('x', {TOTAL})"))).await;
    session.hear_until(b'T').await;
    let (tag, length) = session.skip_message().await;
    assert_eq!((tag, length), (b'D', 2 + 4 + TOTAL));
    session.hear_until(b'Z').await;
    bounded(&pooler, before);
    assert_eq!(session.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn a_large_parameter_takes_little_memory() {
    let (_database, pooler, place) = pooled().await;
    let mut session = Pg::login(&place).await;
    for name in ["", "named"] {
        println!("{name:?}");
        let prepared =
            session.ask([say::parse(name, "SELECT length($1::bytea)"), say::sync()].concat()).await;
        assert!(prepared.iter().all(|reply| reply.tag != b'E'), "{prepared:?}");
        let before = before(&pooler);
        // Portal, statement, one format: binary; one value.
        let mut head = [b"\0", name.as_bytes(), b"\0\0\x01\0\x01\0\x01"].concat();
        let size = TOTAL / 2;
        head.extend(u32::try_from(size).unwrap().to_be_bytes());
        let rest = [0, 0];
        let length = i32::try_from(4 + head.len() + size + rest.len()).unwrap();
        session.say(say::with_length(b'B', length, &head)).await;
        let block = vec![b'x'; MIB];
        for _ in 0..size / MIB {
            session.say(&block).await;
        }
        session.say(rest).await;
        let told = session.ask([say::execute("", 0), say::sync()].concat()).await;
        assert!(told.iter().any(|reply| reply.to_string() == format!("Row [\"{size}\"]")), "{told:?}");
        bounded(&pooler, before);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_nobody_memory() {
    let (database, pooler, place) = pooled().await;
    let mut session = Pg::login(&place).await;
    session.run("SELECT 1").await;
    let before = before(&pooler);
    session.say(say::query("SELECT repeat('x', 1000000) FROM generate_series(1, 1000)")).await;
    // The server stands still once all buffers between are full.
    database.sessions_become(1, "state = 'active' AND wait_event = 'ClientWrite'").await;
    bounded(&pooler, before);
    let mut other = Pg::login(&place).await;
    assert_eq!(other.value("SELECT 1").await, "1");
    drop(session);
    database.sessions_become(0, "wait_event = 'ClientWrite'").await;
}

#[tokio::test]
async fn idle_clients_take_little_memory() {
    const CLIENTS: usize = 500;
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, UNWATCHED).await;
    let place = pooler.place(&database);
    let mut sessions = Vec::new();
    // What is allocated once is there after the first.
    for _ in 0..100 {
        let mut session = Pg::login(&place).await;
        session.run("SELECT 1").await;
        sessions.push(session);
    }
    let before = pooler.resident_bytes();
    for _ in 0..CLIENTS {
        let mut session = Pg::login(&place).await;
        session.run("SELECT 1").await;
        sessions.push(session);
    }
    let each = pooler.resident_bytes().saturating_sub(before) / CLIENTS as u64;
    assert!(each <= 16 * 1024, "{each} bytes for each, in a build that is not optimised");
}
