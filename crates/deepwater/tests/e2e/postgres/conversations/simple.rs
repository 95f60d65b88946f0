//! Texts in the simple protocol, function calls, and ends.

use super::{heard, heard_in_session, kinds};
use crate::support::pg_wire::Step::{Closed, Ready, Say};
use crate::support::pg_wire::say::{call, query, sync, terminate};
use crate::support::pg_wire::{Step, at_once};

/// Texts one after another, each answered before the next.
async fn texts(texts: &[&str]) -> Vec<String> {
    let steps: Vec<Step> = texts.iter().flat_map(|text| [Say(query(text)), Ready]).collect();
    heard(&steps).await
}

/// `Ready` with the state of the transaction, each time.
fn states(heard: &[String]) -> String {
    heard.iter().filter_map(|words| words.strip_prefix("Ready ")).collect()
}

#[tokio::test]
async fn a_query_has_columns_rows_and_a_tag() {
    let heard = texts(&["SELECT 1 AS one, NULL AS nothing, 'text' AS words, 2.5::numeric(5, 2)"]).await;
    assert_eq!(heard[1..], [r#"Row ["1", null, "text", "2.50"]"#, "Complete SELECT 1", "Ready I"]);
}

#[tokio::test]
async fn no_query_at_all_is_answered_as_empty() {
    assert_eq!(
        kinds(&texts(&["", ";", " -- nothing\n", "/* nothing */ ;;"]).await).concat(),
        "EmptyReady".repeat(4)
    );
}

#[tokio::test]
async fn several_statements_end_together() {
    let heard = texts(&["SELECT 1; SELECT 2;; SELECT 3", "CREATE TEMP TABLE t (); DROP TABLE t"]).await;
    assert_eq!(states(&heard), "II");
    assert_eq!(heard.iter().filter(|words| words.starts_with("Complete")).count(), 5);
}

#[tokio::test]
async fn an_error_ends_a_text_of_several_statements() {
    let heard = texts(&[
        "CREATE TEMP TABLE t (n int PRIMARY KEY)",
        "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)",
        "SELECT count(*) FROM t",
        "BEGIN; INSERT INTO t VALUES (3); COMMIT; INSERT INTO t VALUES (3); SELECT 1",
        "SELECT count(*) FROM t",
    ])
    .await;
    assert!(heard.contains(&r#"Row ["0"]"#.into()) && heard.contains(&r#"Row ["1"]"#.into()), "{heard:#?}");
    assert_eq!(states(&heard), "IIIII");
}

#[tokio::test]
async fn the_state_of_a_transaction_is_told() {
    let heard = texts(&[
        "BEGIN",
        "SELECT 1",
        "SAVEPOINT a",
        "SELECT 1 / 0",
        "SELECT 1",
        "ROLLBACK TO a",
        "SELECT 1",
        "nonsense",
        "COMMIT",
        "COMMIT",
        "BEGIN; SELECT 1",
        "BEGIN",
        "COMMIT AND CHAIN",
        "ROLLBACK",
    ])
    .await;
    assert_eq!(states(&heard), "TTTEETTEIITTTI");
}

#[tokio::test]
async fn errors_come_with_all_their_fields() {
    let heard = texts(&[
        "SELECT nothing FROM nowhere",
        "SELECT 1 +",
        "CREATE TEMP TABLE t (n int CONSTRAINT positive CHECK (n > 0))",
        "INSERT INTO t VALUES (-1)",
        "DO $$ BEGIN RAISE EXCEPTION 'told' USING ERRCODE = 'ZZ001', DETAIL = 'd', HINT = 'h'; END $$",
    ])
    .await;
    assert!(heard.iter().any(|words| words.contains("n:positive")), "{heard:#?}");
    assert!(heard.iter().any(|words| words.contains("C:ZZ001 M:told D:d H:h")), "{heard:#?}");
}

#[tokio::test]
async fn notices_and_warnings_pass_where_they_belong() {
    let heard = texts(&[
        "DO $$ BEGIN FOR n IN 1..3 LOOP RAISE NOTICE 'notice %', n; END LOOP; END $$",
        "SELECT 1; DO $$ BEGIN RAISE WARNING 'between'; END $$; SELECT 2",
        "COMMIT",
        "DROP TABLE IF EXISTS nowhere",
    ])
    .await;
    assert_eq!(kinds(&heard)[..5], ["Notice", "Notice", "Notice", "Complete", "Ready"]);
    assert_eq!(kinds(&heard).iter().filter(|kind| **kind == "Notice").count(), 6);
}

#[tokio::test]
async fn what_a_session_sets_is_reported_at_once() {
    let heard = texts(&[
        "SET TimeZone = 'Asia/Tokyo'",
        "SET application_name = 'a story'; SET DateStyle = 'German'",
        "BEGIN; SET LOCAL TimeZone = 'UTC'",
        "ROLLBACK",
        "SHOW TimeZone",
        "RESET ALL",
    ])
    .await;
    assert!(heard.contains(&"Parameter TimeZone=Asia/Tokyo".into()), "{heard:#?}");
    assert!(heard.contains(&r#"Row ["Asia/Tokyo"]"#.into()), "{heard:#?}");
}

#[tokio::test]
async fn queries_need_not_wait_for_answers() {
    let steps = [
        at_once([
            query("SELECT 1"),
            query("SELECT 1 / 0"),
            query("BEGIN"),
            query("SELECT 3"),
            query("COMMIT"),
        ]),
        Ready,
        Ready,
        Ready,
        Ready,
        Ready,
    ];
    assert_eq!(states(&heard(&steps).await), "IITTI");
}

#[tokio::test]
async fn rows_and_queries_may_be_large() {
    let long = format!("SELECT length('{}')", "x".repeat(3_000_000));
    let heard = texts(&[
        "SELECT repeat('wide ', 2000000), 1",
        "SELECT n, repeat('x', n % 1000) FROM generate_series(1, 20000) n",
        &long,
        "SELECT string_agg(n::text, ',') FROM generate_series(1, 100000) n",
    ])
    .await;
    assert!(heard[1].starts_with("Row [10000000 bytes"), "{}", heard[1]);
    assert!(heard.contains(&r#"Row ["3000000"]"#.into()));
}

#[tokio::test]
async fn a_row_may_have_many_columns_or_none() {
    let many: Vec<String> = (0..1_600).map(|n| format!("{n} AS c{n}")).collect();
    let heard =
        texts(&[&format!("SELECT {}", many.join(", ")), "SELECT", "SELECT FROM generate_series(1, 3)"]).await;
    assert_eq!(heard.iter().filter(|words| *words == "Row []").count(), 4);
}

#[tokio::test]
async fn a_session_hears_its_own_notifications() {
    // Where servers are shared, one connection listens for all: notifications come when they come.
    let texts = [
        "LISTEN news",
        "NOTIFY news, 'first'",
        "BEGIN; NOTIFY news, 'second'; NOTIFY news, 'third'",
        "COMMIT",
        "UNLISTEN news",
        "NOTIFY news",
    ];
    let steps: Vec<Step> = texts.iter().flat_map(|text| [Say(query(text)), Ready]).collect();
    let heard = heard_in_session(&steps).await;
    let news = heard.iter().filter(|words| words.starts_with("Notification"));
    assert_eq!(news.count(), 3, "{heard:#?}");
}

#[tokio::test]
async fn functions_can_be_called_by_number() {
    const INT4PL: u32 = 177;
    const INT4DIV: u32 = 154;
    let steps = [
        Say(call(INT4PL, &[Some("40"), Some("2")])),
        Ready,
        Say(call(INT4PL, &[None, Some("2")])),
        Ready,
        Say(call(INT4DIV, &[Some("1"), Some("0")])),
        Ready,
        Say(call(1, &[])),
        Ready,
        Say(query("BEGIN; SELECT 1 / 0")),
        Ready,
        Say(call(INT4PL, &[Some("40"), Some("2")])),
        Ready,
    ];
    let heard = heard(&steps).await;
    assert_eq!(heard[..4], [r#"Result "42""#, "Ready I", "Result null", "Ready I"]);
    assert_eq!(states(&heard), "IIIIEE");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_cancelled_by_the_server() {
    let heard = texts(&["SET statement_timeout = 200", "SELECT pg_sleep(60)", "SELECT 1"]).await;
    assert!(heard.iter().any(|words| words.contains("C:57014")), "{heard:#?}");
}

#[tokio::test]
async fn a_session_that_the_server_ends_hears_why() {
    let heard = heard(&[Say(query("SELECT pg_terminate_backend(pg_backend_pid())")), Closed]).await;
    assert!(heard.iter().any(|words| words.contains("S:FATAL C:57P01")), "{heard:#?}");
}

#[tokio::test]
async fn after_goodbye_nothing_is_answered() {
    let heard = heard(&[at_once([query("SELECT 1"), terminate(), query("SELECT 2"), sync()]), Closed]).await;
    assert_eq!(kinds(&heard), ["Columns", "Row", "Complete", "Ready"]);
}
