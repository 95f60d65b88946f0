//! Settings that a server does not give up: it is closed, and nobody runs anything under them.

use super::turns;
use crate::support::pg_wire::Pg;
use crate::support::postgres::{Setup, Version};

#[tokio::test]
async fn what_a_server_does_not_give_up_goes_with_it() {
    let (database, pooler, _, mut other) = turns(Version::Distribution).await;
    let mut admin = database.admin().await;
    let adm = database.role("adm", "SUPERUSER").await.user;
    admin.run(&format!("GRANT {adm} TO {}", database.user)).await;
    other.run("CREATE TABLE parent (id int PRIMARY KEY)").await;
    other.run("CREATE TABLE child (id int REFERENCES parent)").await;
    for round in 0..3 {
        let mut client = Pg::login(&pooler.place(&database)).await;
        client.run(&format!("SET ROLE {adm}; SET session_replication_role = replica; RESET ROLE")).await;
        assert_eq!(other.error("INSERT INTO child VALUES (1)").await.code(), "23503", "round {round}");
        assert_eq!(other.value("SHOW session_replication_role").await, "origin", "round {round}");
        // One that has settings of its own is not blamed either.
        other.run("SET lock_timeout = '7s'").await;
    }
    assert_eq!(other.value("SHOW lock_timeout").await, "7s");
    assert_eq!(other.value("SELECT count(*) FROM child").await, "0");
}

/// What was taken back without refusal may not be so for ever.
#[tokio::test]
async fn rights_that_were_withdrawn_are_not_relied_on() {
    let (database, pooler, mut client, mut other) = turns(Version::Newest).await;
    let mut admin = database.admin().await;
    other
        .run("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES parent)")
        .await;
    admin.run(&format!("GRANT SET ON PARAMETER session_replication_role TO {}", database.user)).await;
    for _ in 0..3 {
        client.run("SET session_replication_role = replica").await;
        assert_eq!(other.value("SHOW session_replication_role").await, "origin");
        client.run("RESET session_replication_role").await;
    }
    client.run("SET session_replication_role = replica").await;
    admin.run(&format!("REVOKE SET ON PARAMETER session_replication_role FROM {}", database.user)).await;
    assert_eq!(other.error("INSERT INTO child VALUES (1)").await.code(), "23503");
    // Whom no server would give what it wants is told so before anything of it runs.
    let told = client.query_or_end("INSERT INTO child VALUES (2)").await;
    assert_eq!(told[0].code(), "42501", "{told:?}");
    let mut next = Pg::login(&pooler.place(&database)).await;
    assert_eq!(next.value("SELECT count(*) FROM child").await, "0");
}

/// A client whose own settings are refused costs no server.
#[tokio::test]
async fn bad_settings_of_a_client_close_no_server() {
    let database = Version::Newest.database().await;
    let pooler = Setup::new().with("pool_size = 1").database(&database, "").start().await;
    let place = pooler.place(&database);
    let mut client = Pg::login(&place).await;
    client.run("SET search_path = pg_catalog").await;
    let server = client.value("SELECT pg_backend_pid()").await;
    for _ in 0..3 {
        let mut bad = Pg::login_with(&place, &[("work_mem", "nonsense")]).await;
        assert_eq!(bad.query_or_end("SELECT 1").await[0].code(), "22023");
        assert_eq!(client.value("SELECT pg_backend_pid()").await, server);
        assert_eq!(client.value("SHOW search_path").await, "pg_catalog");
    }
}

/// It is the state of a generator, not a setting: nothing can put it back.
#[tokio::test]
async fn a_seed_is_passed_and_not_kept() {
    for version in Version::ALL {
        let (database, pooler, mut client, mut other) = turns(version).await;
        other.run("CREATE SCHEMA s1; CREATE TABLE t (v int); CREATE TABLE s1.t (v int)").await;
        let server = other.value("SELECT pg_backend_pid()").await;
        for seed in ["SET seed = 0.5", "SELECT set_config('seed', '0.5', false)", "SET SESSION SEED TO 0.25"]
        {
            client.run(&format!("SET search_path = s1; {seed}")).await;
            client.run(seed).await;
            other.run("INSERT INTO t VALUES (1)").await;
            assert_eq!(client.value("SHOW search_path").await, "s1", "{seed}");
        }
        assert_eq!(other.value("SELECT count(*) FROM public.t").await, "3");
        assert_eq!(other.value("SELECT count(*) FROM s1.t").await, "0");
        let began = [("options", "-c seed=0.5 -c search_path=s1")];
        let mut third = Pg::login_with(&pooler.place(&database), &began).await;
        assert_eq!(third.value("SHOW search_path").await, "s1");
        assert_eq!(other.value("SELECT pg_backend_pid()").await, server, "no server was closed for it");
    }
}
