//! A listener, its clients, and a server that says what it likes.

mod support;

use std::time::Duration;

use deepwater_pgwire::message::backend::write;
use deepwater_pgwire::message::backend::write::{Report, Severity};
use tokio::sync::oneshot::error::TryRecvError;

use super::Pace;
use crate::clients::KILL;
use support::{mail, notification, run, run_at, signalled, soon};

#[test]
fn a_listen_is_confirmed_when_the_server_has_executed_it() {
    run(async |stage| {
        let client = stage.client();
        let mut word = stage.listen("a \"b\"", &client);
        let (mut peer, parameters) = stage.accept().await;
        // Names of channels are in UTF-8, whatever the pool's clients speak.
        let encodings: Vec<_> = parameters.iter().filter(|(name, _)| name == "client_encoding").collect();
        assert_eq!(encodings, [&("client_encoding".into(), "UTF8".into())]);
        assert_eq!(peer.query().await, "LISTEN \"a \"\"b\"\"\"");
        assert_eq!(word.try_recv(), Err(TryRecvError::Empty));
        peer.answer("LISTEN").await;
        assert_eq!(soon(word).await.unwrap(), Ok(()));
    });
}

#[test]
fn a_notification_goes_to_all_who_listen_and_to_nobody_else() {
    run(async |stage| {
        let (mut peer, first) = stage.listening("news").await;
        // The second needs no word of the server.
        let (second, other) = (stage.client(), stage.client());
        assert_eq!(stage.listen("news", &second).try_recv(), Ok(Ok(())));
        let word = stage.listen("sports", &other);
        assert_eq!(peer.query().await, "LISTEN \"sports\"");
        peer.answer("LISTEN").await;
        soon(word).await.unwrap().unwrap();

        peer.notify("news", "1").await;
        peer.notify("nobody's", "2").await;
        peer.notify("sports", "3").await;
        assert_eq!(mail(&other).await, notification("sports", "3"));
        assert_eq!(mail(&first).await, notification("news", "1"));
        assert_eq!(mail(&second).await, notification("news", "1"));
    });
}

#[test]
fn who_listens_twice_is_notified_once() {
    run(async |stage| {
        let (mut peer, client) = stage.listening("news").await;
        assert_eq!(stage.listen("news", &client).try_recv(), Ok(Ok(())));
        peer.notify("news", "1").await;
        assert_eq!(mail(&client).await, notification("news", "1"));
        // One UNLISTEN ends it.
        stage.listeners().unlisten(&stage.pool, "news", &client);
        assert_eq!(peer.query().await, "UNLISTEN \"news\"");
    });
}

#[test]
fn the_server_hears_of_unlisten_when_the_last_client_has_left() {
    run(async |stage| {
        let (mut peer, first) = stage.listening("news").await;
        let second = stage.client();
        assert_eq!(stage.listen("news", &second).try_recv(), Ok(Ok(())));
        stage.listeners().unlisten(&stage.pool, "news", &first);
        peer.notify("news", "1").await;
        assert_eq!(mail(&second).await, notification("news", "1"));
        let mut nothing = Vec::new();
        first.take_notifications(&mut nothing);
        assert!(nothing.is_empty());

        stage.listeners().forget(&stage.pool, &second);
        assert_eq!(peer.query().await, "UNLISTEN \"news\"");
        // Who comes back meanwhile waits for another LISTEN: the one before is over.
        let mut word = stage.listen("news", &first);
        peer.answer("UNLISTEN").await;
        assert_eq!(peer.query().await, "LISTEN \"news\"");
        assert_eq!(word.try_recv(), Err(TryRecvError::Empty));
        peer.answer("LISTEN").await;
        soon(word).await.unwrap().unwrap();
    });
}

#[test]
fn a_refused_listen_is_told_to_who_asked() {
    run(async |stage| {
        let (mut peer, first) = stage.listening("news").await;
        let second = stage.client();
        let refused = stage.listen("sports", &second);
        let granted = stage.listen("weather", &second);
        assert_eq!(peer.query().await, "LISTEN \"sports\"");
        peer.refuse("cannot execute LISTEN during recovery").await;
        assert_eq!(soon(refused).await.unwrap(), Err("cannot execute LISTEN during recovery".into()));
        assert_eq!(peer.query().await, "LISTEN \"weather\"");
        peer.answer("LISTEN").await;
        soon(granted).await.unwrap().unwrap();
        // Neither the channel that was refused nor the others are the worse for it.
        peer.notify("news", "1").await;
        assert_eq!(mail(&first).await, notification("news", "1"));
        let again = stage.listen("sports", &second);
        assert_eq!(peer.query().await, "LISTEN \"sports\"");
        peer.answer("LISTEN").await;
        soon(again).await.unwrap().unwrap();
    });
}

#[test]
fn clients_of_a_lost_connection_are_disconnected_and_may_listen_anew() {
    run(async |stage| {
        let (mut peer, client) = stage.listening("news").await;
        let waiting = stage.client();
        let word = stage.listen("sports", &waiting);
        assert_eq!(peer.query().await, "LISTEN \"sports\"");
        drop(peer);
        signalled(&client, KILL).await;
        let farewell = client.farewell().unwrap();
        assert_eq!(farewell.code, "08006");
        assert!(
            farewell.message.starts_with("the connection that listens for you was lost: "),
            "{farewell:?}"
        );
        // Who has no word yet has lost nothing.
        assert!(soon(word).await.unwrap().unwrap_err().contains("was lost"));
        assert!(waiting.farewell().is_none());

        stage.listening("news").await;
    });
}

#[test]
fn the_servers_reason_for_ending_the_connection_is_passed_on() {
    run(async |stage| {
        let (mut peer, client) = stage.listening("news").await;
        let words = "terminating connection due to administrator command";
        write::error_response(&mut peer.talk.output, &Report::new(Severity::Fatal, "57P01", words));
        peer.talk.send().await.unwrap();
        signalled(&client, KILL).await;
        assert!(client.farewell().unwrap().message.ends_with(words));
    });
}

#[test]
fn who_cannot_be_connected_is_told_why() {
    run(async |stage| {
        let stage = stage.without_server().await;
        let client = stage.client();
        let word = soon(stage.listen("news", &client)).await.unwrap();
        assert!(word.unwrap_err().contains("cannot connect to"));
        assert!(client.farewell().is_none());
        assert!(stage.listeners().all().is_empty());
    });
}

#[test]
fn a_listener_that_nobody_needs_goes() {
    let pace = Pace { tick: Duration::from_millis(5), linger: Duration::from_millis(20), ..Pace::default() };
    run_at(pace, Duration::from_secs(15), async |stage| {
        let (mut peer, client) = stage.listening("news").await;
        assert_eq!(stage.worker.shared.servers.all()[0].0, *stage.key());
        stage.listeners().forget(&stage.pool, &client);
        assert_eq!(peer.query().await, "UNLISTEN \"news\"");
        peer.answer("UNLISTEN").await;
        peer.expect_goodbye().await;
        assert!(stage.listeners().all().is_empty());
        assert!(stage.worker.shared.servers.all().is_empty());
        assert!(client.farewell().is_none());
        stage.listening("news").await;
    });
}

#[test]
fn a_server_that_is_there_may_be_silent() {
    let pace =
        Pace { tick: Duration::from_millis(5), probe_after: Duration::from_millis(10), ..Pace::default() };
    run_at(pace, Duration::from_secs(15), async |stage| {
        let (mut peer, client) = stage.listening("news").await;
        for _ in 0..3 {
            assert_eq!(peer.query().await, "");
            write::empty_query_response(&mut peer.talk.output);
            write::ready_for_query(&mut peer.talk.output, deepwater_pgwire::message::backend::Status::Idle);
            peer.talk.send().await.unwrap();
        }
        peer.notify("news", "1").await;
        assert_eq!(mail(&client).await, notification("news", "1"));
    });
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let pace =
        Pace { tick: Duration::from_millis(5), probe_after: Duration::from_millis(10), ..Pace::default() };
    run_at(pace, Duration::from_secs(1), async |stage| {
        let (mut peer, client) = stage.listening("news").await;
        assert_eq!(peer.query().await, "");
        signalled(&client, KILL).await;
        assert!(client.farewell().unwrap().message.ends_with("did not answer within 1s"));
    });
}

#[test]
fn a_renewed_pool_gets_another_listener() {
    run(async |stage| {
        let (_peer, client) = stage.listening("news").await;
        stage.pool.renew();
        signalled(&client, KILL).await;
        assert_eq!(client.farewell().unwrap().code, "08006");
        stage.listening("news").await;
    });
}

#[test]
fn a_stop_ends_the_listener_and_blames_nobody() {
    run(async |stage| {
        let (mut peer, client) = stage.listening("news").await;
        stage.worker.shared.context.shutdown.stop();
        assert!(soon(peer.talk.message(100)).await.is_err());
        assert!(client.farewell().is_none());
        assert!(stage.listeners().all().is_empty());
    });
}

#[test]
fn a_drain_lets_clients_listen_until_they_leave() {
    run(async |stage| {
        let (mut peer, client) = stage.listening("news").await;
        stage.worker.shared.context.shutdown.drain(Duration::from_secs(600));
        peer.notify("news", "1").await;
        assert_eq!(mail(&client).await, notification("news", "1"));
        stage.listeners().forget(&stage.pool, &client);
        assert_eq!(peer.query().await, "UNLISTEN \"news\"");
        peer.answer("UNLISTEN").await;
        // At once: the linger of 10 s is for better times.
        peer.expect_goodbye().await;
    });
}

#[test]
fn a_notification_may_come_in_pieces() {
    run(async |stage| {
        let (mut peer, client) = stage.listening("news").await;
        let long = "x".repeat(7_900);
        let mut bytes = notification("news", "1");
        write::parameter_status(&mut bytes, "TimeZone", "UTC");
        write::notice_response(&mut bytes, &Report::new(Severity::Notice, "00000", "hear"));
        bytes.extend(notification("news", &long));
        for piece in bytes.chunks(501) {
            peer.talk.output.extend_from_slice(piece);
            peer.talk.send().await.unwrap();
            tokio::task::yield_now().await;
        }
        let expected = [notification("news", "1"), notification("news", &long)].concat();
        let mut got = Vec::new();
        while got.len() < expected.len() {
            got.extend(mail(&client).await);
        }
        assert_eq!(got, expected);
    });
}

#[test]
fn what_no_server_says_ends_the_connection() {
    let too_long = [b"A".as_slice(), &(70_000_u32).to_be_bytes()].concat();
    let unfinished_text = [b"A".as_slice(), &10_u32.to_be_bytes(), b"\0\0\0\x09ab"].concat();
    let unasked_ready = [b"Z".as_slice(), &5_u32.to_be_bytes(), b"I"].concat();
    let row = [b"D".as_slice(), &6_u32.to_be_bytes(), b"\0\0"].concat();
    let short_length = [b"A".as_slice(), &3_u32.to_be_bytes()].concat();
    for bytes in [too_long, unfinished_text, unasked_ready, row, short_length] {
        run(async |stage| {
            let (mut peer, client) = stage.listening("news").await;
            peer.talk.output.extend_from_slice(&bytes);
            peer.talk.send().await.unwrap();
            signalled(&client, KILL).await;
            assert_eq!(client.farewell().unwrap().code, "08006", "{bytes:?}");
        });
    }
}
