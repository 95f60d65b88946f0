//! The extended protocol, in order and out of it.

use super::{heard, heard_in_session, kinds};
use crate::support::pg_wire::Step::{Hear, Ready, Say};
use crate::support::pg_wire::at_once;
use crate::support::pg_wire::say::{
    bind, bind_as, close_portal, close_statement, describe_portal, describe_statement, execute, extended,
    flush, message, parse, parse_typed, query, sync,
};

#[tokio::test]
async fn a_sync_alone_is_answered() {
    assert_eq!(heard(&[at_once([sync(), sync(), sync()]), Ready, Ready, Ready]).await, ["Ready I"; 3]);
}

#[tokio::test]
async fn a_statement_is_parsed_bound_described_and_executed() {
    let heard = heard(&[Say(extended("SELECT $1::int + 1, $2::text", &[Some("41"), None])), Ready]).await;
    assert_eq!(kinds(&heard), ["ParseComplete", "BindComplete", "Columns", "Row", "Complete", "Ready"]);
    assert_eq!(heard[3], r#"Row ["42", null]"#);
}

#[tokio::test]
async fn named_statements_serve_until_they_are_closed() {
    let heard = heard(&[
        at_once([parse("double", "SELECT $1::int * 2"), describe_statement("double"), sync()]),
        Ready,
        at_once([bind("", "double", &[Some("21")]), execute("", 0), sync()]),
        Ready,
        at_once([bind_as("", "double", &[Some("4")], 1), describe_portal(""), execute("", 0), sync()]),
        Ready,
        at_once([close_statement("double"), close_statement("double"), close_portal("never"), sync()]),
        Ready,
        at_once([bind("", "double", &[Some("21")]), sync()]),
        Ready,
    ])
    .await;
    assert_eq!(heard[1], "Parameters [23]");
    assert!(heard.contains(&r#"Row ["42"]"#.into()), "{heard:#?}");
    assert_eq!(kinds(&heard).iter().filter(|kind| **kind == "CloseComplete").count(), 3);
    assert!(heard[heard.len() - 2].contains("C:26000"), "{heard:#?}");
}

#[tokio::test]
async fn a_name_is_taken_until_it_is_closed() {
    let heard = heard(&[
        at_once([parse("s", "SELECT 1"), sync(), parse("s", "SELECT 2"), sync()]),
        Ready,
        Ready,
        at_once([close_statement("s"), parse("s", "SELECT 2"), bind("", "s", &[]), execute("", 0), sync()]),
        Ready,
    ])
    .await;
    assert!(heard[2].contains("C:42P05"), "{heard:#?}");
    assert!(heard.contains(&r#"Row ["2"]"#.into()), "{heard:#?}");
}

#[tokio::test]
async fn the_unnamed_statement_is_replaced() {
    let heard = heard(&[
        at_once([parse("", "SELECT 1"), parse("", "SELECT 2"), bind("", "", &[]), execute("", 0), sync()]),
        Ready,
        at_once([bind("", "", &[]), execute("", 0), sync()]),
        Ready,
        at_once([query("SELECT 3"), bind("", "", &[]), sync()]),
        Ready,
        Ready,
    ])
    .await;
    assert_eq!(heard.iter().filter(|words| *words == r#"Row ["2"]"#).count(), 2, "{heard:#?}");
    assert!(heard[heard.len() - 2].contains("C:26000"), "a query forgets it: {heard:#?}");
}

#[tokio::test]
async fn what_was_never_made_cannot_be_used() {
    let heard = heard(&[
        at_once([describe_statement("early"), sync()]),
        Ready,
        at_once([describe_portal("early"), sync()]),
        Ready,
        at_once([execute("early", 0), sync()]),
        Ready,
        at_once([bind("p", "early", &[]), sync()]),
        Ready,
        at_once([describe_statement(""), sync()]),
        Ready,
        at_once([execute("", 0), sync()]),
        Ready,
    ])
    .await;
    let codes: Vec<_> =
        heard.iter().filter_map(|words| words.split(" C:").nth(1)).map(|rest| &rest[..5]).collect();
    assert_eq!(codes, ["26000", "34000", "34000", "26000", "26000", "34000"]);
}

#[tokio::test]
async fn after_an_error_everything_is_skipped_until_sync() {
    let heard = heard(&[
        at_once([
            parse("a", "SELECT 1"),
            parse("b", "SELECT nonsense FROM nowhere"),
            bind("", "a", &[]),
            execute("", 0),
            close_statement("a"),
            parse("c", "SELECT 3"),
            query("SELECT 'skipped too'"),
            flush(),
            sync(),
            bind("", "a", &[]),
            execute("", 0),
            sync(),
            bind("", "c", &[]),
            sync(),
        ]),
        Ready,
        Ready,
        Ready,
    ])
    .await;
    assert_eq!(kinds(&heard)[..3], ["ParseComplete", "Error", "Ready"]);
    assert_eq!(kinds(&heard)[3..], ["BindComplete", "Row", "Complete", "Ready", "Error", "Ready"]);
}

#[tokio::test]
async fn what_a_pipeline_did_before_its_error_is_undone() {
    let insert = |value: &str| [bind("", "i", &[Some(value)]), execute("", 0)].concat();
    let heard = heard(&[
        Say(query("CREATE TEMP TABLE t (n int PRIMARY KEY)")),
        Ready,
        at_once([parse("i", "INSERT INTO t VALUES ($1)"), insert("1"), sync(), insert("2"), insert("1")]),
        at_once([insert("3"), sync(), insert("4"), sync()]),
        Ready,
        Ready,
        Ready,
        Say(query("SELECT array_agg(n) FROM t")),
        Ready,
    ])
    .await;
    assert!(heard.contains(&r#"Row ["{1,4}"]"#.into()), "{heard:#?}");
}

#[tokio::test]
async fn an_error_before_a_sync_that_comes_late_waits_for_it() {
    let heard = heard(&[
        at_once([parse("", "nonsense"), flush()]),
        Hear(1),
        at_once([bind("", "", &[]), execute("", 0), flush()]),
        at_once([parse("", "SELECT 1"), flush()]),
        Say(sync()),
        Ready,
        Say(query("SELECT 1")),
        Ready,
    ])
    .await;
    assert_eq!(kinds(&heard), ["Error", "Ready", "Columns", "Row", "Complete", "Ready"]);
}

#[tokio::test]
async fn a_flush_brings_what_there_is() {
    let heard = heard(&[
        at_once([parse("", "SELECT generate_series(1, 3)"), flush()]),
        Hear(1),
        at_once([bind("", "", &[]), flush(), flush()]),
        Hear(1),
        at_once([describe_portal(""), flush()]),
        Hear(1),
        at_once([execute("", 2), flush()]),
        Hear(3),
        at_once([execute("", 2), flush()]),
        Hear(2),
        at_once([execute("", 2), flush()]),
        Hear(1),
        Say(sync()),
        Ready,
        Say(flush()),
        Say(sync()),
        Ready,
    ])
    .await;
    let kinds = kinds(&heard);
    assert_eq!(
        kinds[2..],
        ["Columns", "Row", "Row", "Suspended", "Row", "Complete", "Complete", "Ready", "Ready"]
    );
}

#[tokio::test]
async fn portals_are_read_side_by_side_in_a_transaction() {
    let open = |name: &str, sql: &str| [parse("", sql), bind(name, "", &[])].concat();
    let heard = heard(&[
        Say(query("BEGIN")),
        Ready,
        at_once([
            open("a", "SELECT generate_series(1, 9)"),
            open("b", "SELECT generate_series(11, 19)"),
            sync(),
        ]),
        Ready,
        at_once([execute("a", 1), execute("b", 2), execute("a", 1), sync()]),
        Ready,
        at_once([close_portal("a"), execute("b", 1), execute("a", 1), sync()]),
        Ready,
        Say(query("ROLLBACK")),
        Ready,
        at_once([execute("b", 1), sync()]),
        Ready,
    ])
    .await;
    let rows: Vec<_> = heard.iter().filter_map(|words| words.strip_prefix("Row ")).collect();
    assert_eq!(rows, [r#"["1"]"#, r#"["11"]"#, r#"["12"]"#, r#"["2"]"#, r#"["13"]"#]);
}

#[tokio::test]
async fn a_suspended_portal_ends_with_its_implicit_transaction() {
    let heard = heard(&[
        at_once([parse("", "SELECT generate_series(1, 9)"), bind("p", "", &[]), execute("p", 1), sync()]),
        Ready,
        at_once([execute("p", 1), sync()]),
        Ready,
    ])
    .await;
    assert_eq!(kinds(&heard)[4..], ["Ready", "Error", "Ready"]);
}

#[tokio::test]
async fn statements_without_rows_say_so() {
    let heard = heard(&[
        Say(extended("CREATE TEMP TABLE t (n int)", &[])),
        Ready,
        Say(extended("INSERT INTO t VALUES ($1) RETURNING n + 1", &[Some("1")])),
        Ready,
        Say(extended("UPDATE t SET n = n", &[])),
        Ready,
        Say(extended("", &[])),
        Ready,
        Say(extended("SELECT WHERE false", &[])),
        Ready,
    ])
    .await;
    assert_eq!(kinds(&heard).iter().filter(|kind| **kind == "NoData").count(), 3);
    assert!(heard.contains(&"Empty".into()), "{heard:#?}");
}

#[tokio::test]
async fn one_statement_at_a_time() {
    let heard = heard(&[Say(extended("SELECT 1; SELECT 2", &[])), Ready]).await;
    assert!(heard[0].contains("C:42601"), "{heard:#?}");
}

#[tokio::test]
async fn parameters_must_fit() {
    let heard = heard(&[
        at_once([parse_typed("s", "SELECT $1, $2", &[23, 25]), describe_statement("s"), sync()]),
        Ready,
        at_once([bind("", "s", &[Some("1")]), sync()]),
        Ready,
        at_once([bind("", "s", &[Some("one"), Some("two")]), sync()]),
        Ready,
        at_once([bind("", "s", &[Some("1"), Some("two")]), execute("", 0), sync()]),
        Ready,
        at_once([parse_typed("", "SELECT $1", &[4_294_967_295]), sync()]),
        Ready,
    ])
    .await;
    assert!(heard.contains(&"Parameters [23, 25]".into()), "{heard:#?}");
    assert!(heard.iter().any(|words| words.contains("C:08P01")), "{heard:#?}");
    assert!(heard.iter().any(|words| words.contains("C:22P02")), "{heard:#?}");
}

#[tokio::test]
async fn parameters_may_be_large() {
    let large = "y".repeat(5_000_000);
    let heard = heard(&[
        Say(extended("SELECT md5($1), length($1), $1", &[Some(&large)])),
        Ready,
        at_once([parse("s", "SELECT length($1)"), bind("p", "s", &[Some(&large)]), execute("p", 0), sync()]),
        Ready,
    ])
    .await;
    assert!(heard[3].contains("5000000 bytes"), "{}", heard[3]);
    assert!(heard.contains(&r#"Row ["5000000"]"#.into()));
}

#[tokio::test]
async fn a_query_between_extended_messages_is_a_sync_of_its_own() {
    let heard = heard(&[
        at_once([parse("", "SELECT 1"), bind("", "", &[]), query("SELECT 2"), execute("", 0), sync()]),
        Ready,
        Ready,
        at_once([
            parse("kept", "SELECT 3"),
            query("SELECT 1 / 0"),
            bind("", "kept", &[]),
            execute("", 0),
            sync(),
        ]),
        Ready,
        Ready,
    ])
    .await;
    assert!(heard.contains(&r#"Row ["3"]"#.into()), "{heard:#?}");
}

#[tokio::test]
async fn transactions_span_pipelines() {
    let heard = heard(&[
        at_once([extended("BEGIN", &[]), extended("SELECT 1 / 0", &[]), extended("SELECT 1", &[])]),
        Ready,
        Ready,
        Ready,
        at_once([extended("ROLLBACK", &[]), extended("SELECT 1", &[])]),
        Ready,
        Ready,
    ])
    .await;
    let states: String = heard.iter().filter_map(|words| words.strip_prefix("Ready ")).collect();
    assert_eq!(states, "TEEII");
}

#[tokio::test]
async fn a_long_pipeline_is_answered_in_order() {
    let one = |n: u32| [bind("", "s", &[Some(&n.to_string())]), execute("", 0), sync()].concat();
    let all: Vec<u8> = (0..1_000).flat_map(one).collect();
    let mut steps = vec![at_once([parse("s", "SELECT $1::int"), all])];
    steps.extend(vec![Ready; 1_000]);
    let heard = heard(&steps).await;
    let rows: Vec<_> = heard.iter().filter(|words| words.starts_with("Row")).collect();
    assert!(rows.iter().enumerate().all(|(n, row)| **row == format!("Row [\"{n}\"]")), "{rows:?}");
}

#[tokio::test]
async fn sql_knows_the_same_statements() {
    let heard = heard_in_session(&[
        Say(query("PREPARE by_sql AS SELECT $1::int + 1")),
        Ready,
        at_once([describe_statement("by_sql"), bind("", "by_sql", &[Some("1")]), execute("", 0), sync()]),
        Ready,
        at_once([parse("by_wire", "SELECT $1::int + 2"), sync()]),
        Ready,
        Say(query("EXECUTE by_wire(1)")),
        Ready,
        Say(query("SELECT name, from_sql FROM pg_prepared_statements ORDER BY name")),
        Ready,
        Say(query("DEALLOCATE by_wire")),
        Ready,
        at_once([bind("", "by_wire", &[Some("1")]), sync()]),
        Ready,
        Say(query("DEALLOCATE ALL")),
        Ready,
        Say(query("EXECUTE by_sql(1)")),
        Ready,
    ])
    .await;
    assert!(heard.contains(&r#"Row ["by_sql", "t"]"#.into()), "{heard:#?}");
    assert!(heard.contains(&r#"Row ["by_wire", "f"]"#.into()), "{heard:#?}");
    assert!(heard.contains(&r#"Row ["3"]"#.into()), "{heard:#?}");
}

#[tokio::test]
async fn cut_off_messages_are_an_error_of_theirs_alone() {
    // No name, no end of the text, no counts; the length is right each time.
    let heard = heard(&[
        at_once([message(b'P', b"no end"), sync()]),
        Ready,
        at_once([message(b'B', b""), sync()]),
        Ready,
        at_once([message(b'D', b"S"), sync()]),
        Ready,
        at_once([message(b'D', b"Xname\0"), sync()]),
        Ready,
        at_once([message(b'E', b"\0"), sync()]),
        Ready,
        at_once([message(b'C', b""), sync()]),
        Ready,
        Say(message(b'Q', b"no end")),
        Ready,
        Say(query("SELECT 1")),
        Ready,
    ])
    .await;
    assert_eq!(heard.iter().filter(|words| words.contains("C:08P01")).count(), 7, "{heard:#?}");
}

/// What is known of a RESET only when its transaction is over holds nothing up before.
#[tokio::test]
async fn a_reset_in_a_transaction_holds_up_nothing() {
    let select = || extended("SELECT $1::int", &[Some("7")]);
    let heard = heard(&[
        Say(query("BEGIN; SET work_mem = '7MB'")),
        Ready,
        Say(query("RESET work_mem")),
        Ready,
        Say(select()),
        Ready,
        Say(extended("RESET ALL", &[])),
        Ready,
        at_once([parse("s", "SELECT 8"), describe_statement("s"), flush()]),
        Hear(3),
        at_once([bind("", "s", &[]), execute("", 0), sync()]),
        Ready,
        Say([query("COMMIT"), select()].concat()),
        Ready,
        Ready,
    ])
    .await;
    assert_eq!(heard.iter().filter(|words| *words == r#"Row ["7"]"#).count(), 2, "{heard:#?}");
}

#[tokio::test]
async fn a_query_that_an_error_before_it_makes_the_server_skip_holds_up_nothing() {
    for skipped in ["RESET work_mem", "RESET ALL", "DISCARD ALL", "PREPARE s AS SELECT 1", "DEALLOCATE s"] {
        let heard = heard(&[
            at_once([execute("never", 0), query(skipped), parse("t", "SELECT 1"), sync()]),
            Ready,
            Say(query("SELECT 2")),
            Ready,
        ])
        .await;
        assert!(heard.contains(&r#"Row ["2"]"#.into()), "{skipped}: {heard:#?}");
    }
}

#[tokio::test]
async fn a_copy_by_a_statement_with_a_name_ends_with_its_data() {
    let heard = heard(&[
        Say(query("CREATE TEMP TABLE t (n int)")),
        Ready,
        at_once([parse("s", "COPY t FROM STDIN"), bind("", "s", &[]), execute("", 0), sync()]),
        Hear(3),
        at_once([message(b'd', b"7\n"), message(b'c', b""), sync()]),
        Ready,
        Say(query("SELECT n FROM t")),
        Ready,
    ])
    .await;
    assert!(heard.contains(&r#"Row ["7"]"#.into()), "{heard:#?}");
}

/// Questions of the pooler's to a server that its client keeps end what has no name there; not for the client.
#[tokio::test]
async fn the_unnamed_statement_outlives_what_is_asked_of_a_pinned_server() {
    let heard = heard(&[
        Say(query("CREATE TEMP TABLE t (n int)")),
        Ready,
        at_once([parse("", "SET work_mem = '7MB'"), bind("", "", &[]), execute("", 0), sync()]),
        Ready,
        at_once([bind("", "", &[]), execute("", 0), sync()]),
        Ready,
    ])
    .await;
    assert_eq!(kinds(&heard).iter().filter(|kind| **kind == "BindComplete").count(), 2, "{heard:#?}");
}

#[tokio::test]
async fn an_unnamed_statement_that_could_not_be_made_is_not_there() {
    heard(&[
        at_once([parse("", "SELECT 1"), sync(), parse("", "SELECT nosuch"), sync()]),
        Ready,
        Ready,
        at_once([bind("", "", &[]), execute("", 0), sync()]),
        Ready,
        at_once([parse("", "SELECT nosuch"), sync(), parse("", "SELECT 2"), sync()]),
        Ready,
        Ready,
        at_once([bind("", "", &[]), execute("", 0), sync()]),
        Ready,
    ])
    .await;
}

#[tokio::test]
async fn what_is_skipped_behind_a_query_of_a_failed_batch_is_skipped() {
    let heard = heard(&[
        at_once([parse("s", "SELECT 1"), sync()]),
        Ready,
        at_once([execute("never", 0), query("SELECT 2"), parse("s", "SELECT 3"), sync()]),
        Ready,
        Say(query("SELECT 4")),
        Ready,
        at_once([
            parse("", "SELECT 5"),
            bind("", "", &[]),
            query("SELECT 6"),
            parse("s", "SELECT 7"),
            sync(),
        ]),
        Ready,
        Ready,
    ])
    .await;
    assert_eq!(kinds(&heard).iter().filter(|kind| **kind == "Ready").count(), 5, "{heard:#?}");
}

#[tokio::test]
async fn what_ends_a_failed_transaction_takes_no_name_twice() {
    let heard = heard(&[
        at_once([parse("s", "SELECT 1"), sync()]),
        Ready,
        Say(query("BEGIN; nonsense")),
        Ready,
        Say(query("BEGIN")),
        Ready,
        Say(query("nonsense")),
        Ready,
        at_once([parse("s", "ROLLBACK"), sync()]),
        Ready,
        Say(query("ROLLBACK")),
        Ready,
        Say(query("EXECUTE s")),
        Ready,
    ])
    .await;
    assert!(heard.iter().any(|words| words.contains("C:42P05")), "{heard:#?}");
    assert!(heard.contains(&r#"Row ["1"]"#.into()), "{heard:#?}");
}

/// What is dropped with all others is there to be made anew, in the same batch, too.
#[tokio::test]
async fn behind_what_drops_all_statements_their_names_are_free() {
    let drop_all = || [parse("", "DEALLOCATE ALL"), bind("", "", &[]), execute("", 0)].concat();
    let use_it = || [bind("", "s", &[]), execute("", 0), sync()].concat();
    let heard = heard(&[
        at_once([parse("s", "SELECT 1"), parse("t", "SELECT 1"), sync()]),
        Ready,
        at_once([drop_all(), parse("s", "SELECT 2"), use_it(), bind("", "t", &[]), sync()]),
        Ready,
        Ready,
        at_once([parse("t", "SELECT 1"), bind("", "t", &[]), execute("", 0), sync()]),
        Ready,
        at_once([drop_all(), sync(), parse("s", "SELECT 3"), use_it()]),
        Ready,
        Ready,
        at_once([query("DEALLOCATE ALL"), parse("s", "SELECT 4"), use_it()]),
        Ready,
        Ready,
        at_once([query("DISCARD ALL"), parse("s", "SELECT 5"), use_it()]),
        Ready,
        Ready,
        at_once([drop_all(), execute("never", 0), close_statement("s"), sync(), use_it()]),
        Ready,
        Ready,
    ])
    .await;
    let rows: Vec<_> = heard.iter().filter(|words| words.starts_with("Row")).collect();
    assert_eq!(rows, [2, 1, 3, 4, 5].map(|n| format!("Row [\"{n}\"]")).iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn in_a_failed_transaction_nothing_is_prepared() {
    let heard = heard(&[
        at_once([parse("s", "SELECT 1"), close_statement("s"), parse("r", "ROLLBACK"), sync()]),
        Ready,
        at_once([close_statement("r"), query("BEGIN"), query("nonsense")]),
        Ready,
        Ready,
        at_once([parse("s", "SELECT 1"), describe_statement("s"), sync()]),
        Ready,
        at_once([parse("r", "ROLLBACK"), bind("", "r", &[]), execute("", 0), parse("s", "SELECT 1"), sync()]),
        Ready,
        at_once([bind("", "s", &[]), execute("", 0), sync()]),
        Ready,
    ])
    .await;
    assert_eq!(heard.iter().filter(|words| words.contains("C:25P02")).count(), 1, "{heard:#?}");
    assert!(heard.contains(&r#"Row ["1"]"#.into()), "{heard:#?}");
}

#[tokio::test]
async fn what_is_skipped_does_nothing_to_the_unnamed_statement() {
    let skipped: [&[Vec<u8>]; 5] = [
        &[parse("", "SELECT 2")],
        &[parse("", "SELECT 2"), parse("", "SELECT 3")],
        &[close_statement("")],
        &[close_statement(""), parse("", "SELECT 2")],
        &[query("SELECT 2")],
    ];
    for skipped in skipped {
        let fails = || [execute("never", 0), skipped.concat(), sync()].concat();
        let use_it = || [bind("", "", &[]), execute("", 0), sync()].concat();
        let heard = heard(&[
            at_once([parse("", "SELECT 1"), sync()]),
            Ready,
            Say(fails()),
            Ready,
            Say(use_it()),
            Ready,
            at_once([fails(), fails(), use_it()]),
            Ready,
            Ready,
            Ready,
            at_once([fails(), query("SELECT 4"), use_it()]),
            Ready,
            Ready,
            Ready,
            at_once([parse("", "SELECT 5"), parse("", "nonsense"), sync(), use_it()]),
            Ready,
            Ready,
        ])
        .await;
        let rows: Vec<_> = heard.iter().filter(|words| words.starts_with("Row")).collect();
        assert_eq!(rows, [1, 1, 4].map(|n| format!("Row [\"{n}\"]")).iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_sql_has_prepared_is_there_if_its_close_is_skipped() {
    let heard = heard(&[
        at_once([query("PREPARE s AS SELECT 1"), execute("never", 0), close_statement("s"), sync()]),
        Ready,
        Ready,
        at_once([bind("", "s", &[]), execute("", 0), sync()]),
        Ready,
        at_once([close_statement("s"), execute("never", 0), sync(), bind("", "s", &[]), sync()]),
        Ready,
        Ready,
    ])
    .await;
    assert!(heard.contains(&r#"Row ["1"]"#.into()), "{heard:#?}");
    assert!(heard[heard.len() - 2].contains("C:26000"), "{heard:#?}");
}

#[tokio::test]
async fn the_unnamed_statement_outlives_what_a_server_reports() {
    let heard = heard(&[
        at_once([
            parse("s", "SET TimeZone = 'Asia/Tokyo'"),
            bind("", "s", &[]),
            execute("", 0),
            parse("", "SHOW TimeZone"),
            sync(),
        ]),
        Ready,
        at_once([bind("", "", &[]), execute("", 0), sync()]),
        Ready,
    ])
    .await;
    assert!(heard.contains(&r#"Row ["Asia/Tokyo"]"#.into()), "{heard:#?}");
}
