//! The servers these tests stand on: without a pooler, so that what fails here is no fault of its.

use crate::support::pg_wire::Pg;
use crate::support::postgres::{Postgres, Version};

#[tokio::test]
async fn both_versions_run_and_differ() {
    let mut numbers = Vec::new();
    for version in Version::ALL {
        let mut session = version.database().await.session().await;
        let number: u32 = session.value("SHOW server_version_num").await.parse().unwrap();
        assert!(number >= 130_000, "{number}");
        numbers.push(number);
    }
    assert!(numbers[0] < numbers[1], "{numbers:?}");
}

#[tokio::test]
async fn passwords_are_asked_for_in_every_way() {
    let database = Version::Distribution.database().await;
    let scram = database.role("scram", "").await;
    let trusted = database.role("trusted", "IN ROLE trusted").await;
    let spoken = database.role("spoken", "IN ROLE spoken").await;
    let md5 = database.role("md5", "").await;
    let mut admin = database.admin().await;
    let change = format!("ALTER ROLE {} PASSWORD '{}'", md5.user, md5.password);
    admin.run(&format!("SET password_encryption = 'md5'; {change}")).await;
    for place in [&scram, &spoken, &md5, &trusted] {
        assert_eq!(Pg::login(place).await.value("SELECT current_user").await, place.user);
        let wrong = place.by(&place.user, "wrong");
        match Pg::try_login(&wrong).await {
            Ok(_) => assert_eq!(place.user, trusted.user),
            Err(refused) => assert_eq!(refused.code(), "28P01", "{refused:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_of_its_own_stops_and_starts_again() {
    let server = Postgres::own("work_mem = '5MB'", "").await;
    let database = server.database().await;
    let mut session = database.session().await;
    session.run("CREATE TABLE kept ()").await;
    assert_eq!(session.value("SHOW work_mem").await, "5MB");
    server.stop_fast().await;
    assert_eq!(session.hear().await.code(), "57P01");
    assert!(session.try_hear().await.is_none());
    server.start_again().await;
    database.session().await.run("TABLE kept").await;
    server.stop_immediate().await;
}
