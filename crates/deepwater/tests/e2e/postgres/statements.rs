//! Prepared statements in transaction mode: a client finds its own on whatever server serves it.

use super::backend;
use crate::support::pg_wire::say::{
    bind, close_statement, describe_statement, execute, extended, parse, query, sync,
};
use crate::support::pg_wire::{Pg, Reply, error_in, say, succeeded};
use crate::support::postgres::{Database, Place, Pooler, Version};

/// Two servers, and who holds one so that the next client gets the other.
async fn two_servers(more: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, &format!("pool_size = 2\n{more}")).await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

/// Runs a statement that is prepared; its one value.
async fn run(session: &mut Pg, name: &str, parameters: &[Option<&str>]) -> String {
    let told = session.ask([bind("", name, parameters), execute("", 0), sync()].concat()).await;
    value_in(name, &told)
}

fn value_in(what: &str, replies: &[Reply]) -> String {
    succeeded(what, replies);
    replies.iter().find(|reply| reply.tag == b'D').unwrap().row()[0].clone().unwrap()
}

async fn prepare(session: &mut Pg, name: &str, sql: &str) {
    succeeded(sql, &session.ask([parse(name, sql), sync()].concat()).await);
}

#[tokio::test]
async fn a_statement_is_found_on_every_server() {
    let (_database, _pooler, place) = two_servers("").await;
    let (mut client, mut holder) = (Pg::login(&place).await, Pg::login(&place).await);
    prepare(&mut client, "s", "SELECT pg_backend_pid() + $1::int").await;
    let first = run(&mut client, "s", &[Some("0")]).await;
    holder.run("BEGIN").await;
    assert_eq!(backend(&mut holder).await, first);
    let second = run(&mut client, "s", &[Some("0")]).await;
    assert_ne!(second, first);
    let described = client.ask([describe_statement("s"), sync()].concat()).await;
    assert_eq!(described[0].to_string(), "Parameters [23]");
    client.run("BEGIN").await;
    holder.run("COMMIT").await;
    let mut third = Pg::login(&place).await;
    third.run("BEGIN").await;
    assert_eq!(backend(&mut third).await, first);
    assert_eq!(run(&mut client, "s", &[Some("0")]).await, second);
}

#[tokio::test]
async fn clients_may_use_the_same_names() {
    let (database, pooler, place) = two_servers("").await;
    let mut clients = Vec::new();
    for number in 0..20 {
        let mut client = Pg::login(&place).await;
        // Some texts are alike, so that servers share them.
        prepare(&mut client, "s", &format!("SELECT $1::int + {}", number % 5)).await;
        clients.push(client);
    }
    for _ in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(run(client, "s", &[Some("0")]).await, (number % 5).to_string());
        }
    }
    let mut admin = database.admin().await;
    assert_eq!(admin.value("SELECT count(*) FROM pg_prepared_statements").await, "0");
    let parses = pooler.metrics().await;
    assert_eq!(parses.get("deepwater_postgres_client_parses_total", &labels(&database)), Some(20.0));
    let on_servers = parses.get("deepwater_postgres_server_parses_total", &labels(&database)).unwrap();
    assert!(on_servers <= 10.0, "five texts on two servers: {on_servers}");
}

fn labels(database: &Database) -> [(&str, &str); 2] {
    [("database", &database.database), ("user", &database.user)]
}

#[tokio::test]
async fn a_server_keeps_a_bounded_number() {
    let (_database, _pooler, place) = two_servers("max_prepared_statements = 5").await;
    let mut client = Pg::login(&place).await;
    for number in 0..40 {
        prepare(&mut client, &format!("s{number}"), &format!("SELECT {number}")).await;
    }
    for number in (0..40).chain([39, 0, 17, 3]) {
        assert_eq!(run(&mut client, &format!("s{number}"), &[]).await, number.to_string());
    }
    client.run("BEGIN").await;
    let kept: usize = client.value("SELECT count(*) FROM pg_prepared_statements").await.parse().unwrap();
    assert!(kept <= 5, "{kept}");
}

#[tokio::test]
async fn more_statements_than_a_server_keeps_fit_in_one_pipeline() {
    let (_database, _pooler, place) = two_servers("max_prepared_statements = 3").await;
    let mut client = Pg::login(&place).await;
    let prepared: Vec<u8> = (0..20).flat_map(|n| parse(&format!("s{n}"), &format!("SELECT {n}"))).collect();
    let bound: Vec<u8> =
        (0..20).flat_map(|n| [bind("", &format!("s{n}"), &[]), execute("", 0)].concat()).collect();
    let told = client.ask([prepared, bound, sync()].concat()).await;
    succeeded("the pipeline", &told);
    let rows: Vec<_> =
        told.iter().filter(|reply| reply.tag == b'D').map(|r| r.row()[0].clone().unwrap()).collect();
    assert_eq!(rows, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_closed_is_gone_for_its_client_alone() {
    let (_database, _pooler, place) = two_servers("").await;
    let closings: [Vec<u8>; 4] = [
        [close_statement("s"), sync()].concat(),
        query("DEALLOCATE s"),
        query("DEALLOCATE ALL"),
        query("DISCARD ALL"),
    ];
    for closing in closings {
        let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
        for session in [&mut client, &mut other] {
            prepare(session, "s", "SELECT 1").await;
            assert_eq!(run(session, "s", &[]).await, "1");
        }
        succeeded("closing", &client.ask(&closing).await);
        let told = client.ask([bind("", "s", &[]), execute("", 0), sync()].concat()).await;
        assert_eq!(error_in(&told).code(), "26000");
        assert_eq!(run(&mut other, "s", &[]).await, "1");
        prepare(&mut client, "s", "SELECT 2").await;
        assert_eq!(run(&mut client, "s", &[]).await, "2");
        assert_eq!(run(&mut other, "s", &[]).await, "1");
    }
}

#[tokio::test]
async fn what_sql_prepares_is_its_clients_too() {
    let (_database, _pooler, place) = two_servers("").await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    client.run("PREPARE s (int) AS SELECT $1 + 1").await;
    other.run("PREPARE s (int) AS SELECT $1 + 2").await;
    for _ in 0..2 {
        assert_eq!(client.value("EXECUTE s(1)").await, "2");
        assert_eq!(other.value("EXECUTE s(1)").await, "3");
    }
    client.run("DEALLOCATE s").await;
    assert_eq!(client.error("EXECUTE s(1)").await.code(), "26000");
    assert_eq!(other.value("EXECUTE s(1)").await, "3");
    client.leave().await;
    other.leave().await;
    let mut next = Pg::login(&place).await;
    for _ in 0..2 {
        assert_eq!(next.error("EXECUTE s(1)").await.code(), "26000");
    }
}

#[tokio::test]
async fn a_rolled_back_pipeline_keeps_what_it_prepared() {
    // PostgreSQL's prepared statements know no transactions.
    let (_database, _pooler, place) = two_servers("").await;
    let mut client = Pg::login(&place).await;
    let told = client
        .ask(
            [parse("kept", "SELECT 1"), parse("bad", "nonsense"), parse("skipped", "SELECT 2"), sync()]
                .concat(),
        )
        .await;
    assert_eq!(error_in(&told).code(), "42601");
    assert_eq!(run(&mut client, "kept", &[]).await, "1");
    for name in ["bad", "skipped"] {
        let told = client.ask([bind("", name, &[]), sync()].concat()).await;
        assert_eq!(error_in(&told).code(), "26000", "{name}");
    }
    client.run("BEGIN").await;
    prepare(&mut client, "inside", "SELECT 3").await;
    client.run("ROLLBACK").await;
    assert_eq!(run(&mut client, "inside", &[]).await, "3");
}

#[tokio::test]
async fn a_migration_heals_itself() {
    let (database, _pooler, place) = two_servers("").await;
    let mut admin = database.admin().await;
    admin.run(&format!("CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t OWNER TO {}", database.user)).await;
    let mut client = Pg::login(&place).await;
    prepare(&mut client, "s", "SELECT * FROM t").await;
    assert_eq!(run(&mut client, "s", &[]).await, "1");
    for column in ["b", "c"] {
        admin.run(&format!("ALTER TABLE t ADD COLUMN {column} int DEFAULT 2")).await;
        // Whoever prepares it anew sees the new columns at once, though servers have had the text for long.
        let mut next = Pg::login(&place).await;
        prepare(&mut next, "mine", "SELECT * FROM t").await;
        let told = next
            .ask([bind("", "mine", &[]), say::describe_portal(""), execute("", 0), sync()].concat())
            .await;
        succeeded("after the migration", &told);
        assert!(told[1].columns().contains(&column.to_owned()), "{told:?}");
        // And whoever had it goes on.
        assert_eq!(run(&mut client, "s", &[]).await, "1");
    }
}

#[tokio::test]
async fn what_a_server_lost_is_prepared_again() {
    let (_database, _pooler, place) = two_servers("").await;
    let mut client = Pg::login(&place).await;
    prepare(&mut client, "s", "SELECT $1::int").await;
    assert_eq!(run(&mut client, "s", &[Some("1")]).await, "1");
    // Nothing in the text says so.
    client.run("DO $$ BEGIN EXECUTE 'DEALL' || 'OCATE ALL'; END $$").await;
    assert_eq!(run(&mut client, "s", &[Some("2")]).await, "2");
}

#[tokio::test]
async fn statements_without_a_name_are_nobodys_but_their_clients() {
    let (_database, _pooler, place) = two_servers("").await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    for number in 0..5 {
        let number = number.to_string();
        let told = client.ask(extended("SELECT $1::int", &[Some(&number)])).await;
        assert_eq!(value_in("extended", &told), number);
        let told = other.ask(extended("SELECT 'other ' || $1", &[Some(&number)])).await;
        assert_eq!(value_in("extended", &told), format!("other {number}"));
    }
    // Prepared in one transaction, used in the next: PostgreSQL allows it.
    client.run("SELECT 1").await;
    prepare(&mut client, "", "SELECT 'mine'").await;
    other.ask(extended("SELECT 'other'", &[])).await;
    assert_eq!(run(&mut client, "", &[]).await, "mine");
}

#[tokio::test]
async fn names_and_texts_may_be_odd() {
    let (_database, _pooler, place) = two_servers("").await;
    let mut client = Pg::login(&place).await;
    let long = "n".repeat(10_000);
    for name in ["with space", "\"quoted\"", "ünïcode", "DEEPWATER_1", "PGBOUNCER_1", "s1", long.as_str()] {
        prepare(&mut client, name, &format!("SELECT length($1) + {}", name.len())).await;
        assert_eq!(run(&mut client, name, &[Some("")]).await, name.len().to_string());
    }
    let large = format!("SELECT length('{}')", "x".repeat(1_000_000));
    for name in ["large", "as large"] {
        prepare(&mut client, name, &large).await;
        assert_eq!(run(&mut client, name, &[]).await, "1000000");
    }
}

/// In a pipeline of two batches the error of the first keeps from the server what the second needs, too.
#[tokio::test]
async fn what_an_error_kept_from_a_server_is_made_for_the_next_batch() {
    let (_database, _pooler, place) = two_servers("").await;
    let (mut client, mut holder) = (Pg::login(&place).await, Pg::login(&place).await);
    prepare(&mut client, "divide", "SELECT 1 / $1::int").await;
    prepare(&mut client, "seven", "SELECT 7").await;
    client.say([parse("", "SELECT 8"), sync()].concat()).await;
    client.hear_until(b'Z').await;
    holder.run("BEGIN").await;
    for (name, expected) in [("seven", "7"), ("", "8")] {
        let use_it = || [bind("", name, &[]), execute("", 0)].concat();
        let fails = [bind("", "divide", &[Some("0")]), execute("", 0)].concat();
        client.say([fails, use_it(), sync(), use_it(), sync()].concat()).await;
        assert!(error_in(&client.hear_until(b'Z').await).to_string().contains("C:22012"));
        assert_eq!(value_in(name, &client.hear_until(b'Z').await), expected);
    }
}

/// The server has another client's statement without a name, and is told of this client's only once that is not skipped.
#[tokio::test]
async fn what_is_skipped_leaves_no_other_clients_statement_in_its_place() {
    let (_database, _pooler, place) = two_servers("").await;
    let (mut client, mut holder) = (Pg::login(&place).await, Pg::login(&place).await);
    client.say([parse("", "SELECT 8"), sync()].concat()).await;
    client.hear_until(b'Z').await;
    holder.run("BEGIN").await;
    let mut other = Pg::login(&place).await;
    other.say([parse("", "SELECT 666"), sync()].concat()).await;
    other.hear_until(b'Z').await;
    let fails = [execute("never", 0), parse("", "SELECT 9"), sync()].concat();
    client.say([fails, bind("", "", &[]), execute("", 0), sync()].concat()).await;
    assert_eq!(error_in(&client.hear_until(b'Z').await).code(), "34000");
    assert_eq!(value_in("", &client.hear_until(b'Z').await), "8");
}

#[tokio::test]
async fn what_sql_prepares_may_be_used_within_a_batch() {
    let (_database, _pooler, place) = two_servers("").await;
    let (mut client, mut holder) = (Pg::login(&place).await, Pg::login(&place).await);
    client.run("PREPARE s (int) AS SELECT $1 + 1").await;
    holder.run("BEGIN").await;
    // On a server that does not have it, and that has another client's of its name.
    let mut other = Pg::login(&place).await;
    other.run("PREPARE s AS SELECT 666").await;
    let first = || [parse("", "SELECT 1"), bind("", "", &[]), execute("", 0)].concat();
    let told = client.ask([first(), parse("s", "SELECT 2"), sync()].concat()).await;
    assert_eq!(error_in(&told).code(), "42P05");
    for _ in 0..2 {
        let told = client.ask([first(), bind("", "s", &[Some("6")]), execute("", 0), sync()].concat()).await;
        let rows: Vec<_> = told.iter().filter(|reply| reply.tag == b'D').map(ToString::to_string).collect();
        assert_eq!(rows, [r#"Row ["1"]"#, r#"Row ["7"]"#]);
        assert_eq!(other.value("EXECUTE s").await, "666");
    }
    // In a transaction that has failed the server says so.
    for failed in ["BEGIN", "nonsense"] {
        client.say(query(failed)).await;
        client.hear_until(b'Z').await;
    }
    let told = client.ask([bind("", "s", &[Some("6")]), sync()].concat()).await;
    assert_eq!(error_in(&told).code(), "25P02");
    client.run("ROLLBACK").await;
    let executed = [first(), parse("", "EXECUTE s(7)"), bind("", "", &[]), execute("", 0), sync()].concat();
    assert!(client.ask(executed).await.iter().any(|reply| reply.to_string() == r#"Row ["8"]"#));
    assert_eq!(other.value("EXECUTE s").await, "666");
}
