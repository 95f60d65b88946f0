//! Questions, and a server that says what it likes.

mod support;

use std::time::Duration;

use deepwater_core::ask::{AskError, MAX_BYTES, MAX_ROWS, Question};
use deepwater_pgwire::message::backend::Status;
use deepwater_pgwire::message::backend::write::{self, Report, Severity};
use deepwater_pgwire::startup::Startup;

use crate::control;
use support::{GUARD, row, run, soon};

fn kind(error: &AskError) -> &'static str {
    error.kind()
}

#[test]
fn questions_share_a_connection_that_says_who_it_is() {
    run(async |stage| {
        let asked = stage.ask();
        let (mut peer, parameters) = stage.accept().await;
        let said = |name: &str| parameters.iter().find(|(found, _)| found == name).map(|(_, value)| &**value);
        assert_eq!((said("user"), said("database")), (Some("asker"), Some("app")));
        assert_eq!(said("application_name"), Some("deepwater lens"));
        assert_eq!(said("client_encoding"), Some("UTF8"));
        assert_eq!(peer.question().await, format!("{GUARD}SELECT 1"));
        peer.answer("1").await;
        assert_eq!(soon(asked).await.unwrap(), Ok(row("1")));

        let asked = stage.ask();
        peer.question().await;
        peer.answer("2").await;
        assert_eq!(soon(asked).await.unwrap(), Ok(row("2")));
        assert_eq!(stage.count("answered"), 2);
        assert!(stage.shared.servers.all().is_empty(), "no table of the pools lists it");
        assert!(stage.shared.pools.all().is_empty());
    });
}

#[test]
fn one_question_at_a_time() {
    run(async |stage| {
        let asked = stage.ask();
        let (mut peer, _) = stage.accept().await;
        peer.question().await;
        assert_eq!(stage.error().await, AskError::Busy);
        peer.answer("1").await;
        assert_eq!(soon(asked).await.unwrap(), Ok(row("1")));
        assert_eq!((stage.count("busy"), stage.count("answered")), (1, 1));
    });
}

#[test]
fn who_has_an_answer_may_ask_again_at_once() {
    run(async |stage| {
        let mut peer = stage.answered().await;
        for _ in 0..100 {
            let asked = stage.ask();
            peer.question().await;
            peer.answer("1").await;
            assert_eq!(soon(asked).await.unwrap(), Ok(row("1")));
        }
    });
}

#[test]
fn a_refused_question_leaves_the_connection() {
    run(async |stage| {
        let mut peer = stage.answered().await;
        let asked = stage.ask();
        peer.question().await;
        let report = Report::new(Severity::Error, "42501", "permission denied for view x");
        write::error_response(&mut peer.talk.output, &report);
        write::ready_for_query(&mut peer.talk.output, Status::Idle);
        peer.send().await;
        let error = soon(asked).await.unwrap().unwrap_err();
        let (code, message) = ("42501".to_owned(), "permission denied for view x".to_owned());
        assert_eq!(error, AskError::Refused { code, message });

        let asked = stage.ask();
        peer.question().await;
        peer.answer("1").await;
        assert_eq!(soon(asked).await.unwrap(), Ok(row("1")));
        assert_eq!(stage.told(), 0);
    });
}

#[test]
fn questions_that_cannot_be_asked_say_what_to_do() {
    run(async |stage| {
        let error = async |name| soon(stage.ask_of(name)).await.unwrap().unwrap_err();
        assert_eq!(kind(&error("nodb").await), "no_database");
        let unknown = error("passed_through").await;
        assert_eq!(kind(&unknown), "no_credentials");
        assert!(unknown.to_string().contains("fix: name a user"), "{unknown}");

        let mut peer = stage.answered().await;
        let limit = Duration::from_secs(10);
        let nul = Question { database: "app".into(), sql: "SELECT '\0'".into(), limit };
        assert_eq!(kind(&soon(stage.put(nul)).await.unwrap().unwrap_err()), "refused");
        let asked = stage.ask();
        assert_eq!(peer.question().await, format!("{GUARD}SELECT 1"), "the one before was not sent");
        peer.answer("1").await;
        soon(asked).await.unwrap().unwrap();
    });
}

#[test]
fn a_full_server_is_left_alone_longer_and_longer() {
    run(async |stage| {
        let full = "sorry, too many clients already";
        let expected = AskError::NotConnected { code: "53300".into(), reason: full.into() };
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            let asked = stage.ask();
            stage.refuse("53300", full).await;
            assert_eq!(soon(asked).await.unwrap(), Err(expected.clone()));
            stage.clock.advance(Duration::from_secs(pause) - Duration::from_millis(1));
            assert_eq!(stage.error().await, expected, "nobody is there to answer, and nobody is needed");
            stage.clock.advance(Duration::from_millis(1));
        }
        assert_eq!((stage.told(), stage.count("not_connected")), (1, 14));

        let _peer = stage.answered().await;
        // The next failure is a first one again.
        stage.reload();
        let asked = stage.ask();
        stage.refuse("53300", full).await;
        assert_eq!(soon(asked).await.unwrap(), Err(expected));
        assert_eq!(stage.told(), 2);
        stage.clock.advance(Duration::from_secs(1));
        stage.answered().await;
    });
}

#[test]
fn a_connection_that_ended_meanwhile_is_replaced_at_once() {
    run(async |stage| {
        let mut peer = stage.answered().await;
        let report = Report::new(Severity::Fatal, "57P01", "terminating connection");
        write::error_response(&mut peer.talk.output, &report);
        peer.send().await;
        drop(peer);
        stage.answered().await;
        assert_eq!(stage.told(), 0);
    });
}

#[test]
fn a_server_that_ends_within_an_answer_is_left_alone() {
    run(async |stage| {
        let mut peer = stage.answered().await;
        let asked = stage.ask();
        peer.question().await;
        let report = Report::new(Severity::Fatal, "57P01", "terminating connection");
        write::error_response(&mut peer.talk.output, &report);
        peer.send().await;
        drop(peer);
        let (code, reason) = ("57P01".to_owned(), "terminating connection".to_owned());
        let error = AskError::NotConnected { code, reason };
        assert_eq!(soon(asked).await.unwrap(), Err(error.clone()));
        assert_eq!(stage.error().await, error);
        stage.clock.advance(Duration::from_secs(1));
        stage.answered().await;
    });
}

#[test]
fn what_a_hostile_server_says_is_an_error() {
    let garbage: [&[u8]; 9] = [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"Z\0\0\0\x05?",
        b"Z\0\0\0\x04",
        b"D\0\0\0\x0a\0\x01\0\0\0\x09",
        b"D\0\0\0\x06\xff\xff",
        b"D\0\0\0\x03",
        b"R\0\0\0\x08\0\0\0\0",
        b"G\0\0\0\x07\0\0\0",
    ];
    run(async |stage| {
        for bytes in garbage {
            let asked = stage.ask();
            let (mut peer, _) = stage.accept().await;
            peer.question().await;
            peer.talk.output.extend_from_slice(bytes);
            peer.send().await;
            drop(peer);
            let error = soon(asked).await.unwrap().unwrap_err();
            assert_eq!(kind(&error), "not_connected", "{error} after {}", bytes.escape_ascii());
            stage.clock.advance(Duration::from_secs(30));
        }
        stage.answered().await;
    });
}

#[test]
fn an_answer_that_is_too_large_ends_the_connection() {
    let mut many = Vec::new();
    (0..=MAX_ROWS).for_each(|_| write::data_row(&mut many, &[]));
    let mut long = vec![b'D'];
    long.extend_from_slice(&u32::try_from(MAX_BYTES + 5).unwrap().to_be_bytes());
    let mut notices = Vec::new();
    let notice = Report::new(Severity::Notice, "00000", "hear me");
    while notices.len() <= MAX_BYTES {
        write::notice_response(&mut notices, &notice);
    }
    run(async |stage| {
        for bytes in [many, long, notices] {
            let asked = stage.ask();
            let (mut peer, _) = stage.accept().await;
            peer.question().await;
            peer.talk.output = bytes;
            // It may be gone before all is said.
            let _ = peer.talk.send().await;
            assert_eq!(soon(asked).await.unwrap(), Err(AskError::TooLarge));
        }
        // The server is well: there is nothing to wait for.
        stage.answered().await;
        assert_eq!((stage.told(), stage.count("too_large")), (0, 3));
    });
}

#[test]
fn a_transaction_that_is_left_open_ends_with_its_connection() {
    run(async |stage| {
        let asked = stage.ask();
        let (mut peer, _) = stage.accept().await;
        peer.question().await;
        write::command_complete(&mut peer.talk.output, "BEGIN");
        write::ready_for_query(&mut peer.talk.output, Status::InTransaction);
        peer.send().await;
        assert_eq!(soon(asked).await.unwrap(), Ok(Vec::new()));
        peer.expect_goodbye().await;
        stage.answered().await;
    });
}

#[test]
fn a_question_that_outlives_its_limit_is_cancelled() {
    run(async |stage| {
        let limit = Duration::from_millis(10);
        let slow = Question { database: "app".into(), sql: "SELECT 1".into(), limit };
        let asked = stage.put(slow);
        let (mut peer, _) = stage.accept().await;
        peer.question().await;
        // Nothing more is said.
        assert_eq!(soon(asked).await.unwrap(), Err(AskError::TooSlow { limit }));
        let (_cancel, startup) = stage.meet().await;
        assert_eq!(startup, Startup::Cancel { pid: 7, key: vec![1, 2, 3, 4] });
        peer.expect_goodbye().await;
        assert_eq!(stage.error().await, AskError::TooSlow { limit }, "it is left alone");
        stage.clock.advance(Duration::from_secs(1));
        stage.answered().await;
    });
}

#[test]
fn a_server_that_does_not_let_in_keeps_nobody_waiting() {
    run(async |stage| {
        let limit = Duration::from_millis(10);
        let question = || Question { database: "app".into(), sql: "SELECT 1".into(), limit };
        let asked = stage.put(question());
        // It connects, and hears nothing.
        let (silent, _) = stage.meet().await;
        assert_eq!(soon(asked).await.unwrap(), Err(AskError::TooSlow { limit }));
        assert_eq!(soon(stage.put(question())).await.unwrap(), Err(AskError::Busy));
        drop(silent);
        let until_over = async {
            loop {
                match stage.put(question()).await.unwrap() {
                    Err(AskError::Busy) => {}
                    other => break other,
                }
            }
        };
        assert_eq!(kind(&soon(until_over).await.unwrap_err()), "not_connected");
    });
}

#[test]
fn a_connection_is_closed_when_nobody_asks() {
    run(async |stage| {
        let mut peer = stage.answered().await;
        stage.clock.advance(Duration::from_secs(60));
        peer.expect_goodbye().await;
        stage.answered().await;
    });
}

#[test]
fn a_connection_is_closed_for_another_configuration() {
    run(async |stage| {
        let mut peer = stage.answered().await;
        stage.reload();
        peer.expect_goodbye().await;
        stage.answered().await;
    });
}

#[test]
fn administrators_can_have_it_closed() {
    run(async |stage| {
        let mut peer = stage.answered().await;
        control::pause(&stage.shared, Some("app")).unwrap();
        peer.expect_goodbye().await;
        assert!(stage.error().await.to_string().contains("database app is paused"));
        control::resume(&stage.shared, Some("app")).unwrap();

        let database = stage.shared.plan.load().database("app").unwrap();
        let _pool = stage.shared.pool(&database, "asker");
        let mut peer = stage.answered().await;
        control::reconnect(&stage.shared, Some("app")).unwrap();
        peer.expect_goodbye().await;
        stage.answered().await;
    });
}

#[test]
fn asking_ends_with_the_pool() {
    run(async |stage| {
        let asked = stage.ask();
        let (mut peer, _) = stage.accept().await;
        peer.question().await;
        stage.asking.abort();
        assert_eq!(soon(asked).await.unwrap(), Err(AskError::Ended));
        peer.expect_goodbye().await;
        assert_eq!(stage.error().await, AskError::Ended);
    });
}
