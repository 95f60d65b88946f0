//! Clients that read literals differently share no prepared statement that has them.

use super::turns;
use crate::support::pg_wire::say::{bind, execute, parse, sync};
use crate::support::pg_wire::{Pg, succeeded};
use crate::support::postgres::Version;

/// A setting, two of its values, and a text that means another thing under each.
const READ: [(&str, [&str; 2], &str); 7] = [
    ("TimeZone", ["UTC", "America/New_York"], "SELECT extract(epoch FROM '2024-01-01 12:00'::timestamptz)"),
    ("DateStyle", ["ISO, MDY", "ISO, DMY"], "SELECT extract(month FROM '02/03/2024'::date)"),
    ("IntervalStyle", ["postgres", "sql_standard"], "SELECT extract(hour FROM '-1 1:00:00'::interval)"),
    ("transform_null_equals", ["off", "on"], "SELECT (1 = NULL)::text"),
    ("array_nulls", ["on", "off"], "SELECT ('{NULL}'::text[])[1] IS NULL"),
    // PostgreSQL itself reads these anew.
    ("search_path", ["one", "two"], "SELECT v || 't'::regclass::oid::text FROM t"),
    (
        "timezone_abbreviations",
        ["Default", "Australia"],
        "SELECT extract(epoch FROM '2024-01-01 12:00 EST'::timestamptz)",
    ),
];

async fn run(session: &mut Pg, name: &str) -> String {
    let told = session.ask([bind("", name, &[]), execute("", 0), sync()].concat()).await;
    succeeded(name, &told);
    let row = told.iter().find(|reply| reply.tag == b'D').expect("a row").row();
    row[0].clone().unwrap_or_default()
}

async fn prepare(session: &mut Pg, name: &str, text: &str) {
    succeeded(text, &session.ask([parse(name, text), sync()].concat()).await);
}

#[tokio::test]
async fn literals_are_read_as_their_own_client_reads_them() {
    let (database, _pooler, mut client, mut other) = turns(Version::Newest).await;
    let mut direct = database.session().await;
    for schema in ["one", "two"] {
        direct
            .run(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.t AS SELECT '{schema}' AS v"))
            .await;
    }
    for (which, (name, values, text)) in READ.iter().enumerate() {
        let statement = format!("s{which}");
        let mut expected = Vec::new();
        for value in values {
            direct.run(&format!("SELECT set_config('{name}', '{value}', false)")).await;
            expected.push(direct.value(text).await);
        }
        direct.run("RESET ALL").await;
        for (session, value) in [(&mut client, values[0]), (&mut other, values[1])] {
            session.run(&format!("SELECT set_config('{name}', '{value}', false)")).await;
            prepare(session, &statement, text).await;
        }
        for _ in 0..2 {
            assert_eq!(run(&mut client, &statement).await, expected[0], "{name}");
            assert_eq!(run(&mut other, &statement).await, expected[1], "{name}");
        }
        client.run("RESET ALL").await;
        other.run("RESET ALL").await;
    }
}

/// What holds for one transaction decides nothing for others; nor does what is still under way.
#[tokio::test]
async fn what_holds_for_a_transaction_is_nobody_elses() {
    let (_database, _pooler, mut client, mut other) = turns(Version::Newest).await;
    let text = READ[0].2;
    let mut utc = String::new();
    for (which, set) in [
        "SET LOCAL TimeZone = 'Asia/Tokyo'",
        "SELECT set_config('TimeZone', 'Asia/Tokyo', true)",
        "SET TIME ZONE 'Asia/Tokyo'",
        "SELECT set_config('Time' || 'Zone', 'Asia/Tokyo', true)",
    ]
    .iter()
    .enumerate()
    {
        let text = format!("{text} -- {which}");
        let said =
            ["BEGIN".to_owned(), (*set).to_owned()].map(|sql| crate::support::pg_wire::say::query(&sql));
        // All of it in one breath.
        client.say([said.concat(), parse(&format!("t{which}"), &text), sync()].concat()).await;
        for _ in 0..3 {
            succeeded(set, &client.hear_until(b'Z').await);
        }
        client.run("COMMIT; RESET TimeZone").await;
        let name = format!("u{which}");
        prepare(&mut other, &name, &text).await;
        if utc.is_empty() {
            utc = other.value(&text).await;
        }
        assert_eq!(run(&mut other, &name).await, utc, "{set}");
    }
}

/// A client that reads them in another way than it did when it prepared a text does not make it so for others.
#[tokio::test]
async fn a_statement_made_again_is_not_made_for_others() {
    let database = Version::Newest.database().await;
    let pooler = crate::support::postgres::Pooler::before(&database, "pool_size = 1").await;
    let place = pooler.place(&database);
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    let text = READ[0].2;
    prepare(&mut client, "s", text).await;
    prepare(&mut other, "s", text).await;
    let utc = run(&mut other, "s").await;
    // On a connection that has it not, it is first used under another time zone.
    let mut pid: u32 = 0;
    for _ in 0..2 {
        client.run("SET TimeZone = 'Asia/Tokyo'").await;
        let backend: u32 = client.value("SELECT pg_backend_pid()").await.parse().unwrap();
        assert_ne!(backend, pid);
        pid = backend;
        database.terminate_backends().await;
        database.becomes(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}"), "0").await;
        run(&mut client, "s").await;
        assert_eq!(run(&mut other, "s").await, utc);
    }
}
