//! What runs where its text is not: EXECUTE, function calls by number, statements dropped in odd places.

use super::turns;
use crate::support::pg_wire::say::{bind, call, copy_data, copy_done, execute, extended, parse, query, sync};
use crate::support::pg_wire::{Pg, Reply, error_in, succeeded};
use crate::support::postgres::Version;

const SEEN: &str = "SELECT current_setting('app.v', true)";

/// Locks number 99 in the database of this story.
const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 99 \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

#[tokio::test]
async fn what_execute_does_is_followed() {
    let (_database, _pooler, mut client, mut other) = turns(Version::Newest).await;
    client.run("PREPARE sc (text) AS SELECT set_config('app.v', $1, false)").await;
    let ways = [
        "EXECUTE sc('x')",
        "EXPLAIN ANALYZE EXECUTE sc('x')",
        "SELECT 1; EXECUTE sc('x'); SELECT 2",
        "/* */execute SC('x');",
    ];
    for way in ways {
        for simple in [true, false] {
            if !simple && way.contains("SELECT 2") {
                continue;
            }
            client.run("SET app.v = ''").await;
            assert_eq!(other.value(SEEN).await, "", "{way}");
            let said = if simple { query(way) } else { extended(way, &[]) };
            succeeded(way, &client.ask(said).await);
            assert_eq!(other.value(SEEN).await, "", "{way}");
            assert_eq!(client.value(SEEN).await, "x", "{way}");
        }
    }
    // Behind its own PREPARE, before that is answered.
    client.run("SET app.v = ''").await;
    let text = "PREPARE late AS SELECT set_config('app.v', 'late', false)";
    client.say([query(text), query("EXECUTE late")].concat()).await;
    client.hear_until(b'Z').await;
    succeeded("EXECUTE late", &client.hear_until(b'Z').await);
    assert_eq!(other.value(SEEN).await, "");
    assert_eq!(client.value(SEEN).await, "late");
    // A statement that the protocol has prepared.
    client.run("SET app.v = ''").await;
    client.ask([parse("p", "SELECT set_config('app.v', 'p', false)"), sync()].concat()).await;
    assert_eq!(other.value(SEEN).await, "");
    client.run("EXECUTE p").await;
    assert_eq!(other.value(SEEN).await, "");
    assert_eq!(client.value(SEEN).await, "p");
}

#[tokio::test]
async fn a_lock_taken_by_execute_pins() {
    let (database, pooler, mut client, _) = turns(Version::Newest).await;
    client.run("PREPARE al (bigint) AS SELECT pg_advisory_lock($1)").await;
    client.run("SELECT 1").await;
    client.run("EXECUTE al(99)").await;
    assert_eq!(client.value(LOCKS).await, "1", "its server is its own");
    client.leave().await;
    assert_eq!(Pg::login(&pooler.place(&database)).await.value(LOCKS).await, "0");
}

#[tokio::test]
async fn functions_called_by_number_pin() {
    let (database, pooler, mut client, _) = turns(Version::Newest).await;
    let mut admin = database.admin().await;
    let number = async |admin: &mut Pg, name: &str| -> u32 {
        admin.value(&format!("SELECT '{name}'::regprocedure::oid")).await.parse().unwrap()
    };
    let set_config = number(&mut admin, "set_config(text, text, boolean)").await;
    let lock = number(&mut admin, "pg_advisory_lock(bigint)").await;
    let create = number(&mut admin, "lo_create(oid)").await;
    // Large objects leave nothing behind.
    let numbers = "SELECT string_agg(oid::int::text, ',' ORDER BY oid::int) FROM pg_proc WHERE proname ~ '^lo_|^loread$|^lowrite$'";
    assert_eq!(
        admin.value(numbers).await,
        "715,764,765,767,952,953,954,955,956,957,958,964,1004,3170,3171,3172,3457,3458,3459,3460"
    );
    succeeded("lo_create", &client.ask(call(create, &[Some("0")])).await);
    let mut other = Pg::login(&pooler.place(&database)).await;
    assert_eq!(other.value("SELECT 1").await, "1");
    succeeded("set_config", &client.ask(call(set_config, &[Some("app.v"), Some("x"), Some("f")])).await);
    succeeded("pg_advisory_lock", &client.ask(call(lock, &[Some("99")])).await);
    assert_eq!(client.value(SEEN).await, "x");
    client.leave().await;
    assert_eq!(other.value(SEEN).await, "");
    assert_eq!(other.value(LOCKS).await, "0");
}

/// Runs a prepared statement; the value it gives, or the code of the error.
async fn outcome(session: &mut Pg, bytes: Vec<u8>) -> String {
    let told = session.ask(bytes).await;
    match told.iter().find(|reply| reply.tag == b'E') {
        Some(_) => error_in(&told).code(),
        None => {
            let rows = told.iter().filter(|reply| reply.tag == b'D');
            rows.map(|row| row.row()[0].clone().unwrap_or_default()).collect::<Vec<_>>().join(" ")
        }
    }
}

/// The same conversations with a server and through the pooler.
#[tokio::test]
async fn names_that_are_dropped_and_made_anew_mean_what_they_do_without_a_pooler() {
    let made = |name: &str, text: &str| [parse(name, text), sync()].concat();
    let used = |name: &str| [bind("", name, &[]), execute("", 0), sync()].concat();
    let extended = |text: &str| [parse("", text), bind("", "", &[]), execute("", 0), sync()].concat();
    let stories: Vec<Vec<Vec<u8>>> = vec![
        vec![
            made("s1", "SELECT 1"),
            query("SELECT 0; DEALLOCATE s1; SELECT 9"),
            made("s1", "SELECT 2"),
            used("s1"),
        ],
        vec![made("s1", "SELECT 1"), extended("DEALLOCATE s1"), made("s1", "SELECT 2"), used("s1")],
        vec![made("s1", "SELECT 1"), extended("DEALLOCATE s1"), used("s1"), query("EXECUTE s1")],
        vec![made("s1", "SELECT 1"), query("SELECT 1 / 0; DEALLOCATE s1"), used("s1")],
        vec![made("s1", "SELECT 1"), query("DEALLOCATE s1; SELECT 1 / 0"), used("s1")],
        vec![
            made("s1", "SELECT 1"),
            query("BEGIN"),
            extended("DEALLOCATE s1"),
            query("ROLLBACK"),
            used("s1"),
        ],
        vec![extended("PREPARE s1 AS SELECT 5"), made("s1", "SELECT 2"), used("s1"), query("EXECUTE s1")],
        vec![
            extended("PREPARE s1 AS SELECT 5"),
            query("SELECT 7"),
            query("DEALLOCATE s1"),
            made("s1", "SELECT 2"),
            used("s1"),
        ],
        vec![query("SELECT 3; PREPARE s1 AS SELECT 5; SELECT 4"), made("s1", "SELECT 2"), used("s1")],
        vec![
            query("PREPARE s1 AS SELECT 5; DEALLOCATE s1; PREPARE s1 AS SELECT 6"),
            used("s1"),
            query("EXECUTE s1"),
        ],
        vec![query("PREPARE s1 AS SELECT 5; DEALLOCATE ALL; PREPARE s2 AS SELECT 6"), used("s1"), used("s2")],
        vec![made("s1", "SELECT 1"), extended("PREPARE s1 AS SELECT 5"), used("s1")],
        vec![made("s1", "SELECT 1"), query("SELECT 1; PREPARE s1 AS SELECT 5"), used("s1")],
        vec![
            made("d", "DEALLOCATE s1"),
            made("s1", "SELECT 1"),
            used("d"),
            used("s1"),
            made("s1", "SELECT 2"),
            used("s1"),
            used("d"),
            used("d"),
        ],
        vec![
            made("s1", "SELECT 1"),
            query("BEGIN"),
            query("SELECT 1 / 0"),
            extended("DEALLOCATE s1"),
            query("ROLLBACK"),
            used("s1"),
        ],
        // A batch in which nothing is answered before its end.
        vec![
            made("s1", "SELECT 1"),
            [
                parse("", "DEALLOCATE s1"),
                bind("", "", &[]),
                execute("", 0),
                parse("s1", "SELECT 2"),
                bind("", "s1", &[]),
                execute("", 0),
                sync(),
            ]
            .concat(),
            used("s1"),
        ],
        vec![
            made("s1", "SELECT 1"),
            [
                parse("", "SELECT 1 / 0"),
                bind("", "", &[]),
                execute("", 0),
                parse("", "DEALLOCATE s1"),
                bind("", "", &[]),
                execute("", 0),
                sync(),
            ]
            .concat(),
            used("s1"),
        ],
        // Two portals.
        vec![
            made("s1", "SELECT 1"),
            [
                parse("x", "DEALLOCATE s1"),
                bind("a", "x", &[]),
                parse("y", "SELECT 8"),
                bind("b", "y", &[]),
                execute("b", 0),
                sync(),
            ]
            .concat(),
            used("s1"),
        ],
    ];
    for version in Version::ALL {
        let (database, pooler, mut other, _) = turns(version).await;
        // What another client has under the name is never met.
        other.run("PREPARE s1 AS SELECT 'another''s'").await;
        other.ask(made("s2", "SELECT 'another''s'")).await;
        for (which, story) in stories.iter().enumerate() {
            let (mut direct, mut pooled) =
                (database.session().await, Pg::login(&pooler.place(&database)).await);
            for (step, said) in story.iter().enumerate() {
                let expected = outcome(&mut direct, said.clone()).await;
                let words = String::from_utf8_lossy(said).replace(|c: char| c.is_control(), " ");
                assert_eq!(
                    outcome(&mut pooled, said.clone()).await,
                    expected,
                    "{version:?}, story {which}, step {step}: {words}"
                );
            }
            pooled.leave().await;
            assert_eq!(other.value("EXECUTE s1").await, "another's", "{version:?}, after story {which}");
        }
    }
}

/// What is sent behind a text before its answer comes finds what that text has done.
#[tokio::test]
async fn what_is_sent_behind_waits_for_what_names_mean() {
    let (_database, _pooler, mut client, mut other) = turns(Version::Newest).await;
    other.run("PREPARE s1 AS SELECT 'another''s'").await;
    client.ask([parse("s1", "SELECT 1"), sync()].concat()).await;
    let said = [
        query("SELECT 0"),
        query("DEALLOCATE s1"),
        parse("s1", "SELECT 2"),
        bind("", "s1", &[]),
        execute("", 0),
        sync(),
    ];
    client.say(said.concat()).await;
    client.hear_until(b'Z').await;
    succeeded("DEALLOCATE", &client.hear_until(b'Z').await);
    let told = client.hear_until(b'Z').await;
    succeeded("s1", &told);
    let row = told.iter().find(|reply| reply.tag == b'D').unwrap().row();
    assert_eq!(row, [Some("2".to_owned())]);
    // A transaction that has failed, ended in the same breath.
    client.run("BEGIN").await;
    client.error("SELECT 1 / 0").await;
    client.say([query("ROLLBACK"), query("EXECUTE s1")].concat()).await;
    client.hear_until(b'Z').await;
    let told = client.hear_until(b'Z').await;
    let rows = told.iter().find(|reply| reply.tag == b'D').map(Reply::row);
    assert_eq!(rows, Some(vec![Some("2".to_owned())]), "{told:?}");
    assert_eq!(other.value("EXECUTE s1").await, "another's");
}

/// What the server asks for is not held back until it has answered.
#[tokio::test]
async fn a_copy_behind_a_prepare_gets_its_data() {
    let (_database, _pooler, mut client, _) = turns(Version::Newest).await;
    client.run("CREATE TABLE t (v int)").await;
    client.run("SET TimeZone = 'Asia/Tokyo'").await;
    for text in ["PREPARE s1 AS SELECT 5; COPY t FROM STDIN", "RESET TimeZone; COPY t FROM STDIN"] {
        client.say(query(text)).await;
        client.hear_until(b'G').await;
        succeeded(text, &client.ask([copy_data("1\n"), copy_done()].concat()).await);
    }
    assert_eq!(client.value("SELECT count(*) FROM t").await, "2");
    assert_eq!(client.value("EXECUTE s1").await, "5");
}
