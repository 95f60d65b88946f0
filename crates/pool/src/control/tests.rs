use deepwater_core::config::Checker;
use deepwater_core::{Context, Events};

use super::*;
use crate::config::{Database, Host, ServerUrl};
use crate::plan;

/// Two databases, and all others at the same place.
fn shared() -> Arc<Shared> {
    let mut config = crate::Config::default();
    for name in ["shop", "stock", "*"] {
        let place = ServerUrl::at(vec![Host::new("127.0.0.1", 5432)]);
        config.databases.insert(name.into(), Database::on(place));
    }
    let checker = Checker::without_document();
    let plan = plan::build(&config, std::path::Path::new(""), Face::PgBouncer, &checker.root()).unwrap();
    Shared::new(Context::new(1, Events::silent()), plan)
}

fn pool(shared: &Shared, database: &str) -> Arc<Pool> {
    let database = shared.plan.load().database(database).unwrap();
    shared.pool(&database, "app")
}

fn is_paused(shared: &Shared, pool: &Pool) -> bool {
    shared.ledger.counts(pool.id, shared.context.clock.now()).paused
}

fn refused<T: std::fmt::Debug>(result: Result<T, String>) -> String {
    result.unwrap_err()
}

#[test]
fn pools_follow_and_those_made_later_too() {
    let shared = shared();
    let shop = pool(&shared, "shop");
    pause(&shared, Some("shop")).unwrap();
    assert!(is_paused(&shared, &shop) && !is_paused(&shared, &pool(&shared, "stock")));
    pause(&shared, None).unwrap();
    assert!(is_paused(&shared, &pool(&shared, "other")));
    assert_eq!(refused(pause(&shared, None)), "already suspended/paused");
    resume(&shared, None).unwrap();
    // One was paused on its own, and stays so.
    assert!(is_paused(&shared, &shop) && !is_paused(&shared, &pool(&shared, "stock")));
    resume(&shared, Some("shop")).unwrap();
    assert!(!is_paused(&shared, &shop));
}

#[test]
fn refusals_are_in_pgbouncers_words() {
    let shared = shared();
    assert_eq!(refused(pause(&shared, Some("pgbouncer"))), "cannot pause admin db: pgbouncer");
    assert_eq!(refused(disable(&shared, "pgbouncer")), "cannot disable admin db: pgbouncer");
    assert_eq!(refused(resume(&shared, None)), "pooler is not paused/suspended");
    assert_eq!(refused(resume(&shared, Some("shop"))), "database shop is not paused");
    assert_eq!(refused(kill_client(&shared, 7)), "client not found");
    pause(&shared, Some("shop")).unwrap();
    assert_eq!(refused(suspend(&shared)), "cannot suspend with paused databases");
    assert!(refused(set(&shared, "verbose", "1")).contains("configuration file"));
}

#[test]
fn a_database_that_is_not_there_is_refused() {
    let mut config = crate::Config::default();
    let place = ServerUrl::at(vec![Host::new("127.0.0.1", 5432)]);
    config.databases.insert("shop".into(), Database::on(place));
    let checker = Checker::without_document();
    let plan = plan::build(&config, std::path::Path::new(""), Face::Native, &checker.root()).unwrap();
    let shared = Shared::new(Context::new(1, Events::silent()), plan);
    let named = [pause, resume, reconnect, kill];
    for command in named {
        assert_eq!(refused(command(&shared, Some("nodb"))), "no such database: nodb");
    }
    assert_eq!(refused(enable(&shared, "nodb")), "no such database: nodb");
}

#[test]
fn what_is_killed_is_paused_and_its_connections_are_renewed() {
    let shared = shared();
    let (shop, stock) = (pool(&shared, "shop"), pool(&shared, "stock"));
    kill(&shared, Some("shop")).unwrap();
    assert!(is_paused(&shared, &shop) && shared.controls.is_paused_alone("shop"));
    assert_eq!((shop.epoch.load(Ordering::SeqCst), stock.epoch.load(Ordering::SeqCst)), (1, 0));
    kill(&shared, None).unwrap();
    assert!(is_paused(&shared, &stock));
    assert_eq!(shared.controls.mode(), Mode::Active, "each is paused on its own");
}

#[test]
fn disabled_databases_refuse_and_enabled_ones_do_not() {
    let shared = shared();
    disable(&shared, "shop").unwrap();
    assert!(shared.controls.is_disabled("shop") && !shared.controls.is_disabled("stock"));
    enable(&shared, "shop").unwrap();
    assert!(!shared.controls.is_disabled("shop"));
}

#[test]
fn the_last_administrator_takes_a_suspension_along() {
    let shared = shared();
    let (first, second) = (Controls::administrator(&shared), Controls::administrator(&shared));
    suspend(&shared).unwrap();
    drop(first);
    assert!(shared.controls.is_paused("shop"));
    drop(second);
    assert_eq!(shared.controls.mode(), Mode::Active);
}

#[test]
fn an_end_is_not_taken_back() {
    let shared = shared();
    end(&shared, Ending::ServersReleased);
    assert!(shared.controls.is_ending() && shared.controls.is_paused("shop"));
    assert_eq!(refused(resume(&shared, None)), "pooler is shutting down");
    assert!(shared.context.shutdown.is_running());
    Control::new(&shared).shut_down(Ending::ClientsLeft);
    assert!(!shared.context.shutdown.is_running(), "asked twice, it ends at once");
}

#[tokio::test]
async fn a_command_that_waits_is_answered_by_the_keeper() {
    let shared = shared();
    pool(&shared, "shop");
    let keeper = tokio::spawn(keep(Arc::clone(&shared)));
    pause(&shared, None).unwrap();
    let released = until(&shared, |shared| are_released(shared, None, false));
    tokio::time::timeout(std::time::Duration::from_secs(10), released).await.unwrap();
    let renewed = until(&shared, |shared| are_renewed(shared, Some("shop")));
    tokio::time::timeout(std::time::Duration::from_secs(10), renewed).await.unwrap();
    // Nobody is there: the process ends.
    end(&shared, Ending::ClientsLeft);
    tokio::time::timeout(std::time::Duration::from_secs(10), keeper).await.unwrap().unwrap();
    assert!(!shared.context.shutdown.is_running());
}
