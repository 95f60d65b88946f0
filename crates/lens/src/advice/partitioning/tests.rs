use super::*;
use crate::advice::testing::Scene;

/// A table of so many GiB, half of it again for indexes, that is scanned so often by what.
fn scene(gib: f64, scans: &[(&str, f64)]) -> Scene {
    let mut scene = Scene::new();
    scene.database("shop");
    scene.all(&signal::TABLE_BYTES, "shop/public.orders", gib * GIB);
    scene.all(&signal::TABLE_BYTES, "shop/public.stock", 1e6);
    for (by, rate) in scans {
        scene.all(&signal::SCANS, &format!("shop/public.orders/{by}"), *rate);
    }
    let column = |name: &str| Column { name: name.into(), sql: name.into(), ..Column::default() };
    let lacking = Some("orders_pkey".to_owned());
    let at = Column { dated: true, lacking, span: Some(3.0 * 365.0 * 86_400.0), ..column("at") };
    let tenant = Column { values: Some(5_000.0), ..column("tenant") };
    let id = Column { values: Some(1e8), ..column("id") };
    scene.tables.push((
        "shop".into(),
        Table {
            name: "public.orders".into(),
            sql: "public.orders".into(),
            successor: "public.orders_parts".into(),
            bytes: 1.5 * gib * GIB,
            rows: 1e8,
            columns: vec![at, tenant, id],
        },
    ));
    scene
}

#[test]
fn a_large_table_that_is_filtered_by_time_is_divided_by_time() {
    let advice = scene(80.0, &[("at", 97.0), ("id", 2.0), (SEQUENTIAL, 1.0)]).advised(&Partitioning);
    let advice = &advice[0];
    assert_eq!(advice.title, "partition `public.orders` by month of `at`");
    assert_eq!((advice.gain.from, advice.gain.to), (Some(120.0 * GIB), Some(120.0 * GIB / 36.0)));
    assert!(
        advice.gain.text.contains("one of 36 partitions (one for each month) of about 3.3 GiB"),
        "{}",
        advice.gain.text
    );
    assert!(
        advice.gain.text.contains("dropped in a moment") && advice.price.operations.contains("pg_partman")
    );
    let how = advice.elsewhere.as_ref().unwrap();
    assert!(how.contains("orders_pkey must take in at") && how.contains("PARTITION BY RANGE (at)"), "{how}");
    assert!(
        advice.lines.is_none() && advice.evidence[1].text.starts_with("97 % of 30000 scans in 5 minutes")
    );
}

#[test]
fn one_that_is_filtered_by_tenant_is_divided_by_tenant() {
    let advice = scene(80.0, &[("tenant", 50.0)]).advised(&Partitioning);
    assert_eq!(advice[0].title, "partition `public.orders` by a hash of `tenant`");
    assert_eq!(advice[0].gain.to, Some(120.0 * GIB / 32.0));
    assert!(advice[0].elsewhere.as_ref().unwrap().contains("has tenant already"));
}

#[test]
fn one_that_is_filtered_by_this_and_that_needs_none() {
    let mixed = scene(80.0, &[("at", 60.0), (SEQUENTIAL, 30.0), ("id", 10.0)]).no_need(&Partitioning);
    assert!(mixed.contains("80 GiB") && mixed.contains("at 60 %, without an index 30 %, id 10 %"), "{mixed}");
    let never = scene(80.0, &[(EXPRESSION, 99.0), ("id", 1.0)]).no_need(&Partitioning);
    assert!(never.contains("by no column: an expression"), "{never}");
}

#[test]
fn single_rows_need_none() {
    let why = scene(80.0, &[("id", 500.0)]).no_need(&Partitioning);
    assert!(why.contains("filtered by id, of which a value has few rows (1)"), "{why}");
}

#[test]
fn a_small_table_needs_none() {
    assert!(scene(3.0, &[("at", 97.0)]).no_need(&Partitioning).contains("public.orders, has 3.0 GiB"));
    assert!(Scene::new().no_need(&Partitioning).contains("no database"));
}

#[test]
fn what_is_not_seen_cannot_be_told() {
    assert!(scene(80.0, &[]).cannot_tell(&Partitioning).contains("two minutes of scans"));
    let rare = scene(80.0, &[("at", 0.1)]).cannot_tell(&Partitioning);
    assert!(rare.contains("30 times in 5 minutes"), "{rare}");
    let crowd = scene(80.0, &[(OTHER, 99.0)]).cannot_tell(&Partitioning);
    assert!(crowd.contains("too many columns"), "{crowd}");
    let mut unasked = scene(80.0, &[("at", 97.0)]);
    unasked.tables.clear();
    assert!(unasked.cannot_tell(&Partitioning).contains("is not known"));
    unasked.each(&signal::TABLE_BYTES, "shop/public.orders", []);
    unasked.each(&signal::TABLE_BYTES, "shop/public.stock", []);
    assert!(unasked.cannot_tell(&Partitioning).contains("not known yet"));
}
