//! `auto_prepare`: what clients send again and again without a name is prepared once, and is to them what it always was.

use super::backend;
use crate::support::pg_wire::say::{
    bind, close_statement, describe_statement, execute, extended, flush, parse, parse_typed, query, sync,
};
use crate::support::pg_wire::{Pg, Reply, error_in, succeeded};
use crate::support::postgres::{Database, Place, Pooler, Version, node, pgbench, python};

pub(super) async fn repeating(more: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, &format!("auto_prepare = true\n{more}")).await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

pub(super) async fn value(client: &mut Pg, sql: &str, parameters: &[Option<&str>]) -> String {
    let told = client.ask(extended(sql, parameters)).await;
    value_in(sql, &told)
}

pub(super) fn value_in(what: &str, told: &[Reply]) -> String {
    succeeded(what, told);
    told.iter().find(|reply| reply.tag == b'D').unwrap().row()[0].clone().unwrap()
}

/// Statements that the client's server has.
async fn prepared(client: &mut Pg) -> Vec<String> {
    let rows = client.rows("SELECT statement FROM pg_prepared_statements ORDER BY 1").await;
    rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

#[tokio::test]
async fn a_repeated_text_is_prepared_once_for_all_clients() {
    let (database, pooler, place) = repeating("pool_size = 1").await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    for number in 0..20 {
        let number = number.to_string();
        assert_eq!(value(&mut client, "SELECT $1::int", &[Some(&number)]).await, number);
        assert_eq!(value(&mut other, "SELECT $1::int", &[Some(&number)]).await, number);
    }
    assert_eq!(prepared(&mut client).await, ["SELECT $1::int"]);
    let labels = [("database", &*database.database), ("user", &*database.user)];
    let metrics = pooler.metrics().await;
    let of = |name: &str| metrics.get(&format!("deepwater_postgres_{name}"), &labels).unwrap();
    assert_eq!(of("client_parses_total"), 40.0);
    // The first time nobody knows that it comes again; the second time it is prepared for good.
    assert_eq!(of("server_parses_total"), 2.0);
    assert_eq!(of("repeated_parses_total"), 39.0);
}

#[tokio::test]
async fn nothing_is_prepared_that_nobody_asked_for() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 1").await;
    let mut client = Pg::login(&pooler.place(&database)).await;
    for _ in 0..5 {
        value(&mut client, "SELECT 1", &[]).await;
    }
    assert_eq!(prepared(&mut client).await, [""; 0]);
    let labels = [("database", &*database.database), ("user", &*database.user)];
    // What it would save is told all the same.
    assert_eq!(pooler.metrics().await.get("deepwater_postgres_repeated_parses_total", &labels), Some(4.0));
}

#[tokio::test]
async fn what_comes_once_is_not_kept() {
    let (_database, _pooler, place) = repeating("pool_size = 1").await;
    let mut client = Pg::login(&place).await;
    for number in 0..50 {
        value(&mut client, &format!("SELECT {number}"), &[]).await;
    }
    assert_eq!(prepared(&mut client).await, [""; 0]);
}

#[tokio::test]
async fn what_means_another_thing_each_time_is_read_each_time() {
    let (_database, _pooler, place) = repeating("pool_size = 1").await;
    let mut client = Pg::login(&place).await;
    let mut times = Vec::new();
    for _ in 0..4 {
        times.push(value(&mut client, "SELECT 'now'::timestamptz::text", &[]).await);
    }
    times.dedup();
    assert_eq!(times.len(), 4, "time stands still");
    // The same text with other types is another statement.
    for _ in 0..3 {
        for (kind, of) in [(25, "text"), (23, "integer"), (20, "bigint")] {
            let asked =
                [parse_typed("", "SELECT pg_typeof($1)", &[kind]), bind("", "", &[Some("1")])].concat();
            let told = client.ask([asked, execute("", 0), sync()].concat()).await;
            assert_eq!(value_in(of, &told), of);
        }
    }
    // How literals are read belongs to it.
    let day = "SELECT extract(day FROM '01/02/2024'::date)::int";
    for _ in 0..3 {
        for (style, expected) in [("ISO, MDY", "2"), ("ISO, DMY", "1")] {
            client.run(&format!("SET datestyle = '{style}'")).await;
            assert_eq!(value(&mut client, day, &[]).await, expected);
        }
    }
}

#[tokio::test]
async fn a_client_with_a_table_of_its_own_sees_that() {
    let (database, _pooler, place) = repeating("pool_size = 2").await;
    let mut admin = database.admin().await;
    admin.run("CREATE TABLE t AS SELECT 'shared' AS a; GRANT SELECT ON t TO public").await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    for _ in 0..3 {
        assert_eq!(value(&mut client, "SELECT a FROM t", &[]).await, "shared");
    }
    client.run("CREATE TEMP TABLE t AS SELECT 'own' AS a").await;
    for _ in 0..3 {
        assert_eq!(value(&mut client, "SELECT a FROM t", &[]).await, "own");
        assert_eq!(value(&mut other, "SELECT a FROM t", &[]).await, "shared");
    }
    client.run("DROP TABLE pg_temp.t").await;
    for _ in 0..3 {
        assert_eq!(value(&mut client, "SELECT a FROM t", &[]).await, "shared");
    }
}

#[tokio::test]
async fn it_is_the_statement_without_a_name() {
    let (_database, _pooler, place) = repeating("pool_size = 2").await;
    let mut client = Pg::login(&place).await;
    let run_it = || [bind("", "", &[]), execute("", 0), sync()].concat();
    for _ in 0..3 {
        value(&mut client, "SELECT 8", &[]).await;
    }
    // It stays until there is another, whatever server runs it.
    let mut holder = Pg::login(&place).await;
    let first = backend(&mut client).await;
    value(&mut client, "SELECT 8", &[]).await;
    holder.run("BEGIN").await;
    assert_eq!(backend(&mut holder).await, first);
    assert_eq!(value_in("elsewhere", &client.ask(run_it()).await), "8");
    let described = client.ask([describe_statement(""), sync()].concat()).await;
    assert_eq!(described[0].to_string(), "Parameters []");
    // Whatever ends a statement without a name ends it.
    let endings =
        [query("SELECT 1"), [close_statement(""), sync()].concat(), [parse("", "nonsense"), sync()].concat()];
    for ending in endings {
        assert_eq!(value(&mut client, "SELECT 8", &[]).await, "8");
        client.ask(&ending).await;
        assert_eq!(error_in(&client.ask(run_it()).await).code(), "26000");
    }
    // What is skipped leaves what was there before.
    assert_eq!(value(&mut client, "SELECT 8", &[]).await, "8");
    for after in ["SELECT 9", "SELECT 9", "SELECT 9", "SELECT nonsense", "SELECT nonsense"] {
        let told = client.ask([execute("never", 0), parse("", after), sync()].concat()).await;
        assert_eq!(error_in(&told).code(), "34000");
        assert_eq!(value_in(after, &client.ask(run_it()).await), "8");
    }
    // Two in one batch, each where it stands.
    let two = [parse("", "SELECT 8"), bind("", "", &[]), execute("", 0), parse("", "SELECT 9")].concat();
    let told = client.ask([two, run_it()].concat()).await;
    let rows: Vec<_> = told.iter().filter(|reply| reply.tag == b'D').map(Reply::row).collect();
    assert_eq!(rows, [[Some("8".to_owned())], [Some("9".to_owned())]]);
}

#[tokio::test]
async fn answers_come_when_they_are_asked_for() {
    let (_database, _pooler, place) = repeating("pool_size = 1").await;
    let mut client = Pg::login(&place).await;
    for _ in 0..3 {
        value(&mut client, "SELECT 8", &[]).await;
    }
    // Flush has it said though the batch goes on, and what stands behind it has not been asked for.
    client.say([parse("", "SELECT 8"), flush(), bind("", "", &[])].concat()).await;
    assert_eq!(client.hear().await.tag, b'1');
    client.say(flush()).await;
    assert_eq!(client.hear().await.tag, b'2');
    client.say([execute("", 0), sync()].concat()).await;
    assert_eq!(value_in("the rest", &client.hear_until(b'Z').await), "8");
    // A query behind a batch without a Sync waits for it.
    client.say([parse("", "SELECT 8"), query("SELECT 9")].concat()).await;
    assert_eq!(value_in("the query", &client.hear_until(b'Z').await), "9");
    // A failed transaction takes no statement.
    for failed in ["BEGIN", "nonsense"] {
        client.query_or_end(failed).await;
    }
    let told = client.ask(extended("SELECT 8", &[])).await;
    assert_eq!((told[0].tag, error_in(&told).code()), (b'E', "25P02".to_owned()));
    client.run("ROLLBACK").await;
    assert_eq!(value(&mut client, "SELECT 8", &[]).await, "8");
}

#[tokio::test]
async fn no_migration_is_felt_between_transactions() {
    let (database, _pooler, place) = repeating("pool_size = 2").await;
    let mut admin = database.admin().await;
    let owner = &database.user;
    admin.run(&format!("CREATE TABLE t (n int, note text); ALTER TABLE t OWNER TO {owner}")).await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    let insert = "INSERT INTO t (n) VALUES ($1) RETURNING n::text";
    let find = "SELECT * FROM t WHERE n = $1";
    let migrations = [
        ("SELECT 1", "7"),
        ("ALTER TABLE t ALTER n TYPE bigint", "5000000000"),
        ("ALTER TABLE t ADD added int DEFAULT 3", "6000000000"),
        ("ALTER TABLE t ALTER n TYPE text", "word"),
        ("DROP TABLE t; CREATE TABLE t (n uuid)", "11111111-2222-3333-4444-555555555555"),
        ("ALTER TABLE t ALTER n TYPE text", "word again"),
    ];
    for (migration, number) in migrations {
        admin.run(migration).await;
        admin.run(&format!("ALTER TABLE t OWNER TO {owner}")).await;
        for turn in 0..4 {
            let session = if turn % 2 == 0 { &mut client } else { &mut other };
            assert_eq!(value(session, insert, &[Some(number)]).await, number, "{migration}");
            // Some drivers ask about the statement, some about the portal.
            let asked = match turn {
                0 | 1 => extended(find, &[Some(number)]),
                _ => [
                    parse("", find),
                    describe_statement(""),
                    bind("", "", &[Some(number)]),
                    execute("", 0),
                    sync(),
                ]
                .concat(),
            };
            let told = session.ask(asked).await;
            succeeded(migration, &told);
            let columns = told.iter().find(|reply| reply.tag == b'T').unwrap().columns();
            assert_eq!(columns.contains(&"added".to_owned()), admin_sees(&mut admin).await, "{migration}");
        }
    }
    // What is wrong stays wrong.
    admin.run("DROP TABLE t").await;
    for _ in 0..2 {
        let told = client.ask(extended(find, &[Some("1")])).await;
        assert_eq!(error_in(&told).code(), "42P01");
    }
}

async fn admin_sees(admin: &mut Pg) -> bool {
    let count =
        "SELECT count(*) FROM information_schema.columns WHERE table_name = 't' AND column_name = 'added'";
    admin.value(count).await == "1"
}

#[tokio::test]
async fn within_a_transaction_a_migration_is_felt_once() {
    let (database, _pooler, place) = repeating("pool_size = 1").await;
    let mut admin = database.admin().await;
    admin.run("CREATE TABLE t AS SELECT 1 AS a; GRANT SELECT ON t TO public").await;
    let mut client = Pg::login(&place).await;
    for _ in 0..3 {
        value(&mut client, "SELECT * FROM t", &[]).await;
    }
    admin.run("ALTER TABLE t ADD b int").await;
    client.run("BEGIN").await;
    let told = client.ask(extended("SELECT * FROM t", &[])).await;
    assert_eq!(error_in(&told).sentence(), "cached plan must not change result type");
    client.run("ROLLBACK").await;
    client.run("BEGIN").await;
    assert_eq!(value(&mut client, "SELECT * FROM t", &[]).await, "1");
    client.run("COMMIT").await;
}

#[tokio::test]
async fn values_that_do_not_fit_are_refused_as_ever() {
    let (_database, _pooler, place) = repeating("pool_size = 1").await;
    let mut client = Pg::login(&place).await;
    for number in ["1", "2", "3", "none", "4", "none", "none", "5"] {
        let told = client.ask(extended("SELECT $1::int", &[Some(number)])).await;
        match number {
            "none" => {
                let error = error_in(&told);
                assert_eq!(error.code(), "22P02");
                assert_eq!(told.iter().map(|reply| reply.tag).collect::<Vec<_>>(), b"1EZ");
            }
            _ => assert_eq!(value_in("a number", &told), number),
        }
    }
}

#[tokio::test]
async fn programs_notice_nothing() {
    let (_database, _pooler, place) = repeating("").await;
    python(&place, "psycopg_story.py", &[]).await.good();
    python(&place, "asyncpg_story.py", &[]).await.good();
    node(&place, "node_story.js", &[]).await.good();
    pgbench(&place, &["-i", "-q", "-s", "1"]).await.good();
    for work in [["-b", "tpcb-like"], ["-b", "select-only"]] {
        let arguments = ["-n", "-c", "8", "-j", "2", "-t", "50", "-M", "extended"];
        let told = pgbench(&place, &[&arguments, &work[..]].concat()).await.good();
        assert!(told.contains("transactions actually processed: 400/400"), "{told}");
        assert!(told.contains("failed transactions: 0"), "{told}");
    }
}
