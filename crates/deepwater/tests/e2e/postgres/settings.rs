//! What a client sets is its own, on whatever server serves it, and nobody else's.

use super::backend;
use crate::support::pg_wire::{Pg, say, succeeded};
use crate::support::postgres::{Database, Place, Pooler, Setup, Version};

async fn pooled(more: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, &format!("pool_size = 2\n{more}")).await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

/// Holds one of two servers, so that who comes next gets the other; and the other way around.
async fn on_both_servers(place: &Place, mut check: impl AsyncFnMut(&str)) {
    let mut holder = Pg::login(place).await;
    holder.run("BEGIN").await;
    let held = backend(&mut holder).await;
    check("beside the first").await;
    let mut other = Pg::login(place).await;
    other.run("BEGIN").await;
    assert_ne!(backend(&mut other).await, held);
    holder.run("COMMIT").await;
    check("beside the second").await;
    other.run("COMMIT").await;
}

#[tokio::test]
async fn a_setting_follows_its_client() {
    let (_database, _pooler, place) = pooled("").await;
    let mut client = Pg::login(&place).await;
    client.run("SET TimeZone = 'Asia/Tokyo'").await;
    client.run("SET search_path TO pg_catalog, public; SET statement_timeout = '7s'").await;
    client.run("SELECT set_config('custom.word', 'it''s \"odd\" \\ ', false)").await;
    client.run("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE").await;
    client.ask(say::extended("SET DateStyle = 'German'", &[])).await;
    let told = "SELECT concat_ws('|', current_setting('TimeZone'), current_setting('search_path'), \
                current_setting('statement_timeout'), current_setting('custom.word'), \
                current_setting('transaction_isolation'), current_setting('DateStyle'))";
    let expected = "Asia/Tokyo|pg_catalog, public|7s|it's \"odd\" \\ |serializable|German, DMY";
    on_both_servers(&place, async |where_| assert_eq!(client.value(told).await, expected, "{where_}")).await;
}

#[tokio::test]
async fn nobody_else_has_it() {
    let (_database, _pooler, place) = pooled("").await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    client.run("SET TimeZone = 'Asia/Tokyo'; SET custom.word = 'secret'; SET search_path = pg_catalog").await;
    on_both_servers(&place, async |where_| {
        assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo", "{where_}");
        assert_eq!(other.value("SHOW TimeZone").await, "UTC", "{where_}");
        assert_eq!(other.value("SHOW search_path").await, "\"$user\", public", "{where_}");
        assert_eq!(other.value("SELECT current_setting('custom.word', true)").await, "", "{where_}");
        let mut new = Pg::login(&place).await;
        assert_eq!(new.value("SHOW TimeZone").await, "UTC", "{where_}");
        assert_eq!(new.parameters["TimeZone"], "UTC", "{where_}");
    })
    .await;
}

#[tokio::test]
async fn what_is_rolled_back_or_local_is_not_kept() {
    let (_database, _pooler, place) = pooled("").await;
    let mut client = Pg::login(&place).await;
    client.run("SET TimeZone = 'Asia/Tokyo'").await;
    client.run("BEGIN; SET TimeZone = 'Europe/Rome'").await;
    assert_eq!(client.value("SHOW TimeZone").await, "Europe/Rome");
    client.run("ROLLBACK").await;
    client.run("BEGIN; SET LOCAL TimeZone = 'Europe/Oslo'; COMMIT").await;
    client.run("SELECT set_config('TimeZone', 'Europe/Zurich', true)").await;
    client.error("SET TimeZone = 'Europe/Vienna'; SELECT 1 / 0").await;
    client.run("BEGIN; SAVEPOINT s; SET TimeZone = 'Europe/Paris'; ROLLBACK TO s; COMMIT").await;
    client.error("SET TimeZone = 'Mars/Olympus'").await;
    on_both_servers(&place, async |where_| {
        assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo", "{where_}");
    })
    .await;
    client.run("BEGIN; SET TimeZone = 'Europe/Rome'").await;
    client.run("COMMIT").await;
    on_both_servers(&place, async |where_| {
        assert_eq!(client.value("SHOW TimeZone").await, "Europe/Rome", "{where_}");
    })
    .await;
}

#[tokio::test]
async fn resetting_brings_back_what_the_client_began_with() {
    let (_database, _pooler, place) = pooled("").await;
    let began = [("TimeZone", "Asia/Tokyo"), ("application_name", "a story")];
    let mut client = Pg::login_with(&place, &began).await;
    for reset in
        ["RESET TimeZone", "RESET ALL", "DISCARD ALL", "SET TimeZone TO DEFAULT", "SET TIME ZONE LOCAL"]
    {
        client.run("SET TimeZone = 'Europe/Rome'").await;
        on_both_servers(&place, async |where_| {
            assert_eq!(client.value("SHOW TimeZone").await, "Europe/Rome", "{where_}");
        })
        .await;
        client.run(reset).await;
        on_both_servers(&place, async |where_| {
            assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo", "{reset} {where_}");
            assert_eq!(client.value("SHOW application_name").await, "a story", "{reset} {where_}");
        })
        .await;
    }
}

/// What is sent together with a text that resets comes behind what that leads back to, also where the client keeps its server.
#[tokio::test]
async fn resetting_is_over_before_what_comes_behind_it() {
    let (_database, _pooler, place) = pooled("").await;
    let began = [("TimeZone", "Asia/Tokyo"), ("application_name", "a story")];
    let mut client = Pg::login_with(&place, &began).await;
    for pinned in [false, true] {
        for reset in ["RESET TimeZone", "RESET ALL", "SET TimeZone TO DEFAULT", "DISCARD ALL"] {
            if pinned {
                client.run("SELECT pg_advisory_lock(7)").await;
            }
            client.run("SET TimeZone = 'Europe/Rome'").await;
            let extended = [say::extended(reset, &[]), say::query("SHOW TimeZone")].concat();
            let simple = [say::query(reset), say::query("SHOW TimeZone")].concat();
            // Not everything may be prepared.
            let both = if reset == "DISCARD ALL" { vec![simple] } else { vec![simple, extended] };
            for together in both {
                client.run("SET TimeZone = 'Europe/Rome'").await;
                client.say(together).await;
                succeeded(reset, &client.hear_until(b'Z').await);
                let shown = client.hear_until(b'Z').await;
                let row = shown.iter().find(|reply| reply.tag == b'D').unwrap().row();
                assert_eq!(row, [Some("Asia/Tokyo".to_owned())], "{reset}, pinned: {pinned}");
                assert_eq!(
                    client.value("SHOW application_name").await,
                    "a story",
                    "{reset}, pinned: {pinned}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_a_client_began_with_follows_it() {
    let (_database, _pooler, place) = pooled("").await;
    let mut client = Pg::login_with(
        &place,
        &[
            ("application_name", "one"),
            ("search_path", "pg_catalog"),
            ("client_encoding", "LATIN1"),
            ("options", "-c statement_timeout=4321 --custom.word=with\\ blank"),
        ],
    )
    .await;
    assert_eq!(client.parameters["application_name"], "one");
    assert_eq!(client.parameters["client_encoding"], "LATIN1");
    let mut plain = Pg::login(&place).await;
    let told = "SELECT concat_ws('|', current_setting('application_name'), current_setting('search_path'), \
                current_setting('client_encoding'), current_setting('statement_timeout'), \
                coalesce(current_setting('custom.word', true), ''))";
    on_both_servers(&place, async |where_| {
        assert_eq!(client.value(told).await, "one|pg_catalog|LATIN1|4321ms|with blank", "{where_}");
        assert!(plain.value(told).await.ends_with("|\"$user\", public|UTF8|0|"), "{where_}");
    })
    .await;
}

#[tokio::test]
async fn a_role_follows_its_client() {
    let (database, _pooler, place) = pooled("").await;
    let other = database.role("other", "").await;
    database.admin().await.run(&format!("GRANT {} TO {}", other.user, database.user)).await;
    let (mut client, mut plain) = (Pg::login(&place).await, Pg::login(&place).await);
    client.run(&format!("SET ROLE {}", other.user)).await;
    on_both_servers(&place, async |where_| {
        assert_eq!(client.value("SELECT current_user").await, other.user, "{where_}");
        assert_eq!(plain.value("SELECT current_user").await, database.user, "{where_}");
    })
    .await;
    client.run("RESET ROLE").await;
    on_both_servers(&place, async |where_| {
        assert_eq!(client.value("SELECT current_user").await, database.user, "{where_}");
    })
    .await;
}

#[tokio::test]
async fn what_functions_set_is_seen_too() {
    let (database, _pooler, place) = pooled("").await;
    let mut admin = database.admin().await;
    admin
        .run(
            "CREATE FUNCTION hidden(zone text) RETURNS text LANGUAGE sql AS \
               $$ SELECT pg_catalog.set_config('TimeZone', zone, false) $$",
        )
        .await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    client.run("DO $$ BEGIN PERFORM set_config('TimeZone', 'Asia/Tokyo', false); END $$").await;
    on_both_servers(&place, async |where_| {
        assert_eq!(client.value("SHOW TimeZone").await, "Asia/Tokyo", "{where_}");
        assert_eq!(other.value("SHOW TimeZone").await, "UTC", "{where_}");
    })
    .await;
    // TimeZone is reported, so even a function that nobody can look into gives itself away.
    client.run("SELECT hidden('Europe/Rome')").await;
    on_both_servers(&place, async |where_| {
        assert_eq!(client.value("SHOW TimeZone").await, "Europe/Rome", "{where_}");
        assert_eq!(other.value("SHOW TimeZone").await, "UTC", "{where_}");
    })
    .await;
}

#[tokio::test]
async fn changes_are_reported_to_their_client_alone() {
    let (_database, _pooler, place) = pooled("").await;
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    let told = client.query("SET TimeZone = 'Asia/Tokyo'").await;
    assert!(told.iter().any(|reply| reply.to_string() == "Parameter TimeZone=Asia/Tokyo"), "{told:?}");
    for _ in 0..3 {
        for session in [&mut other, &mut client] {
            let told = session.query("SELECT 1").await;
            assert!(told.iter().all(|reply| reply.tag != b'S'), "nothing has changed for it: {told:?}");
        }
    }
    assert_eq!(other.parameters["TimeZone"], "UTC");
}

#[tokio::test]
async fn a_setting_that_a_server_refuses_fails_its_client_alone() {
    let (database, _pooler, place) = pooled("").await;
    let refused = Pg::try_login_with(&place, &[("work_mem", "nonsense")]).await;
    let refused = match refused {
        Err(refused) => refused,
        Ok(mut session) => session.query_or_end("SELECT 1").await.swap_remove(0),
    };
    assert_eq!(refused.code(), "22023", "{refused:?}");
    assert!(database.backends().await.len() <= 2);
    assert_eq!(Pg::login(&place).await.value("SHOW work_mem").await, "4MB");
}

#[tokio::test]
async fn the_databases_own_settings_are_where_everybody_starts() {
    let database = Version::Newest.database().await;
    let keys =
        "timezone = \"Asia/Tokyo\"\napplication_name = \"shop\"\nconnect_query = \"SET work_mem = '5MB'\"";
    let pooler = Setup::new().with("pool_size = 2").database(&database, keys).start().await;
    let place = pooler.place(&database);
    let (mut client, mut other) = (Pg::login(&place).await, Pg::login(&place).await);
    client.run("SET TimeZone = 'Europe/Rome'; SET work_mem = '6MB'").await;
    on_both_servers(&place, async |where_| {
        assert_eq!(client.value("SHOW TimeZone").await, "Europe/Rome", "{where_}");
        assert_eq!(other.value("SHOW TimeZone").await, "Asia/Tokyo", "{where_}");
        assert_eq!(client.value("SHOW work_mem").await, "6MB", "{where_}");
        assert_eq!(other.value("SHOW work_mem").await, "5MB", "{where_}");
        assert_eq!(other.value("SHOW application_name").await, "shop", "{where_}");
    })
    .await;
}
