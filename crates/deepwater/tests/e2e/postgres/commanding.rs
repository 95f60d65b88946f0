//! The administration database `pgbouncer`, as its users know it.

use super::backend;
use crate::support::pg_wire::{Pg, Reply, error_in, say};
use crate::support::postgres::{Database, Place, Pooler, Setup, Version};
use crate::support::soon;

/// A pooler, and an administrator of it.
async fn administered(keys: &str) -> (Database, Pooler, Place, Pg) {
    let database = Version::Newest.database().await;
    let keys = format!("stats_users = [\"watcher\"]\n{keys}");
    let pooler = Setup::new().with(&keys).database(&database, "").user("watcher", "watcher").start().await;
    let (place, admin) = (pooler.place(&database), pooler.admin().await);
    (database, pooler, place, admin)
}

/// The rows of a SHOW, as maps from column to value.
async fn show(admin: &mut Pg, what: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let told = admin.query(&format!("SHOW {what}")).await;
    crate::support::pg_wire::succeeded(what, &told);
    let columns = told.iter().find(|reply| reply.tag == b'T').unwrap().columns();
    let rows = told.iter().filter(|reply| reply.tag == b'D').map(Reply::row);
    rows.map(|row| columns.iter().cloned().zip(row.into_iter().map(Option::unwrap_or_default)).collect())
        .collect()
}

/// What PgBouncer 1.24 shows. Later versions have columns between these.
const COLUMNS: [(&str, &str); 20] = [
    (
        "STATS",
        "database total_server_assignment_count total_xact_count total_query_count total_received total_sent \
         total_xact_time total_query_time total_wait_time total_client_parse_count total_server_parse_count \
         total_bind_count avg_server_assignment_count avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time \
         avg_query_time avg_wait_time avg_client_parse_count avg_server_parse_count avg_bind_count",
    ),
    (
        "STATS_TOTALS",
        "database server_assignment_count xact_count query_count bytes_received bytes_sent xact_time query_time \
         wait_time client_parse_count server_parse_count bind_count",
    ),
    (
        "STATS_AVERAGES",
        "database server_assignment_count xact_count query_count bytes_received bytes_sent xact_time query_time \
         wait_time avg_client_parse_count avg_server_parse_count avg_bind_count",
    ),
    ("TOTALS", "name value"),
    ("SERVERS", SOCKET),
    ("CLIENTS", SOCKET),
    (
        "POOLS",
        "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel \
         sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode load_balance_hosts",
    ),
    ("PEER_POOLS", "peer_id cl_active_cancel_req cl_waiting_cancel_req sv_active_cancel sv_login"),
    ("LISTS", "list items"),
    (
        "USERS",
        "name pool_size reserve_pool_size pool_mode max_user_connections current_connections \
         max_user_client_connections current_client_connections",
    ),
    (
        "DATABASES",
        "name host port database force_user pool_size min_pool_size reserve_pool_size server_lifetime pool_mode \
         load_balance_hosts max_connections current_connections max_client_connections current_client_connections \
         paused disabled",
    ),
    ("PEERS", "peer_id host port pool_size"),
    ("SOCKETS", SOCKET),
    ("ACTIVE_SOCKETS", SOCKET),
    ("CONFIG", "key value default changeable"),
    ("MEM", "name size used free memtotal"),
    ("DNS_HOSTS", "hostname ttl addrs"),
    ("DNS_ZONES", "zonename serial count"),
    ("VERSION", "version"),
    ("STATE", "key value"),
];

const SOCKET: &str = "type user database replication state addr port local_addr local_port connect_time request_time \
                      wait wait_us close_needed ptr link remote_pid tls application_name prepared_statements id";

#[tokio::test]
async fn every_show_has_the_columns_its_readers_expect() {
    let (_database, _pooler, place, mut admin) = administered("").await;
    let mut session = Pg::login(&place).await;
    session.run("SELECT 1").await;
    for (what, columns) in COLUMNS {
        for sql in [format!("SHOW {what}"), format!("show {} ;", what.to_lowercase())] {
            let told = admin.query(&sql).await;
            assert_eq!(told[0].tag, b'T', "{sql}: {told:?}");
            let shown = told[0].columns();
            let mut rest = shown.iter();
            for column in columns.split_whitespace() {
                assert!(
                    rest.any(|shown| shown == column),
                    "{what}: {column} is not in its place in {shown:?}"
                );
            }
            let count = told.iter().filter(|reply| reply.tag == b'D').map(|reply| reply.row().len());
            assert!(count.clone().all(|count| count == shown.len()));
            assert_eq!(
                told.iter().find(|reply| reply.tag == b'C').unwrap().to_string(),
                "Complete SHOW",
                "{what}"
            );
        }
    }
    let help = admin.query("SHOW HELP").await;
    assert!(
        help.iter().any(|reply| reply.tag == b'N' && reply.field('D').contains("KILL_CLIENT")),
        "{help:?}"
    );
    let version = admin.value("SHOW VERSION").await;
    assert!(version.contains("1.25"), "scripts look for PgBouncer's version: {version}");
}

#[tokio::test]
async fn what_is_shown_is_what_there_is() {
    let (database, _pooler, place, mut admin) = administered("pool_size = 3").await;
    let mut busy = Pg::login_with(&place, &[("application_name", "a story")]).await;
    busy.run("BEGIN").await;
    let mut idle = Pg::login(&place).await;
    let server = backend(&mut idle).await;
    let pools = show(&mut admin, "POOLS").await;
    let pool = pools.iter().find(|row| row["database"] == database.database).unwrap();
    assert_eq!(
        (&*pool["user"], &*pool["sv_active"], &*pool["sv_idle"]),
        (&*database.user, "1", "1"),
        "{pool:?}"
    );
    assert_eq!((&*pool["cl_active"], &*pool["cl_waiting"], &*pool["pool_mode"]), ("2", "0", "transaction"));
    let clients = show(&mut admin, "CLIENTS").await;
    let own = clients.iter().find(|row| row["application_name"] == "a story").unwrap();
    assert_eq!((&*own["type"], &*own["state"], &*own["database"]), ("C", "active", &*database.database));
    assert_eq!(own["addr"], "127.0.0.1");
    assert_ne!(own["link"], "");
    let servers = show(&mut admin, "SERVERS").await;
    let states: Vec<_> =
        servers.iter().map(|row| (row["state"].as_str(), row["remote_pid"].as_str())).collect();
    assert!(states.contains(&("idle", &server)) && servers.len() == 2, "{servers:?}");
    let linked = servers.iter().find(|row| row["state"] == "active").unwrap();
    assert_eq!((&linked["link"], &own["link"]), (&own["ptr"], &linked["ptr"]));
    let databases = show(&mut admin, "DATABASES").await;
    let shown = databases.iter().find(|row| row["name"] == database.database).unwrap();
    assert_eq!((&*shown["host"], shown["port"].clone()), ("127.0.0.1", database.address.port().to_string()));
    assert_eq!((&*shown["pool_size"], &*shown["current_connections"], &*shown["paused"]), ("3", "2", "0"));
    busy.run("COMMIT").await;
    let stats = show(&mut admin, "STATS_TOTALS").await;
    let stats = stats.iter().find(|row| row["database"] == database.database).unwrap();
    assert_eq!((&*stats["xact_count"], &*stats["query_count"]), ("2", "3"), "{stats:?}");
    let config = show(&mut admin, "CONFIG").await;
    assert!(config.iter().any(|row| row["key"].ends_with("pool_size") && row["value"] == "3"), "{config:?}");
    let lists = show(&mut admin, "LISTS").await;
    assert!(lists.iter().any(|row| row["list"] == "used_servers" && row["items"] == "2"), "{lists:?}");
}

#[tokio::test]
async fn nothing_shown_gives_a_secret_away() {
    let (database, _pooler, place, mut admin) = administered("").await;
    Pg::login(&place).await.run("SELECT 1").await;
    for (what, _) in COLUMNS {
        let told = format!("{:?}", admin.query(&format!("SHOW {what}")).await);
        assert!(!told.contains(&database.password), "{what}: {told}");
    }
}

#[tokio::test]
async fn watchers_look_and_touch_nothing() {
    let (database, pooler, _place, _admin) = administered("").await;
    let mut watcher = Pg::login(&pooler.admin_place().by("watcher", "watcher")).await;
    watcher.run("SHOW POOLS").await;
    for command in [
        "PAUSE",
        "RESUME",
        "RELOAD",
        "SHUTDOWN",
        "SUSPEND",
        "KILL_CLIENT 1",
        "SET query_timeout = 1",
        "RECONNECT",
        "SHUTDOWN WAIT_FOR_CLIENTS",
    ] {
        let error = watcher.error(command).await;
        assert!(error.sentence().contains("admin access needed"), "{command}: {error:?}");
    }
    for command in ["KILL", "DISABLE", "ENABLE", "PAUSE"] {
        let error = watcher.error(&format!("{command} {}", database.database)).await;
        assert!(error.sentence().contains("admin access needed"), "{command}: {error:?}");
    }
    // Others are not let in at all.
    let place = pooler.admin_place().by(&database.user, &database.password);
    assert!(Pg::try_login(&place).await.is_err());
    let wrong = pooler.admin_place().by("admin", "wrong");
    assert_eq!(Pg::try_login(&wrong).await.expect_err("a wrong password").code(), "28P01");
}

#[tokio::test]
async fn commands_that_make_no_sense_are_refused() {
    let (_database, _pooler, _place, mut admin) = administered("").await;
    for command in [
        "nonsense",
        "SHOW nonsense",
        "PAUSE nowhere",
        "KILL nowhere",
        "DISABLE nowhere",
        "ENABLE nowhere",
        "KILL_CLIENT 0",
        "KILL_CLIENT x",
        "SET nonsense = 1",
        "SET query_timeout = nonsense",
        "RESUME",
        "SHOW",
        "'",
        "SELECT 1 FROM t",
        "DISABLE",
        "KILL_CLIENT",
    ] {
        let told = admin.query(command).await;
        assert!(!error_in(&told).sentence().is_empty(), "{command}");
        assert_eq!(told.last().unwrap().to_string(), "Ready I", "{command}");
    }
}

#[tokio::test]
async fn pausing_waits_for_transactions_and_holds_up_new_ones() {
    let (database, pooler, place, mut admin) = administered("").await;
    let mut busy = Pg::login(&place).await;
    busy.run("BEGIN").await;
    admin.say(say::query("PAUSE")).await;
    // Whoever asks now waits, while who is in a transaction goes on.
    let labels = [("database", database.database.as_str()), ("user", database.user.as_str())];
    let mut watcher = Pg::login(&pooler.admin_place().by("watcher", "watcher")).await;
    soon("the pause", async {
        while !show(&mut watcher, "STATE")
            .await
            .iter()
            .any(|row| row["key"] == "paused" && row["value"] == "yes")
        {}
    })
    .await;
    let mut waiting = Pg::login(&place).await;
    waiting.say(say::query("SELECT 2")).await;
    pooler.counts("deepwater_postgres_waiting_clients", &labels, 1.0).await;
    busy.run("SELECT 1").await;
    busy.run("COMMIT").await;
    let told = admin.hear_until(b'Z').await;
    assert_eq!(told[0].to_string(), "Complete PAUSE", "{told:?}");
    assert_eq!(database.backends().await.len(), 0, "the server can be restarted");
    busy.say(say::query("SELECT 3")).await;
    pooler.counts("deepwater_postgres_waiting_clients", &labels, 2.0).await;
    admin.run("RESUME").await;
    for session in [&mut waiting, &mut busy] {
        assert!(session.hear_until(b'Z').await.iter().any(|reply| reply.tag == b'D'));
    }
}

#[tokio::test]
async fn one_database_can_be_paused_alone() {
    let (one, other) = (Version::Newest.database().await, Version::Newest.database().await);
    let pooler = Setup::new().database(&one, "").database(&other, "").start().await;
    let mut admin = pooler.admin().await;
    let (mut held, mut free) = (Pg::login(&pooler.place(&one)).await, Pg::login(&pooler.place(&other)).await);
    admin.run(&format!("PAUSE {}", one.database)).await;
    held.say(say::query("SELECT 1")).await;
    for _ in 0..5 {
        assert_eq!(free.value("SELECT 2").await, "2");
    }
    let databases = show(&mut admin, "DATABASES").await;
    let paused: Vec<_> =
        databases.iter().filter(|row| row["paused"] == "1").map(|row| &*row["name"]).collect();
    assert_eq!(paused, [&*one.database]);
    admin.run(&format!("RESUME {}", one.database)).await;
    assert!(held.hear_until(b'Z').await.iter().any(|reply| reply.tag == b'D'));
}

#[tokio::test]
async fn a_disabled_database_takes_no_new_clients() {
    let (database, _pooler, place, mut admin) = administered("").await;
    let mut before = Pg::login(&place).await;
    admin.run(&format!("DISABLE {}", database.database)).await;
    let refused = Pg::try_login(&place).await.expect_err("nobody is let in");
    assert_eq!(refused.field('S'), "FATAL", "{refused:?}");
    assert_eq!(before.value("SELECT 1").await, "1", "who was there stays");
    admin.run(&format!("ENABLE {}", database.database)).await;
    assert_eq!(Pg::login(&place).await.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn killing_ends_clients_and_servers() {
    let (database, _pooler, place, mut admin) = administered("").await;
    let (mut busy, mut idle) = (Pg::login(&place).await, Pg::login(&place).await);
    busy.run("BEGIN").await;
    admin.run(&format!("KILL {}", database.database)).await;
    for session in [&mut busy, &mut idle] {
        assert!(session.hear_out().await.iter().any(|reply| reply.tag == b'E'));
    }
    database.sessions_become(0, "true").await;
    admin.run(&format!("RESUME {}", database.database)).await;
    assert_eq!(Pg::login(&place).await.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn one_client_can_be_killed() {
    let (database, _pooler, place, mut admin) = administered("").await;
    let mut other = Pg::login(&place).await;
    for sql in ["BEGIN", "SELECT 1"] {
        let mut client = Pg::login_with(&place, &[("application_name", "doomed")]).await;
        client.run(sql).await;
        let clients = show(&mut admin, "CLIENTS").await;
        let id = &clients.iter().find(|row| row["application_name"] == "doomed").unwrap()["id"];
        admin.run(&format!("KILL_CLIENT {id}")).await;
        assert!(client.hear_out().await.iter().any(|reply| reply.tag == b'E'), "{sql}");
        database.sessions_become(0, "state LIKE 'idle in transaction%'").await;
        assert_eq!(other.value("SELECT 1").await, "1");
    }
}

#[tokio::test]
async fn reconnecting_replaces_servers_as_they_become_free() {
    let (_database, _pooler, place, mut admin) = administered("pool_size = 2").await;
    let (mut busy, mut idle) = (Pg::login(&place).await, Pg::login(&place).await);
    busy.run("BEGIN").await;
    let kept = backend(&mut busy).await;
    let replaced = backend(&mut idle).await;
    admin.run("RECONNECT").await;
    assert_eq!(backend(&mut busy).await, kept);
    let servers = show(&mut admin, "SERVERS").await;
    assert!(servers.iter().any(|row| row["remote_pid"] == kept && row["close_needed"] == "1"), "{servers:?}");
    assert_ne!(backend(&mut idle).await, replaced);
    admin.say(say::query("WAIT_CLOSE")).await;
    busy.run("COMMIT").await;
    assert_eq!(admin.hear_until(b'Z').await[0].to_string(), "Complete WAIT_CLOSE");
    let servers = show(&mut admin, "SERVERS").await;
    assert!(servers.iter().all(|row| row["remote_pid"] != kept && row["close_needed"] == "0"), "{servers:?}");
}

#[tokio::test]
async fn suspending_holds_everything_until_it_is_resumed() {
    let (_database, _pooler, place, mut admin) = administered("").await;
    let mut session = Pg::login(&place).await;
    admin.run("SUSPEND").await;
    session.say(say::query("SELECT 1")).await;
    let state = show(&mut admin, "STATE").await;
    assert!(state.iter().any(|row| row["key"] == "suspended" && row["value"] == "yes"), "{state:?}");
    admin.run("RESUME").await;
    assert!(session.hear_until(b'Z').await.iter().any(|reply| reply.tag == b'D'));
}

#[tokio::test]
async fn shutting_down_ends_the_process() {
    let (_database, mut pooler, place, mut admin) = administered("").await;
    let mut session = Pg::login(&place).await;
    admin.say(say::query("SHUTDOWN WAIT_FOR_CLIENTS")).await;
    admin.hear().await;
    assert_eq!(session.value("SELECT 1").await, "1", "who is there may stay");
    session.leave().await;
    drop(admin);
    assert_eq!(pooler.ends().await, Some(0));
    let (_database, mut pooler, _place, mut admin) = administered("").await;
    admin.say(say::query("SHUTDOWN")).await;
    assert_eq!(pooler.ends().await, Some(0));
}

#[tokio::test]
async fn psql_understands_it() {
    let (_database, pooler, _place, _admin) = administered("").await;
    let told =
        crate::support::postgres::psql(&pooler.admin_place(), "SHOW VERSION; SHOW LISTS; PAUSE; RESUME;")
            .await;
    assert!(told.good().contains("databases|"));
}
