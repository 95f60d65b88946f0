//! COPY, in both directions and out of order.

use super::{heard, kinds};
use crate::support::pg_wire::Step::{Closed, Ready, Say, Until};
use crate::support::pg_wire::say::{
    bind, copy_data, copy_done, copy_fail, execute, flush, parse, query, sync,
};
use crate::support::pg_wire::{Step, at_once};

const TABLE: &str = "CREATE TEMP TABLE t (n int, words text)";

/// A table, and then these steps.
async fn with_table<const N: usize>(steps: [Step; N]) -> Vec<String> {
    let mut all = vec![Say(query(TABLE)), Ready];
    all.extend(steps);
    let heard = heard(&all).await;
    heard[2..].to_vec()
}

fn count() -> Vec<u8> {
    query("SELECT count(*) FROM t")
}

#[tokio::test]
async fn data_goes_in() {
    let heard = with_table([
        Say(query("COPY t FROM STDIN")),
        Until(b'G'),
        at_once([
            copy_data("1\tone\n2\tt"),
            copy_data("wo\n"),
            copy_data(""),
            copy_data("3\t\\N\n"),
            copy_done(),
        ]),
        Ready,
        Say(query("TABLE t")),
        Ready,
    ])
    .await;
    assert_eq!(heard[..3], ["CopyIn 0 [0, 0]", "Complete COPY 3", "Ready I"]);
}

#[tokio::test]
async fn data_goes_out() {
    let heard = with_table([
        Say(query(
            "COPY (SELECT n, repeat('x', n * 1000) FROM generate_series(1, 5) n) TO STDOUT (FORMAT csv)",
        )),
        Ready,
        Say(query("COPY (SELECT 1) TO STDOUT (FORMAT binary); SELECT 2; COPY t TO STDOUT")),
        Ready,
    ])
    .await;
    let data =
        ["CopyOut", "CopyData", "CopyData", "CopyData", "CopyData", "CopyData", "CopyDone", "Complete"];
    assert_eq!(kinds(&heard)[..8], data);
}

#[tokio::test]
async fn an_error_while_data_goes_out_ends_it() {
    let heard =
        with_table([Say(query("COPY (SELECT 1 / (5 - n) FROM generate_series(1, 9) n) TO STDOUT")), Ready])
            .await;
    assert_eq!(kinds(&heard)[5..], ["Error", "Ready"]);
}

#[tokio::test]
async fn a_client_may_give_up_what_goes_in() {
    let heard = with_table([
        Say(query("COPY t FROM STDIN")),
        Until(b'G'),
        at_once([copy_data("1\tone\n"), copy_fail("changed my mind")]),
        Ready,
        Say(count()),
        Ready,
    ])
    .await;
    assert!(heard[1].contains("C:57014") && heard[1].contains("changed my mind"), "{heard:#?}");
    assert!(heard.contains(&r#"Row ["0"]"#.into()), "{heard:#?}");
}

#[tokio::test]
async fn data_after_an_error_is_passed_over() {
    let heard = with_table([
        Say(query("COPY t FROM STDIN")),
        Until(b'G'),
        at_once([copy_data("not a number\tx\n"), copy_data("1\tone\n"), copy_data("2\ttwo\n"), copy_done()]),
        Ready,
        Say(count()),
        Ready,
        at_once([copy_data("late"), copy_done(), copy_fail("late")]),
        Say(count()),
        Ready,
    ])
    .await;
    assert!(heard[1].contains("C:22P02"), "{heard:#?}");
    assert_eq!(heard.iter().filter(|words| *words == r#"Row ["0"]"#).count(), 2, "{heard:#?}");
}

#[tokio::test]
async fn data_may_come_before_the_server_asks_for_it() {
    let heard = with_table([
        at_once([query("COPY t FROM STDIN"), copy_data("1\tone\n"), copy_done(), count()]),
        Ready,
        Ready,
    ])
    .await;
    assert!(heard.contains(&r#"Row ["1"]"#.into()), "{heard:#?}");
}

#[tokio::test]
async fn several_copies_fit_in_one_text() {
    let heard = with_table([
        Say(query("COPY t FROM STDIN; SELECT count(*) FROM t; COPY t TO STDOUT; COPY t FROM STDIN")),
        Until(b'G'),
        at_once([copy_data("1\tone\n"), copy_done()]),
        Until(b'G'),
        at_once([copy_data("2\ttwo\n"), copy_done()]),
        Ready,
    ])
    .await;
    assert_eq!(heard.iter().filter(|words| words.starts_with("Complete COPY 1")).count(), 3, "{heard:#?}");
}

#[tokio::test]
async fn the_extended_protocol_copies_too() {
    let copy = |sql: &str| [parse("", sql), bind("", "", &[]), execute("", 0)].concat();
    let heard = with_table([
        Say([copy("COPY t FROM STDIN"), flush()].concat()),
        Until(b'G'),
        at_once([copy_data("1\tone\n"), flush(), sync(), copy_data("2\ttwo\n"), copy_done(), sync()]),
        Ready,
        at_once([copy("COPY t TO STDOUT"), sync()]),
        Ready,
    ])
    .await;
    assert!(heard.contains(&"Complete COPY 2".into()), "Flush and Sync are passed over: {heard:#?}");
}

#[tokio::test]
async fn a_copy_that_fails_in_a_pipeline_skips_to_sync() {
    let copy = |sql: &str| [parse("", sql), bind("", "", &[]), execute("", 0)].concat();
    let heard = with_table([
        at_once([copy("COPY t FROM STDIN"), sync()]),
        Until(b'G'),
        at_once([copy_data("nonsense\n"), copy_done(), sync()]),
        Ready,
        at_once([copy("COPY t FROM STDIN"), flush()]),
        Until(b'G'),
        at_once([copy_fail("no"), copy("SELECT 1"), sync()]),
        Ready,
        Say(count()),
        Ready,
    ])
    .await;
    assert_eq!(heard.iter().filter(|words| words.starts_with("Error")).count(), 2, "{heard:#?}");
}

#[tokio::test]
async fn a_query_while_data_goes_in_is_the_end() {
    let heard = with_table([
        Say(query("COPY t FROM STDIN")),
        Until(b'G'),
        at_once([copy_data("1\tone\n"), count()]),
        Closed,
    ])
    .await;
    assert!(heard[1].contains("unexpected message type 0x51"), "{heard:#?}");
    assert!(heard[2].contains("protocol synchronization was lost"), "{heard:#?}");
}

#[tokio::test]
async fn a_copy_in_a_transaction_leaves_its_state() {
    let heard = with_table([
        Say(query("BEGIN")),
        Ready,
        Say(query("COPY t FROM STDIN")),
        Until(b'G'),
        at_once([copy_data("1\tone\n"), copy_done()]),
        Ready,
        Say(query("COPY t FROM STDIN")),
        Until(b'G'),
        at_once([copy_data("x\n"), copy_done()]),
        Ready,
        Say(query("ROLLBACK")),
        Ready,
    ])
    .await;
    let states: String = heard.iter().filter_map(|words| words.strip_prefix("Ready ")).collect();
    assert_eq!(states, "TTEI");
}
