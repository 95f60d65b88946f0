//! `auto_prepare`: what a text means is its client's own, though its statement is shared.

use super::repeating::{repeating, value, value_in};
use crate::support::pg_wire::say::{bind, execute, extended, parse, query, sync};
use crate::support::pg_wire::{Pg, error_in};

#[tokio::test]
async fn a_table_for_one_transaction_stands_before_the_others() {
    let (database, _pooler, place) = repeating("pool_size = 1").await;
    database.admin().await.run("CREATE TABLE t AS SELECT 'all' AS a; GRANT SELECT ON t TO public").await;
    let mut client = Pg::login(&place).await;
    for _ in 0..3 {
        assert_eq!(value(&mut client, "SELECT a FROM t", &[]).await, "all");
        client.run("BEGIN").await;
        client.run("CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 'own' AS a").await;
        assert_eq!(value(&mut client, "SELECT a FROM t", &[]).await, "own");
        client.run("COMMIT").await;
    }
    // Each transaction has one of its kind.
    let insert = "INSERT INTO mine VALUES ($1) RETURNING a";
    for (kind, expected) in [("int", "7"), ("text", "007"), ("numeric", "7"), ("text", "007"), ("int", "7")] {
        client.run("BEGIN").await;
        client.run(&format!("CREATE TEMP TABLE mine (a {kind}) ON COMMIT DROP")).await;
        for _ in 0..3 {
            assert_eq!(value(&mut client, insert, &[Some("007")]).await, expected, "{kind}");
        }
        client.run("COMMIT").await;
    }
}

#[tokio::test]
async fn names_are_looked_up_along_the_clients_own_path() {
    let (database, _pooler, place) = repeating("pool_size = 1").await;
    let mut admin = database.admin().await;
    for (schema, kind) in [("a", "int"), ("b", "text")] {
        admin.run(&format!("CREATE SCHEMA {schema} AUTHORIZATION {}", database.user)).await;
        admin.run(&format!("CREATE TABLE {schema}.t (n {kind})")).await;
        admin.run(&format!("GRANT ALL ON {schema}.t TO public")).await;
    }
    // A value passes through the type that it has there, and no other.
    let insert = "INSERT INTO t VALUES ($1)";
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    client.run("SET search_path TO a").await;
    other.run("SET search_path TO b").await;
    for _ in 0..3 {
        client.ask(extended(insert, &[Some("007")])).await;
        other.ask(extended(insert, &[Some("007")])).await;
    }
    let here = ["SET LOCAL search_path TO b", "SELECT set_config('search_path', 'b', true)"];
    for path in here {
        client.run("BEGIN").await;
        client.query(path).await;
        client.ask(extended(insert, &[Some("007")])).await;
        client.run("COMMIT").await;
    }
    assert_eq!(admin.value("SELECT count(*) || string_agg(DISTINCT n::text, ' ') FROM a.t").await, "37");
    assert_eq!(admin.value("SELECT count(*) || string_agg(DISTINCT n, ' ') FROM b.t").await, "5007");
}

#[tokio::test]
async fn what_one_role_may_is_not_anothers() {
    let (database, _pooler, place) = repeating("pool_size = 1").await;
    let guest = database.role("guest", "").await.user;
    let mut admin = database.admin().await;
    admin.run(&format!("GRANT {guest} TO {}", database.user)).await;
    admin.run(&format!("CREATE SCHEMA closed AUTHORIZATION {}", database.user)).await;
    admin.run("CREATE TABLE closed.t AS SELECT 8 AS a; GRANT SELECT ON closed.t TO public").await;
    admin.run("CREATE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS 'SELECT 8'").await;
    admin.run("REVOKE ALL ON FUNCTION f() FROM public").await;
    admin.run(&format!("GRANT EXECUTE ON FUNCTION f() TO {}", database.user)).await;
    let mut client = Pg::login(&place).await;
    for text in ["SELECT a FROM closed.t", "SELECT f()"] {
        for role in ["SET ROLE", "SET LOCAL ROLE"] {
            for _ in 0..3 {
                assert_eq!(value(&mut client, text, &[]).await, "8");
            }
            client.run("BEGIN").await;
            client.run(&format!("{role} {guest}")).await;
            let told = client.ask(extended(text, &[])).await;
            assert_eq!(error_in(&told).code(), "42501", "{text}");
            client.run("ROLLBACK").await;
        }
        client.run(&format!("SET ROLE {guest}")).await;
        let told = client.ask(extended(text, &[])).await;
        assert_eq!(error_in(&told).code(), "42501", "{text}");
        client.run("RESET ROLE").await;
    }
}

#[tokio::test]
async fn what_a_client_defines_it_finds_at_once() {
    let (database, _pooler, place) = repeating("pool_size = 2").await;
    let mut admin = database.admin().await;
    admin.run("CREATE TABLE t AS SELECT 'all' AS a; GRANT SELECT ON t TO public").await;
    admin.run(&format!("CREATE SCHEMA own AUTHORIZATION {}", database.user)).await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    for session in [&mut client, &mut other] {
        session.run("SET search_path TO own, public").await;
        for _ in 0..3 {
            assert_eq!(value(session, "SELECT a FROM t", &[]).await, "all");
        }
    }
    client.run("CREATE TABLE t AS SELECT 'own' AS a").await;
    for session in [&mut client, &mut other] {
        assert_eq!(value(session, "SELECT a FROM t", &[]).await, "own");
    }
    // Within its transaction, too, and when that comes to nothing.
    let insert = "INSERT INTO n VALUES ($1) RETURNING n";
    client.run("CREATE TABLE n (n int)").await;
    for _ in 0..3 {
        assert_eq!(value(&mut client, insert, &[Some("007")]).await, "7");
    }
    client.run("BEGIN").await;
    client.run("ALTER TABLE n ALTER n TYPE text").await;
    assert_eq!(value(&mut client, insert, &[Some("007")]).await, "007");
    client.run("ROLLBACK").await;
    assert_eq!(value(&mut client, insert, &[Some("007")]).await, "7");
    for change in ["ALTER TABLE n ALTER n TYPE text", "DO $$ BEGIN ALTER TABLE n ALTER n TYPE text; END $$"] {
        client.run(change).await;
        assert_eq!(value(&mut client, insert, &[Some("007")]).await, "007");
        client.run("ALTER TABLE n ALTER n TYPE int USING n::int").await;
        assert_eq!(value(&mut other, insert, &[Some("007")]).await, "7");
    }
}

#[tokio::test]
async fn what_is_computed_beforehand_is_as_the_client_would_have_it() {
    let (_database, _pooler, place) = repeating("pool_size = 1").await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    other.run("SET bytea_output TO escape").await;
    other.run("SET extra_float_digits TO -10").await;
    other.run("SET quote_all_identifiers TO on").await;
    let texts = [
        ("SELECT '\\x4142'::bytea::text", "\\x4142", "AB"),
        ("SELECT (1 / 3.0)::float8::text", "0.3333333333333333", "0.33333"),
        ("SELECT quote_ident('a')", "a", "\"a\""),
    ];
    for (text, here, there) in texts {
        for _ in 0..3 {
            assert_eq!(value(&mut client, text, &[]).await, here);
            assert_eq!(value(&mut other, text, &[]).await, there);
        }
    }
}

#[tokio::test]
async fn a_type_may_be_made_anew() {
    let (database, _pooler, place) = repeating("pool_size = 1").await;
    let mut admin = database.admin().await;
    let make = "DROP TYPE IF EXISTS mood CASCADE; CREATE TYPE mood AS ENUM ('calm'); \
                CREATE TABLE IF NOT EXISTS t (a int); GRANT ALL ON t TO public; ALTER TABLE t ADD m mood";
    admin.run(make).await;
    let mut client = Pg::login(&place).await;
    let texts = ["SELECT $1::mood", "INSERT INTO t (m) VALUES ($1) RETURNING m"];
    for turn in 0..12 {
        for text in texts {
            assert_eq!(value(&mut client, text, &[Some("calm")]).await, "calm");
            // Some ask for no description.
            if turn % 2 == 0 {
                let told = client
                    .ask([parse("", text), bind("", "", &[Some("calm")]), execute("", 0), sync()].concat());
                assert_eq!(value_in(text, &told.await), "calm");
            }
        }
        if turn % 3 == 2 {
            admin.run(make).await;
        }
    }
}

#[tokio::test]
async fn what_postgresql_says_of_a_text_it_says_each_time() {
    let (_database, _pooler, place) = repeating("pool_size = 1").await;
    let mut client = Pg::login(&place).await;
    let long = format!("SELECT 1 AS {}", "x".repeat(64));
    for _ in 0..4 {
        let told = client.ask(extended(&long, &[])).await;
        assert_eq!((told[0].tag, told[0].code()), (b'N', "42622".to_owned()));
    }
    client.run("SET standard_conforming_strings TO off").await;
    for _ in 0..4 {
        let told = client.ask(extended(r"SELECT 'a\\b'", &[])).await;
        assert_eq!((told[0].tag, told[0].code()), (b'N', "22P06".to_owned()));
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_as_ever_though_more_has_been_sent() {
    let (_database, _pooler, place) = repeating("pool_size = 1").await;
    let mut client = Pg::login(&place).await;
    let eight = || extended("SELECT 8", &[]);
    for _ in 0..3 {
        value(&mut client, "SELECT 8", &[]).await;
        value(&mut client, "SELECT $1::int", &[Some("8")]).await;
    }
    // It has no name, whatever the client has made of its statement since.
    let wrong = [parse("", "SELECT $1::int"), bind("", "", &[]), sync()].concat();
    client.say([wrong, eight()].concat()).await;
    let told = client.hear_until(b'Z').await;
    assert!(error_in(&told).sentence().contains("prepared statement \"\" requires 1"), "{told:?}");
    assert_eq!(value_in("behind it", &client.hear_until(b'Z').await), "8");
    // A transaction that has failed takes no statement: not one of what was sent before that was known.
    client.run("BEGIN").await;
    client.say([extended("SELECT 1 / 0", &[]), eight(), parse("", "SELECT 8"), sync()].concat()).await;
    let tags = |told: &[crate::support::pg_wire::Reply]| told.iter().map(|it| it.tag).collect::<Vec<_>>();
    client.hear_until(b'Z').await;
    assert_eq!(tags(&client.hear_until(b'Z').await), b"EZ");
    assert_eq!(tags(&client.hear_until(b'Z').await), b"EZ");
    client.say([query("ROLLBACK"), eight()].concat()).await;
    client.hear_until(b'Z').await;
    assert_eq!(value_in("after its end", &client.hear_until(b'Z').await), "8");
}
